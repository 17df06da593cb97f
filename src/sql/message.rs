//! Simple-query messages (PostgreSQL manual, 54.2.2.1). Statements of our own run in them under a search path that only
//! superusers can write to, and with row security as an error instead of a filter: whoever may create functions,
//! operators, types or tables in a schema of the session's path gains nothing from our statements.

use super::{Ident, Sql};
use crate::sql;

/// What all of our statements run under, until the transaction ends. `pg_temp` is last, where it would be first otherwise.
const SAFE_PATH: &str = "SET LOCAL search_path TO pg_catalog, pg_temp";
/// A policy on a table of ours would hide rows without a word.
const NO_ROW_SECURITY: &str = "SET LOCAL row_security TO off";

/// Our queries of the catalog have many parts and return few rows: to compile one takes longer than to run it.
const NO_JIT: &str = "SET LOCAL jit TO off";

/// The statements behind which names of functions, operators, types and catalogs mean PostgreSQL's own.
pub fn safe() -> [Sql; 3] {
    [Sql::of(SAFE_PATH), Sql::of(NO_ROW_SECURITY), Sql::of(NO_JIT)]
}

/// Becomes a role, if there is one, until the transaction ends.
pub fn set_role(role: Option<&Ident>) -> Option<Sql> {
    role.map(|role| sql!("SET LOCAL ROLE {role}", role = *role))
}

/// Statements that are sent together.
#[derive(Clone, Debug, Default)]
pub struct Message {
    text: String,
    /// How many answers come before those that the caller asked for.
    before: usize,
    /// How many come behind them.
    behind: usize,
}

impl Message {
    /// One statement of ours, in the transaction that the server makes of a message.
    pub fn of(statement: Sql) -> Self {
        Self::all([statement])
    }

    /// Statements of ours, in the transaction that the server makes of a message.
    pub fn all(statements: impl IntoIterator<Item = Sql>) -> Self {
        Self::behind([], statements)
    }

    /// The same behind others, whose answers nobody needs: such as `ROLLBACK`, or what asks the session's own search path for
    /// something. Those name no function, operator, type or relation, or only qualified ones.
    pub fn behind(ahead: impl IntoIterator<Item = Sql>, statements: impl IntoIterator<Item = Sql>) -> Self {
        let ahead: Vec<Sql> = ahead.into_iter().chain(safe()).collect();
        let before = ahead.len();
        Self { text: Sql::join(ahead.into_iter().chain(statements), ";\n").0, before, behind: 0 }
    }

    /// A transaction of ours from its `BEGIN` to `COMMIT`: `ahead` runs under the session's own search path, as in
    /// [`Self::behind`]; `guards` run behind it, and have no answer that anybody needs either.
    pub fn transaction(
        begin: &'static str,
        ahead: impl IntoIterator<Item = Sql>,
        guards: impl IntoIterator<Item = Sql>,
        statements: impl IntoIterator<Item = Sql>,
    ) -> Self {
        let first: Vec<Sql> = [Sql::of(begin)].into_iter().chain(ahead).chain(safe()).chain(guards).collect();
        let before = first.len();
        let all = first.into_iter().chain(statements).chain([Sql::of("COMMIT")]);
        Self { text: Sql::join(all, ";\n").0, before, behind: 1 }
    }

    /// A statement that names no function, operator, type or relation, or only qualified ones; or a message that was put
    /// together of such, of files' statements, and of [`safe`] ones.
    pub fn as_it_is(statement: Sql) -> Self {
        Self { text: statement.0, before: 0, behind: 0 }
    }

    /// The end of a transaction that failed, or is not wanted.
    pub fn rollback() -> Self {
        Self::as_it_is(Sql::of("ROLLBACK"))
    }

    /// Nothing at all: an answer shows that the server is there.
    pub fn empty() -> Self {
        Self::default()
    }

    /// What is sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many answers come before and behind those that the caller asked for.
    pub fn margins(&self) -> (usize, usize) {
        (self.before, self.behind)
    }
}
