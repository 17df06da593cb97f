//! Which statements come before which: by dependencies, and where these allow it, by preference.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Emitter;
use crate::model::kinds::context::Action;
use crate::model::kinds::interface::{Grants, ObjectStep, StatementNode};
use crate::model::rights::RightsClass;
use crate::model::{Catalog, Key, ObjectKind};

/// The graph of all statements: for each, those that come before it.
pub(super) struct Edges {
    /// By dependencies.
    pub(super) hard: Vec<BTreeSet<usize>>,
    /// By preference: these give way to dependencies.
    pub(super) soft: Vec<BTreeSet<usize>>,
}

fn join(edges: &mut [BTreeSet<usize>], first: Option<usize>, then: Option<usize>) {
    if let (Some(first), Some(then)) = (first, then)
        && first != then
    {
        edges[then].insert(first);
    }
}

impl<'c> Emitter<'c> {
    /// The statement in which a step is done: a column of a new table in the table's CREATE, a dropped table's index in its DROP.
    pub(super) fn emitting_object(&self, step: ObjectStep, key: &'c Key) -> StatementNode<'c> {
        let context = &self.context;
        let of = |catalog: &'c Catalog| catalog.subject(key).map(|subject| (subject, subject.object.definition()));
        let next = match step {
            ObjectStep::Create => of(context.new).and_then(|(subject, definition)| match context.serials.get(key) {
                Some(column) => Some((ObjectStep::Create, *column)),
                None => definition.created_by(subject, context),
            }),
            ObjectStep::Drop => {
                of(context.old).and_then(|(subject, definition)| Some((ObjectStep::Drop, definition.dropped_by(subject, context)?)))
            }
            ObjectStep::Alter => {
                of(context.new).and_then(|(subject, definition)| Some((ObjectStep::Alter, definition.altered_by(subject, context)?)))
            }
            ObjectStep::SetProperties | ObjectStep::SetTableFlags | ObjectStep::DropRenamed => None,
        };
        match next {
            Some((step, next)) if next != key => self.emitting_object(step, next),
            _ => (step, key),
        }
    }

    /// What comes before what.
    pub(super) fn edges(&self, nodes: &[StatementNode<'c>], index: &HashMap<StatementNode<'c>, usize>) -> Edges {
        let none = vec![BTreeSet::new(); nodes.len()];
        let mut edges = Edges { hard: none.clone(), soft: none };
        self.old_edges(index, &mut edges);
        self.new_edges(index, &mut edges);
        self.default_privileges_edges(index, &mut edges);
        let created = self.reserved_names(self.context.new, |key| self.context.is_created(key));
        for (name, dropped) in self.reserved_names(self.context.old, |key| self.context.is_dropped(key)) {
            if let Some(created) = created.get(&name) {
                let (drop, create) = (self.at(index, ObjectStep::Drop, dropped), self.at(index, ObjectStep::Create, created));
                join(&mut edges.hard, drop, create);
            }
        }
        edges
    }

    fn at(&self, index: &HashMap<StatementNode<'c>, usize>, step: ObjectStep, key: &'c Key) -> Option<usize> {
        index.get(&self.emitting_object(step, key)).copied()
    }

    /// Objects are dropped before those that they depend on.
    fn old_edges(&self, index: &HashMap<StatementNode<'c>, usize>, edges: &mut Edges) {
        let context = &self.context;
        let is_renamed_away = |key: &Key| context.actions.is_renamed_away(key);
        let at = |step, key| self.at(index, step, key);
        for (key, object) in &context.old.objects {
            for need in object.needs() {
                if context.is_dropped(need) {
                    if context.is_dropped(key) {
                        join(&mut edges.hard, at(ObjectStep::Drop, key), at(ObjectStep::Drop, need));
                        let gone = if is_renamed_away(need) { ObjectStep::DropRenamed } else { ObjectStep::Drop };
                        if is_renamed_away(key) {
                            join(&mut edges.hard, at(ObjectStep::DropRenamed, key), at(gone, need));
                        }
                    } else if is_renamed_away(need) {
                        join(&mut edges.hard, at(ObjectStep::Alter, key), at(ObjectStep::DropRenamed, need));
                    } else if context.action(key) == Action::Alter {
                        join(&mut edges.hard, at(ObjectStep::Alter, key), at(ObjectStep::Drop, need));
                    }
                } else if context.action(need) == Action::Alter && context.is_dropped(key) {
                    join(&mut edges.hard, at(ObjectStep::Drop, key), at(ObjectStep::Alter, need));
                }
            }
        }
    }

    /// Objects are created after those that they depend on.
    fn new_edges(&self, index: &HashMap<StatementNode<'c>, usize>, edges: &mut Edges) {
        let context = &self.context;
        let at = |step, key| self.at(index, step, key);
        let made = |key: &Key| if context.is_created(key) { ObjectStep::Create } else { ObjectStep::Alter };
        for (key, object) in &context.new.objects {
            let step = made(key);
            for need in object.needs() {
                let is_attached = object.definition().is_attached_to(need.kind) && context.is_created(need);
                let then = if is_attached { ObjectStep::SetProperties } else { step };
                join(&mut edges.hard, at(made(need), need), at(then, key));
            }
            join(&mut edges.hard, at(step, key), at(ObjectStep::SetProperties, key));
            join(&mut edges.hard, at(step, key), at(ObjectStep::SetTableFlags, key));
            if context.is_created(key) {
                join(&mut edges.hard, at(ObjectStep::Drop, key), at(ObjectStep::Create, key));
                join(&mut edges.hard, at(ObjectStep::Create, key), at(ObjectStep::DropRenamed, key));
            }
            // REVOKE on a table revokes the same right on its columns.
            if let Some(parent) = &object.parent {
                join(&mut edges.hard, at(ObjectStep::SetProperties, parent), at(ObjectStep::SetProperties, key));
            }
            if index.contains_key(&(ObjectStep::SetTableFlags, key)) {
                for (part, _) in context.parts.of(key, ObjectKind::Index).chain(context.parts.of(key, ObjectKind::Constraint)) {
                    join(&mut edges.hard, at(ObjectStep::Create, part), at(ObjectStep::SetTableFlags, key));
                }
            }
            if !context.is_created(key) && context.action(key) != Action::Alter {
                continue;
            }
            // Those of a part that can be inline are its table's, so that it can stand in the table's CREATE.
            let whole = object.parent.as_ref().filter(|parent| key.kind == ObjectKind::Constraint && context.is_created(parent));
            let Some(subject) = context.new.subject(key) else { continue };
            for need in object.definition().soft_dependencies(subject, context) {
                let first = at(ObjectStep::Create, need).or_else(|| at(ObjectStep::Alter, need));
                join(&mut edges.soft, first, at(step, whole.unwrap_or(key)));
            }
        }
    }

    /// Default privileges of our own role are changed before that creates what they apply to.
    fn default_privileges_edges(&self, index: &HashMap<StatementNode<'c>, usize>, edges: &mut Edges) {
        let context = &self.context;
        for (step, catalog) in [(ObjectStep::Drop, context.old), (ObjectStep::Alter, context.new), (ObjectStep::Create, context.new)] {
            let own = catalog.objects.iter().filter_map(|(key, object)| Some((key, object.definition().as_default_privileges()?)));
            for (first, privileges) in own.filter(|(key, own)| own.role.is_none() && index.contains_key(&(step, *key))) {
                let applies = |key: &Key| privileges.schema.as_ref().is_none_or(|schema| schema == key.schema());
                for key in context.new.objects.keys().filter(|key| applies(key)) {
                    if let Some(then) = self.creates(key, privileges.class) {
                        join(&mut edges.hard, self.at(index, step, first), self.at(index, then, key));
                    }
                }
            }
        }
    }

    /// The step that creates the object, or an identity column's sequence with it, if its rights are of this class.
    fn creates(&self, key: &'c Key, class: RightsClass) -> Option<ObjectStep> {
        let context = &self.context;
        let has_identity = |catalog: &Catalog| catalog.objects.get(key).is_some_and(|object| object.definition().identity().is_some());
        match key.kind.facts().grants {
            Grants::On(_, own) => (own == class && context.is_created(key)).then_some(ObjectStep::Create),
            Grants::OnColumn if class != RightsClass::Sequences || !has_identity(context.new) => None,
            Grants::OnColumn if context.is_created(key) => Some(ObjectStep::Create),
            Grants::OnColumn => (!has_identity(context.old)).then_some(ObjectStep::Alter),
            Grants::None => None,
        }
    }

    /// The names that objects have in their schemas, so that no two can have the same.
    fn reserved_names(&self, catalog: &'c Catalog, is: impl Fn(&Key) -> bool) -> BTreeMap<String, &'c Key> {
        let subjects = catalog.objects.keys().filter(|key| is(key)).filter_map(|key| catalog.subject(key));
        subjects.filter_map(|subject| Some((subject.object.definition().reserved_name(subject)?, subject.key))).collect()
    }
}
