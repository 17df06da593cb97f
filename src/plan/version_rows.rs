//! The rows of the version table: a set of ids that shares what it has in common with the sets that it was made from. A plan has
//! a set for each step, and each differs from the one before in few rows.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::revision::Id;

/// The rows of the version table: the applied revisions that are no prerequisite of another applied revision. In the order of ids.
///
/// It is a treap: a search tree by ids, and a heap by their hashes, so that the same rows are always the same tree.
#[derive(Clone, Default)]
pub struct VersionRows(Option<Arc<RowNode>>);

/// A row, and the rows before and after it.
struct RowNode {
    row: Arc<Id>,
    hash: u64,
    /// The number of rows, with this one.
    len: usize,
    before: VersionRows,
    after: VersionRows,
}

impl VersionRows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |node| node.len)
    }

    /// Whether there is no row: nothing is applied.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The first row.
    pub fn first(&self) -> Option<&Id> {
        self.iter().next()
    }

    /// Whether it has a row.
    pub fn contains(&self, id: &Id) -> bool {
        let Some(node) = &self.0 else { return false };
        match id.cmp(&node.row) {
            Ordering::Equal => true,
            Ordering::Less => node.before.contains(id),
            Ordering::Greater => node.after.contains(id),
        }
    }

    /// The rows in order.
    pub fn iter(&self) -> RowsInOrder<'_> {
        let mut rows = RowsInOrder(Vec::new());
        rows.open(self);
        rows
    }

    /// Adds a row.
    pub fn insert(&mut self, id: Id) {
        if self.contains(&id) {
            return;
        }
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let (before, after) = self.split(&id);
        let new = Self::node(Arc::new(id), hasher.finish(), Self::default(), Self::default());
        *self = Self::join(&Self::join(&before, &new), &after);
    }

    /// Takes a row out.
    pub fn remove(&mut self, id: &Id) {
        if self.contains(id) {
            let (before, after) = self.split(id);
            *self = Self::join(&before, &after);
        }
    }

    /// The rows that another set does not have.
    pub fn difference<'r>(&'r self, other: &Self) -> Vec<&'r Id> {
        let mut found = Vec::new();
        self.collect_difference(other, &mut found);
        found
    }

    fn collect_difference<'r>(&'r self, other: &Self, found: &mut Vec<&'r Id>) {
        let Some(node) = self.0.as_ref().filter(|_| !self.is_shared_with(other)) else { return };
        let (has_row, before, after) = match &other.0 {
            Some(same) if same.row == node.row => (true, same.before.clone(), same.after.clone()),
            _ => {
                let (before, after) = other.split(&node.row);
                (other.contains(&node.row), before, after)
            }
        };
        node.before.collect_difference(&before, found);
        found.extend((!has_row).then_some(&*node.row));
        node.after.collect_difference(&after, found);
    }

    fn is_shared_with(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    fn node(row: Arc<Id>, hash: u64, before: Self, after: Self) -> Self {
        Self(Some(Arc::new(RowNode { row, hash, len: 1 + before.len() + after.len(), before, after })))
    }

    /// The rows before an id, and those after it.
    fn split(&self, id: &Id) -> (Self, Self) {
        let Some(node) = &self.0 else { return (Self::default(), Self::default()) };
        match id.cmp(&node.row) {
            Ordering::Equal => (node.before.clone(), node.after.clone()),
            Ordering::Less => {
                let (before, after) = node.before.split(id);
                (before, Self::node(node.row.clone(), node.hash, after, node.after.clone()))
            }
            Ordering::Greater => {
                let (before, after) = node.after.split(id);
                (Self::node(node.row.clone(), node.hash, node.before.clone(), before), after)
            }
        }
    }

    /// The rows of two sets, of which those of the first come before those of the second.
    fn join(first: &Self, second: &Self) -> Self {
        match (&first.0, &second.0) {
            (None, _) => second.clone(),
            (_, None) => first.clone(),
            (Some(one), Some(other)) if (one.hash, &one.row) > (other.hash, &other.row) => {
                Self::node(one.row.clone(), one.hash, one.before.clone(), Self::join(&one.after, second))
            }
            (Some(_), Some(other)) => Self::node(other.row.clone(), other.hash, Self::join(first, &other.before), other.after.clone()),
        }
    }
}

/// The rows of a set in order: those that are still to come, the next one last.
pub struct RowsInOrder<'r>(Vec<&'r RowNode>);

impl<'r> RowsInOrder<'r> {
    fn open(&mut self, mut rows: &'r VersionRows) {
        while let Some(node) = &rows.0 {
            self.0.push(node);
            rows = &node.before;
        }
    }
}

impl<'r> Iterator for RowsInOrder<'r> {
    type Item = &'r Id;

    fn next(&mut self) -> Option<&'r Id> {
        let node = self.0.pop()?;
        self.open(&node.after);
        Some(&node.row)
    }
}

impl<'r> IntoIterator for &'r VersionRows {
    type Item = &'r Id;
    type IntoIter = RowsInOrder<'r>;

    fn into_iter(self) -> RowsInOrder<'r> {
        self.iter()
    }
}

impl FromIterator<Id> for VersionRows {
    fn from_iter<T: IntoIterator<Item = Id>>(ids: T) -> Self {
        let mut rows = Self::default();
        ids.into_iter().for_each(|id| rows.insert(id));
        rows
    }
}

impl PartialEq for VersionRows {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for VersionRows {}

impl fmt::Debug for VersionRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_and_its_copies_stay_as_they_were(changes in proptest::collection::vec((any::<bool>(), 0u8..40), 1..200)) {
            let mut steps: Vec<(VersionRows, BTreeSet<Id>)> = vec![Default::default()];
            for (is_new, number) in changes {
                let id = Id::parse(&number.to_string()).expect("an id");
                let (mut rows, mut expected) = steps.last().cloned().expect("a step");
                if is_new {
                    rows.insert(id.clone());
                    expected.insert(id);
                } else {
                    rows.remove(&id);
                    expected.remove(&id);
                }
                steps.push((rows, expected));
            }
            let (last, expected_last) = steps.last().cloned().expect("a step");
            for (rows, expected) in steps {
                prop_assert!(rows.iter().eq(&expected));
                prop_assert_eq!((rows.len(), rows.first(), rows.is_empty()), (expected.len(), expected.first(), expected.is_empty()));
                prop_assert!(rows.difference(&last).into_iter().eq(expected.difference(&expected_last)));
                prop_assert!(last.difference(&rows).into_iter().eq(expected_last.difference(&expected)));
                prop_assert_eq!(rows == last, expected == expected_last);
                prop_assert_eq!(&expected.into_iter().rev().collect::<VersionRows>(), &rows);
            }
        }
    }
}
