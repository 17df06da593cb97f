//! Any schema into any other and back: two from a generator, with rows, rights, default privileges and policies, and with the same
//! assertions as for the fixed pairs.

mod rows;

use std::fmt::Write;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::pairs::{Pair, online_round_trip, round_trip, together};

/// The number of pairs, unless PGMARCH_TEST_RANDOM is set.
const PAIRS: usize = 12;
/// How many pairs share a database.
const BATCH: usize = 12;

#[derive(Clone, Debug)]
struct Column {
    kind: usize,
    not_null: bool,
    default: bool,
    unique: bool,
    check: bool,
    index: usize,
    comment: bool,
}

#[derive(Clone, Debug)]
struct Table {
    exists: bool,
    key: usize,
    columns: Vec<Option<Column>>,
    refers: Option<usize>,
    action: usize,
    view: usize,
    options: usize,
    trigger: bool,
    policies: usize,
    rights: usize,
    view_rights: usize,
    has_point: bool,
}

#[derive(Clone, Debug)]
struct Schema {
    tables: Vec<Table>,
    labels: Vec<bool>,
    domain: usize,
    sequence: usize,
    function: usize,
    point: usize,
    privileges: usize,
    privileges_come_last: bool,
}

const TYPES: [(&str, &str, &str); 9] = [
    ("integer", "7", "{} > 0"),
    ("bigint", "8", "{} <> 3"),
    ("text", "'it''s'", "{} <> 'a'"),
    ("varchar(20)", "'x'", "length({}) > 0"),
    ("timestamptz", "now()", "{} > '2020-01-01'"),
    ("boolean", "true", "{} IS NOT NULL"),
    ("numeric(8,2)", "1.5", "{} < 100"),
    ("mood", "'b'", "{} <> 'b'::mood"),
    ("jsonb", "'{}'", "{} IS DISTINCT FROM 'null'::jsonb"),
];

fn column() -> impl Strategy<Value = Column> {
    (0..TYPES.len(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3), 0..5usize, any::<bool>()).prop_map(
        |(kind, not_null, default, unique, check, index, comment)| Column { kind, not_null, default, unique, check, index, comment },
    )
}

fn table() -> impl Strategy<Value = Table> {
    let columns = prop::collection::vec(prop::option::weighted(0.7, column()), 5);
    let parts = (prop::option::weighted(0.6, 0..4usize), 0..3usize, 0..4usize, 0..3usize, any::<bool>());
    let others = (0..POLICIES.len(), 0..RIGHTS.len(), 0..VIEW_RIGHTS.len(), prop::bool::weighted(0.4));
    (prop::bool::weighted(0.8), 0..3usize, columns, parts, others).prop_map(
        |(exists, key, columns, (refers, action, view, options, trigger), (policies, rights, view_rights, has_point))| Table {
            exists,
            key,
            columns,
            refers,
            action,
            view,
            options,
            trigger,
            policies,
            rights,
            view_rights,
            has_point,
        },
    )
}

fn schema() -> impl Strategy<Value = Schema> {
    let once = (0..3usize, 0..3usize, 0..FUNCTIONS.len(), 0..POINTS.len(), 0..PRIVILEGES.len(), any::<bool>());
    (prop::collection::vec(table(), 4), prop::collection::vec(any::<bool>(), 4), once).prop_map(
        |(tables, labels, (domain, sequence, function, point, privileges, privileges_come_last))| Schema {
            tables,
            labels,
            domain,
            sequence,
            function,
            point,
            privileges,
            privileges_come_last,
        },
    )
}

/// Policies of a table; `{}` is its name.
const POLICIES: [&str; 7] = [
    "",
    "",
    "CREATE POLICY seen ON {} USING (id > 0); ALTER TABLE {} ENABLE ROW LEVEL SECURITY;",
    "CREATE POLICY seen ON {} FOR SELECT TO pair_reader USING (id > 1); ALTER TABLE {} ENABLE ROW LEVEL SECURITY;",
    "CREATE POLICY seen ON {} AS RESTRICTIVE TO pair_reader, pair_writer USING (id > 1) WITH CHECK (id < 9);",
    "CREATE POLICY other ON {} FOR INSERT TO pair_writer WITH CHECK (id < 9); ALTER TABLE {} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
    "ALTER TABLE {} ENABLE ROW LEVEL SECURITY;",
];

/// Rights on a table.
const RIGHTS: [&str; 6] = [
    "",
    "GRANT SELECT ON {} TO pair_reader;",
    "REVOKE ALL ON {} FROM pair_reader;",
    "GRANT SELECT (id), UPDATE (d) ON {} TO pair_writer; GRANT INSERT ON {} TO pair_writer;",
    "GRANT ALL ON {} TO pair_writer WITH GRANT OPTION; REVOKE DELETE ON {} FROM pair_reader;",
    "GRANT SELECT ON {} TO PUBLIC;",
];

