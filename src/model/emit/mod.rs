//! From one catalog to another in SQL, as a person would write it: what to do with each object, in which order, in
//! which words. Pure.

mod column;
mod constraint;
mod decorate;
mod edges;
mod fate;
pub mod hazard;
mod home;
mod order;
mod print;
mod sequence;
mod statement;
mod table;
mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::compare::compare;
use super::{Catalog, Definition, Key, Kind, Object};
use crate::revision::SectionMode;
use fate::{Fate, Fates, Labels};
use hazard::Hazard;

/// Which form of a statement is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The plain one: all in one transaction.
    #[default]
    Plain,
    /// The careful one (`--online`): what would make others wait is done afterwards, in small steps.
    Online,
}

/// For whom statements are written.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// `server_version_num`.
    pub server: u32,
    /// Plain or careful.
    pub form: Form,
}

/// One statement, without its semicolon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The statement.
    pub sql: String,
    /// What it may do.
    pub hazards: Vec<Hazard>,
    /// What it does.
    pub(super) operation: Operation,
    /// When it runs.
    pub(super) phase: Phase,
}

/// What a statement does: set where the statement is written, as its text can't tell. A view's text may hold the words of any other
/// statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `ALTER TYPE … ADD VALUE`, with the value.
    AddValue(String),
    /// `CREATE TYPE … AS ENUM`.
    CreateEnum,
    /// `COMMENT ON`.
    Comment,
    /// Any other.
    Other,
}

impl Operation {
    /// Whether a literal in the statement's text may be a value of an enum that must have been committed before.
    fn may_use_values(&self) -> bool {
        matches!(self, Self::Other)
    }
}

/// When a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// A new value of an enum can't be used in the transaction that adds it.
    Value,
    /// In the transaction.
    Main,
    /// Afterwards, on its own.
    Later,
}

/// Statements that belong in one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// In one transaction, or each on its own.
    pub mode: SectionMode,
    /// In order.
    pub statements: Vec<Statement>,
}

impl Statement {
    /// A statement that harms nobody.
    pub fn plain(sql: &str) -> Self {
        Self::new(sql)
    }

    fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), hazards: Vec::new(), operation: Operation::Other, phase: Phase::Main }
    }

    fn with(mut self, hazard: Hazard) -> Self {
        self.hazards.push(hazard);
        self
    }

    fn that(mut self, operation: Operation) -> Self {
        self.operation = operation;
        self
    }

    fn later(mut self) -> Self {
        self.phase = Phase::Later;
        self
    }
}

/// What is done with an object, in the order in which it reads best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Verb {
    Drop,
    Alter,
    Create,
    /// Comment, owner, rights.
    Decorate,
    /// What needs the parts of a table: its replica identity.
    Mark,
    /// The old type that was put aside.
    Purge,
}

/// One thing to do.
type Node<'c> = (Verb, &'c Key);

/// The statements that lead from `old` to `new`, in the fewest revisions that they need; none if nothing differs.
pub fn emit(old: &Catalog, new: &Catalog, target: Target) -> Vec<Part> {
    written(old, new, target, Labels::Added)
}

/// The same in one transaction: a way down is one section. An enum whose new values are used at once is made again.
pub fn emit_at_once(old: &Catalog, new: &Catalog, server: u32) -> Vec<Part> {
    let target = Target { server, form: Form::Plain };
    let parts = written(old, new, target, Labels::Added);
    if parts.len() > 1 { written(old, new, target, Labels::Remade) } else { parts }
}

fn written(old: &Catalog, new: &Catalog, target: Target, labels: Labels) -> Vec<Part> {
    if compare(old, new).is_empty() {
        return Vec::new();
    }
    let mut emit =
        Emit { old, new, target, fates: fate::decide(old, new, target.server, labels), serials: BTreeMap::new(), inline: HashMap::new() };
    emit.serials = emit.find_serials();
    split_by_phase(emit.statements())
}

