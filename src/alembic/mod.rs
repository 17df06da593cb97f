//! What `alembic upgrade --sql` and `downgrade --sql` print, and the files under `versions/`, into revisions. Pure.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use squawk_lexer::TokenKind;
use thiserror::Error;

use crate::revision::format::draft::{Draft, DraftSection};
use crate::revision::line::{line_start, lines};
use crate::revision::statement::split;
use crate::revision::statement::token::tokens;
use crate::revision::{FileProblem, Id, LineColumn};

/// Why an output of Alembic's can't be turned into revisions.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ImportError {
    #[error("there is no line `-- Running upgrade … -> …` in it; give the output of `alembic upgrade --sql base:heads`")]
    NoRevision,
    #[error("{place}: `{line}` is not what Alembic writes before a revision", place = at(.place))]
    Title { place: LineColumn, line: String },
    #[error("{place}: {problem}", place = at(.place))]
    Id { place: LineColumn, problem: FileProblem },
    #[error("{place}: revision {id}: {problem}", place = at(.place))]
    Statement { place: LineColumn, id: Id, problem: FileProblem },
    #[error("{place}: revision {id} comes a second time", place = at(.place))]
    Twice { place: LineColumn, id: Id },
    #[error("the way down has {0}, the way up does not: give both outputs of the same revisions")]
    OnlyDown(Id),
    #[error("revision {id} revises {parent}, which is not in the output: it must start at base (`alembic upgrade --sql base:heads`)")]
    NotFromBase { id: Id, parent: Id },
    #[error("{place}: Alembic stopped{}: {error}", in_revision(.id), place = at(.place))]
    Stopped { place: LineColumn, id: Option<Id>, error: String },
    #[error("{place}: revision {id} is not complete: no statement on {version_table} follows that records it", place = at(.place))]
    Incomplete { place: LineColumn, id: Id, version_table: String },
    #[error("{place}: Alembic records revision {id} in {table}, not in {version_table}", place = at(.place))]
    OtherTable { place: LineColumn, id: Id, table: String, version_table: String },
    #[error("the output ends within a transaction: no COMMIT follows revision {id}")]
    NoCommit { id: Id },
    #[error("the output has {found} of the {all} revisions under --versions; {} {} missing", list(.missing), if .missing.len() == 1 { "is" } else { "are" })]
    Fewer { found: usize, all: usize, missing: Vec<String> },
}

/// How many missing revisions a message names.
const NAMED: usize = 10;

