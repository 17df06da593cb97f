//! Why a plan was not fully applied, and what was committed before.

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::error::SqlState;

use super::sql_failure::SqlFailure;

use crate::exit::{Exit, Explain, Retry};
use crate::facts::{Blocker, FailureFacts, place};
use crate::ledger::UnfinishedRevision;
use crate::revision::Id;
use crate::session::{Failure, FailureCause, IDLE_ADVICE, is_suspicious, suspicion};

/// A revision that is applied, or undone, and committed.
#[derive(Clone, Debug)]
pub struct CompletedStep {
    /// Its id.
    pub id: Id,
    /// How long it took on the server.
    pub duration: Duration,
}

/// Why a run stopped before its plan was complete.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// A statement of a revision failed; the revision is rolled back.
    #[error("revision {} failed", .0.revision)]
    Revision(Box<SqlFailure>),
    /// The server refused our own bookkeeping around a revision.
    #[error("the bookkeeping of revision {revision} was refused")]
    Bookkeeping {
        /// The revision, which was rolled back.
        revision: Id,
        /// The sessions that were in the way.
        blockers: Vec<Blocker>,
        /// What to do.
        advice: String,
        /// The server's error.
        #[source]
        source: Failure,
    },
    /// A revision changed the version table or the ledger, which pgmarch alone writes to.
    #[error("{0}")]
    OwnTables(Box<OwnTablesChanged>),
    /// A revision is committed, but its synchronous standbys may not have it.
    #[error("revision {0} is committed on this server only: {source}", source = .1.source)]
    Unreplicated(Id, Failure),
    /// The client closed the connection because the server violated the protocol.
    #[error("revision {0} was interrupted: the connection was closed")]
    Broken(Id, #[source] Failure),
    /// After the last COMMIT the version rows are not as expected: another tool moved them, or a trigger of a revision did at
    /// COMMIT.
    #[error("the version table is at {found} behind the run's last COMMIT, not at {expected}")]
    UnexpectedVersion {
        /// The version rows that the plan leads to.
        expected: String,
        /// The version rows found.
        found: String,
    },
    /// Another session moved the version table after the plan was made.
    #[error("another session moved the version table")]
    Moved(#[source] Failure),
    /// The connection was lost, and the outcome of the revision in progress is unknown until the database is read again.
    #[error("the connection was lost while revision {0} ran{silence}", silence = suspicion(.1.silence()))]
    Lost(Id, #[source] Failure),
    /// The connection that held the run lock was lost.
    #[error("the connection that held the run lock was lost{}; the statement under way was cancelled", suspicion(*.silence))]
    LockLost {
        /// How long nothing had come over it.
        silence: Duration,
    },
    /// A step can't run in one transaction with the others.
    #[error("revision {0} is marked transaction:false, so it can't be part of PGMARCH_TRANSACTION=run; set PGMARCH_TRANSACTION=revision")]
    StepwiseInRun(Id),
    /// A `transaction:false` revision was started, and this plan does not finish it.
    #[error("{0}, and this run would not finish it")]
    Unfinished(Box<UnfinishedRevision>),
    /// The text of statements that have already run has changed since.
    #[error("{was}; but the text of these statements in {} has changed since", .path.display())]
    TextChanged {
        /// The direction in which they ran.
        was: Box<UnfinishedRevision>,
        /// The file.
        path: std::path::PathBuf,
    },
    /// A pooler gives the session a different server connection for each transaction.
    #[error(
        "revision {0} is marked transaction:false, whose statements need a session of their own, but a pooler in transaction mode stands between us and the server"
    )]
    TransactionPooler(Id),
    /// The backend of an earlier run still works on the revision, or another session on an index that is in the way.
    #[error("revision {revision} can't continue: {session} still works on {}", index.as_ref().map_or_else(|| "it".to_owned(), |index| format!("the table of the INVALID index {index}")))]
    Busy {
        /// The revision.
        revision: Id,
        /// The backend or session.
        session: Box<Blocker>,
        /// The index that is in the way.
        index: Option<String>,
    },
    /// The server reported that an index is built, but the index is not valid.
    #[error("revision {revision} built the index {index}, but it is INVALID")]
    Invalid {
        /// The revision.
        revision: Id,
        /// The index.
        index: String,
    },
}

