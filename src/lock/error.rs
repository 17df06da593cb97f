//! Why a run does not have the run lock.

use std::borrow::Cow;
use std::time::Duration;

use pg_connect::{ConnectError, RetryVerdict};
use thiserror::Error;

use crate::exit::{Exit, Explain, Retry};
use crate::facts::{Blocker, FailureFacts};
use crate::session::{Failure, FailureCause, IDLE_ADVICE, is_suspicious, suspicion};

/// Why the lock is not this run's.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another run held the lock for the whole timeout.
    #[error("another run holds the lock: {}; not released within {}", name(.holder.as_ref()), humantime::format_duration(*.waited))]
    Timeout {
        /// The holder, from `pg_stat_activity`; `None` if it has just ended.
        holder: Option<Blocker>,
        /// `PGMARCH_RUN_LOCK_TIMEOUT`.
        waited: Duration,
    },
    /// No connection for it.
    #[error("no connection for the run lock")]
    Connect(#[from] ConnectError),
    /// The server refused a statement about it, or is gone.
    #[error("the run lock can't be taken")]
    Server(#[source] Failure),
    /// A pooler in statement mode refuses every transaction of several statements.
    #[error("the pooler at this address is in statement mode, and refuses every transaction of several statements")]
    StatementPooler(#[source] Failure),
    /// The lock's connection was lost before the run began.
    #[error("the connection that held the run lock was lost while no revision was running{}", suspicion(*.silence))]
    Lost {
        /// How long nothing had come over it.
        silence: Duration,
    },
    /// The second connection reached a different server from the lock's: a failover is in progress among the hosts of the URL.
    #[error("the run lock and the next connection are on different servers")]
    DifferentServers,
    /// No second connection, or none that answers.
    #[error("no answer on a connection for the run within {}", crate::words::rough(*.waited))]
    NoSecondConnection {
        /// How long the run waited.
        waited: Duration,
        /// The error of the last attempt; `None` if there was no answer.
        #[source]
        cause: Option<ConnectError>,
    },
}

/// The holder of the lock, for a message.
pub(super) fn name(holder: Option<&Blocker>) -> String {
    holder.map_or_else(|| "a run that has just ended".to_owned(), Blocker::to_string)
}

impl From<Failure> for LockError {
    fn from(failure: Failure) -> Self {
        if failure.is_of_statement_pooler() { Self::StatementPooler(failure) } else { Self::Server(failure) }
    }
}

impl Explain for LockError {
    fn exit(&self) -> Exit {
        match self {
            Self::Timeout { .. } | Self::Lost { .. } | Self::DifferentServers => Exit::Locked,
            Self::NoSecondConnection { .. } => Exit::Unreachable,
            Self::Connect(ConnectError::Settings(_)) | Self::StatementPooler(_) => Exit::Usage,
            Self::Connect(error) if error.retry_verdict() == RetryVerdict::Wait => Exit::Unreachable,
            Self::Server(failure) if failure.is_lost() => Exit::Locked,
            Self::Server(failure) => failure.meaning().map_or(Exit::Refused, FailureCause::exit_of_own),
            Self::Connect(_) => Exit::Refused,
        }
    }

    fn retry(&self) -> Retry {
        let is_worthwhile = match self {
            Self::Server(failure) => failure.is_lost(),
            Self::Connect(error) => error.retry_verdict() == RetryVerdict::Wait,
            Self::Lost { .. } | Self::DifferentServers => true,
            Self::Timeout { .. } | Self::NoSecondConnection { .. } | Self::StatementPooler(_) => false,
        };
        if is_worthwhile { Retry::Reconnect } else { Retry::Never }
    }

    fn facts(&self) -> FailureFacts {
        let blocker = if let Self::Timeout { holder, .. } = self { holder.clone() } else { None };
        FailureFacts { blocker, ..FailureFacts::of_source(self) }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Timeout { holder, .. } => {
                return match holder.as_ref().and_then(Blocker::terminate_command) {
                    Some(command) => format!("wait for that run, or end it with {command}; PGMARCH_RUN_LOCK_TIMEOUT waits longer"),
                    None => "run again: the run that held the lock has ended".to_owned(),
                }
                .into();
            }
            Self::StatementPooler(_) => "connect past the pooler (PGMARCH_DATABASE_URL), or to a pool in session mode or transaction mode (PgBouncer: pool_mode); nothing was changed",
            Self::NoSecondConnection { .. } => "a run needs two connections at once, and a third to watch: give the pooler a pool size of at least 2, or connect to the server itself (PGMARCH_DATABASE_URL)",
            Self::Lost { silence } if is_suspicious(*silence) => IDLE_ADVICE,
            Self::Connect(_) | Self::Server(_) | Self::Lost { .. } | Self::DifferentServers => "read the server's log; a new run continues from where the database is",
        }
        .into()
    }
}
