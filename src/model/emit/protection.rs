//! What takes the place of a constraint or an index is built before that one is dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Emitter;
use super::edges::{Edges, join};
use super::stages::Apart;
use crate::model::hazard::Danger;
use crate::model::kinds::constraint::referenced_tables;
use crate::model::kinds::context::Action;
use crate::model::kinds::interface::{ObjectStep, StatementNode};
use crate::model::statement::EmittedStatement;
use crate::model::{Definition, Key};

impl<'c> Emitter<'c> {
    /// Puts what is built before the drop of what it replaces. `false`: that drop must come first, so it is replaced in one transaction.
    pub(super) fn build_beside(
        &mut self,
        nodes: &[StatementNode<'c>],
        index: &HashMap<StatementNode<'c>, usize>,
        edges: &mut Edges,
    ) -> bool {
        let built: Vec<(&Key, &Key)> =
            self.context.replacements.built.iter().map(|(key, replacement)| (*key, replacement.predecessor)).collect();
        for (key, predecessor) in built {
            let (build, create) = (self.at(index, ObjectStep::Build, key), self.at(index, ObjectStep::Create, key));
            join(&mut edges.hard, build, create);
            let drop = self.at(index, ObjectStep::Drop, predecessor);
            if !edges.add_finished(build, drop) {
                self.context.replacements.built.remove(key);
                return false;
            }
            join(&mut edges.hard, drop, create);
        }
        self.drop_protection_last(nodes, index, edges);
        true
    }

    /// A constraint or a unique index that is dropped stays until all new ones of its table are there, which may be its successors.
    fn drop_protection_last(&self, nodes: &[StatementNode<'c>], index: &HashMap<StatementNode<'c>, usize>, edges: &mut Edges) {
        let mut created: BTreeMap<(&Key, Protection), Vec<usize>> = BTreeMap::new();
        for (number, (step, key)) in nodes.iter().enumerate() {
            if *step == ObjectStep::Create
                && let Some(object) = self.context.new.objects.get(*key)
                && let (Some(table), Some(protection)) = (&object.parent, Protection::of(object.definition()))
            {
                created.entry((table, protection)).or_default().push(number);
            }
        }
        let mut dropped: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
        for (key, action) in self.context.actions.all() {
            let Some(object) = self.context.old.objects.get(key).filter(|_| action == Action::Drop) else { continue };
            let (Some(table), Some(protection)) = (&object.parent, Protection::of(object.definition())) else { continue };
            // A unique index also goes with one of its columns.
            let drop = match protection {
                Protection::Duplicates => self.at(index, ObjectStep::Drop, key),
                Protection::Values | Protection::MissingKeys => index.get(&(ObjectStep::Drop, key)).copied(),
            };
            let Some(drop) = drop else { continue };
            if protection == Protection::Duplicates {
                dropped.entry(table).or_default().push(drop);
            }
            for create in created.get(&(table, protection)).into_iter().flatten() {
                edges.add_finished(Some(*create), Some(drop));
            }
        }
        // A new foreign key would depend on an old key of the same columns as long as that is there.
        for (number, (step, key)) in nodes.iter().enumerate() {
            let Some(foreign_key) = self.context.new.objects.get(*key).filter(|_| *step == ObjectStep::Create) else { continue };
            if Protection::of(foreign_key.definition()) == Some(Protection::MissingKeys) {
                for drop in referenced_tables(foreign_key, self.context.new).filter_map(|table| dropped.get(table)).flatten() {
                    edges.add_finished(Some(*drop), Some(number));
                }
            }
        }
    }

    /// Steps that share a transaction: DROP and CREATE of one object, or of one and what takes its place; a new object and its parts.
    pub(super) fn together(&self, index: &HashMap<StatementNode<'c>, usize>) -> BTreeSet<(usize, usize)> {
        let context = &self.context;
        let built = &context.replacements.built;
        let recreated = context.actions.all().filter(|(key, action)| *action == Action::Recreate && !built.contains_key(key));
        let swapped = built.iter().filter(|(_, replacement)| replacement.is_swap).map(|(key, by)| (by.predecessor, *key));
        let replaced = recreated.map(|(key, _)| (key, key)).chain(swapped);
        let replaced = replaced.map(|(old, new)| (self.at(index, ObjectStep::Drop, old), self.at(index, ObjectStep::Create, new)));
        let parts = context.new.objects.iter().filter(|(_, object)| context.is_part_of_created(object));
        let parts = parts.filter_map(|(key, object)| Some((object.parent.as_ref()?, key)));
        let parts = parts.map(|(whole, part)| (self.at(index, ObjectStep::Create, whole), self.at(index, ObjectStep::Create, part)));
        let pairs = replaced.chain(parts).filter_map(|(one, other)| one.zip(other)).filter(|(one, other)| one != other);
        pairs.filter(|pair| !self.gaps.contains(pair)).collect()
    }

    /// What keeps two steps apart is done in their transaction; if nothing can be, they stay apart.
    pub(super) fn keep_together(&mut self, nodes: &[StatementNode<'c>], apart: &Apart) {
        let mut changes = false;
        for (step, key) in apart.between.iter().map(|number| nodes[*number]) {
            let replacements = &mut self.context.replacements;
            changes |= if step == ObjectStep::Build {
                replacements.built.remove(key).is_some()
            } else {
                replacements.in_transaction.insert((step, key))
            };
        }
        if !changes {
            self.gaps.insert(apart.pair);
        }
    }

    /// The statements of a step, with a hazard if it drops what is only created again in another transaction.
    pub(super) fn with_gap(
        &self,
        number: usize,
        (step, key): StatementNode<'c>,
        statements: Vec<EmittedStatement>,
    ) -> Vec<EmittedStatement> {
        if step != ObjectStep::Drop || !self.gaps.iter().any(|(drop, _)| *drop == number) {
            return statements;
        }
        let text = format!("{key} is missing until a later revision creates it again");
        statements.into_iter().map(|statement| statement.with(Danger::ProtectionGap, &text)).collect()
    }
}

/// What a constraint or a unique index protects against: only one of the same sort can be its successor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Protection {
    Duplicates,
    Values,
    MissingKeys,
}

impl Protection {
    fn of(definition: &Definition) -> Option<Self> {
        if let Some(index) = definition.as_index() {
            return index.unique.then_some(Self::Duplicates);
        }
        definition.as_constraint().map(|constraint| match constraint.kind {
            'c' => Self::Values,
            'f' => Self::MissingKeys,
            _ => Self::Duplicates,
        })
    }
}
