//! From one catalog to another in SQL, as a person would write it: what to do with each object, and in which order. Pure.
//!
//! The statements of one object are written by its kind ([`super::kinds`]).

mod actions;
mod circles;
mod dependencies;
mod edges;
mod order;
mod properties;
mod protection;
mod replacements;
pub(super) mod rights;
mod stages;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::compare::compare;
use super::hazard::{Danger, Hazard};
use super::ignore::Ignore;
use super::kinds::constraint::referenced_tables;
use super::kinds::context::{Action, Actions, EmitContext, Parts};
use super::kinds::interface::{AlterRules, EnumLabels, ObjectStep, StatementNode};
use super::kinds::sequence::find_serials;
use super::kinds::sequence_position::{find_new_sources, find_replaced_sequences};
use super::sql_text::{bare_name, literals};
use super::statement::{EmitStage, EmittedStatement};
use super::{Catalog, Definition, Key, Object, ObjectKind};
use crate::revision::SectionMode;
use circles::find_circles;
use edges::Edges;
use stages::{NodeSections, Section, SectionRules};

pub use super::kinds::context::{EmitOptions, Form};
pub use super::statement::script;

/// Statements that belong in one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementGroup {
    /// In one transaction, or each on its own.
    pub mode: SectionMode,
    /// In order.
    pub statements: Vec<EmittedStatement>,
}

/// The statements that lead from `old` to `new`, in the fewest revisions that they need; none if nothing differs.
pub fn emit(old: &Catalog, new: &Catalog, options: EmitOptions) -> Vec<StatementGroup> {
    emit_with(old, new, options, EnumLabels::Added)
}

/// The same in one transaction: a down migration is one section. An enum whose new values are used at once is recreated.
pub fn emit_at_once(old: &Catalog, new: &Catalog, server: u32) -> Vec<StatementGroup> {
    let options = EmitOptions { server, form: Form::Plain, ignore: Ignore::default() };
    let groups = emit_with(old, new, options, EnumLabels::Added);
    if groups.len() > 1 { emit_with(old, new, options, EnumLabels::Recreated) } else { groups }
}

fn emit_with(old: &Catalog, new: &Catalog, options: EmitOptions, labels: EnumLabels) -> Vec<StatementGroup> {
    if compare(old, new).is_empty() {
        return Vec::new();
    }
    let actions = actions::decide(old, new, AlterRules { server: options.server, labels });
    let parts = Parts::of_catalog(new);
    let changed_names = changed_names(new, &actions);
    let circles = find_circles(&foreign_keys(old, &actions));
    let (new_sources, replaced_sequences, serials, inline, replacements) = Default::default();
    let mut context = EmitContext {
        old,
        new,
        parts,
        options,
        actions,
        changed_names,
        old_suffix: free_suffix(&[old, new]),
        circles,
        new_sources,
        replaced_sequences,
        serials,
        inline,
        replacements,
    };
    context.new_sources = find_new_sources(&context);
    context.replaced_sequences = find_replaced_sequences(&context);
    context.actions.renamed_away.extend(context.replaced_sequences.values());
    context.serials = find_serials(&context);
    context.replacements = replacements::find(&context);
    let casts = casts_to_growing_enum(&context);
    group_by_section(Emitter { context, gaps: BTreeSet::new() }.statements(), casts)
}

/// Whether the values of a column are cast to an enum that gets new values: one of its rows may have such a value.
fn casts_to_growing_enum(context: &EmitContext<'_>) -> bool {
    let is_growing = |key: &Key| {
        context.action(key) == Action::Alter && context.new.objects.get(key).is_some_and(|object| object.definition().as_enum().is_some())
    };
    let is_cast = |(key, object): (&Key, &Object)| {
        let type_of = |object: &Object| object.definition().as_column().map(|column| column.type_name.clone());
        let before = context.old.objects.get(key).and_then(type_of);
        before.is_some() && before != type_of(object) && object.needs().any(is_growing)
    };
    context.new.objects.iter().any(is_cast)
}

