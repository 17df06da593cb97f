//! Queries of our tables, in one message each.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::error::ReadError;
use super::handle::Ledger;
use super::locked::Locked;
use super::rights::WantedTables;
use crate::session::other_session::{description, parse};
use crate::session::{Failure, Session, StatementResult};
use crate::sql;
use crate::sql::{Literal, Message, Sql};

impl Ledger {
    /// A message that reads tables of the ledger, if they are as they were when the state was read. They are locked before
    /// the transaction's snapshot is taken, so that it shows what is locked.
    pub(crate) fn reading(&self, tables: &[&'static str], statements: impl IntoIterator<Item = Sql>) -> Message {
        let ahead = self.read_settings().chain(self.lock_ledger(tables, "ACCESS SHARE"));
        Message::reading(ahead, [self.trust_check(self.trust.access, tables)], statements)
    }

    /// Sends such a message; a lock that keeps all sessions from reading our tables becomes an error that names its holder.
    pub(super) async fn ask(&self, session: &Session, message: &Message) -> Result<Vec<StatementResult>, ReadError> {
        ask(session, message, &WantedTables::of_ledger(self)).await
    }

    /// The same, with each row handed over as it arrives, and the number of its statement: a history may be long.
    pub(super) async fn ask_rows(
        &self,
        session: &Session,
        message: &Message,
        take: impl FnMut(usize, &[Option<&str>]),
    ) -> Result<(), ReadError> {
        match session.ask_rows(ROWS_TIMEOUT, message, take).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(explain(failure, session, &WantedTables::of_ledger(self)).await),
        }
    }
}

/// How long the server may take for the next row of a long history or a large text.
pub(super) const ROWS_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends a message that reads our tables; a lock that keeps all sessions from reading them becomes an error that names its holder.
pub(super) async fn ask(session: &Session, message: &Message, tables: &WantedTables<'_>) -> Result<Vec<StatementResult>, ReadError> {
    match session.ask(message).await {
        Ok(answers) => Ok(answers),
        Err(failure) => Err(explain(failure, session, tables).await),
    }
}

/// The error that a failure means. The transaction that failed ends.
async fn explain(failure: Failure, session: &Session, tables: &WantedTables<'_>) -> ReadError {
    if failure.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return ReadError::Denied { grants: tables.grants_after_failure(session).await, cause: failure.source };
    }
    if failure.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return ReadError::Server(failure);
    }
    // Which session keeps all others from reading the version table or the ledger.
    let holder = sql!(
        include_str!("locked.sql"),
        version_name = Literal(tables.version_table.as_str()),
        ledger = Literal(tables.ledger.as_str()),
        session = description(Sql::of("coalesce(l.pid, 0)"))
    );
    let found = session.ask(&Message::preceded_by([Sql::of("ROLLBACK")], [holder])).await;
    let row = found.ok().and_then(|answers| answers.into_iter().next()).and_then(|rows| rows.into_iter().next());
    let Some(Ok([Some(relation), Some(session)])) = row.map(<[Option<String>; 2]>::try_from) else { return ReadError::Server(failure) };
    match parse(&session) {
        Some(session) => ReadError::Locked(Locked { relation, session }),
        None => ReadError::Server(failure),
    }
}
