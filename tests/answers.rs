//! What the reading verbs answer, to people and to machines, word for word (`tests/snapshots/`).

use serde_json::Value;

use crate::support::{Database, Project, pgmarch, snapshot};

fn project() -> Project {
    let file = |project: Project, id: &str, headers: &str, message: &str| {
        let text = format!(
            "-- revision: {id}\n{headers}-- created: 2026-11-22T10:15:00Z\n-- message: {message}\n\n-- migrate:up\nCREATE TABLE t_{id} (id int);\n\n-- migrate:down\nDROP TABLE t_{id};\n"
        );
        project.file(&format!("{id}_{}.sql", message.to_ascii_lowercase().replace(' ', "_")), &text)
    };
    let project = file(Project::new(), "001", "-- revises: base\n", "Services");
    let project = file(project, "002", "-- revises: 001\n", "Rate limits");
    let project = file(project, "003", "-- revises: 001\n-- branch: certs\n", "Certificates");
    let project = file(project, "004", "-- revises: 002, 003\n", "Join them");
    let project = file(project, "b01", "-- revises: base\n-- branch: billing\n", "Billing");
    file(project, "005", "-- revises: 004\n-- depends-on: b01\n-- breaking: true\n", "Invoices")
}

/// What differs from run to run in a text: dates, durations, places, checksums stay as they are.
fn plain(text: &str, database: &Database, project: &Project) -> String {
    let text = text.replace(&project.path().to_string_lossy().into_owned(), "migrations").replace(database.name(), "app");
    let mut plain = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if let Some(start) = line.find("[applied ") {
            line.replace_range(start.., "[applied WHEN, IN TIME]");
        }
        for (name, value) in [("connection  ", "USER@HOST:PORT/app"), ("server      ", "PostgreSQL VERSION")] {
            if line.starts_with(name) {
                line = format!("{name}{value}");
            }
        }
        if line.starts_with("state       applied ") {
            line = "state       applied WHEN, IN TIME (current)".into();
        }
        if line.starts_with("  20") {
            let rest =
                line.split_once("  ").and_then(|(_, rest)| rest.split_once("  ")).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
            let words = rest.split(" in ").next().unwrap_or_default();
            line = format!("  WHEN  {words} in TIME, ROLE on HOST, pgmarch VERSION");
        }
        plain += line.trim_end();
        plain.push('\n');
    }
    plain
}

/// The same for an object.
fn steady(value: &mut Value, database: &Database, project: &Project) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let steadied = match name.as_str() {
                    "applied_at" | "started" | "created" if value.is_string() && name != "created" => Some("WHEN"),
                    "connection" => Some("USER@HOST:PORT/app"),
                    "server" => Some("VERSION"),
                    "host" => Some("HOST"),
                    "pgmarch" => Some("VERSION"),
                    _ => None,
                };
                match steadied {
                    Some(text) => *value = text.into(),
                    None if name == "seconds" && value.is_number() => *value = 0.5.into(),
                    None => steady(value, database, project),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| steady(value, database, project)),
        Value::String(text) => {
            *text = text.replace(&project.path().to_string_lossy().into_owned(), "migrations").replace(database.name(), "app");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn the_reading_verbs_answer_in_these_words() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).args(["upgrade", "003"]).run().exits(0);
    pgmarch(&database, &project).args(["upgrade", "002"]).run().exits(0);
    let before = database.dump();
    for (name, words) in [
        ("status", &["status"][..]),
        ("history", &["history"]),
        ("history_range", &["history", "001:004"]),
        ("history_from_current", &["history", "current:"]),
        ("show", &["show", "003"]),
        ("show_label", &["show", "billing"]),
    ] {
        let run = pgmarch(&database, &project).args(words.iter().copied()).run().exits(0);
        snapshot(&format!("tests/snapshots/{name}.txt"), &plain(&run.stdout, &database, &project));
        let mut object = pgmarch(&database, &project).args(words.iter().copied().chain(["--json"])).run().exits(0).json();
        steady(&mut object, &database, &project);
        snapshot(&format!("tests/snapshots/{name}.json"), &format!("{object:#}\n"));
    }
    assert_eq!(database.dump(), before);
}