impl ApplyError {
    /// The revision it is about.
    pub fn revision(&self) -> Option<&Id> {
        match self {
            Self::Revision(failure) => Some(&failure.revision),
            Self::Bookkeeping { revision, .. }
            | Self::Lost(revision, _)
            | Self::Unreplicated(revision, _)
            | Self::Broken(revision, _)
            | Self::StepwiseInRun(revision)
            | Self::TransactionPooler(revision)
            | Self::Busy { revision, .. }
            | Self::Invalid { revision, .. } => Some(revision),
            Self::OwnTables(changed) => Some(&changed.revision),
            Self::UnexpectedVersion { .. } | Self::Moved(_) | Self::LockLost { .. } | Self::Unfinished(_) | Self::TextChanged { .. } => {
                None
            }
        }
    }

    /// The server's error code.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Revision(failure) => Some(failure.error.code().code()),
            Self::Bookkeeping { source, .. } | Self::Moved(source) | Self::Lost(_, source) => source.code().map(SqlState::code),
            Self::OwnTables(_)
            | Self::UnexpectedVersion { .. }
            | Self::Unreplicated(..)
            | Self::Broken(..)
            | Self::LockLost { .. }
            | Self::StepwiseInRun(_)
            | Self::Unfinished(_)
            | Self::TextChanged { .. }
            | Self::TransactionPooler(_)
            | Self::Busy { .. }
            | Self::Invalid { .. } => None,
        }
    }
}

impl Explain for ApplyError {
    fn exit(&self) -> Exit {
        match self {
            Self::Revision(failure) => FailureCause::of(failure.error.code()).exit(),
            Self::Bookkeeping { source, .. } => source.meaning().map_or(Exit::Refused, FailureCause::exit_of_own),
            Self::OwnTables(_) | Self::Unreplicated(..) | Self::Unfinished(_) | Self::Invalid { .. } => Exit::Failed,
            Self::Broken(..) => Exit::Refused,
            Self::Lost(..) => Exit::Unreachable,
            Self::Moved(_) | Self::UnexpectedVersion { .. } | Self::LockLost { .. } | Self::Busy { .. } => Exit::Locked,
            Self::StepwiseInRun(_) | Self::TransactionPooler(_) => Exit::Usage,
            Self::TextChanged { .. } => Exit::Unsound,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Lost(..) | Self::Moved(_) | Self::UnexpectedVersion { .. } | Self::LockLost { .. } => Retry::Reconnect,
            Self::Unreplicated(..) => Retry::Committed,
            Self::Revision(_)
            | Self::Bookkeeping { .. }
            | Self::OwnTables(_)
            | Self::Broken(..)
            | Self::StepwiseInRun(_)
            | Self::Unfinished(_)
            | Self::TextChanged { .. }
            | Self::TransactionPooler(_)
            | Self::Busy { .. }
            | Self::Invalid { .. } => Retry::Never,
        }
    }

    fn facts(&self) -> FailureFacts {
        match self {
            Self::Revision(failure) => failure.facts(),
            Self::OwnTables(changed) => {
                FailureFacts { place: Some(place(&changed.path, None)), ..FailureFacts::default() }.about(&changed.revision)
            }
            Self::TextChanged { was, path } => {
                FailureFacts { place: Some(place(path, None)), ..FailureFacts::default() }.about(&was.revision)
            }
            Self::Unfinished(was) => FailureFacts::default().about(&was.revision),
            Self::Bookkeeping { revision, blockers, source, .. } => {
                FailureFacts { blocker: blockers.first().cloned(), ..FailureFacts::of_source(source) }.about(revision)
            }
            Self::Busy { revision, session, .. } => {
                FailureFacts { blocker: Some((**session).clone()), ..FailureFacts::default() }.about(revision)
            }
            Self::Unreplicated(..)
            | Self::Broken(..)
            | Self::UnexpectedVersion { .. }
            | Self::Moved(_)
            | Self::Lost(..)
            | Self::LockLost { .. }
            | Self::StepwiseInRun(_)
            | Self::TransactionPooler(_)
            | Self::Invalid { .. } => FailureFacts {
                revision: self.revision().map(Id::to_string),
                ..std::error::Error::source(self).map(FailureFacts::of_source).unwrap_or_default()
            },
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Revision(failure) => failure.next().into(),
            Self::OwnTables(changed) => changed.next().into(),
            Self::Unreplicated(..) => ON_THIS_SERVER_ONLY.into(),
            Self::Broken(..) => "`pgmarch status` shows what was committed; look at what answers at the server's address".into(),
            Self::Bookkeeping { advice, .. } => advice.clone().into(),
            Self::Lost(_, failure) if failure.is_proxy_timeout() => IDLE_ADVICE.into(),
            Self::LockLost { silence } if is_suspicious(*silence) => IDLE_ADVICE.into(),
            Self::Lost(..) | Self::Moved(_) | Self::UnexpectedVersion { .. } | Self::LockLost { .. } => {
                "run again: a new run continues from where the database is".into()
            }
            Self::StepwiseInRun(revision) => format!(
                "set PGMARCH_TRANSACTION=revision; or, if each statement of {revision} can run in a transaction, remove transaction:false there"
            )
            .into(),
            Self::TransactionPooler(_) => "connect past the pooler: name the server itself in PGMARCH_DATABASE_URL, or a pool in session mode; nothing of the revision was changed".into(),
            Self::Unfinished(was) => format!(
                "finish it with `pgmarch {}`; or finish or undo its statements by hand and record that with `pgmarch repair {}`",
                was.direction.verb(),
                was.revision
            )
            .into(),
            Self::TextChanged { was, .. } => format!(
                "restore the text of those statements; or undo them by hand and start the revision over with `pgmarch repair {}`",
                was.revision
            )
            .into(),
            Self::Busy { session, .. } => {
                let end = session.terminate_command().map(|command| format!(", or end it with {command}")).unwrap_or_default();
                format!("wait for it{end}; then run again (PGMARCH_RUN_LOCK_TIMEOUT waits longer)").into()
            }
            Self::Invalid { .. } => "look at the server's log, and run again: it is dropped and built again".into(),
        }
    }
}

