//! `scripts/`: MarchProxy's four habits, which never report success for a failure.

use std::path::Path;

use crate::support::{Database, Outcome, Program, Project};

fn script(name: &str, words: &[&str], database: &Database, project: &Project) -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
    Program::at(path)
        .args(words.iter().copied())
        .env("PATH", "/usr/bin:/bin")
        .env("PGMARCH_BIN", env!("CARGO_BIN_EXE_pgmarch"))
        .env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy())
        .env("PGMARCH_LOG_FORMAT", "text")
        .url(&database.url())
        .run()
}

#[test]
fn the_four_habits_work_with_the_arguments_of_today() {
    let database = Database::new();
    let project =
        Project::new().revision("001", "CREATE TABLE a ();", "DROP TABLE a;").revision("002", "CREATE TABLE b ();", "DROP TABLE b;");
    let run = |name: &str, words: &[&str]| script(name, words, &database, &project);
    run("migrate.sh", &["001"]).exits(0).stdout_contains("at 001");
    run("migrate-status.sh", &[]).exits(0).stdout_contains("pending     1: 002").stdout_contains("common commands");
    run("migrate-status.sh", &["--check"]).exits(1);
    run("migrate.sh", &[]).exits(0).stdout_contains("at 002");
    run("migrate-down.sh", &["-1"]).exits(2).stderr_contains("--yes");
    run("migrate-down.sh", &["-1", "--force"]).exits(0).stdout_contains("at 001");
    run("migrate-down.sh", &["base", "--force"]).exits(0).stdout_contains("at base");
    run("migrate-create.sh", &["Add rate limits", "--manual"]).exits(0).stdout_contains("003_add_rate_limits.sql");
}

#[test]
fn their_failures_are_failures() {
    let database = Database::new();
    let project = Project::new().revision("001", "SELEC 1;", "SELECT 1;");
    let run = |name: &str, words: &[&str]| script(name, words, &database, &project);
    run("migrate.sh", &[]).exits(6).stderr_contains("SELEC");
    run("migrate.sh", &["9"]).exits(2);
    run("migrate.sh", &["1", "2"]).exits(2).stderr_contains("usage: migrate.sh");
    run("migrate-down.sh", &[]).exits(2).stderr_contains("usage: migrate-down.sh");
    run("migrate-down.sh", &["-1", "--yes"]).exits(2).stderr_contains("usage");
    run("migrate-create.sh", &[]).exits(2).stderr_contains("usage");
    run("migrate-create.sh", &["--manual"]).exits(2).stderr_contains("usage");
    run("migrate-create.sh", &["a", "--wrong"]).exits(2).stderr_contains("--wrong");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/migrate.sh");
    let missing = Program::at(path).env("PATH", "/usr/bin:/bin").env("PGMARCH_BIN", "/nowhere/pgmarch").run();
    assert_eq!(missing.code(), Some(127), "{missing}");
}
