//! A process that ends because of a signal, or because the operating system refuses what every run needs.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::exit::{Exit, Explain};
use crate::signal::Signal;

/// Why the process ends, whatever the command.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// A signal.
    #[error("stopped by {}{}", .signal.name(), .ended)]
    Interrupted {
        /// Which.
        signal: Signal,
        /// What became of the statement that was running.
        ended: Ended,
    },
    /// The operating system refused something that every run needs.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

impl Explain for ProcessError {
    fn exit(&self) -> Exit {
        match self {
            Self::Interrupted { signal, .. } => Exit::Signal(*signal),
            Self::System { .. } => Exit::Usage,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::System { .. } => "check the limits of the container".into(),
            Self::Interrupted { ended, .. } => match ended {
                Ended::Cancelled => "the statement that was running is cancelled; a new run continues from where the database is".into(),
                Ended::Unknown => "`pgmarch status` shows what was committed; a new run continues from there".into(),
                Ended::Unreplicated(error) => error.next_step(),
            },
        }
    }
}

/// What became of the statement that was running when a signal came.
#[derive(Debug)]
pub enum Ended {
    /// The server has confirmed that it was cancelled; or none was running.
    Cancelled,
    /// The server did not answer in time.
    Unknown,
    /// It is committed, on this server alone.
    Unreplicated(Box<dyn Explain + Send + Sync>),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => Ok(()),
            Self::Unknown => f.write_str(" while a statement was running; the server did not answer the request to cancel it, so whether it was committed is unknown"),
            Self::Unreplicated(error) => {
                let error: &(dyn std::error::Error + Send + Sync) = &**error;
                write!(f, ": {}", crate::words::chain(error))
            }
        }
    }
}