/// What to do about a commit that its synchronous standbys may not have.
pub(super) const ON_THIS_SERVER_ONLY: &str = "wait until the standbys have it (pg_stat_replication), or set synchronous_standby_names; `pgmarch status` shows the version on this server, and a new run says no more than that it is flushed there";

/// What a revision did to the version table or the ledger.
#[derive(Debug)]
pub struct OwnTablesChanged {
    /// The revision.
    pub revision: Id,
    /// Its file.
    pub path: std::path::PathBuf,
    /// The version table.
    pub version_table: String,
    /// The revisions of a run in one transaction, if the change was found only at its end.
    pub deferred: Vec<Id>,
    /// What was found.
    pub detail: String,
    /// For `transaction:false`: the statement, from 1, and whether it was rolled back.
    pub statement: Option<(usize, bool)>,
    /// The version before it, as `stamp` accepts it.
    pub before: String,
}

impl std::fmt::Display for OwnTablesChanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { revision, path, version_table, detail, statement, deferred, .. } = self;
        match deferred.as_slice() {
            [] => write!(f, "revision {revision} ({})", crate::escape::line(path.display()))?,
            several => write!(f, "a deferred trigger of one of the revisions {}", crate::revision::join_ids(several))?,
        }
        write!(f, " changed the version table {version_table} or the ledger")?;
        if let Some((statement, _)) = statement {
            write!(f, " in statement {statement}")?;
        }
        write!(f, ": {}", crate::escape::line(detail))?;
        match statement {
            None => f.write_str("; nothing of it was applied"),
            Some((0 | 1, true)) => f.write_str("; the statement is rolled back"),
            Some((statement, true)) => write!(f, "; the statement is rolled back, those before statement {statement} were not undone"),
            Some((_, false)) => f.write_str("; the statement was not undone"),
        }
    }
}

impl OwnTablesChanged {
    /// What to do about it.
    pub fn next(&self) -> String {
        let file = if self.deferred.is_empty() { crate::escape::line(self.path.display()).to_string() } else { "the revision".to_owned() };
        let remove = format!("remove from {file} what writes to {} or the ledger: pgmarch records the version itself", self.version_table);
        match self.statement {
            Some((_, false)) => format!(
                "restore the version with `pgmarch stamp --purge {}`; a new run then continues behind that statement. In other databases it does the same: {remove} before it runs there",
                self.before
            ),
            Some((_, true)) | None => format!("{remove}; then run again"),
        }
    }
}

/// What a run had committed when it stopped, and why it stopped.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct StoppedRun {
    /// What was committed before.
    pub done: Vec<CompletedStep>,
    /// What stopped it.
    #[source]
    pub error: ApplyError,
}

impl Explain for StoppedRun {
    fn exit(&self) -> Exit {
        self.error.exit()
    }

    fn retry(&self) -> Retry {
        self.error.retry()
    }

    fn next_step(&self) -> Cow<'static, str> {
        self.error.next_step()
    }

    fn facts(&self) -> FailureFacts {
        FailureFacts { applied: self.done.iter().map(|done| (done.id.to_string(), done.duration)).collect(), ..self.error.facts() }
    }
}
