//! SQL text split into statements, by PostgreSQL's own tokens.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

pub(crate) mod data_loss;
pub(crate) mod identifiers;
pub(crate) mod kind;
mod leading_words;
mod routine_body;
pub(crate) mod session_setting;
pub(crate) mod token;

use std::ops::Range;

use leading_words::begins_with;
use routine_body::RoutineBodies;
use squawk_lexer::{LiteralKind, TokenKind};
use token::tokens;

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
    let WalkResult { problems, .. } = walk(
        sql,
        |_| false,
        |open| {
            statements.push(Statement { words: open.words().iter().map(|word| word.to_ascii_uppercase()).collect(), range: open.range });
        },
    );
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
    /// The byte where the comment begins that ended the check, or the end of the text.
    pub end: usize,
}

/// The same problems as [`split`], without the statements, up to a line comment for which `ends` is true.
pub(crate) fn check(sql: &str, ends: impl Fn(&Range<usize>) -> bool) -> Checked {
    let mut statements = 0;
    let WalkResult { problems, end } = walk(sql, ends, |_| statements += 1);
    Checked { statements, problems, end }
}

struct WalkResult {
    problems: Vec<(usize, FileProblem)>,
    end: usize,
}

/// Passes each statement to `done` at its end; returns what can't be run.
fn walk<'s>(sql: &'s str, ends: impl Fn(&Range<usize>) -> bool, mut done: impl FnMut(OpenStatement<'s>)) -> WalkResult {
    let mut problems = Vec::new();
    let mut current: Option<OpenStatement<'s>> = None;
    let mut parentheses: Vec<usize> = Vec::new();
    let mut bodies = RoutineBodies::default();
    let (mut end, mut number) = (sql.len(), 0);
    let mut close = |open: Option<OpenStatement<'s>>, problems: &mut Vec<(usize, FileProblem)>| {
        let Some(open) = open else { return };
        problems.extend(open.find_problem(sql).map(|problem| (open.range.start, problem)));
        done(open);
    };
    for (kind, range) in tokens(sql) {
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
                close(current.take(), &mut problems);
                continue;
            }
            TokenKind::Unknown if &sql[range.clone()] == "\\" => {
                let command: String = sql[range.start..].chars().take_while(|c| !c.is_whitespace()).collect();
                problems.push((range.start, FileProblem::MetaCommand(command)));
            }
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
    close(current, &mut problems);
    WalkResult { problems, end }
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

    /// Why it can't be in a revision.
    fn find_problem(&self, sql: &str) -> Option<FileProblem> {
        if self.begins_with(&["ROLLBACK", "TO"]) || self.begins_with(&["ROLLBACK", "WORK|TRANSACTION", "TO"]) {
            return None;
        }
        if self.begins_with(&["BEGIN|COMMIT|END|ROLLBACK|ABORT"])
            || self.begins_with(&["START", "TRANSACTION"])
            || self.begins_with(&["PREPARE", "TRANSACTION"])
        {
            let shown: Vec<String> = self.words().iter().take(2).map(|word| word.to_ascii_uppercase()).collect();
            return Some(FileProblem::TransactionControl(shown.join(" ")));
        }
        if self.begins_with(&["COPY"]) {
            return find_client_copy(&sql[self.range.clone()]).map(|stream| FileProblem::CopyStdin(stream.to_owned()));
        }
        None
    }
}

/// `COPY … FROM STDIN` or `TO STDOUT`, whose data is exchanged with the client.
fn find_client_copy(sql: &str) -> Option<&'static str> {
    let (mut depth, mut before) = (0usize, String::new());
    for (kind, range) in tokens(sql) {
        let text = &sql[range];
        match kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth = depth.saturating_sub(1),
            TokenKind::Ident if depth == 0 => {
                let word = text.to_ascii_uppercase();
                match (before.as_str(), word.as_str()) {
                    ("FROM", "STDIN") => return Some("COPY … FROM STDIN"),
                    ("TO", "STDOUT") => return Some("COPY … TO STDOUT"),
                    _ => before = word,
                }
            }
            _ => {}
        }
    }
    None
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
        assert!(matches!(split("COPY t (a) FROM stdin").problems.as_slice(), [(0, FileProblem::CopyStdin(_))]));
        assert!(matches!(split("COPY (SELECT 1) TO STDOUT").problems.as_slice(), [(0, FileProblem::CopyStdin(_))]));
        assert_eq!(split("COPY t FROM '/stdin'").problems, []);
        assert!(matches!(split("\\i other.sql\n").problems.as_slice(), [(0, FileProblem::MetaCommand(_)), ..]));
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
