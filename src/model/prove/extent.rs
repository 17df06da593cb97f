//! How much a proof checked.

use std::collections::BTreeMap;

use serde::Serialize;

/// How much a proof checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProofExtent {
    /// How many objects of each kind were compared.
    pub objects: BTreeMap<&'static str, usize>,
    /// Tables that the change touches.
    pub tables: usize,
    /// Those of them that had rows until the down migrations had run.
    pub tables_with_rows: usize,
    /// Those for which no rows could be generated.
    pub without_rows: Vec<TableWithoutRows>,
    /// Those whose generated rows were removed, because a statement that may fail met them.
    pub rows_removed: Vec<TableWithoutRows>,
}

/// A table without rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableWithoutRows {
    /// Its name.
    pub table: String,
    /// Why.
    pub why: String,
}
