//! The fields of the catalog's rows: what the query gives is what the types read, field by field.

use std::collections::{BTreeMap, BTreeSet};

use pgmarch::model::Definition;
use pgmarch::model::read::ObjectRow;
use serde_json::Value;

use crate::support::{Database, Project, pgmarch};

/// An object of each kind, with all that it can have. `{role}` is another role.
const SCHEMA: &str = r#"
CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'a schema';
GRANT USAGE ON SCHEMA app TO PUBLIC;
CREATE EXTENSION hstore SCHEMA app;
CREATE ACCESS METHOD second TYPE TABLE HANDLER heap_tableam_handler;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a text COLLATE "C", b integer);
COMMENT ON COLUMN pair.a IS 'an attribute';
CREATE TYPE span AS RANGE (subtype = integer);
CREATE DOMAIN word AS text COLLATE "C" DEFAULT 'x' NOT NULL CHECK (VALUE <> '');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer);
CREATE TABLE items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" CONSTRAINT has_name NOT NULL,
    twice bigint GENERATED ALWAYS AS (id * 2) STORED,
    note text DEFAULT 'none' CONSTRAINT one_note UNIQUE WITH (fillfactor = 80)
) WITH (fillfactor = 70);
ALTER TABLE items ALTER name SET STORAGE EXTERNAL, ALTER name SET STATISTICS 100, ALTER name SET (n_distinct = 5), CLUSTER ON items_pkey;
ALTER TABLE items OWNER TO {role};
GRANT SELECT ON items TO PUBLIC;
COMMENT ON SEQUENCE items_id_seq IS 'an identity';
GRANT USAGE ON SEQUENCE items_id_seq TO PUBLIC;
COMMENT ON TABLE items IS 'a table';
CREATE TABLE days (day integer) PARTITION BY LIST (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1);
CREATE TABLE elsewhere (id integer) USING second;
CREATE SEQUENCE counter OWNED BY elsewhere.id;
CREATE VIEW seen WITH (security_barrier) AS SELECT id, name COLLATE "POSIX" AS name FROM items;
ALTER VIEW seen ALTER name SET DEFAULT 'x';
COMMENT ON COLUMN seen.name IS 'a column';
GRANT SELECT (name) ON seen TO PUBLIC;
CREATE MATERIALIZED VIEW kept USING second AS SELECT 1 AS one, 'x'::text AS word;
CREATE INDEX by_word ON kept (word);
ALTER MATERIALIZED VIEW kept ALTER word SET STORAGE EXTERNAL, ALTER word SET STATISTICS 100, ALTER word SET (n_distinct = 5), CLUSTER ON by_word;
CREATE INDEX by_note ON items (lower(note));
ALTER INDEX by_note ALTER COLUMN 1 SET STATISTICS 50;
CREATE TRIGGER touching BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE nothing AS ON DELETE TO items DO INSTEAD NOTHING;
CREATE POLICY own ON items USING (true) WITH CHECK (true);
CREATE STATISTICS together ON name, note FROM items;
ALTER STATISTICS together SET STATISTICS 10;
CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('COMMENT') EXECUTE FUNCTION watch();
ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
"#;

/// Compares a row with what is read of it, and notes which fields have a value in an example.
#[track_caller]
fn compare(path: &str, row: &Value, read: &Value, examples: &mut BTreeMap<String, bool>) {
    let has_example = match (row, read) {
        (Value::Object(row), Value::Object(read)) => {
            for name in row.keys() {
                assert!(read.contains_key(name), "the query gives {path}.{name}, which no field reads");
            }
            for (name, value) in read {
                compare(&format!("{path}.{name}"), row.get(name).unwrap_or(&Value::Null), value, examples);
            }
            true
        }
        (Value::Array(row), Value::Array(read)) => {
            assert_eq!(row.len(), read.len(), "{path}");
            row.iter().zip(read).for_each(|(row, read)| compare(&format!("{path}[]"), row, read, examples));
            !row.is_empty()
        }
        (row, read) => {
            assert_eq!(row, read, "{path}");
            !row.is_null()
        }
    };
    *examples.entry(path.to_owned()).or_default() |= has_example;
}

/// The names of all kinds of definitions, as the error about an unknown one lists them.
fn kinds() -> BTreeSet<String> {
    let error = serde_json::from_str::<Definition>(r#"{"planet": {}}"#).expect_err("an unknown kind").to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn each_field_of_each_kind_is_what_the_query_gives() {
    let database = Database::new();
    let major = database.major();
    database.execute(&SCHEMA.replace("{role}", &database.role("owner", &[]).name));
    if major >= 14 {
        database.execute("ALTER TABLE items ALTER note SET COMPRESSION pglz");
        database.execute("ALTER MATERIALIZED VIEW kept ALTER word SET COMPRESSION pglz");
    }
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    pgmarch(&database, &project).env("PGMARCH_SNAPSHOT", "on").run().exits(0);
    let rows = database.one("SELECT rows FROM pgmarch.catalog");
    let mut found = BTreeSet::new();
    let mut examples = BTreeMap::new();
    for text in rows.split('\u{1e}') {
        let row: Value = serde_json::from_str(text).expect("JSON");
        let object: ObjectRow<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let definition: Definition = serde_json::from_str(object.definition.get()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let mut read = serde_json::to_value(&object).expect("JSON");
        read["definition"] = serde_json::to_value(&definition).expect("JSON");
        found.extend(row["definition"].as_object().into_iter().flat_map(|definition| definition.keys().cloned()));
        compare("", &row, &read, &mut examples);
    }
    assert_eq!(found, kinds(), "the schema above has an object of each kind");
    let without: Vec<&str> = examples.iter().filter(|(_, has_example)| !**has_example).map(|(path, _)| path.as_str()).collect();
    let later = [
        (14, ".definition.column.compression"),
        (14, ".definition.view.columns[].settings.compression"),
        (18, ".definition.column.not_null.name"),
    ];
    let later = later.into_iter().filter(|(since, _)| major < *since).map(|(_, path)| path);
    // Of attributes, only a view's columns have defaults, rights and settings.
    let of_views = [
        ".definition.composite.attributes[].default",
        ".definition.composite.attributes[].grants",
        ".definition.composite.attributes[].settings",
    ];
    let mut expected: Vec<&str> = later.chain(of_views).collect();
    expected.sort_unstable();
    assert_eq!(without, expected, "the schema above has a value of each field");
}
