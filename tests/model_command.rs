//! `PGMARCH_MODEL_COMMAND`: a command fills a scratch database with the model, and finds no other database.

use std::time::Duration;

use crate::support::{Database, Program, Project, pgmarch};

const TABLE: &str = "CREATE TABLE a (id integer PRIMARY KEY, x integer);";

fn project() -> Project {
    Project::new()
        .child("001", "base", TABLE, "DROP TABLE a;")
        .file("model/model.sql", "CREATE TABLE a (id integer PRIMARY KEY, x bigint);")
}

fn with(command: &str, database: &Database, project: &Project) -> Program {
    pgmarch(database, project).in_folder(project.path()).env("PGMARCH_MODEL_COMMAND", command)
}

#[test]
fn psql_fills_the_scratch_database() {
    let (database, project) = (Database::new(), project());
    // Beside the binaries of the test's server there may be no client, as for other majors.
    let command = "psql -X -q -v ON_ERROR_STOP=1 -f model/model.sql \"$DATABASE_URL\"";
    let run = |words: &[&str]| with(command, &database, &project).args(words.iter().copied()).run();
    pgmarch(&database, &project).run().exits(0);
    run(&["create", "wider"]).exits(0).stdout_contains("ALTER TABLE a ALTER COLUMN x TYPE bigint");
    pgmarch(&database, &project).run().exits(0);
    run(&["check"]).exits(0);
    run(&["diff"]).exits(0).stdout_contains("what PGMARCH_MODEL_COMMAND creates");
}

#[test]
fn the_command_has_no_variable_of_another_database() {
    let (database, project) = (Database::new(), project());
    let command =
        "env | grep -E '^(PG|DATABASE_URL=)' | sed 's/=.*//' >&2; case $DATABASE_URL in postgresql://*pgmarch_scratch_*) exit 7;; esac";
    let run = with(command, &database, &project).env("PGHOST", "production").env("DATABASE_URL", "postgresql://production/x");
    run.args(["create", "x"]).run().exits(2).stderr_contains("exit status: 7").stderr_contains(":\n    DATABASE_URL\nnext");
    assert_eq!(project.names(), ["001_test.sql", "model"]);
}

#[test]
fn a_failure_shows_its_output_without_control_characters_and_the_password() {
    let (database, project) = (Database::new(), project());
    let run = with("printf 'no module \\033[31mred\\n'; echo \"$DATABASE_URL\" >&2; exit 1", &database, &project)
        .args(["create", "x"])
        .run()
        .exits(2);
    assert!(run.stderr.contains("PGMARCH_MODEL_COMMAND failed (exit status: 1)") && run.stderr.contains("no module"), "{run}");
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains("open-sesame"), "{run}");
}

#[test]
fn a_command_that_takes_too_long_or_is_interrupted_leaves_no_process() {
    let (database, project) = (Database::new(), project());
    let mark = project.path().join("pids").to_string_lossy().into_owned();
    let command = format!(
        "name=${{DATABASE_URL##*/}}; echo ${{name%%\\?*}} > {mark}.database; sleep 600 & echo $! $$ > {mark}.new; mv {mark}.new {mark}; wait"
    );
    let is_alive = || {
        let pids = project.read("pids");
        let is_running = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        pids.split_whitespace().any(is_running)
    };
    let timed = with(&command, &database, &project).env("PGMARCH_MODEL_TIMEOUT", "2s").args(["create", "x"]);
    timed.run().exits(2).stderr_contains("did not end within 2s, and was killed");
    let waited = |what: &dyn Fn() -> bool| {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !what() {
            assert!(std::time::Instant::now() < deadline, "it takes too long");
            std::thread::yield_now();
        }
    };
    waited(&|| !is_alive());
    project.remove("pids");
    let running = with(&command, &database, &project).args(["create", "x"]).spawn();
    waited(&|| project.path().join("pids").exists());
    running.signal("TERM");
    running.wait().exits(143);
    waited(&|| !is_alive());
    let scratch = project.read("pids.database");
    assert!(scratch.starts_with("pgmarch_scratch_"), "{scratch}");
    database.eventually(&format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", scratch.trim()), "0");
}

#[test]
fn two_models_are_one_too_many() {
    let (database, project) = (Database::new(), project());
    let run = with("true", &database, &project).env("PGMARCH_MODEL_URL", &database.url()).args(["create", "x"]).run();
    run.exits(2).stderr_contains("there are two models: the database of PGMARCH_MODEL_URL and what PGMARCH_MODEL_COMMAND creates");
    let project = project.file("schema.sql", TABLE);
    with("true", &database, &project).args(["create", "x"]).run().exits(2).stderr_contains("there are two models: ");
}
