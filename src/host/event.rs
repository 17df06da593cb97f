//! The events of a run, which observers receive.

use std::path::Path;
use std::time::Duration;

use crate::revision::{Direction, Id};

/// Something that happened during a run. Durations named `remaining` say how much longer the run continues to wait or to try.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// Nothing is pending, or to be undone.
    NothingToDo {
        /// The database.
        address: &'e str,
        /// The version rows; `base` without any.
        version: &'e str,
    },
    /// There is no ledger, although revisions are applied: it is created, and they are recorded.
    LedgerMissing {
        /// Its schema.
        schema: &'e str,
        /// The version rows.
        version: &'e str,
    },
    /// The database is ahead of the revisions by others, none of them breaking. The run continues.
    DatabaseAhead {
        /// The revisions that are ahead.
        revisions: &'e str,
    },
    /// The server is not ready.
    WaitingForServer {
        /// The database.
        address: &'e str,
        /// Why.
        cause: &'e str,
        /// How much longer.
        remaining: Duration,
    },
    /// The server can't be written to now.
    WaitingForWrites {
        /// The database.
        address: &'e str,
        /// How many revisions are pending.
        pending: usize,
        /// How much longer.
        remaining: Duration,
    },
    /// The run lock, or the connections that the run needs under it, can't be had now.
    WaitingForLock {
        /// Why.
        reason: LockWait<'e>,
        /// How much longer.
        remaining: Duration,
    },
    /// The server does not tell how far its WAL is flushed, so the run waits until other sessions' commits must be.
    WaitingForFlush {
        /// For how long.
        duration: Duration,
    },
    /// A wait is over, however it ended.
    WaitEnded {
        /// What was waited for.
        wait: Wait,
        /// How long it took.
        waited: Duration,
    },
    /// Another run reached the target while this one waited for the lock.
    ReachedByAnotherRun {
        /// The version rows.
        version: &'e str,
    },
    /// Under the lock nothing is pending any more.
    NothingLeftToDo {
        /// The version rows; `base` without any.
        version: &'e str,
    },
    /// The plan is being applied.
    RunStarted {
        /// Up or down.
        direction: Direction,
        /// How many revisions.
        revisions: usize,
        /// The database.
        address: &'e str,
        /// The version rows before; `base` without any.
        version: &'e str,
    },
    /// `BEGIN` and `COMMIT` around the sections of these revisions are ignored.
    OuterTransactionsIgnored {
        /// The revisions.
        revisions: &'e str,
    },
    /// The sections of these revisions have no statement.
    EmptySections {
        /// Up or down.
        direction: Direction,
        /// The revisions.
        revisions: &'e str,
    },
    /// A marker has an option that pgmarch does not know.
    UnknownOptionIgnored {
        /// File, line and column.
        place: &'e str,
        /// The option.
        option: &'e str,
    },
    /// A subfolder has `.sql` files, which are not read.
    SubfolderIgnored {
        /// The subfolder.
        path: &'e Path,
        /// The folder of revisions.
        folder: &'e Path,
    },
    /// A revision was sent to the server, or is begun. Several may be under way at once.
    RevisionStarted {
        /// The revision.
        revision: &'e Id,
        /// Up or down.
        direction: Direction,
    },
    /// A revision is committed.
    RevisionDone {
        /// The revision.
        revision: &'e Id,
        /// Up or down.
        direction: Direction,
        /// How long it took on the server.
        duration: Duration,
    },
    /// A revision was rolled back because other sessions held locks, and is tried again.
    RevisionBlocked {
        /// The revision.
        revision: &'e Id,
        /// The part of the run that was rolled back.
        happened: &'e str,
        /// The sessions that held the locks, as far as they were seen.
        blockers: Option<&'e str>,
        /// The server's error code.
        sqlstate: Option<&'e str>,
        /// The server's error.
        cause: &'e str,
        /// How much longer.
        remaining: Duration,
    },
    /// A statement takes its time. Sent each second.
    StatementProgress(&'e Progress<'e>),
    /// A statement of which progress was sent has ended, or is no longer monitored.
    StatementProgressEnded,
    /// A `transaction:false` revision continues where an earlier run stopped.
    RevisionResumed {
        /// The revision.
        revision: &'e Id,
        /// What the earlier run has done of it.
        unfinished: &'e str,
        /// The statement that is next, from 1.
        statement: usize,
    },
    /// A statement of a `transaction:false` revision is done.
    StatementDone {
        /// The revision.
        revision: &'e Id,
        /// The statement, from 1.
        statement: usize,
        /// How many the revision has.
        count: usize,
        /// How long it took, with its bookkeeping.
        duration: Duration,
    },
    /// A statement was done by an earlier run that was interrupted.
    StatementAlreadyDone {
        /// The revision.
        revision: &'e Id,
        /// The statement, from 1.
        statement: usize,
    },
    /// The backend of an earlier run still works.
    WaitingForEarlierBackend {
        /// The backend.
        backend: &'e str,
        /// How much longer.
        remaining: Duration,
    },
    /// The backend of an earlier run is idle, and is terminated.
    EarlierBackendTerminated {
        /// The backend.
        backend: &'e str,
    },
    /// Another session builds an index in the way.
    WaitingForIndexBuild {
        /// The session.
        builder: &'e str,
        /// The index, which is INVALID until then.
        index: &'e str,
        /// How much longer.
        remaining: Duration,
    },
    /// An INVALID index that an interrupted build left is dropped.
    InvalidIndexDropped {
        /// The index.
        index: &'e str,
        /// Whether this run's own build left it, which failed; otherwise an earlier run's.
        is_own: bool,
    },
    /// A detachment of a partition that was interrupted is finished.
    DetachmentFinished {
        /// The partition.
        partition: &'e str,
    },
    /// A statement is done, or failed, and no journal row about it could be written.
    NotInJournal {
        /// The statement that is done, from 1; `None` for a failure.
        statement: Option<usize>,
        /// Why not.
        cause: &'e str,
    },
    /// A revision remains half applied, as the target lies below it.
    UnfinishedRevisionKept {
        /// The part of it that is done.
        unfinished: &'e str,
    },
    /// The ledger now has the down migration that was changed in a revision's file, or could not be updated.
    DownMigrationRecorded {
        /// The revision.
        revision: &'e Id,
        /// Why not.
        problem: Option<&'e str>,
    },
    /// The schema of the version table was dropped and created again, so no revision is applied any more.
    SchemaReset {
        /// What was found.
        description: &'e str,
    },
    /// The connection was lost, or another tool moved the version table. The run starts over.
    RunRestarted {
        /// Why.
        cause: &'e str,
        /// How much longer.
        remaining: Duration,
    },
    /// The run is complete, but no snapshot of the catalog was saved.
    SnapshotNotSaved {
        /// Why.
        reason: &'e str,
        /// Whether the server may still be working on it.
        is_running: bool,
    },
}

