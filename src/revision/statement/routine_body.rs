//! The SQL-standard bodies of functions and procedures: `BEGIN ATOMIC`, statements each followed by `;`, `END`.
//!
//! As in the server's grammar, a body begins at `BEGIN ATOMIC` in a `CREATE FUNCTION` or `CREATE PROCEDURE`, outside of parentheses, and
//! ends at an `END` that is the first word of a statement. Everywhere else BEGIN, ATOMIC, CASE and END are names, labels or parts of an
//! expression.

use squawk_lexer::TokenKind;

use super::leading_words::begins_with;

/// The bodies that are open in a statement.
#[derive(Default)]
pub(super) struct RoutineBodies<'s> {
    /// For each, the byte where it begins, and the statement that contains it and continues after it.
    open: Vec<(usize, StatementHead<'s>)>,
    /// The innermost statement.
    statement: StatementHead<'s>,
}

/// How a statement begins, and its last token.
#[derive(Default)]
struct StatementHead<'s> {
    /// Its first tokens; empty for one that is not an unquoted word.
    words: [&'s str; 4],
    count: usize,
    /// The last token, and the byte where it begins.
    last: (&'s str, usize),
}

impl<'s> RoutineBodies<'s> {
    /// Takes the next token outside of parentheses; `word` is empty if it is not an unquoted word.
    pub(super) fn push(&mut self, kind: TokenKind, word: &'s str, start: usize) {
        let statement = &mut self.statement;
        if kind == TokenKind::Semi {
            *statement = StatementHead::default();
        } else if statement.count == 0 && word.eq_ignore_ascii_case("END") && !self.open.is_empty() {
            self.statement = self.open.pop().map(|(_, outer)| outer).unwrap_or_default();
            self.statement.last = (word, start);
        } else if word.eq_ignore_ascii_case("ATOMIC") && statement.last.0.eq_ignore_ascii_case("BEGIN") && statement.creates_routine() {
            let begin = statement.last.1;
            self.open.push((begin, std::mem::take(statement)));
        } else {
            if let Some(slot) = statement.words.get_mut(statement.count) {
                *slot = word;
                statement.count += 1;
            }
            statement.last = (word, start);
        }
    }

    /// Whether no body is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The byte where the outermost open body begins.
    pub(super) fn outermost(&self) -> Option<usize> {
        self.open.first().map(|(start, _)| *start)
    }
}

impl StatementHead<'_> {
    /// Whether it is `CREATE [OR REPLACE] FUNCTION | PROCEDURE`.
    fn creates_routine(&self) -> bool {
        begins_with(&self.words, &["CREATE", "FUNCTION|PROCEDURE"])
            || begins_with(&self.words, &["CREATE", "OR", "REPLACE", "FUNCTION|PROCEDURE"])
    }
}