fn list(ids: &[String]) -> String {
    let more = ids.len().saturating_sub(NAMED);
    let named = ids[..ids.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn in_revision(id: &Option<Id>) -> String {
    id.as_ref().map(|id| format!(" in revision {id}")).unwrap_or_default()
}

impl ImportError {
    /// What to do next, in one line.
    pub fn next(&self) -> String {
        let guard = |id: &dyn std::fmt::Display| {
            format!(
                "no file was written. Usually Python in {id} that reads from a connection, of which there is none with --sql, cuts the output off: \
                 in Alembic's file put it under `if not context.is_offline_mode():` (`from alembic import context`), print the whole output again, \
                 and write what it does as SQL into the imported file"
            )
        };
        match self {
            Self::Incomplete { id, .. } | Self::NoCommit { id } | Self::Stopped { id: Some(id), .. } => guard(id),
            Self::Stopped { id: None, .. } => {
                "no file was written; Alembic's own message says what stopped it: print the whole output again".to_owned()
            }
            Self::OtherTable { table, .. } => {
                format!("no file was written; set PGMARCH_VERSION_TABLE={table} if that is Alembic's version table")
            }
            Self::Fewer { missing, .. } => format!(
                "no file was written; give the output of `alembic upgrade --sql base:heads`, or, where {} is obsolete, remove its file from --versions",
                missing.first().map_or("a revision", String::as_str)
            ),
            _ => "no file was written; `alembic upgrade --sql base:heads | pgmarch import` gives it the whole output".to_owned(),
        }
    }
}

fn at(place: &LineColumn) -> String {
    format!("line {}, column {}", place.line, place.column)
}

/// What a file under `versions/` says beyond what the SQL tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFile {
    /// Its id.
    pub id: String,
    /// The first line of its docstring.
    pub message: Option<String>,
    /// `Create Date`, as Alembic writes it.
    pub created: Option<String>,
    /// `depends_on`, ids or labels.
    pub depends_on: Vec<String>,
    /// `branch_labels`.
    pub labels: Vec<String>,
}

/// One revision's part of an output.
#[derive(Debug)]
struct Portion {
    /// Its parents, on the way up.
    below: Vec<Id>,
    part: DraftSection,
}

/// The revisions of an upgrade's output, in its order, with the ways down of a downgrade's, if there is one.
pub fn import(up: &str, down: Option<&str>, versions: &[VersionFile], version_table: &str) -> Result<Vec<Draft>, ImportError> {
    let mut messages = BTreeMap::new();
    let up = without_log(up, &mut messages);
    let mut ways_down = match down {
        Some(down) => portions(&without_log(down, &mut messages), "downgrade", version_table)?,
        None => Vec::new(),
    };
    let ways_up = portions(&up, "upgrade", version_table)?;
    if ways_up.is_empty() {
        return Err(ImportError::NoRevision);
    }
    let known: BTreeSet<&Id> = ways_up.iter().map(|(id, _)| id).collect();
    let is_missing = |version: &&VersionFile| !known.iter().any(|id| id.as_str() == version.id);
    let missing: Vec<String> = versions.iter().filter(is_missing).map(|version| version.id.clone()).collect();
    if !missing.is_empty() {
        return Err(ImportError::Fewer { found: versions.len() - missing.len(), all: versions.len(), missing });
    }
    let labels: BTreeMap<&str, &str> =
        versions.iter().flat_map(|version| version.labels.iter().map(|label| (label.as_str(), version.id.as_str()))).collect();
    let mut drafts = Vec::new();
    for (id, portion) in &ways_up {
        if let Some(parent) = portion.below.iter().find(|parent| !known.contains(parent)) {
            return Err(ImportError::NotFromBase { id: id.clone(), parent: parent.clone() });
        }
        let version = versions.iter().find(|version| version.id == id.as_str()).cloned().unwrap_or_default();
        let depends_on = version.depends_on.iter().map(|name| labels.get(name.as_str()).copied().unwrap_or(name));
        let way_down = ways_down.iter().position(|(other, _)| other == id).map(|place| ways_down.remove(place));
        drafts.push(Draft {
            id: id.clone(),
            revises: Some(portion.below.clone()),
            depends_on: depends_on.filter_map(|id| Id::parse(id).ok()).collect(),
            branch: version.labels.first().cloned(),
            created: version.created.as_deref().and_then(date),
            message: version.message.or_else(|| messages.get(id.as_str()).cloned()).unwrap_or_else(|| format!("Revision {id}")),
            up: portion.part.clone(),
            down: way_down.map(|(_, portion)| portion.part),
        });
    }
    match ways_down.first() {
        Some((id, _)) => Err(ImportError::OnlyDown(id.clone())),
        None => Ok(drafts),
    }
}

/// `2024-03-01 10:00:00.123456` → `2024-03-01T10:00:00Z`.
fn date(created: &str) -> Option<String> {
    let text: String = created.trim().chars().take(19).collect();
    let text = text.replacen(' ', "T", 1) + "Z";
    humantime::parse_rfc3339(&text).is_ok().then_some(text)
}

/// Alembic's log, where it came along (`2>&1`), cut out wherever a line of it broke in; its messages are kept.
fn without_log(text: &str, messages: &mut BTreeMap<String, String>) -> String {
    const LOG: &str = "INFO  [alembic.";
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(LOG) {
        left += &rest[..start];
        let end = rest[start..].find('\n').map_or(rest.len(), |newline| start + newline + 1);
        let line = rest[start..end].trim_end();
        if let Some((_, move_and_message)) = line.split_once(" -> ")
            && line.contains("] Running upgrade ")
            && let Some((id, message)) = move_and_message.split_once(", ")
        {
            messages.insert(id.trim().to_owned(), message.trim().to_owned());
        }
        rest = &rest[end..];
    }
    left + rest
}

/// The parts between the lines `-- Running VERB FROM -> TO`, each its revision's.
fn portions(text: &str, verb: &str, version_table: &str) -> Result<Vec<(Id, Portion)>, ImportError> {
    let mut found: Vec<(Id, Portion)> = Vec::new();
    let mut open: Option<OpenPortion> = None;
    for (kind, range) in tokens(text) {
        let piece = &text[range.clone()];
        let start = range.start;
        let title = match kind {
            TokenKind::LineComment => piece.strip_prefix("-- Running ").and_then(|rest| rest.strip_prefix(verb)),
            TokenKind::Ident if matches!(piece, "Traceback" | "FAILED") => {
                if let Some(error) = stopped(text, start) {
                    return Err(ImportError::Stopped { place: LineColumn::of(text, start), id: open.map(|open| open.id), error });
                }
                None
            }
            _ => None,
        };
        let Some(title) = title else { continue };
        close(text, open.take(), start, version_table, &mut found)?;
        let place = LineColumn::of(text, start);
        let wrong = || ImportError::Title { place, line: piece.trim_end().to_owned() };
        let (from, to) = title.split_once("->").ok_or_else(wrong)?;
        let ids = |list: &str| -> Result<Vec<Id>, ImportError> {
            let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
            words.map(|word| Id::parse(word).map_err(|problem| ImportError::Id { place, problem })).collect()
        };
        let (own, below) = if verb == "upgrade" { (ids(to)?, ids(from)?) } else { (ids(from)?, ids(to)?) };
        let [id] = <[Id; 1]>::try_from(own).map_err(|_| wrong())?;
        if found.iter().any(|(other, _)| *other == id) {
            return Err(ImportError::Twice { place, id });
        }
        open = Some(OpenPortion { id, below, title: start, start: range.end });
    }
    close(text, open, text.len(), version_table, &mut found)?;
    let words = split(text).statements.into_iter().map(|statement| statement.words);
    let in_transaction = words.fold(false, |inside, words| match words.as_slice() {
        [begin] if begin == "BEGIN" => true,
        [commit] if commit == "COMMIT" => false,
        _ => inside,
    });
    match found.last() {
        Some((id, _)) if in_transaction => Err(ImportError::NoCommit { id: id.clone() }),
        _ => Ok(found),
    }
}

/// A revision whose statements follow.
struct OpenPortion {
    id: Id,
    below: Vec<Id>,
    /// Where the line that names it begins, and where that ends.
    title: usize,
    start: usize,
}

/// How Python or Alembic says that it stops (`2>&1`), if it does so at `start`.
fn stopped(text: &str, start: usize) -> Option<String> {
    if line_start(text, start) != start {
        return None;
    }
    let mut lines = lines(&text[start..]).map(|line| line.text);
    let first = lines.next()?;
    if first.starts_with("FAILED: ") {
        return Some(first.trim_end().to_owned());
    }
    // Below are the lines of the calls, which are indented, and then what was raised.
    let raised = lines.find(|line| !line.is_empty() && !line.starts_with([' ', '\t']));
    first.starts_with("Traceback (most recent call last):").then(|| raised.unwrap_or(first).trim_end().to_owned())
}

/// The same in a part of the text that is not only SQL: what Python prints has apostrophes, so that tokens tell nothing.
fn stopped_within(text: &str, part: Range<usize>, id: &Id) -> Option<ImportError> {
    let found = lines(&text[part.clone()]).find_map(|line| {
        let at = part.start + line.range.start;
        Some((at, stopped(text, at)?))
    });
    found.map(|(at, error)| ImportError::Stopped { place: LineColumn::of(text, at), id: Some(id.clone()), error })
}

fn close(
    text: &str,
    open: Option<OpenPortion>,
    end: usize,
    version_table: &str,
    found: &mut Vec<(Id, Portion)>,
) -> Result<(), ImportError> {
    let Some(OpenPortion { id, below, title, start }) = open else { return Ok(()) };
    let sql = &text[start..end];
    let mut kept = Vec::new();
    let mut is_recorded = false;
    let (mut outside, mut ever_outside) = (false, false);
    let statements = split(sql);
    for statement in &statements.statements {
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["BEGIN"] => outside = false,
            ["COMMIT"] => outside = true,
            _ if moves_version(&sql[statement.range.clone()], version_table) => is_recorded |= names(&sql[statement.range.clone()], &id),
            _ => {
                // Between COMMIT and BEGIN: Alembic's autocommit_block, for what can't run in a transaction.
                ever_outside |= outside;
                kept.push(sql[statement.range.clone()].trim());
            }
        }
    }
    let bad = statements.problems.iter().find(
        |(_, problem)| !matches!(problem, FileProblem::TransactionControl(word) if word.starts_with("BEGIN") || word.starts_with("COMMIT")),
    );
    if let Some((offset, problem)) = bad {
        return Err(stopped_within(text, start..text.len(), &id).unwrap_or(ImportError::Statement {
            place: LineColumn::of(text, start + offset),
            id,
            problem: problem.clone(),
        }));
    }
    if !is_recorded {
        let (place, version_table) = (LineColumn::of(text, title), version_table.to_owned());
        return Err(match kept.iter().find_map(|statement| other_table(statement, &id)) {
            Some(table) => ImportError::OtherTable { place, id, table, version_table },
            None => stopped_within(text, start..end, &id).unwrap_or(ImportError::Incomplete { place, id, version_table }),
        });
    }
    let part = match kept.as_slice() {
        [] => DraftSection::no_op(),
        kept => DraftSection {
            stepwise: ever_outside,
            sql: kept.iter().map(|statement| format!("{statement};")).collect::<Vec<_>>().join("\n\n"),
        },
    };
    found.push((id, Portion { below, part }));
    Ok(())
}

