//! The rows of one table: which columns they write, and their INSERTs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog_types::CatalogTypes;
use super::column_values::{Choice, ColumnValues};
use super::constants::{Constant, constants, names};
use super::foreign_key::ForeignKeyColumns;
use super::value_writer::ValueWriter;
use crate::model::kinds::context::Parts;
use crate::model::sql_text::ident;
use crate::model::{Catalog, Definition, Key, ObjectKind};

/// Rows of a table, at least.
const ROWS: u32 = 4;
/// Rows of a table, at most.
const MOST_ROWS: u32 = 40;

/// Both catalogs, their types and the parts of the old one's objects.
#[derive(Debug)]
pub(super) struct RowContext<'c> {
    pub(super) old: &'c Catalog,
    pub(super) new: &'c Catalog,
    pub(super) old_types: &'c CatalogTypes<'c>,
    pub(super) writer: ValueWriter<'c>,
    pub(super) parts: Parts<'c>,
    pub(super) new_parts: Parts<'c>,
    /// The bounds of partitions, by the table that they belong to.
    pub(super) bounds: BTreeMap<&'c str, Vec<&'c str>>,
}

/// A check: its name, and the columns that it names; that of a partition key has no name.
#[derive(Debug)]
struct Check<'c> {
    name: &'c str,
    columns: Vec<usize>,
}

/// What the rows of a table need.
#[derive(Debug)]
pub(super) struct TableRows<'c> {
    /// The table.
    pub(super) table: &'c Key,
    columns: Vec<ColumnValues<'c>>,
    foreign_keys: Vec<&'c ForeignKeyColumns>,
    checks: Vec<Check<'c>>,
    /// How many rows it gets.
    pub(super) rows: u32,
    /// The statements before and after: no trigger, rule or policy of the revisions acts on these rows.
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

/// How one row is written.
#[derive(Clone, Debug, Default)]
pub(super) struct RowChoice {
    /// Which row, from 0.
    row: u32,
    /// Added to its number.
    pub(super) shift: u32,
    /// The variant of each column whose variant is not 0.
    variants: BTreeMap<usize, usize>,
    /// The constraint that refused it last.
    refused_by: String,
    /// How often it was changed.
    pub(super) tries: usize,
}

impl RowChoice {
    /// Of a row, from 0; `shift` is added to its number.
    pub(super) fn new(row: u32, shift: u32) -> Self {
        Self { row, shift, ..Self::default() }
    }

    /// Takes the variants that another row has.
    pub(super) fn take_variants(&mut self, other: &Self) {
        self.variants.clone_from(&other.variants);
        self.refused_by.clone_from(&other.refused_by);
    }
}

impl<'c> TableRows<'c> {
    /// Of a table of the catalog before.
    pub(super) fn new(table: &'c Key, foreign_keys: &'c [ForeignKeyColumns], context: &RowContext<'c>) -> Self {
        let mut texts: Vec<(&str, &str)> = Vec::new();
        let new_constraints = context.new_parts.of(table, ObjectKind::Constraint);
        for (_, object) in context.parts.of(table, ObjectKind::Constraint).chain(new_constraints) {
            if let Definition::Constraint(constraint) = object.definition()
                && constraint.kind == 'c'
            {
                texts.push((&object.shown, &constraint.definition));
            }
        }
        let partition_key = context.old.objects.get(table).and_then(|object| object.definition().as_table()?.partition_key.as_deref());
        let mut columns = Vec::new();
        let (mut checks, mut rows) = (Vec::new(), ROWS);
        for (slot, (key, object)) in context.parts.of(table, ObjectKind::Column).enumerate() {
            let Some(column) = object.definition().as_column() else { continue };
            rows = rows.max(context.writer.rows_needed(&column.type_name));
            let is_counted = context.old.default_of(key).is_some_and(|(_, default)| default.starts_with("nextval("));
            if column.generated.is_some() || column.identity.is_some() || is_counted {
                continue;
            }
            let later = context.new.objects.get(key).and_then(|object| object.definition().as_column());
            let mut found: Vec<Constant> = Vec::new();
            for (name, text) in texts.iter().filter(|(_, text)| names(text, &object.shown)) {
                found.extend(constants(text));
                add_check(&mut checks, name, columns.len());
            }
            for domain in context.old_types.parts(&column.type_name) {
                for (_, constraint) in context.parts.of(domain, ObjectKind::Constraint) {
                    if let Definition::Constraint(definition) = constraint.definition() {
                        found.extend(constants(&definition.definition));
                        add_check(&mut checks, &constraint.shown, columns.len());
                    }
                }
            }
            if partition_key.is_some_and(|partition_key| names(partition_key, &object.shown)) {
                found.extend(context.bounds.get(&*table.name).into_iter().flatten().flat_map(|bound| constants(bound)));
                add_check(&mut checks, "", columns.len());
            }
            let domain_null = context.old_types.parts(&column.type_name).iter().any(|part| {
                matches!(context.old.objects.get(*part).map(|part| part.definition()), Some(Definition::Domain(domain)) if domain.not_null)
            });
            columns.push(ColumnValues {
                shown: &object.shown,
                type_name: &column.type_name,
                later_type: later.map(|later| later.type_name.as_str()),
                is_nullable: column.not_null.is_none() && !domain_null && later.is_none_or(|later| later.not_null.is_none()),
                slot: u32::try_from(slot).unwrap_or(0),
                constants: found,
            });
        }
        let (before, after) = switches(table, context.old, &context.parts);
        let (before, after) =
            foreign_keys.iter().map(|key| &key.table).filter(|target| *target != table).collect::<BTreeSet<_>>().into_iter().fold(
                (before, after),
                |(mut before, mut after), target| {
                    let (off, on) = force_switch(target, context.old);
                    before.extend(off);
                    after.extend(on);
                    (before, after)
                },
            );
        Self { table, columns, foreign_keys: foreign_keys.iter().collect(), checks, rows: rows.min(MOST_ROWS), before, after }
    }

