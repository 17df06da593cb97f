//! Tables of the documents are written from the code's own lists.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory;
use pgmarch::apply::CompletedStep;
use pgmarch::config::settings::SETTINGS;
use pgmarch::exit::{EXIT_CODES, Exit};
use pgmarch::revision::Id;
use pgmarch::revision::format::HEADERS;
use pgmarch::sidecar::metrics;
use pgmarch::sidecar::status::{Condition, SharedStatus};
use pgmarch::signal::Signal;

use super::mentions::check_command;
use super::{document, files, generated_is, part_is};
use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

#[test]
fn the_table_of_settings_is_that_of_the_code() {
    let mut settings = String::from("\n| name | default | |\n| --- | --- | --- |\n");
    for setting in SETTINGS {
        let _ = writeln!(settings, "| `{}` | {} | {} |", setting.name, setting.default, setting.meaning.replace('|', "\\|"));
    }
    generated_is("settings", &(settings + "\n"));
}

#[test]
fn the_tables_of_exit_codes_are_those_of_the_code() {
    let mut codes = String::from("\n| code | meaning | who acts |\n| --- | --- | --- |\n");
    for (code, meaning, who) in EXIT_CODES {
        let _ = writeln!(codes, "| {code} | {meaning} | {who} |");
    }
    codes.push('\n');
    part_is("README.md", "exit codes", &codes);
    generated_is("exit codes", &codes);
    let ends =
        [Exit::Success, Exit::No, Exit::Usage, Exit::Unsound, Exit::Unreachable, Exit::Locked, Exit::Failed, Exit::Ahead, Exit::Refused];
    let signals = [Signal::Interrupt, Signal::Terminate].map(Exit::Signal);
    let meant: Vec<u8> = ends.into_iter().chain(signals).map(Exit::code).collect();
    assert_eq!(meant, EXIT_CODES.iter().map(|(code, ..)| *code).collect::<Vec<u8>>(), "the codes that the program ends with");
}

#[test]
fn every_exit_code_has_its_troubles_and_its_place_in_the_runbook() {
    let (troubles, runbook) = (document("docs/troubleshooting.md"), document("docs/operations.md"));
    for (code, ..) in EXIT_CODES.iter().filter(|(code, ..)| *code != 0) {
        let named = |line: &str| line.split(|c: char| !c.is_ascii_digit()).any(|word| word == code.to_string());
        assert!(troubles.lines().any(|line| line.starts_with("## Exit ") && named(line)), "docs/troubleshooting.md: exit {code}");
        assert!(
            runbook.lines().any(|line| line.starts_with("| ") && named(line.split('|').nth(1).unwrap())),
            "docs/operations.md: exit {code}"
        );
    }
}

#[test]
fn the_references_verbs_are_those_of_the_program() {
    let mut text = String::new();
    let cli = pgmarch::cli::Cli::command();
    for verb in cli.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let help = pgmarch_without_database(&Project::new()).args([verb.get_name(), "--help"]).run().exits(0);
        let _ = write!(text, "\n### {}\n\n```text\n{}\n```\n", verb.get_name(), help.stdout.trim_end());
    }
    generated_is("verbs", &(text + "\n"));
}

#[test]
fn every_verb_has_examples_that_are_commands_of_its_own_and_the_settings_that_go_with_it() {
    for verb in pgmarch::cli::Cli::command().get_subcommands().filter(|verb| verb.get_name() != "help") {
        let help = verb.get_after_help().unwrap_or_else(|| panic!("{}: nothing below its options", verb.get_name())).to_string();
        let (examples, settings) = help.split_once("\n\n").unwrap();
        let examples: Vec<&str> = examples.lines().skip(1).map(str::trim).collect();
        assert!(!examples.is_empty(), "{}", verb.get_name());
        for example in examples {
            check_command(example).unwrap_or_else(|problem| panic!("{example}: {problem}"));
            let own = format!("pgmarch {}", verb.get_name());
            assert!(example.contains(&own) || (verb.get_name() == "upgrade" && example.starts_with("pgmarch  ")), "{example}");
        }
        assert!(settings.lines().skip(1).all(|line| line.starts_with("  PGMARCH_")) && settings.lines().count() > 1, "{settings}");
    }
}

