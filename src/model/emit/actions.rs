//! The action of each object: kept, altered, or dropped and created again because of an object that it depends on.

use std::collections::{BTreeMap, HashMap};

use crate::model::kinds::context::{Action, Actions};
use crate::model::kinds::interface::{AlterRules, Effect, TypeChange};
use crate::model::{Catalog, Definition, Key};

/// First what differs, then the objects that depend on it.
pub(super) fn decide<'c>(old: &'c Catalog, new: &'c Catalog, rules: AlterRules) -> Actions<'c> {
    let mut actions: BTreeMap<&Key, Action> = BTreeMap::new();
    for (key, object) in &old.objects {
        let action = match new.objects.get(key) {
            None => Action::Drop,
            Some(after) if object.has_same_definition(after) && object.parent == after.parent => Action::Keep,
            Some(after) if object.parent == after.parent && object.definition().can_alter(after.definition(), rules) => Action::Alter,
            Some(_) => Action::Recreate,
        };
        actions.insert(key, action);
    }
    actions.extend(new.objects.keys().filter(|key| !old.objects.contains_key(key)).map(|key| (key, Action::Create)));
    let mut dependents: HashMap<&Key, Vec<&Key>> = HashMap::new();
    for (key, object) in &old.objects {
        for need in object.needs() {
            dependents.entry(need).or_default().push(key);
        }
    }
    let mut decided = Actions { actions, ..Actions::default() };
    let mut queue: Vec<&Key> =
        decided.all().filter(|(_, action)| matches!(action, Action::Drop | Action::Recreate | Action::Alter)).map(|(key, _)| key).collect();
    while let Some(key) = queue.pop() {
        for dependent in dependents.get(key).into_iter().flatten().copied() {
            let own = decided.of(dependent);
            if matches!(own, Action::Drop | Action::Recreate) {
                continue;
            }
            let effect = match decided.of(key) {
                Action::Drop | Action::Recreate => when_dropped(old, new, key, dependent, own),
                Action::Alter => when_altered(old, new, key, dependent, &decided),
                Action::Keep | Action::Create => None,
            };
            match effect.unwrap_or(Effect::Unaffected) {
                Effect::Recreated => {
                    decided.actions.insert(dependent, Action::Recreate);
                    queue.push(dependent);
                }
                Effect::Retyped => {
                    decided.renamed_away.insert(key);
                    if decided.retyped.insert(dependent) {
                        decided.actions.insert(dependent, Action::Alter);
                        queue.push(dependent);
                    }
                }
                Effect::Unaffected => {}
            }
        }
    }
    rename_dependencies(&mut decided, old);
    decided
}

/// An object that stays depends on one that is dropped.
fn when_dropped(old: &Catalog, new: &Catalog, key: &Key, dependent: &Key, own: Action) -> Option<Effect> {
    let (before, after) = (old.objects.get(dependent)?, new.objects.get(dependent)?);
    if before.parent.as_ref() == Some(key) {
        return Some(Effect::Recreated);
    }
    // What is altered so that it no longer depends on it, is altered first.
    let is_freed = own == Action::Alter && !after.needs().any(|need| need == key);
    (!is_freed).then(|| before.definition().when_dropped(after.definition(), key.kind))
}

/// An object that stays depends on a column whose type changes.
fn when_altered(old: &Catalog, new: &Catalog, key: &Key, dependent: &Key, decided: &Actions<'_>) -> Option<Effect> {
    let (Definition::Column(before), Definition::Column(after)) = (old.objects.get(key)?.definition(), new.objects.get(key)?.definition())
    else {
        return None;
    };
    if before.type_name == after.type_name && before.collation == after.collation && !decided.is_retyped(key) {
        return None;
    }
    let new_default = new.default_of(key).map(|(_, expression)| expression);
    let change = TypeChange { old: &before.type_name, new: &after.type_name, new_default };
    Some(old.objects.get(dependent)?.definition().when_retyped(&change))
}

/// Types that a renamed type depends on stay as long as it does.
fn rename_dependencies<'c>(decided: &mut Actions<'c>, old: &'c Catalog) {
    let mut queue: Vec<&Key> = decided.renamed_away.iter().copied().collect();
    while let Some(key) = queue.pop() {
        for need in old.objects.get(key).into_iter().flat_map(|object| object.needs()) {
            if need.kind.facts().is_type && decided.of(need) == Action::Recreate && decided.renamed_away.insert(need) {
                queue.push(need);
            }
        }
    }
}
