//! Every fenced block of the documents is held to something by its language.

use std::path::Path;
use std::process::Command;

use granit_parser::Parser;
use pgmarch::revision::format;

use super::session::{SESSIONS, holds};
use super::{document, documents};
use crate::support::{Database, Project, pgmarch};

/// The lines between two fences.
struct Block {
    path: String,
    line: usize,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (path, text) in documents() {
        let mut inside = false;
        for (number, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), inside) {
                (Some(_), true) => inside = false,
                (Some(language), false) => {
                    inside = true;
                    blocks.push(Block { path: path.clone(), line: number + 1, language: language.to_owned(), text: String::new() });
                }
                (None, true) => blocks.last_mut().unwrap().text += &format!("{line}\n"),
                (None, false) => {}
            }
        }
        assert!(!inside, "{path}: a block is never closed");
    }
    blocks
}

/// The blocks of one language; there must be some, or the test that asks for them holds nothing.
fn blocks_of(language: &str) -> Vec<Block> {
    let found: Vec<Block> = blocks().into_iter().filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "no block is {language}");
    found
}

#[test]
fn every_block_has_a_language_that_is_held_to_something() {
    // `text` is what `tables.rs` writes.
    let held = ["console", "mermaid", "python", "rust", "sh", "sql", "text", "typescript", "yaml"];
    for block in blocks() {
        assert!(held.contains(&block.language.as_str()), "{}:{}: `{}`", block.path, block.line, block.language);
        assert!(block.language != "text" || block.path == "docs/reference.md", "{}:{}", block.path, block.line);
        assert!(block.language != "console" || SESSIONS.contains(&block.path.as_str()), "{} is no session that is run", block.path);
    }
}

#[test]
fn rust_blocks_are_the_example_that_is_tested() {
    let example = std::fs::read_to_string(super::root().join("examples/embed.rs")).unwrap();
    super::part_is("docs/embedding.md", "embed.rs", &format!("```rust\n{example}```\n"));
    for block in blocks_of("rust") {
        assert_eq!((block.path.as_str(), block.text.as_str()), ("docs/embedding.md", example.as_str()), "line {}", block.line);
    }
}

/// The files of `examples/orms/` that docs/model.md shows; `tests/recipes.rs` runs them.
const RECIPES: [(&str, &str); 4] = [
    ("python", "sqlalchemy/create_model.py"),
    ("python", "sqlalchemy/compare.py"),
    ("python", "django/settings.py"),
    ("typescript", "drizzle/drizzle.config.ts"),
];

#[test]
fn recipes_are_the_files_that_are_tested() {
    for (language, name) in RECIPES {
        let file = std::fs::read_to_string(super::root().join("examples/orms").join(name)).unwrap();
        super::part_is("docs/model.md", name, &format!("```{language}\n{file}```\n"));
    }
    let shown = blocks_of("python").len() + blocks_of("typescript").len();
    assert_eq!(shown, RECIPES.len(), "a block of Python or TypeScript is no file of examples/orms");
}

#[test]
fn sql_blocks_parse() {
    let database = Database::new();
    let session = database.session();
    for block in blocks_of("sql") {
        // The server parses a message as a whole before it runs any of it, and the division ends it before the block.
        let refusal = session.refusal(&format!("SELECT 1 / 0;\n{}", block.text));
        assert_eq!(refusal, "22012", "{}:{}\n{}", block.path, block.line, block.text);
    }
}

#[test]
fn revisions_that_the_guides_show_can_be_applied_undone_and_applied_again() {
    for path in ["README.md", "docs/revisions.md"] {
        let mut project = Project::new().child(
            "001",
            "base",
            "CREATE TABLE teams (id integer PRIMARY KEY); \
             CREATE TABLE services (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, region text, team_id integer); \
             INSERT INTO services (name) SELECT 'service ' || n FROM generate_series(1, 3) n",
            "DROP TABLE services, teams",
        );
        let mut shown = 0;
        for block in blocks_of("sql").iter().filter(|block| block.path == path && block.text.contains("-- migrate:up")) {
            let parsed = format::parse(Path::new("000.sql"), block.text.clone().into_bytes());
            let revision = parsed.unwrap_or_else(|faults| panic!("{path}:{}: {faults:?}", block.line)).revision;
            project = project.file(&format!("{}.sql", revision.id), &block.text);
            shown += 1;
        }
        assert!(shown > 0, "{path} shows no revision");
        let database = Database::new();
        pgmarch(&database, &project).run().exits(0).stdout_contains(&format!("{} applied", shown + 1));
        pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0).stdout_contains(&format!("{shown} undone"));
        pgmarch(&database, &project).run().exits(0).stdout_contains(&format!("{shown} applied"));
    }
}

#[test]
fn yaml_blocks_parse() {
    for block in blocks_of("yaml") {
        for event in Parser::new_from_str(&block.text) {
            event.unwrap_or_else(|problem| panic!("{}:{}: {problem}", block.path, block.line));
        }
    }
}

#[test]
fn shell_blocks_parse() {
    for block in blocks_of("sh") {
        let checked = Command::new("bash").args(["-n", "-c", &block.text]).output().unwrap();
        assert!(checked.status.success(), "{}:{}: {checked:?}", block.path, block.line);
    }
}

/// What a line of a diagram must hold, by the diagram's kind; nothing for its other lines.
const DIAGRAMS: [(&str, &str); 3] = [("flowchart ", "-"), ("stateDiagram-v2", " --> "), ("erDiagram", " ||--o{ ")];

#[test]
fn diagrams_are_of_a_known_kind_and_their_lines_are_of_that_kind() {
    for block in blocks_of("mermaid") {
        let (first, rest) = block.text.split_once('\n').unwrap();
        let place = format!("{}:{}", block.path, block.line);
        let kind = DIAGRAMS.iter().find(|(kind, _)| first.starts_with(kind));
        let (_, arrow) = kind.unwrap_or_else(|| panic!("{place}: `{first}` is no kind of diagram that is known"));
        assert!(rest.lines().any(|line| line.contains(arrow)), "{place}: nothing is joined");
        for line in rest.lines() {
            assert!(line.contains(arrow) || line.contains('['), "{place}: {line}");
            assert!(line.matches('"').count().is_multiple_of(2), "{place}: a quote is not closed: {line}");
            for (open, close) in [('[', ']'), ('(', ')')] {
                assert_eq!(line.matches(open).count(), line.matches(close).count(), "{place}: {open} is not closed: {line}");
            }
        }
    }
}

#[test]
fn the_readme_is_two_screens_and_the_first_of_them_runs() {
    let readme = document("README.md");
    assert!(readme.lines().count() <= 100, "README.md has {} lines", readme.lines().count());
    let first: Vec<&str> = readme.lines().take(50).collect();
    assert!(first.contains(&"```console"), "nothing runs on its first screen");
}

#[test]
fn sessions_in_a_shell_run_as_they_are_written() {
    for path in SESSIONS {
        holds(path, &document(path));
    }
}
