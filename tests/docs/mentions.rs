//! Names in the middle of a sentence mean something: links, settings and their defaults, commands, targets, metrics.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Parser as _;
use clap::error::ErrorKind;
use pgmarch::cli::Cli;
use pgmarch::config::settings::SETTINGS;

use super::tables::exposition;
use super::{document, documents, files, root};

/// The lines of a document outside of fenced blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let numbered = text.lines().enumerate().filter(|(_, line)| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    numbered.map(|(number, line)| (number + 1, line)).collect()
}

/// The text between backquotes in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The words of `text` that begin with `start` and go on as `more` says.
fn words<'a>(text: &'a str, start: &'a str, more: fn(char) -> bool) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).filter_map(move |(at, _)| {
        let inner = text[..at].chars().next_back().is_some_and(|before| before.is_ascii_alphanumeric() || before == '_');
        let length = text[at..].find(|c| !more(c)).unwrap_or(text.len() - at);
        (!inner && length > start.len()).then(|| &text[at..at + length])
    })
}

/// The anchor that a heading gets: small letters, blanks become hyphens, other punctuation goes.
fn anchor(heading: &str) -> String {
    let lowercase = heading.trim().to_ascii_lowercase();
    lowercase.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let headings = prose(&text).into_iter().map(|(_, line)| line).filter(|line| line.starts_with('#'));
    headings.map(|heading| anchor(heading.trim_start_matches('#'))).collect()
}

#[test]
fn relative_links_lead_somewhere() {
    for (path, text) in documents() {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.contains("://")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&path) } else { folder.join(file) };
            assert!(target.exists(), "{path} links to {link}");
            assert!(place.is_empty() || anchors(&target).contains(place), "{path} links to {link}, which has no such heading");
        }
    }
}

#[test]
fn settings_that_are_mentioned_exist() {
    // The tests' own, and the mistake that the troubles show.
    let others = ["PGMARCH_TEST_BIN", "PGMARCH_TEST_URL", "PGMARCH_TEST_KEEP", "PGMARCH_FAULTS", "PGMARCH_WRITE_DOCS", "PGMARCH_TARGETT"];
    let mut texts = documents();
    let deployed = [files("deploy", "yaml"), vec![root().join("compose.yaml")]].concat();
    texts.extend(deployed.iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())));
    for (path, text) in texts {
        for word in words(&text, "PGMARCH_", |c| c.is_ascii_uppercase() || c == '_') {
            let name = word.strip_suffix("_FILE").unwrap_or(word);
            let known = SETTINGS.iter().any(|setting| setting.name == name) || others.contains(&name);
            assert!(known, "{path}: {word} is no setting");
        }
    }
}

#[test]
fn defaults_that_are_mentioned_are_those_of_the_code() {
    let mut compared = 0;
    for (path, text) in documents() {
        for (line, text) in prose(&text) {
            for setting in SETTINGS {
                for documented in text.split(&format!("`{}` (", setting.name)).skip(1).filter_map(|rest| rest.split([')', ',', ';']).next())
                {
                    if documented.starts_with(|c: char| c.is_ascii_digit()) {
                        assert_eq!(documented, setting.default, "{path}:{line}: {}", setting.name);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 0, "no default is mentioned");
}

/// Whether the program would take a command line that a document shows; what follows a pipe or a remark is not looked at.
pub(super) fn check_command(line: &str) -> Result<(), String> {
    let Some(at) = line.find("pgmarch") else { return Err("it does not run pgmarch".to_owned()) };
    let line = [" #", " |", " >", " <", " &&"].iter().fold(&line[at..], |line, end| line.split(end).next().unwrap());
    let mut words: Vec<String> = Vec::new();
    for (number, part) in line.split(['\'', '"']).enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    match Cli::try_parse_from(&words) {
        Ok(_) => Ok(()),
        Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => Ok(()),
        // A verb that is named alone is no command line.
        Err(lacking) if lacking.kind() == ErrorKind::MissingRequiredArgument && words.len() == 2 => Ok(()),
        Err(refused) => Err(refused.to_string()),
    }
}

#[test]
fn commands_that_are_mentioned_are_understood() {
    let mut checked = 0;
    for (path, text) in documents() {
        for (number, line) in prose(&text) {
            for command in quoted(line).filter(|text| text.starts_with("pgmarch ")) {
                check_command(command).unwrap_or_else(|problem| panic!("{path}:{number}: `{command}`: {problem}"));
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked} commands");
}

#[test]
fn files_of_the_repository_that_are_mentioned_exist() {
    for (path, text) in documents().into_iter().filter(|(path, _)| path != "CHANGELOG.md") {
        for (number, line) in prose(&text) {
            let folders = ["src/", "crates/", "tests/", "docs/", "scripts/", "deploy/", "docker/"];
            for file in quoted(line).filter(|text| folders.iter().any(|folder| text.starts_with(folder)) && !text.contains(' ')) {
                // A folder for each fault, say, is written `tests/fixtures/<fault>/`.
                let known = file.split('<').next().unwrap();
                assert!(root().join(known).exists(), "{path}:{number}: there is no {file}");
            }
        }
    }
}

#[test]
fn targets_of_make_that_are_mentioned_exist() {
    let makefile = document("Makefile");
    for (path, text) in documents() {
        let in_blocks = text.lines().flat_map(|line| line.strip_prefix("$ ").unwrap_or(line).split(" && "));
        let commands = prose(&text).into_iter().flat_map(|(_, line)| quoted(line)).chain(in_blocks.map(str::trim));
        for target in commands.filter_map(|command| command.strip_prefix("make ")?.split_whitespace().next()) {
            let is_one = target.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
            assert!(!is_one || makefile.contains(&format!("\n{target}: ")), "{path}: make {target}");
        }
    }
}

#[test]
fn metrics_that_are_mentioned_exist() {
    let text = exposition();
    let known: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(['{', ' ']).next().unwrap()).collect();
    // What else is called so: a schema of a test, scratch databases.
    let others = ["pgmarch_scratch_"];
    let mut texts = documents();
    texts.extend(files("deploy", "yaml").iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())));
    for (path, text) in texts {
        for word in words(&text, "pgmarch_", |c| c.is_ascii_lowercase() || c == '_') {
            assert!(known.contains(word) || others.contains(&word), "{path}: {word} is no metric");
        }
    }
}

#[test]
fn anchors_are_made_as_github_makes_them() {
    assert_eq!(anchor(" TLS, and `sslmode`"), "tls-and-sslmode");
}
