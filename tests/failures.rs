//! A revision that fails, rights that are missing, files that are unsound: clear words, the right code, the database as before.

use std::fs;

use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

#[test]
fn a_revision_that_fails_in_its_third_statement_leaves_the_database_as_before() {
    let database = Database::new();
    let project = Project::new().revision(
        "001",
        "CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1);\n/* ünïcödé */ INSERT INTO a\n  VALUES (1);\nCREATE TABLE b ();",
        "DROP TABLE a;",
    );
    let before = database.dump();
    let run = pgmarch(&database, &project).run().exits(6);
    let path = project.path().join("001_test.sql");
    let run = run
        .stderr_contains("revision 001 failed: duplicate key value violates unique constraint \"a_pkey\" (SQLSTATE 23505)")
        .stderr_contains("detail: Key (id)=(1) already exists.")
        .stderr_contains(&format!("{}:4:15", path.display()))
        .stderr_contains("4 | /* ünïcödé */ INSERT INTO a\n  |               ^^^^^^^^^^^^^");
    assert!(run.last_line().starts_with(&format!("next: fix {}", path.display())), "{run}");
    assert_eq!(database.dump(), before);
}

#[test]
fn an_error_with_a_position_is_underlined_there_in_characters() {
    let database = Database::new();
    let project = Project::new().revision("001", "CREATE TABLE ä (id int);\nSELECT 'ßß' AS \"ö\", missing FROM ä;", "SELECT 1");
    pgmarch(&database, &project)
        .run()
        .exits(6)
        .stderr_contains("001_test.sql:3:21")
        .stderr_contains("3 |")
        .stderr_contains("column \"missing\" does not exist (SQLSTATE 42703)")
        .stderr_contains("                    ^^^^^^^\n");
}

#[test]
fn a_syntax_error_runs_nothing() {
    let database = Database::new();
    let project = Project::new().revision("001", "CREATE TABLE a (id int);\nCREATE TABEL b (id int);", "SELECT 1");
    pgmarch(&database, &project).run().exits(6).stderr_contains("001_test.sql:3:8").stderr_contains("syntax error at or near \"TABEL\"");
    assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn a_deferred_constraint_fails_the_revision_at_commit() {
    let database = Database::new();
    let project = Project::new().revision(
        "001",
        "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED); INSERT INTO a VALUES (1, 2);",
        "SELECT 1",
    );
    for transaction in ["revision", "run"] {
        pgmarch(&database, &project)
            .env("PGMARCH_TRANSACTION", transaction)
            .run()
            .exits(6)
            .stderr_contains("violates foreign key constraint")
            .stderr_contains("at COMMIT");
        assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"), "0");
    }
}

#[test]
fn what_was_applied_before_a_failure_is_listed_and_stays() {
    let database = Database::new();
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1").revision("2", "SELECT 1/0", "SELECT 1");
    pgmarch(&database, &project).run().exits(6).stderr_contains("done before it stopped: 1 (");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "1");
    assert_eq!(
        database.query("SELECT revision, outcome, detail FROM pgmarch.journal ORDER BY id"),
        [["1", "done", "NULL"], ["2", "failed", "22012: division by zero"]].map(|row| row.map(str::to_owned).to_vec())
    );
    project.write("2_test.sql", "-- migrate:up\nSELECT 1;\n");
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 2, 1 applied");
}

#[test]
fn a_failure_is_one_json_object_for_machines() {
    let database = Database::new();
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1").revision("2", "SELECT 1/0", "SELECT 1");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("termination-log");
    let run =
        pgmarch(&database, &project).env("PGMARCH_LOG_FORMAT", "json").env("PGMARCH_TERMINATION_LOG", log.to_str().unwrap()).run().exits(6);
    for line in run.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}\n{run}"));
    }
    let last: serde_json::Value = serde_json::from_str(run.last_line()).unwrap();
    let message: serde_json::Value = serde_json::from_str(&fs::read_to_string(&log).unwrap()).unwrap();
    for cause in [&last, &message] {
        assert_eq!((&cause["exit"], &cause["revision"], &cause["sqlstate"]), (&6.into(), &"2".into(), &"22012".into()));
        assert!(
            cause["place"].as_str().unwrap().ends_with("2_test.sql:2:1") && cause["next"].as_str().unwrap().starts_with("fix"),
            "{cause}"
        );
    }
    assert_eq!(message["applied"], serde_json::json!(["1"]));
    assert!(message["excerpt"].as_str().unwrap().ends_with("2 | SELECT 1/0\n  | ^^^^^^^^^^\n"), "{message}");
}

