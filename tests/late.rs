//! Revisions that come in below an applied one: never run, and never said to be applied.

use serde_json::{Value, json};

use crate::support::{Database, Project, pgmarch};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;").revision("003", "CREATE TABLE c (id int);", "DROP TABLE c;")
}

fn with_late(project: Project) -> Project {
    project.revision("002", "CREATE TABLE late (id int);", "DROP TABLE late;")
}

/// Applied by pgmarch, before a file came in below 003.
fn late() -> (Database, Project) {
    let database = Database::new();
    pgmarch(&database, &project()).run().exits(0);
    (database, with_late(project()))
}

/// Migrated by Alembic as far as 003, seen by a run of pgmarch that applied 004, before a file came in below 003.
fn taken_over() -> (Database, Project) {
    let database = Database::new();
    database.execute(
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('003');
         CREATE TABLE a (id int); CREATE TABLE c (id int)",
    );
    let project = project().revision("004", "CREATE TABLE d (id int);", "DROP TABLE d;");
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 004, 1 applied");
    (database, with_late(project))
}

fn state_of(database: &Database, project: &Project, revision: &str) -> Value {
    let answer = |words: &[&str]| pgmarch(database, project).args(words.iter().copied()).run().exits(0).json();
    let status = entry_of(&answer(&["status", "--json"]), revision);
    for other in [entry_of(&answer(&["history", "--json"]), revision), answer(&["show", revision, "--json"])] {
        assert_eq!((&other["state"], &other["accepted"]), (&status["state"], &status["accepted"]));
    }
    status
}

fn entry_of(answer: &Value, revision: &str) -> Value {
    let entries = answer["history"].as_array().expect("revisions");
    entries.iter().find(|entry| entry["revision"] == revision).expect("the revision").clone()
}

fn version(database: &Database) -> String {
    database.one("SELECT coalesce(string_agg(version_num, ',' ORDER BY version_num), 'base') FROM alembic_version")
}

fn refused(database: &Database, project: &Project) {
    for words in [&["upgrade"][..], &["downgrade", "001", "--yes"], &["status", "--check"], &["check"], &["wait"]] {
        let words = words.iter().copied();
        pgmarch(database, project).args(words).env("PGMARCH_WAIT_TIMEOUT", "5s").run().exits(3);
    }
}

#[test]
fn a_late_revision_is_not_called_applied_before_or_after_repair() {
    let (database, project) = late();
    let entry = state_of(&database, &project, "002");
    assert_eq!((&entry["state"], &entry["accepted"], &entry["applied_at"]), (&json!("not applied"), &json!(false), &Value::Null));
    refused(&database, &project);
    let refusal = pgmarch(&database, &project).run().exits(3);
    assert!(refusal.last_line().contains("pgmarch repair 003"), "{refusal}");
    let status = pgmarch(&database, &project).args(["status"]).run().exits(0);
    status.stdout_contains("not applied 1: 002").stdout_contains("002  test  [not applied here]");

    let repaired = pgmarch(&database, &project).args(["repair", "003"]).run().exits(0);
    repaired.stdout_contains("002 has not been applied to this database and will not be: it came in below 003, which is applied");
    let entry = state_of(&database, &project, "002");
    assert_eq!((&entry["state"], &entry["accepted"]), (&json!("not applied"), &json!(true)));
    assert_eq!(state_of(&database, &project, "001")["state"], "applied");
    for words in [&["upgrade"][..], &["status", "--check"], &["wait"]] {
        pgmarch(&database, &project).args(words.iter().copied()).run().exits(0);
    }
    let status = pgmarch(&database, &project).args(["status", "--json"]).run().exits(0).json();
    assert_eq!((&status["not_applied"], &status["at_target"], &status["pending"]), (&json!(["002"]), &json!(true), &json!([])));
    let text = pgmarch(&database, &project).args(["history"]).run().exits(0);
    text.stdout_contains("002  test  [not applied here, accepted by repair]");
    pgmarch(&database, &project).args(["show", "002"]).run().exits(0).stdout_contains("state       not applied here, accepted by repair");

    // Nor once more was applied, when the last run's seal covers all files.
    let project = project.revision("004", "CREATE TABLE d (id int);", "DROP TABLE d;");
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 004, 1 applied");
    pgmarch(&database, &project).run().exits(0).stdout_is("at 004, nothing to do\n");
    assert_eq!(state_of(&database, &project, "002")["state"], "not applied");
    assert_eq!(database.one("SELECT to_regclass('late') IS NULL"), "t");
}

