//! Prepared statements (`PREPARE`, `EXECUTE`) for what each revision repeats: the server takes longer to parse and plan these
//! statements than to run them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::sql;
use crate::sql::Sql;

/// A statement with parameters, by its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct PreparedStatement {
    /// Its name in the session.
    pub(super) name: &'static str,
    /// The types of its parameters.
    pub(super) types: &'static [&'static str],
}

/// The statements that one session has prepared. They outlive a rollback, but a revision may drop them (`DEALLOCATE ALL`): the
/// first failure disables the cache.
#[derive(Debug, Default)]
pub(crate) struct StatementCache {
    is_enabled: AtomicBool,
    prepared: Mutex<Vec<&'static str>>,
}

impl StatementCache {
    /// A cache that prepares each statement before its first use; the default one prepares nothing.
    pub(crate) fn enabled() -> Self {
        Self { is_enabled: AtomicBool::new(true), prepared: Mutex::default() }
    }

    /// Whether statements are prepared.
    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Renders statements in full from now on. Returns whether the cache was enabled before.
    pub(crate) fn disable(&self) -> bool {
        self.is_enabled.swap(false, Ordering::Relaxed)
    }

    /// Renders a statement with these values: in full, or as `EXECUTE`, behind `PREPARE` the first time. Only the last statement
    /// has an answer. `sql` renders the statement itself with expressions as its parameters.
    pub(super) fn render(&self, statement: PreparedStatement, values: &[Sql], sql: impl Fn(&[Sql]) -> Sql) -> Vec<Sql> {
        if !self.is_enabled.load(Ordering::Relaxed) {
            return vec![sql(values)];
        }
        let mut statements: Vec<Sql> = self.prepare(statement, sql).into_iter().collect();
        let values = in_parentheses(values.iter().cloned());
        statements.push(sql!("EXECUTE \"{name}\"{values}", name = Sql::of(statement.name), values = values));
        statements
    }

    /// `PREPARE` for this statement; `None` where it is prepared, or where the cache is disabled.
    pub(super) fn prepare(&self, statement: PreparedStatement, sql: impl Fn(&[Sql]) -> Sql) -> Option<Sql> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_enabled.load(Ordering::Relaxed) || prepared.contains(&statement.name) {
            return None;
        }
        prepared.push(statement.name);
        let parameters: Vec<Sql> = (1..=statement.types.len()).map(|number| sql!("${number}", number = number)).collect();
        let types = in_parentheses(statement.types.iter().map(|name| Sql::of(name)));
        Some(sql!("PREPARE \"{name}\"{types} AS {sql}", name = Sql::of(statement.name), types = types, sql = sql(&parameters)))
    }
}

/// A list as `PREPARE` and `EXECUTE` take it: an empty one has no parentheses.
fn in_parentheses(parts: impl IntoIterator<Item = Sql>) -> Sql {
    let parts = Sql::join(parts, ", ");
    if parts.is_empty() { parts } else { sql!(" ({parts})", parts = parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_prepared_once_and_rendered_in_full_after_a_failure() {
        const COUNT: PreparedStatement = PreparedStatement { name: "pgmarch: count", types: &["integer", "text"] };
        let statement_cache = StatementCache::enabled();
        let rendered = |value: i32| {
            let values = [sql!("{value}", value = value), Sql::of("'x'")];
            Sql::join(statement_cache.render(COUNT, &values, |v| sql!("SELECT {a}, {b}", a = v[0], b = v[1])), "; ").to_string()
        };
        assert_eq!(rendered(1), "PREPARE \"pgmarch: count\" (integer, text) AS SELECT $1, $2; EXECUTE \"pgmarch: count\" (1, 'x')");
        assert_eq!(rendered(2), "EXECUTE \"pgmarch: count\" (2, 'x')");
        assert!(statement_cache.disable());
        assert_eq!(rendered(3), "SELECT 3, 'x'");
        assert!(!statement_cache.disable());
    }
}
