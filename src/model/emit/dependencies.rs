//! Which statements come before which: by dependencies, and where these allow it, by preference.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Emitter;
use super::edges::{Edges, join};
use crate::model::kinds::context::{Action, Form};
use crate::model::kinds::interface::{Grants, ObjectStep, StatementNode};
use crate::model::rights::RightsClass;
use crate::model::{Catalog, Key, ObjectKind};

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
            ObjectStep::Drop => match context.replacements.adopter(key) {
                Some(constraint) => Some((ObjectStep::Create, constraint)),
                None => of(context.old).and_then(|(subject, definition)| match context.attached_with(subject) {
                    Some(table) => Some((ObjectStep::Alter, table)),
                    None => Some((ObjectStep::Drop, definition.dropped_by(subject, context)?)),
                }),
            },
            ObjectStep::Alter => {
                of(context.new).and_then(|(subject, definition)| Some((ObjectStep::Alter, definition.altered_by(subject, context)?)))
            }
            ObjectStep::Build | ObjectStep::SetProperties | ObjectStep::SetTableFlags | ObjectStep::DropRenamed => None,
        };
        match next {
            Some((step, next)) if next != key => self.emitting_object(step, next),
            _ => (step, key),
        }
    }

    /// What comes before what.
    pub(super) fn edges(&self, nodes: &[StatementNode<'c>], index: &HashMap<StatementNode<'c>, usize>) -> Edges {
        let none = vec![BTreeSet::new(); nodes.len()];
        let mut edges = Edges { hard: none.clone(), soft: none.clone(), finished: none };
        self.old_edges(index, &mut edges);
        self.new_edges(index, &mut edges);
        self.default_privileges_edges(index, &mut edges);
        self.sequence_edges(index, &mut edges);
        let taken = self.taken_names();
        for (name, freed) in self.freed_names() {
            if let Some(taken) = taken.get(&name) {
                let (free, take) = (self.at(index, freed.0, freed.1), self.at(index, taken.0, taken.1));
                join(&mut edges.hard, free, take);
            }
        }
        edges
    }

    pub(super) fn at(&self, index: &HashMap<StatementNode<'c>, usize>, step: ObjectStep, key: &'c Key) -> Option<usize> {
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
                } else if context.action(need) == Action::Alter && context.is_dropped(key) && self.is_dropped_before_alter(key, need) {
                    join(&mut edges.hard, at(ObjectStep::Drop, key), at(ObjectStep::Alter, need));
                }
            }
        }
    }

    /// Whether an object that is dropped stands in the way of an ALTER. What is built beside a constraint or an index needs that ALTER,
    /// and comes before the DROP.
    fn is_dropped_before_alter(&self, key: &Key, need: &Key) -> bool {
        let context = &self.context;
        if context.replacements.adopter(key).is_some() {
            return false;
        }
        if context.options.form == Form::Plain || !matches!(key.kind, ObjectKind::Index | ObjectKind::Constraint) {
            return true;
        }
        let column = |catalog: &'c Catalog| catalog.objects.get(need).and_then(|object| object.definition().as_column());
        match column(context.old).zip(column(context.new)) {
            Some((before, after)) => {
                context.actions.is_retyped(need) || before.has_other_values(after) || before.not_null.is_some() && after.not_null.is_none()
            }
            None => need.kind != ObjectKind::Table,
        }
    }

    /// Objects are created after those that they depend on.
    fn new_edges(&self, index: &HashMap<StatementNode<'c>, usize>, edges: &mut Edges) {
        let context = &self.context;
        let at = |step, key| self.at(index, step, key);
        let made = |key: &Key| if context.is_created(key) { ObjectStep::Create } else { ObjectStep::Alter };
        for (key, object) in &context.new.objects {
            let step = made(key);
            let is_built = context.replacements.built.contains_key(key);
            for need in object.needs() {
                if is_built {
                    join(&mut edges.hard, at(made(need), need), at(ObjectStep::Build, key));
                }
                let is_attached = object.definition().is_attached_to(need.kind) && (context.is_created(need) || context.is_created(key));
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

    /// A position is copied while both sequences are there.
    fn sequence_edges(&self, index: &HashMap<StatementNode<'c>, usize>, edges: &mut Edges) {
        let at = |step, key| self.at(index, step, key);
        for (sequence, columns) in &self.context.new_sources {
            for column in columns.iter().filter(|column| self.is_identity(column)) {
                join(&mut edges.hard, at(ObjectStep::Create, sequence), at(ObjectStep::Alter, column));
            }
        }
        for (column, replaced) in &self.context.replaced_sequences {
            let new = self.context.new_sources.iter().find(|(_, columns)| columns.contains(column));
            let copy = new.map_or(at(ObjectStep::Alter, column), |(sequence, _)| at(ObjectStep::Create, sequence));
            join(&mut edges.hard, at(ObjectStep::Drop, replaced), copy);
            join(&mut edges.hard, copy, at(ObjectStep::DropRenamed, replaced));
        }
    }

    /// Whether a column was an identity.
    fn is_identity(&self, column: &Key) -> bool {
        self.context
            .old
            .objects
            .get(column)
            .and_then(|object| object.definition().as_column())
            .is_some_and(|column| column.identity.is_some())
    }

    /// The names in schemas that are free after a step, of which no two objects can have the same.
    fn freed_names(&self) -> BTreeMap<String, StatementNode<'c>> {
        let (old, context) = (self.context.old, &self.context);
        let of = |key: &'c Key, step| old.subject(key).and_then(|it| Some((it.object.definition().reserved_name(it)?, (step, it.key))));
        let dropped = old.objects.keys().filter(|key| context.is_dropped(key)).filter_map(|key| of(key, ObjectStep::Drop));
        // A new sequence that continues an identity's renames that one itself.
        let is_continued = |column: &Key| self.is_identity(column) && context.new_sources.values().flatten().any(|other| *other == column);
        let altered = self.renamed_identities().filter(|key| !is_continued(key)).filter_map(|key| of(key, ObjectStep::Alter));
        dropped.chain(altered).collect()
    }

    /// The names in schemas that a step takes.
    fn taken_names(&self) -> BTreeMap<String, StatementNode<'c>> {
        let (new, context) = (self.context.new, &self.context);
        let of = |key: &'c Key, step| new.subject(key).and_then(|it| Some((it.object.definition().reserved_name(it)?, (step, it.key))));
        let created = new.objects.keys().filter(|key| context.is_created(key)).filter_map(|key| of(key, ObjectStep::Create));
        created.chain(self.renamed_identities().filter_map(|key| of(key, ObjectStep::Alter))).collect()
    }

    /// The columns that are altered so that the sequence of their identity has another name, or one before or after alone.
    fn renamed_identities(&self) -> impl Iterator<Item = &'c Key> {
        let sequence = |catalog: &'c Catalog, key: &Key| {
            let column = catalog.objects.get(key)?.definition().as_column()?;
            column.identity.as_ref().map(|identity| identity.sequence.as_str())
        };
        let is_renamed = move |key: &Key| sequence(self.context.old, key) != sequence(self.context.new, key);
        let altered = self.context.actions.all().filter(|(key, action)| key.kind == ObjectKind::Column && *action == Action::Alter);
        altered.map(|(key, _)| key).filter(move |key| is_renamed(key))
    }
}
