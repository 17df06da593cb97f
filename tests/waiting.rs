//! `wait`: for what must not migrate: it reads until the database is at the target, changes nothing and needs few rights.

use crate::support::{Database, Project, Server, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new().revision("1", "CREATE TABLE a ()", "DROP TABLE a").revision("2", "CREATE TABLE b ()", "DROP TABLE b")
}

#[test]
fn it_ends_well_as_soon_as_another_run_has_migrated() {
    let database = Database::new();
    let project = project();
    let waiting = pgmarch(&database, &project).args(["wait"]).spawn();
    waiting.wait_for_log("to be at head: 2 revisions pending (1, 2)");
    pgmarch(&database, &project).args(["upgrade", "1"]).run().exits(0);
    waiting.wait_for_log("to be at head: 1 revision pending (2)");
    pgmarch(&database, &project).run().exits(0);
    waiting.wait().exits(0).stdout_contains("at 2, after ");
}

#[test]
fn it_writes_nothing_and_the_right_to_read_the_version_is_enough() {
    let database = Database::new();
    let project = project();
    let before = database.dump();
    pgmarch(&database, &project).args(["wait"]).env("PGMARCH_WAIT_TIMEOUT", "0").run().exits(1);
    assert_eq!(database.dump(), before, "waiting for an empty database must leave it empty");
    pgmarch(&database, &project).run().exits(0);
    let reader = database.role("reader", &["SELECT ON alembic_version"]);
    let before = database.dump();
    pgmarch_at(&reader.url, &project).args(["wait"]).run().exits(0).stdout_contains("at 2");
    // The same role may not upgrade nor read what was run.
    pgmarch_at(&reader.url, &project).args(["status"]).run().exits(8).stderr_contains("permission denied for schema pgmarch");
    assert_eq!(database.dump(), before);
    assert_eq!(database.one("SELECT count(*)::text FROM pgmarch.journal"), "2");
}

#[test]
fn without_the_right_to_read_the_version_it_says_so_at_once() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    let stranger = database.role("stranger", &[]);
    pgmarch_at(&stranger.url, &project)
        .args(["wait"])
        .run()
        .exits(8)
        .stderr_contains("permission denied for table alembic_version")
        .stderr_contains("; GRANT SELECT ON public.alembic_version, pgmarch.revision, pgmarch.journal TO ");
}

#[test]
fn not_in_time_is_a_no_and_names_what_is_missing() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).args(["upgrade", "1"]).run().exits(0);
    let no = pgmarch(&database, &project).args(["wait"]).env("PGMARCH_WAIT_TIMEOUT", "300ms").run().exits(1);
    let no = no.stderr_contains("error: the database is at 1, not at head, after 300ms: 1 revision pending (2)");
    assert!(no.last_line().starts_with("next: read the exit code and log of what runs `pgmarch upgrade`"), "{no}");
}

#[test]
fn a_server_that_never_answers_is_another_answer_than_no() {
    let server = Server::reserve(&[]);
    pgmarch_at(&server.url("postgres"), &project())
        .args(["wait"])
        .env("PGMARCH_WAIT_TIMEOUT", "300ms")
        .run()
        .exits(4)
        .stderr_contains("was not ready within 300ms: Connection refused");
}

#[test]
fn a_server_that_comes_goes_and_comes_again_is_waited_for_all_the_while() {
    let server = Server::reserve(&[]);
    let project = project();
    let waiting = pgmarch_at(&server.url("postgres"), &project).args(["wait"]).spawn();
    waiting.wait_for_log("waiting for the server: Connection refused");
    server.start();
    waiting.wait_for_log("2 revisions pending");
    server.stop();
    server.start();
    pgmarch_at(&server.url("postgres"), &project).run().exits(0);
    waiting.wait().exits(0).stdout_contains("at 2");
}

#[test]
fn a_database_beyond_the_target_is_there() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["wait", "1"]).run().exits(0).stdout_contains("at 2");
    pgmarch(&database, &project).args(["wait"]).env("PGMARCH_TARGET", "1").run().exits(0);
    let answer = pgmarch(&database, &project).args(["wait", "--json"]).run().exits(0).json();
    assert_eq!((&answer["target"], &answer["current"]), (&"head".into(), &serde_json::json!(["2"])));
}

#[test]
fn a_database_that_can_only_be_read_is_enough() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    database.execute(&format!("ALTER DATABASE \"{}\" SET default_transaction_read_only = on", database.name()));
    pgmarch(&database, &project).args(["wait"]).run().exits(0);
}

#[test]
fn a_target_that_moves_with_the_database_is_refused() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["wait", "+1"]).run().exits(2).stderr_contains("`+1` counts from where the database is");
    pgmarch(&database, &project())
        .env("PGMARCH_COMMAND", "wait")
        .env("PGMARCH_TARGET", "9")
        .run()
        .exits(2)
        .stderr_contains("no revision has the id `9`");
}

#[test]
fn a_signal_ends_it() {
    let database = Database::new();
    let project = project();
    let waiting = pgmarch(&database, &project).args(["wait"]).spawn();
    waiting.wait_for_log("2 revisions pending");
    waiting.signal("TERM");
    waiting.wait().exits(143);
}

#[test]
fn a_database_that_a_newer_image_migrated_is_there_unless_a_revision_in_between_breaks() {
    let database = Database::new();
    let (old, new) = (project(), project().revision("3", "CREATE TABLE c ()", "DROP TABLE c"));
    pgmarch(&database, &new).run().exits(0);
    pgmarch(&database, &old).args(["wait"]).run().exits(0).stdout_contains("at 3");
    pgmarch(&database, &old).args(["wait"]).env("PGMARCH_AHEAD", "refuse").run().exits(7);
    let breaking = new.file("4_test.sql", "-- breaking: true\n\n-- migrate:up\nDROP TABLE a;\n");
    pgmarch(&database, &breaking).run().exits(0);
    pgmarch(&database, &old).args(["wait"]).run().exits(7).stderr_contains("4 is marked breaking");
    // A role that may not read the ledger can't know.
    let reader = database.role("reader", &["SELECT ON alembic_version"]);
    pgmarch_at(&reader.url, &old).args(["wait"]).run().exits(3).stderr_contains("which neither the files nor the ledger know");
}
