//! The `console` blocks of a document as one session in a shell, against a database of their own.
//!
//! `$ ` begins a command, `> ` continues it; what follows is its output, both streams together. `[..]` stands for any text in a
//! line, a line `...` for any lines.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use tokio_postgres::config::Host;

use crate::support::Database;

/// The documents whose blocks are such a session.
pub(super) const SESSIONS: [&str; 4] = ["README.md", "docs/getting-started.md", "docs/revisions.md", "docs/troubleshooting.md"];

/// A command of a document and the output it shows.
struct Step {
    line: usize,
    command: String,
    output: Vec<String>,
}

/// Runs the blocks of a document and compares each output with what the document shows.
pub(super) fn holds(path: &str, text: &str) {
    let steps = steps(text);
    assert!(!steps.is_empty(), "{path} has no console block with a command");
    let database = Database::new();
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    let mut script = String::from("cd work\n");
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(script, "{{ {}\n}} >{}/out.{number} 2>&1 </dev/null", step.command, folder.path().display());
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_pgmarch")).parent().unwrap();
    let ended = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .envs(variables(&database.url()))
        .env("PGMARCH_LOG_FORMAT", "text")
        .output()
        .unwrap();
    for (number, step) in steps.iter().enumerate() {
        let found = fs::read_to_string(folder.path().join(format!("out.{number}")))
            .unwrap_or_else(|_| panic!("{path}:{}: not run: {ended:?}", step.line));
        let found: Vec<&str> = found.lines().collect();
        let expected: Vec<&str> = step.output.iter().map(String::as_str).collect();
        assert!(
            lines_fit(&expected, &found),
            "{path}:{}: $ {}\n--- the document\n{}\n--- the program\n{}\n---",
            step.line,
            step.command,
            expected.join("\n"),
            found.join("\n")
        );
    }
}

/// Where the database is, in variables of their own, so that a document can show what happens with another one.
fn variables(url: &str) -> Vec<(&'static str, String)> {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let Some(Host::Tcp(host)) = config.get_hosts().first() else { panic!("no host in {url}") };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    vec![
        ("PGHOST", host.clone()),
        ("PGPORT", port.to_string()),
        ("PGUSER", config.get_user().unwrap().to_owned()),
        ("PGPASSWORD", password.unwrap_or_default()),
        ("PGDATABASE", config.get_dbname().unwrap().to_owned()),
    ]
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: number + 1, command: command.to_owned(), output: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            match line.strip_prefix('>') {
                Some(more) if step.output.is_empty() => step.command += &format!("\n{}", more.strip_prefix(' ').unwrap_or(more)),
                _ => step.output.push(line.to_owned()),
            }
        }
    }
    steps
}

fn lines_fit(expected: &[&str], found: &[&str]) -> bool {
    match expected {
        [] => found.is_empty(),
        ["...", rest @ ..] => (0..=found.len()).any(|skipped| lines_fit(rest, &found[skipped..])),
        [line, rest @ ..] => found.split_first().is_some_and(|(first, others)| line_fits(line, first) && lines_fit(rest, others)),
    }
}

fn line_fits(expected: &str, found: &str) -> bool {
    let mut parts = expected.trim_end().split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| found.trim_end().strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn a_wildcard_matches_any_text_or_any_lines() {
    assert!(line_fits("at [..], [..] applied", "at 001, 1 applied"));
    assert!(!line_fits("at [..] applied", "at 001, 1 undone"));
    assert!(!line_fits("at 001", "at 0012"));
    assert!(lines_fit(&["a", "...", "d"], &["a", "b", "c", "d"]));
    assert!(!lines_fit(&["a", "...", "d"], &["a", "b"]));
    assert!(!lines_fit(&["a"], &["a", "b"]));
}
