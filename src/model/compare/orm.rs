//! The model of an ORM: what no ORM expresses, such as functions, policies and rights, is left alone where the model lacks it. Pure.

use std::collections::BTreeSet;

use super::left_alone::LeftAlone;
use super::orm_rights as rights;
use super::scoped_model::{ScopedModel, owner, with_parts};
use crate::model::kinds::interface::Namespace;
use crate::model::rights::RightsClass;
use crate::model::{Catalog, Definition, Key, Object, ObjectKind, Properties};

/// Completes an ORM's model by what `old` has and no ORM expresses. What is `outside` of the comparison is completed already.
pub(super) fn complete(scoped: &mut ScopedModel, old: &Catalog, outside: &BTreeSet<Key>, server: u32) {
    let in_model: Vec<Key> = scoped.catalog.objects.keys().filter(|key| !scoped.is_foreign(key)).cloned().collect();
    let own_schemas: BTreeSet<String> = scoped.catalog.schemas();
    let lacking: Vec<(&Key, &Object)> =
        old.objects.iter().filter(|(key, _)| !scoped.catalog.objects.contains_key(*key) && !outside.contains(*key)).collect();
    scoped.take_with_parts(lacking.into_iter(), |scoped, key, object, whole| {
        if whole.is_some_and(|whole| scoped.is_foreign(whole)) {
            return Some(None);
        }
        // A schema stands for what is in it.
        let is_in_schema = key.kind.facts().namespace == Namespace::Schema && key.kind != ObjectKind::DefaultPrivileges;
        let is_listed = !is_in_schema || own_schemas.contains(key.schema());
        is_beyond_orms(key, object, &own_schemas).then(|| is_listed.then(|| key.kind.name()))
    });
    keep_needed(scoped, old);
    for key in in_model {
        let Some(mut object) = scoped.catalog.objects.get(&key).cloned() else { continue };
        match old.objects.get(&key) {
            Some(before) => keep_properties(&key, &mut object, before, server, &mut scoped.left_alone),
            None => as_created(&key, &mut object, &scoped.catalog, server),
        }
        scoped.catalog.objects.insert(key, object);
    }
}

/// Types and other objects of schemas, which what is left alone depends on, are left alone too; a table is not.
fn keep_needed(scoped: &mut ScopedModel, old: &Catalog) {
    loop {
        let is_needed = |need: &&Key| {
            need.kind != ObjectKind::Table
                && !scoped.catalog.objects.contains_key(*need)
                && old.objects.get(*need).is_some_and(|object| object.parent.is_none() && owner(object).is_none())
        };
        let foreign = old.objects.iter().filter(|(key, _)| scoped.is_foreign(key));
        let needed: BTreeSet<Key> = foreign.flat_map(|(_, object)| object.others.iter().filter(is_needed)).cloned().collect();
        if needed.is_empty() {
            return;
        }
        needed.iter().for_each(|key| scoped.left_alone.add(key.kind.name(), &key.name));
        let needed = with_parts(old, needed);
        scoped.take_with_parts(old.objects.iter().filter(|(key, _)| needed.contains(*key)), |_, _, _, _| Some(None));
    }
}

/// Whether something that the model lacks stays: no ORM expresses such an object, or anything of its schema.
fn is_beyond_orms(key: &Key, object: &Object, own_schemas: &BTreeSet<String>) -> bool {
    let is_in_other_schema = || !own_schemas.contains(key.schema());
    match (key.kind, object.definition()) {
        (
            ObjectKind::Schema
            | ObjectKind::Extension
            | ObjectKind::Domain
            | ObjectKind::View
            | ObjectKind::Routine
            | ObjectKind::Aggregate
            | ObjectKind::Trigger
            | ObjectKind::Rule
            | ObjectKind::Policy
            | ObjectKind::Statistics
            | ObjectKind::EventTrigger
            | ObjectKind::DefaultPrivileges,
            _,
        ) => true,
        (ObjectKind::Type, definition) => !matches!(definition, Definition::Enum(_)) || is_in_other_schema(),
        (ObjectKind::Sequence, _) => owner(object).is_none() || is_in_other_schema(),
        // A partition of a table that the model has.
        (ObjectKind::Table, Definition::Table(table)) if table.bound.is_some() => true,
        (ObjectKind::Table, _) => is_in_other_schema(),
        (ObjectKind::Column | ObjectKind::Default | ObjectKind::Constraint | ObjectKind::Index, _) => false,
    }
}

