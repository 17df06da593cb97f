//! The rows of the table `revision`: the text of each revision that was applied.

use super::id;
use super::statement_cache::PreparedStatement;
use crate::ledger::handle::Ledger;
use crate::revision::{Id, Revision};
use crate::sql;
use crate::sql::{Literal, SharedLiteral, Sql, TextArray};

/// Inserts or updates a revision: the values of [`revision_values`].
pub(super) const UPSERT_REVISION: PreparedStatement = PreparedStatement {
    name: "pgmarch: keep",
    types: &["text", "text", "text[]", "text[]", "text", "text", "text", "boolean", "text", "text", "text"],
};

/// A revision as constants: its id, then the columns as [`Ledger::upsert_revision_values`] names them.
pub(super) fn revision_values(revision: &Revision) -> [Sql; 11] {
    let text = |text: &str| sql!("{text}", text = Literal(text));
    let ids = |ids: &[Id]| sql!("{ids}", ids = ids.iter().map(Id::as_str).collect::<TextArray<'_>>());
    [
        id(&revision.id),
        text(revision.file_name()),
        ids(&revision.parents),
        ids(&revision.depends_on),
        Literal::or_null(revision.branch.as_deref()),
        text(&revision.message),
        Literal::or_null(revision.created.as_deref()),
        sql!("{breaking}", breaking = revision.breaking),
        sql!("{text}", text = SharedLiteral(&revision.text)),
        text(&revision.exact_checksum()),
        text(&revision.semantic_checksum(&revision.up)),
    ]
}

impl Ledger {
    /// One statement that inserts or updates a revision.
    pub(in crate::ledger) fn upsert_revision(&self, revision: &Revision) -> Sql {
        self.upsert_revision_values(&revision_values(revision))
    }

    /// The same, of the values of [`revision_values`].
    pub(super) fn upsert_revision_values(&self, values: &[Sql]) -> Sql {
        sql!(
            "INSERT INTO {ledger}.revision (version_table, revision, file, parents, depends_on, branch, message, created, breaking, text, exact, semantic) \
             VALUES ({key}, {values}) ON CONFLICT (version_table, revision) DO UPDATE SET \
             (file, parents, depends_on, branch, message, created, breaking, text, exact, semantic, recorded) = \
             (EXCLUDED.file, EXCLUDED.parents, EXCLUDED.depends_on, EXCLUDED.branch, EXCLUDED.message, EXCLUDED.created, \
             EXCLUDED.breaking, EXCLUDED.text, EXCLUDED.exact, EXCLUDED.semantic, now())",
            ledger = self.schema,
            key = self.key(),
            values = Sql::join(values.iter().cloned(), ", "),
        )
    }

    /// Statements that replace what the ledger has of a revision by its file as it is now.
    pub(crate) fn accept_file(&self, revision: &Revision, detail: &str) -> Vec<Sql> {
        let accepted = [self.upsert_revision(revision), self.record_note("repair", revision.id.as_str(), detail)];
        self.lock_and_check(None, &["revision", "journal"]).into_iter().chain(accepted).collect()
    }
}
