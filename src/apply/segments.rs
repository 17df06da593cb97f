//! A simple-query message in segments: which are the revision's text, which are pgmarch's own statements, and which of them the
//! server's error is in.

use std::ops::Range;

use tokio_postgres::error::{DbError, ErrorPosition};

use crate::revision::statement::for_each_statement;
use crate::revision::statement::kind::resets_setting;
use crate::revision::statement::session_setting::leading_isolation_level;
use crate::session::Failure;
use crate::shared_text::TextPart;
use crate::sql::{Message, Sql, begin};

/// A message, and what each segment of it is.
#[derive(Debug, Default)]
pub(super) struct SegmentedMessage {
    text: Sql,
    /// The length of the text in characters: the server counts those.
    length: usize,
    segments: Vec<Segment>,
    /// The number of statements after the one whose rows are kept.
    pub(super) trailing_statements: usize,
}

/// A segment of a message.
#[derive(Debug)]
struct Segment {
    kind: SegmentKind,
    /// Its range in the message, in characters.
    characters: Range<usize>,
    /// The number of its statements.
    statements: usize,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentKind {
    /// Statements of pgmarch ahead of the revision's text.
    Before,
    /// Text of the revision: where the segment begins in the section, in characters and in statements.
    Revision { character: usize, statement: usize },
    /// `SET CONSTRAINTS ALL IMMEDIATE`: runs what the revision has deferred, so its errors are the revision's.
    Deferred,
    /// The check of the version rows and the ledger after the text.
    Check,
    /// Statements of pgmarch between or after the statements of the text.
    After,
    /// COMMIT.
    Commit,
}

/// Where in a message something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorLocation {
    /// In the settings or the fence.
    Before,
    /// At this character of the revision's text, from 0.
    Character(usize),
    /// In this statement of the revision's text, from 0; the server gave no position.
    Statement(usize),
    /// In the check of the version rows and the ledger.
    Check,
    /// In the bookkeeping.
    After,
    /// After the text: in a deferred constraint or trigger, or at COMMIT.
    Commit,
}

/// One statement of a section.
#[derive(Clone, Copy)]
pub(super) struct UserStatement<'a> {
    /// Its text.
    pub(super) sql: &'a str,
    /// Where it begins in the section, in characters.
    pub(super) character: usize,
    /// Its number, from 0.
    pub(super) statement: usize,
}

impl UserStatement<'_> {
    pub(super) fn kind(self) -> SegmentKind {
        SegmentKind::Revision { character: self.character, statement: self.statement }
    }
}

impl SegmentedMessage {
    /// The beginning of a transaction.
    pub(super) fn begin() -> Self {
        Self::begin_for("")
    }

    /// The beginning of the transaction of a revision's text, with the isolation level that its first statements set.
    pub(super) fn begin_for(sql: &str) -> Self {
        let mut message = Self::default();
        message.push(SegmentKind::Before, &begin(leading_isolation_level(sql)), 1);
        message
    }

    /// One statement by itself, without a transaction around it.
    pub(super) fn bare(statement: UserStatement<'_>) -> Self {
        let length = statement.sql.chars().count();
        let segment = Segment { kind: statement.kind(), characters: 0..length, statements: 1 };
        Self { text: Sql::from_file(statement.sql), length, segments: vec![segment], trailing_statements: 0 }
    }

    pub(super) fn push_before(&mut self, statements: impl IntoIterator<Item = Sql>) {
        statements.into_iter().for_each(|statement| self.push(SegmentKind::Before, &statement, 1));
    }

    pub(super) fn push_after(&mut self, statements: impl IntoIterator<Item = Sql>) {
        statements.into_iter().for_each(|statement| self.push(SegmentKind::After, &statement, 1));
    }

    /// The revision's text. After each statement that resets settings to those the session began with, `settings` are set again.
    pub(super) fn push_section(&mut self, section: &TextPart, settings: &Sql) {
        let (mut start, mut first, mut statements) = (0, 0, 0);
        let mut reset_end = None;
        for_each_statement(section, |statement| {
            if let Some(end) = reset_end.take() {
                self.push_text(section, start..end, first..statements);
                self.push(SegmentKind::After, settings, 1);
                (start, first) = (statement.start, statements);
            }
            reset_end = resets_setting(&section[statement.clone()]).then_some(statement.end);
            statements += 1;
        });
        self.push_text(section, start..section.len(), first..statements);
    }

    fn push_text(&mut self, section: &TextPart, bytes: Range<usize>, statements: Range<usize>) {
        let kind = SegmentKind::Revision { character: section[..bytes.start].chars().count(), statement: statements.start };
        let mut sql = Sql::default();
        sql.append_text(section.part(bytes));
        self.push(kind, &sql, statements.len());
    }

    pub(super) fn push(&mut self, kind: SegmentKind, sql: &Sql, statements: usize) {
        let start = self.length;
        self.length += sql.pieces().map(|piece| piece.chars().count()).sum::<usize>();
        self.segments.push(Segment { kind, characters: start..self.length, statements });
        self.text.append(sql);
        // The text may end in a comment, hence the newline; it may lack its last semicolon, hence the semicolon.
        self.text.append_constant("\n;\n");
        self.length += 3;
    }

    /// The message. Its text is moved out, as it may be large; the segments stay to locate errors.
    pub(super) fn take_message(&mut self) -> Message {
        Message::discarding_rows(std::mem::take(&mut self.text), self.trailing_statements)
    }