/// Whether a statement makes or moves the version table: pgmarch does that itself.
fn moves_version(statement: &str, version_table: &str) -> bool {
    table(statement).is_some_and(|table| table.last().is_some_and(|name| name == version_table))
}

/// The table that a statement writes to or makes, as Alembic does with its version table: its name, and its schema's before it.
fn table(statement: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for (kind, range) in tokens(statement) {
        let piece = &statement[range];
        match kind {
            TokenKind::Ident => words.push(piece.to_ascii_lowercase()),
            TokenKind::QuotedIdent { .. } => words.push(piece.trim_matches('"').to_owned()),
            TokenKind::Dot => words.push(".".to_owned()),
            TokenKind::Whitespace => {}
            _ => break,
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let named = match words.as_slice() {
        ["insert", "into", rest @ ..] | ["delete", "from", rest @ ..] | ["create", "table", rest @ ..] | ["drop", "table", rest @ ..] => {
            rest
        }
        ["update", rest @ ..] => rest,
        _ => return None,
    };
    match named {
        [schema, ".", table, ..] => Some(vec![(*schema).to_owned(), (*table).to_owned()]),
        [table, ..] => Some(vec![(*table).to_owned()]),
        [] => None,
    }
}

/// Whether an id is one of the strings in a statement.
fn names(statement: &str, id: &Id) -> bool {
    tokens(statement).any(|(_, range)| statement[range].strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) == Some(id.as_str()))
}

/// The table in which a statement records a revision, if it looks like Alembic's own.
fn other_table(statement: &str, id: &Id) -> Option<String> {
    let has_column = || tokens(statement).any(|(kind, range)| kind == TokenKind::Ident && statement[range] == *"version_num");
    table(statement).filter(|_| names(statement, id) && has_column()).map(|table| table.join("."))
}

/// What a file under `versions/` says, as far as it is written as Alembic's template writes it.
pub fn parse_version_file(text: &str) -> Option<VersionFile> {
    let value = |name: &str| {
        // As in Python, what is assigned last counts.
        text.lines().rev().find_map(|line| {
            let rest = line.strip_prefix(name)?;
            let rest = rest.trim_start();
            let rest = if rest.starts_with(':') { rest.split_once('=').map(|(_, value)| value)? } else { rest.strip_prefix('=')? };
            Some(rest.trim())
        })
    };
    let id = strings(value("revision")?).into_iter().next()?;
    let doc = text.split_once("\"\"\"").map(|(_, rest)| rest.split("\"\"\"").next().unwrap_or("")).unwrap_or("");
    let message = doc.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
    let created = doc.lines().find_map(|line| line.trim().strip_prefix("Create Date:")).map(|date| date.trim().to_owned());
    let list = |name: &str| value(name).map(strings).unwrap_or_default();
    Some(VersionFile { id, message, created, depends_on: list("depends_on"), labels: list("branch_labels") })
}

/// The quoted strings of a Python expression.
fn strings(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression.split(" #").next().unwrap_or("");
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        let Some(end) = rest[start + 1..].find(quote) else { break };
        found.push(rest[start + 1..start + 1 + end].to_owned());
        rest = &rest[start + end + 2..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &str = "INFO  [alembic.runtime.migration] Running upgrade  -> a1, First thing
BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> a1

CREATE TABLE t (a text DEFAULT '-- Running upgrade  -> zz
');

COMMIT;

CREATE INDEX CONCURRENTLY i ON tINFO  [alembic.runtime.migration] Running upgrade a1 -> b2
 (a);

BEGIN;

INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING alembic_version.version_num;

-- Running upgrade a1 -> b2

UPDATE t SET a = 'x' WHERE true;;

UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'a1';

-- Running upgrade a1 -> c2

INSERT INTO public.alembic_version (version_num) VALUES ('c2');

-- Running upgrade b2, c2 -> d3

DELETE FROM alembic_version WHERE alembic_version.version_num = 'b2';

UPDATE alembic_version SET version_num='d3' WHERE alembic_version.version_num = 'c2';

COMMIT;
";

    #[test]
    fn an_output_is_cut_into_its_revisions() {
        let down = "BEGIN;\n-- Running downgrade a1 -> \nDROP TABLE t;\nDELETE FROM alembic_version WHERE alembic_version.version_num = 'a1';\nCOMMIT;\n";
        let versions = [
            VersionFile { id: "b2".into(), depends_on: vec!["blue".into()], ..VersionFile::default() },
            VersionFile {
                id: "c2".into(),
                labels: vec!["blue".into()],
                created: Some("2024-03-01 10:00:00.123456".into()),
                ..VersionFile::default()
            },
        ];
        let drafts = import(UP, Some(down), &versions, "alembic_version").expect("drafts");
        let told: Vec<String> = drafts
            .iter()
            .map(|draft| format!("{} < {} : {}", draft.id, crate::revision::join_ids(draft.revises.iter().flatten()), draft.message))
            .collect();
        assert_eq!(told, ["a1 < base : First thing", "b2 < a1 : Revision b2", "c2 < a1 : Revision c2", "d3 < b2, c2 : Revision d3"]);
        assert!(drafts[0].up.stepwise && drafts[0].up.sql.contains("CREATE INDEX CONCURRENTLY i ON t (a);"), "{}", drafts[0].up.sql);
        assert!(!drafts[0].up.sql.contains("alembic_version") && drafts[0].up.sql.contains("-> zz\n'"));
        assert_eq!(drafts[0].down, Some(DraftSection { stepwise: false, sql: "DROP TABLE t;".into() }));
        assert_eq!((drafts[1].up.sql.as_str(), drafts[1].up.stepwise), ("UPDATE t SET a = 'x' WHERE true;", false));
        assert_eq!(crate::revision::join_ids(&drafts[1].depends_on), "c2");
        assert_eq!((drafts[2].branch.as_deref(), drafts[2].created.as_deref()), (Some("blue"), Some("2024-03-01T10:00:00Z")));
        assert_eq!((drafts[3].up.clone(), drafts[3].down.clone()), (DraftSection::no_op(), None));
    }

    /// A revision's part as Alembic ends it.
    fn portion(title: &str, id: &str) -> String {
        format!("-- Running {title}\nCREATE TABLE \"{id}\" ();\nUPDATE alembic_version SET version_num='{id}' WHERE true;\n")
    }

    #[test]
    fn an_output_that_was_cut_off_is_refused() {
        let two = format!("{}{}", portion("upgrade  -> a", "a"), portion("upgrade a -> b", "b"));
        let fault = |up: &str| import(up, None, &[], "alembic_version").expect_err("a fault");
        let id = |id| Id::parse(id).expect("an id");
        assert!(import(&two, None, &[], "alembic_version").is_ok(), "not transactional");
        assert!(import(&format!("BEGIN;\n{two}COMMIT;\n"), None, &[], "alembic_version").is_ok());
        // Wherever it is cut, but between two parts that are not transactional.
        let transactional = format!("BEGIN;\n{two}COMMIT;\n");
        for end in (0..transactional.len()).filter(|end| transactional.is_char_boundary(*end)) {
            let cut = &transactional[..end];
            if !cut.ends_with("COMMIT;") && !cut.ends_with("COMMIT") {
                assert!(import(cut, None, &[], "alembic_version").is_err(), "{cut}");
            }
        }
        assert_eq!(fault(&format!("BEGIN;\n{two}")), ImportError::NoCommit { id: id("b") });
        let after_one = format!("{}-- Running upgrade a -> b\nSELECT 1;\n", portion("upgrade  -> a", "a"));
        let place = LineColumn { line: 4, column: 1 };
        assert_eq!(fault(&after_one), ImportError::Incomplete { place, id: id("b"), version_table: "alembic_version".into() });
        assert!(fault(&after_one).next().contains("Python in b") && fault(&after_one).next().contains("context.is_offline_mode()"));
        let raised =
            "Traceback (most recent call last):\n  File \"x.py\", line 3, in upgrade\n    it's\nAttributeError: 'NoneType' has no 'all'\n";
        for text in
            [format!("{after_one}{raised}"), format!("{after_one}WARN  it's late\n{raised}"), format!("BEGIN;\n{after_one}{raised}{two}")]
        {
            let found = fault(&text);
            assert!(found.to_string().ends_with(": Alembic stopped in revision b: AttributeError: 'NoneType' has no 'all'"), "{found}");
        }
        assert!(fault(raised).to_string().contains("Alembic stopped: AttributeError"));
        let failed = fault(&format!("{two}FAILED: Can't proceed with --sql"));
        assert!(failed.to_string().ends_with("Alembic stopped in revision b: FAILED: Can't proceed with --sql"), "{failed}");
        let quoted = two.replace("()", "(a text DEFAULT '\nTraceback (most recent call last):\n FAILED: x')");
        assert!(import(&quoted, None, &[], "alembic_version").is_ok());
        let other = import(&two, None, &[], "versions").expect_err("a fault");
        assert!(other.to_string().ends_with("Alembic records revision a in alembic_version, not in versions"), "{other}");
        let versions = ["a", "b", "c"].map(|id| VersionFile { id: id.into(), ..VersionFile::default() });
        let fewer = import(&two, None, &versions, "alembic_version").expect_err("a fault");
        assert_eq!(fewer, ImportError::Fewer { found: 2, all: 3, missing: vec!["c".into()] });
    }

    #[test]
    fn what_is_no_whole_output_says_so() {
        let message = |up: &str, down| import(up, down, &[], "alembic_version").expect_err("a fault").to_string();
        assert!(message("SELECT 1;", None).starts_with("there is no line"));
        assert!(message(&portion("upgrade a1 -> b2", "b2"), None).contains("revises a1, which is not in the output"));
        assert!(message("-- Running upgrade  -> a b\n", None).starts_with("line 1, column 1: `a b` can't be an id"));
        assert!(message(&portion("upgrade  -> a", "a").repeat(2), None).contains("a second time"));
        assert!(message("-- Running upgrade  -> a\nSELECT 'x", None).contains("line 2, column 8: revision a: this string is never closed"));
        assert!(message(&portion("upgrade  -> a", "a"), Some(&portion("downgrade b -> a", "b"))).contains("the way down has b"));
    }

    #[test]
    fn a_versions_file_is_read_as_its_template_writes_it() {
        let text = "\"\"\"Add it\n\nRevision ID: ab\nRevises: \nCreate Date: 2024-01-02 03:04:05.6\n\n\"\"\"\nrevision: str = 'ab'\ndown_revision: Union[str, None] = None\nbranch_labels = (\"x\", 'y')  # 'z'\ndepends_on = None\n";
        let found = parse_version_file(text).expect("a version");
        assert_eq!((found.id.as_str(), found.message.as_deref()), ("ab", Some("Add it")));
        assert_eq!((found.labels, found.depends_on), (vec!["x".to_owned(), "y".to_owned()], Vec::new()));
        assert_eq!(parse_version_file("print('x')"), None);
    }
}
