//! Simple-query messages (PostgreSQL manual, 54.2.2.1). Pgmarch's statements run in them under a search path of schemas that only
//! superusers can write to, and with row security as an error instead of a filter: a role with the right to create functions,
//! operators, types or tables in a schema of the session's path can't change what these statements do.

use super::Sql;
use super::session::{BEGIN, Flush, commit, no_timeouts, safe_settings};

/// A simple-query message: statements that are sent together.
#[derive(Clone, Debug, Default)]
pub struct Message {
    sql: Sql,
    /// The number of answers before those that the caller asked for.
    before: usize,
    /// The number of answers after them.
    after: usize,
    /// Whether only the last of the answers that the caller asked for is kept.
    discards_rows: bool,
}

impl Message {
    /// One statement of pgmarch's, in the transaction that the server makes of a message.
    pub(crate) fn of(statement: Sql) -> Self {
        Self::all([statement])
    }

    /// Statements of pgmarch's, in the transaction that the server makes of a message.
    pub(crate) fn all(statements: impl IntoIterator<Item = Sql>) -> Self {
        Self::preceded_by([], statements)
    }

    /// The same after other statements, whose answers are dropped: such as `ROLLBACK`, or a query under the session's own search
    /// path. Those name no function, operator, type or relation, or only qualified ones.
    pub(crate) fn preceded_by(ahead: impl IntoIterator<Item = Sql>, statements: impl IntoIterator<Item = Sql>) -> Self {
        Self::with_timeouts_of_its_own(ahead.into_iter().chain(safe_settings()).chain(no_timeouts()), statements)
    }

    /// The same; `ahead` ends with `safe_settings` and the timeouts for the statements.
    pub(crate) fn with_timeouts_of_its_own(ahead: impl IntoIterator<Item = Sql>, statements: impl IntoIterator<Item = Sql>) -> Self {
        let ahead: Vec<Sql> = ahead.into_iter().collect();
        let before = ahead.len();
        Self { sql: Sql::join(ahead.into_iter().chain(statements), ";\n"), before, after: 0, discards_rows: false }
    }

    /// A read transaction of pgmarch's, with one snapshot: `ahead` runs under the session's own search path, as in
    /// [`Self::preceded_by`]; `guards` run after it, and their answers are dropped too.
    pub(crate) fn reading(
        ahead: impl IntoIterator<Item = Sql>,
        guards: impl IntoIterator<Item = Sql>,
        statements: impl IntoIterator<Item = Sql>,
    ) -> Self {
        let first = [Sql::of("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")]
            .into_iter()
            .chain(ahead)
            .chain(safe_settings())
            .chain(no_timeouts())
            .chain(guards);
        Self::transaction(first.collect(), statements, vec![Sql::of("COMMIT")])
    }

    /// A write transaction of pgmarch's: its answer means that it is on the server's disk.
    pub(crate) fn writing(ahead: impl IntoIterator<Item = Sql>, statements: impl IntoIterator<Item = Sql>) -> Self {
        let first = [Sql::of(BEGIN)].into_iter().chain(ahead).chain(safe_settings()).chain(no_timeouts());
        Self::transaction(first.collect(), statements, commit(Flush::Now).into())
    }

    fn transaction(first: Vec<Sql>, statements: impl IntoIterator<Item = Sql>, end: Vec<Sql>) -> Self {
        let (before, after) = (first.len(), end.len());
        let all = first.into_iter().chain(statements).chain(end);
        Self { sql: Sql::join(all, ";\n"), before, after, discards_rows: false }
    }

    /// A statement that names no function, operator, type or relation, or only qualified ones; or a text that consists of such
    /// statements, of statements of files, and of pgmarch's own after `safe_settings`.
    pub(crate) fn verbatim(statement: Sql) -> Self {
        Self { sql: statement, before: 0, after: 0, discards_rows: false }
    }

    /// The same with text of files, whose queries may return any number of rows: only the first row of the last answer but `after`
    /// is kept, and all other rows are discarded as they arrive.
    pub(crate) fn discarding_rows(statement: Sql, after: usize) -> Self {
        Self { sql: statement, before: 0, after, discards_rows: true }
    }

    /// `ROLLBACK`.
    pub(crate) fn rollback() -> Self {
        Self::verbatim(Sql::of("ROLLBACK"))
    }

    /// An empty query: its answer shows that the server is there.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// What is sent.
    pub(crate) fn sql(&self) -> &Sql {
        &self.sql
    }

    /// How many answers come before and after those that the caller asked for.
    pub(crate) fn surrounding_answers(&self) -> (usize, usize) {
        (self.before, self.after)
    }

    /// Whether rows are discarded as they arrive.
    pub(crate) fn discards_rows(&self) -> bool {
        self.discards_rows
    }
}
