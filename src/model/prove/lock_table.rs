//! The server's lock table: how many objects one transaction can lock.

use tracing::warn;

use crate::session::StatementResult;
use crate::sql::{Message, Sql};

const QUERY: &str = "SELECT current_setting('max_locks_per_transaction'), \
    current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8, \
    (SELECT count(*) FROM pg_class WHERE oid >= 16384)";

/// The lock table, and how many relations the database has: whoever creates or drops a relation locks it until the end of the transaction.
#[derive(Debug, Default)]
pub(super) struct LockTable {
    /// `max_locks_per_transaction`.
    setting: u64,
    /// The number of transactions that the lock table has room for, with so many locks each.
    transactions: u64,
    /// Tables, indexes, sequences, and the tables of large values.
    relations: u64,
}

impl LockTable {
    pub(super) fn query() -> Message {
        Message::of(Sql::of(QUERY))
    }

    /// From the answer to the query.
    pub(super) fn of(answers: Vec<StatementResult>) -> Self {
        let mut numbers = answers.into_iter().flatten().flatten().map(|number| number.and_then(|number| number.parse().ok()).unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self { setting: next(), transactions: next(), relations: next() }
    }

    /// What ran in parts between both, does not fit into the one transaction that an upgrade has for it.
    pub(super) fn warn(&self, what: &str, after: &Self) {
        warn!(
            "{what} locks more objects in one transaction than the lock table of the scratch server has room for, so it ran there in several; \
             before it is applied to a database, set max_locks_per_transaction (here {}) to at least {} on its server and restart it",
            self.setting,
            self.needed(after)
        );
    }

    /// The setting with which all fits, and a tenth more for other sessions.
    fn needed(&self, after: &Self) -> u64 {
        let locks = self.relations.abs_diff(after.relations);
        (locks + locks / 10).div_ceil(self.transactions.max(1)).max(self.setting + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_has_room_for_every_relation() {
        let table = |relations| LockTable { setting: 64, transactions: 100, relations };
        assert_eq!(table(0).needed(&table(250_000)), 2750);
        assert_eq!(table(250_000).needed(&table(0)), 2750);
        assert_eq!(table(0).needed(&table(5_000)), 65);
    }
}
