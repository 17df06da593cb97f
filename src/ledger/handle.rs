//! [`Ledger`]: the version table and the ledger's tables of one project in one database.

use super::settings::LOCK_TIMEOUT;
use super::table::LedgerTable;
use super::trust::TrustBasis;
use crate::sql;
use crate::sql::{Ident, Literal, QualifiedName, Sql};

/// The tables of one project in one database: which of them exist, and how far they are trusted.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Where the version table is, or will be.
    pub(crate) version_table: QualifiedName,
    /// The ledger's schema.
    pub(crate) schema: Ident,
    /// Whether the version table exists.
    pub(crate) has_version_table: bool,
    /// Whether the ledger can be read: it exists, and the role has the right to.
    pub(crate) has_ledger: bool,
    /// Tables of the ledger that do not exist.
    pub(super) missing: Vec<LedgerTable>,
    /// Whether the role may create those that are missing in a ledger that exists.
    pub(super) may_extend: bool,
    /// Whether its format can be read.
    pub(super) has_format: bool,
    /// Tables that are not used, as their owner is not trusted; none of them is essential.
    pub(super) unusable: Vec<&'static str>,
    /// The role of the settings.
    pub(super) role: Option<Ident>,
    pub(super) trust: TrustBasis,
}

impl Ledger {
    /// The value of the column `version_table` in the ledger's tables, as a constant.
    pub(crate) fn key(&self) -> Sql {
        sql!("{key}", key = Literal(&self.version_table.plain()))
    }

    /// Whether a table of the ledger exists and is trusted.
    pub(crate) fn has_table(&self, name: &str) -> bool {
        !self.unusable.contains(&name) && !self.missing.iter().any(|table| table.name == name)
    }

    /// Whether all that is missing of the ledger is to be created.
    pub(crate) fn is_to_be_created(&self) -> bool {
        self.missing.iter().any(|table| table.is_essential || self.may_extend)
    }

    /// What a query of our tables begins with, under the session's own search path: its time limit and the role of the settings.
    pub(super) fn read_settings(&self) -> impl Iterator<Item = Sql> {
        [Sql::of(LOCK_TIMEOUT)].into_iter().chain(sql::set_role(self.role.as_ref()))
    }
}
