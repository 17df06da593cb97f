//! The tables of the ledger.

/// A table of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LedgerTable {
    pub(crate) name: &'static str,
    /// A `CREATE TABLE` statement, and those that follow it, such as `COMMENT`.
    pub(super) sql: &'static str,
    /// The PL/pgSQL variable of a script that tells whether the script created it.
    pub(super) is_new: &'static str,
    /// Whether the ledger can't be used without it.
    pub(super) is_essential: bool,
}

/// All of them. A table that a later version adds is not essential: a role that may not create it does without.
pub(crate) const TABLES: [LedgerTable; 4] = [
    LedgerTable { name: "revision", sql: include_str!("install/create_revision.sql"), is_new: "is_new_revision", is_essential: true },
    LedgerTable { name: "journal", sql: include_str!("install/create_journal.sql"), is_new: "is_new_journal", is_essential: true },
    LedgerTable { name: "catalog", sql: include_str!("install/create_catalog.sql"), is_new: "is_new_catalog", is_essential: false },
    LedgerTable { name: "format", sql: include_str!("install/create_format.sql"), is_new: "is_new_format", is_essential: false },
];
