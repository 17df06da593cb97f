//! `downgrade`: what goes is shown, asked for, and undone; nothing else is.

use crate::support::{Database, Project, pgmarch};

fn three() -> Project {
    Project::new()
        .revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;")
        .revision("002", "CREATE TABLE b (id int);", "DROP TABLE b;")
        .revision("003", "CREATE INDEX i ON b (id);", "DROP INDEX i;")
}

fn at_head(project: &Project) -> Database {
    let database = Database::new();
    pgmarch(&database, project).run().exits(0);
    database
}

fn version(database: &Database) -> String {
    database.one("SELECT coalesce(string_agg(version_num, ',' ORDER BY version_num), 'base') FROM alembic_version")
}

#[test]
fn without_a_terminal_it_must_be_confirmed_beforehand() {
    let project = three();
    let database = at_head(&project);
    for input in ["", "yes\n"] {
        let run = pgmarch(&database, &project).args(["downgrade", "-1"]).stdin(input).run().exits(2);
        assert_eq!(run.last_line(), "next: add --yes, or set PGMARCH_CONFIRM=yes; nothing was done");
    }
    assert_eq!(version(&database), "003");
    pgmarch(&database, &project).args(["downgrade", "-1", "--yes"]).run().exits(0).stdout_contains("at 002, 1 undone");
    pgmarch(&database, &project).args(["downgrade", "-1"]).env("PGMARCH_CONFIRM", "yes").run().exits(0).stdout_contains("at 001");
    pgmarch(&database, &project).args(["downgrade", "-1"]).env("PGMARCH_CONFIRM", "no").run().exits(2).stderr_contains("PGMARCH_CONFIRM");
    assert_eq!(version(&database), "001");
}

#[test]
fn on_a_terminal_only_the_word_yes_confirms() {
    let project = three();
    let database = at_head(&project);
    for typed in ["no\n", "y\n", "YES\n", "\n", ""] {
        let run = pgmarch(&database, &project).args(["downgrade", "base"]).on_terminal().stdin(typed).run().exits(1);
        run.stdout_contains("Type yes to continue").stdout_contains("nothing was done");
        assert_eq!(version(&database), "003", "{typed:?}");
    }
    pgmarch(&database, &project)
        .args(["downgrade", "base"])
        .on_terminal()
        .stdin("yes\n")
        .run()
        .exits(0)
        .stdout_contains("at base, 3 undone");
    assert_eq!(version(&database), "base");
}

#[test]
fn it_shows_revision_by_revision_what_goes_and_what_is_lost() {
    let project = three();
    let database = at_head(&project);
    let run = pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0);
    let shown: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("  ") || line.starts_with("WARNING")).collect();
    assert!(shown[0].starts_with("  003  test  (") && shown[1].starts_with("  002  test  ("), "{run}");
    assert_eq!(
        shown[2..4],
        [
            "      loses data: DROP TABLE b",
            "WARNING: what is dropped or deleted is lost. A later upgrade creates the tables and columns again, without their data."
        ]
    );
    let journal = "SELECT revision || ' ' || direction || ' ' || outcome FROM pgmarch.journal ORDER BY id";
    let rows: Vec<String> = database.query(journal).into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(rows[3..], ["003 downgrade done", "002 downgrade done"]);
}

#[test]
fn down_and_up_again_is_the_same_schema() {
    let project = three();
    let database = at_head(&project);
    let before = database.dump();
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b', 'i')"), "0");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.dump(), before);
}

#[test]
fn what_only_goes_up_is_refused_before_anything_runs() {
    let project = three().file("004_last.sql", "-- migrate:up\nSELECT 1;\n").revision("005", "SELECT 1;", "SELECT 1;");
    let database = at_head(&project);
    pgmarch(&database, &project)
        .args(["downgrade", "002", "--yes"])
        .run()
        .exits(3)
        .stderr_contains("004 (")
        .stderr_contains("can't be undone");
    assert_eq!(version(&database), "005");
    pgmarch(&database, &project).args(["downgrade", "-1", "--yes"]).run().exits(0).stdout_contains("at 004");
}

#[test]
fn nothing_to_undo_is_success_and_what_is_not_applied_is_not() {
    let project = three();
    let database = Database::new();
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0).stdout_is("at 001, nothing to undo\n");
    pgmarch(&database, &project).args(["downgrade", "002", "--yes"]).run().exits(2).stderr_contains("002 is not applied");
    pgmarch(&database, &project).args(["downgrade", "-2", "--yes"]).run().exits(2).stderr_contains("only 1 of 2");
    pgmarch(&database, &project).args(["downgrade", "002:001", "--yes"]).run().exits(2).stderr_contains("is a range");
}

#[test]
fn a_failure_names_the_place_and_leaves_what_was_undone_before_it() {
    let project = three().revision("002", "CREATE TABLE b (id int);", "DROP TABLE b;\nDROP TABLE nowhere;");
    let database = at_head(&project);
    let run = pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(6);
    run.stderr_contains("done before it stopped: 003").stderr_contains("002_test.sql:6:1").stderr_contains("nowhere");
    assert_eq!(version(&database), "002");
}

#[test]
fn only_what_was_confirmed_is_undone() {
    let project = three();
    let database = at_head(&project);
    pgmarch(&database, &project).args(["downgrade", "002", "--yes"]).run().exits(0);
    // Another runner holds the lock while this one has shown that 002 goes.
    let holder = database.session();
    holder.execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({})", 0x1d7b_92af_d11b_5bb5_u64 as i64));
    let waiting = pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).spawn();
    waiting.wait_for_log("waiting for another run");
    database.execute("UPDATE alembic_version SET version_num = '003'");
    holder.execute("ROLLBACK");
    waiting.wait().exits(5).stderr_contains("003 would be undone too");
    assert_eq!(version(&database), "003");
}

#[test]
fn the_answer_for_a_machine_is_one_object() {
    let project = three();
    let database = at_head(&project);
    let answer = pgmarch(&database, &project).args(["downgrade", "-2", "--yes", "--json"]).run().exits(0).json();
    assert_eq!(answer["target"], "-2");
    assert_eq!(answer["current"], serde_json::json!(["001"]));
    let undone: Vec<&str> = answer["undone"].as_array().unwrap().iter().filter_map(|one| one["revision"].as_str()).collect();
    assert_eq!(undone, ["003", "002"]);
    assert!(answer["undone"][0]["seconds"].is_f64());
}
