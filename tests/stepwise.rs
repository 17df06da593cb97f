//! A `transaction:false` revision of many statements: each is committed by itself and recorded with it, also where the server gets
//! several of them in one message.

use crate::support::{Database, Project, pgmarch};

/// A revision of so many statements, each a row, of which some are others.
fn rows(count: usize, others: &[(usize, &str)]) -> Project {
    let statement = |number: usize| {
        let other = others.iter().find(|(place, _)| *place == number).map(|(_, other)| (*other).to_string());
        other.unwrap_or_else(|| format!("INSERT INTO t VALUES ({number})"))
    };
    let text: String = (1..=count).map(|number| statement(number) + ";\n").collect();
    Project::new()
        .revision(
            "001",
            "CREATE TABLE t (id int); CREATE FUNCTION resets() RETURNS int LANGUAGE plpgsql AS $$BEGIN RESET ALL; RETURN 1; END$$;",
            "SELECT 1",
        )
        .file("002_b.sql", &format!("-- migrate:up transaction:false\n{text}\n-- migrate:down\nDELETE FROM t;\n"))
}

/// Rows 1 to `last` but those of `others` are there, once.
#[track_caller]
fn has_rows(database: &Database, last: usize, others: &[usize]) {
    let expected: Vec<String> = (1..=last).filter(|number| !others.contains(number)).map(|number| number.to_string()).collect();
    assert_eq!(database.one("SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), expected.join(","));
}

/// What the journal has of the statements: how many are finished, the last of them, and how many have failed.
#[track_caller]
fn progress(database: &Database) -> String {
    database.one(
        "SELECT concat_ws(' ', count(*) FILTER (WHERE outcome = 'finished'), max(statement) FILTER (WHERE outcome = 'finished'), \
         count(*) FILTER (WHERE outcome = 'failed')) FROM pgmarch.journal WHERE statement IS NOT NULL",
    )
}

#[test]
fn a_statement_that_fails_among_many_keeps_those_before_it_and_is_where_the_next_run_continues() {
    for (failing, code) in [("SELECT 1 / 0", "22012"), ("SELECT id FORM t", "42601"), ("SELECT missing FROM t", "42703")] {
        let database = Database::new();
        let project = rows(60, &[(41, failing)]);
        let outcome = pgmarch(&database, &project).run().exits(6);
        outcome.stderr_contains(code).stderr_contains("002_b.sql:42:").stderr_contains("statements up to 40 are done and stay");
        has_rows(&database, 40, &[]);
        assert_eq!(progress(&database), "40 40 1", "{failing}");
        project.write("002_b.sql", &project.read("002_b.sql").replace(failing, "INSERT INTO t VALUES (41)"));
        pgmarch(&database, &project).run().exits(0).stderr_contains("statement 41");
        has_rows(&database, 60, &[]);
        assert_eq!(progress(&database), "60 60 1", "{failing}");
    }
}

#[test]
fn statements_that_reset_the_session_or_deallocate_all_are_run_once_among_many() {
    for other in
        ["RESET ALL", "SELECT resets()", "DEALLOCATE ALL", "DISCARD ALL", "SET lock_timeout = '1s'", "SET ROLE pg_monitor", "VACUUM t"]
    {
        let (database, others) = (Database::new(), [7, 30, 31]);
        let project = rows(60, &others.map(|place| (place, other)));
        database.execute("CREATE SCHEMA IF NOT EXISTS x");
        let project = if other.starts_with("SET ROLE") {
            project.write(
                "002_b.sql",
                &project
                    .read("002_b.sql")
                    .replace("INSERT INTO t VALUES (8)", "RESET ROLE; INSERT INTO t VALUES (8)")
                    .replace("INSERT INTO t VALUES (32)", "RESET ROLE; INSERT INTO t VALUES (32)"),
            );
            project
        } else {
            project
        };
        pgmarch(&database, &project).run().exits(0);
        has_rows(&database, 60, &others);
    }
}

#[test]
fn a_statement_among_many_that_writes_to_the_ledger_is_refused_and_rolled_back() {
    for other in [
        "UPDATE pgmarch.journal SET detail = 'x'",
        "INSERT INTO alembic_version VALUES ('x')",
        "DELETE FROM pgmarch.journal",
        "SELECT resets(), set_config('pgmarch.last_row', 'x', false); INSERT INTO t VALUES (31)",
    ] {
        let database = Database::new();
        let project = rows(60, &[(30, other)]);
        let outcome = pgmarch(&database, &project).run();
        if other.starts_with("SELECT") {
            outcome.exits(0);
            continue;
        }
        outcome.exits(6).stderr_contains("changed the version table").stderr_contains("statement 30");
        has_rows(&database, 29, &[]);
        assert_eq!(progress(&database), "29 29 1", "{other}");
    }
}

#[test]
fn a_lock_that_passes_in_the_middle_of_many_statements_repeats_none_of_them() {
    let database = Database::new();
    let project = rows(60, &[(30, "ALTER TABLE wanted ADD COLUMN b int")]);
    database.execute("CREATE TABLE wanted (a int)");
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE wanted IN ACCESS SHARE MODE");
    let running = pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "200ms").spawn();
    running.wait_for_log("its statement 30 was rolled back");
    has_rows(&database, 29, &[]);
    other.execute("COMMIT");
    running.wait().exits(0);
    has_rows(&database, 60, &[30]);
    assert_eq!(progress(&database), "60 60 0");
}
