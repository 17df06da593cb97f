//! The checksums of applied revisions: what every run compares with the files.

use crate::ledger::handle::Ledger;
use crate::revision::checksum::TextDigest;
use crate::sql;
use crate::sql::Sql;

/// The checksums of an applied revision, and what it was applied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppliedChecksum {
    /// Exact checksum; `None` if it is none that this program knows.
    pub(crate) exact: Option<TextDigest>,
    /// The ids of its parents and dependencies when it was applied.
    pub(crate) applied_on: Vec<String>,
    /// Semantic checksum of its `up` section, as the program that applied it read it.
    pub(crate) semantic: String,
}

impl AppliedChecksum {
    /// From a row of [`Ledger::checksums_query`], with its revision's id.
    pub(in crate::ledger) fn from_row(row: &[Option<&str>]) -> Option<(String, Self)> {
        let [Some(revision), Some(exact), applied_on, semantic] = row else { return None };
        let applied_on = applied_on.unwrap_or_default().split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        Some((
            (*revision).to_owned(),
            Self { exact: TextDigest::parse(exact), applied_on, semantic: semantic.unwrap_or_default().to_owned() },
        ))
    }
}

impl Ledger {
    /// A query for the checksums of each revision.
    pub(super) fn checksums_query(&self) -> Sql {
        sql!(
            "SELECT revision, exact, array_to_string(parents || depends_on, ','), semantic FROM {ledger}.revision WHERE version_table = {key}",
            ledger = self.schema,
            key = self.key()
        )
    }
}
