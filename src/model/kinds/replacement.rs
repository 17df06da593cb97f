//! Constraints and indexes that take the place of others: built beside them and swapped, or made of an index that is there.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{ObjectStep, StatementNode};
use crate::model::Key;

/// A constraint or an index that is built while the one that it replaces is there.
#[derive(Clone, Debug)]
pub(in crate::model) struct Replacement<'c> {
    /// What it replaces.
    pub(in crate::model) predecessor: &'c Key,
    /// The name that it is built under, in SQL and without a schema: its own, or another where that is taken.
    pub(in crate::model) built_as: String,
    /// Whether one transaction drops the predecessor and puts this one in its place: something would be unprotected otherwise.
    pub(in crate::model) is_swap: bool,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(in crate::model) struct Replacements<'c> {
    /// What is built first, by its key.
    pub(in crate::model) built: BTreeMap<&'c Key, Replacement<'c>>,
    /// Constraints that take over a unique index, with the index.
    pub(in crate::model) adopted: BTreeMap<&'c Key, &'c Key>,
    /// Steps that share a transaction with others, though they have a form that blocks no other session.
    pub(in crate::model) in_transaction: BTreeSet<StatementNode<'c>>,
}

impl<'c> Replacements<'c> {
    /// The constraint that takes over an index.
    pub(in crate::model) fn adopter(&self, index: &Key) -> Option<&'c Key> {
        self.adopted.iter().find(|(_, adopted)| **adopted == index).map(|(constraint, _)| *constraint)
    }

    /// Whether an object is dropped in the transaction that puts another one in its place.
    pub(in crate::model) fn is_swapped(&self, predecessor: &Key) -> bool {
        self.built.values().any(|replacement| replacement.is_swap && replacement.predecessor == predecessor)
    }

    /// Whether a step must share a transaction with others.
    pub(in crate::model) fn is_in_transaction(&self, step: ObjectStep, key: &'c Key) -> bool {
        self.in_transaction.contains(&(step, key))
    }
}
