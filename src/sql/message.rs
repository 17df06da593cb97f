//! Simple-query messages (PostgreSQL manual, 54.2.2.1). Statements of our own run in them under a search path that only
//! superusers can write to, and with row security as an error instead of a filter: whoever may create functions,
//! operators, types or tables in a schema of the session's path gains nothing from our statements.

use super::{Ident, Literal, Sql};
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

/// Has the next COMMIT return only when it is safe on the server's disk, also where the default of the server, the database or
/// the role is to lose the last commits in a crash. A value that waits for a standby as well stays.
const FLUSHED: &str = "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'";

/// The beginning of a transaction of ours that writes.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// When the COMMIT of a transaction of ours returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// When it is safe on the server's disk, and all that was committed before it.
    Now,
    /// Before that: a later commit of the same run is flushed, and this one with it.
    Later,
}

/// The end of a transaction of ours, behind [`safe`]: what precedes its `COMMIT`, and that.
pub fn commit(flush: Flush) -> [Sql; 2] {
    let setting = match flush {
        Flush::Now => FLUSHED,
        Flush::Later => "SET LOCAL synchronous_commit TO off",
    };
    [Sql::of(setting), Sql::of("COMMIT")]
}

/// What is left of a revision, or of a try of one, in its session, is discarded: cursors, LISTEN, cached values of sequences,
/// temporary objects, advisory locks of the session, prepared statements. Deallocation statements, locks and cached values outlive
/// a rollback. Most of it costs nothing where there is nothing. What others prepared through a pooler has no SQL, and stays;
/// so does what pgmarch has prepared.
pub fn discard(prepared: Deallocation) -> Vec<Sql> {
    let prepared = match prepared {
        Deallocation::OfOthers => Some(deallocate(None)),
        Deallocation::All => Some(Sql::of("DEALLOCATE ALL")),
        Deallocation::Nothing => None,
    };
    let left = [
        Sql::of("CLOSE ALL"),
        Sql::of("UNLISTEN *"),
        Sql::of("DISCARD SEQUENCES"),
        Sql::of("DISCARD TEMP"),
        Sql::of("SELECT pg_advisory_unlock_all()"),
    ];
    left.into_iter().chain(prepared).collect()
}

/// Which prepared statements [`discard`] discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deallocation {
    /// All that were prepared in SQL but ours, which takes PL/pgSQL.
    OfOthers,
    /// All, where the role may not use PL/pgSQL and the session is our own.
    All,
    /// None, where it is not.
    Nothing,
}

/// Deallocation statements of the session's are discarded that are younger than a time, as the server prints it; or all of them.
pub fn deallocate(since: Option<&str>) -> Sql {
    let since = since.unwrap_or("-infinity");
    let block = sql!(include_str!("deallocate.sql"), since = Literal(since));
    sql!("DO {block}", block = Literal(block.as_str()))
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
    /// Whether only the last of the answers that the caller asked for is kept.
    discards: bool,
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
        Self { text: Sql::join(ahead.into_iter().chain(statements), ";\n").0, before, behind: 0, discards: false }
    }

    /// A transaction of ours that reads, with one snapshot: `ahead` runs under the session's own search path, as in
    /// [`Self::behind`]; `guards` run behind it, and have no answer that anybody needs either.
    pub fn reading(
        ahead: impl IntoIterator<Item = Sql>,
        guards: impl IntoIterator<Item = Sql>,
        statements: impl IntoIterator<Item = Sql>,
    ) -> Self {
        let first = [Sql::of("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")].into_iter().chain(ahead).chain(safe()).chain(guards);
        Self::transaction(first.collect(), statements, vec![Sql::of("COMMIT")])
    }

    /// A transaction of ours that writes: when it is answered, it is safe on the server's disk.
    pub fn writing(ahead: impl IntoIterator<Item = Sql>, statements: impl IntoIterator<Item = Sql>) -> Self {
        let first = [Sql::of(BEGIN)].into_iter().chain(ahead).chain(safe());
        Self::transaction(first.collect(), statements, commit(Flush::Now).into())
    }

    fn transaction(first: Vec<Sql>, statements: impl IntoIterator<Item = Sql>, end: Vec<Sql>) -> Self {
        let (before, behind) = (first.len(), end.len());
        let all = first.into_iter().chain(statements).chain(end);
        Self { text: Sql::join(all, ";\n").0, before, behind, discards: false }
    }

    /// A statement that names no function, operator, type or relation, or only qualified ones; or a message that was put
    /// together of such, of files' statements, and of [`safe`] ones.
    pub fn as_it_is(statement: Sql) -> Self {
        Self { text: statement.0, before: 0, behind: 0, discards: false }
    }

    /// The same with text of files, whose queries may return any number of rows: of all answers only the first row of the last
    /// one is kept that has `behind` others behind it, and the rest is discarded as it arrives.
    pub fn discarding(statement: Sql, behind: usize) -> Self {
        Self { text: statement.0, before: 0, behind, discards: true }
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

    /// Whether rows are discarded as they arrive.
    pub fn discards(&self) -> bool {
        self.discards
    }
}
