//! Statements that begin or end a transaction. The pair around a whole section is ignored, because pgmarch begins and commits; any other
//! is an error.

use std::ops::Range;

use super::leading_words::begins_with;
use crate::revision::FileProblem;

/// A statement that begins or ends a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionControl {
    /// Its byte range, with its `;`.
    pub range: Range<usize>,
    /// Its number among the statements, from 0.
    pub number: usize,
    /// Its first words in capitals, for a message.
    pub shown: String,
    pub(super) effect: TransactionEffect,
}

/// What such a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransactionEffect {
    /// `BEGIN`, `START TRANSACTION`; with its options if pgmarch's own transaction differs from them.
    Begin { options: Option<String> },
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `PREPARE TRANSACTION`, `COMMIT AND CHAIN`, `COMMIT PREPARED`.
    Other,
}

impl TransactionControl {
    /// The problem of such a statement where it is not one of the pair around the section.
    pub(crate) fn problem(&self) -> FileProblem {
        FileProblem::TransactionControl(self.shown.clone())
    }
}

/// What a statement that begins with these words does to the transaction, if anything.
pub(super) fn transaction_effect(words: &[&str]) -> Option<TransactionEffect> {
    let is = |with: &[&str]| begins_with(words, with);
    if is(&["ROLLBACK", "TO"]) || is(&["ROLLBACK", "WORK|TRANSACTION", "TO"]) {
        return None;
    }
    if is(&["PREPARE", "TRANSACTION"]) {
        return Some(TransactionEffect::Other);
    }
    let (effect, rest) = match words {
        [_, _, rest @ ..] if is(&["START", "TRANSACTION"]) || is(&["BEGIN", "WORK|TRANSACTION"]) => {
            (TransactionEffect::Begin { options: unsupported_options(rest) }, &[][..])
        }
        [_, rest @ ..] if is(&["BEGIN"]) => (TransactionEffect::Begin { options: unsupported_options(rest) }, &[][..]),
        [_, rest @ ..] if is(&["COMMIT|END"]) => (TransactionEffect::Commit, rest),
        [_, rest @ ..] if is(&["ROLLBACK|ABORT"]) => (TransactionEffect::Rollback, rest),
        _ => return None,
    };
    let rest = if begins_with(rest, &["WORK|TRANSACTION"]) { &rest[1..] } else { rest };
    Some(if rest.is_empty() || begins_with(rest, &["AND", "NO", "CHAIN"]) { effect } else { TransactionEffect::Other })
}

/// The options of `BEGIN`, if pgmarch's transaction, which is `READ COMMITTED` and `READ WRITE`, differs from them.
fn unsupported_options(words: &[&str]) -> Option<String> {
    let mut rest = words;
    while !rest.is_empty() {
        rest = match rest {
            _ if begins_with(rest, &["READ", "WRITE"]) || begins_with(rest, &["NOT", "DEFERRABLE"]) => &rest[2..],
            _ if begins_with(rest, &["ISOLATION", "LEVEL", "READ", "COMMITTED|UNCOMMITTED"]) => &rest[4..],
            _ => return Some(words.iter().map(|word| word.to_ascii_uppercase()).collect::<Vec<_>>().join(" ")),
        };
    }
    None
}

/// The part of a section between the `BEGIN` that is its first statement and the `COMMIT` that is its last one; `None` if it has neither.
/// `statements` is their number. All other statements of this kind are problems.
pub(crate) fn outer_transaction(
    controls: &[TransactionControl],
    statements: usize,
) -> Result<Option<Range<usize>>, Vec<(usize, FileProblem)>> {
    let problems = |controls: &[TransactionControl]| controls.iter().map(|control| (control.range.start, control.problem())).collect();
    let (first, inner, last) = match controls {
        [] => return Ok(None),
        [first, inner @ .., last] if first.number == 0 && last.number + 1 == statements => (first, inner, last),
        _ => return Err(problems(controls)),
    };
    match (&first.effect, &last.effect) {
        _ if !inner.is_empty() => Err(problems(inner)),
        (TransactionEffect::Begin { options: Some(options) }, TransactionEffect::Commit) => {
            Err(vec![(first.range.start, FileProblem::TransactionOptions(options.clone()))])
        }
        (TransactionEffect::Begin { options: None }, TransactionEffect::Commit) => Ok(Some(first.range.end..last.range.start)),
        (TransactionEffect::Begin { .. }, TransactionEffect::Rollback) => Err(vec![(last.range.start, FileProblem::RolledBack)]),
        _ => Err(problems(controls)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::statement::check;

    fn stripped(sql: &str) -> Result<Option<&str>, Vec<(usize, FileProblem)>> {
        let checked = check(sql, |_| false);
        outer_transaction(&checked.controls, checked.statements).map(|range| range.map(|range| &sql[range]))
    }

    #[test]
    fn the_pair_around_a_section_is_ignored_in_every_spelling() {
        for begin in [
            "BEGIN",
            "begin work",
            "Begin Transaction",
            "START TRANSACTION",
            "BEGIN READ WRITE, ISOLATION LEVEL READ COMMITTED",
            "BEGIN /* ü */ -- ;\n",
        ] {
            for end in ["COMMIT", "commit work", "END", "End Transaction;", "COMMIT AND NO CHAIN ;", "COMMIT; -- done\n /* */ ;"] {
                let sql = format!("-- first\n{begin}; SELECT 'ü'; {end}");
                assert_eq!(stripped(&sql), Ok(Some(" SELECT 'ü'; ")), "{sql}");
            }
        }
        assert_eq!(stripped("BEGIN;COMMIT"), Ok(Some("")));
        assert_eq!(stripped("SELECT 1"), Ok(None));
    }

    #[test]
    fn other_transactions_are_problems_at_their_places() {
        let control = |at, shown: &str| (at, FileProblem::TransactionControl(shown.to_owned()));
        for (sql, problems) in [
            ("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;", vec![control(17, "COMMIT"), control(25, "BEGIN")]),
            ("BEGIN; SELECT 1; COMMIT; SELECT 2;", vec![control(0, "BEGIN"), control(17, "COMMIT")]),
            ("SELECT 1; BEGIN; COMMIT", vec![control(10, "BEGIN"), control(17, "COMMIT")]),
            ("BEGIN; SELECT 1", vec![control(0, "BEGIN")]),
            ("COMMIT; SELECT 1; BEGIN", vec![control(0, "COMMIT"), control(18, "BEGIN")]),
            ("BEGIN; COMMIT AND CHAIN", vec![control(0, "BEGIN"), control(7, "COMMIT AND")]),
            ("BEGIN; PREPARE TRANSACTION 'x'", vec![control(0, "BEGIN"), control(7, "PREPARE TRANSACTION")]),
            ("BEGIN; SELECT 1; ROLLBACK", vec![(17, FileProblem::RolledBack)]),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE; SELECT 1; END",
                vec![(0, FileProblem::TransactionOptions("ISOLATION LEVEL SERIALIZABLE READ WRITE".to_owned()))],
            ),
        ] {
            assert_eq!(stripped(sql), Err(problems), "{sql}");
        }
    }
}