#[test]
fn a_changed_file_is_shown_as_a_difference_to_machines_too() {
    let database = Database::new();
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1");
    pgmarch(&database, &project).run().exits(0);
    project.write("1_test.sql", "-- migrate:up\nCREATE TABLE b ()\n");
    let log = project.path().join("termination-log");
    let program = pgmarch(&database, &project).env("PGMARCH_LOG_FORMAT", "json").env("PGMARCH_TERMINATION_LOG", log.to_str().unwrap());
    let run = program.run().exits(3);
    for text in [run.last_line(), &fs::read_to_string(&log).unwrap()] {
        let failure: serde_json::Value = serde_json::from_str(text).unwrap();
        let diff = failure["diff"].as_str().unwrap();
        assert!(diff.contains("\n-CREATE TABLE a ()\n") && diff.ends_with("\n+CREATE TABLE b ()\n"), "{diff}");
        assert_eq!(failure["revision"], "1");
        assert!(failure["place"].as_str().unwrap().ends_with("1_test.sql"), "{failure}");
    }
}

#[test]
fn a_termination_message_fits_into_what_kubernetes_keeps() {
    let database = Database::new();
    let project =
        Project::new().revision("1", &format!("DO $$BEGIN RAISE '%', repeat('ä', 10000); END$$ -- {}", "x".repeat(5000)), "SELECT 1");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    pgmarch(&database, &project).env("PGMARCH_TERMINATION_LOG", log.to_str().unwrap()).run().exits(6);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.len() <= 4096, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["exit"], 6);
}

#[test]
fn an_unwritable_termination_log_changes_no_outcome() {
    let database = Database::new();
    let project = Project::new().revision("1", "SELECT 1/0", "SELECT 1");
    pgmarch(&database, &project)
        .env("PGMARCH_TERMINATION_LOG", "/proc/nowhere/log")
        .run()
        .exits(6)
        .stderr_contains("the termination log /proc/nowhere/log can't be written");
    project.write("1_test.sql", "-- migrate:up\nSELECT 1");
    pgmarch(&database, &project).env("PGMARCH_TERMINATION_LOG", "/proc/nowhere/log").run().exits(0);
}

#[test]
fn a_role_without_the_right_to_create_gets_the_grant_as_next_step() {
    let database = Database::new();
    let role = database.role("weak", &[]);
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1");
    let before = database.dump();
    let run = pgmarch(&database, &project).url(&role.url).run().exits(8).stderr_contains("permission denied").stderr_contains("(42501)");
    assert!(
        run.last_line().contains(&format!("GRANT CREATE ON DATABASE {} TO {}", database.name(), role.name))
            && run.last_line().contains("PGMARCH_LEDGER_SCHEMA"),
        "{run}"
    );
    assert_eq!(database.dump(), before);
    database.execute(&format!(
        "GRANT CREATE ON DATABASE \"{}\" TO \"{}\"; GRANT CREATE ON SCHEMA public TO \"{1}\"",
        database.name(),
        role.name
    ));
    pgmarch(&database, &project).url(&role.url).run().exits(0);
}

#[test]
fn a_revision_that_drops_the_ledger_is_rolled_back() {
    let database = Database::new();
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1").revision("2", "DROP SCHEMA pgmarch CASCADE", "SELECT 1");
    pgmarch(&database, &project)
        .run()
        .exits(6)
        .stderr_contains("revision 2")
        .stderr_contains("changed the version table public.alembic_version or the ledger");
    assert_eq!(database.one("SELECT string_agg(revision || ' ' || outcome, ', ' ORDER BY id) FROM pgmarch.journal"), "1 done, 2 failed");
}

#[test]
fn faults_of_files_are_found_before_anything_is_connected_to() {
    let project = Project::new().file("001_a.sql", "-- revise: 0\n-- migrate:up\nCOMMIT;\n").file("002_b.sql", "SELECT 1;\n");
    pgmarch_without_database(&project)
        .env("PGMARCH_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .run()
        .exits(3)
        .stderr_contains("001_a.sql:1:1: unknown header `revise` (did you mean `revises`?)")
        .stderr_contains("001_a.sql:3:1: `COMMIT` in a revision")
        .stderr_contains("002_b.sql:1:1: SQL before `-- migrate:up`")
        .stderr_lacks("waiting");
}

#[test]
fn a_folder_that_is_missing_or_empty_says_so() {
    let project = Project::new();
    pgmarch_without_database(&project).run().exits(3).stderr_contains("the folder holds no .sql file");
    pgmarch_without_database(&project)
        .env("PGMARCH_MIGRATIONS", "/nowhere")
        .run()
        .exits(2)
        .stderr_contains("/nowhere: the folder does not exist");
}

#[test]
fn several_heads_are_named() {
    let project = Project::new()
        .child("1", "base", "SELECT 1", "SELECT 1")
        .child("2a", "1", "SELECT 1", "SELECT 1")
        .child("2b", "1", "SELECT 1", "SELECT 1");
    pgmarch_without_database(&project).run().exits(3).stderr_contains("`head` means several heads: 2a, 2b");
    let database = Database::new();
    pgmarch(&database, &project).args(["upgrade", "heads"]).run().exits(0);
    assert_eq!(database.query("SELECT version_num FROM alembic_version ORDER BY 1"), [["2a".to_owned()], ["2b".to_owned()]]);
}
