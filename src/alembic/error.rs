//! Why Alembic's output can't be turned into revisions, and what to do about it.

use std::borrow::Cow;

use thiserror::Error;

use crate::exit::{Exit, Explain};
use crate::revision::{FileProblem, Id, LineColumn};

/// Why an output of Alembic's can't be turned into revisions.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ImportError {
    #[error("there is no line `-- Running upgrade … -> …` in it; give the output of `alembic upgrade --sql base:heads`")]
    NoRevision,
    #[error("{place}: `{line}` is not what Alembic writes before a revision", place = format_place(.place))]
    MalformedTitle { place: LineColumn, line: String },
    #[error("{place}: {problem}", place = format_place(.place))]
    BadId { place: LineColumn, problem: FileProblem },
    #[error("{place}: revision {id}: {problem}", place = format_place(.place))]
    Statement { place: LineColumn, id: Id, problem: FileProblem },
    #[error("{place}: revision {id} comes a second time", place = format_place(.place))]
    RepeatedId { place: LineColumn, id: Id },
    #[error("the way down has {0}, the way up does not: give both outputs of the same revisions")]
    OnlyDown(Id),
    #[error("revision {id} revises {parent}, which is not in the output: it must start at base (`alembic upgrade --sql base:heads`)")]
    NotFromBase { id: Id, parent: Id },
    #[error("{place}: Alembic stopped{}: {error}", format_in_revision(.id), place = format_place(.place))]
    Stopped { place: LineColumn, id: Option<Id>, error: String },
    #[error("{place}: revision {id} is not complete: no statement on {version_table} follows that records it", place = format_place(.place))]
    Incomplete { place: LineColumn, id: Id, version_table: String },
    #[error("{place}: Alembic records revision {id} in {table}, not in {version_table}", place = format_place(.place))]
    OtherTable { place: LineColumn, id: Id, table: String, version_table: String },
    #[error("the output ends within a transaction: no COMMIT follows revision {id}")]
    NoCommit { id: Id },
    #[error("the output has {found} of the {all} revisions under --versions; {} {} missing", format_list(.missing), if .missing.len() == 1 { "is" } else { "are" })]
    MissingRevisions { found: usize, all: usize, missing: Vec<String> },
}

/// How many missing revisions a message names.
const NAMED: usize = 10;

fn format_list(ids: &[String]) -> String {
    let more = ids.len().saturating_sub(NAMED);
    let named = ids[..ids.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn format_in_revision(id: &Option<Id>) -> String {
    id.as_ref().map(|id| format!(" in revision {id}")).unwrap_or_default()
}

impl Explain for ImportError {
    fn exit(&self) -> Exit {
        Exit::Unsound
    }

    fn next_step(&self) -> Cow<'static, str> {
        let check_offline_mode = |id: &dyn std::fmt::Display| {
            format!(
                "no file was written. Usually Python in {id} that reads from a connection, of which there is none with --sql, cuts the output off: \
                 in Alembic's file put it under `if not context.is_offline_mode():` (`from alembic import context`), print the whole output again, \
                 and write what it does as SQL into the imported file"
            )
        };
        Cow::Owned(match self {
            Self::Incomplete { id, .. } | Self::NoCommit { id } | Self::Stopped { id: Some(id), .. } => check_offline_mode(id),
            Self::Stopped { id: None, .. } => {
                "no file was written; Alembic's own message says what stopped it: print the whole output again".to_owned()
            }
            Self::OtherTable { table, .. } => {
                format!("no file was written; set PGMARCH_VERSION_TABLE={table} if that is Alembic's version table")
            }
            Self::MissingRevisions { missing, .. } => format!(
                "no file was written; give the output of `alembic upgrade --sql base:heads`, or, where {} is obsolete, remove its file from --versions",
                missing.first().map_or("a revision", String::as_str)
            ),
            Self::NoRevision
            | Self::MalformedTitle { .. }
            | Self::BadId { .. }
            | Self::Statement { .. }
            | Self::RepeatedId { .. }
            | Self::OnlyDown(_)
            | Self::NotFromBase { .. } => {
                "no file was written; `alembic upgrade --sql base:heads | pgmarch import` gives it the whole output".to_owned()
            }
        })
    }
}

fn format_place(place: &LineColumn) -> String {
    format!("line {}, column {}", place.line, place.column)
}
