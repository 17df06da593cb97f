//! What a run's transactions write to the version table and the ledger, and the fence in front of it.

mod fence;
pub mod progress;
mod record;
mod statement_cache;
mod verify;

pub use fence::is_moved;
pub use statement_cache::StatementCache;
pub use verify::{is_changed, same_tables, what_changed};

pub(in crate::ledger) use fence::id;
pub(in crate::ledger) use record::{PROGRAM, done_values};
