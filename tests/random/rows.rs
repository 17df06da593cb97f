//! Rows of one schema that another one takes as well, and inserts into that one.

use std::fmt::Write;

use super::{Column, POINTS, Schema, Table};

/// How many rows a table gets.
const ROWS: usize = 3;

/// Rows for the old schema, and inserts into the new one, which are rolled back: only sequences keep what they did.
pub(super) fn of(old: &Schema, new: &Schema) -> (String, String) {
    let (mut rows, mut after) = (String::new(), String::new());
    let mut filled = Vec::new();
    for (number, table) in old.tables.iter().enumerate().filter(|(_, table)| table.exists) {
        let later = new.tables.get(number).filter(|table| table.exists);
        let Some(inserted) = (0..ROWS).map(|row| insert(number, table, later, (old, new), row)).collect::<Option<String>>() else {
            continue;
        };
        rows += &inserted;
        filled.push(number);
        if let Some(later) = later {
            after += &insert(number, later, None, (new, new), ROWS).unwrap_or_default();
        }
    }
    for number in &filled {
        let (table, later) = (&old.tables[*number], &new.tables[*number]);
        // A table that is dropped is empty when the down migration has created it again.
        let stays = |target: &usize| filled.contains(target) && new.tables[*target].exists;
        let target = table.refers.filter(|target| stays(target) && (!later.exists || later.refers.is_none_or(|other| other == *target)));
        if let Some(target) = target {
            writeln!(rows, "UPDATE t{number} SET other = (SELECT min(id) FROM t{target});").expect("a string");
        }
    }
    (rows, if after.is_empty() { after } else { format!("BEGIN;\n{after}ROLLBACK;\n") })
}

/// The insert of one row, or `None` if no row fits both.
fn insert(number: usize, table: &Table, later: Option<&Table>, (schema, new): (&Schema, &Schema), row: usize) -> Option<String> {
    let mut values = vec![("d".to_owned(), format!("'{}'", row + 1))];
    if table.key == 2 {
        values.push(("id".to_owned(), (row + 1).to_string()));
    }
    if table.has_point {
        let value = POINTS[schema.point].1;
        values.push(("p".to_owned(), format!("'{value}'")));
        values.push(("ps".to_owned(), format!("ARRAY['{value}', NULL]::point2[]")));
    }
    for place in 0..table.columns.len() {
        let column = table.columns[place].as_ref();
        let other = later.map(|later| later.columns[place].as_ref());
        match (column, other) {
            (None, Some(Some(added))) => fits_by_itself(added).then_some(())?,
            (None, _) => {}
            // The down migration adds it again.
            (Some(column), Some(None)) if !fits_by_itself(column) => return None,
            (Some(column), other) => {
                let other = other.flatten();
                values.push((format!("c{place}"), value(column, other, (schema, new), row)?));
            }
        }
    }
    let (columns, values): (Vec<String>, Vec<String>) = values.into_iter().unzip();
    Some(format!("INSERT INTO t{number} ({}) VALUES ({});\n", columns.join(", "), values.join(", ")))
}

/// Whether existing rows fit a new column.
fn fits_by_itself(added: &Column) -> bool {
    let is_null = !added.default;
    let fails_check = added.check && (if is_null { added.kind == 5 } else { added.kind == 7 });
    !(is_null && added.not_null || !is_null && added.unique || fails_check)
}

/// A value that fits a column and what becomes of it.
fn value(column: &Column, other: Option<&Column>, (old, new): (&Schema, &Schema), row: usize) -> Option<String> {
    let both = |is: fn(&Column) -> bool| is(column) || other.is_some_and(is);
    let (not_null, unique, check) = (both(|column| column.not_null), both(|column| column.unique), both(|column| column.check));
    let null = || {
        let fails_check = both(|column| column.check && column.kind == 5);
        (!not_null && !fails_check).then(|| "NULL".to_owned())
    };
    if other.is_some_and(|other| other.kind != column.kind) {
        return null();
    }
    let kept: Vec<&str> =
        ["c", "d", "e"].into_iter().zip(1..).filter(|(_, at)| old.labels[*at] && new.labels[*at]).map(|(label, _)| label).collect();
    match column.kind {
        0 | 1 => Some((row + 4).to_string()),
        2 => Some(format!("'it''s {row}'")),
        3 => Some(format!("'x{row}'")),
        4 => Some(format!("'2024-01-0{} 12:00:00+02'", row + 1)),
        5 if unique => null(),
        5 => Some(row.is_multiple_of(2).to_string()),
        6 => Some(format!("{}.25", row + 1)),
        7 if unique => null(),
        7 if check => kept.first().map(|label| format!("'{label}'")).or_else(null),
        7 => Some("'b'".to_owned()),
        _ => Some(format!(r#"'{{"a": {row}}}'"#)),
    }
}
