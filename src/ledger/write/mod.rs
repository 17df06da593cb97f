//! Statements that write to the version table and the ledger.
//!
//! # Layout
//!
//! - [`fence`]: moves the version rows, or fails if they are not where the plan starts.
//! - [`revision`]: the table `revision`, the texts.
//! - [`journal`]: the table `journal`, what was done.
//! - [`progress`]: the journal rows of a `transaction:false` revision, statement by statement.
//! - [`verify`]: fails if a revision's own text changed our tables.
//! - [`statement_cache`]: the statements that each revision repeats, prepared.

mod fence;
mod journal;
mod progress;
mod revision;
mod statement_cache;
mod verify;

use crate::revision::Id;
use crate::sql;
use crate::sql::{Literal, Sql};

pub(crate) use fence::is_fence_failure;
pub(crate) use progress::{StatementDone, returning_duration, split_last_row};
pub(crate) use statement_cache::StatementCache;
pub(crate) use verify::{changed_detail, is_verify_failure, same_tables};

pub(super) use journal::step_values;

/// A revision's id as a constant.
fn id(id: &Id) -> Sql {
    sql!("{id}", id = Literal(id.as_str()))
}
