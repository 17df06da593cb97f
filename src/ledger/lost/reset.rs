//! A schema that was dropped and created again, with the version table in it.

use std::fmt;

/// A schema that was dropped and created again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaReset {
    /// The version table, `SCHEMA.NAME`.
    pub(super) version_table: String,
    /// What the ledger had as applied.
    pub(super) rows: Vec<String>,
}

impl fmt::Display for SchemaReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ledger has {} as applied for {}, whose schema holds no relations: it was reset, starting from base",
            rows_text(&self.rows),
            self.version_table
        )
    }
}

/// Version rows for a message.
pub(super) fn rows_text(rows: &[String]) -> String {
    if rows.is_empty() { "revisions".to_owned() } else { rows.join(", ") }
}
