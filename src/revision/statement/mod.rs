//! SQL text split into statements, by PostgreSQL's own tokens.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

mod client_data;
pub(crate) mod data_loss;
pub(crate) mod identifiers;
pub(crate) mod kind;
mod leading_words;
mod routine_body;
pub(crate) mod session_setting;
pub(crate) mod token;
mod transaction_block;
mod transaction_control;

use std::ops::Range;

use client_data::{ClientCopy, end_of_copied_rows, end_of_restrict_line, find_client_copy};
use leading_words::begins_with;
use routine_body::RoutineBodies;
use squawk_lexer::{LiteralKind, TokenKind};
use token::tokens;
pub use transaction_block::RefusedStatement;
use transaction_block::refused_in_transaction;
use transaction_control::transaction_effect;
pub(crate) use transaction_control::{TransactionControl, outer_transaction};

use super::fault::FileProblem;

/// One statement of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its byte range in the section's SQL, from its first token to its last; without the `;`.
    pub range: Range<usize>,
    /// Its first words in capitals, enough to classify it.
    pub words: Vec<String>,
}

/// How many of a statement's first words are kept.
const KEPT_WORDS: usize = 12;

/// The result of [`split`].
#[derive(Debug, Default)]
pub struct Split {
    /// The statements in order, without empty ones.
    pub statements: Vec<Statement>,
    /// What can't be run, each with its byte offset.
    pub problems: Vec<(usize, FileProblem)>,
}

/// Splits SQL at each `;` outside of quotes, comments, parentheses and `BEGIN ATOMIC … END` bodies, as the server's grammar does. (psql
/// counts the words BEGIN, CASE and END instead, names included.)
pub fn split(sql: &str) -> Split {
    let mut statements = Vec::new();
    let WalkResult { mut problems, controls, .. } = walk(
        sql,
        |_| false,
        |open| {
            statements.push(Statement { words: open.words().iter().map(|word| word.to_ascii_uppercase()).collect(), range: open.range });
        },
    );
    problems.extend(controls.iter().map(|control| (control.range.start, control.problem())));
    problems.sort_by_key(|(offset, _)| *offset);
    Split { statements, problems }
}

/// Passes the byte range of each statement of [`split`] to `found`, without keeping any: a text may have millions.
pub(crate) fn for_each_statement(sql: &str, mut found: impl FnMut(Range<usize>)) {
    walk(sql, |_| false, |open| found(open.range));
}

/// The result of [`check`].
#[derive(Debug)]
pub(crate) struct Checked {
    /// The number of statements.
    pub statements: usize,
    /// What can't be run, each with its byte offset.
    pub problems: Vec<(usize, FileProblem)>,
    /// The statements that begin or end a transaction.
    pub controls: Vec<TransactionControl>,
    /// The statements that can't run in a transaction.
    pub refused: Vec<RefusedStatement>,
    /// The lines that only psql needs.
    pub restrict_lines: Vec<Range<usize>>,
    /// From the first statement to the last one, with its `;`.
    pub content: Option<Range<usize>>,
    /// The byte where the comment begins that ended the check, or the end of the text.
    pub end: usize,
}

/// The same problems as [`split`], without the statements, up to a line comment for which `ends` is true.
pub(crate) fn check(sql: &str, ends: impl Fn(&Range<usize>) -> bool) -> Checked {
    let (mut statements, mut refused) = (0, Vec::new());
    let count = |open: OpenStatement<'_>| {
        let what = refused_in_transaction(open.words(), &sql[open.range.clone()]);
        refused.extend(what.map(|what| RefusedStatement { start: open.range.start, what }));
        statements += 1;
    };
    let WalkResult { problems, controls, restrict_lines, content, end } = walk(sql, ends, count);
    Checked { statements, problems, controls, refused, restrict_lines, content, end }
}

/// The text with each line that only psql needs replaced by blanks; `None` if it has none.
pub(crate) fn blank_restrict_lines(sql: &str) -> Option<String> {
    let lines = walk(sql, |_| false, drop).restrict_lines;
    (!lines.is_empty()).then(|| blank(sql, lines))
}

