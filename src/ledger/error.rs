//! Why the database's state can't be read.

use std::borrow::Cow;

use thiserror::Error;

use super::install::format::FORMAT;
use super::locked::Locked;
use super::trust::UntrustedRelation;
use super::trust::is_trust_failure;
use crate::exit::{Exit, Explain, Retry};
use crate::facts::FailureFacts;
use crate::session::other_session::lock_advice;
use crate::session::{Cause, Failure, FailureCause};

/// Why the database's state can't be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The server refused, or is gone.
    #[error("the state of the database can't be read")]
    Server(#[from] Failure),
    /// The role lacks a right.
    #[error("the state of the database can't be read")]
    Denied {
        /// The server's error.
        #[source]
        cause: Cause,
        /// The statements that grant what is missing; empty if that is not known.
        grants: Vec<String>,
    },
    /// No schema to put tables in.
    #[error(
        "the search path of {role} names no schema that {}, so the version table has no place", if .grants.is_empty() { "exists" } else { "it may use" }
    )]
    NoSchema {
        /// The role.
        role: String,
        /// The statements that grant the use of the schemas that exist.
        grants: Vec<String>,
    },
    /// A relation is not trusted: it belongs to a different role, or runs code of one.
    #[error("{0}")]
    Untrusted(UntrustedRelation),
    /// Something has the name of one of our tables that is to be created, or of its primary key.
    #[error("{kind} {name} already exists, so pgmarch can't create its own of that name")]
    InTheWay {
        /// A type, or a relation.
        kind: String,
        /// `SCHEMA.NAME`.
        name: String,
    },
    /// Row security hides rows of one of our tables from the role.
    #[error("row-level security is enabled on {relation} and applies to {role}, which would read it as if rows were missing")]
    RowSecurity {
        /// `SCHEMA.NAME`.
        relation: String,
        /// The role.
        role: String,
    },
    /// The ledger was created by a later pgmarch, for programs of a later format.
    #[error("the ledger in schema {schema} has format {format}, of pgmarch {program}; this is pgmarch {}, which can use formats up to {}", env!("CARGO_PKG_VERSION"), FORMAT)]
    Format {
        /// The ledger's schema.
        schema: String,
        /// Its format.
        format: String,
        /// The program that created that format.
        program: String,
    },
    /// A lock of another session keeps all sessions from reading one of our tables.
    #[error("{0}")]
    Locked(Locked),
    /// The server did not flush in time what other sessions had committed.
    #[error("the database is at the target, but what brought it there is not yet safe on the server's disk")]
    NotDurable,
    /// A version of PostgreSQL that pgmarch does not support.
    #[error("the server answered in an unexpected way ({0}); is it PostgreSQL 13 or newer?")]
    Unexpected(&'static str),
}

impl Explain for ReadError {
    fn exit(&self) -> Exit {
        match self {
            Self::Server(failure) if failure.is_lost() => Exit::Unreachable,
            Self::Server(failure) if is_trust_failure(failure) => Exit::Unsound,
            Self::Locked(_) => Exit::Locked,
            Self::NotDurable => Exit::Unreachable,
            Self::Untrusted(_) | Self::InTheWay { .. } | Self::Format { .. } => Exit::Unsound,
            Self::Server(failure) => failure.meaning().map_or(Exit::Refused, FailureCause::exit_of_own),
            Self::Denied { .. } | Self::NoSchema { .. } | Self::RowSecurity { .. } | Self::Unexpected(_) => Exit::Refused,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Locked(_) => Retry::WhenUnlocked,
            Self::Server(failure) if failure.is_lost() || is_trust_failure(failure) => Retry::Reconnect,
            Self::Server(failure) if failure.is_retried() => Retry::WhenUnlocked,
            Self::Server(_)
            | Self::Denied { .. }
            | Self::NoSchema { .. }
            | Self::Untrusted(_)
            | Self::InTheWay { .. }
            | Self::RowSecurity { .. }
            | Self::Format { .. }
            | Self::Unexpected(_)
            | Self::NotDurable => Retry::Never,
        }
    }

    fn facts(&self) -> FailureFacts {
        let blocker = if let Self::Locked(locked) = self { Some(locked.session.clone()) } else { None };
        FailureFacts { blocker, ..FailureFacts::of_source(self) }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::NotDurable => {
                "look at the server's disk and its WAL writer, then run again; a crash now could undo the last commits".into()
            }
            Self::Server(failure) if is_trust_failure(failure) => {
                "another session changed the version table or the ledger meanwhile; run again, to see whether they can still be trusted"
                    .into()
            }
            Self::Locked(locked) => locked.next_step().into(),
            Self::Untrusted(relation) => relation.next_step().into(),
            Self::InTheWay { kind, name } => format!(
                "drop or rename the {kind} {name}, or name another place with PGMARCH_VERSION_TABLE=SCHEMA.NAME or PGMARCH_LEDGER_SCHEMA"
            )
            .into(),
            Self::RowSecurity { relation, .. } => format!(
                "as its owner run ALTER TABLE {relation} DISABLE ROW LEVEL SECURITY; or connect as its owner, or as a role with BYPASSRLS"
            )
            .into(),
            Self::Format { program, .. } => format!("run pgmarch {program} or newer").into(),
            Self::Denied { grants, .. } | Self::NoSchema { grants, .. } if !grants.is_empty() => {
                format!("as a superuser, or as a role that may grant it, run {}; then run again", grants.join("; ")).into()
            }
            Self::NoSchema { .. } => "create the schema, or set PGMARCH_SEARCH_PATH=SCHEMA or PGMARCH_VERSION_TABLE=SCHEMA.NAME to one that exists".into(),
            Self::Denied { .. } => "connect as the owner of the database, or as a role that was granted what the error says; docs/connections.md lists the rights of each command".into(),
            Self::Server(failure) if failure.is_lost() => "run again; if the connection is lost each time, read the server's log and check the network between here and the server".into(),
            Self::Server(failure) if failure.is_retried() => format!("{}; then run again", lock_advice(&[])).into(),
            Self::Server(failure) if failure.meaning() == Some(FailureCause::Interrupted) => "another session cancelled the query, or a statement_timeout of a few milliseconds ended it: raise it (ALTER ROLE … or ALTER DATABASE … SET statement_timeout), then run again".into(),
            Self::Server(failure) if failure.meaning() == Some(FailureCause::Resource) => "give the server the resource that the error names (disk, memory, connections), then run again".into(),
            Self::Server(_) => "read the server's log for the statement that it refused; if what answers is a pooler or a proxy, connect to the server itself (PGMARCH_DATABASE_URL)".into(),
            Self::Unexpected(_) => "check with `SELECT version()` what answers there; connect to the server itself if it is a pooler or a proxy (PGMARCH_DATABASE_URL)".into(),
        }
    }
}