    /// The INSERT of a row; or the column of which no value is known. `empty` are the tables without rows.
    pub(super) fn insert(&self, choice: &RowChoice, context: &RowContext<'c>, empty: &BTreeSet<Key>) -> Result<String, String> {
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        let mut sources = String::new();
        for (number, foreign_key) in self.foreign_keys.iter().enumerate() {
            let fixed: Vec<String> = foreign_key
                .own
                .iter()
                .zip(&foreign_key.referenced)
                .filter_map(|(own, referenced)| Some(format!("pgmarch_row.{referenced} = {}", values.get(own.as_str())?)))
                .filter(|condition| !condition.ends_with(" NULL"))
                .collect();
            let is_null = empty.contains(&foreign_key.table) || self.is_null_in(choice, &foreign_key.own);
            let target = &foreign_key.table.name;
            let offset = if fixed.is_empty() {
                format!("{} % greatest((SELECT count(*) FROM {target}), 1)", choice.row + choice.shift)
            } else {
                "0".to_owned()
            };
            let condition = if fixed.is_empty() { String::new() } else { format!(" WHERE {}", fixed.join(" AND ")) };
            sources += &format!(
                " LEFT JOIN LATERAL (SELECT * FROM {target} pgmarch_row{condition} ORDER BY pgmarch_row.tableoid, pgmarch_row.ctid OFFSET {offset} LIMIT 1) pgmarch_{number} ON true"
            );
            for (own, referenced) in foreign_key.own.iter().zip(&foreign_key.referenced) {
                let value = if is_null { "NULL".to_owned() } else { format!("pgmarch_{number}.{referenced}") };
                values.entry(own).or_insert(value);
            }
        }
        let mut names = Vec::new();
        let mut expressions = Vec::new();
        for (number, column) in self.columns.iter().enumerate() {
            let variant = choice.variants.get(&number).copied().unwrap_or(0);
            let own = || column.value(Choice { row: choice.row, shift: choice.shift, variant }, &context.writer, context.old_types);
            let value = match values.get(column.shown) {
                // The first row of a table that refers to itself refers to itself.
                Some(from_other) if self.refers_to_itself(column.shown) && !column.is_nullable => {
                    own().map_or_else(|| from_other.clone(), |own| format!("coalesce({from_other}, {own})"))
                }
                Some(from_other) => from_other.clone(),
                None if variant == 0 && column.is_nullable && is_null_row(choice.row, column.slot) => "NULL".to_owned(),
                None => match own() {
                    Some(value) => value,
                    None if column.is_nullable => "NULL".to_owned(),
                    None => return Err(format!("no value of the type {} is known for {}", column.type_name, column.shown)),
                },
            };
            names.push(column.shown);
            expressions.push(value);
        }
        if names.is_empty() {
            return Ok(format!("INSERT INTO {} DEFAULT VALUES", self.table.name));
        }
        Ok(format!(
            "INSERT INTO {} ({}) SELECT {} FROM (SELECT 1) pgmarch_one{sources}",
            self.table.name,
            names.join(", "),
            expressions.join(", ")
        ))
    }

