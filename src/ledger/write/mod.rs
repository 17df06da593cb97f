//! What a run's transactions write to the version table and the ledger, and the fence in front of it.

mod fence;
pub mod progress;
mod record;
mod statement_cache;
mod verify;

pub use fence::is_fence_failure;
pub use statement_cache::StatementCache;
pub use verify::{changed_detail, is_verify_failure, same_tables};

pub(in crate::ledger) use fence::id;
pub(in crate::ledger) use record::{PROGRAM, step_values};
