//! SIGTERM and SIGINT: the statement in progress is cancelled and rolled back, and the exit code shows that, within a second.

use std::process::Command;
use std::time::Duration;

use crate::support::{Database, Program, Project, Running, Server, pgmarch, pgmarch_at};

const SLEEPING: &str = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

fn sleeper() -> Project {
    Project::new().revision("1", "CREATE TABLE a (id int); SELECT pg_sleep(60);", "DROP TABLE a")
}

fn ends_within_a_second(run: Running, signal: &str, code: i32) {
    let sent = std::time::Instant::now();
    run.signal(signal);
    run.wait().exits(code).stderr_contains(&format!("stopped by SIG{signal}"));
    assert!(sent.elapsed() < Duration::from_secs(1), "{:?}", sent.elapsed());
}

#[test]
fn a_signal_in_a_statement_cancels_it_and_nothing_is_applied() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let database = Database::new();
        let project = sleeper();
        let run = pgmarch(&database, &project).spawn();
        database.eventually(SLEEPING, "1");
        ends_within_a_second(run, signal, code);
        database.eventually(SLEEPING, "0");
        assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"), "0");
        assert_eq!(database.one("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"), "0");
    }
}

#[test]
fn a_signal_while_waiting_for_the_server_ends_the_wait() {
    let server = Server::reserve(&[]);
    let project = sleeper();
    let run = pgmarch_at(&server.url("postgres"), &project).spawn();
    run.wait_for_log("waiting for the server");
    ends_within_a_second(run, "TERM", 143);
}

#[test]
fn a_signal_while_waiting_for_the_lock_ends_the_wait() {
    let database = Database::new();
    let project = sleeper();
    let first = pgmarch(&database, &project).spawn();
    database.eventually(SLEEPING, "1");
    let second = pgmarch(&database, &project).spawn();
    second.wait_for_log("waiting for another run to end");
    ends_within_a_second(second, "TERM", 143);
    ends_within_a_second(first, "TERM", 143);
}

#[test]
fn the_handlers_work_as_pid_1_too() {
    // In a PID namespace of its own the program is PID 1, for whom a signal without a handler does nothing.
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    let mut words = vec!["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_pgmarch")];
    if !root {
        words.splice(0..0, ["--user", "--map-root-user"]);
    }
    let database = Database::new();
    let project = sleeper();
    let run = Program::at("/usr/bin/unshare")
        .args(words)
        .url(&database.url())
        .env("PGMARCH_MIGRATIONS", project.path().to_str().unwrap())
        .spawn();
    database.eventually(SLEEPING, "1");
    let child = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).unwrap();
    let sent = Command::new("kill").args(["-TERM", child.trim()]).status().unwrap();
    assert!(sent.success());
    run.wait().exits(143);
    database.eventually(SLEEPING, "0");
}
