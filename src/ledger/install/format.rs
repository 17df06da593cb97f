//! The format of the ledger. Changes are additive: what an older program reads stays written, and what a newer one adds is
//! created by the first run that may. So programs of several versions can share a ledger, one after the other.
//!
//! Format 1, of pgmarch 0.1, has no table `format`.

use sha2::{Digest, Sha256};

use crate::ledger::handle::Ledger;
use crate::sql;
use crate::sql::{Ident, Sql};

/// The format that this program makes of a ledger.
pub(in crate::ledger) const FORMAT: u32 = 2;
/// The oldest format whose programs can use it.
pub(super) const OLDEST: u32 = 1;

/// The lock under which tables of a ledger are created: the first eight bytes, big-endian, of the SHA-256 of
/// `pgmarch-ledger:SCHEMA`.
pub(in crate::ledger) fn lock_key(schema: &Ident) -> i64 {
    let hash = Sha256::digest(format!("pgmarch-ledger:{}", schema.as_str()).as_bytes());
    hash.iter().take(8).fold(0i64, |key, byte| key << 8 | i64::from(*byte))
}

impl Ledger {
    /// A query for the format and its program, if this program is too old for the ledger. A role that may not read the table
    /// is told nothing.
    pub(super) fn read_format(&self) -> Sql {
        sql!(include_str!("format.sql"), ledger = self.schema, format = FORMAT)
    }
}
