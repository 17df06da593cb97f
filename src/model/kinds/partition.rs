//! Partitions that are attached and detached: what reads their rows or makes other sessions wait comes first where PostgreSQL has such a form.

use super::context::{Action, EmitContext, Form};
use super::interface::Subject;
use super::partition_bound;
use super::table::Table;
use crate::model::hazard::Danger;
use crate::model::index_text::is_same_index;
use crate::model::sql_text::{bare_name, with_suffix};
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Definition, Key, Object, ObjectKind};

/// What a VALIDATE may do.
const NO_FIT: &str = "it fails if a row does not fit the partition";

impl Table {
    /// The statements that move a partition, or a table that becomes one, between its old and new parent, or change its bound.
    pub(super) fn move_partition<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let name = subject.shown();
        let is_online = context.options.form == Form::Online;
        if is_online
            && new.parents.is_empty()
            && let Some(detach) = self.detach_concurrently(subject, context)
            && let Some(condition) = self.rows_condition(context.old)
        {
            // With a check that says the same, DETACH CONCURRENTLY does not add one under a name of its own.
            let [add, validate, drop] = check_in_steps(&condition, subject, context);
            return [add, validate, detach, drop].map(EmittedStatement::stepwise).into();
        }
        let mut statements = self.leave_parents(new, name);
        let scan = "every row is read under ACCESS EXCLUSIVE; it fails if one does not fit the partition";
        if let (Some(bound), Some((_, parent))) = (&new.bound, new.parents.first()) {
            let mut attach = EmittedStatement::alter(format!("ALTER TABLE {parent} ATTACH PARTITION {name} {bound}"));
            let check = new.rows_condition(context.new).filter(|_| is_online);
            if check.is_none() {
                attach = attach.with(Danger::Scan, scan);
            }
            if let Some(text) = new.default_sibling(subject.key, context) {
                attach = attach.with(Danger::Scan, &text);
            }
            if let Some(text) = self.missing_parts(new, subject, context) {
                attach = attach.with(Danger::Lock, &text);
            }
            match check {
                Some(condition) => {
                    let [add, validate, drop] = check_in_steps(&condition, subject, context);
                    let before = [add.stepwise(), validate.with(Danger::MayFail, NO_FIT).stepwise()];
                    statements = before.into_iter().chain(statements).chain([attach, drop]).collect();
                }
                None => statements.push(attach),
            }
        } else {
            statements.extend(self.join_parents(new, name));
        }
        statements
    }

    /// DETACH CONCURRENTLY, if PostgreSQL can do that.
    pub(super) fn detach_concurrently<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<EmittedStatement> {
        let (full, parent) = self.parents.first().filter(|_| self.bound.is_some())?;
        let parent_key = Key { kind: ObjectKind::Table, name: full.as_str().into() };
        let stays = context.new.objects.contains_key(&parent_key) && !context.is_dropped(&parent_key);
        let has_default = [context.old, context.new].into_iter().any(|catalog| default_partition(full, catalog).is_some());
        let can_be = context.options.form == Form::Online && context.options.server >= 140_000 && stays && !has_default;
        can_be
            .then(|| EmittedStatement::alter(format!("ALTER TABLE {parent} DETACH PARTITION {} CONCURRENTLY", subject.shown())).stepwise())
    }

    /// What its rows must fit as a partition; also that of the tables above it.
    fn rows_condition(&self, catalog: &Catalog) -> Option<String> {
        let mut conditions = Vec::new();
        let mut partition = self;
        while let Some(bound) = &partition.bound {
            let (full, _) = partition.parents.first()?;
            let parent = catalog.objects.get(&Key { kind: ObjectKind::Table, name: full.as_str().into() })?.definition().as_table()?;
            conditions.push(partition_bound::condition(parent.partition_key.as_deref()?, bound)?);
            partition = parent;
        }
        (!conditions.is_empty()).then(|| conditions.join(" AND "))
    }

    /// What ATTACH does to the default partition of the same table.
    fn default_sibling(&self, key: &Key, context: &EmitContext<'_>) -> Option<String> {
        let (other, sibling) = default_partition(&self.parents.first()?.0, context.new).filter(|(other, _)| *other != key)?;
        let is_there = !context.is_created(other);
        let shown = &sibling.shown;
        is_there.then(|| format!("every row of the default partition {shown} is read under ACCESS EXCLUSIVE; it fails if one belongs here"))
    }

    /// What ATTACH builds while others wait.
    fn missing_parts<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<String> {
        let (full, parent) = new.parents.first().filter(|_| self.parents.is_empty())?;
        let above = parts(full, context.new).filter(|(_, part)| has_index(part));
        let own: Vec<&Object> = parts(&subject.key.name, context.old).map(|(_, part)| part).collect();
        let lacking = |(key, part): &(&Key, &Object)| !context.is_created(key) && !own.iter().any(|own| is_counterpart(own, part));
        let shown: Vec<&str> = above.filter(lacking).map(|(_, part)| &*part.shown).collect();
        (!shown.is_empty()).then(|| {
            let list = shown.join(", ");
            format!("{parent} has {list}, and {} has no such index: it is built under ACCESS EXCLUSIVE", subject.shown())
        })
    }

    /// A partition is detached from its table, a child from parents that it no longer has.
    fn leave_parents(&self, new: &Self, name: &str) -> Vec<EmittedStatement> {
        let left = |(full, parent): &(String, String)| match self.bound.is_some() {
            true => Some(format!("ALTER TABLE {parent} DETACH PARTITION {name}")),
            false if new.parents.iter().any(|(other, _)| other == full) => None,
            false => Some(format!("ALTER TABLE {name} NO INHERIT {parent}")),
        };
        self.parents.iter().filter_map(left).map(EmittedStatement::alter).collect()
    }

    fn join_parents(&self, new: &Self, name: &str) -> Vec<EmittedStatement> {
        let is_new = |full: &str| self.bound.is_some() || !self.parents.iter().any(|(other, _)| other == full);
        let joined = new.parents.iter().filter(|(full, _)| is_new(full));
        joined.map(|(_, parent)| EmittedStatement::alter(format!("ALTER TABLE {name} INHERIT {parent}"))).collect()
    }
}

