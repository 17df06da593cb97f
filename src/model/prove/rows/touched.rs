//! The tables that a change touches, and those whose rows they need. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog_types::CatalogTypes;
use super::foreign_key::ForeignKeyColumns;
use crate::model::compare::compare;
use crate::model::kinds::constraint::referenced_tables;
use crate::model::{Catalog, Definition, Key, ObjectKind};

/// The tables before the change that it touches and that are there afterwards. `written` are the objects whose statements are run.
pub(super) fn touched_tables<'c>(old: &'c Catalog, new: &'c Catalog, written: &BTreeSet<Key>) -> BTreeSet<&'c Key> {
    let is_other = |key: &Key| match (old.objects.get(key), new.objects.get(key)) {
        (Some(before), Some(after)) => !before.has_same_definition(after) || before.parent != after.parent,
        _ => true,
    };
    let changed: BTreeSet<Key> = compare(old, new).into_iter().map(|change| change.key).filter(is_other).collect();
    let mut tables = BTreeSet::new();
    let mut types: BTreeSet<&Key> = BTreeSet::new();
    let mut sequences: BTreeSet<&Key> = BTreeSet::new();
    for catalog in [old, new] {
        for key in changed.iter().chain(written) {
            let Some((key, _)) = catalog.objects.get_key_value(key) else { continue };
            match whole(key, catalog) {
                whole if whole.kind == ObjectKind::Table => drop(old.objects.get_key_value(whole).map(|(table, _)| tables.insert(table))),
                whole if matches!(whole.kind, ObjectKind::Type | ObjectKind::Domain) => drop(types.insert(whole)),
                whole if whole.kind == ObjectKind::Sequence => drop(sequences.insert(whole)),
                _ => {}
            }
        }
    }
    let shapes = CatalogTypes::of(old);
    for object in old.objects.values() {
        let column = object.definition().as_column();
        let uses_type = column.is_some_and(|column| shapes.parts(&column.type_name).iter().any(|part| types.contains(part)));
        let uses_sequence = || object.definition().as_default().is_some() && object.needs().any(|need| sequences.contains(need));
        let uses = uses_type || uses_sequence();
        if let Some(parent) = object.parent.as_ref().filter(|_| uses) {
            tables.extend(old.objects.get_key_value(whole(parent, old)).map(|(table, _)| table));
        }
    }
    tables.into_iter().filter(|table| new.objects.contains_key(*table)).map(|table| root(table, old)).collect()
}

/// The object that it is a part of, if it is a part of one.
fn whole<'k>(key: &'k Key, catalog: &'k Catalog) -> &'k Key {
    let mut whole = key;
    while let Some(parent) = catalog.objects.get(whole).and_then(|object| object.parent.as_ref()) {
        whole = parent;
    }
    whole
}

/// The partitioned table that a partition belongs to, through which its rows are inserted; or the table itself.
pub(super) fn root<'c>(table: &'c Key, catalog: &'c Catalog) -> &'c Key {
    let mut root = table;
    loop {
        let definition = catalog.objects.get(root).and_then(|object| object.definition().as_table());
        let above = definition.filter(|table| table.bound.is_some()).and_then(|table| table.parents.first());
        let key = above.map(|(name, _)| Key { kind: ObjectKind::Table, name: name.as_str().into() });
        match key.and_then(|key| catalog.objects.get_key_value(&key)) {
            Some((above, _)) => root = above,
            None => return root,
        }
    }
}

/// The foreign keys of each table before the change that its rows can satisfy: its own, and those that the change adds.
pub(super) fn foreign_keys<'c>(old: &'c Catalog, new: &'c Catalog) -> BTreeMap<&'c Key, Vec<ForeignKeyColumns>> {
    let mut found: BTreeMap<&Key, Vec<ForeignKeyColumns>> = BTreeMap::new();
    let has = |table: &Key, columns: &[String]| {
        let key = |column: &String| Key { kind: ObjectKind::Column, name: format!("{}.{column}", table.name).into() };
        columns.iter().all(|column| old.objects.contains_key(&key(column)))
    };
    for catalog in [old, new] {
        for object in catalog.objects.values() {
            let Some(own) = object.parent.as_ref().and_then(|table| old.objects.get_key_value(table)).map(|(table, _)| table) else {
                continue;
            };
            let Some(foreign_key) = ForeignKeyColumns::of(object, catalog) else { continue };
            if has(own, &foreign_key.own) && has(&foreign_key.table, &foreign_key.referenced) {
                let known = found.entry(root(own, old)).or_default();
                if !known.contains(&foreign_key) {
                    known.push(foreign_key);
                }
            }
        }
    }
    found
}

