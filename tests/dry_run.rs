//! `--dry-run`: the plan of a run, which changes nothing and waits for no lock.

use crate::support::{Database, Project, pgmarch};

fn project() -> Project {
    Project::new()
        .child("001", "base", "CREATE TABLE t (a int);", "DROP TABLE t;")
        .file("002_index.sql", "-- revision: 002\n-- revises: 001\n-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON t (a);\n-- migrate:down\nDROP INDEX i;\n")
}

#[test]
fn a_dry_run_prints_what_would_run_and_changes_nothing() {
    let (database, project) = (Database::new(), project());
    let run = |words: &[&str]| pgmarch(&database, &project).args(words.iter().copied()).run();
    let before = database.dump();
    let plan = run(&["upgrade", "--dry-run"]).exits(0).stdout_contains("is at base; 2 revisions would be applied, in this order:\n");
    let plan = plan.stdout_contains("  001  test  (").stdout_contains("001_test.sql), in a transaction\n");
    plan.stdout_contains("002_index.sql), statement by statement\nnothing was changed\n");
    run(&["upgrade", "+1", "--dry-run"]).exits(0).stdout_contains("1 revision would be applied").stdout_lacks("002_index.sql");
    run(&["downgrade", "base", "--dry-run"]).exits(0).stdout_contains("is at base, nothing to undo");
    assert_eq!(database.dump(), before);
    run(&["upgrade"]).exits(0);
    let before = database.dump();
    run(&["upgrade", "--dry-run"]).exits(0).stdout_contains("is at 002, nothing to do\n");
    // Another session's lock that only ACCESS EXCLUSIVE would conflict with is in nobody's way.
    let holder = database.session();
    holder.execute("BEGIN; LOCK TABLE alembic_version, pgmarch.revision, pgmarch.journal, t IN EXCLUSIVE MODE");
    run(&["downgrade", "base", "--dry-run"])
        .exits(0)
        .stdout_contains("2 revisions would be undone")
        .stdout_contains("loses data: DROP TABLE t");
    holder.execute("ROLLBACK");
    let json = run(&["downgrade", "-1", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&json["dry_run"], &json["direction"], &json["target"]), (&true.into(), &"downgrade".into(), &"-1".into()));
    assert_eq!(json["plan"][0]["revision"], "002");
    assert_eq!((&json["plan"][0]["transaction"], &json["current"]), (&true.into(), &serde_json::json!(["002"])));
    assert_eq!(database.dump(), before);
}

#[test]
fn a_dry_run_of_what_would_be_refused_is_refused_in_the_same_way() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    project.write("001_test.sql", &project.read("001_test.sql").replace("a int", "b int"));
    let run = |words: &[&str]| pgmarch(&database, &project).args(words.iter().copied()).run();
    run(&["upgrade", "--dry-run"]).exits(3).stderr_contains("changed after it was applied");
    run(&["upgrade", "nowhere", "--dry-run"]).exits(2).stderr_contains("nowhere");
    run(&["upgrade", "--dry-run", "--sql"]).exits(2);
}