    /// The location of a failure.
    pub(super) fn locate(&self, failure: &Failure) -> ErrorLocation {
        // Where a prepared statement of pgmarch's fails, the server's position is one in the text of that statement.
        if self.locate_at(failure.completed, None) == ErrorLocation::Check {
            return ErrorLocation::Check;
        }
        self.locate_at(failure.completed, failure.source.as_db_error().and_then(position))
    }

    /// Whether the server refused the bookkeeping. After a lost connection that is unknown.
    pub(super) fn is_bookkeeping_failure(&self, failure: &Failure) -> bool {
        !failure.is_lost() && matches!(self.locate(failure), ErrorLocation::Before | ErrorLocation::Check | ErrorLocation::After)
    }

    /// How many transactions of the message were committed before it failed.
    pub(super) fn commits_before(&self, failure: &Failure) -> usize {
        let mut statements = 0;
        let is_complete = |segment: &&Segment| {
            statements += segment.statements;
            statements <= failure.completed
        };
        self.segments.iter().take_while(is_complete).filter(|segment| segment.kind == SegmentKind::Commit).count()
    }

    /// Located by the server's position in the message if it gave one, else by how many statements had completed.
    fn locate_at(&self, completed: usize, position: Option<usize>) -> ErrorLocation {
        if let Some(position) = position {
            // At the end of the input the server's position is one past it.
            let segment = self.segments.iter().rev().find(|segment| segment.characters.start <= position);
            return match segment.map(|segment| (segment.kind, position - segment.characters.start)) {
                Some((SegmentKind::Revision { character, .. }, within)) => ErrorLocation::Character(character + within),
                Some((SegmentKind::Check, _)) => ErrorLocation::Check,
                Some((SegmentKind::After, _)) => ErrorLocation::After,
                Some((SegmentKind::Deferred | SegmentKind::Commit, _)) => ErrorLocation::Commit,
                Some((SegmentKind::Before, _)) | None => ErrorLocation::Before,
            };
        }
        let mut remaining = completed;
        for segment in &self.segments {
            if remaining < segment.statements {
                return match segment.kind {
                    SegmentKind::Before => ErrorLocation::Before,
                    SegmentKind::Revision { statement, .. } => ErrorLocation::Statement(statement + remaining),
                    SegmentKind::Check => ErrorLocation::Check,
                    SegmentKind::After => ErrorLocation::After,
                    SegmentKind::Deferred | SegmentKind::Commit => ErrorLocation::Commit,
                };
            }
            remaining -= segment.statements;
        }
        ErrorLocation::After
    }
}

/// The server's position of an error in its message, in characters from 0.
fn position(error: &DbError) -> Option<usize> {
    match error.position() {
        Some(ErrorPosition::Original(position)) => Some(*position as usize).filter(|position| *position > 0).map(|position| position - 1),
        Some(ErrorPosition::Internal { .. }) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_text::SharedText;

    fn message(sql: &str) -> SegmentedMessage {
        let mut message = SegmentedMessage::begin();
        message.push_before(["SELECT 'ä'", "SELECT 2"].map(Sql::of));
        message.push_section(&SharedText::from(sql).part(0..sql.len()), &Sql::of("SELECT set_config()"));
        message.push_after([Sql::of("SELECT 3")]);
        message.push(SegmentKind::Commit, &Sql::of("COMMIT"), 1);
        message
    }

    fn position(message: &SegmentedMessage, text: &str) -> Option<usize> {
        message.text.text().find(text).map(|byte| message.text.text()[..byte].chars().count())
    }

    #[test]
    fn a_failure_is_located_by_position_or_by_count() {
        let message = message("one; two");
        assert_eq!(message.locate_at(0, position(&message, "'ä'")), ErrorLocation::Before);
        assert_eq!(message.locate_at(0, position(&message, "one")), ErrorLocation::Character(0));
        assert_eq!(message.locate_at(0, position(&message, "two")), ErrorLocation::Character(5));
        assert_eq!(message.locate_at(0, position(&message, "3")), ErrorLocation::After);
        assert_eq!(message.locate_at(2, None), ErrorLocation::Before);
        assert_eq!(message.locate_at(3, None), ErrorLocation::Statement(0));
        assert_eq!(message.locate_at(4, None), ErrorLocation::Statement(1));
        assert_eq!(message.locate_at(5, None), ErrorLocation::After);
        assert_eq!(message.locate_at(6, None), ErrorLocation::Commit);
    }

    #[test]
    fn a_reset_is_followed_by_our_settings_and_locations_stay_right() {
        let sql = "SET LOCAL lock_timeout = 1;\nRESET ALL -- ü; not here\n; ALTER x; RESET lock_timeout";
        let message = message(sql);
        assert!(message.text.text().contains("RESET ALL\n;\nSELECT set_config()\n;\n"), "{}", message.text);
        assert_eq!(message.text.text().matches("set_config").count(), 1, "nothing follows the last one");
        let alter = sql.chars().take_while(|c| *c != 'A').count();
        assert!(alter < sql.chars().count());
        let ErrorLocation::Character(found) = message.locate_at(0, position(&message, "ALTER x")) else { panic!("not in the text") };
        assert_eq!(sql.chars().skip(found).take(7).collect::<String>(), "ALTER x");
        // BEGIN, two of ours, two of the text, the settings: then ALTER.
        assert_eq!(message.locate_at(6, None), ErrorLocation::Statement(2));
        assert_eq!(message.locate_at(5, None), ErrorLocation::After);
        assert_eq!(message.locate_at(7, None), ErrorLocation::Statement(3));
    }
}
