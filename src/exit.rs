//! Exit codes, and what each error explains about itself. Imports no module that has errors, so that each may implement
//! [`Explain`] beside its own.

use std::borrow::Cow;

use crate::facts::FailureFacts;
use crate::signal::Signal;

/// What an error means for the run and for the user. Implemented beside each error type; [`crate::error::Error`] collects them.
pub trait Explain: std::error::Error {
    /// The exit code of a command that ends with it.
    fn exit(&self) -> Exit;

    /// Whether another run, from the start and with a new plan, may succeed.
    fn retry(&self) -> Retry {
        Retry::Never
    }

    /// What to do next, in one line.
    fn next_step(&self) -> Cow<'static, str>;

    /// Each fault, if the error is a list of them.
    fn faults(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is known about the failure besides its message: printed as text, as fields of the log line, and in the termination
    /// message.
    fn facts(&self) -> FailureFacts {
        FailureFacts::default()
    }
}

/// Whether a run that ended with an error starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No: it would end in the same way.
    Never,
    /// After a lost connection.
    Reconnect,
    /// After a timeout on another session's lock on the version table or the ledger.
    WhenUnlocked,
    /// No: the server committed, but only on itself, so nothing remains to run.
    Committed,
}

impl Retry {
    /// Whether to run again.
    pub fn is_worthwhile(self) -> bool {
        matches!(self, Self::Reconnect | Self::WhenUnlocked)
    }
}

/// Exit codes, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// At the target, and the commits are flushed; or nothing to do.
    Success,
    /// A check failed: pending revisions, differences, findings; or `wait` timed out.
    No,
    /// Usage or configuration.
    Usage,
    /// The revisions have faults.
    Unsound,
    /// The database was not reachable in time.
    Unreachable,
    /// The run lock was not obtained in time, or was lost.
    Locked,
    /// A revision failed.
    Failed,
    /// The database is ahead by a breaking revision.
    Ahead,
    /// The server refused the connection or a statement, and a retry would not help.
    Refused,
    /// SIGINT or SIGTERM.
    Signal(Signal),
}

/// The table of exit codes for the documentation: number, meaning, who should act.
pub const EXIT_CODES: &[(u8, &str, &str)] = &[
    (0, "at the target (or nothing to do)", "nobody"),
    (1, "check failed: pending migrations, schema drift or findings; or `wait` timed out", "the author"),
    (2, "usage or configuration", "the deployer"),
    (3, "migration files or history inconsistent", "the author"),
    (4, "database not reachable in time, or out of resources (disk, memory, connections, I/O)", "the platform"),
    (
        5,
        "a lock was not obtained in time (run lock or table lock), or the run lock was lost",
        "the operator: the blocking session is named",
    ),
    (6, "a migration failed; what was applied before it is listed", "the author"),
    (7, "the database is ahead by a breaking revision", "the deployer"),
    (8, "PostgreSQL refused permanently: password, database, certificate, privileges", "the deployer"),
    (130, "SIGINT", "the sender of the signal"),
    (143, "SIGTERM", "the sender of the signal"),
];

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Unsound => 3,
            Self::Unreachable => 4,
            Self::Locked => 5,
            Self::Failed => 6,
            Self::Ahead => 7,
            Self::Refused => 8,
            Self::Signal(Signal::Interrupt) => 130,
            Self::Signal(Signal::Terminate) => 143,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code() {
        let all = [
            Exit::Success,
            Exit::No,
            Exit::Usage,
            Exit::Unsound,
            Exit::Unreachable,
            Exit::Locked,
            Exit::Failed,
            Exit::Ahead,
            Exit::Refused,
            Exit::Signal(Signal::Interrupt),
            Exit::Signal(Signal::Terminate),
        ];
        let codes: Vec<u8> = all.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, EXIT_CODES.iter().map(|(code, ..)| *code).collect::<Vec<_>>());
    }
}
