//! The keys of the advisory locks: the first eight bytes, big-endian, of the SHA-256 of a name. PostgreSQL adds the database, so
//! projects of different databases never wait for each other.

use sha2::{Digest, Sha256};

use super::handle::Ledger;
use crate::sql::Ident;

impl Ledger {
    /// The key of the run lock: of `pgmarch:SCHEMA.NAME`, the name of the version table.
    pub(crate) fn run_lock_key(&self) -> i64 {
        key_of(&format!("pgmarch:{}", self.version_table.plain()))
    }
}

/// The key of the lock under which tables of a ledger are created: of `pgmarch-ledger:SCHEMA`.
pub(super) fn creation_lock_key(schema: &Ident) -> i64 {
    key_of(&format!("pgmarch-ledger:{}", schema.as_str()))
}

fn key_of(name: &str) -> i64 {
    Sha256::digest(name.as_bytes()).iter().take(8).fold(0i64, |key, byte| key << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_key_is_that_of_the_documentation() {
        // printf pgmarch:public.alembic_version | sha256sum
        assert_eq!(format!("{:016x}", key_of("pgmarch:public.alembic_version")), "1d7b92afd11b5bb5");
    }
}
