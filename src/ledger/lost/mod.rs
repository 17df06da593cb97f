//! A version table that says base, by having no rows or by not existing, while the ledger has applied revisions: an upgrade would
//! run every revision again, on live data. Checked only if the version table says base.
//!
//! # Layout
//!
//! - `check_base`, in this file.
//! - `error`: [`LostVersionTable`], why an upgrade stops.
//! - `reset`: [`SchemaReset`], why it begins at base nevertheless.

mod error;
mod reset;

use tokio_postgres::error::SqlState;

use super::contents::ProofRows;
use super::error::ReadError;
use super::handle::Ledger;
use super::query::ROWS_TIMEOUT;
use super::state::State;
use super::trust::{UNTRUSTED, is_trust_failure};
use crate::config::Config;
use crate::revision::graph::Graph;
use crate::session::{Failure, Session, StatementResult};
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, Sql};

pub(crate) use error::LostVersionTable;
pub(crate) use reset::SchemaReset;

/// Whether a version table that says base is right: nothing is applied, or the schema was reset. Reads what the ledger has.
pub(crate) async fn check_base(
    session: &Session,
    config: &Config,
    state: &mut State,
    graph: &Graph,
) -> Result<Result<Option<SchemaReset>, LostVersionTable>, ReadError> {
    if !state.rows.is_empty() || !state.ledger.has_ledger {
        return Ok(Ok(None));
    }
    let contents = state.load_contents(session).await?;
    let is_without_events = contents.proven.is_empty();
    if contents.proven.version_rows(&contents.checksums, graph).is_some()
        && let Some(outcome) = check_applied(session, state, graph).await?
    {
        return Ok(outcome.map(Some));
    }
    let ledger = &state.ledger;
    let is_new = !ledger.has_version_table || is_without_events;
    if config.version_table.schema.is_none()
        && is_new
        && let Some((there, rows)) = ledger.find_elsewhere(session, graph).await?
    {
        return Ok(Err(LostVersionTable::Elsewhere { here: ledger.version_table.clone(), exists: ledger.has_version_table, there, rows }));
    }
    Ok(Ok(None))
}

/// Checks a version table without rows whose revisions the ledger has as applied. All of it is read again in one snapshot: a
/// different run may have applied the first revisions since the version table was read. `None` if so, or if none is applied.
async fn check_applied(
    session: &Session,
    state: &State,
    graph: &Graph,
) -> Result<Option<Result<SchemaReset, LostVersionTable>>, ReadError> {
    let ledger = &state.ledger;
    let table = &ledger.version_table;
    let has_rows = if ledger.has_version_table {
        sql!("SELECT EXISTS (SELECT FROM {table})", table = *table)
    } else {
        sql!("SELECT to_regclass({table}) IS NOT NULL", table = Literal(&table.to_string()))
    };
    // Relations in the schema of the version table, and where the revisions create theirs, that are neither ours, nor an
    // extension's, nor a part of another one.
    let relations = sql!(
        include_str!("relations.sql"),
        version_schema = Literal(table.schema.as_str()),
        first = Literal(state.server.schema.as_deref().unwrap_or(table.schema.as_str())),
        version = Literal(&table.to_string()),
        ledger = Literal(ledger.schema.as_str())
    );
    let tables = ["revision", "journal"];
    let lock = ledger.has_version_table.then(|| lock_table(table));
    let ahead = sql::set_role(ledger.role.as_ref()).into_iter().chain(lock).chain(ledger.lock_ledger(&tables, "ACCESS SHARE"));
    let [checksums, proven] = ledger.proof_queries();
    let check = ledger.trust_check(ledger.trust.access, &tables);
    let (mut has_rows_answer, mut relation, mut proof) = (None, None, ProofRows::default());
    let first = |row: &[Option<&str>]| row.first().copied().flatten().map(str::to_owned);
    ask_rows(session, &Message::reading(ahead, [check], [has_rows, checksums, proven, relations]), |statement, row| match statement {
        0 => has_rows_answer = first(row),
        1 => proof.push_checksum(row),
        2 => proof.push_event(row),
        _ => relation = relation.take().or_else(|| first(row)),
    })
    .await?;
    if has_rows_answer.as_deref() != Some("f") {
        return Ok(None);
    }
    let Some(rows) = rows_from_journal(proof, graph) else { return Ok(None) };
    Ok(Some(match relation {
        Some(relation) => Err(LostVersionTable::Rows { version_table: table.clone(), exists: ledger.has_version_table, rows, relation }),
        None => Ok(SchemaReset { version_table: table.plain(), rows }),
    }))
}

