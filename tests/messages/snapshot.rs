//! Runs a situation twice, for people and for machines, and compares both with their snapshots.

use std::fs;

use serde_json::Value;

use super::Setup;
use crate::support::{Outcome, snapshot};

/// A run that fails with `code`. `situation` is called once for each format, so it may leave its database changed.
#[track_caller]
pub(crate) fn message<S: Into<Setup>>(name: &str, code: i32, situation: impl Fn() -> S) {
    let (text, _) = run(name, situation().into(), "text", code);
    let (log, termination) = run(name, situation().into(), "json", code);
    let failure: Value = serde_json::from_str(&termination).unwrap_or_else(|error| panic!("{name}: {error}: {termination}"));
    let line = log.lines().rev().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{name}: no JSON line in\n{log}"));
    assert_same_facts(name, line, &failure);
    let next = failure["next"].as_str().unwrap_or_else(|| panic!("{name}: no next step in {failure}"));
    assert!(text.trim_end().ends_with(&format!("next: {next}")), "{name}: the text should end with the next step of {failure}\n{text}");
    snapshot(&format!("tests/messages/snapshots/{name}.txt"), &text);
    snapshot(&format!("tests/messages/snapshots/{name}.json"), &format!("{failure:#}\n"));
}

/// A run whose output is the message, whatever its exit code: a success, an answer, a warning.
#[track_caller]
pub(crate) fn outcome<S: Into<Setup>>(name: &str, code: i32, situation: impl Fn() -> S) {
    let (text, _) = run(name, situation().into(), "text", code);
    snapshot(&format!("tests/messages/snapshots/{name}.txt"), &text);
}

/// The output without what differs from run to run, and the termination message.
#[track_caller]
fn run(name: &str, setup: Setup, format: &str, code: i32) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("termination-log");
    fs::write(&log, "").expect("an empty termination log");
    let Setup { program, hidden, _kept } = setup;
    let program = program.env("PGMARCH_LOG_FORMAT", format).env("PGMARCH_TERMINATION_LOG", &log.to_string_lossy());
    let hidden = [hidden, known(&program)].concat();
    let run = program.run().exits(code);
    if let Some((_, next)) = run.stderr.rsplit_once("next: ").filter(|_| format == "text") {
        assert_filled_in(name, next);
    }
    let hide = |text: &str| hidden.iter().fold(text.to_owned(), |text, (value, word)| text.replace(value, word));
    let shown = |text: &str| without_versions(&without_times(&hide(text)));
    (shown(&output(&run)), shown(&fs::read_to_string(&log).expect("a termination log")))
}

/// What stdout has, then what stderr has besides lines that only tell how a run proceeds.
fn output(run: &Outcome) -> String {
    let is_progress = |line: &str| line.starts_with("20") && (line.contains("Z INFO ") || line.contains("Z DEBUG "));
    let mut text = run.stdout.clone();
    let mut last = String::new();
    for line in run.stderr.lines().filter(|line| !is_progress(line)) {
        // A warning, without its time and without the time that is left; one that is repeated is shown once.
        let warning = line.split_once("Z WARN ").filter(|_| line.starts_with("20")).map(|(_, warning)| warning.trim_start());
        let shown = warning.map_or(line.to_owned(), |warning| match warning.rsplit_once(", ") {
            Some((start, end)) if end.ends_with(" left") => format!("{start}, [..] left"),
            _ => warning.to_owned(),
        });
        if warning.is_none() || shown != last {
            text += &shown;
            text.push('\n');
        }
        last = shown;
    }
    text
}

/// The folder of the project and the address of the database.
fn known(program: &crate::support::Program) -> Vec<(String, String)> {
    let mut known = Vec::new();
    if let Some(folder) = program.variable("PGMARCH_MIGRATIONS").filter(|folder| folder.starts_with("/tmp/")) {
        known.push((folder.to_owned(), "migrations".to_owned()));
    }
    if let Some((_, address)) = program.variable("PGMARCH_DATABASE_URL").and_then(|url| url.split_once('@')) {
        let (host, database) = address.split_once('/').unwrap_or((address, ""));
        known.push((address.to_owned(), "HOST:PORT/DATABASE".to_owned()));
        known.push((host.to_owned(), "HOST:PORT".to_owned()));
        known.push((database.to_owned(), "DATABASE".to_owned()));
        if let Some((name, port)) = host.split_once(':') {
            known.push((format!("{name}, port {port}"), "HOST, port PORT".to_owned()));
            known.push((format!("port {port}"), "port PORT".to_owned()));
        }
    }
    known.retain(|(value, _)| !value.is_empty());
    known
}

/// Durations that were measured: `13 ms`, `2.4 s`, `since 5s`. Those of settings, such as `within 1s`, stay.
fn without_times(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let number: String = from.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':' | 'm' | 's' | 'h')).collect();
        let digits: String = from.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let behind = &from[digits.len()..];
        shown += before;
        let is_measured = behind.starts_with(" ms") || behind.starts_with(" s)") || behind.starts_with(" s\n") || behind.starts_with(" s,");
        if before.ends_with("since ")
            || before.ends_with("transaction for ")
            || before.ends_with("active for ")
            || before.ends_with("age_seconds\":")
        {
            shown += if before.ends_with(':') { "0" } else { "[..]" };
            rest = &from[number.len()..];
        } else if is_measured {
            shown += "[..]";
            rest = behind;
        } else {
            shown += &digits;
            rest = behind;
        }
    }
    shown + rest
}

/// The server's version, which is that of the tests, and the time when a revision was applied.
fn without_versions(text: &str) -> String {
    let shown = |line: &str| match (line.strip_prefix("server      PostgreSQL "), line.find("[applied 20")) {
        (Some(_), _) => "server      PostgreSQL [..]".to_owned(),
        (_, Some(at)) => format!("{}[applied [..]]", &line[..at]),
        // Before PostgreSQL 14.
        (None, None) => {
            let line = line.replace(", SSL off (28000)", ", no encryption (28000)");
            // From PostgreSQL 17 on the server quotes the names of settings.
            let exceeds = "file size exceeds ";
            ["\"temp_file_limit\"", "\\\"temp_file_limit\\\""]
                .iter()
                .fold(line, |line, quoted| line.replace(&format!("{exceeds}{quoted}"), &format!("{exceeds}temp_file_limit")))
        }
    };
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// The log line has all that the termination message has, unless that was cut.
#[track_caller]
fn assert_same_facts(name: &str, line: &str, failure: &Value) {
    let log: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
    for (field, value) in failure.as_object().expect("an object") {
        let logged = &log[if field == "error" { "message" } else { field.as_str() }];
        let is_cut = value.as_str().is_some_and(|text| text.ends_with('…'));
        assert!(logged == value || is_cut, "{name}: {field} is {value} in the termination message, in the log {logged}");
    }
}

/// A next step can be followed as it is.
#[track_caller]
fn assert_filled_in(name: &str, next: &str) {
    for word in next.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        assert!(!matches!(word, "REV" | "REVISION" | "FILE" | "MESSAGE"), "{name}: {word} should be filled in: {next}");
    }
    assert!(!next.contains("see the message") && !next.contains("the message names"), "{name}: the next step should say it itself: {next}");
}
