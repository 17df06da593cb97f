//! What a read of the state found out about pgmarch's tables.

use crate::ledger::access::Access;
use crate::sql::Ident;

/// What a read of the state found out about pgmarch's tables; later statements fail if that has changed.
#[derive(Clone, Debug)]
pub(crate) struct TrustBasis {
    /// The purpose of the read.
    pub(crate) access: Access,
    /// Whether all are plain tables.
    pub(crate) is_plain: bool,
    /// Their owners: trusted roles, unless the state was read only to read.
    pub(crate) owners: Vec<String>,
    /// Roles that the settings trust.
    pub(crate) trusted_by_settings: Vec<Ident>,
}