#[test]
fn repair_reports_unapplied_revisions_as_json() {
    let (database, project) = late();
    let answer = pgmarch(&database, &project).args(["repair", "003", "--json"]).run().exits(0).json();
    assert_eq!((&answer["accepted"], &answer["not_applied"]), (&json!(["parents"]), &json!(["002"])));
    let answer = pgmarch(&database, &project).args(["repair", "003", "--json"]).run().exits(0).json();
    assert_eq!((&answer["accepted"], &answer["not_applied"]), (&json!([]), &Value::Null));
}

#[test]
fn a_downgrade_does_not_undo_what_was_never_applied() {
    let (database, project) = late();
    pgmarch(&database, &project).args(["repair", "003"]).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "002", "--yes"]).run().exits(2).stderr_contains("002 is not applied");
    let down = pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0);
    down.stdout_contains("at 001, 1 undone").stderr_contains("Not undone, as never applied to this database: 002.");
    assert_eq!(version(&database), "001");
    assert_eq!(state_of(&database, &project, "002")["state"], "pending");
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 003, 2 applied");
    assert_eq!(state_of(&database, &project, "002")["state"], "applied");
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0).stdout_contains("3 undone");
}

#[test]
fn one_step_down_passes_by_what_was_never_applied_also_from_a_sealed_database() {
    let (database, project) = late();
    pgmarch(&database, &project).args(["repair", "003"]).run().exits(0);
    let project = project.revision("004", "CREATE TABLE d (id int);", "DROP TABLE d;");
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "-2", "--yes"]).run().exits(0).stdout_contains("at 001, 2 undone");
    assert_eq!(version(&database), "001");
}

#[test]
fn a_stamp_says_that_all_below_it_is_applied() {
    let (database, project) = late();
    pgmarch(&database, &project).args(["stamp", "002"]).run().exits(0);
    pgmarch(&database, &project).args(["stamp", "003"]).run().exits(0);
    assert_eq!(state_of(&database, &project, "002")["state"], "applied");
    // What comes in below afterwards is not.
    let project = project.revision("002a", "CREATE TABLE later (id int);", "DROP TABLE later;");
    assert_eq!(state_of(&database, &project, "002a")["state"], "not applied");
    assert_eq!(state_of(&database, &project, "002")["state"], "applied");
}

#[test]
fn a_file_below_what_another_tool_applied_is_not_applied() {
    let (database, project) = taken_over();
    for applied in ["001", "003", "004"] {
        assert_eq!(state_of(&database, &project, applied)["state"], "applied", "{applied}");
    }
    assert_eq!(state_of(&database, &project, "002")["state"], "not applied");
    refused(&database, &project);
    let refusal = pgmarch(&database, &project).run().exits(3);
    let refusal = refusal.stderr_contains("002 has not been applied to this database: it came in below 003, which had been applied before");
    assert!(refusal.last_line().contains("`pgmarch repair 002`"), "{refusal}");
    let check = pgmarch(&database, &project).args(["check", "--json"]).run().exits(3).json();
    assert_eq!(check["findings"][0]["kind"], "late");
    let answer = pgmarch(&database, &project).args(["repair", "002", "--json"]).run().exits(0).json();
    assert_eq!((&answer["accepted"], &answer["not_applied"]), (&json!(["not applied"]), &json!(["002"])));
    pgmarch(&database, &project).args(["repair", "002"]).run().exits(0).stdout_contains("nothing to do");
    for words in [&["upgrade"][..], &["status", "--check"], &["wait"]] {
        pgmarch(&database, &project).args(words.iter().copied()).run().exits(0);
    }
    assert_eq!(state_of(&database, &project, "002")["state"], "not applied");
    // Down to below it, and up again with it.
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0).stdout_contains("at 001, 2 undone");
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 004, 3 applied");
    assert_eq!(database.one("SELECT to_regclass('late') IS NOT NULL"), "t");
}