/// The text with these ranges, which are ASCII, replaced by blanks.
pub(crate) fn blank(sql: &str, ranges: impl IntoIterator<Item = Range<usize>>) -> String {
    let mut blanked = sql.to_owned();
    ranges.into_iter().for_each(|range| blanked.replace_range(range.clone(), &" ".repeat(range.len())));
    blanked
}

struct WalkResult {
    problems: Vec<(usize, FileProblem)>,
    controls: Vec<TransactionControl>,
    restrict_lines: Vec<Range<usize>>,
    content: Option<Range<usize>>,
    end: usize,
}

/// Passes each statement to `done` at its end; returns what can't be run.
fn walk<'s>(sql: &'s str, ends: impl Fn(&Range<usize>) -> bool, mut done: impl FnMut(OpenStatement<'s>)) -> WalkResult {
    let (mut problems, mut controls, mut restrict_lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut current: Option<OpenStatement<'s>> = None;
    let mut parentheses: Vec<usize> = Vec::new();
    let mut bodies = RoutineBodies::default();
    let mut content: Option<Range<usize>> = None;
    let (mut end, mut number, mut statements) = (sql.len(), 0, 0);
    // Takes the statement that ends at byte `end`; returns whether rows for `COPY` follow.
    let mut close = |open: Option<OpenStatement<'s>>, end: usize, problems: &mut Vec<(usize, FileProblem)>| {
        let Some(open) = open else { return false };
        let copy = if open.begins_with(&["COPY"]) { find_client_copy(&sql[open.range.clone()]) } else { None };
        problems.extend(copy.map(|copy| (open.range.start, describe_copy(copy))));
        controls.extend(transaction_effect(open.words()).map(|effect| {
            let shown: Vec<String> = open.words().iter().take(2).map(|word| word.to_ascii_uppercase()).collect();
            TransactionControl { range: open.range.start..end, number: statements, shown: shown.join(" "), effect }
        }));
        statements += 1;
        content.get_or_insert(open.range.start..end).end = end;
        done(open);
        copy == Some(ClientCopy::FromStdin)
    };
    let (mut base, mut lexer) = (0, tokens(sql));
    while let Some((kind, range)) = lexer.next() {
        let range = base + range.start..base + range.end;
        if let Some(what) = describe_unterminated(kind) {
            problems.push((range.start, FileProblem::Unterminated(what)));
        }
        match kind {
            // `0x1$$`: since PostgreSQL 16 a number and a dollar quote, before that `0` and the name `x1$$`.
            TokenKind::Literal { kind: LiteralKind::DollarQuotedString { .. } } if number == range.start && number > 0 => {
                problems.push((range.start, FileProblem::QuoteAtNumber));
            }
            TokenKind::Literal { kind: LiteralKind::Int { .. } | LiteralKind::Numeric { .. } } => number = range.end,
            _ => {}
        }
        match kind {
            TokenKind::LineComment if ends(&range) => {
                end = range.start;
                break;
            }
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::Semi if parentheses.is_empty() && bodies.is_empty() => {
                if close(current.take(), range.end, &mut problems) {
                    base = end_of_copied_rows(sql, range.end, &ends);
                    lexer = tokens(&sql[base..]);
                }
                continue;
            }
            TokenKind::Unknown if &sql[range.clone()] == "\\" => match end_of_restrict_line(sql, range.start) {
                Some(end) if current.is_none() => {
                    restrict_lines.push(range.start..end);
                    (base, lexer) = (end, tokens(&sql[end..]));
                    continue;
                }
                _ => {
                    let command: String = sql[range.start..].chars().take_while(|c| !c.is_whitespace()).collect();
                    problems.push((range.start, FileProblem::MetaCommand(command)));
                }
            },
            TokenKind::CloseParen => drop(parentheses.pop()),
            _ => {}
        }
        let word = if kind == TokenKind::Ident { &sql[range.clone()] } else { "" };
        let open = current.get_or_insert_with(|| {
            bodies = RoutineBodies::default();
            OpenStatement { range: range.clone(), kept: [""; KEPT_WORDS], count: 0 }
        });
        open.range.end = range.end;
        if !word.is_empty()
            && let Some(slot) = open.kept.get_mut(open.count)
        {
            *slot = word;
            open.count += 1;
        }
        if parentheses.is_empty() {
            bodies.push(kind, word, range.start);
        }
        if kind == TokenKind::OpenParen {
            parentheses.push(range.start);
        }
    }
    // After an unterminated quote these would only be consequences of it.
    if !problems.iter().any(|(_, problem)| matches!(problem, FileProblem::Unterminated(_))) {
        problems.extend(parentheses.first().map(|start| (*start, FileProblem::Unterminated("parenthesis"))));
        problems.extend(bodies.outermost().filter(|_| parentheses.is_empty()).map(|start| (start, FileProblem::OpenBody)));
    }
    let last = current.as_ref().map_or(0, |open| open.range.end);
    close(current, last, &mut problems);
    WalkResult { problems, controls, restrict_lines, content, end }
}

