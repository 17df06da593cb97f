//! The format of the ledger. Changes are additive: a newer program still writes what an older one reads, and the first run with the
//! rights to creates what is new. So several versions of pgmarch can share a ledger, one after the other.
//!
//! Format 1, of pgmarch 0.1, has no table `format`.

use crate::ledger::handle::Ledger;
use crate::sql;
use crate::sql::Sql;

/// The format that this program creates.
pub(in crate::ledger) const FORMAT: u32 = 2;
/// The oldest format whose programs can use a ledger of this one.
pub(super) const OLDEST: u32 = 1;

impl Ledger {
    /// A query that returns the ledger's format and its program, if this program is too old for it.
    pub(super) fn read_format(&self) -> Sql {
        sql!(include_str!("format.sql"), ledger = self.schema, format = FORMAT)
    }
}
