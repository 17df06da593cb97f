//! Commits that are not flushed: a crash may lose them, so none may have been reported as done.

use crate::support::{Database, Project, Server, pgmarch};

/// A server that flushes WAL only when a session requires it.
const LAZY: &[&str] =
    &["fsync = on", "synchronous_commit = on", "wal_writer_delay = 10s", "wal_buffers = 16MB", "wal_writer_flush_after = 1GB"];

/// So many tables, and then a revision that takes its time.
fn tables(count: usize) -> Project {
    let project = (1..=count).fold(Project::new(), |project, number| {
        project.revision(&format!("{number:03}"), &format!("CREATE TABLE t{number} (id int)"), &format!("DROP TABLE t{number}"))
    });
    project.revision(&format!("{:03}", count + 1), "SELECT pg_sleep(600)", "SELECT 1")
}

#[test]
fn what_a_crash_takes_back_is_applied_again_and_nothing_twice() {
    let server = Server::start_own(LAZY);
    let database = Database::on(&server);
    let project = tables(20);
    let running = pgmarch(&database, &project).env("PGMARCH_RETRY_FOR", "0").spawn();
    running.wait_for_log("applied 020");
    server.crash();
    running.wait().exits(4);
    server.start();
    assert_eq!(database.one("SELECT to_regclass('t20') IS NULL"), "t", "the crash took nothing back: this proves nothing");
    project.write("021_test.sql", "-- migrate:up\nSELECT 1;\n");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT count(*) FROM pg_tables WHERE tablename ~ '^t[0-9]+$'"), "20");
    assert_eq!(database.one("SELECT count(*) || ' ' || count(DISTINCT revision) FROM pgmarch.journal WHERE outcome = 'done'"), "21 21");
}

#[test]
fn exit_0_survives_a_crash_at_once() {
    let server = Server::start_own(LAZY);
    let database = Database::on(&server);
    let project = tables(20);
    project.write("021_test.sql", "-- migrate:up\nSELECT 1;\n");
    pgmarch(&database, &project).run().exits(0);
    server.restart_after_crash();
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 021, nothing to do");
}

#[test]
fn a_run_waits_until_other_sessions_commits_are_flushed() {
    let server = Server::start_own(LAZY);
    let database = Database::on(&server);
    let project = tables(20);
    let running = pgmarch(&database, &project).spawn();
    running.wait_for_log("applied 020");
    let below = || pgmarch(&database, &project).args(["upgrade", "010"]).env("PGMARCH_WAIT_TIMEOUT", "1s").run();
    below().exits(4).stderr_contains("not yet safe on the server's disk");
    // Any synchronous commit flushes what is ahead of it.
    database.execute("CREATE TABLE flushes (id int)");
    below().exits(0).stdout_contains("nothing to do");
    running.signal("TERM");
    running.wait().exits(143);
}
