//! `--sql`: a script that, run by psql, leaves what a live run leaves.

use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

/// Text that psql or a careless writer would trip over.
fn tricky() -> Project {
    Project::new()
        .child("001", "base", "CREATE TABLE a (id int, tags text[] DEFAULT ARRAY['x:y', ':HOST']);\nCREATE FUNCTION f(HOST int) RETURNS text LANGUAGE sql AS $$ SELECT (ARRAY['a','b','c'])[1:HOST]::text $$ -- ends in a comment", "DROP FUNCTION f; DROP TABLE a;")
        .child("002", "001", "SET search_path TO pg_catalog; SET LOCAL lock_timeout = '1s'; CREATE TABLE public.b (t text DEFAULT 'it''s \\ $p$ :PORT')", "DROP TABLE public.b")
        .child("003", "001", "UPDATE a SET tags = (SELECT array_agg(x[1 :PORT]) FROM (SELECT ARRAY['q'] x, 1 AS port) s WHERE false);\nCREATE TYPE e AS ENUM ('ü', '\"');", "DROP TYPE e;")
        .child("004", "002, 003", "SELECT 1;", "SELECT 1;")
        .file("b01_other.sql", "-- revision: b01\n-- revises: base\n-- branch: billing\n-- message: it's\n--   a remark\n\n-- migrate:up\nCREATE TABLE bills ();\n\n-- migrate:down\nDROP TABLE bills;\n")
        .file("005_last.sql", "-- revision: 005\n-- revises: 004\n-- depends-on: b01\n\n-- migrate:up\nCREATE VIEW v AS SELECT id FROM a;\n\n-- migrate:down\nDROP VIEW v;\n")
}

/// Everything in the ledger but times and backends.
fn ledger(database: &Database) -> Vec<Vec<String>> {
    let mut rows = database.query("SELECT version_num FROM alembic_version ORDER BY 1");
    rows.extend(database.query(
        "SELECT version_table, revision, file, parents::text, depends_on::text, branch, message, created, breaking::text, text, exact, semantic FROM pgmarch.revision ORDER BY revision",
    ));
    rows.extend(database.query(
        "SELECT id::text, version_table, revision, direction, outcome, statement::text, role, client_host, client_addr::text, pgmarch, progress, detail, (finished >= started)::text FROM pgmarch.journal ORDER BY id",
    ));
    rows
}

#[test]
fn a_script_leaves_the_schema_and_the_ledger_of_a_live_run() {
    let project = tricky();
    for transaction in ["revision", "run"] {
        let (live, offline) = (Database::new(), Database::new());
        let runs = |database: &Database, words: &[&str]| {
            pgmarch(database, &project).env("PGMARCH_TRANSACTION", transaction).args(words.iter().copied()).run().exits(0)
        };
        let prints = |words: &[&str]| {
            pgmarch_without_database(&project).env("PGMARCH_TRANSACTION", transaction).args(words.iter().copied()).run().exits(0).stdout
        };
        let same = |about: &str| {
            assert_eq!(offline.dump(), live.dump(), "{about}");
            assert_eq!(ledger(&offline), ledger(&live), "{about}");
        };
        runs(&live, &["upgrade", "002"]);
        offline.psql(&prints(&["upgrade", "--sql", "base:002"]));
        same("up to 002");
        runs(&live, &["upgrade", "heads"]);
        // From where the database is.
        let script = runs(&offline, &["upgrade", "--sql", "heads"]).stdout;
        assert_eq!(ledger(&offline).len(), 5, "printing changes nothing");
        offline.psql(&script);
        same("up to the heads");
        runs(&live, &["downgrade", "001", "--yes"]);
        offline.psql(&prints(&["downgrade", "--sql", "heads:001"]));
        same("down to 001");
        runs(&live, &["downgrade", "base", "--yes"]);
        offline.psql(&prints(&["downgrade", "--sql", "001,b01:base"]));
        same("down to base");
    }
}

#[test]
fn a_script_run_twice_or_elsewhere_stops_at_its_fence_with_nothing_done() {
    let project = tricky();
    let database = Database::new();
    let script = pgmarch_without_database(&project).args(["upgrade", "--sql", "001:002"]).run().exits(0).stdout;
    let fails = |script: &str| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| database.psql(script))).is_err();
    let before = database.dump();
    assert!(fails(&script), "it starts at 001");
    assert_eq!(database.dump(), before, "not even the tables were made");
    let script = pgmarch_without_database(&project).args(["upgrade", "--sql", "base:001"]).run().exits(0).stdout;
    database.psql(&script);
    let before = (database.dump(), ledger(&database));
    assert!(fails(&script), "it starts at base");
    assert_eq!((database.dump(), ledger(&database)), before);
    database.execute("CREATE SCHEMA other; ALTER TABLE alembic_version SET SCHEMA other");
    database.execute(&format!("ALTER DATABASE {} SET search_path = other, public", database.name()));
    assert!(fails(&pgmarch_without_database(&project).args(["upgrade", "--sql", "001:002"]).run().exits(0).stdout));
}

#[test]
fn what_runs_outside_of_transactions_does_so_in_the_script() {
    let project = Project::new()
        .child("001", "base", "CREATE TABLE a (id int);", "DROP TABLE a;")
        .file("002_index.sql", "-- revision: 002\n-- revises: 001\n\n-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON a (id);\nVACUUM a;\n\n-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY i;\n");
    let (database, live) = (Database::new(), Database::new());
    database.psql(&pgmarch_without_database(&project).args(["upgrade", "--sql", "base:head"]).run().exits(0).stdout);
    pgmarch(&live, &project).run().exits(0);
    assert_eq!((database.dump(), ledger(&database)), (live.dump(), ledger(&live)));
    assert_eq!(database.one("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"), "t");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "002");
    pgmarch(&database, &project).run().exits(0).stdout_is("at 002, nothing to do\n");
    database.psql(&pgmarch_without_database(&project).args(["downgrade", "--sql", "head:-1"]).run().exits(0).stdout);
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "001");
    pgmarch(&live, &project).args(["downgrade", "-1", "--yes"]).run().exits(0);
    assert_eq!((database.dump(), ledger(&database)), (live.dump(), ledger(&live)));
    pgmarch_without_database(&project).env("PGMARCH_TRANSACTION", "run").args(["upgrade", "--sql", "base:head"]).run().exits(2);
}

#[test]
fn ranges_that_mean_nothing_say_so_without_a_database() {
    let project = tricky();
    let prints = |words: &[&str]| pgmarch_without_database(&project).args(words.iter().copied()).run();
    prints(&["downgrade", "--sql", "001"]).exits(2).stderr_contains("takes FROM:TO");
    prints(&["upgrade", "--sql", "+1:head"]).exits(2).stderr_contains("nobody is asked here");
    prints(&["upgrade", "--sql", "1:2:3"]).exits(2).stderr_contains("is not a range");
    prints(&["upgrade", "001:002"]).exits(2).stderr_contains("write `002`, or add --sql");
    prints(&["upgrade", "--sql", "002:001"]).exits(0).stdout_contains("0 revisions").stdout_lacks("BEGIN");
}
