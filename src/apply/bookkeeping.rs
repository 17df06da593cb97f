//! Bookkeeping alone, without a revision's text: a stamp, a repair, a down migration that was changed in its file.

use std::borrow::Cow;

use thiserror::Error;
use tokio_postgres::error::SqlState;

use super::activity::list;
use super::error::ON_THIS_SERVER_ONLY;
use super::monitor::{MonitoredBackend, StatementMonitor, take_token};
use crate::config::Config;
use crate::exit::{Exit, Explain, Retry};
use crate::facts::{Blocker, FailureFacts};
use crate::ledger::{is_fence_failure, is_trust_failure, set_role};
use crate::lock::RunLock;
use crate::session::other_session::lock_advice;
use crate::session::{Failure, FailureCause, Session, StatementResult};
use crate::sql;
use crate::sql::{Message, Sql};

/// Why bookkeeping failed, or why its outcome is unknown.
#[derive(Debug, Error)]
#[error("{}", self.what())]
pub struct BookkeepingError {
    /// The server's error. After [`Failure::is_lost`] the outcome is unknown. After [`Failure::is_unreplicated`] the bookkeeping
    /// is committed. After any other failure nothing was done.
    pub source: Failure,
    /// The sessions that blocked it, as far as the monitor saw them.
    pub blockers: Vec<Blocker>,
}

impl BookkeepingError {
    fn what(&self) -> String {
        let what = if self.source.is_lost() {
            "whether the version table and the ledger were written is unknown"
        } else if self.source.is_unreplicated() {
            "the version table and the ledger were written"
        } else {
            "the version table or the ledger can't be written to"
        };
        let in_the_way = if self.blockers.is_empty() { String::new() } else { format!(" (in the way: {})", list(&self.blockers)) };
        format!("{what}{in_the_way}")
    }
}

impl BookkeepingError {
    /// Whether another session held a lock for longer than `PGMARCH_LOCK_TIMEOUT`, or until the wait was cancelled.
    fn is_blocked(&self) -> bool {
        self.source.is_retried() || self.source.code() == Some(&SqlState::QUERY_CANCELED)
    }
}

impl Explain for BookkeepingError {
    fn exit(&self) -> Exit {
        let source = &self.source;
        if source.is_lost() {
            Exit::Unreachable
        } else if source.is_unreplicated() {
            Exit::Failed
        } else if self.is_blocked() || is_fence_failure(source) || is_trust_failure(source) {
            Exit::Locked
        } else {
            source.meaning().map_or(Exit::Refused, FailureCause::exit_of_own)
        }
    }

    fn retry(&self) -> Retry {
        if self.source.is_unreplicated() { Retry::Committed } else { Retry::Never }
    }

    fn facts(&self) -> FailureFacts {
        FailureFacts { blocker: self.blockers.first().cloned(), ..FailureFacts::of_source(self) }
    }

    fn next_step(&self) -> Cow<'static, str> {
        let source = &self.source;
        if is_trust_failure(source) {
            "another session changed the version table or the ledger meanwhile; run again, to see whether they can still be trusted".into()
        } else if is_fence_failure(source) {
            "somebody else moved the version table; look at `pgmarch status` and run again".into()
        } else if source.is_lost() {
            "`pgmarch status` shows whether it was done".into()
        } else if source.is_unreplicated() {
            ON_THIS_SERVER_ONLY.into()
        } else if self.is_blocked() {
            format!("another session has locked the version table or the ledger: {}; nothing was changed", lock_advice(&self.blockers))
                .into()
        } else {
            "the message says what is in the way; nothing was changed".into()
        }
    }
}

/// Runs statements of the ledger as one message in one transaction, which is flushed to the server's disk when this returns. They
/// wait up to `PGMARCH_LOCK_TIMEOUT` for other sessions' locks; a long wait is logged with its cause.
pub async fn run_bookkeeping(
    session: &Session,
    lock: &RunLock,
    server: u32,
    config: &Config,
    statements: Vec<Sql>,
) -> Result<(), BookkeepingError> {
    let host = lock.host();
    let token = host.token();
    let monitor = StatementMonitor::new(lock.pool().clone(), host, token, server, config.lock_timeout.duration(), config.retry_for);
    let sending = send(session, config, Some(take_token(token)), statements);
    let outcome = monitor.supervise("bookkeeping", MonitoredBackend::TokenHolder, sending).await;
    match end_if_failed(session, outcome).await {
        Ok(()) => Ok(()),
        Err(source) => Err(BookkeepingError { blockers: monitor.blockers_of(&source, "").await, source }),
    }
}

/// The same during a run, with the run's own monitor.
pub(super) async fn run_bookkeeping_unmonitored(session: &Session, config: &Config, statements: Vec<Sql>) -> Result<(), Failure> {
    end_if_failed(session, send(session, config, None, statements).await).await
}

async fn send(session: &Session, config: &Config, mark: Option<Sql>, statements: Vec<Sql>) -> Result<(), Failure> {
    let timeouts = [sql!("SET LOCAL lock_timeout = {timeout}", timeout = config.lock_timeout), Sql::of("SET LOCAL statement_timeout = 0")];
    let marked = mark.map(|mark| sql!("SELECT {mark}", mark = mark));
    let ahead = timeouts.into_iter().chain(marked).chain(set_role(config));
    write(session, config, &Message::writing(ahead, statements)).await.map(drop)
}

/// Ends a failed transaction. If its outcome is unknown, closes the connection.
async fn end_if_failed(session: &Session, outcome: Result<(), Failure>) -> Result<(), Failure> {
    match &outcome {
        Ok(()) => {}
        Err(failure) if failure.is_lost() => {
            session.cancel().await;
            session.terminate();
        }
        Err(_) => drop(session.ask(&Message::rollback()).await),
    }
    outcome
}

/// Sends a write of pgmarch's own, which waits up to `PGMARCH_LOCK_TIMEOUT` for other sessions' locks.
pub(super) async fn write(session: &Session, config: &Config, message: &Message) -> Result<Vec<StatementResult>, Failure> {
    if config.lock_timeout.is_off() { session.run(message).await } else { session.write(message, config.lock_timeout.duration()).await }
}
