//! Bookkeeping that is said again for each revision: in full, or prepared once by the session that says it often.
//!
//! To parse and to plan these statements takes the server longer than to run them (manual, `PREPARE`).

use std::cell::{Cell, RefCell};

use crate::sql;
use crate::sql::Sql;

/// A statement with places for values.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct PreparedStatement {
    /// What the session knows it by.
    pub(in crate::ledger) name: &'static str,
    /// The types of its values.
    pub(in crate::ledger) types: &'static [&'static str],
}

/// What one session has prepared. Prepared statements outlive a rollback, and a revision may drop them
/// (`DEALLOCATE ALL`): so they are a convenience that is given up at the first failure, never relied on.
#[derive(Debug, Default)]
pub struct StatementCache {
    wanted: Cell<bool>,
    known: RefCell<Vec<&'static str>>,
}

impl StatementCache {
    /// Prepares what is said, from the first time on.
    pub fn enabled() -> Self {
        Self { wanted: Cell::new(true), known: RefCell::default() }
    }

    /// From now on all is said in full. Whether it was not before.
    pub fn disable(&self) -> bool {
        self.wanted.replace(false)
    }

    /// Statements that say a phrase with these values, the last of them with its answer; `sql` is the phrase with
    /// expressions in its places.
    pub(in crate::ledger) fn render(&self, phrase: PreparedStatement, values: &[Sql], sql: impl Fn(&[Sql]) -> Sql) -> Vec<Sql> {
        if !self.wanted.get() {
            return vec![sql(values)];
        }
        let mut statements = Vec::new();
        let mut known = self.known.borrow_mut();
        if !known.contains(&phrase.name) {
            known.push(phrase.name);
            let places: Vec<Sql> = (1..=phrase.types.len()).map(|place| sql!("${place}", place = place)).collect();
            let types = in_parentheses(phrase.types.iter().map(|name| Sql::of(name)));
            statements.push(sql!("PREPARE \"{name}\"{types} AS {sql}", name = Sql::of(phrase.name), types = types, sql = sql(&places)));
        }
        let values = in_parentheses(values.iter().cloned());
        statements.push(sql!("EXECUTE \"{name}\"{values}", name = Sql::of(phrase.name), values = values));
        statements
    }
}

/// A list as `PREPARE` and `EXECUTE` take it: an empty one has no parentheses.
fn in_parentheses(parts: impl IntoIterator<Item = Sql>) -> Sql {
    let parts = Sql::join(parts, ", ");
    if parts.as_str().is_empty() { parts } else { sql!(" ({parts})", parts = parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_prepared_once_and_said_in_full_after_a_failure() {
        const COUNT: PreparedStatement = PreparedStatement { name: "pgmarch: count", types: &["integer", "text"] };
        let statement_cache = StatementCache::enabled();
        let said = |value: i32| {
            let values = [sql!("{value}", value = value), Sql::of("'x'")];
            Sql::join(statement_cache.render(COUNT, &values, |v| sql!("SELECT {a}, {b}", a = v[0], b = v[1])), "; ").to_string()
        };
        assert_eq!(said(1), "PREPARE \"pgmarch: count\" (integer, text) AS SELECT $1, $2; EXECUTE \"pgmarch: count\" (1, 'x')");
        assert_eq!(said(2), "EXECUTE \"pgmarch: count\" (2, 'x')");
        assert!(statement_cache.disable());
        assert_eq!(said(3), "SELECT 3, 'x'");
        assert!(!statement_cache.disable());
    }
}
