//! Statements that PostgreSQL never runs in a transaction: found in the files, and before a run changes anything.

use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

/// Such statements, and the first version of PostgreSQL that has them.
const NEVER: [(&str, u32); 22] = [
    ("CREATE INDEX CONCURRENTLY ON t (a)", 13),
    ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", 13),
    ("DROP INDEX CONCURRENTLY IF EXISTS i", 13),
    ("VACUUM", 13),
    ("VACUUM (ANALYZE) t", 13),
    ("CREATE DATABASE x", 13),
    ("DROP DATABASE IF EXISTS x", 13),
    ("CREATE TABLESPACE x LOCATION '/x'", 13),
    ("DROP TABLESPACE IF EXISTS x", 13),
    ("ALTER SYSTEM SET work_mem = '1MB'", 13),
    ("ALTER DATABASE x SET TABLESPACE y", 13),
    ("DISCARD ALL", 13),
    ("REINDEX SCHEMA public", 13),
    ("REINDEX (VERBOSE) DATABASE x", 13),
    ("REINDEX SYSTEM x", 13),
    ("REINDEX TABLE CONCURRENTLY t", 13),
    ("REINDEX (VERBOSE, CONCURRENTLY) INDEX i", 14),
    ("CLUSTER", 13),
    ("CLUSTER (VERBOSE)", 17),
    ("CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p", 13),
    ("CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (enabled = false)", 13),
    ("ALTER TABLE p DETACH PARTITION c CONCURRENTLY", 14),
];

#[test]
fn the_server_refuses_what_is_called_certain() {
    let database = Database::new();
    let major = database.major();
    for (statement, since) in NEVER {
        let project = Project::new().file("001_test.sql", &format!("-- migrate:up\nSELECT 1; /* é */ {statement};\n"));
        let check = pgmarch_without_database(&project).args(["check", "--offline"]).run().exits(3);
        let check = check.stdout_contains("001_test.sql:2:19: `").stdout_contains("can't run in a transaction");
        check.stdout_contains("`-- migrate:up transaction:false`");
        if major >= since {
            let refusal = database.session().refusal(&format!("BEGIN; {statement}"));
            assert!(refusal.contains("cannot run inside a transaction block") || refusal.contains("25001"), "{statement}: {refusal}");
        }
        let stepwise = Project::new().file("001_test.sql", &format!("-- migrate:up transaction:false\n{statement};\n"));
        pgmarch_without_database(&stepwise).args(["check", "--offline"]).run().exits(0);
    }
}

#[test]
fn an_upgrade_finds_them_before_it_applies_anything() {
    let database = Database::new();
    let project = Project::new()
        .revision("001", "CREATE TABLE t (a int);", "DROP TABLE t;")
        .revision("002", "CREATE INDEX CONCURRENTLY i ON t (a);", "DROP INDEX CONCURRENTLY i;")
        .revision("003", "VACUUM t;", "SELECT 1;");
    for command in [&["upgrade"][..], &["upgrade", "--dry-run"], &["upgrade", "--sql", "base:head"]] {
        let run = pgmarch(&database, &project).args(command.iter().copied()).run().exits(3);
        let run = run.stderr_contains("002_test.sql:2:1: `CREATE INDEX CONCURRENTLY` can't run in a transaction");
        let run = run.stderr_contains("003_test.sql:2:1: `VACUUM` can't run in a transaction");
        assert!(run.last_line().contains("nothing was changed"), "{run}");
        assert_eq!(database.one("SELECT to_regclass('t') IS NULL AND to_regclass('alembic_version') IS NULL"), "t");
    }
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    // What is applied already is not asked again, and a down migration only by a downgrade.
    pgmarch(&database, &project).args(["stamp", "003"]).run().exits(0);
    pgmarch(&database, &project).run().exits(0).stdout_is("at 003, nothing to do\n");
    let run = pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(3);
    run.stderr_contains("002_test.sql:5:1: `DROP INDEX CONCURRENTLY`").stderr_contains("`-- migrate:down transaction:false`");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "003");
}

#[test]
fn a_down_migration_that_is_certain_to_fail_is_a_finding_that_stops_no_upgrade() {
    let (database, project) = (Database::new(), Project::new().revision("001", "SELECT 1;", "VACUUM;"));
    let check = pgmarch_without_database(&project).args(["check", "--offline", "--json"]).run().exits(1).json();
    assert_eq!((&check["findings"][0]["kind"], &check["findings"][0]["line"]), (&"in-transaction".into(), &5.into()));
    assert_eq!(check["findings"][0]["stops_upgrade"], false);
    pgmarch(&database, &project).run().exits(0);
}
