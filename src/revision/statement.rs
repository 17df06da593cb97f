//! SQL text into statements, by PostgreSQL's own tokens.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::ops::Range;

use sha2::{Digest, Sha256};
use squawk_lexer::{LiteralKind, TokenKind, tokenize};

use super::{Problem, hex};

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
    pub problems: Vec<(usize, Problem)>,
}

/// Splits at each `;` that ends a statement: not in quotes, comments, parentheses, or the body of a
/// `BEGIN ATOMIC … END` function (the rule psql follows in `psqlscan.l`).
pub fn split(sql: &str) -> Split {
    let mut statements = Vec::new();
    let problems = walk(sql, |open| {
        statements.push(Statement { words: open.words().iter().map(|word| word.to_ascii_uppercase()).collect(), range: open.range });
    });
    Split { statements, problems }
}

/// What can't be run, as [`split`] finds it, and how many statements there are: for texts that are only to be checked.
pub fn check(sql: &str) -> (usize, Vec<(usize, Problem)>) {
    let mut count = 0;
    let problems = walk(sql, |_| count += 1);
    (count, problems)
}

/// Goes through the statements, giving each away at its end; what can't be run comes back.
fn walk<'s>(sql: &'s str, mut done: impl FnMut(Open<'s>)) -> Vec<(usize, Problem)> {
    let mut problems = Vec::new();
    let mut current: Option<Open<'s>> = None;
    let (mut offset, mut parentheses, mut bodies) = (0, 0usize, 0usize);
    let mut close = |open: Option<Open<'s>>, problems: &mut Vec<(usize, Problem)>| {
        let Some(open) = open else { return };
        problems.extend(open.problem(sql).map(|problem| (open.range.start, problem)));
        done(open);
    };
    for token in tokenize(sql) {
        let range = offset..offset + token.len as usize;
        offset = range.end;
        if let Some(what) = unterminated(token.kind) {
            problems.push((range.start, Problem::Unterminated(what)));
        }
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::Semi if parentheses == 0 && bodies == 0 => {
                close(current.take(), &mut problems);
                continue;
            }
            TokenKind::Unknown if &sql[range.clone()] == "\\" => {
                let command: String = sql[range.start..].chars().take_while(|c| !c.is_whitespace()).collect();
                problems.push((range.start, Problem::MetaCommand(command)));
            }
            TokenKind::OpenParen => parentheses += 1,
            TokenKind::CloseParen => parentheses = parentheses.saturating_sub(1),
            _ => {}
        }
        let open = current.get_or_insert_with(|| Open { range: range.clone(), kept: [""; KEPT_WORDS], count: 0 });
        open.range.end = range.end;
        if token.kind == TokenKind::Ident {
            let word = &sql[range];
            if parentheses == 0 && open.makes_routine() {
                if word.eq_ignore_ascii_case("BEGIN") || bodies > 0 && word.eq_ignore_ascii_case("CASE") {
                    bodies += 1;
                } else if word.eq_ignore_ascii_case("END") {
                    bodies = bodies.saturating_sub(1);
                }
            }
            if let Some(place) = open.kept.get_mut(open.count) {
                *place = word;
                open.count += 1;
            }
        }
    }
    close(current, &mut problems);
    problems
}

/// A statement whose end is not yet seen.
struct Open<'s> {
    range: Range<usize>,
    kept: [&'s str; KEPT_WORDS],
    count: usize,
}

impl<'s> Open<'s> {
    fn words(&self) -> &[&'s str] {
        &self.kept[..self.count]
    }

    /// Whether its words begin like this; each may be one of several, divided by `|`.
    fn begins(&self, words: &[&str]) -> bool {
        let is_one = |(found, known): (&&str, &&str)| known.split('|').any(|known| found.eq_ignore_ascii_case(known));
        self.count >= words.len() && self.words().iter().zip(words).all(is_one)
    }

    /// Whether this is `CREATE [OR REPLACE] FUNCTION | PROCEDURE`, whose body may hold statements.
    fn makes_routine(&self) -> bool {
        self.begins(&["CREATE"])
            && (self.begins(&["CREATE", "FUNCTION|PROCEDURE"]) || self.begins(&["CREATE", "OR", "REPLACE", "FUNCTION|PROCEDURE"]))
    }

    /// Why it can't be part of a revision.
    fn problem(&self, sql: &str) -> Option<Problem> {
        if self.begins(&["ROLLBACK", "TO"]) || self.begins(&["ROLLBACK", "WORK|TRANSACTION", "TO"]) {
            return None;
        }
        if self.begins(&["BEGIN|COMMIT|END|ROLLBACK|ABORT"])
            || self.begins(&["START", "TRANSACTION"])
            || self.begins(&["PREPARE", "TRANSACTION"])
        {
            let shown: Vec<String> = self.words().iter().take(2).map(|word| word.to_ascii_uppercase()).collect();
            return Some(Problem::TransactionControl(shown.join(" ")));
        }
        if self.begins(&["COPY"]) {
            return copies_by_client(&sql[self.range.clone()]).map(|stream| Problem::CopyStdin(stream.to_owned()));
        }
        None
    }
}

/// `COPY … FROM STDIN` or `TO STDOUT`: the data would come from the client.
fn copies_by_client(sql: &str) -> Option<&'static str> {
    let (mut offset, mut depth, mut before) = (0, 0usize, String::new());
    for token in tokenize(sql) {
        let text = &sql[offset..offset + token.len as usize];
        offset += token.len as usize;
        match token.kind {
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
/// unquoted words don't count. Two strings joined by a newline stay two tokens.
pub fn semantic(sql: &str) -> String {
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
        let body = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 1";
        assert_eq!(texts(body).len(), 2);
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
            assert!(matches!(split(sql).problems.as_slice(), [(_, Problem::TransactionControl(_))]), "{sql}");
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
        assert!(matches!(split("COPY t (a) FROM stdin").problems.as_slice(), [(0, Problem::CopyStdin(_))]));
        assert!(matches!(split("COPY (SELECT 1) TO STDOUT").problems.as_slice(), [(0, Problem::CopyStdin(_))]));
        assert_eq!(split("COPY t FROM '/stdin'").problems, []);
        assert!(matches!(split("\\i other.sql\n").problems.as_slice(), [(0, Problem::MetaCommand(_)), ..]));
    }

    #[test]
    fn what_is_never_closed_is_found() {
        for (sql, what) in
            [("SELECT 'a", "string"), ("SELECT \"a", "quoted name"), ("/* a", "comment"), ("SELECT $x$a", "dollar-quoted string")]
        {
            assert_eq!(split(sql).problems.last().map(|(_, problem)| problem.clone()), Some(Problem::Unterminated(what)), "{sql}");
        }
    }

    #[test]
    fn only_tokens_count_in_the_semantic_checksum() {
        assert_eq!(semantic("SELECT  1 -- a\n"), semantic("select /* b */ 1"));
        assert_ne!(semantic("SELECT 'a b'"), semantic("SELECT 'a  b'"));
        assert_ne!(semantic("SELECT \"A\""), semantic("SELECT \"a\""));
        assert_ne!(semantic("SELECT a b"), semantic("SELECT ab"));
        assert_ne!(semantic("SELECT Ä"), semantic("SELECT ä"), "to PostgreSQL these are two names");
    }
}