/// Objects that change and that the text of a function may name, by their names without schema.
fn changed_names<'c>(new: &'c Catalog, actions: &Actions<'c>) -> HashMap<&'c str, Vec<&'c Key>> {
    let mut names: HashMap<&str, Vec<&Key>> = HashMap::new();
    for (key, object) in &new.objects {
        if key.kind.facts().is_named_in_routines && actions.of(key) != Action::Keep {
            let short = bare_name(object.shown.split('(').next().unwrap_or("")).trim_matches('"');
            names.entry(short).or_default().push(key);
        }
    }
    names
}

/// The end of the temporary names of what is dropped last: no object has a name that ends so.
fn free_suffix(catalogs: &[&Catalog]) -> String {
    let is_taken = |suffix: &str| catalogs.iter().flat_map(|catalog| catalog.objects.values()).any(|object| has_suffix(object, suffix));
    let suffixes = ["_old".to_owned()].into_iter().chain((2..).map(|number| format!("_old{number}")));
    suffixes.into_iter().find(|suffix| !is_taken(suffix)).unwrap_or_default()
}

fn has_suffix(object: &Object, suffix: &str) -> bool {
    let ends = |name: &str| name.trim_end_matches('"').ends_with(suffix);
    let name = object.shown.split('(').next().unwrap_or_default();
    ends(name) || object.definition().identity().is_some_and(|identity| ends(&identity.sequence))
}

/// The tables that each table refers to by a foreign key, if a table is dropped.
fn foreign_keys<'c>(old: &'c Catalog, actions: &Actions<'c>) -> BTreeMap<&'c Key, BTreeSet<&'c Key>> {
    let mut targets: BTreeMap<&Key, BTreeSet<&Key>> = BTreeMap::new();
    if !actions.all().any(|(key, action)| key.kind == ObjectKind::Table && matches!(action, Action::Drop | Action::Recreate)) {
        return targets;
    }
    for object in old.objects.values() {
        if let (Some(table), Definition::Constraint(constraint)) = (&object.parent, object.definition())
            && constraint.kind == 'f'
        {
            targets.entry(table).or_default().extend(referenced_tables(object, old));
        }
    }
    targets
}