/// A check that is added and validated before, and dropped after what would read the rows without it.
fn check_in_steps(condition: &str, subject: Subject<'_>, context: &EmitContext<'_>) -> [EmittedStatement; 3] {
    let table = subject.shown();
    let is_free = |name: &String| {
        let key = Key { kind: ObjectKind::Constraint, name: format!("{}.{name}", subject.key.name).into() };
        ![context.old, context.new].iter().any(|catalog| catalog.objects.contains_key(&key))
    };
    let suffix = |number: usize| if number == 0 { "_partition_check".to_owned() } else { format!("_partition_check{number}") };
    let check = (0..).map(|number| with_suffix(bare_name(table), &suffix(number))).find(is_free).unwrap_or_default();
    [
        EmittedStatement::alter(format!("ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({condition}) NOT VALID")),
        EmittedStatement::alter(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {check}")),
        EmittedStatement::alter(format!("ALTER TABLE {table} DROP CONSTRAINT {check}")),
    ]
}

impl<'c> EmitContext<'c> {
    /// The table whose ATTACH makes an index or a constraint of it the partition's share of its parent's.
    pub(in crate::model) fn attached_with(&self, part: Subject<'c>) -> Option<&'c Key> {
        (self.action(part.key) == Action::Drop).then(|| self.shared_by_move(part, self.new, self.old)).flatten()
    }

    /// The table whose DETACH gives it an index or a constraint that was its share of its parent's.
    pub(in crate::model) fn detached_with(&self, part: Subject<'c>) -> Option<&'c Key> {
        (self.action(part.key) == Action::Create).then(|| self.shared_by_move(part, self.old, self.new)).flatten()
    }

    /// The table of a part, if it is a partition in one catalog and no table's child in the other one, and its parent has such a part.
    fn shared_by_move(&self, part: Subject<'c>, partitioned: &'c Catalog, alone: &'c Catalog) -> Option<&'c Key> {
        let table = part.object.parent.as_ref().filter(|table| self.action(table) == Action::Alter)?;
        let of = |catalog: &'c Catalog| catalog.objects.get(table)?.definition().as_table();
        let (partition, own) = (of(partitioned)?, of(alone)?);
        let (full, _) = partition.parents.first().filter(|_| partition.bound.is_some() && own.parents.is_empty())?;
        // What the parent itself gets or loses comes too late or is gone too early.
        let is_kept = |key: &Key| matches!(self.action(key), Action::Keep | Action::Alter);
        parts(full, partitioned).find(|(key, above)| is_kept(key) && is_counterpart(part.object, above)).map(|_| table)
    }
}

/// Whether ATTACH takes the part of a partition as its share of a part of its parent.
fn is_counterpart(own: &Object, above: &Object) -> bool {
    match (own.definition(), above.definition()) {
        (Definition::Index(own), Definition::Index(above)) => is_same_index(&own.definition, &above.definition),
        (Definition::Constraint(one), Definition::Constraint(other)) => {
            one.kind == other.kind && one.definition == other.definition && (one.kind != 'c' || own.shown == above.shown)
        }
        _ => false,
    }
}

fn has_index(part: &Object) -> bool {
    let definition = part.definition();
    definition.as_index().is_some() || definition.as_constraint().is_some_and(|constraint| matches!(constraint.kind, 'p' | 'u' | 'x'))
}

/// The indexes and constraints of a table.
fn parts<'c>(table: &str, catalog: &'c Catalog) -> impl Iterator<Item = (&'c Key, &'c Object)> {
    let of_table =
        move |object: &Object| object.parent.as_ref().is_some_and(|parent| parent.kind == ObjectKind::Table && *parent.name == *table);
    catalog.objects.iter().filter(move |(key, object)| matches!(key.kind, ObjectKind::Index | ObjectKind::Constraint) && of_table(object))
}

/// The default partition of a table.
fn default_partition<'c>(table: &str, catalog: &'c Catalog) -> Option<(&'c Key, &'c Object)> {
    let tables = catalog.objects.iter().filter_map(|(key, object)| Some((key, object, object.definition().as_table()?)));
    let is_default = |table_definition: &Table| {
        table_definition.bound.as_deref() == Some("DEFAULT") && table_definition.parents.first().is_some_and(|(full, _)| full == table)
    };
    tables.filter(|(_, _, definition)| is_default(definition)).map(|(key, object, _)| (key, object)).next()
}
