//! The block that fills second columns in batches, each in a transaction of its own.

use crate::model::hazard::Danger;
use crate::model::sql_text::quote;
use crate::model::statement::EmittedStatement;

use super::plan::RetypedTable;

/// How many pages a batch has: 8 MB.
const PAGES: u32 = 1000;
/// The same without range scans of row addresses, where each possible address is looked up.
const PAGES_BY_ADDRESS: u32 = 50;
/// Range scans of row addresses.
const RANGE_SCANS: u32 = 140_000;

/// A block that can run again from its beginning: rows that are equal are not written.
pub(super) fn fill(table: &RetypedTable, server: u32) -> EmittedStatement {
    let shown = &table.shown;
    let [page, last] = &table.pages;
    let sets: Vec<String> = table.columns.iter().map(|column| format!("{} = {}", column.second, column.value())).collect();
    let differs: Vec<String> =
        table.columns.iter().map(|column| format!("{} IS DISTINCT FROM {}", column.second, column.value())).collect();
    let differs = if differs.len() == 1 { differs.concat() } else { format!("({})", differs.join(" OR ")) };
    let (pages, rows) = if server >= RANGE_SCANS {
        (PAGES, format!("ctid >= format('(%s,0)', {page})::tid AND ctid < format('(%s,0)', {page} + {PAGES})::tid"))
    } else {
        let addresses = format!(
            "SELECT format('(%s,%s)', p, i)::tid FROM generate_series({page}, {page} + {}) p, generate_series(1, current_setting('block_size')::integer / 28) i",
            PAGES_BY_ADDRESS - 1
        );
        (PAGES_BY_ADDRESS, format!("ctid = ANY (ARRAY({addresses}))"))
    };
    let (before, after) = switches(table);
    let sql = format!(
        "DO $$
DECLARE
    {page} bigint := 0;
    {last} bigint := pg_relation_size({}) / current_setting('block_size')::bigint;
BEGIN
    WHILE {page} <= {last} LOOP
{before}        UPDATE {shown} SET {}
         WHERE {rows}
           AND {differs};
{after}        COMMIT;
        {page} := {page} + {pages};
    END LOOP;
END
$$",
        quote(shown),
        sets.join(", "),
    );
    let statement = EmittedStatement::alter(sql);
    match before.is_empty() {
        true => statement,
        false => {
            statement.with(Danger::Lock, "writers wait for each batch: the table's UPDATE triggers and forced row security are off in it")
        }
    }
}

/// What is off in a batch: triggers that would change or log each row, and policies that would hide rows from the owner.
fn switches(table: &RetypedTable) -> (String, String) {
    let line = |what: String| format!("        ALTER TABLE {} {what};\n", table.shown);
    let mut before: Vec<String> = table.silenced.iter().map(|(trigger, _)| line(format!("DISABLE TRIGGER {trigger}"))).collect();
    let mut after: Vec<String> = table.silenced.iter().map(|(trigger, firing)| line(format!("{firing} TRIGGER {trigger}"))).collect();
    if table.forces_row_security {
        before.push(line("NO FORCE ROW LEVEL SECURITY".to_owned()));
        after.push(line("FORCE ROW LEVEL SECURITY".to_owned()));
    }
    (before.concat(), after.concat())
}
