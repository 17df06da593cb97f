//! The version table and the ledger: the only module that knows the tables in the database.
//!
//! # Layout
//!
//! - `handle`: `Ledger`, the tables of one project in one database; `table`: the list of the ledger's tables.
//! - `state`: `State::load`, what is read of a database first.
//! - `contents`: what the ledger has of revisions, and its journal.
//! - `trust`: which of the tables that were found are trusted.
//! - `lost`: a version table that says base, while the ledger has applied revisions.
//! - `install`: creates the tables.
//! - `write`: the statements of a run: the fence, the text of revisions, the journal.
//! - `offline`: the same for a script.
//! - `durable`: waits until commits of other runs are on the server's disk.
//! - `error`, `locked`, `cast_failure`: what can go wrong.
//! - `lock_key`: the keys of advisory locks.
//! - `rights`: what a role lacks to read them, as GRANT statements.
//! - `query`, `answer`, `settings`, `access`: what the others share.

mod access;
mod answer;
mod cast_failure;
mod contents;
mod durable;
mod error;
mod handle;
mod install;
mod lock_key;
mod locked;
pub(crate) mod lost;
mod offline;
mod query;
mod rights;
mod settings;
mod state;
mod table;
mod trust;
mod write;

pub(crate) use access::Access;
pub(crate) use contents::{
    AppliedChecksum, AppliedRevision, JournalEntry, LastEvent, LastUpgrade, LedgerContents, Stage, StatementNote, UnfinishedRevision,
};
pub(crate) use contents::{BASE, parse_numeric};
pub(crate) use durable::wait_until_durable;
pub(crate) use error::ReadError;
pub(crate) use handle::Ledger;
pub(crate) use settings::{session_settings, set_role};
pub(crate) use state::{Backend, Level, Server, State};
pub(crate) use trust::UntrustedRelation;
pub(crate) use trust::{is_trust_failure, trusted_roles};
pub(crate) use write::{StatementCache, StatementDone};
pub(crate) use write::{changed_detail, is_fence_failure, is_verify_failure, returning_duration, same_tables, split_last_row};