/// Values of enums go first, on their own, if another statement may use one.
fn split_by_phase(statements: Vec<Statement>) -> Vec<Part> {
    let added =
        |statement: &Statement| if let Operation::AddValue(value) = &statement.operation { Some(print::literals(value)) } else { None };
    let values: Vec<String> = statements.iter().filter_map(added).flatten().collect();
    let used = statements
        .iter()
        .filter(|statement| statement.operation.may_use_values())
        .any(|statement| values.iter().any(|value| statement.sql.contains(value.as_str())));
    let mut parts: Vec<(Phase, Part)> = Vec::new();
    let mut sorted = statements;
    if used {
        sorted.sort_by_key(|statement| statement.phase);
    } else {
        sorted.sort_by_key(|statement| statement.phase == Phase::Later);
    }
    for statement in sorted {
        let phase = if used || statement.phase == Phase::Later { statement.phase } else { Phase::Main };
        match parts.last_mut() {
            Some((last, part)) if *last == phase => part.statements.push(statement),
            _ => {
                let mode = if phase == Phase::Later { SectionMode::Stepwise } else { SectionMode::Transaction };
                parts.push((phase, Part { mode, statements: vec![statement] }));
            }
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

struct Emit<'c> {
    old: &'c Catalog,
    new: &'c Catalog,
    target: Target,
    fates: Fates<'c>,
    /// Sequences that `serial` makes, with their columns.
    serials: BTreeMap<&'c Key, &'c Key>,
    /// Constraints that stand in the CREATE of their table or domain.
    inline: HashMap<&'c Key, Vec<&'c Key>>,
}

impl<'c> Emit<'c> {
    fn statements(&mut self) -> Vec<Statement> {
        let nodes = self.nodes();
        let place: HashMap<Node<'c>, usize> = nodes.iter().enumerate().map(|(place, node)| (*node, place)).collect();
        let (before, rather) = self.edges(&nodes, &place);
        let ordered = order::order(&before, &rather);
        let late = self.late(&nodes, &before, &ordered);
        self.put_inline(&nodes, &before, &ordered, &late);
        let inline: BTreeSet<&Key> = self.inline.values().flatten().copied().collect();
        let mut statements = Vec::new();
        for place in ordered {
            let (verb, key) = nodes[place];
            if verb == Verb::Create && inline.contains(key) {
                continue;
            }
            let made = match verb {
                Verb::Drop => self.drop(key),
                Verb::Alter => self.alter(key),
                Verb::Create => self.create(key),
                Verb::Decorate => self.decorate(key),
                Verb::Mark => self.mark(key),
                Verb::Purge => self.purge(key),
            };
            statements.extend(made.into_iter().map(|statement| if late[place] { statement.later() } else { statement }));
        }
        statements
    }

    /// Which changes come afterwards: those of indexes that are built or dropped CONCURRENTLY, and what needs them.
    fn late(&self, nodes: &[Node<'c>], before: &[BTreeSet<usize>], ordered: &[usize]) -> Vec<bool> {
        let mut late = vec![false; nodes.len()];
        if self.target.form == Form::Plain {
            return late;
        }
        for place in ordered {
            let (verb, key) = nodes[*place];
            let begins_late = |statements: Vec<Statement>| statements.first().is_some_and(|first| first.phase == Phase::Later);
            late[*place] = before[*place].iter().any(|need| late[*need])
                || match (verb, key.kind) {
                    (Verb::Create, Kind::Constraint | Kind::Index) => begins_late(self.create(key)),
                    (Verb::Drop, Kind::Index) => begins_late(self.drop(key)),
                    _ => false,
                };
        }
        late
    }

    fn fate(&self, key: &Key) -> Fate {
        self.fates.of(key)
    }

    fn is_made(&self, key: &Key) -> bool {
        matches!(self.fate(key), Fate::Create | Fate::Remake)
    }

    fn is_dropped(&self, key: &Key) -> bool {
        matches!(self.fate(key), Fate::Drop | Fate::Remake)
    }

    fn table(catalog: &'c Catalog, object: &Object) -> &'c str {
        object.parent.as_ref().and_then(|parent| catalog.objects.get(parent)).map_or("", |parent| parent.shown.as_str())
    }

    /// Everything that is to be done, each in its home, in the order in which it would read best.
    fn nodes(&self) -> Vec<Node<'c>> {
        let mut nodes: BTreeSet<Node<'c>> = BTreeSet::new();
        for (key, fate) in self.fates.all() {
            let verbs: &[Verb] = match fate {
                Fate::Keep => &[],
                Fate::Drop => &[Verb::Drop],
                Fate::Alter => &[Verb::Alter],
                Fate::Create => &[Verb::Create],
                Fate::Remake => &[Verb::Drop, Verb::Create],
            };
            nodes.extend(verbs.iter().map(|verb| self.home(*verb, key)));
            if self.fates.is_aside(key) {
                nodes.insert((Verb::Purge, key));
            }
            if self.new.objects.contains_key(key) {
                if !self.decorate(key).is_empty() {
                    nodes.insert((Verb::Decorate, key));
                }
                if !self.mark(key).is_empty() {
                    nodes.insert((Verb::Mark, key));
                }
            }
        }
        let mut nodes: Vec<Node<'c>> = nodes.into_iter().collect();
        nodes.sort_by_key(|(verb, key)| {
            let catalog = if *verb == Verb::Drop { self.old } else { self.new };
            let (oid, sub) = catalog.objects.get(*key).map_or((0, 0), |object| object.position);
            match verb {
                Verb::Drop => (0, -i64::from(oid), -sub, *verb),
                Verb::Alter | Verb::Create | Verb::Decorate | Verb::Mark => (1, i64::from(oid), sub, *verb),
                Verb::Purge => (2, i64::from(oid), sub, *verb),
            }
        });
        nodes
    }

    /// Which constraints can stand in the CREATE of their table: those that need nothing that comes after it.
    fn put_inline(&mut self, nodes: &[Node<'c>], before: &[BTreeSet<usize>], ordered: &[usize], late: &[bool]) {
        let mut turn = vec![0; nodes.len()];
        for (number, place) in ordered.iter().enumerate() {
            turn[*place] = number;
        }
        let place: HashMap<Node<'c>, usize> = nodes.iter().enumerate().map(|(place, node)| (*node, place)).collect();
        for at in ordered {
            let (Verb::Create, key) = nodes[*at] else { continue };
            let Some(object) = self.new.objects.get(key) else { continue };
            let (Definition::Constraint(constraint), Some(parent)) = (&object.definition, &object.parent) else { continue };
            let whole = constraint.index_options.as_ref().is_none_or(Vec::is_empty) && !constraint.definition.ends_with(" NOT VALID");
            let Some(table) = place.get(&(Verb::Create, parent)).filter(|_| whole) else { continue };
            if late[*at] == late[*table] && before[*at].iter().all(|need| turn[*need] <= turn[*table]) {
                turn[*at] = turn[*table];
                self.inline.entry(parent).or_default().push(key);
            }
        }
    }

    /// Columns that can be written as `serial`, with their sequences.
    fn find_serials(&self) -> BTreeMap<&'c Key, &'c Key> {
        let mut serials = BTreeMap::new();
        for (key, object) in &self.new.objects {
            let Definition::Sequence(sequence) = &object.definition else { continue };
            let Some((table_name, _, column_name)) = &sequence.owned_by else { continue };
            let column = Key { kind: Kind::Column, name: format!("{table_name}.{column_name}") };
            let Some((column, of)) = self.new.objects.get_key_value(&column) else { continue };
            let Definition::Column(definition) = &of.definition else { continue };
            let made = self.is_made(key) && self.is_made(column) && !definition.inherited.0;
            let plain = sequence.numbers == sequence::numbers(&definition.type_name) && !sequence.unlogged && definition.identity.is_none();
            let (table, own) = (Self::table(self.new, of), of.shown.as_str());
            let named = object.shown == format!("{table}_{own}_seq") && !object.shown.contains('"');
            let counted =
                default_of(self.new, column).is_some_and(|(_, expression)| expression == &format!("nextval('{}'::regclass)", object.shown));
            let not_null = definition.not_null.as_ref().is_some_and(|not_null| not_null.name.is_none() && not_null.valid);
            if made && plain && named && counted && not_null {
                serials.insert(key, column);
            }
        }
        serials
    }
}

/// The default of a column: its key and expression.
fn default_of<'c>(catalog: &'c Catalog, column: &Key) -> Option<(&'c Key, &'c String)> {
    let key = Key { kind: Kind::Default, name: column.name.clone() };
    let (key, object) = catalog.objects.get_key_value(&key)?;
    if let Definition::Default { expression } = &object.definition { Some((key, expression)) } else { None }
}

fn is_inherited(catalog: &Catalog, column: &Key) -> bool {
    matches!(catalog.objects.get(column).map(|object| &object.definition), Some(Definition::Column(column)) if column.inherited.0)
}

/// Statements as the text of a section: hazards as comments above, a blank line around what has several lines.
pub fn script(statements: &[Statement]) -> String {
    let mut text = String::new();
    let mut large_before = false;
    for statement in statements {
        let large = statement.sql.contains('\n') || !statement.hazards.is_empty();
        if !text.is_empty() && (large || large_before) {
            text.push('\n');
        }
        for hazard in &statement.hazards {
            text += &format!("-- {hazard}\n");
        }
        text += &statement.sql;
        text += ";\n";
        large_before = large;
    }
    text
}
