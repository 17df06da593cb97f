//! Writes of pgmarch's own that get no lock, or no answer, in time: their messages are true, and nothing happens afterwards.

use std::time::{Duration, Instant};

use crate::support::{Database, Program, Project, Proxy, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE a ();", "DROP TABLE a;").revision("002", "CREATE TABLE b ();", "DROP TABLE b;")
}

/// At 002, with a changed file of 001, so that each of the commands below has something to write.
fn database(project: &Project) -> Database {
    let database = Database::new();
    pgmarch(&database, project).run().exits(0);
    project.write("001_test.sql", &project.read("001_test.sql").replace("a ()", "a (id int)"));
    database
}

/// What writes, and the table that it needs.
const COMMANDS: [(&[&str], &str); 3] = [
    (&["stamp", "001"], "public.alembic_version"),
    (&["stamp", "--purge", "001"], "public.alembic_version"),
    (&["repair", "001"], "pgmarch.journal"),
];

const STATE: &str = "SELECT (SELECT string_agg(version_num, ',') FROM public.alembic_version) || ' ' || (SELECT count(*) FROM pgmarch.journal) || ' ' \
    || (SELECT string_agg(exact, ',' ORDER BY revision) FROM pgmarch.revision)";
const ACTIVE: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%' AND datname = current_database() AND state = 'active'";

#[track_caller]
fn waiting(database: &Database, table: &str) {
    database.eventually(&format!("SELECT count(*) > 0 FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted"), "t");
}

fn command(program: Program, words: &[&str]) -> Program {
    program.args(words.iter().copied())
}

/// The lock is held longer than the program waits.
fn no_lock_in_time(mode: &str) {
    for (words, table) in COMMANDS {
        let project = project();
        let database = database(&project);
        let before = database.one(STATE);
        let holder = database.session();
        holder.execute(&format!("BEGIN; LOCK TABLE {table} IN {mode} MODE"));
        let running = command(pgmarch(&database, &project), words).env("PGMARCH_LOCK_TIMEOUT", "2s").spawn();
        waiting(&database, table);
        let outcome = running.wait().exits(5).within(Duration::from_secs(9));
        assert!(outcome.took >= Duration::from_secs(2), "{words:?}\n{outcome}");
        assert!(outcome.stderr.contains(&holder.pid()), "{words:?}: should name the holder\n{outcome}");
        assert_eq!(database.one(ACTIVE), "0", "{words:?}: nothing runs on\n{outcome}");
        holder.execute("COMMIT");
        assert_eq!(database.one(STATE), before, "{words:?}: nothing happens afterwards\n{outcome}");
        command(pgmarch(&database, &project), words).run().exits(0);
    }
}

#[test]
fn a_write_that_gets_no_lock_in_time_says_so_and_never_happens() {
    no_lock_in_time("SHARE");
}

#[test]
fn a_write_behind_a_lock_that_excludes_readers_too_says_so_and_never_happens() {
    no_lock_in_time("ACCESS EXCLUSIVE");
}

#[test]
fn a_write_waits_for_its_lock_as_long_as_it_may() {
    // Longer than a question that takes no time may take.
    let (words, table) = COMMANDS[0];
    let project = project();
    let database = database(&project);
    let holder = database.session();
    holder.execute(&format!("BEGIN; LOCK TABLE {table} IN SHARE MODE"));
    let running = command(pgmarch(&database, &project), words).env("PGMARCH_LOCK_TIMEOUT", "40s").spawn();
    waiting(&database, table);
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until && running.is_running() {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(running.is_running(), "it should still wait\n{running}");
    holder.execute("COMMIT");
    running.wait().exits(0);
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "001");
}

/// The network hangs while the write waits: its outcome is unknown on that connection.
#[test]
fn a_write_without_an_answer_is_unknown_and_cancelled() {
    // So long that the server would not end it by itself before the program does.
    let (words, table) = COMMANDS[0];
    let project = project();
    let database = database(&project);
    let before = database.one(STATE);
    let proxy = Proxy::to(&database);
    let holder = database.session();
    holder.execute(&format!("BEGIN; LOCK TABLE {table} IN SHARE MODE"));
    let running = command(pgmarch_at(&proxy.url_for(&database), &project), words).env("PGMARCH_LOCK_TIMEOUT", "25s").spawn();
    waiting(&database, table);
    proxy.hang();
    let outcome = running.wait();
    assert!(matches!(outcome.code(), Some(4 | 5)), "{words:?}: should exit 4 or 5\n{outcome}");
    // A new connection still leads to the server, to cancel the write and to confirm that. Only who has confirmed it may deny it.
    let is_active = database.one(ACTIVE) != "0";
    let is_denied = outcome.stderr.contains("nothing was changed");
    assert!(if is_denied { !is_active } else { outcome.stderr.contains("unknown") }, "{words:?}: should say that it is unknown\n{outcome}");
    database.eventually(ACTIVE, "0");
    holder.execute("COMMIT");
    assert_eq!(database.one(STATE), before, "{words:?}: nothing happens afterwards\n{outcome}");
}

/// The write happened and its answer did not come: that is not "nothing was changed" either.
#[test]
fn a_write_whose_answer_is_lost_is_not_reported_as_failed() {
    for (words, table) in COMMANDS {
        let project = project();
        let database = database(&project);
        let before = database.one(STATE);
        let proxy = Proxy::to(&database);
        let holder = database.session();
        holder.execute(&format!("BEGIN; LOCK TABLE {table} IN SHARE MODE"));
        let running = command(pgmarch_at(&proxy.url_for(&database), &project), words).env("PGMARCH_LOCK_TIMEOUT", "5s").spawn();
        waiting(&database, table);
        proxy.hang();
        holder.execute("COMMIT");
        let changed = format!("SELECT ({STATE}) <> '{before}'");
        database.eventually(&changed, "t");
        let outcome = running.wait();
        assert!(!outcome.stderr.contains("nothing was changed"), "{words:?}\n{outcome}");
        // Success only where another connection has confirmed it.
        assert!(outcome.code() == Some(0) || outcome.stderr.contains("unknown"), "{words:?}: should say that it is unknown\n{outcome}");
    }
}
