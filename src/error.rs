//! The top error: collects the errors of all modules, each of which explains itself.

use std::borrow::Cow;
use std::path::PathBuf;

use thiserror::Error;

use crate::alembic::ImportError;
use crate::ancestry::{self, LateRevision};
use crate::apply::{BookkeepingError, StoppedRun};
use crate::checksum::{ChangedFile, MovedRevision, ReparsedFile};
use crate::config::ConfigFault;
use crate::connect::Failure;
use crate::connect::wait::WaitError;
use crate::exit::{Exit, Explain, Retry};
use crate::ledger::ReadError;
use crate::ledger::lost::LostVersionTable;
use crate::lock::LockError;
use crate::model::prove::ProofError;
use crate::model::prove::scratch::ScratchError;
use crate::plan::downgrade::DowngradeError;
use crate::position::PositionError;
use crate::revision::name::NameError;
use crate::revision::{Fault, FileProblem};
use crate::signal::Signal;

/// Everything that ends a command without success.
#[derive(Debug, Error)]
pub enum Error {
    /// Settings that are unknown, unreadable or make no sense.
    #[error("the settings are wrong")]
    Config(Vec<ConfigFault>),
    /// `PGMARCH_COMMAND` holds words that are no command.
    #[error("PGMARCH_COMMAND: {0}")]
    Command(String),
    /// Revisions that can't be read as a graph.
    #[error("the revisions are unsound")]
    Revisions(Vec<Fault>),
    /// A name that means nothing.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The text of applied revisions is another by now.
    #[error("{} applied: {}", if .0.len() == 1 { "a revision was changed after it was" } else { "revisions were changed after they were" }, .0.iter().map(|changed| changed.path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Changed(Vec<ChangedFile>),
    /// Applied revisions whose unchanged files another version of pgmarch read otherwise.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Reread(Vec<ReparsedFile>),
    /// Applied revisions stand somewhere else in the graph by now.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Regrafted(Vec<MovedRevision>),
    /// Revisions below the version rows that were never run there.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Late(Vec<LateRevision>),
    /// A version table that says base where the ledger knows better.
    #[error("{0}")]
    Lost(LostVersionTable),
    /// The database is somewhere that this image's files don't lead to.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// There is no way down.
    #[error(transparent)]
    Down(#[from] DowngradeError),
    /// The question was not answered with `yes`.
    #[error("not confirmed: nothing was done")]
    Unconfirmed,
    /// Nobody is there to be asked.
    #[error("a downgrade must be confirmed, and standard input is no terminal")]
    NobodyToAsk,
    /// The ledger or the version table refused a note.
    #[error(transparent)]
    Note(BookkeepingError),
    /// `show` or `repair` of a revision that has no text anywhere.
    #[error("{problem}")]
    Missing {
        /// What is missing.
        problem: String,
    },
    /// No server in time, or one that refuses us.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The state can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The server can't be written to.
    #[error("{address} is read-only and {} pending", crate::words::count(*.pending, "revision"))]
    ReadOnly {
        /// The database, without its password.
        address: String,
        /// How many.
        pending: usize,
    },
    /// Connections kept being lost until the time for it was over.
    #[error("the run did not finish within PGMARCH_RETRY_FOR ({}) after its first interruption; the last cause", humantime::format_duration(*.patience))]
    LostForGood {
        /// The setting.
        patience: std::time::Duration,
        /// The last time.
        #[source]
        last: Box<Error>,
    },
    /// The lock is another run's.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The run stopped half-way.
    #[error("{}", .0.error)]
    Apply(Box<StoppedRun>),
    /// What Alembic printed can't be turned into revisions.
    #[error(transparent)]
    Import(ImportError),
    /// A file that can't be written.
    #[error("{} can't be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Arguments that the command line's own rules don't catch.
    #[error("{problem}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// `check` found something; the findings are the answer.
    #[error("{} found", crate::words::count(*.findings, "fault"))]
    Findings {
        /// How many.
        findings: usize,
        /// Whether an upgrade would refuse as well.
        unsound: bool,
    },
    /// Schemas that were compared and are not the same; the answer tells how.
    #[error("{what} differ: {}", crate::words::count(*.changes, "object"))]
    Different {
        /// Which.
        what: String,
        /// How many objects.
        changes: usize,
    },
    /// A scratch database.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The difference between revisions and model can't be bridged, or not back.
    #[error(transparent)]
    Proof(ProofError),
    /// `status --check`, and the answer is no.
    #[error("not at {target}: {pending} pending")]
    Pending {
        /// The name asked for.
        target: String,
        /// How many.
        pending: usize,
    },
    /// `wait`, and the answer is no.
    #[error("the database is at {}, not at {target}, after {}: {} pending ({})", if .current.is_empty() { "base".to_owned() } else { .current.join(", ") }, humantime::format_duration(*.waited), crate::words::count(.pending.len(), "revision"), .pending.join(", "))]
    NotYet {
        /// The name asked for.
        target: String,
        /// The version rows.
        current: Vec<String>,
        /// What is missing.
        pending: Vec<String>,
        /// `PGMARCH_WAIT_TIMEOUT`.
        waited: std::time::Duration,
    },
    /// A target that moves with the database can't be waited for.
    #[error("`{0}` counts from where the database is, so it would never be reached")]
    RelativeTarget(String),
    /// The address of the sidecar can't be listened on.
    #[error("nothing can listen on {address} (PGMARCH_LISTEN)")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The answer can't be written.
    #[error("the answer can't be written to standard output: {0}")]
    Output(std::io::Error),
    /// The operating system refused something that every run needs.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A signal.
    #[error("stopped by {}{}", .signal.name(), .ended)]
    Interrupted {
        /// Which.
        signal: Signal,
        /// What became of what was under way.
        ended: Ended,
    },
}

/// What became of what was under way when a signal came.
#[derive(Debug)]
pub enum Ended {
    /// It was cancelled, and the server has said so; or nothing was under way.
    Cancelled,
    /// The server did not say anything in time.
    Unknown,
    /// It is committed, on this server alone.
    Unreplicated(Box<Error>),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancelled => Ok(()),
            Self::Unknown => f.write_str(" while a statement was running; the server did not answer the request to cancel it, so whether it was committed is unknown"),
            Self::Unreplicated(error) => write!(f, ": {}", crate::words::chain(error)),
        }
    }
}

