//! What the documents say is what the program does: tables are those of the code, examples run.

#![allow(clippy::unwrap_used, reason = "a document that can't be read fails its test")]

mod schema;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use pgmarch::config::SETTINGS;
use pgmarch::exit::EXIT_CODES;

use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The part between `<!-- name -->` and `<!-- /name -->` must be `expected`; PGMARCH_WRITE_DOCS=1 writes it.
fn part_is(path: &str, name: &str, expected: &str) {
    let text = document(path);
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{path} has no {open}")) + open.len();
    let end = start + text[start..].find(&close).unwrap();
    if std::env::var_os("PGMARCH_WRITE_DOCS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), format!("{}{expected}{}", &text[..start], &text[end..])).unwrap();
    } else {
        assert_eq!(&text[start..end], expected, "{path}, {name}: PGMARCH_WRITE_DOCS=1 cargo test docs writes it");
    }
}

/// The same for a part of the reference.
fn generated_is(name: &str, expected: &str) {
    part_is("docs/reference.md", name, expected);
}

#[test]
fn the_tables_of_settings_are_those_of_the_code() {
    let mut settings = String::from("\n| name | default | |\n| --- | --- | --- |\n");
    for setting in SETTINGS {
        settings += &format!("| `{}` | {} | {} |\n", setting.name, setting.default, setting.meaning.replace('|', "\\|"));
    }
    settings.push('\n');
    part_is("README.md", "settings", &settings);
    generated_is("settings", &settings);
}

#[test]
fn the_tables_of_exit_codes_are_those_of_the_code() {
    let mut codes = String::from("\n| code | meaning | who acts |\n| --- | --- | --- |\n");
    for (code, meaning, who) in EXIT_CODES {
        codes += &format!("| {code} | {meaning} | {who} |\n");
    }
    codes.push('\n');
    part_is("README.md", "exit codes", &codes);
    generated_is("exit codes", &codes);
}

#[test]
fn the_references_verbs_are_those_of_the_program() {
    let mut text = String::new();
    let cli = pgmarch::cli::Cli::command();
    for verb in cli.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let help = pgmarch_without_database(&Project::new()).args([verb.get_name(), "--help"]).run().exits(0);
        text += &format!("\n### {}\n\n```text\n{}\n```\n", verb.get_name(), help.stdout.trim_end());
    }
    generated_is("verbs", &(text + "\n"));
}

#[test]
fn the_readmes_revision_is_one() {
    let readme = document("README.md");
    let (_, rest) = readme.split_once("```sql\n").unwrap();
    let (revision, _) = rest.split_once("```").unwrap();
    let database = Database::new();
    let project =
        Project::new().child("001", "base", "CREATE TABLE services ();", "DROP TABLE services;").file("002_add_rate_limits.sql", revision);
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 002");
    pgmarch(&database, &project).args(["status"]).run().exits(0).stdout_contains("Add rate limits to services");
}

/// Every document for people: path from the repository's root, and text.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name)).to_vec();
    paths.extend(
        fs::read_dir(root.join("docs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "md")),
    );
    paths.sort();
    paths.iter().map(|path| (path.strip_prefix(root).unwrap().display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn relative_links_lead_somewhere() {
    for (path, text) in documents() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.contains("://")) {
            let target = folder.join(link.split('#').next().unwrap());
            assert!(target.exists(), "{path} links to {link}");
        }
    }
}

#[test]
fn getting_started_runs_as_it_is_written() {
    session::holds("docs/getting-started.md", &document("docs/getting-started.md"));
}

#[test]
fn what_the_guide_for_authors_shows_is_what_happens() {
    session::holds("docs/revisions.md", &document("docs/revisions.md"));
}
