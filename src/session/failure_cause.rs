//! What a server's error means for a run, by its SQLSTATE: the one table of exit codes and retries. It holds for revisions and for
//! pgmarch's own reads and writes, whoever raised the error: a `RAISE` may take any SQLSTATE.
//!
//! | SQLSTATE | cause | retried | exit |
//! | --- | --- | --- | --- |
//! | 55P03, 40P01, 40001 | another session's lock, a deadlock, a serialization failure | for `PGMARCH_RETRY_FOR` | 5 |
//! | 53xxx, 58xxx | disk, memory, limits, I/O | no | 4 |
//! | 57014, 25P03, 25P04 | a timeout, or another session's cancel | no | 6 |
//! | 42501 | privileges | no | 8 |
//! | 23xxx | data that violates a constraint | no | 6 |
//! | others | the SQL of a revision | no | 6 |

use tokio_postgres::error::SqlState;

use crate::exit::Exit;

/// The cause of a server's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// Another session's lock, a deadlock or a serialization failure: the same statement may succeed later.
    Lock,
    /// The server has no disk space, memory or connections left, reached a limit, or can't read or write a file.
    Resource,
    /// A timeout ended the statement or the transaction, or another session cancelled it.
    Interrupted,
    /// The role lacks a privilege.
    Privilege,
    /// Data violates a constraint.
    Data,
    /// Anything else: the SQL.
    Statement,
}

impl FailureCause {
    /// The cause of an error with this code.
    pub fn of(code: &SqlState) -> Self {
        match code.code() {
            "55P03" | "40P01" | "40001" => Self::Lock,
            "57014" | "25P03" | "25P04" => Self::Interrupted,
            "42501" => Self::Privilege,
            code => match code.get(..2) {
                Some("53" | "58") => Self::Resource,
                Some("23") => Self::Data,
                _ => Self::Statement,
            },
        }
    }

    /// The exit code of a run whose revision failed for this cause.
    pub fn exit(self) -> Exit {
        match self {
            Self::Lock => Exit::Locked,
            Self::Resource => Exit::Unreachable,
            Self::Privilege => Exit::Refused,
            Self::Interrupted | Self::Data | Self::Statement => Exit::Failed,
        }
    }

    /// The exit code of a run, or of a command, whose own statement failed for this cause.
    pub fn exit_of_own(self) -> Exit {
        match self {
            Self::Lock | Self::Resource | Self::Interrupted | Self::Privilege => self.exit(),
            Self::Data | Self::Statement => Exit::Refused,
        }
    }

    /// Whether the same statement is tried again, for `PGMARCH_RETRY_FOR`.
    pub fn is_retried(self) -> bool {
        self == Self::Lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_one_cause() {
        let table = [
            (&["55P03", "40P01", "40001"][..], FailureCause::Lock, 5),
            (&["53100", "53200", "53300", "53400", "58030", "58P01"], FailureCause::Resource, 4),
            (&["57014", "25P03", "25P04"], FailureCause::Interrupted, 6),
            (&["42501"], FailureCause::Privilege, 8),
            (&["23505", "23503", "23502", "23514", "23P01", "23001"], FailureCause::Data, 6),
            (&["42601", "08006", "57P01", "40002", "25001", "22012", "P0001", "XX000"], FailureCause::Statement, 6),
        ];
        for (codes, cause, exit) in table {
            for code in codes {
                let found = FailureCause::of(&SqlState::from_code(code));
                assert_eq!((found, found.exit().code(), found.is_retried()), (cause, exit, exit == 5), "{code}");
            }
        }
    }
}
