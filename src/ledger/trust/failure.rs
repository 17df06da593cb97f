//! Failures of the statements that check whether our tables can still be trusted.

use crate::ledger::cast_failure::is_cast_failure;
use crate::session::Failure;

/// The text in the failed cast of a statement that found one of our tables changed.
pub(crate) const UNTRUSTED: &str = "a table of pgmarch can no longer be trusted";

/// Whether a message failed because one of our tables can no longer be trusted. Reading the state again tells why.
pub(crate) fn is_trust_failure(failure: &Failure) -> bool {
    is_cast_failure(failure, UNTRUSTED)
}
