//! What the ledger has of applied revisions: their text, and the journal.

mod proven;
mod recorded;

pub use proven::{BASE, LastEvent, ProvenRevisions};
pub use recorded::{AppliedChecksum, AppliedRevision, JournalEntry, decimal};