/// Tables and all that their foreign keys refer to: those that are referred to come first, except in circles.
pub(super) fn in_order<'c>(
    tables: &BTreeSet<&'c Key>,
    foreign_keys: &BTreeMap<&'c Key, Vec<ForeignKeyColumns>>,
    old: &'c Catalog,
) -> Vec<&'c Key> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for table in tables {
        if !seen.insert(*table) {
            continue;
        }
        // Each table with how many of its foreign keys have been followed.
        let mut path = vec![(*table, 0)];
        while let Some((table, followed)) = path.last_mut() {
            let next = foreign_keys.get(*table).and_then(|keys| keys.get(*followed));
            *followed += 1;
            match next {
                Some(foreign_key) => {
                    let target = old.objects.get_key_value(&foreign_key.table).map(|(target, _)| root(target, old));
                    path.extend(target.filter(|target| seen.insert(*target)).map(|target| (target, 0)));
                }
                None => {
                    order.push(*table);
                    path.pop();
                }
            }
        }
    }
    order
}

/// The tables that `TRUNCATE … CASCADE` empties: these, their partitions and children, and those that refer to one of them.
pub(super) fn cascade(tables: &[&Key], catalog: &Catalog) -> BTreeSet<Key> {
    let mut emptied: BTreeSet<Key> = tables.iter().map(|table| (*table).clone()).collect();
    loop {
        let reached = catalog.objects.iter().filter_map(|(key, object)| {
            if let Some(table) = object.definition().as_table() {
                let is_child = table.parents.iter().any(|(parent, _)| emptied.iter().any(|table| *table.name == **parent));
                return is_child.then(|| key.clone());
            }
            let is_foreign_key = object.definition().as_constraint().is_some_and(|constraint| constraint.kind == 'f');
            let refers = is_foreign_key && referenced_tables(object, catalog).any(|table| emptied.contains(table));
            object.parent.clone().filter(|_| refers)
        });
        let more: BTreeSet<Key> = reached.filter(|table| !emptied.contains(table)).collect();
        if more.is_empty() {
            return emptied;
        }
        emptied.extend(more);
    }
}

/// The tables that hold the rows of a table: itself, or the partitions of a partitioned table.
pub(super) fn storing<'c>(tables: &BTreeSet<&'c Key>, old: &'c Catalog) -> BTreeSet<&'c Key> {
    let is_stored = |definition: &Definition| definition.as_table().is_some_and(|table| table.partition_key.is_none());
    let all = old.objects.iter().filter(|(key, object)| key.kind == ObjectKind::Table && is_stored(object.definition()));
    all.map(|(key, _)| key).filter(|key| tables.contains(root(key, old))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::kinds::Schema;
    use crate::model::{Object, ObjectContent};

    fn table(name: &str) -> Key {
        Key { kind: ObjectKind::Table, name: name.into() }
    }

    #[test]
    fn a_table_that_another_one_refers_to_comes_first_and_once() {
        let mut catalog = Catalog::default();
        let (a, b) = (table("public.a"), table("public.b"));
        for key in [&a, &b] {
            let content = ObjectContent {
                parent: None,
                shown: key.bare().into(),
                properties: None,
                shared_definition: Arc::new(Definition::Schema(Schema {})),
                others: Box::default(),
            };
            catalog.objects.insert(key.clone(), Object::new(Arc::new(content), (0, 0)));
        }
        let (a, b) = (catalog.objects.get_key_value(&a).expect("a").0, catalog.objects.get_key_value(&b).expect("b").0);
        let to_b = ForeignKeyColumns { own: vec!["b".to_owned()], table: b.clone(), referenced: vec!["id".to_owned()] };
        let order = in_order(&BTreeSet::from([a, b]), &BTreeMap::from([(a, vec![to_b])]), &catalog);
        assert_eq!(order, [b, a]);
    }
}
