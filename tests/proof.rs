//! The proof of `create` and `diff` has rows: what a migration does to them is seen before a file is written.

use crate::support::{Database, Project, pgmarch, pgmarch_at};

/// A project whose model differs from its one revision.
fn project(old: &str, new: &str) -> Project {
    Project::new().child("001", "base", old, "SELECT 1;").file("schema.sql", new)
}

/// Superusers may create event triggers: this one stands for a statement that changes rows and does not say so.
fn meddling(what: &str) -> String {
    format!(
        "CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_name = 't' AND column_name = 'added') THEN {what}; END IF;
END$$;
CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION meddle();\n"
    )
}

#[test]
fn a_change_that_alters_values_is_refused_with_table_column_and_both_values() {
    let database = Database::new();
    let table = "CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer);\n";
    for (what, told) in [
        ("UPDATE t SET a = b, b = a", "column a of public.t had 1 and has 51"),
        ("DELETE FROM t WHERE a = 1", "public.t had 4 rows and has 3 rows"),
        ("UPDATE t SET b = NULL", "column b of public.t had 51 and has null"),
    ] {
        let old = format!("{table}{}", meddling(what));
        let new = format!("{}{}", table.replace("b integer", "b integer, added integer"), meddling(what));
        let project = project(&old, &new);
        let run = pgmarch(&database, &project).args(["create", "added"]).run().exits(1);
        run.stderr_contains("the up migration changes rows in a scratch database")
            .stderr_contains(told)
            .stderr_contains("nothing was written");
        assert_eq!(project.names(), ["001_test.sql", "schema.sql"]);
    }
}

#[test]
fn sql_of_diff_that_alters_values_on_the_copy_is_not_proven() {
    let database = Database::new();
    let table = "CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer);\n";
    let meddling = meddling("UPDATE t SET a = b, b = a");
    let project = project(&format!("{table}{meddling}"), &format!("{}{meddling}", table.replace("b integer", "b integer, added integer")));
    pgmarch(&database, &project).run().exits(0);
    let run = pgmarch(&database, &project).args(["diff"]).run().exits(1);
    let first = run.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("-- not proven: the SQL changes rows in a scratch database"), "{run}");
    assert!(first.ends_with("column a of public.t had 1 and has 51"), "{run}");
    let answer = pgmarch(&database, &project).args(["diff", "--json"]).run().exits(1).json();
    assert_eq!((&answer["proven"], &answer["checked"]), (&false.into(), &serde_json::Value::Null), "{answer}");
}

#[test]
fn diff_is_proven_with_rows() {
    let database = Database::new();
    let old = "CREATE TYPE pair AS (x integer, y text);\nCREATE TABLE t (id serial PRIMARY KEY, p pair);\n";
    let new = old.replace("x integer, y text", "y text, x bigint").replace("serial", "integer GENERATED ALWAYS AS IDENTITY");
    let project = project(old, &new);
    pgmarch(&database, &project).run().exits(0);
    let answer = pgmarch(&database, &project).args(["diff", "--json"]).run().exits(1).json();
    assert_eq!((&answer["proven"], &answer["checked"]["tables_with_rows"]), (&true.into(), &1.into()), "{answer}");
}

#[test]
fn rows_are_generated_for_every_type_and_constraint() {
    let database = Database::new();
    let old = "
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TYPE pair AS (x integer, y mood);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0 AND VALUE < 5);
CREATE TYPE span AS RANGE (subtype = timestamp);
CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code varchar(3) NOT NULL UNIQUE, kind text NOT NULL CHECK (kind IN ('a', 'b')));
CREATE TABLE child (
    parent bigint NOT NULL REFERENCES parent, code varchar(3) REFERENCES parent (code), above integer REFERENCES child,
    id serial PRIMARY KEY, m mood NOT NULL, ms mood[], p pair NOT NULL, d positive NOT NULL, s span, n numeric(4,2) NOT NULL, b boolean,
    j jsonb, u uuid NOT NULL, e text NOT NULL CHECK (e ~ '@'), f text CHECK (length(f) = 2), at timestamptz, until timestamptz CHECK (until > at),
    g integer GENERATED ALWAYS AS (id * 2) STORED, o1 integer, o2 integer, CHECK ((o1 IS NULL) <> (o2 IS NULL))
);
CREATE TABLE days (day date NOT NULL, note text) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
CREATE TABLE hidden (id integer PRIMARY KEY, note text);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
CREATE TRIGGER refuse BEFORE INSERT OR DELETE ON hidden FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TABLE seeded (id integer PRIMARY KEY, note text);
INSERT INTO seeded VALUES (1, 'one'), (2, 'two');
";
    let mut new = old.replace("INSERT INTO seeded VALUES (1, 'one'), (2, 'two');\n", "");
    for (table, last) in [("parent", "'b'))"), ("child", "(o2 IS NULL))\n")] {
        new = new.replace(last, &format!("{last}, added_{table} integer"));
    }
    new = new.replace("note text)", "note text, added integer)");
    let role = database.role("creator", &[]);
    database.execute(&format!("ALTER ROLE {} CREATEDB", role.name));
    for url in [database.url(), role.url.clone()] {
        let project = project(old, &new);
        let run = pgmarch_at(&url, &project).args(["create", "added", "--json"]).run().exits(0);
        let checked = &run.json()["checked"];
        assert_eq!((&checked["tables"], &checked["tables_with_rows"]), (&5.into(), &5.into()), "{checked}");
        assert_eq!((checked["without_rows"].to_string(), checked["rows_removed"].to_string()), ("[]".to_owned(), "[]".to_owned()));
        assert_eq!(checked["objects"]["table"], 7);
    }
}

#[test]
fn rows_in_the_way_of_a_statement_that_may_fail_are_removed_and_named() {
    let database = Database::new();
    let old = "CREATE TABLE t (id integer PRIMARY KEY, x integer CHECK (x < 100));\nCREATE TABLE refers (t integer REFERENCES t);\n";
    let project = project(old, &old.replace("(x < 100)", "(x < 100), y integer NOT NULL"));
    let run = pgmarch(&database, &project).args(["create", "y"]).run().exits(0);
    run.stdout_contains("run with rows in 0 of 1 table that changes")
        .stdout_contains("rows removed from public.t, where a statement may fail: `ALTER TABLE t ADD COLUMN y integer NOT NULL`");
}

#[test]
fn a_table_without_rows_is_named_with_the_reason() {
    let database = Database::new();
    let old = "CREATE TABLE t (id integer PRIMARY KEY, x text NOT NULL CHECK (md5(x) = 'none'));\n";
    let project = project(old, &old.replace("'none')", "'none'), y integer"));
    let run = pgmarch(&database, &project).args(["create", "y"]).run().exits(0);
    run.stdout_contains("compared: ").stdout_contains(
        "run with rows in 0 of 1 table that changes\n  no rows in public.t: new row for relation \"t\" violates check constraint",
    );
}

#[test]
fn rows_in_the_way_of_a_down_migration_are_removed_whatever_triggers_the_model_has() {
    let database = Database::new();
    let function = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n";
    let old = format!(
        "{function}CREATE TABLE t (id integer PRIMARY KEY, x integer NOT NULL);\nCREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();\n"
    );
    let project = project(&old, &format!("{function}CREATE TABLE t (id integer PRIMARY KEY);\n"));
    let run = pgmarch(&database, &project).args(["create", "x"]).run().exits(0);
    run.stdout_contains("rows removed from public.t, where a statement may fail: `ALTER TABLE t ADD COLUMN x integer NOT NULL`");
}