/// A statement whose end was not reached yet.
struct OpenStatement<'s> {
    range: Range<usize>,
    kept: [&'s str; KEPT_WORDS],
    count: usize,
}

impl<'s> OpenStatement<'s> {
    fn words(&self) -> &[&'s str] {
        &self.kept[..self.count]
    }

    fn begins_with(&self, with: &[&str]) -> bool {
        begins_with(self.words(), with)
    }
}

/// The problem of a `COPY` that exchanges its rows with the client.
fn describe_copy(copy: ClientCopy) -> FileProblem {
    match copy {
        ClientCopy::FromStdin => FileProblem::CopyFromStdin,
        ClientCopy::ToStdout => FileProblem::CopyToStdout,
    }
}

/// What is not terminated: the kind of an unterminated token.
fn describe_unterminated(kind: TokenKind) -> Option<&'static str> {
    match kind {
        TokenKind::BlockComment { terminated: false } => Some("comment"),
        TokenKind::QuotedIdent { terminated: false, .. } => Some("quoted name"),
        TokenKind::Literal { kind } => match kind {
            LiteralKind::Str { terminated: false }
            | LiteralKind::NationalStr { terminated: false }
            | LiteralKind::ByteStr { terminated: false }
            | LiteralKind::BitStr { terminated: false }
            | LiteralKind::UnicodeEscStr { terminated: false }
            | LiteralKind::EscStr { terminated: false } => Some("string"),
            LiteralKind::DollarQuotedString { terminated: false } => Some("dollar-quoted string"),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        split(sql).statements.iter().map(|statement| &sql[statement.range.clone()]).collect()
    }

    #[test]
    fn semicolons_in_quotes_comments_and_bodies_do_not_end_a_statement() {
        let sql = "SELECT ';', \";\", $$;$$, $a$;$a$ /* ; /* ; */ */ -- ;\n; ; CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\nSELECT 3";
        let found = texts(sql);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[2], "SELECT 3");
    }

    #[test]
    fn a_body_begins_and_ends_where_the_grammar_says() {
        for routine in [
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT k.end FROM k; END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 end; END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS begin, 2 AS atomic, 3 case; SELECT begin atomic FROM k; END",
            "CREATE FUNCTION begin() RETURNS int RETURN 1",
            "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION x.end(begin int, \"end\" atomic) RETURNS begin LANGUAGE sql AS $$SELECT 1$$",
            "CREATE PROCEDURE begin(begin begin DEFAULT 1) BEGIN ATOMIC ; ; SELECT (SELECT 1 end); END",
            "CREATE FUNCTION f() RETURNS TABLE (begin atomic) SET begin.atomic = begin BEGIN /* */ ATOMIC END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2; END",
            "CREATE VIEW v AS SELECT begin atomic FROM k",
            "create procedure p() begin atomic (SELECT 1); end",
        ] {
            let sql = format!("{routine}; SELECT 1; COMMIT");
            assert_eq!(texts(&sql), [routine, "SELECT 1", "COMMIT"]);
            assert!(matches!(split(&sql).problems.as_slice(), [(_, FileProblem::TransactionControl(_))]), "{sql}");
        }
        for (sql, at) in [
            ("SELECT 1; CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; COMMIT", 42),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 END; COMMIT", 32),
            ("CREATE FUNCTION f() BEGIN ATOMIC CREATE FUNCTION g() BEGIN ATOMIC SELECT 1; END; COMMIT", 20),
        ] {
            assert_eq!(split(sql).problems, [(at, FileProblem::OpenBody)], "{sql}");
        }
        assert_eq!(split("SELECT (1; COMMIT;").problems, [(7, FileProblem::Unterminated("parenthesis"))]);
    }

    #[test]
    fn text_that_would_end_the_transaction_is_found() {
        for sql in [
            "COMMIT",
            "begin;",
            "End work",
            "ROLLBACK",
            "abort",
            "START TRANSACTION",
            "PREPARE TRANSACTION 'x'",
            "COMMIT PREPARED 'x'",
            "SELECT 1; /* */ commit",
        ] {
            assert!(matches!(split(sql).problems.as_slice(), [(_, FileProblem::TransactionControl(_))]), "{sql}");
        }
        for sql in [
            "SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; RELEASE a",
            "PREPARE p AS SELECT 1",
            "DO $$BEGIN COMMIT; END$$",
            "SELECT 'COMMIT;'",
        ] {
            assert_eq!(split(sql).problems, [], "{sql}");
        }
    }

    #[test]
    fn client_side_copy_and_meta_commands_are_found() {
        assert_eq!(split("COPY t (a) FROM stdin").problems, [(0, FileProblem::CopyFromStdin)]);
        assert_eq!(split("COPY (SELECT 1) TO STDOUT").problems, [(0, FileProblem::CopyToStdout)]);
        assert_eq!(split("COPY t FROM '/stdin'").problems, []);
        assert!(matches!(split("\\i other.sql\n").problems.as_slice(), [(0, FileProblem::MetaCommand(_)), ..]));
    }

    #[test]
    fn the_rows_of_a_copy_are_one_problem_with_it() {
        let sql = "SELECT 1;\nCOPY t FROM stdin;\n1\tit's\n\\N\t$$\n\\.\nSELECT 2; COPY t FROM stdin;\n\\.\n";
        assert_eq!(split(sql).problems, [(10, FileProblem::CopyFromStdin), (55, FileProblem::CopyFromStdin)]);
        assert_eq!(texts(sql)[2], "SELECT 2");
    }

    #[test]
    fn lines_for_psql_alone_are_ignored_between_statements() {
        let sql = "-- a dump\n\\restrict 1eX'\nSELECT 1;";
        assert!(matches!(split(sql).problems.as_slice(), [(10, FileProblem::MetaCommand(_)), ..]), "that is none");
        let sql = "-- a dump\n\\restrict 1eXu\n\nSELECT 1;\n\\unrestrict 1eXu\n\\restrict b\r\nSELECT 2;\n\\unrestrict b";
        assert_eq!((split(sql).problems, texts(sql)), (Vec::new(), vec!["SELECT 1", "SELECT 2"]));
        let blanked = blank_restrict_lines(sql).expect("lines");
        assert_eq!((blanked.len(), blanked.contains('\\'), texts(&blanked)), (sql.len(), false, texts(sql)));
        assert_eq!(blank_restrict_lines("SELECT 1"), None);
        assert!(matches!(split("SELECT 1\n\\restrict a\n").problems.as_slice(), [(9, FileProblem::MetaCommand(_))]));
    }

    #[test]
    fn a_quote_that_servers_read_in_two_ways_is_found() {
        for sql in ["SELECT 0x1$$; COMMIT; SELECT 0x1$$", "SELECT 1.5e$$; COMMIT;$$", "SELECT 1$a$;$a$"] {
            assert!(split(sql).problems.iter().any(|(_, problem)| *problem == FileProblem::QuoteAtNumber), "{sql}");
        }
        assert_eq!(split("SELECT 0x1, $$;$$, a1$$, 1 $$a$$").problems, []);
    }

    #[test]
    fn what_is_never_closed_is_found() {
        for (sql, what) in
            [("SELECT 'a", "string"), ("SELECT \"a", "quoted name"), ("/* a", "comment"), ("SELECT $x$a", "dollar-quoted string")]
        {
            assert_eq!(split(sql).problems.last().map(|(_, problem)| problem.clone()), Some(FileProblem::Unterminated(what)), "{sql}");
        }
    }
}
