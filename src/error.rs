//! The top error: collects the errors of all modules. Each explains itself where it is defined ([`Explain`]).

use std::borrow::Cow;

use thiserror::Error;

use crate::alembic::ImportError;
use crate::ancestry::LateRevisions;
use crate::apply::{BookkeepingError, StoppedRun};
use crate::checksum::ChecksumError;
use crate::commands::error::CommandError;
use crate::config::error::{ConfigError, ConfigFault};
use crate::exit::{Exit, Explain, Retry};
use crate::facts::FailureFacts;
use crate::interruption::ProcessError;
use crate::ledger::ReadError;
use crate::ledger::lost::LostVersionTable;
use crate::lock::LockError;
use crate::model::prove::ProofError;
use crate::model::prove::scratch::ScratchError;
use crate::plan::downgrade::DowngradeError;
use crate::plan::refused::CertainFailures;
use crate::position::PositionError;
use crate::revision::Fault;
use crate::revision::fault::UnsoundRevisions;
use crate::revision::name::NameError;
use crate::runner::error::RunError;
use crate::session::wait::WaitError;

/// Everything that ends a command without success.
#[derive(Debug, Error)]
pub enum Error {
    /// Settings that are unknown, unreadable or invalid.
    #[error(transparent)]
    Config(ConfigError),
    /// The command's arguments, or its findings.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Revisions that can't be read as a graph.
    #[error(transparent)]
    Revisions(UnsoundRevisions),
    /// A name that can't be resolved.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Files that have changed since they were applied.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// Revisions below the version rows that were never run there.
    #[error(transparent)]
    Late(#[from] LateRevisions),
    /// A version table without rows where the ledger has applied revisions.
    #[error(transparent)]
    Lost(#[from] LostVersionTable),
    /// A database at revisions that are not among this image's files and their descendants.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// A downgrade that can't be planned.
    #[error(transparent)]
    Down(#[from] DowngradeError),
    /// A plan with statements that are certain to fail.
    #[error(transparent)]
    CertainFailures(#[from] CertainFailures),
    /// A write to the version table or the ledger failed.
    #[error(transparent)]
    Note(#[from] BookkeepingError),
    /// No server in time, or a refused connection.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The state can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The run stopped.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run lock was not obtained, or lost.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The run stopped before its plan was done.
    #[error(transparent)]
    Apply(Box<StoppedRun>),
    /// Output of Alembic's that can't be turned into revisions.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A scratch database.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// No migration between revisions and model was found, or none back.
    #[error(transparent)]
    Proof(ProofError),
    /// A signal, or the operating system.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl Error {
    /// The error itself.
    fn inner(&self) -> &dyn Explain {
        match self {
            Self::Config(error) => error,
            Self::Command(error) => error,
            Self::Revisions(error) => error,
            Self::Name(error) => error,
            Self::Checksum(error) => error,
            Self::Late(error) => error,
            Self::Lost(error) => error,
            Self::Position(error) => error,
            Self::Down(error) => error,
            Self::CertainFailures(error) => error,
            Self::Note(error) => error,
            Self::Wait(error) => error,
            Self::Read(error) => error,
            Self::Run(error) => error,
            Self::Lock(error) => error,
            Self::Apply(error) => &**error,
            Self::Import(error) => error,
            Self::Scratch(error) => error,
            Self::Proof(error) => error,
            Self::Process(error) => error,
        }
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        self.inner().exit()
    }

    fn retry(&self) -> Retry {
        self.inner().retry()
    }

    fn next_step(&self) -> Cow<'static, str> {
        self.inner().next_step()
    }

    fn faults(&self) -> Vec<String> {
        self.inner().faults()
    }

    fn facts(&self) -> FailureFacts {
        self.inner().facts()
    }
}

impl From<Vec<ConfigFault>> for Error {
    fn from(faults: Vec<ConfigFault>) -> Self {
        Self::Config(ConfigError(faults))
    }
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Revisions(UnsoundRevisions(faults))
    }
}

impl From<ProofError> for Error {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Scratch(error) => Self::Scratch(error),
            ProofError::Fails { .. } | ProofError::Remains { .. } | ProofError::Rows(_) | ProofError::Rename(_) | ProofError::Scope(_) => {
                Self::Proof(error)
            }
        }
    }
}
