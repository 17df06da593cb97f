//! The statements of a step: their texts and kinds, and the checksums of what comes before each. What is asked about one of them
//! takes no longer the more come before it, if they are asked about in order.

use std::ops::Range;

use crate::apply::segments::UserStatement;
use crate::revision::checksum::SemanticChecksum;
use crate::revision::statement::for_each_statement;
use crate::revision::statement::kind::{StatementKind, classify, sets_lock_timeout};

/// The statements of a step, by their number from 0.
pub(in crate::apply) struct StepStatements<'s> {
    sql: &'s str,
    statements: Vec<StepStatement>,
    /// The first that sets `lock_timeout` for the session.
    sets_lock_timeout: Option<usize>,
    /// Whether each may run in a transaction, and sets nothing for the session.
    are_all_transactional: bool,
    prefix: Prefix,
}

struct StepStatement {
    /// Its byte range in the section's SQL.
    range: Range<usize>,
    /// Where it begins in the section, in characters.
    character: usize,
    kind: StatementKind,
}

/// The checksum of the first statements.
#[derive(Default)]
struct Prefix {
    count: usize,
    checksum: SemanticChecksum,
}

impl<'s> StepStatements<'s> {
    pub(in crate::apply) fn of(sql: &'s str) -> Self {
        let (mut character, mut end) = (0, 0);
        let mut sets = None;
        let mut statements = Vec::new();
        let mut are_all_transactional = true;
        for_each_statement(sql, |range| {
            let text = &sql[range.clone()];
            character += sql[end..range.start].chars().count();
            end = range.start;
            let kind = classify(text);
            if kind == StatementKind::Setting && sets.is_none() && sets_lock_timeout(text) {
                sets = Some(statements.len());
            }
            are_all_transactional &= kind == StatementKind::Transactional;
            statements.push(StepStatement { range, character, kind });
        });
        Self { sql, statements, sets_lock_timeout: sets, are_all_transactional, prefix: Prefix::default() }
    }

    pub(in crate::apply) fn len(&self) -> usize {
        self.statements.len()
    }

    pub(in crate::apply) fn text(&self, number: usize) -> &'s str {
        &self.sql[self.statements[number].range.clone()]
    }

    pub(in crate::apply) fn kind(&self, number: usize) -> &StatementKind {
        &self.statements[number].kind
    }

    pub(super) fn are_all_transactional(&self) -> bool {
        self.are_all_transactional
    }

    pub(super) fn user_statement(&self, number: usize) -> UserStatement<'s> {
        UserStatement { sql: self.text(number), character: self.statements[number].character, statement: number }
    }

    /// Whether a statement before this one sets `lock_timeout` for the session.
    pub(super) fn is_lock_timeout_set_before(&self, number: usize) -> bool {
        self.sets_lock_timeout.is_some_and(|first| first < number)
    }

    /// The semantic checksum of the first `count` statements.
    pub(in crate::apply) fn checksum_before(&mut self, count: usize) -> String {
        if count < self.prefix.count {
            self.prefix = Prefix::default();
        }
        for number in self.prefix.count..count {
            if number > 0 {
                self.prefix.checksum.update(";");
            }
            self.prefix.checksum.update(&self.sql[self.statements[number].range.clone()]);
        }
        self.prefix.count = count;
        self.prefix.checksum.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::checksum::semantic_checksum;

    #[test]
    fn the_checksum_of_the_first_statements_is_that_of_their_text() {
        let sql = "-- ä\nSELECT 'ü'; SET lock_timeout = 1;\n/* ö */ VACUUM\n; SELECT 3";
        let mut statements = StepStatements::of(sql);
        let text = |count: usize| ["SELECT 'ü'", "SET lock_timeout = 1", "VACUUM", "SELECT 3"][..count].join(";\n");
        for count in [0, 2, 4, 1, 3] {
            assert_eq!(statements.checksum_before(count), semantic_checksum(&text(count)), "{count}");
        }
        assert_eq!([1, 2].map(|number| statements.is_lock_timeout_set_before(number)), [false, true]);
        assert!(!statements.are_all_transactional());
        let all = |sql| StepStatements::of(sql).are_all_transactional();
        assert_eq!(["SELECT 1; SELECT 2", "RESET ALL; SELECT 2", "SELECT 1; VACUUM"].map(all), [true, false, false]);
        let vacuum = statements.user_statement(2);
        assert_eq!(sql.chars().skip(vacuum.character).take(6).collect::<String>(), "VACUUM");
    }
}
