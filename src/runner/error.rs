//! Errors of a run that none of the modules below it has.

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use crate::exit::{Exit, Explain};
use crate::facts::FailureFacts;
use crate::session::IDLE_ADVICE;

/// Why a run stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The server can't be written to.
    #[error("{address} is read-only and {} pending", crate::words::count(*.pending, "revision"))]
    ReadOnly {
        /// The database, without its password.
        address: String,
        /// The number of pending revisions.
        pending: usize,
    },
    /// Connections were lost repeatedly until `PGMARCH_RETRY_FOR` was over.
    #[error("the run did not finish within PGMARCH_RETRY_FOR ({}) after its first interruption; the last cause", humantime::format_duration(*.timeout))]
    RetriesExhausted {
        /// The setting.
        timeout: Duration,
        /// Whether it was the connection of the run lock that was lost last.
        was_lock: bool,
        /// Whether a proxy's idle timeout is suspected.
        was_idle: bool,
        /// The last error.
        #[source]
        last: Box<dyn std::error::Error + Send + Sync>,
        /// The facts of the last error, and what was committed before.
        facts: Box<FailureFacts>,
    },
}

impl Explain for RunError {
    fn exit(&self) -> Exit {
        match self {
            Self::RetriesExhausted { was_lock: true, .. } => Exit::Locked,
            Self::RetriesExhausted { .. } | Self::ReadOnly { .. } => Exit::Unreachable,
        }
    }

    fn facts(&self) -> FailureFacts {
        match self {
            Self::ReadOnly { .. } => FailureFacts::default(),
            Self::RetriesExhausted { facts, .. } => (**facts).clone(),
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::ReadOnly { .. } => "connect to the primary (target_session_attrs=read-write), or make the database writable",
            Self::RetriesExhausted { was_idle: true, .. } => IDLE_ADVICE,
            Self::RetriesExhausted { .. } => "read the server's log and check the network; a new run continues where this one stopped",
        }
        .into()
    }
}