    /// Changes the row that a check refused, or that fits no partition; false if nothing can be changed.
    pub(super) fn change(&self, choice: &mut RowChoice, constraint: Option<&str>) -> bool {
        choice.refused_by = constraint.map(ident).unwrap_or_default();
        self.change_last(choice)
    }

    /// Changes it again for the check that refused it last: the value that was tried does not fit its type.
    pub(super) fn change_last(&self, choice: &mut RowChoice) -> bool {
        let is_last = |check: &&Check<'_>| check.name == choice.refused_by;
        let columns: Vec<usize> = self.checks.iter().filter(is_last).flat_map(|check| check.columns.clone()).collect();
        choice.tries += 1;
        for (place, column) in columns.iter().enumerate() {
            let variant = choice.variants.entry(*column).or_insert(0);
            // The first column tries all of its values in turn, each other one in another rhythm.
            *variant = if place == 0 { *variant + 1 } else { choice.tries * (2 * place + 1) / 3 };
        }
        !columns.is_empty()
    }

    fn refers_to_itself(&self, column: &str) -> bool {
        self.foreign_keys.iter().any(|key| key.table == *self.table && key.own.iter().any(|own| own == column))
    }

    /// Whether the columns of a foreign key are NULL in a row: all of them, if one may be.
    fn is_null_in(&self, choice: &RowChoice, columns: &[String]) -> bool {
        let own = |column: &&ColumnValues<'_>| columns.iter().any(|name| name == column.shown);
        let nullable: Vec<&ColumnValues<'_>> = self.columns.iter().filter(own).filter(|column| column.is_nullable).collect();
        nullable.first().is_some_and(|first| is_null_row(choice.row, first.slot))
    }
}

/// One row of four has NULL in every column that may be NULL, another one in every other column.
fn is_null_row(row: u32, slot: u32) -> bool {
    row % 4 == 2 || row % 4 == 3 && slot.is_multiple_of(2)
}

fn add_check<'c>(checks: &mut Vec<Check<'c>>, name: &'c str, column: usize) {
    match checks.iter_mut().find(|check| check.name == name) {
        Some(check) => check.columns.push(column),
        None => checks.push(Check { name, columns: vec![column] }),
    }
}

/// Statements that switch off what acts on inserted rows, and those that switch it on again as it was.
pub(super) fn switches(table: &Key, catalog: &Catalog, parts: &Parts<'_>) -> (Vec<String>, Vec<String>) {
    let alter = |what: String| format!("ALTER TABLE {} {what}", table.name);
    let (mut before, mut after) = force_switch(table, catalog);
    for (kind, word) in [(ObjectKind::Trigger, "TRIGGER"), (ObjectKind::Rule, "RULE")] {
        for (_, object) in parts.of(table, kind) {
            let rule = || if let Definition::Rule(rule) = object.definition() { Some(rule.enabled) } else { None };
            let trigger = if let Definition::Trigger(trigger) = object.definition() { Some(trigger.enabled) } else { None };
            let Some(enabled) = trigger.or_else(rule) else { continue };
            let on = match enabled {
                'D' => continue,
                'R' => "ENABLE REPLICA",
                'A' => "ENABLE ALWAYS",
                _ => "ENABLE",
            };
            before.push(alter(format!("DISABLE {word} {}", object.shown)));
            after.push(alter(format!("{on} {word} {}", object.shown)));
        }
    }
    (before, after)
}

/// The same for row security that holds for the owner too.
pub(super) fn force_switch(table: &Key, catalog: &Catalog) -> (Vec<String>, Vec<String>) {
    let is_forced =
        catalog.objects.get(table).and_then(|object| object.definition().as_table()).is_some_and(|table| table.force_row_security);
    let alter = |what: &str| is_forced.then(|| format!("ALTER TABLE {} {what} ROW LEVEL SECURITY", table.name)).into_iter().collect();
    (alter("NO FORCE"), alter("FORCE"))
}
