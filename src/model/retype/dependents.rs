//! The objects that depend on columns, and catalogs without them.

use std::collections::{BTreeSet, HashMap};

use crate::model::kinds::Sequence;
use crate::model::{Catalog, Definition, Key, ObjectKind};

/// What depends on each object, directly.
pub(super) struct Dependents<'c>(HashMap<&'c Key, Vec<&'c Key>>);

impl<'c> Dependents<'c> {
    pub(super) fn of_catalog(catalog: &'c Catalog) -> Self {
        let mut dependents: HashMap<&Key, Vec<&Key>> = HashMap::new();
        for (key, object) in &catalog.objects {
            for need in object.needs() {
                dependents.entry(need).or_default().push(key);
            }
        }
        Self(dependents)
    }

    /// All objects that would be dropped with some columns, without these. A sequence that a column owns stays: it is released first.
    pub(super) fn of<'k>(&self, columns: impl IntoIterator<Item = &'k Key>) -> BTreeSet<&'c Key> {
        let mut found = BTreeSet::new();
        let mut queue: Vec<&Key> = columns.into_iter().collect();
        while let Some(key) = queue.pop() {
            for dependent in self.0.get(key).into_iter().flatten().copied() {
                if dependent.kind != ObjectKind::Sequence && found.insert(dependent) {
                    queue.push(dependent);
                }
            }
        }
        found
    }
}

/// Foreign keys among some objects.
pub(super) fn foreign_keys<'c>(catalog: &Catalog, keys: &BTreeSet<&'c Key>) -> Vec<&'c Key> {
    let is = |key: &Key| matches!(catalog.objects.get(key).map(|object| object.definition()), Some(Definition::Constraint(constraint)) if constraint.kind == 'f');
    keys.iter().copied().filter(|key| is(key)).collect()
}

/// Sequences that are owned by a column.
pub(super) fn owned_sequences<'c>(catalog: &'c Catalog, column: &Key) -> Vec<&'c Key> {
    let is_owned =
        |sequence: &Sequence| sequence.owned_by.as_ref().is_some_and(|(table, _, name)| *column.name == format!("{table}.{name}"));
    let is = |definition: &Definition| matches!(definition, Definition::Sequence(sequence) if is_owned(sequence));
    catalog.objects.iter().filter(|(_, object)| is(object.definition())).map(|(key, _)| key).collect()
}

/// The catalog in which some sequences are owned by no column.
pub(super) fn release(catalog: &mut Catalog, sequences: &[Key]) {
    for key in sequences {
        if let Some(object) = catalog.objects.get_mut(key) {
            let content = object.content_mut();
            if let Definition::Sequence(sequence) = content.definition_mut() {
                sequence.owned_by = None;
            }
            content.others =
                content.others.iter().filter(|need| !matches!(need.kind, ObjectKind::Column | ObjectKind::Table)).cloned().collect();
        }
    }
}
