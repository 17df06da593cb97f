//! Statements about the session and its transactions: the settings that pgmarch's statements run under, BEGIN and COMMIT, and
//! what is discarded of a session.

use super::{Ident, Literal, Sql};
use crate::sql;

/// The search path of all pgmarch's statements, until the transaction ends. `pg_temp` is named last, as it is searched first
/// otherwise.
const SAFE_PATH: &str = "SET LOCAL search_path TO pg_catalog, pg_temp";
/// Makes a query fail if a policy on one of pgmarch's tables would hide rows.
const NO_ROW_SECURITY: &str = "SET LOCAL row_security TO off";

/// pgmarch's catalog queries have many parts and return few rows: JIT compilation takes longer than running them.
const NO_JIT: &str = "SET LOCAL jit TO off";

/// The statements after which names of functions, operators, types and catalogs are PostgreSQL's own.
pub(crate) fn safe_settings() -> [Sql; 3] {
    [Sql::of(SAFE_PATH), Sql::of(NO_ROW_SECURITY), Sql::of(NO_JIT)]
}

/// The statements after which no timeout of the role, the database or the server ends a statement of pgmarch, until the transaction
/// ends; what takes too long is cancelled by pgmarch itself. They come after [`safe_settings`]. `transaction_timeout` is a setting of
/// PostgreSQL 17.
pub(crate) fn no_timeouts() -> [Sql; 2] {
    const NO_TRANSACTION_TIMEOUT: &str =
        "SELECT set_config('transaction_timeout', '0', true) WHERE current_setting('transaction_timeout', true) <> '0'";
    [Sql::of(NO_STATEMENT_TIMEOUT), Sql::of(NO_TRANSACTION_TIMEOUT)]
}

/// Turns `statement_timeout` off until the transaction ends, for a statement of pgmarch beside a revision's text.
pub(crate) const NO_STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout TO 0";

/// Makes the next COMMIT return only when it is on the server's disk, also where `synchronous_commit` is off for the server, the
/// database or the role. A value that waits for a standby as well stays.
const FLUSHED: &str = "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'";

/// The beginning of a write transaction of pgmarch's.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The same for a revision that sets the isolation level of its transaction: after a statement of pgmarch it could no longer do so.
pub(crate) fn begin(isolation_level: Option<&'static str>) -> Sql {
    match isolation_level {
        Some(level) => sql!("BEGIN ISOLATION LEVEL {level} READ WRITE", level = Sql::of(level)),
        None => Sql::of(BEGIN),
    }
}

/// When the COMMIT of pgmarch's transaction returns: `synchronous_commit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// After it is on the server's disk, and with it all that was committed before.
    Now,
    /// Earlier: a later commit of the same run is flushed, and with it this one.
    Later,
}

/// The end of a transaction of pgmarch's, after [`safe_settings`]: its `synchronous_commit`, and `COMMIT`.
pub(crate) fn commit(flush: Flush) -> [Sql; 2] {
    let setting = match flush {
        Flush::Now => FLUSHED,
        Flush::Later => "SET LOCAL synchronous_commit TO off",
    };
    [Sql::of(setting), Sql::of("COMMIT")]
}

/// Discards what a revision, or a failed attempt of one, left in its session: cursors, LISTEN, cached values of sequences,
/// temporary objects, advisory locks of the session, prepared statements. Deallocation statements, locks and cached values
/// outlive a rollback. Most of it costs nothing where there is nothing to discard. Statements that other clients prepared through
/// a pooler by the protocol have no SQL, and remain; so do those that pgmarch has prepared.
pub(crate) fn discard(prepared: Deallocation) -> Vec<Sql> {
    let prepared = match prepared {
        Deallocation::OfOthers => Some(deallocate(None)),
        Deallocation::All => Some(Sql::of("DEALLOCATE ALL")),
        Deallocation::Nothing => None,
    };
    let discarded = [
        Sql::of("CLOSE ALL"),
        Sql::of("UNLISTEN *"),
        Sql::of("DISCARD SEQUENCES"),
        Sql::of("DISCARD TEMP"),
        Sql::of("SELECT pg_advisory_unlock_all()"),
    ];
    discarded.into_iter().chain(prepared).collect()
}

/// Which prepared statements `discard` deallocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deallocation {
    /// All that were prepared in SQL, except pgmarch's own; this needs PL/pgSQL.
    OfOthers,
    /// All: the role may not use PL/pgSQL, and no pooler shares the session.
    All,
    /// None: the role may not use PL/pgSQL, and a pooler may share the session.
    Nothing,
}

/// Deallocates the session's prepared statements that are younger than a time, as the server prints it; or all of them.
pub(crate) fn deallocate(since: Option<&str>) -> Sql {
    let since = since.unwrap_or("-infinity");
    // Prepared statements that were prepared in SQL after a time. Runs under a safe search path.
    let block = sql!(include_str!("deallocate.sql"), since = Literal(since));
    sql!("DO {block}", block = Literal(&block.text()))
}

/// `SET ROLE`, if there is a role, until the transaction ends.
pub(crate) fn set_role(role: Option<&Ident>) -> Option<Sql> {
    role.map(|role| sql!("SET LOCAL ROLE {role}", role = *role))
}