/// Values of enums go first, on their own, if another statement may use one; `casts` whether rows may have one.
fn group_by_section(statements: Vec<(Section, EmittedStatement)>, casts: bool) -> Vec<StatementGroup> {
    let added = statements.iter().filter_map(|(_, statement)| statement.added_enum_value());
    let values: Vec<String> = added.flat_map(literals).collect();
    let may_use = |(_, statement): &&(Section, EmittedStatement)| statement.may_use_enum_values();
    let has_value = |statement: &EmittedStatement| values.iter().any(|value| statement.sql.contains(value.as_str()));
    let is_used = casts || statements.iter().filter(may_use).any(|(_, statement)| has_value(statement));
    let place = |(section, statement): &(Section, EmittedStatement)| {
        (!(is_used && *section == 0 && statement.stage == EmitStage::EnumValue), *section)
    };
    let mut sorted = statements;
    sorted.sort_by_key(place);
    let mut groups: Vec<((bool, Section), StatementGroup)> = Vec::new();
    for statement in sorted {
        let (place, (section, statement)) = (place(&statement), statement);
        match groups.last_mut() {
            Some((last, group)) if *last == place => group.statements.push(statement),
            _ => {
                let mode = if section % 2 == 0 { SectionMode::Transaction } else { SectionMode::Stepwise };
                groups.push((place, StatementGroup { mode, statements: vec![statement] }));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Puts the statements of all objects in order.
struct Emitter<'c> {
    context: EmitContext<'c>,
    /// Steps that can't share a transaction, though they should.
    gaps: BTreeSet<(usize, usize)>,
}

impl<'c> Emitter<'c> {
    /// Every statement with its section, in order.
    fn statements(&mut self) -> Vec<(Section, EmittedStatement)> {
        loop {
            let nodes = self.nodes();
            let index: HashMap<StatementNode<'c>, usize> = nodes.iter().enumerate().map(|(number, node)| (*node, number)).collect();
            let mut edges = self.edges(&nodes, &index);
            if self.context.options.form == Form::Online && !self.build_beside(&nodes, &index, &mut edges) {
                continue;
            }
            let ordered = order::order(&edges.hard, &edges.soft);
            let Some(sections) = self.sections(&nodes, &index, &edges, &ordered) else { continue };
            return self.write_all(&nodes, &index, &edges, &ordered, &sections);
        }
    }

    fn write_all(
        &mut self,
        nodes: &[StatementNode<'c>],
        index: &HashMap<StatementNode<'c>, usize>,
        edges: &Edges,
        ordered: &[usize],
        sections: &[NodeSections],
    ) -> Vec<(Section, EmittedStatement)> {
        self.find_inline(nodes, index, &edges.hard, ordered, sections);
        let inline: BTreeSet<&Key> = self.context.inline.values().flatten().copied().collect();
        let mut silent_changes = self.silent_authorization_changes();
        let mut statements = Vec::new();
        for number in ordered.iter().copied() {
            let (step, key) = nodes[number];
            if step == ObjectStep::Create && inline.contains(key) {
                continue;
            }
            let own = &sections[number];
            // A statement that only the final text has is in the section of its node.
            let places = own.statements.iter().copied().chain(std::iter::repeat(own.first));
            let mut written = self.with_gap(number, (step, key), self.write(step, key));
            if let (Some(texts), Some(first)) = (silent_changes.remove(&(step, key)), written.first_mut()) {
                first.hazards.extend(texts.into_iter().map(|text| Hazard::new(Danger::AuthorizationChange, text)));
            }
            statements.extend(places.zip(written));
        }
        statements
    }

    /// What roles gain and lose because objects are recreated, by the step that drops them.
    fn silent_authorization_changes(&self) -> BTreeMap<StatementNode<'c>, Vec<String>> {
        let mut changes: BTreeMap<StatementNode<'c>, Vec<String>> = BTreeMap::new();
        for (key, _) in self.context.actions.all().filter(|(_, action)| *action == Action::Recreate) {
            let texts = properties::silent_authorization_changes(key, &self.context);
            if !texts.is_empty() {
                changes.entry(self.emitting_object(ObjectStep::Drop, key)).or_default().extend(texts);
            }
        }
        changes
    }

    /// The sections of each node. `None`: what keeps statements apart that belong together is now done in a transaction, so try again.
    fn sections(
        &mut self,
        nodes: &[StatementNode<'c>],
        index: &HashMap<StatementNode<'c>, usize>,
        edges: &Edges,
        ordered: &[usize],
    ) -> Option<Vec<NodeSections>> {
        if self.context.options.form == Form::Plain {
            return Some(vec![NodeSections::default(); nodes.len()]);
        }
        let statements: Vec<Vec<EmittedStatement>> = nodes.iter().map(|(step, key)| self.write(*step, key)).collect();
        let together = self.together(index);
        let rules = SectionRules { statements: &statements, ordered, before: &edges.hard, finished: &edges.finished, together: &together };
        match rules.assign() {
            Ok(sections) => Some(sections),
            Err(apart) => {
                self.keep_together(nodes, &apart);
                None
            }
        }
    }

    /// The statements of one step.
    fn write(&self, step: ObjectStep, key: &'c Key) -> Vec<EmittedStatement> {
        let context = &self.context;
        let before = context.old.objects.get(key).map(|object| object.definition());
        let of = |catalog: &'c Catalog| catalog.subject(key).map(|subject| (subject, subject.object.definition()));
        let written = match step {
            ObjectStep::Build => of(context.new).map(|(subject, definition)| definition.build(subject, context)),
            ObjectStep::Drop => of(context.old).map(|(subject, definition)| definition.drop(subject, context)),
            ObjectStep::Alter => of(context.new).zip(before).map(|((subject, new), old)| old.alter(new, subject, context)),
            ObjectStep::Create => of(context.new).map(|(subject, definition)| definition.create(subject, context)),
            // A comment on an index or a constraint is all that it has.
            ObjectStep::SetProperties if matches!(key.kind, ObjectKind::Index | ObjectKind::Constraint) => {
                Some(properties::set_properties(key, context).into_iter().map(EmittedStatement::in_either).collect())
            }
            ObjectStep::SetProperties => Some(properties::set_properties(key, context)),
            ObjectStep::SetTableFlags => {
                let old = before.filter(|_| !context.is_created(key));
                let written = of(context.new).map(|(subject, definition)| definition.set_flags(old, subject, context));
                written.map(|flags| flags.into_iter().map(EmittedStatement::in_either).collect())
            }
            ObjectStep::DropRenamed => of(context.old).map(|(subject, definition)| definition.drop_renamed(subject, context)),
        };
        written.unwrap_or_default().into_iter().map(|statement| statement.of_object(key)).collect()
    }

    /// Every step that has a statement of its own, in the order in which it would read best.
    fn nodes(&self) -> Vec<StatementNode<'c>> {
        let context = &self.context;
        let mut nodes: BTreeSet<StatementNode<'c>> = BTreeSet::new();
        for (key, action) in context.actions.all() {
            let steps: &[ObjectStep] = match action {
                Action::Keep => &[],
                Action::Drop => &[ObjectStep::Drop],
                Action::Alter => &[ObjectStep::Alter],
                Action::Create => &[ObjectStep::Create],
                Action::Recreate => &[ObjectStep::Drop, ObjectStep::Create],
            };
            nodes.extend(steps.iter().map(|step| self.emitting_object(*step, key)));
            if context.replacements.built.contains_key(key) {
                nodes.insert((ObjectStep::Build, key));
            }
            if context.actions.is_renamed_away(key) {
                nodes.insert((ObjectStep::DropRenamed, key));
            }
            for step in [ObjectStep::SetProperties, ObjectStep::SetTableFlags] {
                if !self.write(step, key).is_empty() {
                    nodes.insert((step, key));
                }
            }
        }
        let mut nodes: Vec<StatementNode<'c>> = nodes.into_iter().collect();
        nodes.sort_by_key(|(step, key)| {
            let catalog = if *step == ObjectStep::Drop { context.old } else { context.new };
            let (oid, sub) = catalog.objects.get(*key).map_or((0, 0), |object| object.position);
            match step {
                ObjectStep::Drop => (0, -i64::from(oid), -sub, *step),
                ObjectStep::Build | ObjectStep::Alter | ObjectStep::Create | ObjectStep::SetProperties | ObjectStep::SetTableFlags => {
                    (1, i64::from(oid), sub, *step)
                }
                ObjectStep::DropRenamed => (2, i64::from(oid), sub, *step),
            }
        });
        nodes
    }

    /// Which constraints can be written inside the CREATE of their table: those that depend on nothing that comes after it.
    fn find_inline(
        &mut self,
        nodes: &[StatementNode<'c>],
        index: &HashMap<StatementNode<'c>, usize>,
        before: &[BTreeSet<usize>],
        ordered: &[usize],
        sections: &[NodeSections],
    ) {
        let mut turn = vec![0; nodes.len()];
        for (number, node) in ordered.iter().enumerate() {
            turn[*node] = number;
        }
        for at in ordered {
            let (ObjectStep::Create, key) = nodes[*at] else { continue };
            let Some(object) = self.context.new.objects.get(key).filter(|object| object.definition().can_be_inline()) else { continue };
            let Some(parent) = &object.parent else { continue };
            let Some(whole) = index.get(&(ObjectStep::Create, parent)) else { continue };
            if sections[*at].first == sections[*whole].first && before[*at].iter().all(|need| turn[*need] <= turn[*whole]) {
                turn[*at] = turn[*whole];
                self.context.inline.entry(parent).or_default().push(key);
            }
        }
    }
}