#[test]
fn the_headers_of_a_revision_file_are_those_that_are_read() {
    let reference = document("docs/reference.md");
    let (_, rest) = reference.split_once("| header | meaning |").unwrap();
    let (table, _) = rest.split_once("\n\n").unwrap();
    let documented: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|word| word.split(':').next().unwrap())
        .collect();
    assert_eq!(documented, HEADERS.into_iter().collect::<BTreeSet<&str>>());
}

/// What Prometheus reads from a sidecar to which everything has happened once.
pub(super) fn exposition() -> String {
    let status = SharedStatus::new("head".to_owned(), Arc::default());
    let done = CompletedStep { id: Id::parse("001").unwrap(), duration: Duration::from_secs(1) };
    status.record_upgrade(Exit::Success, &[done]);
    status.record_check(Condition::Ready, None, Some((vec!["001".to_owned()], Vec::new())));
    metrics::text(&status).unwrap()
}

/// One row of the table of metrics: a sample's name, and each label with the values that it has.
struct Metric<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
    labels: Vec<(&'a str, Vec<&'a str>)>,
}

#[test]
fn the_references_metrics_are_those_of_the_sidecar() {
    let text = exposition();
    let mut table = String::from("\n| metric | labels | kind | |\n| --- | --- | --- | --- |\n");
    let (mut help, mut kind) = ("", "");
    let mut metrics: Vec<Metric<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            match comment.split(' ').next().unwrap() {
                "HELP" => help = comment.splitn(3, ' ').nth(2).unwrap(),
                "TYPE" => kind = comment.splitn(3, ' ').nth(2).unwrap(),
                _ => {}
            }
            continue;
        }
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        if metrics.last().is_none_or(|last| last.name != name) {
            metrics.push(Metric { name, kind, help, labels: Vec::new() });
        }
        let known = &mut metrics.last_mut().unwrap().labels;
        for (label, value) in labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('=')) {
            match known.iter_mut().find(|(name, _)| *name == label) {
                Some((_, values)) => values.push(value.trim_matches('"')),
                None => known.push((label, vec![value.trim_matches('"')])),
            }
        }
    }
    for Metric { name, kind, help, labels } in metrics {
        let labels = labels.iter().map(|(label, values)| match values.as_slice() {
            [_] => format!("`{label}`"),
            all => format!("`{label}`: {}", all.join(", ")),
        });
        let _ = writeln!(table, "| `{name}` | {} | {kind} | {help} |", labels.collect::<Vec<String>>().join("; "));
    }
    generated_is("metrics", &(table + "\n"));
}

/// The fields of an answer and of what lies in it.
fn fields(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            fields(value, found);
        }),
        serde_json::Value::Array(list) => list.iter().for_each(|value| fields(value, found)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::String(_) => {}
    }
}

#[test]
fn every_field_of_an_answer_is_in_the_reference_of_json() {
    let reference = document("docs/reference-json.md");
    for path in files("tests/snapshots", "json") {
        let mut found = BTreeSet::new();
        fields(&serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(), &mut found);
        for field in found {
            assert!(reference.contains(&format!("`{field}`")), "docs/reference-json.md does not name `{field}` of {}", path.display());
        }
    }
}

#[test]
fn the_references_formula_is_the_key_of_the_run_lock() {
    let reference = document("docs/reference.md");
    let (_, rest) = reference.split_once("## The run lock").unwrap();
    let (formula, _) = rest.split_once("```sql\n").unwrap().1.split_once(";\n```").unwrap();
    let database = Database::new();
    let holder = database.session();
    holder.execute(&format!("BEGIN; SELECT pg_advisory_xact_lock(({formula}))"));
    let project = Project::new().revision("1", "SELECT 1", "SELECT 1");
    pgmarch(&database, &project).env("PGMARCH_RUN_LOCK_TIMEOUT", "0").run().exits(5).stderr_contains("another run holds the lock");
}