/// Rights on a view.
const VIEW_RIGHTS: [&str; 4] = [
    "",
    "REVOKE ALL ON {} FROM pair_reader;",
    "GRANT SELECT ON {} TO pair_writer;",
    "REVOKE ALL ON {} FROM pair_reader, pair_writer, PUBLIC;",
];

/// Default privileges of a schema.
const PRIVILEGES: [&str; 5] = [
    "",
    "GRANT SELECT ON TABLES TO pair_reader",
    "GRANT ALL ON TABLES TO pair_reader; GRANT EXECUTE ON FUNCTIONS TO pair_reader",
    "GRANT INSERT, SELECT ON TABLES TO PUBLIC; GRANT USAGE ON SEQUENCES TO pair_writer",
    "GRANT SELECT ON TABLES TO pair_writer WITH GRANT OPTION; GRANT USAGE ON TYPES TO pair_reader",
];

const FUNCTIONS: [&str; 4] = [
    "",
    "CREATE FUNCTION f(x integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT x';",
    "CREATE FUNCTION f(x integer) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT x::bigint';",
    "CREATE FUNCTION f(x integer) RETURNS integer IMMUTABLE SECURITY DEFINER LANGUAGE sql AS 'SELECT x'; REVOKE ALL ON FUNCTION f(integer) FROM PUBLIC;",
];

/// The attributes of a composite type, and a value whose `x` is 1 and whose `y` is 2.
const POINTS: [(&str, &str); 5] = [
    ("x integer, y integer", "(1,2)"),
    ("y integer, x integer", "(2,1)"),
    ("x bigint", "(1)"),
    ("x integer, y integer, z text", "(1,2,)"),
    ("z text, y bigint, x integer", "(q,2,1)"),
];

/// Default privileges of the schema that objects are created in.
fn default_privileges(schema: &Schema) -> String {
    let statements = PRIVILEGES[schema.privileges].split("; ").filter(|statement| !statement.is_empty());
    let alter = |what: &str| format!("EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I {what}', current_schema); ");
    let all: String = statements.map(alter).collect();
    if all.is_empty() { all } else { format!("DO $$BEGIN {all}END$$;\n") }
}

/// The schema as DDL; foreign keys last, so that circles can be.
fn ddl(schema: &Schema) -> String {
    let mut sql = if schema.privileges_come_last { String::new() } else { default_privileges(schema) };
    writeln!(sql, "CREATE TYPE point2 AS ({});", POINTS[schema.point].0).expect("a string");
    let labels: Vec<&str> =
        ["'a'", "'c'", "'d'", "'e'"].iter().zip(&schema.labels).filter(|(_, kept)| **kept).map(|(label, _)| *label).collect();
    let labels: Vec<&str> = ["'b'"].into_iter().chain(labels).collect();
    writeln!(sql, "CREATE TYPE mood AS ENUM ({});", labels.join(", ")).expect("a string");
    let domain = [
        "CREATE DOMAIN dom AS integer;",
        "CREATE DOMAIN dom AS integer DEFAULT 3 CONSTRAINT small CHECK (VALUE < 9);",
        "CREATE DOMAIN dom AS text NOT NULL;",
    ];
    writeln!(sql, "{}", domain[schema.domain]).expect("a string");
    let sequence = ["", "CREATE SEQUENCE seq;", "CREATE SEQUENCE seq AS integer START 5 INCREMENT 2;"];
    writeln!(sql, "{}", sequence[schema.sequence]).expect("a string");
    sql += "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n";
    writeln!(sql, "{}", FUNCTIONS[schema.function]).expect("a string");
    let key_types = ["serial", "bigint GENERATED ALWAYS AS IDENTITY", "integer"];
    for (number, table) in schema.tables.iter().enumerate().filter(|(_, table)| table.exists) {
        let mut lines = vec![format!("id {} PRIMARY KEY", key_types[table.key]), "d dom".to_owned()];
        if table.refers.is_some() {
            let types = table
                .refers
                .and_then(|other| schema.tables.get(other))
                .map_or("integer", |other| if other.key == 1 { "bigint" } else { "integer" });
            lines.push(format!("other {types}"));
        }
        if table.has_point {
            lines.extend(["p point2".to_owned(), "ps point2[]".to_owned()]);
        }
        for (place, column) in table.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            let (kind, default, check) = TYPES[column.kind];
            let mut line = format!("c{place} {kind}");
            if column.not_null {
                line += " NOT NULL";
            }
            if column.default {
                line += &format!(" DEFAULT {default}");
            }
            if column.unique {
                line += " UNIQUE";
            }
            if column.check {
                line += &format!(" CHECK ({})", check.replace("{}", &format!("c{place}")));
            }
            lines.push(line);
        }
        let options = ["", " WITH (fillfactor=70)", " WITH (autovacuum_enabled=false)"];
        writeln!(sql, "CREATE TABLE t{number} (\n    {}\n){};", lines.join(",\n    "), options[table.options]).expect("a string");
        for (place, column) in table.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            let index = match column.index {
                1 => format!("CREATE INDEX t{number}_i{place} ON t{number} (c{place});"),
                2 => format!("CREATE UNIQUE INDEX t{number}_i{place} ON t{number} (c{place} DESC, id);"),
                3 => format!("CREATE INDEX t{number}_i{place} ON t{number} (id) WHERE c{place} IS NOT NULL;"),
                _ => String::new(),
            };
            writeln!(sql, "{index}").expect("a string");
            if column.comment {
                writeln!(sql, "COMMENT ON COLUMN t{number}.c{place} IS 'of kind {}';", column.kind).expect("a string");
            }
        }
        if table.trigger {
            writeln!(sql, "CREATE TRIGGER touched BEFORE UPDATE ON t{number} FOR EACH ROW EXECUTE FUNCTION touch();").expect("a string");
        }
        for of_table in [POLICIES[table.policies], RIGHTS[table.rights]] {
            writeln!(sql, "{}", of_table.replace("{}", &format!("t{number}"))).expect("a string");
        }
    }
    for (number, table) in schema.tables.iter().enumerate().filter(|(_, table)| table.exists) {
        let actions = ["", " ON DELETE CASCADE", " ON DELETE SET NULL DEFERRABLE"];
        if let Some(other) = table.refers
            && schema.tables.get(other).is_some_and(|other| other.exists)
        {
            writeln!(sql, "ALTER TABLE t{number} ADD FOREIGN KEY (other) REFERENCES t{other}{};", actions[table.action]).expect("a string");
        }
        let columns: Vec<String> =
            table.columns.iter().enumerate().filter(|(_, column)| column.is_some()).map(|(place, _)| format!("c{place}")).collect();
        let list = columns.join(", ");
        match table.view {
            1 => writeln!(sql, "CREATE VIEW v{number} AS SELECT * FROM t{number};\nCREATE VIEW w{number} AS SELECT id FROM v{number};"),
            2 if !list.is_empty() => writeln!(
                sql,
                "CREATE MATERIALIZED VIEW v{number} AS SELECT id, {list} FROM t{number};\nCREATE INDEX m{number} ON v{number} (id);"
            ),
            3 if schema.function != 0 && table.key != 1 => {
                writeln!(sql, "CREATE VIEW v{number} AS SELECT f(id) AS f FROM t{number} WHERE id > 1;")
            }
            _ => Ok(()),
        }
        .expect("a string");
        if sql.contains(&format!("VIEW v{number} ")) {
            writeln!(sql, "{}", VIEW_RIGHTS[table.view_rights].replace("{}", &format!("v{number}"))).expect("a string");
        }
    }
    if schema.privileges_come_last {
        sql += &default_privileges(schema);
    }
    sql
}

