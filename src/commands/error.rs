//! Errors of the commands themselves: arguments, output, findings. In a file of its own, since the commands import
//! [`crate::error`], which imports this.

use std::borrow::Cow;
use std::path::PathBuf;

use thiserror::Error;

use crate::exit::{Exit, Explain};

/// Why a command fails, where no other module has an error for it.
#[derive(Debug, Error)]
pub enum CommandError {
    /// `PGMARCH_COMMAND` holds words that are no command.
    #[error("PGMARCH_COMMAND: {0}")]
    Words(String),
    /// Arguments that the command line's own rules don't catch.
    #[error("{problem}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// The question was not answered with `yes`.
    #[error("not confirmed: nothing was done")]
    Unconfirmed,
    /// Standard input is no terminal, so the question can't be asked.
    #[error("a downgrade must be confirmed, and standard input is no terminal")]
    NobodyToAsk,
    /// `show` or `repair` of a revision that has no text in the files or in the ledger.
    #[error("{problem}")]
    Missing {
        /// What is missing.
        problem: String,
    },
    /// A file that can't be written.
    #[error("{} can't be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The output can't be written.
    #[error("the answer can't be written to standard output: {0}")]
    Output(std::io::Error),
    /// The sidecar can't listen on its address.
    #[error("nothing can listen on {address} (PGMARCH_LISTEN)")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// `check` or `lint` found something.
    #[error("{} found", crate::words::count(*.findings, "fault"))]
    Findings {
        /// How many.
        findings: usize,
        /// Whether an upgrade would refuse as well.
        unsound: bool,
    },
    /// Schemas that were compared differ.
    #[error("{what} differ: {}", crate::words::count(*.changes, "object"))]
    Different {
        /// The names of both.
        what: String,
        /// How many objects.
        changes: usize,
    },
    /// `status --check` found pending revisions.
    #[error("not at {target}: {pending} pending")]
    Pending {
        /// The target, as it was named.
        target: String,
        /// How many.
        pending: usize,
    },
    /// `wait` timed out.
    #[error("the database is at {}, not at {target}, after {}: {} pending ({})", crate::words::version(.current), humantime::format_duration(*.waited), crate::words::count(.pending.len(), "revision"), .pending.join(", "))]
    NotYet {
        /// The target, as it was named.
        target: String,
        /// The version rows.
        current: Vec<String>,
        /// The missing revisions.
        pending: Vec<String>,
        /// `PGMARCH_WAIT_TIMEOUT`.
        waited: std::time::Duration,
    },
    /// A relative target can't be waited for.
    #[error("`{0}` counts from where the database is, so the target would move with it")]
    RelativeTarget(String),
}

impl Explain for CommandError {
    fn exit(&self) -> Exit {
        match self {
            Self::Findings { unsound: true, .. } => Exit::Unsound,
            Self::Unconfirmed
            | Self::Missing { .. }
            | Self::Findings { .. }
            | Self::Different { .. }
            | Self::Pending { .. }
            | Self::NotYet { .. } => Exit::No,
            Self::Words(_)
            | Self::Usage { .. }
            | Self::NobodyToAsk
            | Self::Write { .. }
            | Self::Output(_)
            | Self::Listen { .. }
            | Self::RelativeTarget(_) => Exit::Usage,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Words(_) => "PGMARCH_COMMAND holds a verb and its words, such as `status --check`; `pgmarch --help` lists them",
            Self::Usage { advice, .. } => advice,
            Self::Unconfirmed => "run again and type `yes`, the whole word, to continue",
            Self::NobodyToAsk => "add --yes, or set PGMARCH_CONFIRM=yes; nothing was done",
            Self::Missing { .. } => "`pgmarch history` lists what there is",
            Self::Write { .. } => "check the folder and its rights, or name another with PGMARCH_MIGRATIONS; no file was written over",
            Self::Output(_) => "check where standard output goes",
            Self::Listen { .. } => "choose an address and port that are free and allowed, such as PGMARCH_LISTEN=0.0.0.0:8080",
            Self::Findings { .. } => "fix what is listed above and check again",
            Self::Different { .. } => "`pgmarch create \"what changes\"` writes the revision that leads from the revisions to the model",
            Self::Pending { .. } => "run `pgmarch upgrade`",
            Self::NotYet { .. } => {
                "read the exit code and log of what runs `pgmarch upgrade` on this database, or run it; PGMARCH_WAIT_TIMEOUT waits longer"
            }
            Self::RelativeTarget(_) => "name the revision: head, an id, ID+N or BRANCH@head",
        }
        .into()
    }
}