#[test]
fn another_tool_may_go_on_and_a_later_file_below_is_late_once_a_run_has_seen_it() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    let chain = |upto: u32| (4..=upto).fold(self::project(), |project, id| project.revision(&format!("00{id}"), "SELECT 1;", "SELECT 1;"));
    // Alembic went on to 005.
    database.execute("UPDATE alembic_version SET version_num = '005'");
    pgmarch(&database, &chain(5)).run().exits(0).stdout_is("at 005, nothing to do\n");
    assert_eq!(state_of(&database, &chain(5), "004")["state"], "applied");
    pgmarch(&database, &chain(6)).run().exits(0).stdout_contains("at 006, 1 applied");
    let assumed = "SELECT string_agg(revision, ',' ORDER BY id) FROM pgmarch.journal WHERE direction = 'assume'";
    assert_eq!(database.one(assumed), "004,005");
    let late = chain(6).revision("004a", "SELECT 1;", "SELECT 1;");
    assert_eq!(state_of(&database, &late, "004a")["state"], "not applied");
    assert_eq!(state_of(&database, &late, "004")["state"], "applied");
    pgmarch(&database, &late).run().exits(3).stderr_contains("004a has not been applied to this database: it came in below 005");
}

#[test]
fn what_was_undone_meanwhile_is_not_recorded_as_applied_by_another_tool() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    // Alembic went on to 003, and is about to undo it.
    database.execute("UPDATE alembic_version SET version_num = '003'; CREATE TABLE c (id int)");
    let project = project.revision("004", "CREATE TABLE d (id int);", "DROP TABLE d;");
    let alembic = database.session();
    alembic.execute("BEGIN; UPDATE alembic_version SET version_num = '001'; DROP TABLE c");
    let running = pgmarch(&database, &project).spawn();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.eventually(waiting, "1");
    alembic.execute("COMMIT");
    running.wait().exits(0).stdout_contains("at 004, 2 applied");
    assert_eq!(database.one("SELECT count(*) FROM pgmarch.journal WHERE direction = 'assume'"), "0");
}

#[test]
fn what_another_tool_applied_again_after_a_downgrade_is_applied() {
    let (database, project) = late();
    let project = project.revision("004", "SELECT 1;", "SELECT 1;");
    pgmarch(&database, &self::project()).args(["downgrade", "001", "--yes"]).run().exits(0);
    database.execute("UPDATE alembic_version SET version_num = '003'; CREATE TABLE late (id int)");
    assert_eq!(state_of(&database, &project, "002")["state"], "applied");
}

#[test]
fn a_reader_without_a_record_goes_by_the_files() {
    let database = Database::new();
    database.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('003')");
    let project = with_late(project());
    assert_eq!(state_of(&database, &project, "002")["state"], "applied");
    assert_eq!(database.one("SELECT to_regnamespace('pgmarch') IS NULL"), "t");
}

#[test]
fn a_journal_that_was_cut_short_leaves_what_the_ledger_keeps_of_revisions() {
    let (database, project) = late();
    database.execute("DELETE FROM pgmarch.journal");
    assert_eq!(state_of(&database, &project, "001")["state"], "applied");
    assert_eq!(state_of(&database, &project, "002")["state"], "not applied");
}
