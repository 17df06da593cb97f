//! The differences between two catalogs. Pure.

pub mod drift;
pub mod ignored;
pub mod left_alone;
mod obstacles;
mod orm;
mod orm_rights;
pub mod scope;
pub mod scoped_model;
mod version_tables;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

pub use crate::model::ignore::Ignore;
use crate::model::{Catalog, Key, Object, ObjectKind};

/// How many likely renames are reported.
const LIKELY_RENAMES: usize = 100;

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
        Some(before) if before.is_same(object) => None,
        Some(_) => Some((key, DifferenceKind::Changed)),
    });
    let mut changes: Vec<Change> = gone.chain(come).map(|(key, how)| Change { key: key.clone(), how }).collect();
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

impl Catalog {
    /// Pairs that may be renames: a dropped column and a new one of the same type in the same table, a dropped table and a new one with
    /// the same columns. They are reported, the first `LIKELY_RENAMES` of them, and only applied with `--rename`.
    pub fn likely_renames(&self, new: &Self) -> Vec<String> {
        let table_renames = self.likely_table_renames(new);
        table_renames.into_iter().chain(self.likely_column_renames(new)).take(LIKELY_RENAMES).collect()
    }

    fn likely_table_renames(&self, new: &Self) -> Vec<String> {
        let (gone, come) = (self.lacking_in(new, ObjectKind::Table), new.lacking_in(self, ObjectKind::Table));
        if gone.is_empty() || come.is_empty() {
            return Vec::new();
        }
        let (before, after) = (self.columns(&gone), new.columns(&come));
        let mut alike: HashMap<(&str, &BTreeMap<&str, &str>), Vec<&Key>> = HashMap::new();
        for to in &come {
            after.get(to).into_iter().for_each(|columns| alike.entry((to.schema(), columns)).or_default().push(to));
        }
        let pairs = gone.iter().flat_map(|from| {
            let matching = before.get(from).and_then(|columns| alike.get(&(from.schema(), columns)));
            let shown = self.objects.get(*from).map_or("", |object| &object.shown);
            matching.into_iter().flatten().map(move |to| format!("{shown}={}", to.bare()))
        });
        pairs.take(LIKELY_RENAMES).collect()
    }

    fn likely_column_renames(&self, new: &Self) -> Vec<String> {
        let (gone, come) = (self.lacking_in(new, ObjectKind::Column), new.lacking_in(self, ObjectKind::Column));
        let mut alike: HashMap<(&Key, &str), Vec<&Object>> = HashMap::new();
        for to in come {
            let object = &new.objects[to];
            if let (Some(table), Some(column)) = (&object.parent, object.definition().as_column()) {
                alike.entry((table, &column.type_name)).or_default().push(object);
            }
        }
        let pairs = gone.into_iter().flat_map(|from| {
            let object = &self.objects[from];
            let place = object.parent.as_ref().zip(object.definition().as_column());
            let matching = place.and_then(|(table, column)| alike.get(&(table, column.type_name.as_str())));
            let table = object.parent.as_ref().and_then(|table| self.objects.get(table)).map_or("", |table| &table.shown);
            matching.into_iter().flatten().map(move |to| format!("{table}.{}={}", object.shown, to.shown))
        });
        pairs.take(LIKELY_RENAMES).collect()
    }

    /// Objects of a kind that the other catalog lacks, though not what they are a part of.
    fn lacking_in(&self, other: &Self, kind: ObjectKind) -> Vec<&Key> {
        let whole = |object: &Object| object.parent.as_ref().is_none_or(|parent| other.objects.contains_key(parent));
        let is = |(key, object): &(&Key, &Object)| key.kind == kind && !other.objects.contains_key(*key) && whole(object);
        self.objects.iter().filter(is).map(|(key, _)| key).collect()
    }

    /// Names and types of the columns of some tables.
    fn columns(&self, tables: &[&Key]) -> HashMap<&Key, BTreeMap<&str, &str>> {
        let wanted: HashSet<&Key> = tables.iter().copied().collect();
        let mut columns: HashMap<&Key, BTreeMap<&str, &str>> = HashMap::new();
        for object in self.objects.values() {
            if let (Some(column), Some(table)) = (object.definition().as_column(), &object.parent)
                && wanted.contains(table)
            {
                columns.entry(table).or_default().insert(&object.shown, &column.type_name);
            }
        }
        columns
    }
}