/// Why a run can't take the run lock.
#[derive(Clone, Copy, Debug)]
pub enum LockWait<'e> {
    /// Another run holds it.
    Holder(&'e str),
    /// The server has no connection left for it.
    Connection(&'e str),
    /// The lock is held, but there is no connection for the run beside it.
    SecondConnection(&'e str),
    /// The server, or a pooler, does not answer.
    Answer,
}

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A server that is not ready.
    Server,
    /// Another run that holds the lock.
    Lock,
}

/// The progress of a statement, and which sessions block it or are blocked by it.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'e> {
    /// The revision, or `bookkeeping`.
    pub name: &'e str,
    /// For how long the statement has run.
    pub elapsed: Duration,
    /// Its backend's process id.
    pub pid: Option<i64>,
    /// What it is doing, for those statements of which PostgreSQL reports it.
    pub phase: Option<&'e str>,
    /// How far it is, for those statements of which PostgreSQL reports it.
    pub percent: Option<f64>,
    /// The sessions that block it; empty if there are none.
    pub waits_for: &'e str,
    /// The sessions that it blocks; empty if there are none.
    pub blocks: &'e str,
    /// Whether the phase or the sessions have changed since the last event, or that was some time ago.
    pub is_news: bool,
}

impl std::fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has run for {}", self.name, crate::words::rough(self.elapsed))?;
        if let Some(phase) = self.phase {
            write!(f, ", {phase}")?;
        }
        if let Some(percent) = self.percent {
            write!(f, " {percent:.0} %")?;
        }
        if !self.waits_for.is_empty() {
            write!(f, "; waits for {}", self.waits_for)?;
        }
        if !self.blocks.is_empty() {
            write!(f, "; in the way of {}", self.blocks)?;
        }
        Ok(())
    }
}
