//! `status`: where the database is; it reads and nothing else.

use crate::support::{Database, Project, pgmarch};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE a ()", "DROP TABLE a").revision("002", "CREATE TABLE b ()", "DROP TABLE b")
}

#[test]
fn status_of_an_empty_database_creates_nothing() {
    let database = Database::new();
    let before = database.dump();
    pgmarch(&database, &project())
        .args(["status"])
        .run()
        .exits(0)
        .stdout_contains("current     base (nothing applied)")
        .stdout_contains("pending     2: 001, 002")
        .stdout_contains("next: pgmarch upgrade")
        .stdout_lacks("open-sesame");
    assert_eq!(database.dump(), before);
}

#[test]
fn status_marks_the_current_revision_and_says_when_it_was_applied() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    pgmarch(&database, &project)
        .args(["status"])
        .run()
        .exits(0)
        .stdout_contains(" → 001  test  [applied 20")
        .stdout_contains("   002  test (head)  [pending]")
        .stdout_contains("pending     1: 002");
}

#[test]
fn status_check_says_by_its_code_whether_something_is_pending() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(1).stderr_contains("not at head: 2 pending");
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0).stdout_contains("pending     none");
    pgmarch(&database, &project).env("PGMARCH_COMMAND", "status --check").run().exits(0).stdout_contains("connection");
}

#[test]
fn status_can_be_json() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    let answer = pgmarch(&database, &project).args(["status", "--json"]).run().exits(0).json();
    assert_eq!(
        (&answer["current"], &answer["heads"], &answer["pending"]),
        (&serde_json::json!(["001"]), &serde_json::json!(["002"]), &serde_json::json!(["002"]))
    );
    assert_eq!(
        (&answer["at_target"], &answer["history"][0]["state"], &answer["history"][1]["state"]),
        (&false.into(), &"applied".into(), &"pending".into())
    );
    assert!(answer["history"][0]["applied_at"].is_string() && answer["history"][0]["seconds"].is_number());
}

#[test]
fn status_needs_only_the_right_to_read() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    let reader =
        database.role("reader", &["SELECT ON alembic_version", "USAGE ON SCHEMA pgmarch", "SELECT ON ALL TABLES IN SCHEMA pgmarch"]);
    pgmarch(&database, &project).url(&reader.url).args(["status", "--check"]).run().exits(0).stdout_contains("current     002");
    let stranger = database.role("stranger", &[]);
    pgmarch(&database, &project).url(&stranger.url).args(["status"]).run().exits(8).stderr_contains("permission denied");
}