/// Another schema, whose columns are as they were for the most part, or of the same kind: otherwise hardly a row would fit both.
fn resembling(old: &Schema, mut other: Schema, similarities: &[u8]) -> Schema {
    let columns = old.tables.iter().zip(&mut other.tables).flat_map(|(before, after)| before.columns.iter().zip(&mut after.columns));
    for ((before, after), similarity) in columns.zip(similarities) {
        match (before, after.as_mut(), similarity) {
            (_, _, 0..=3) => after.clone_from(before),
            (Some(before), Some(after), 4..=7) => after.kind = before.kind,
            _ => {}
        }
    }
    other
}

/// Two schemas, and rows of the old one that fit the new one too.
fn draw(runner: &mut TestRunner, number: usize) -> Pair {
    let drawn = (schema(), schema(), prop::collection::vec(0..9u8, 20)).new_tree(runner).expect("two schemas").current();
    let (old, other, similarities) = drawn;
    let new = resembling(&old, other, &similarities);
    let (rows, after) = rows::of(&old, &new);
    Pair { name: format!("random {number}"), old: ddl(&old), new: ddl(&new), rows, after, since: 13, ..Pair::default() }
}

#[track_caller]
fn all_go_there_and_back(drawn: &[Pair], round_trip: fn(&Pair) -> Result<(), String>) {
    for batch in drawn.chunks(BATCH) {
        let Err(error) = round_trip(&together(batch)) else { continue };
        for pair in batch {
            if let Err(error) = round_trip(pair) {
                let Pair { name, old, new, rows, after, .. } = pair;
                panic!("{name}\n{error}\n-- old\n{old}\n-- rows\n{rows}\n-- new\n{new}\n-- after\n{after}");
            }
        }
        panic!("only together: {error}");
    }
}

#[test]
fn any_schema_goes_into_any_other_and_back() {
    let number = std::env::var("PGMARCH_TEST_RANDOM").ok().and_then(|number| number.parse().ok()).unwrap_or(PAIRS);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let drawn: Vec<Pair> = (0..number).map(|number| draw(&mut runner, number)).collect();
    let with_rows = drawn.iter().filter(|pair| !pair.rows.is_empty()).count();
    assert!(2 * with_rows > number, "only {with_rows} of {number} pairs have rows");
    all_go_there_and_back(&drawn, round_trip);
    // A fifth of them by way of the online form too.
    let (online, _) = drawn.split_at(number.div_ceil(5));
    all_go_there_and_back(online, online_round_trip);
}
