//! The differences between two catalogs. Pure.

pub mod drift;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Catalog, Definition, Key, Object, ObjectKind};

/// Properties that are not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    /// Owners.
    pub owners: bool,
    /// Rights.
    pub grants: bool,
    /// `COMMENT ON`.
    pub comments: bool,
}

/// How an object differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Only the new catalog has it.
    Added,
    /// Only the old catalog has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: Key,
    /// How.
    pub how: DifferenceKind,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.how {
            DifferenceKind::Added => '+',
            DifferenceKind::Removed => '-',
            DifferenceKind::Changed => '~',
        };
        write!(f, "{sign} {}", self.key)
    }
}

/// Every object that differs, in the order of their keys; without the parts of an object that only one catalog has.
pub fn compare(old: &Catalog, new: &Catalog) -> Vec<Change> {
    let whole = |object: &Object, other: &Catalog| object.parent.as_ref().is_none_or(|parent| other.objects.contains_key(parent));
    let gone = old
        .objects
        .iter()
        .filter(|(key, object)| !new.objects.contains_key(key) && whole(object, new))
        .map(|(key, _)| (key, DifferenceKind::Removed));
    let come = new.objects.iter().filter_map(|(key, object)| match old.objects.get(key) {
        None => whole(object, old).then_some((key, DifferenceKind::Added)),
        Some(before) if same(before, object) => None,
        Some(_) => Some((key, DifferenceKind::Changed)),
    });
    let mut changes: Vec<Change> = gone.chain(come).map(|(key, how)| Change { key: key.clone(), how }).collect();
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

fn same(old: &Object, new: &Object) -> bool {
    old.definition == new.definition
        && old.parent == new.parent
        && old.comment == new.comment
        && old.owner == new.owner
        && old.grants == new.grants
}

impl Catalog {
    /// The catalog without properties that are not compared.
    pub fn ignoring(mut self, ignore: Ignore) -> Self {
        for object in self.objects.values_mut() {
            if ignore.owners {
                object.owner = None;
            }
            if ignore.grants {
                object.grants.clear();
            }
            if ignore.comments {
                object.comment = None;
                object.definition.attributes_mut().iter_mut().for_each(|attribute| attribute.comment = None);
            }
        }
        self
    }

    /// Pairs that may be renames: a dropped column and a new one of the same type in the same table, a dropped table and a new one with
    /// the same columns. They are reported, and only applied with `--rename`.
    pub fn likely_renames(&self, new: &Self) -> Vec<String> {
        let only = |has: &Self, lacks: &Self, kind: ObjectKind| -> Vec<Key> {
            let whole = |object: &Object| object.parent.as_ref().is_none_or(|parent| lacks.objects.contains_key(parent));
            let is = |(key, object): &(&Key, &Object)| key.kind == kind && !lacks.objects.contains_key(*key) && whole(object);
            has.objects.iter().filter(is).map(|(key, _)| key.clone()).collect()
        };
        let mut pairs = Vec::new();
        let (mine, theirs) = (self.columns(), new.columns());
        let come = only(new, self, ObjectKind::Table);
        for from in only(self, new, ObjectKind::Table) {
            let same = |to: &&Key| from.schema() == to.schema() && mine.contains_key(&from) && mine.get(&from) == theirs.get(*to);
            pairs.extend(come.iter().filter(same).map(|to| format!("{}={}", self.objects[&from].shown, to.bare())));
        }
        let come = only(new, self, ObjectKind::Column);
        for from in only(self, new, ObjectKind::Column) {
            for to in &come {
                let (old, object) = (&self.objects[&from], &new.objects[to]);
                if old.parent == object.parent
                    && let (Definition::Column(before), Definition::Column(after)) = (&old.definition, &object.definition)
                    && before.type_name == after.type_name
                {
                    let table = old.parent.as_ref().and_then(|table| self.objects.get(table)).map_or("", |table| table.shown.as_str());
                    pairs.push(format!("{table}.{}={}", old.shown, object.shown));
                }
            }
        }
        pairs
    }

    /// Names and types of the columns of each table.
    fn columns(&self) -> BTreeMap<&Key, BTreeMap<&str, &str>> {
        let mut columns: BTreeMap<&Key, BTreeMap<&str, &str>> = BTreeMap::new();
        for object in self.objects.values() {
            if let (Definition::Column(column), Some(table)) = (&object.definition, &object.parent) {
                columns.entry(table).or_default().insert(&object.shown, &column.type_name);
            }
        }
        columns
    }
}
