//! Why a message failed.

use std::time::Duration;

use pg_connect::protocol::ProtocolError;
use thiserror::Error;
use tokio_postgres::error::{Severity, SqlState};

use super::failure_cause::FailureCause;
use crate::words::chain;

/// A message that failed, and how many of its statements had completed when it did.
#[derive(Debug, Error)]
#[error("{}", if matches!(.source, Cause::Unreplicated) { "the transaction is committed".to_owned() } else { chain(.source) })]
pub struct Failure {
    /// Statements of the message that were complete; in a failed transaction they are rolled back nevertheless.
    pub completed: usize,
    /// How long the server had worked on the message, measured here: since it was sent, or since the answer to the one before it.
    pub elapsed: Duration,
    /// The cause.
    #[source]
    pub source: Cause,
}

/// Why a message failed.
#[derive(Debug, Error)]
pub enum Cause {
    /// The driver's error: what the server reported, or that the connection is gone.
    #[error("{0}")]
    Driver(#[from] tokio_postgres::Error),
    /// The connection was closed without a message of the server, after nothing had come over it for a while.
    #[error("the connection was closed{}", suspicion(*.0))]
    Silent(Duration, #[source] tokio_postgres::Error),
    /// No answer in time to a message that takes no time.
    #[error("no answer within {}", crate::words::rough(*.0))]
    Timeout(Duration),
    /// The client ended the connection, because the server violated the protocol.
    #[error(transparent)]
    Protocol(ProtocolError),
    /// The server committed without waiting for its synchronous standbys.
    #[error(
        "the server committed without waiting for its synchronous standbys: the commit is on this server alone until they have it, and lost if it fails before"
    )]
    Unreplicated,
    /// A message that no server takes: nothing was sent.
    #[error(
        "its message would have {} MB, with the text in it twice: once to run it, and once for the ledger; a server takes messages of up to 1 GiB",
        bytes.div_ceil(1_000_000)
    )]
    MessageTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Another connection found that the server no longer runs it, but no answer came.
    #[error("the server ended the statement, but its answer never came")]
    Gone,
}

/// A proxy's idle timeout is suspected after this long without traffic: none has a shorter one.
const SUSPICIOUS: Duration = Duration::from_millis(900);

/// What to do about a proxy that closes idle connections.
pub(crate) const IDLE_ADVICE: &str = "raise the idle timeout of the proxy or pooler between pgmarch and the server above the time that the longest statement takes (HAProxy: timeout client, timeout server; PgBouncer: client_idle_timeout, query_timeout, idle_transaction_timeout), or connect past it (PGMARCH_DATABASE_URL); a new run continues from where the database is";

/// Whether so long a silence suggests a proxy's idle timeout.
pub(crate) fn is_suspicious(silence: Duration) -> bool {
    silence >= SUSPICIOUS
}

/// The end of a message about a lost connection: how long nothing had come over it, and what that suggests, if it does.
pub(crate) fn suspicion(silence: Duration) -> String {
    if !is_suspicious(silence) {
        return String::new();
    }
    format!(" after {} without traffic (an idle timeout of a proxy or pooler, if the server did not crash)", crate::words::rough(silence))
}

impl Cause {
    /// The server's error, if it is one.
    pub fn as_db_error(&self) -> Option<&tokio_postgres::error::DbError> {
        if let Self::Driver(error) = self { error.as_db_error() } else { None }
    }
}

impl Failure {
    /// Whether the connection is gone, so that the outcome of the message is unknown.
    pub fn is_lost(&self) -> bool {
        match &self.source {
            Cause::Driver(error) => is_lost(error),
            // The session is closed in these cases, so no answer can arrive later.
            Cause::Timeout(_) | Cause::Gone | Cause::Silent(..) => true,
            // A retry would end in the same way.
            Cause::Protocol(_) | Cause::Unreplicated | Cause::MessageTooLarge { .. } => false,
        }
    }

    /// Whether a proxy or pooler may have closed the connection because of a timeout of its own. PgBouncer reports each of its
    /// timeouts as a violation of the protocol.
    pub(crate) fn is_proxy_timeout(&self) -> bool {
        is_suspicious(self.silence()) || self.code() == Some(&SqlState::PROTOCOL_VIOLATION)
    }

    /// How long nothing had come over a connection that was closed, if that suggests a proxy's idle timeout; else zero.
    pub(crate) fn silence(&self) -> Duration {
        if let Cause::Silent(silence, _) = self.source { silence } else { Duration::ZERO }
    }

    /// The server's own error code.
    pub fn code(&self) -> Option<&SqlState> {
        if let Cause::Driver(error) = &self.source { error.code() } else { None }
    }

    /// What the server's error means for the run, if it is an error of the server.
    pub fn meaning(&self) -> Option<FailureCause> {
        self.code().map(FailureCause::of)
    }

    /// Whether the same message may succeed later: another session's lock was in the way.
    pub fn is_retried(&self) -> bool {
        self.meaning().is_some_and(FailureCause::is_retried)
    }

    /// Whether PgBouncer refused a transaction, as it is in statement mode. It reports that as a violation of the protocol, with this
    /// message, which it has in no other language.
    pub fn is_of_statement_pooler(&self) -> bool {
        let error = self.source.as_db_error();
        error.is_some_and(|error| error.code().code() == "08P01" && error.message().contains("statement pooling"))
    }

    /// Whether the server committed, but only on itself, without its synchronous standbys.
    pub fn is_unreplicated(&self) -> bool {
        matches!(self.source, Cause::Unreplicated)
    }
}

/// Whether an error means that the connection is gone: its socket is closed, or the server ended the session, which it says with
/// FATAL or PANIC. An ERROR never does, whatever its SQLSTATE: `dblink` reports a server of its own with 08001, and `RAISE` may
/// take any (manual, 55.7 and 20.8.2).
pub fn is_lost(error: &tokio_postgres::Error) -> bool {
    if error.is_closed() {
        return true;
    }
    match error.as_db_error() {
        Some(said) => match said.parsed_severity() {
            Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
            // A pooler may omit the untranslated severity.
            None => ["FATAL", "PANIC"].contains(&said.severity()),
        },
        None => std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>()),
    }
}
