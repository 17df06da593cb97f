//! The output of `alembic upgrade --sql` or `downgrade --sql`, split into revisions.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::collections::BTreeMap;
use std::ops::Range;

use squawk_lexer::TokenKind;

use super::error::ImportError;
use super::version_table::{contains_id, find_other_version_table, is_on_version_table};
use crate::revision::format::draft::DraftSection;
use crate::revision::line::{line_start, lines};
use crate::revision::statement::split;
use crate::revision::statement::token::tokens;
use crate::revision::{Direction, FileProblem, Id, LineColumn};

/// What the output contains for one revision.
#[derive(Debug)]
pub(super) struct RevisionOutput {
    /// The revision's id.
    pub(super) id: Id,
    /// Its `down_revision`s, as the upgrade's output names them.
    pub(super) down_revisions: Vec<Id>,
    /// Its statements, without those on the version table.
    pub(super) section: DraftSection,
}

/// The output without Alembic's log lines, which `2>&1` puts anywhere in it. The revisions' messages, which only the log has, go to
/// `messages`.
pub(super) fn strip_log(text: &str, messages: &mut BTreeMap<String, String>) -> String {
    const LOG: &str = "INFO  [alembic.";
    let mut stripped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(LOG) {
        stripped += &rest[..start];
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
    stripped + rest
}

/// Splits the output at the lines `-- Running upgrade FROM -> TO` (or `downgrade`), each of which begins a revision.
pub(super) fn split_revisions(text: &str, direction: Direction, version_table: &str) -> Result<Vec<RevisionOutput>, ImportError> {
    let mut found: Vec<RevisionOutput> = Vec::new();
    let mut open: Option<OpenRevision> = None;
    for (kind, range) in tokens(text) {
        let piece = &text[range.clone()];
        let start = range.start;
        let title = match kind {
            TokenKind::LineComment => piece.strip_prefix("-- Running ").and_then(|rest| rest.strip_prefix(direction.verb())),
            TokenKind::Ident if matches!(piece, "Traceback" | "FAILED") => {
                if let Some(error) = find_stop(text, start) {
                    return Err(ImportError::Stopped { place: LineColumn::of(text, start), id: open.map(|open| open.id), error });
                }
                None
            }
            _ => None,
        };
        let Some(title) = title else { continue };
        found.extend(open.take().map(|open| open.close(text, start, version_table)).transpose()?);
        let place = LineColumn::of(text, start);
        let wrong = || ImportError::MalformedTitle { place, line: piece.trim_end().to_owned() };
        let (from, to) = title.split_once("->").ok_or_else(wrong)?;
        let ids = |list: &str| -> Result<Vec<Id>, ImportError> {
            let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
            words.map(|word| Id::parse(word).map_err(|problem| ImportError::BadId { place, problem })).collect()
        };
        let (own, down_revisions) = match direction {
            Direction::Up => (ids(to)?, ids(from)?),
            Direction::Down => (ids(from)?, ids(to)?),
        };
        let [id] = <[Id; 1]>::try_from(own).map_err(|_| wrong())?;
        if found.iter().any(|other| other.id == id) {
            return Err(ImportError::RepeatedId { place, id });
        }
        open = Some(OpenRevision { id, down_revisions, title: start, start: range.end });
    }
    found.extend(open.map(|open| open.close(text, text.len(), version_table)).transpose()?);
    let words = split(text).statements.into_iter().map(|statement| statement.words);
    let in_transaction = words.fold(false, |inside, words| match words.as_slice() {
        [begin] if begin == "BEGIN" => true,
        [commit] if commit == "COMMIT" => false,
        _ => inside,
    });
    match found.last() {
        Some(last) if in_transaction => Err(ImportError::NoCommit { id: last.id.clone() }),
        _ => Ok(found),
    }
}

/// A revision whose title line was read; its statements follow.
struct OpenRevision {
    id: Id,
    down_revisions: Vec<Id>,
    /// Where the title line begins.
    title: usize,
    /// Where the title line ends.
    start: usize,
}

/// The error with which Python or Alembic stopped (on standard error, through `2>&1`), if its message begins at `start`.
fn find_stop(text: &str, start: usize) -> Option<String> {
    if line_start(text, start) != start {
        return None;
    }
    let mut lines = lines(&text[start..]).map(|line| line.text);
    let first = lines.next()?;
    if first.starts_with("FAILED: ") {
        return Some(first.trim_end().to_owned());
    }
    // A traceback: indented lines for the calls, then the exception.
    let raised = lines.find(|line| !line.is_empty() && !line.starts_with([' ', '\t']));
    first.starts_with("Traceback (most recent call last):").then(|| raised.unwrap_or(first).trim_end().to_owned())
}

/// The same anywhere in a part of the output. Searched by lines, because Python's text is not SQL: an apostrophe in it begins a string.
fn find_stop_within(text: &str, part: Range<usize>, id: &Id) -> Option<ImportError> {
    let found = lines(&text[part.clone()]).find_map(|line| {
        let at = part.start + line.range.start;
        Some((at, find_stop(text, at)?))
    });
    found.map(|(at, error)| ImportError::Stopped { place: LineColumn::of(text, at), id: Some(id.clone()), error })
}

impl OpenRevision {
    /// Reads the statements up to byte `end`.
    fn close(self, text: &str, end: usize, version_table: &str) -> Result<RevisionOutput, ImportError> {
        let Self { id, down_revisions, title, start } = self;
        let sql = &text[start..end];
        let mut own_statements = Vec::new();
        let mut is_recorded = false;
        let (mut outside, mut ever_outside) = (false, false);
        let statements = split(sql);
        for statement in &statements.statements {
            let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["BEGIN"] => outside = false,
                ["COMMIT"] => outside = true,
                _ if is_on_version_table(&sql[statement.range.clone()], version_table) => {
                    is_recorded |= contains_id(&sql[statement.range.clone()], &id)
                }
                _ => {
                    // Between COMMIT and BEGIN: statements of an `autocommit_block()`, which can't run in a transaction.
                    ever_outside |= outside;
                    own_statements.push(sql[statement.range.clone()].trim());
                }
            }
        }
        let bad = statements.problems.iter().find(
            |(_, problem)| !matches!(problem, FileProblem::TransactionControl(word) if word.starts_with("BEGIN") || word.starts_with("COMMIT")),
        );
        if let Some((offset, problem)) = bad {
            return Err(find_stop_within(text, start..text.len(), &id).unwrap_or(ImportError::Statement {
                place: LineColumn::of(text, start + offset),
                id,
                problem: problem.clone(),
            }));
        }
        if !is_recorded {
            let (place, version_table) = (LineColumn::of(text, title), version_table.to_owned());
            return Err(match own_statements.iter().find_map(|statement| find_other_version_table(statement, &id)) {
                Some(table) => ImportError::OtherTable { place, id, table, version_table },
                None => find_stop_within(text, start..end, &id).unwrap_or(ImportError::Incomplete { place, id, version_table }),
            });
        }
        let section = match own_statements.as_slice() {
            [] => DraftSection::no_op(),
            own_statements => DraftSection {
                stepwise: ever_outside,
                sql: own_statements.iter().map(|statement| format!("{statement};")).collect::<Vec<_>>().join("\n\n"),
            },
        };
        Ok(RevisionOutput { id, down_revisions, section })
    }
}
