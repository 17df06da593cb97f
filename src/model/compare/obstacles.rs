//! What keeps a model from being reached, where some objects stay as they are: they depend on what goes, or have a name that comes. Pure.

use std::collections::BTreeSet;

use crate::model::{Catalog, Key, ObjectKind};

/// Kinds whose objects have their names in common (PostgreSQL manual, `pg_class`).
const RELATIONS: [ObjectKind; 4] = [ObjectKind::Table, ObjectKind::View, ObjectKind::Sequence, ObjectKind::Index];

/// The obstacles, each in a sentence. Objects of `foreign` stay as they are: one that depends on a constraint or an index that goes
/// depends on those that its table then has. The model's objects of `left_out` are not in the catalog.
pub(super) fn find(catalog: &mut Catalog, old: &Catalog, foreign: &BTreeSet<Key>, left_out: &BTreeSet<Key>) -> Vec<String> {
    let mut obstacles = Vec::new();
    for key in foreign {
        let Some(object) = catalog.objects.get(key) else { continue };
        if RELATIONS.contains(&key.kind) {
            let same_name = |kind: &ObjectKind| Key { kind: *kind, name: key.name.clone() };
            let others = RELATIONS.iter().filter(|kind| **kind != key.kind).map(same_name);
            obstacles.extend(
                others
                    .filter(|other| catalog.objects.contains_key(other) && !foreign.contains(other))
                    .map(|other| format!("{key} is left alone, and has the name of {other}, which the model has")),
            );
        }
        let (kept, lacking): (Vec<Key>, Vec<Key>) = object.others.iter().cloned().partition(|need| catalog.objects.contains_key(need));
        if lacking.is_empty() {
            continue;
        }
        let mut needs: BTreeSet<Key> = kept.into_iter().collect();
        for need in lacking {
            let table = old.objects.get(&need).and_then(|object| object.parent.clone());
            match (need.kind, table) {
                (ObjectKind::Constraint | ObjectKind::Index, Some(table)) if catalog.objects.contains_key(&table) => {
                    let is_alike = |kind: ObjectKind| matches!(kind, ObjectKind::Constraint | ObjectKind::Index);
                    let alike = catalog.objects.iter().filter(|(other, part)| is_alike(other.kind) && part.parent.as_ref() == Some(&table));
                    needs.extend(alike.map(|(other, _)| other.clone()));
                }
                (ObjectKind::Default, _) => {}
                _ => obstacles.push(format!("{key} is left alone, and depends on {need}, which the model lacks")),
            }
        }
        if let Some(object) = catalog.objects.get_mut(key) {
            object.content_mut().others = needs.into_iter().filter(|need| need != key).collect();
        }
    }
    if left_out.is_empty() {
        return obstacles;
    }
    for (key, object) in &catalog.objects {
        if foreign.contains(key) || old.objects.get(key).is_some_and(|before| before.is_same(object)) {
            continue;
        }
        let lacking = object.needs().filter(|need| left_out.contains(need) && !catalog.objects.contains_key(need));
        obstacles.extend(lacking.map(|need| format!("{key} depends on {need}, which is not compared and does not exist yet")));
    }
    obstacles
}
