//! What is said and done about a statement that takes its time, or waits for somebody.

use std::time::Duration;

use super::Case;
use super::story::disturbed;
use crate::support::{Database, Project, pgmarch};

pub(crate) fn all() -> Vec<Case> {
    vec![
        Case::new("who is in the way is named, and in whose way we are", named),
        Case::new("a lock timeout is tried again, and names who was in the way", tried_again),
        Case::new("RESET does not remove the lock timeout", || timeout_holds("RESET lock_timeout; RESET ALL;", false)),
        Case::new("SET TO DEFAULT does not remove it either", || timeout_holds("SET LOCAL lock_timeout TO DEFAULT;", false)),
        Case::new("a revision's own SET LOCAL wins", || timeout_holds("SET LOCAL lock_timeout = '4s';", true)),
        Case::new("the run goes on when its watcher is ended", watcher_ended),
        Case::new("SIGTERM while it waits for a lock on a table", || signalled("LOCK TABLE t;", "BEGIN; LOCK TABLE t")),
        Case::new("SIGTERM while a statement runs", || signalled("SELECT pg_sleep(30);", "SELECT 1")),
        Case::new("SIGTERM while it commits", || {
            signalled(
                "INSERT INTO t VALUES (1);",
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
            )
        }),
        Case::new("SIGTERM while it waits for the run lock", signalled_at_the_lock),
        Case::new("SIGTERM while it waits for the server", signalled_at_the_server),
    ]
}

fn database() -> Database {
    let database = Database::new();
    database.execute("CREATE TABLE t (id int)");
    database
}

fn named() {
    let database = database();
    let project = Project::new().revision("001", "ALTER TABLE t ADD COLUMN a int;", "SELECT 1;");
    let other = database.session();
    let pid = other.pid();
    other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; SELECT 'their secret'");
    let run = || disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "20s");
    let running = run().spawn();
    running.wait_for_log(&format!("waits for pid {pid} (role postgres, test, from 127.0.0.1"));
    let reader = database.session().start("SELECT * FROM t");
    running.wait_for_log("in the way of pid ");
    running.signal("TERM");
    running.wait().exits(143).stderr_contains("their secret");
    reader.finish();
    let running = run().env("PGMARCH_LOG", "info,pgmarch::queries=off").env("PGMARCH_LOG_FORMAT", "json").spawn();
    running.wait_for_log("\"waits_for\":\"pid ");
    other.execute("COMMIT");
    running.wait().exits(0).stderr_lacks("their secret");
}

fn tried_again() {
    let database = database();
    let project = Project::new().revision("001", "CREATE TABLE before (id int);\nALTER TABLE t ADD COLUMN a int;", "SELECT 1;");
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    let running = disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "300ms").spawn();
    running.wait_for_log(&format!("in the way: pid {}", other.pid()));
    assert_eq!(database.one("SELECT to_regclass('before') IS NULL"), "t", "it was rolled back as a whole");
    other.execute("COMMIT");
    running.wait().exits(0).stderr_contains("55P03");
}

fn timeout_holds(settings: &str, own: bool) {
    let database = database();
    let project = Project::new().revision("001", &format!("{settings}\nALTER TABLE t ADD COLUMN a int;"), "SELECT 1;");
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    let outcome = disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "200ms").env("PGMARCH_RETRY_FOR", "1s").spawn();
    if own {
        database.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass", "1");
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(database.one("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"), "1", "it still waits");
        other.execute("COMMIT");
        outcome.wait().exits(0).stderr_lacks("55P03");
    } else {
        outcome.wait().exits(6).stderr_contains("55P03");
    }
}

fn watcher_ended() {
    let database = database();
    let project = Project::new().revision("001", "SELECT pg_sleep(7);", "SELECT 1;");
    let running = disturbed(&database.url(), &project).spawn();
    running.wait_for_log("001 has run for");
    let watcher = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%' AND query LIKE '%pg_stat_progress%' AND pid <> pg_backend_pid()";
    database.eventually(watcher, "1");
    running.wait().exits(0).stderr_lacks("planning anew");
}

fn signalled(sql: &str, other: &str) {
    let database = database();
    let session = database.session();
    session.execute(other);
    let project = Project::new().revision("001", sql, "SELECT 1;");
    let running = disturbed(&database.url(), &project).spawn();
    database.eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch/%' AND state = 'active' AND wait_event IN ('PgSleep', 'relation')", "1");
    ends_at_once(running, &database);
}

fn ends_at_once(running: crate::support::Running, database: &Database) {
    let signalled = std::time::Instant::now();
    running.signal("TERM");
    running.wait().exits(143);
    assert!(signalled.elapsed() < Duration::from_secs(1), "ended after {:?}", signalled.elapsed());
    database
        .eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%'", "0");
    assert_eq!(database.one("SELECT to_regclass('alembic_version') IS NULL"), "t", "it was rolled back");
}

fn signalled_at_the_lock() {
    let database = database();
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    let holder = database.session();
    // The key is that of the documentation.
    holder.execute("BEGIN; SELECT pg_advisory_xact_lock(x'1d7b92afd11b5bb5'::bigint)");
    let running = disturbed(&database.url(), &project).spawn();
    running.wait_for_log("waiting for another run");
    ends_at_once(running, &database);
}

fn signalled_at_the_server() {
    let database = database();
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    let running = disturbed("postgres://postgres@127.0.0.1:9/none", &project).spawn();
    running.wait_for_log("waiting for the server");
    ends_at_once(running, &database);
    pgmarch(&database, &project).run().exits(0);
}
