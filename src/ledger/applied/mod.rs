//! What the ledger has of applied revisions: their text, and the journal.

mod proven;
mod recorded;

pub use proven::{BASE, Proven, Word};
pub use recorded::{Entry, Kept, Recorded, decimal};
