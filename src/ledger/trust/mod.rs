//! Which of the tables that were found are trusted: ordinary tables of a role that already has all rights of pgmarch's, on which
//! only such roles' code runs. A role with fewer rights could otherwise create a table of its own in their place.
//!
//! # Layout
//!
//! - [`untrusted`]: why a relation is not trusted.
//! - [`own_tables`]: our tables as expressions and queries: which exist, which are plain, what is wrong with them.
//! - [`check`]: statements that lock the tables and fail if they changed since they were looked at.

mod basis;
mod check;
mod failure;
mod own_tables;
mod untrusted;

pub(crate) use own_tables::trusted_roles;
pub(crate) use untrusted::UntrustedRelation;

pub(super) use basis::TrustBasis;
pub(crate) use failure::is_trust_failure;

pub(super) use check::RelationLock;
pub(super) use failure::UNTRUSTED;
pub(super) use own_tables::OwnTables;
pub(super) use untrusted::TrustProblem;