#[test]
fn the_graph_is_drawn_without_a_database_too() {
    let project = project();
    let run = crate::support::pgmarch_without_database(&project).args(["history"]).run().exits(0);
    snapshot("tests/snapshots/history_without_database.txt", &run.stdout);
    crate::support::pgmarch_without_database(&project).args(["show", "005"]).run().exits(0).stdout_contains("breaking    yes");
    crate::support::pgmarch_without_database(&project).args(["history", "-1:"]).run().exits(2).stderr_contains("nobody is asked here");
}

#[test]
fn the_changing_verbs_answer_machines_in_these_words() {
    let (database, project) = (Database::new(), project().copied());
    let heads = |words: &[&str]| {
        let mut object = pgmarch(&database, &project).args(words.iter().copied()).run().exits(0).json();
        steady(&mut object, &database, &project);
        format!("{object:#}\n")
    };
    snapshot("tests/snapshots/upgrade.json", &heads(&["upgrade", "004", "--json"]));
    snapshot("tests/snapshots/downgrade.json", &heads(&["downgrade", "002", "--yes", "--json"]));
    snapshot("tests/snapshots/stamp.json", &heads(&["stamp", "002", "003", "--json"]));
    let text = project.read("001_services.sql").replace("id int", "id bigint");
    project.write("001_services.sql", &text);
    snapshot("tests/snapshots/repair.json", &heads(&["repair", "001", "--json"]));
    snapshot("tests/snapshots/check.json", &heads_of_check(&project));
}

fn heads_of_check(project: &Project) -> String {
    let run = crate::support::pgmarch_without_database(project).env("PGMARCH_MIGRATIONS", ".").args(["check", "--offline", "--json"]).run();
    format!("{:#}\n", run.exits(3).json())
}

#[test]
fn a_stamp_runs_nothing_and_is_noted() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).args(["stamp", "heads"]).run().exits(0).stdout_is("at 005, stamped (was base); nothing was run\n");
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname LIKE 't\\_0%'"), "0");
    pgmarch(&database, &project).args(["stamp", "002", "003"]).run().exits(0).stdout_contains("at 002, 003, stamped (was 005)");
    pgmarch(&database, &project).args(["stamp", "certs@base"]).run().exits(0).stdout_contains("at 002, stamped (was 002, 003)");
    pgmarch(&database, &project).args(["stamp", "billing", "002"]).run().exits(0).stdout_contains("at 002, b01");
    pgmarch(&database, &project).args(["stamp", "billing@base"]).run().exits(0).stdout_contains("at 002, stamped");
    pgmarch(&database, &project).args(["stamp", "002"]).run().exits(0).stdout_is("at 002 already, nothing to do\n");
    pgmarch(&database, &project).args(["stamp", "head"]).run().exits(3).stderr_contains("several heads: b01, 005");
    let noted = database.query("SELECT revision, detail FROM pgmarch.journal WHERE direction = 'stamp' ORDER BY id");
    assert_eq!(noted[1], ["002", "stamped from 005 to 002, 003"]);
}

#[test]
fn where_the_log_is_json_the_result_is_one_line_of_json() {
    let database = Database::new();
    let project = Project::new().revision("001", "CREATE TABLE a ();", "DROP TABLE a;");
    for (words, text, json) in [
        (&["upgrade"][..], "at 001, 1 applied", serde_json::json!(["001"])),
        (&["upgrade"], "at 001, nothing to do", serde_json::json!(["001"])),
        (&["wait"], "at 001, after", serde_json::json!(["001"])),
        (&["downgrade", "base", "--yes"], "at base, 1 undone", serde_json::json!([])),
    ] {
        let other = Database::like(&database);
        let run = pgmarch(&other, &project).env("PGMARCH_LOG_FORMAT", "json").args(words.iter().copied()).run().exits(0);
        assert_eq!(run.stdout.lines().count(), 1, "{run}");
        assert_eq!(run.json()["current"], json, "{run}");
        let run = pgmarch(&database, &project).args(words.iter().copied()).run().exits(0);
        assert!(run.stdout.starts_with(text) && run.stdout.lines().count() == 1, "{run}");
    }
}
