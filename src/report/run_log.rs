//! The log lines of a run: an observer. Each line has the target of the module that it comes from, so that `PGMARCH_LOG` can
//! choose among them.

use tracing::{debug, info, warn};

use crate::host::{Event, LockWait, Observer, Progress};
use crate::revision::Direction;
use crate::words::{count, rough, seconds};

/// Writes a log line for each event that is one.
#[derive(Debug)]
pub(crate) struct RunLog {
    /// Whether a progress bar shows statements, in place of log lines.
    pub has_bar: bool,
}

impl Observer for RunLog {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::NothingToDo { address, version } => {
                // The command prints it as its result.
                debug!(target: "pgmarch::commands", "nothing to do on {address}: at {version}");
            }
            Event::LedgerMissing { schema, version } => {
                warn!(
                    target: "pgmarch::commands::run",
                    "there is no ledger in schema {schema}, but the database is at {version}: another tool migrated it, or the ledger was dropped. It is created; the revisions up to there count as applied, and changes to their files are noticed from now on"
                );
            }
            Event::DatabaseAhead { revisions } => {
                warn!(
                    target: "pgmarch::commands::run",
                    "the database is ahead of these files by {revisions}, none of them marked breaking: continuing"
                );
            }
            Event::WaitingForServer { address, cause, remaining } => {
                info!(target: "pgmarch::connect::wait", %address, "waiting for the server: {cause}; {} left", rough(remaining));
            }
            Event::WaitingForWrites { address, pending, remaining } => {
                info!(
                    target: "pgmarch::commands::run",
                    "waiting for the server: {address} is read-only and {} pending; {} left",
                    count(pending, "revision"),
                    rough(remaining)
                );
            }
            Event::WaitingForLock { reason, remaining } => {
                let left = rough(remaining);
                match reason {
                    LockWait::Holder(holder) => {
                        info!(target: "pgmarch::lock", "waiting for another run to end: {holder}; {left} left");
                    }
                    LockWait::Connection(cause) => {
                        info!(target: "pgmarch::lock", "waiting for a connection to take the run lock: {cause}; {left} left");
                    }
                    LockWait::SecondConnection(cause) => {
                        info!(target: "pgmarch::lock", "waiting for a second connection beside the run lock's: {cause}; {left} left");
                    }
                    LockWait::Answer => {
                        info!(
                            target: "pgmarch::lock",
                            "waiting for an answer: the server is busy, or a pooler has no free connection for us; {left} left"
                        );
                    }
                }
            }
            Event::WaitingForFlush { duration } => {
                info!(
                    target: "pgmarch::ledger::durable",
                    "waiting {} for other runs' commits to be flushed: the server does not say how far it is",
                    rough(duration)
                );
            }
            Event::ReachedByAnotherRun { version } => {
                info!(target: "pgmarch::commands::run", "another run brought the database to {version}");
            }
            Event::NothingLeftToDo { version } => {
                info!(target: "pgmarch::commands::run", "nothing left to do: the database is at {version}");
            }
            Event::RunStarted { direction, revisions, address, version } => {
                let doing = match direction {
                    Direction::Up => "applying",
                    Direction::Down => "undoing",
                };
                info!(target: "pgmarch::commands::run", "{doing} {} on {address}, from {version}", count(revisions, "revision"));
            }
            Event::RevisionDone { revision, direction, duration } => {
                let verb = match direction {
                    Direction::Up => "applied",
                    Direction::Down => "undone",
                };
                info!(target: "pgmarch::apply", %revision, seconds = duration.as_secs_f64(), "{verb} {revision} in {}", seconds(duration));
            }
            Event::RevisionBlocked { revision, happened, blockers, sqlstate, cause, remaining } => {
                let who = blockers.map(|blockers| format!("; in the way: {blockers}")).unwrap_or_default();
                warn!(
                    target: "pgmarch::apply",
                    %revision,
                    in_the_way = blockers,
                    sqlstate,
                    "{revision} met another session's lock and {happened} ({cause}){who}; trying again, {} left",
                    rough(remaining)
                );
            }
            Event::StatementProgress(progress) => self.progress(progress),
            Event::RevisionResumed { revision, unfinished, statement } => {
                info!(target: "pgmarch::apply::stepwise", %revision, "{unfinished}; continuing with statement {statement}");
            }
            Event::StatementDone { revision, statement, count, duration } => {
                info!(
                    target: "pgmarch::apply::stepwise",
                    %revision,
                    statement,
                    seconds = duration.as_secs_f64(),
                    "{revision}: statement {statement} of {count} done in {}",
                    seconds(duration)
                );
            }
            Event::StatementAlreadyDone { revision, statement } => {
                info!(target: "pgmarch::apply::stepwise", %revision, "{revision}: statement {statement} was done by the earlier run");
            }
            Event::WaitingForEarlierBackend { backend, remaining } => {
                info!(
                    target: "pgmarch::apply::stepwise",
                    "waiting for the backend of an earlier run: {backend}; {} left",
                    rough(remaining)
                );
            }
            Event::EarlierBackendTerminated { backend } => {
                info!(target: "pgmarch::apply::stepwise", "ending the idle backend of an earlier run: {backend}");
            }
            Event::WaitingForIndexBuild { builder, index, remaining } => {
                info!(
                    target: "pgmarch::apply::leftover",
                    "waiting for {builder} to end its build on the table of {index}; {} left",
                    rough(remaining)
                );
            }
            Event::InvalidIndexDropped { index, is_own } => {
                let build = if is_own { "the failed build" } else { "an earlier build" };
                info!(target: "pgmarch::apply::leftover", index, "dropping the INVALID index {index} that {build} left");
            }
            Event::DetachmentFinished { partition } => {
                info!(target: "pgmarch::apply::stepwise", "finishing the detachment of {partition} that was interrupted");
            }
            Event::NotInJournal { statement: Some(statement), cause } => {
                warn!(target: "pgmarch::apply::stepwise", "statement {statement} is not in the journal: {cause}");
            }
            Event::NotInJournal { statement: None, cause } => {
                warn!(target: "pgmarch::apply::stepwise", "the failure is not in the journal: {cause}");
            }
            Event::UnfinishedRevisionKept { unfinished } => {
                warn!(target: "pgmarch::apply", "{unfinished}; the target of this run is below it");
            }
            Event::DownMigrationRecorded { revision, problem: None } => {
                let id = revision.as_str();
                info!(target: "pgmarch::commands::run", revision = id, "the down migration of {id} was fixed: the ledger keeps the new one");
            }
            Event::DownMigrationRecorded { revision, problem: Some(problem) } => {
                let id = revision.as_str();
                warn!(target: "pgmarch::commands::run", revision = id, "the fixed down migration of {id} is not in the ledger: {problem}");
            }
            Event::SchemaReset { description } => warn!(target: "pgmarch::commands::run", "{description}"),
            Event::RunRestarted { cause, remaining } => {
                warn!(target: "pgmarch::commands::run", "{cause}; planning again, {} left", rough(remaining));
            }
            Event::SnapshotNotSaved { reason, is_running } => {
                if is_running {
                    warn!(target: "pgmarch::commands::snapshot", "no snapshot of the catalog was saved: {reason}");
                } else {
                    info!(target: "pgmarch::commands::snapshot", "no snapshot of the catalog was saved: {reason}");
                }
            }
            Event::OuterTransactionsIgnored { revisions } => {
                info!(target: "pgmarch::commands::run", "BEGIN and COMMIT around the SQL of {revisions} are ignored: pgmarch begins and commits itself");
            }
            Event::EmptySections { direction: Direction::Up, revisions } => {
                warn!(target: "pgmarch::commands::run", "no statement in the up section of {revisions}: nothing is run, it is recorded as applied");
            }
            Event::EmptySections { direction: Direction::Down, revisions } => {
                info!(target: "pgmarch::commands::run", "no statement in the down section of {revisions}: nothing is run, it is recorded as undone");
            }
            Event::UnknownOptionIgnored { place, option } => {
                warn!(target: "pgmarch::commands::run", "{place}: the option `{option}` is unknown and ignored; known are transaction:false and transaction:true");
            }
            Event::SubfolderIgnored { path, folder } => {
                let (path, folder) = (path.display(), folder.display());
                warn!(target: "pgmarch::commands::run", "{path}/ is not read: pgmarch reads the .sql files directly in {folder}; move them there, or set PGMARCH_MIGRATIONS={path}");
            }
            Event::WaitEnded { .. } | Event::RevisionStarted { .. } | Event::StatementProgressEnded => {}
        }
    }
}

impl RunLog {
    fn progress(&self, progress: &Progress<'_>) {
        let waits_for = Some(progress.waits_for).filter(|sessions| !sessions.is_empty());
        let blocks = Some(progress.blocks).filter(|sessions| !sessions.is_empty());
        if !progress.is_news || (self.has_bar && waits_for.is_none() && blocks.is_none()) {
            return;
        }
        let Progress { name, elapsed, pid, phase, percent, .. } = *progress;
        info!(
            target: "pgmarch::apply::watch",
            revision = name,
            seconds = elapsed.as_secs(),
            pid,
            phase,
            percent,
            waits_for,
            blocks,
            "{progress}"
        );
    }
}
