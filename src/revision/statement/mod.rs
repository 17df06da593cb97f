//! SQL text into statements, by PostgreSQL's own tokens.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

pub mod data_loss;
pub mod identifiers;
pub mod kind;
pub mod token;

use std::ops::Range;

use sha2::{Digest, Sha256};
use squawk_lexer::{LiteralKind, TokenKind, tokenize};

use crate::revision::line::normalized;
use crate::revision::{FileProblem, hex};
use token::tokens;

/// One statement of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands in the section's SQL, in bytes, from its first token to its last; without the `;`.
    pub range: Range<usize>,
    /// Its first words in capitals, enough to tell its kind.
    pub words: Vec<String>,
}

/// How many leading words are kept to tell what a statement is.
const KEPT_WORDS: usize = 12;

/// What [`split`] found: the statements, and the faults with their byte offsets.
#[derive(Debug, Default)]
pub struct Split {
    /// The statements in order; empty ones are left out, as the server does.
    pub statements: Vec<Statement>,
    /// What can't be run, each with its byte offset.
    pub problems: Vec<(usize, FileProblem)>,
}

/// Splits at each `;` that ends a statement: not in quotes, comments, parentheses, or the body of a `BEGIN ATOMIC … END`
/// function, as the server's grammar has it. (psql counts the words BEGIN, CASE and END instead, names among them.)
pub fn split(sql: &str) -> Split {
    let mut statements = Vec::new();
    let Walk { problems, .. } = walk(
        sql,
        |_| false,
        |open| {
            statements.push(Statement { words: open.words().iter().map(|word| word.to_ascii_uppercase()).collect(), range: open.range });
        },
    );
    Split { statements, problems }
}

/// What [`check`] found.
#[derive(Debug)]
pub struct Checked {
    /// How many statements there are.
    pub statements: usize,
    /// What can't be run, each with its byte offset.
    pub problems: Vec<(usize, FileProblem)>,
    /// Where the line comment begins that was to be the end, or else the end of the text.
    pub end: usize,
}

/// What can't be run, as [`split`] finds it, up to a line comment that `ends` the text: for texts that are only to be checked.
pub fn check(sql: &str, ends: impl Fn(&Range<usize>) -> bool) -> Checked {
    let mut statements = 0;
    let Walk { problems, end } = walk(sql, ends, |_| statements += 1);
    Checked { statements, problems, end }
}

struct Walk {
    problems: Vec<(usize, FileProblem)>,
    end: usize,
}

/// Goes through the statements, giving each away at its end; what can't be run comes back.
fn walk<'s>(sql: &'s str, ends: impl Fn(&Range<usize>) -> bool, mut done: impl FnMut(Open<'s>)) -> Walk {
    let mut problems = Vec::new();
    let mut current: Option<Open<'s>> = None;
    let mut parentheses: Vec<usize> = Vec::new();
    let mut bodies = Bodies::default();
    let (mut end, mut number) = (sql.len(), 0);
    let mut close = |open: Option<Open<'s>>, problems: &mut Vec<(usize, FileProblem)>| {
        let Some(open) = open else { return };
        problems.extend(open.problem(sql).map(|problem| (open.range.start, problem)));
        done(open);
    };
    for (kind, range) in tokens(sql) {
        if let Some(what) = unterminated(kind) {
            problems.push((range.start, FileProblem::Unterminated(what)));
        }
        match kind {
            // `0x1$$` is a number and a quote to PostgreSQL 16; to 14 it is `0` and the name `x1$$`, and what follows is no string.
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
            TokenKind::Semi if parentheses.is_empty() && bodies.are_closed() => {
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
            bodies = Bodies::default();
            Open { range: range.clone(), kept: [""; KEPT_WORDS], count: 0 }
        });
        open.range.end = range.end;
        if !word.is_empty()
            && let Some(place) = open.kept.get_mut(open.count)
        {
            *place = word;
            open.count += 1;
        }
        if parentheses.is_empty() {
            bodies.token(kind, word, range.start);
        }
        if kind == TokenKind::OpenParen {
            parentheses.push(range.start);
        }
    }
    // An open quote has swallowed what would have closed these.
    if !problems.iter().any(|(_, problem)| matches!(problem, FileProblem::Unterminated(_))) {
        problems.extend(parentheses.first().map(|start| (*start, FileProblem::Unterminated("parenthesis"))));
        problems.extend(bodies.unclosed().filter(|_| parentheses.is_empty()).map(|start| (start, FileProblem::OpenBody)));
    }
    close(current, &mut problems);
    Walk { problems, end }
}

/// The SQL-standard bodies that are open in a statement, as the server's grammar has them: `BEGIN ATOMIC`, statements each
/// with a `;` behind it, `END`. So a body begins at these two words next to each other in a `CREATE FUNCTION` or
/// `CREATE PROCEDURE`, outside of parentheses, and ends at an `END` that is the first word of a statement. Everywhere else BEGIN,
/// ATOMIC, CASE and END are names, labels or parts of an expression.
#[derive(Default)]
struct Bodies<'s> {
    /// Where each begins, and the statement around it, which continues behind it.
    open: Vec<(usize, Lead<'s>)>,
    /// The innermost statement.
    statement: Lead<'s>,
}

