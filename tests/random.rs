//! Any schema into any other and back: two from a generator, with the same assertions as for the fixed pairs.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::pairs::{Pair, round_trip, together};

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
    policy: bool,
}

#[derive(Clone, Debug)]
struct Schema {
    tables: Vec<Table>,
    labels: Vec<bool>,
    domain: usize,
    sequence: usize,
    function: usize,
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
    let parts = (prop::option::weighted(0.6, 0..4usize), 0..3usize, 0..4usize, 0..3usize, any::<bool>(), prop::bool::weighted(0.3));
    (prop::bool::weighted(0.8), 0..3usize, columns, parts).prop_map(
        |(exists, key, columns, (refers, action, view, options, trigger, policy))| Table {
            exists,
            key,
            columns,
            refers,
            action,
            view,
            options,
            trigger,
            policy,
        },
    )
}

fn schema() -> impl Strategy<Value = Schema> {
    (prop::collection::vec(table(), 4), prop::collection::vec(any::<bool>(), 4), 0..3usize, 0..3usize, 0..3usize)
        .prop_map(|(tables, labels, domain, sequence, function)| Schema { tables, labels, domain, sequence, function })
}

/// The schema as DDL; foreign keys last, so that circles can be.
fn ddl(schema: &Schema) -> String {
    let mut sql = String::new();
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
    let function = [
        "",
        "CREATE FUNCTION f(x integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT x';",
        "CREATE FUNCTION f(x integer) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT x::bigint';",
    ];
    writeln!(sql, "{}", function[schema.function]).expect("a string");
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
        if table.policy {
            let column = table.columns.iter().position(|column| column.as_ref().is_some_and(|column| column.kind == 5));
            let using = column.map_or("true".to_owned(), |place| format!("c{place}"));
            writeln!(sql, "CREATE POLICY seen ON t{number} USING ({using}); ALTER TABLE t{number} ENABLE ROW LEVEL SECURITY;")
                .expect("a string");
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
            3 if schema.function > 0 && table.key != 1 => {
                writeln!(sql, "CREATE VIEW v{number} AS SELECT f(id) AS f FROM t{number} WHERE id > 1;")
            }
            _ => Ok(()),
        }
        .expect("a string");
    }
    sql
}

#[test]
fn any_schema_goes_into_any_other_and_back() {
    let number = std::env::var("PGMARCH_TEST_RANDOM").ok().and_then(|number| number.parse().ok()).unwrap_or(PAIRS);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut draw = || ddl(&schema().new_tree(&mut runner).expect("a schema").current());
    let drawn: Vec<Pair> = (0..number)
        .map(|number| Pair { name: format!("random {number}"), old: draw(), new: draw(), since: 13, ..Pair::default() })
        .collect();
    for batch in drawn.chunks(BATCH) {
        let Err(error) = round_trip(&together(batch)) else { continue };
        for pair in batch {
            if let Err(error) = round_trip(pair) {
                panic!("{}\n{error}\n-- old\n{}\n-- new\n{}", pair.name, pair.old, pair.new);
            }
        }
        panic!("only together: {error}");
    }
}