/// Owner, and what the model has none of: rights, a comment, row security and settings.
fn keep_properties(key: &Key, object: &mut Object, before: &Object, server: u32, left_alone: &mut LeftAlone) {
    if object.is_same(before) {
        return;
    }
    if object.properties != before.properties {
        let kept = rights::kept(object.grants(), before.grants(), rights::class(key.kind), server);
        if before.grants().is_some() && kept.as_deref() != object.grants() {
            left_alone.add("rights on", &key.to_string());
        }
        if object.comment().is_none() && before.comment().is_some() {
            left_alone.add("comment on", &key.to_string());
        }
        let comment = object.comment().or(before.comment()).map(Box::from);
        let owner = before.owner().map(Box::from);
        object.content_mut().properties = Properties { comment, owner, grants: kept.map(Vec::into_boxed_slice) }.boxed();
    }
    if object.has_same_definition(before) {
        return;
    }
    let mut definition = object.definition().clone();
    keep_settings(&mut definition, before.definition(), server);
    for attribute in definition.attributes_mut() {
        let Some(was) = before.definition().attributes().iter().find(|was| was.name == attribute.name) else { continue };
        attribute.comment = attribute.comment.take().or_else(|| was.comment.clone());
        attribute.grants = rights::kept(attribute.grants.as_deref(), was.grants.as_deref(), None, server);
    }
    if let (Some(own), Some(model)) = (definition.as_table(), object.definition().as_table())
        && (own.row_security, own.force_row_security) != (model.row_security, model.force_row_security)
    {
        left_alone.add("row-level security of", &key.name);
    }
    if definition != *object.definition() {
        *object.content_mut().definition_mut() = definition;
    }
}

/// Settings of tables and columns that the model has not.
fn keep_settings(own: &mut Definition, before: &Definition, server: u32) {
    match (own, before) {
        (Definition::Table(own), Definition::Table(before)) => {
            own.row_security |= before.row_security;
            own.force_row_security |= before.force_row_security;
            own.unlogged |= before.unlogged;
            if own.options.is_empty() {
                own.options.clone_from(&before.options);
            }
            if own.partition_key.is_none() {
                own.partition_key.clone_from(&before.partition_key);
            }
            if own.access_method.is_none() {
                own.access_method.clone_from(&before.access_method);
            }
            if own.replica_identity == "DEFAULT" {
                own.replica_identity.clone_from(&before.replica_identity);
            }
            if own.clustered_on.is_none() {
                own.clustered_on.clone_from(&before.clustered_on);
            }
        }
        (Definition::Column(own), Definition::Column(before)) => {
            if own.storage.is_none() && own.type_name == before.type_name {
                own.storage.clone_from(&before.storage);
            }
            if own.compression.is_none() && own.type_name == before.type_name {
                own.compression.clone_from(&before.compression);
            }
            own.statistics = own.statistics.or(before.statistics);
            if own.options.is_empty() {
                own.options.clone_from(&before.options);
            }
            if let (Some(own), Some(before)) = (&mut own.identity, &before.identity) {
                own.comment = own.comment.take().or_else(|| before.comment.clone());
                own.grants = rights::kept(own.grants.as_deref(), before.grants.as_deref(), Some(RightsClass::Sequences), server);
            }
        }
        _ => {}
    }
}

/// A new object belongs to who runs the statements, and has the rights that the default privileges give it, beside those of the model.
fn as_created(key: &Key, object: &mut Object, catalog: &Catalog, server: u32) {
    let grants = rights::of_new(object.grants(), rights::class(key.kind), key, catalog, server);
    let comment = object.comment().map(Box::from);
    let own = Properties { comment, owner: None, grants: grants.map(Vec::into_boxed_slice) }.boxed();
    if object.properties != own {
        object.content_mut().properties = own;
    }
    if let Some(identity) = object.definition().identity() {
        let grants = rights::of_new(identity.grants.as_deref(), Some(RightsClass::Sequences), key, catalog, server);
        if identity.grants != grants
            && let Some(identity) = object.content_mut().definition_mut().identity_mut()
        {
            identity.grants = grants;
        }
    }
}