impl Ledger {
    /// A version table of the same name in a different schema, and its rows. The ledger must know it, and it must be trusted: a
    /// role with the right to create a schema and a table must not be able to stop a run.
    async fn find_elsewhere(&self, session: &Session, graph: &Graph) -> Result<Option<(QualifiedName, Vec<String>)>, ReadError> {
        let name = &self.version_table.name;
        // Tables with the version table's name in other schemas, if the ledger knows them by what was done there; and whether
        // this role may read them.
        let tables = sql!(
            include_str!("elsewhere.sql"),
            ledger = self.schema,
            name = Literal(name.as_str()),
            here = Literal(self.version_table.schema.as_str())
        );
        let found = ask(session, &self.reading(&["journal"], [tables])).await?;
        for row in found.into_iter().next().unwrap_or_default() {
            let Ok([Some(schema), may_read]) = <[Option<String>; 2]>::try_from(row) else { continue };
            let Some(schema) = Ident::parse(&schema) else { continue };
            let table = QualifiedName { schema, name: name.clone() };
            let rows = self.read_rows_of(&table, may_read.as_deref() == Some("t"), session, graph).await?;
            if let Some(rows) = rows {
                return Ok(Some((table, rows)));
            }
        }
        Ok(None)
    }

    /// The rows of a different version table, or those that the journal leads to if the role may not read that table; `None` if it
    /// is at base, is not trusted, or was dropped in between.
    async fn read_rows_of(
        &self,
        table: &QualifiedName,
        may_read: bool,
        session: &Session,
        graph: &Graph,
    ) -> Result<Option<Vec<String>>, ReadError> {
        let other = Self { version_table: table.clone(), ..self.clone() };
        // Fails if the table can't be trusted; as in trusted.sql, the cast fails when the statement runs.
        let trusted = sql!(include_str!("trusted.sql"), problems = other.tables().with_problems(), untrusted = Literal(UNTRUSTED));
        let role = sql::set_role(self.role.as_ref()).into_iter();
        let (mut rows, mut proof) = (Vec::new(), ProofRows::default());
        let outcome = if may_read {
            let rows_query = sql!("SELECT version_num::text FROM {table} ORDER BY version_num COLLATE \"C\"", table = *table);
            let reading = Message::reading(role.chain([lock_table(table)]), [trusted], [rows_query]);
            ask_rows(session, &reading, |_, row| rows.extend(row.first().copied().flatten().map(str::to_owned))).await
        } else {
            let ahead = role.chain(self.lock_ledger(&["revision", "journal"], "ACCESS SHARE"));
            let reading = Message::reading(ahead, [trusted], other.proof_queries());
            let take = |statement, row: &[Option<&str>]| if statement == 0 { proof.push_checksum(row) } else { proof.push_event(row) };
            ask_rows(session, &reading, take).await
        };
        match outcome {
            Ok(()) => {}
            Err(failure) if is_trust_failure(&failure) => return Ok(None),
            Err(failure) if failure.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        }
        if may_read {
            return Ok((!rows.is_empty()).then_some(rows));
        }
        Ok(rows_from_journal(proof, graph))
    }
}

/// The version rows that the answers to [`Ledger::proof_queries`] lead to.
fn rows_from_journal(proof: ProofRows, graph: &Graph) -> Option<Vec<String>> {
    let (proven, checksums) = proof.prove();
    proven.version_rows(&checksums, graph)
}

/// Keeps a table from being replaced until the transaction ends.
fn lock_table(table: &QualifiedName) -> Sql {
    sql!("LOCK TABLE {table} IN ACCESS SHARE MODE", table = *table)
}

/// Sends a message, and ends the transaction if it failed.
async fn ask(session: &Session, message: &Message) -> Result<Vec<StatementResult>, Failure> {
    let outcome = session.ask(message).await;
    if outcome.as_ref().is_err_and(|failure| !failure.is_lost()) {
        session.ask(&Message::rollback()).await?;
    }
    outcome
}

/// The same, with each row handed over as it arrives.
async fn ask_rows(session: &Session, message: &Message, take: impl FnMut(usize, &[Option<&str>])) -> Result<(), Failure> {
    let outcome = session.ask_rows(ROWS_TIMEOUT, message, take).await;
    if outcome.as_ref().is_err_and(|failure| !failure.is_lost()) {
        session.ask(&Message::rollback()).await?;
    }
    outcome
}
