//! The purpose of a read of the database's state.

/// The purpose of a read of the database's state: it decides which owners must be trusted and which rights may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To write afterwards: every table's owner must be trusted, and a missing right is an error.
    Write,
    /// To read only: a plain table is read even if its owner is not trusted.
    Read,
    /// To read the version rows. A role without the right to read the ledger reads the version rows alone: they are enough to
    /// know which revision the database is at, unless they are missing or the files have changed.
    ReadPermitted,
}