/// How a statement begins, and its last token.
#[derive(Default)]
struct Lead<'s> {
    /// Its first tokens; what is not an unquoted word is empty.
    words: [&'s str; 4],
    count: usize,
    /// The last token and where it begins.
    last: (&'s str, usize),
}

impl<'s> Bodies<'s> {
    /// Takes the next token outside of parentheses; `word` is empty if it is not an unquoted word.
    fn token(&mut self, kind: TokenKind, word: &'s str, start: usize) {
        let statement = &mut self.statement;
        if kind == TokenKind::Semi {
            *statement = Lead::default();
        } else if statement.count == 0 && word.eq_ignore_ascii_case("END") && !self.open.is_empty() {
            self.statement = self.open.pop().map(|(_, around)| around).unwrap_or_default();
            self.statement.last = (word, start);
        } else if word.eq_ignore_ascii_case("ATOMIC") && statement.last.0.eq_ignore_ascii_case("BEGIN") && statement.makes_routine() {
            let begin = statement.last.1;
            self.open.push((begin, std::mem::take(statement)));
        } else {
            if let Some(place) = statement.words.get_mut(statement.count) {
                *place = word;
                statement.count += 1;
            }
            statement.last = (word, start);
        }
    }

    fn are_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// Where the outermost body begins that is not closed.
    fn unclosed(&self) -> Option<usize> {
        self.open.first().map(|(start, _)| *start)
    }
}

impl Lead<'_> {
    /// Whether this is `CREATE [OR REPLACE] FUNCTION | PROCEDURE`, whose body may hold statements.
    fn makes_routine(&self) -> bool {
        begins(&self.words, &["CREATE", "FUNCTION|PROCEDURE"]) || begins(&self.words, &["CREATE", "OR", "REPLACE", "FUNCTION|PROCEDURE"])
    }
}

/// A statement whose end is not yet seen.
struct Open<'s> {
    range: Range<usize>,
    kept: [&'s str; KEPT_WORDS],
    count: usize,
}

/// Whether words begin like this; each may be one of several, divided by `|`.
fn begins(words: &[&str], with: &[&str]) -> bool {
    let is_one = |(found, known): (&&str, &&str)| known.split('|').any(|known| found.eq_ignore_ascii_case(known));
    words.len() >= with.len() && words.iter().zip(with).all(is_one)
}

impl<'s> Open<'s> {
    fn words(&self) -> &[&'s str] {
        &self.kept[..self.count]
    }

    fn begins(&self, with: &[&str]) -> bool {
        begins(self.words(), with)
    }

    /// Why it can't be part of a revision.
    fn problem(&self, sql: &str) -> Option<FileProblem> {
        if self.begins(&["ROLLBACK", "TO"]) || self.begins(&["ROLLBACK", "WORK|TRANSACTION", "TO"]) {
            return None;
        }
        if self.begins(&["BEGIN|COMMIT|END|ROLLBACK|ABORT"])
            || self.begins(&["START", "TRANSACTION"])
            || self.begins(&["PREPARE", "TRANSACTION"])
        {
            let shown: Vec<String> = self.words().iter().take(2).map(|word| word.to_ascii_uppercase()).collect();
            return Some(FileProblem::TransactionControl(shown.join(" ")));
        }
        if self.begins(&["COPY"]) {
            return copies_by_client(&sql[self.range.clone()]).map(|stream| FileProblem::CopyStdin(stream.to_owned()));
        }
        None
    }
}

/// `COPY … FROM STDIN` or `TO STDOUT`: the data would come from the client.
fn copies_by_client(sql: &str) -> Option<&'static str> {
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

fn unterminated(kind: TokenKind) -> Option<&'static str> {
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

/// SHA-256, in hexadecimal, of the tokens of `sql`, each followed by a NUL: comments, white space and the case of
/// unquoted words don't count, nor does which line ends there are. Two strings joined by a newline stay two tokens.
pub fn semantic_checksum(sql: &str) -> String {
    let sql = normalized(sql);
    let sql = sql.as_ref();
    let mut hash = Sha256::new();
    let mut offset = 0;
    for token in tokenize(sql) {
        let text = &sql[offset..offset + token.len as usize];
        offset += token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::Ident => hash.update(text.to_ascii_lowercase()),
            _ => hash.update(text),
        }
        hash.update([0]);
    }
    hex(&hash.finalize())
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

    #[test]
    fn only_tokens_count_in_the_semantic_checksum() {
        assert_eq!(semantic_checksum("SELECT  1 -- a\n"), semantic_checksum("select /* b */ 1"));
        assert_ne!(semantic_checksum("SELECT 'a b'"), semantic_checksum("SELECT 'a  b'"));
        assert_ne!(semantic_checksum("SELECT \"A\""), semantic_checksum("SELECT \"a\""));
        assert_ne!(semantic_checksum("SELECT a b"), semantic_checksum("SELECT ab"));
        assert_ne!(semantic_checksum("SELECT Ä"), semantic_checksum("SELECT ä"), "to PostgreSQL these are two names");
    }
}
