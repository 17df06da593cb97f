//! Runs that stop in the middle: exit 4, 5, 6, 143, and what the next run prints.

use super::{Setup, message, outcome};
use crate::support::{Database, Project, Server, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;")
}

fn with(text: &str) -> Setup {
    let database = Database::new();
    let project = project().file("002_test.sql", text);
    Setup::of(pgmarch(&database, &project)).keep((database, project))
}

/// The test database's backend that a query names.
const RUN_LOCK: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY objsubid LIMIT 1";

#[test]
fn a_success() {
    outcome("success", 0, || {
        let (database, project) = (Database::new(), project());
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn nothing_to_do() {
    outcome("nothing-to-do", 0, || {
        let (database, project) = (Database::new(), project());
        pgmarch(&database, &project).run().exits(0);
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_statement_that_is_wrong() {
    message("wrong-statement", 6, || with("-- migrate:up\nALTER TABLE servces ADD COLUMN owner text;\n"));
}

#[test]
fn a_statement_that_can_not_run_in_a_transaction() {
    message("not-in-a-transaction", 6, || with("-- migrate:up\nDO $$ BEGIN COMMIT; END $$;\n"));
}

#[test]
fn a_new_value_of_an_enum() {
    message("new-enum-value", 6, || {
        let database = Database::new();
        let project = Project::new().revision("001", "CREATE TYPE kind AS ENUM ('a');", "DROP TYPE kind;").revision(
            "002",
            "ALTER TYPE kind ADD VALUE 'b';\nSELECT 'b'::kind;",
            "SELECT 1;",
        );
        pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_deferred_constraint_that_fails_at_the_end() {
    message("deferred-constraint", 6, || {
        with(
            "-- migrate:up\nCREATE TABLE users (id int PRIMARY KEY, boss int REFERENCES users DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO users VALUES (1, 2);\n",
        )
    });
}

#[test]
fn another_run_holds_the_lock() {
    message("run-lock-held", 5, || {
        let (database, project) = (Database::new(), project().file("002_test.sql", "-- migrate:up\nSELECT pg_sleep(60);\n"));
        let holder = pgmarch(&database, &project).spawn();
        database
            .eventually("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'", "1");
        let pid = database.one(RUN_LOCK);
        Setup::of(pgmarch(&database, &project)).and("PGMARCH_RUN_LOCK_TIMEOUT", "1s").hide(pid, "4711").keep((holder, database, project))
    });
}

#[test]
fn a_unique_index_over_duplicates() {
    let text = "-- migrate:up transaction:false\nCREATE UNIQUE INDEX CONCURRENTLY services_name ON services (name);\n\n-- migrate:down\nDROP INDEX services_name;\n";
    let situation = || {
        let database = Database::new();
        let project = project();
        pgmarch(&database, &project).run().exits(0);
        database.execute("INSERT INTO services VALUES ('a'), ('a')");
        let project = project.file("002_test.sql", text);
        (database, project)
    };
    message("duplicates", 6, || {
        let (database, project) = situation();
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
    outcome("duplicates-status", 0, || {
        let (database, project) = situation();
        pgmarch(&database, &project).run().exits(6);
        Setup::of(pgmarch(&database, &project)).say("status").keep((database, project))
    });
    message("duplicates-again", 6, || {
        let (database, project) = situation();
        pgmarch(&database, &project).run().exits(6);
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn an_invalid_index() {
    message("invalid-index", 1, || {
        let (database, project) = (Database::new(), project());
        pgmarch(&database, &project).run().exits(0);
        let project = project.file(
            "002_test.sql",
            "-- migrate:up\nCREATE INDEX services_name ON services (name);\n\n-- migrate:down\nDROP INDEX services_name;\n",
        );
        pgmarch(&database, &project).run().exits(0);
        database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'services_name'::regclass");
        Setup::of(pgmarch(&database, &project)).say("check").keep((database, project))
    });
}

#[test]
fn a_signal() {
    let project = Project::new().revision("001", "SELECT pg_sleep(60);", "SELECT 1;");
    for (name, format) in [("signal", "text"), ("signal", "json")] {
        let database = Database::new();
        let running = pgmarch(&database, &project).env("PGMARCH_LOG_FORMAT", format).spawn();
        database
            .eventually("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'", "1");
        running.signal("TERM");
        let run = running.wait().exits(143);
        assert!(run.last_line().contains("a new run continues"), "{name}: {run}");
    }
}

#[test]
fn a_run_that_loses_every_connection() {
    message("retries-exhausted", 4, || {
        let (database, project) =
            (Database::new(), project().file("002_test.sql", "-- migrate:up\nSELECT pg_terminate_backend(pg_backend_pid());\n"));
        Setup::of(pgmarch(&database, &project)).and("PGMARCH_RETRY_FOR", "1s").keep((database, project))
    });
}

#[test]
fn a_role_with_one_connection() {
    message("no-second-connection", 4, || {
        let (database, project) = (Database::new(), project());
        let role = database.role("app", &[&format!("CREATE ON DATABASE {}", database.name()), "USAGE, CREATE ON SCHEMA public"]);
        database.execute(&format!("ALTER ROLE {} CONNECTION LIMIT 1", role.name));
        Setup::of(pgmarch_at(&role.url, &project)).and("PGMARCH_WAIT_TIMEOUT", "1s").hide(&role.name, "app").keep((database, project))
    });
}

#[test]
fn a_lock_that_is_lost() {
    message("run-lock-lost", 5, || {
        let text = format!("SELECT pg_terminate_backend(({RUN_LOCK}));\nSELECT pg_sleep(60);");
        let (database, project) = (Database::new(), Project::new().revision("001", &text, "SELECT 1;"));
        Setup::of(pgmarch(&database, &project)).and("PGMARCH_RETRY_FOR", "0").keep((database, project))
    });
}

/// No asynchronous commit is flushed by itself.
const LAZY: &[&str] =
    &["fsync = on", "synchronous_commit = on", "wal_writer_delay = 10s", "wal_buffers = 16MB", "wal_writer_flush_after = 1GB"];

#[test]
fn commits_that_are_not_flushed() {
    let server = Server::start_own(LAZY);
    message("not-flushed", 4, || {
        let (database, project) = (Database::on(&server), project());
        pgmarch(&database, &project).run().exits(0);
        let project = project
            .file("002_test.sql", "-- migrate:up\nCREATE TABLE a ();\n")
            .file("003_test.sql", "-- migrate:up\nSELECT pg_sleep(60);\n");
        let running = pgmarch(&database, &project).spawn();
        running.wait_for_log("applied 002");
        Setup::of(pgmarch(&database, &project)).say("upgrade 002").and("PGMARCH_WAIT_TIMEOUT", "1s").keep((running, database, project))
    });
}