fn of_scratch(error: &ScratchError) -> Exit {
    match error {
        ScratchError::Wait(WaitError::Timeout { .. }) => Exit::Unreachable,
        ScratchError::Wait(WaitError::Settings(_)) => Exit::Usage,
        ScratchError::Server(failure) if failure.is_lost() => Exit::Unreachable,
        ScratchError::Broken(_) => Exit::Unsound,
        ScratchError::Wait(WaitError::Refused { .. })
        | ScratchError::NoRight { .. }
        | ScratchError::Server(_)
        | ScratchError::Unreadable(_) => Exit::Refused,
    }
}

fn next_for_scratch(error: &ScratchError) -> String {
    match error {
        ScratchError::NoRight { role, .. } => format!(
            "as an administrator run ALTER ROLE {role} CREATEDB; or set PGMARCH_SCRATCH_URL to a server where databases may be made"
        ),
        ScratchError::Broken(_) => "mend the statements above; nothing was written".to_owned(),
        ScratchError::Wait(WaitError::Refused { advice, .. }) => (*advice).to_owned(),
        ScratchError::Wait(_) => "check PGMARCH_SCRATCH_URL, or without it the database's own settings".to_owned(),
        ScratchError::Server(_) | ScratchError::Unreadable(_) => {
            "look at the server's log; PGMARCH_SCRATCH_URL names another server".to_owned()
        }
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        self.code()
    }

    fn retry(&self) -> Retry {
        if self.is_blocked() {
            Retry::WhenUnlocked
        } else if self.is_lost() {
            Retry::Reconnect
        } else if self.is_unreplicated() {
            Retry::Committed
        } else {
            Retry::Never
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        self.next().into()
    }
}

impl Error {
    fn code(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Command(_) => Exit::Usage,
            Self::Revisions(faults) => match faults.as_slice() {
                // A folder that isn't there is the deployment's mistake, not an author's.
                [Fault { problem: FileProblem::NoFolder, .. }] => Exit::Usage,
                _ => Exit::Unsound,
            },
            Self::Name(error) => error.exit(),
            Self::Changed(_) | Self::Reread(_) | Self::Regrafted(_) | Self::Late(_) | Self::Lost(_) => Exit::Unsound,
            Self::Position(PositionError::Breaking { .. } | PositionError::Refused { .. }) => Exit::Ahead,
            Self::Position(PositionError::Unknown { .. } | PositionError::Diverged { .. } | PositionError::Misfit(_)) => Exit::Unsound,
            Self::Down(error) => error.exit(),
            Self::Unconfirmed | Self::Missing { .. } => Exit::No,
            Self::NobodyToAsk => Exit::Usage,
            Self::Note(error) => error.exit(),
            Self::Wait(WaitError::Timeout { .. }) | Self::ReadOnly { .. } | Self::LostForGood { .. } => Exit::Unreachable,
            Self::Wait(WaitError::Refused { .. }) => Exit::Refused,
            Self::Wait(WaitError::Settings(_)) => Exit::Usage,
            Self::Read(ReadError::Server(failure)) if failure.is_lost() => Exit::Unreachable,
            Self::Read(ReadError::Locked(_)) => Exit::Locked,
            Self::Read(ReadError::Server(failure)) if crate::ledger::is_trust_failure(failure) => Exit::Unsound,
            Self::Read(ReadError::NotDurable) => Exit::Unreachable,
            Self::Read(ReadError::Untrusted(_) | ReadError::InTheWay { .. } | ReadError::Format { .. }) => Exit::Unsound,
            Self::Read(_) => Exit::Refused,
            Self::Lock(error) => error.exit(),
            Self::Apply(stopped) => stopped.error.exit(),
            Self::Findings { unsound: true, .. } => Exit::Unsound,
            Self::Pending { .. } | Self::NotYet { .. } | Self::Findings { .. } | Self::Different { .. } => Exit::No,
            Self::Import(error) => error.exit(),
            Self::RelativeTarget(_) | Self::Listen { .. } => Exit::Usage,
            Self::Scratch(error) | Self::Proof(ProofError::Scratch(error)) => of_scratch(error),
            Self::Proof(ProofError::Rename(_)) => Exit::Usage,
            Self::Proof(_) => Exit::No,
            Self::Write { .. } | Self::Usage { .. } | Self::Output(_) | Self::System { .. } => Exit::Usage,
            Self::Interrupted { signal, .. } => Exit::Signal(*signal),
        }
    }

    /// Whether the connection was lost: then the run starts over, as long as it may.
    fn is_lost(&self) -> bool {
        let lost = |failure: &Failure| failure.is_lost();
        match self {
            Self::Read(ReadError::Locked(_)) => true,
            Self::Read(ReadError::Server(failure)) => lost(failure) || crate::ledger::is_trust_failure(failure),
            Self::Lock(error) => error.retry().is_worthwhile(),
            Self::Apply(stopped) => stopped.error.retry().is_worthwhile(),
            Self::Config(_)
            | Self::Command(_)
            | Self::Revisions(_)
            | Self::Name(_)
            | Self::Changed(_)
            | Self::Reread(_)
            | Self::Regrafted(_)
            | Self::Late(_)
            | Self::Lost(_)
            | Self::Position(_)
            | Self::Down(_)
            | Self::Unconfirmed
            | Self::NobodyToAsk
            | Self::Note(_)
            | Self::Missing { .. }
            | Self::NotYet { .. }
            | Self::RelativeTarget(_)
            | Self::Listen { .. }
            | Self::Wait(_) => false,
            Self::Read(
                ReadError::NoSchema { .. }
                | ReadError::Untrusted(_)
                | ReadError::InTheWay { .. }
                | ReadError::RowSecurity { .. }
                | ReadError::Format { .. }
                | ReadError::Unexpected(_)
                | ReadError::NotDurable,
            )
            | Self::ReadOnly { .. }
            | Self::LostForGood { .. } => false,
            Self::Import(_) | Self::Write { .. } | Self::Usage { .. } | Self::Findings { .. } => false,
            Self::Pending { .. } | Self::Output(_) | Self::System { .. } | Self::Interrupted { .. } => false,
            Self::Different { .. } | Self::Scratch(_) | Self::Proof(_) => false,
        }
    }

    /// Whether another session's lock kept us from reading the version table or the ledger.
    fn is_blocked(&self) -> bool {
        matches!(self, Self::Read(ReadError::Locked(_)))
    }

    /// Whether the server committed something, but on itself alone.
    fn is_unreplicated(&self) -> bool {
        if let Self::Note(error) = self {
            return error.retry() == Retry::Committed;
        }
        matches!(self, Self::Apply(stopped) if stopped.error.retry() == Retry::Committed)
    }

    /// What to do next, in one line.
    fn next(&self) -> String {
        match self {
            Self::Config(_) => "mend the settings above; `pgmarch --help` lists them with their defaults".to_owned(),
            Self::Command(_) => "PGMARCH_COMMAND holds a verb and its words, such as `status --check`; `pgmarch --help` lists them".to_owned(),
            Self::Revisions(_) => "mend the files above; nothing was connected to, nothing was changed".to_owned(),
            Self::Name(error) => error.next_step().into_owned(),
            Self::Changed(_) => "put the applied text back and write the change as a new revision; or, if the file is right, accept it with `pgmarch repair REV`".to_owned(),
            Self::Reread(reread) => format!(
                "compare the database with the up section of the file, and put right by hand what differs; then accept it with `pgmarch repair {}`",
                reread.first().map(|reread| reread.id.to_string()).unwrap_or_default()
            ),
            Self::Regrafted(moved) => format!(
                "a revision that came in below an applied one is never run: restore `revises` (or, without headers, the file names) and add the new revision at the end; or, to accept the new order without running anything, `pgmarch repair {}`",
                moved.first().map(|moved| moved.id.to_string()).unwrap_or_default()
            ),
            Self::Late(late) => format!(
                "to run {0}, move it to the end (`revises`, or without headers the file name); or, to accept that it is never run on this database, `pgmarch repair {1}`",
                ancestry::ids(late),
                late.first().map(|late| late.id.to_string()).unwrap_or_default()
            ),
            Self::Lost(lost) => lost.next(),
            Self::Position(PositionError::Unknown { .. }) => "run the image that has these revisions, or correct the version with `pgmarch stamp --purge REV`".to_owned(),
            Self::Position(PositionError::Diverged { .. }) => "the files of this image lack what was applied: was its tag pushed again with other revisions? Run the image that has them, or go back first with `pgmarch downgrade REV`".to_owned(),
            Self::Position(PositionError::Misfit(_)) => "run the image that has these revisions".to_owned(),
            Self::Position(PositionError::Breaking { .. }) => "run an image that has these revisions, or undo them with `pgmarch downgrade REV` (their texts are in the ledger)".to_owned(),
            Self::Position(PositionError::Refused { .. }) => "run an image that has these revisions, or set PGMARCH_AHEAD=allow".to_owned(),
            Self::Down(error) => error.next_step().into_owned(),
            Self::Unconfirmed => "type `yes`, the whole word, to go on".to_owned(),
            Self::NobodyToAsk => "add --yes, or set PGMARCH_CONFIRM=yes; nothing was done".to_owned(),
            Self::Note(error) => error.next_step().into_owned(),
            Self::Missing { .. } => "`pgmarch history` lists what there is".to_owned(),
            Self::Wait(WaitError::Timeout { .. }) => "start the server, check host and port, or wait longer with PGMARCH_WAIT_TIMEOUT".to_owned(),
            Self::Wait(WaitError::Refused { advice, .. }) => (*advice).to_owned(),
            Self::Wait(WaitError::Settings(_)) => "mend the connection settings; `pgmarch --help` lists them".to_owned(),
            Self::Read(ReadError::NotDurable) => "look at the server's disk and its WAL writer, then run again; a crash now could undo the last commits".to_owned(),
            Self::Read(ReadError::Server(failure)) if crate::ledger::is_trust_failure(failure) => "another session changed the version table or the ledger meanwhile; run again, to see whether they can still be trusted".to_owned(),
            Self::Read(ReadError::Locked(locked)) => locked.next_step(),
            Self::Read(ReadError::Untrusted(problem)) => problem.next(),
            Self::Read(ReadError::InTheWay { kind, name }) => format!("drop or rename the {kind} {name}, or name another place with PGMARCH_VERSION_TABLE=SCHEMA.NAME or PGMARCH_LEDGER_SCHEMA"),
            Self::Read(ReadError::RowSecurity { relation, .. }) => format!(
                "as its owner run ALTER TABLE {relation} DISABLE ROW LEVEL SECURITY; or connect as its owner, or as a role with BYPASSRLS"
            ),
            Self::Read(ReadError::Format { program, .. }) => format!("run pgmarch {program} or newer; nothing was changed"),
            Self::Read(_) => "the role needs CONNECT on the database and SELECT on the version table and the ledger; see the message".to_owned(),
            Self::ReadOnly { .. } => "connect to the primary (target_session_attrs=read-write), or make the database writable".to_owned(),
            Self::LostForGood { .. } => "look at the server's log and the network; a new run goes on where this one stopped".to_owned(),
            Self::Lock(error) => error.next_step().into_owned(),
            Self::Apply(stopped) => stopped.error.next_step().into_owned(),
            Self::Pending { .. } => "run `pgmarch upgrade`".to_owned(),
            Self::Write { .. } => "check the folder and its rights, or name another with PGMARCH_MIGRATIONS; no file was written over".to_owned(),
            Self::Import(error) => error.next_step().into_owned(),
            Self::Usage { advice, .. } => (*advice).to_owned(),
            Self::Different { .. } => "`pgmarch create MESSAGE` writes the revision that brings model and revisions together".to_owned(),
            Self::Scratch(error) | Self::Proof(ProofError::Scratch(error)) => next_for_scratch(error),
            Self::Proof(ProofError::Rename(_)) => "nothing was written".to_owned(),
            Self::Proof(_) => "nothing was written; write this revision with `pgmarch create --manual MESSAGE`, or change the model in smaller steps".to_owned(),
            Self::Findings { .. } => "mend what is listed above and check again".to_owned(),
            Self::NotYet { .. } => "look at what should migrate it (its exit code and log say why it hasn't); PGMARCH_WAIT_TIMEOUT waits longer".to_owned(),
            Self::RelativeTarget(_) => "name the revision: head, an id, ID+N or BRANCH@head".to_owned(),
            Self::Listen { .. } => "choose an address and port that are free and allowed, such as PGMARCH_LISTEN=0.0.0.0:8080".to_owned(),
            Self::Output(_) => "check where standard output goes".to_owned(),
            Self::System { .. } => "check the limits of the container".to_owned(),
            Self::Interrupted { ended, .. } => match ended {
                Ended::Cancelled => "what was under way is rolled back; a new run goes on from where the database is".to_owned(),
                Ended::Unknown => "`pgmarch status` shows what was committed; a new run continues from there".to_owned(),
                Ended::Unreplicated(error) => error.next(),
            },
        }
    }
}

impl From<ProofError> for Error {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Scratch(error) => Self::Scratch(error),
            ProofError::Fails { .. } | ProofError::Remains { .. } | ProofError::Rename(_) => Self::Proof(error),
        }
    }
}
