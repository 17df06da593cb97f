//! Which constraints and indexes take the place of others. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::kinds::context::{Action, EmitContext, Form};
use crate::model::kinds::replacement::{Replacement, Replacements};
use crate::model::sql_text::with_suffix;
use crate::model::{Catalog, Key, Object, ObjectKind};

/// What can take the place of what.
pub(super) fn find<'c>(context: &EmitContext<'c>) -> Replacements<'c> {
    let adopted = adopted(context);
    let mut found = Replacements { adopted, ..Replacements::default() };
    if context.options.form == Form::Plain {
        return found;
    }
    let dropped = dropped_parts(context);
    let candidates: Vec<(&Key, &Key)> = context
        .actions
        .all()
        .filter(|(key, action)| {
            is_protection(key) && matches!(action, Action::Create | Action::Recreate) && !found.adopted.contains_key(key)
        })
        .filter_map(|(key, action)| Some((key, predecessor(key, action, &dropped, context)?)))
        .collect();
    if candidates.is_empty() {
        return found;
    }
    let before = names(context.old);
    let mut taken: BTreeSet<String> = names(context.new).union(&before).cloned().collect();
    for (key, predecessor) in candidates {
        let Some(subject) = context.new.subject(key) else { continue };
        if !subject.object.definition().can_be_built_beside(subject, context) {
            continue;
        }
        let own = if key.kind == ObjectKind::Index { key.bare() } else { subject.shown() };
        let Some(reserved) = subject.object.definition().reserved_name(subject) else { continue };
        let scope = reserved.strip_suffix(own).unwrap_or_default();
        let is_free = |name: &str| !taken.contains(&format!("{scope}{name}"));
        let others = || (0..).map(|number| with_suffix(own, &suffix(number)));
        // Its own name, unless something has it until then.
        let built_as = match before.contains(&reserved) {
            true => others().find(|name| is_free(name)).unwrap_or_default(),
            false => own.to_owned(),
        };
        taken.insert(format!("{scope}{built_as}"));
        let is_plain_index = |object: &Object| object.definition().as_index().is_some_and(|index| !index.unique);
        let is_swap =
            key != predecessor || !is_plain_index(subject.object) || !context.old.objects.get(predecessor).is_some_and(is_plain_index);
        found.built.insert(key, Replacement { predecessor, built_as, is_swap });
    }
    found
}

fn suffix(number: usize) -> String {
    if number == 0 { "_new".to_owned() } else { format!("_new{number}") }
}

fn is_protection(key: &Key) -> bool {
    matches!(key.kind, ObjectKind::Index | ObjectKind::Constraint)
}

/// Unique indexes that a new constraint can take over: it has the same columns.
fn adopted<'c>(context: &EmitContext<'c>) -> BTreeMap<&'c Key, &'c Key> {
    let mut by_table: BTreeMap<&Key, Vec<(&'c Key, &'c Object)>> = BTreeMap::new();
    for (key, object) in &context.old.objects {
        if key.kind == ObjectKind::Index
            && context.action(key) == Action::Drop
            && object.properties.is_none()
            && let Some(table) = &object.parent
        {
            by_table.entry(table).or_default().push((key, object));
        }
    }
    let mut adopted = BTreeMap::new();
    for (key, action) in context.actions.all() {
        if key.kind != ObjectKind::Constraint || action != Action::Create {
            continue;
        }
        let Some(object) = context.new.objects.get(key) else { continue };
        let Some(constraint) = object.definition().as_constraint() else { continue };
        let Some(table) = object.parent.as_ref().filter(|table| !context.is_created(table)) else { continue };
        let Some(indexes) = by_table.get_mut(table) else { continue };
        let fits = |(_, index): &(&Key, &Object)| index.definition().as_index().is_some_and(|index| constraint.can_adopt(index));
        if let Some(number) = indexes.iter().position(fits) {
            adopted.insert(key, indexes.swap_remove(number).0);
        }
    }
    adopted
}

/// Constraints and indexes that are dropped, by the names that they reserve.
fn dropped_parts<'c>(context: &EmitContext<'c>) -> BTreeMap<String, &'c Key> {
    let is = |(key, action): &(&Key, Action)| is_protection(key) && *action == Action::Drop;
    let subjects = context.actions.all().filter(is).filter_map(|(key, _)| context.old.subject(key));
    subjects.filter_map(|subject| Some((subject.object.definition().reserved_name(subject)?, subject.key))).collect()
}

/// What a constraint or an index replaces: itself with another definition, what has its name in the same table, the table's primary key.
fn predecessor<'c>(key: &'c Key, action: Action, dropped: &BTreeMap<String, &'c Key>, context: &EmitContext<'c>) -> Option<&'c Key> {
    let subject = context.new.subject(key)?;
    let table = subject.object.parent.as_ref().filter(|table| !context.is_created(table))?;
    let is_of_table = |old: &&Key| context.old.objects.get(*old).is_some_and(|old| old.parent.as_ref() == Some(table));
    if action == Action::Recreate {
        return Some(key).filter(is_of_table);
    }
    let reserved = subject.object.definition().reserved_name(subject)?;
    if let Some(old) = dropped.get(&reserved).copied() {
        return Some(old).filter(is_of_table);
    }
    let is_primary = |object: &Object| object.definition().as_constraint().is_some_and(|constraint| constraint.kind == 'p');
    let primary = |old: &&Key| is_of_table(old) && context.old.objects.get(*old).is_some_and(is_primary);
    dropped.values().copied().find(|old| is_primary(subject.object) && primary(old))
}

/// The names that objects have.
fn names(catalog: &Catalog) -> BTreeSet<String> {
    let subjects = catalog.objects.keys().filter_map(|key| catalog.subject(key));
    subjects.filter_map(|subject| subject.object.definition().reserved_name(subject)).collect()
}
