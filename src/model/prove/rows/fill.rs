//! Inserts rows into the tables of a scratch database that a change touches.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog_types::CatalogTypes;
use super::foreign_key::ForeignKeyColumns;
use super::table_rows::{RowChoice, RowContext, TableRows};
use super::touched;
use super::value_writer::ValueWriter;
use crate::model::kinds::context::Parts;
use crate::model::prove::scratch::{Scratch, ScratchError};
use crate::model::prove::scratch_refusal::ScratchRefusal;
use crate::model::prove::transaction::TransactionEnd;
use crate::model::{Catalog, Key};

/// How often the rows of one table are changed until its constraints accept them.
const TRIES: usize = 80;
/// How often one row is.
const TRIES_OF_ROW: usize = 30;
/// How often all are: a schema of thousands of tables is proven in seconds.
const TRIES_OF_ALL: usize = 1500;

/// Added to the numbers of rows in a table that has some: the values of those are often the first numbers.
const BEYOND_ROWS: u32 = 9_000;

/// What became of the tables.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// Tables that have no rows, each with the reason.
    pub(super) empty: BTreeMap<Key, String>,
}

/// Inserts rows into tables, and into those that their foreign keys refer to.
pub(super) async fn fill(
    scratch: &Scratch,
    old: &Catalog,
    new: &Catalog,
    tables: &BTreeSet<&Key>,
    foreign_keys: &BTreeMap<&Key, Vec<ForeignKeyColumns>>,
    existing: &BTreeSet<&Key>,
) -> Result<Filling, ScratchError> {
    let (old_types, new_types) = (CatalogTypes::of(old), CatalogTypes::of(new));
    let context = RowContext {
        old,
        old_types: &old_types,
        new,
        writer: ValueWriter::new(&old_types, &new_types),
        parts: Parts::of_catalog(old),
        new_parts: Parts::of_catalog(new),
        bounds: bounds(old),
    };
    let mut filling = Filling::default();
    let mut empty = BTreeSet::new();
    let mut left = TRIES_OF_ALL;
    for table in touched::in_order(tables, foreign_keys, old) {
        let rows = TableRows::new(table, foreign_keys.get(table).map(Vec::as_slice).unwrap_or_default(), &context);
        let outcome = insert(scratch, &rows, &context, &empty, existing.contains(table), &mut left).await?;
        if let Err(why) = outcome {
            empty.insert(table.clone());
            filling.empty.insert(table.clone(), why);
        }
    }
    filling.empty.retain(|table, _| tables.contains(table));
    Ok(filling)
}

/// The bounds of partitions, by the names of the tables above them.
fn bounds(catalog: &Catalog) -> BTreeMap<&str, Vec<&str>> {
    let mut bounds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for object in catalog.objects.values() {
        if let Some(table) = object.definition().as_table()
            && let (Some(bound), Some((parent, _))) = (&table.bound, table.parents.first())
        {
            bounds.entry(parent).or_default().push(bound);
        }
    }
    let of = |table: &str| bounds.get(table).cloned().unwrap_or_default();
    // The rows of a table are inserted through the one at the top, whose key columns may be those of a partition's partitions too.
    let nested: Vec<(&str, Vec<&str>)> = catalog
        .objects
        .iter()
        .filter_map(|(key, object)| Some((key, object.definition().as_table()?.parents.first()?)))
        .map(|(key, (parent, _))| (parent.as_str(), of(&key.name)))
        .collect();
    for (parent, found) in nested {
        bounds.entry(parent).or_default().extend(found);
    }
    bounds
}

/// Inserts the rows of one table, changing those that its constraints refuse; why it has none, if it has none.
async fn insert(
    scratch: &Scratch,
    table: &TableRows<'_>,
    context: &RowContext<'_>,
    empty: &BTreeSet<Key>,
    has_rows: bool,
    left: &mut usize,
) -> Result<Result<(), String>, ScratchError> {
    let mut choices: Vec<RowChoice> = (0..table.rows).map(|row| RowChoice::new(row, if has_rows { BEYOND_ROWS } else { 0 })).collect();
    let mut last = "too many tables have constraints that generated rows do not satisfy".to_owned();
    for _ in 0..TRIES.min(*left) {
        let inserts: Result<Vec<String>, String> = choices.iter().map(|choice| table.insert(choice, context, empty)).collect();
        let inserts = match inserts {
            Ok(inserts) if inserts.is_empty() => break,
            Ok(inserts) => inserts,
            Err(why) => return Ok(Err(why)),
        };
        let statements: Vec<String> = table.before.iter().chain(&inserts).chain(&table.after).cloned().collect();
        let refusal = match scratch.transaction(&statements, TransactionEnd::Commit).await? {
            Ok(_) => return Ok(Ok(())),
            Err(refusal) => refusal,
        };
        *left = left.saturating_sub(1);
        last.clone_from(&refusal.message);
        let Some(number) = refusal.number.checked_sub(table.before.len()).filter(|number| *number < choices.len()) else { break };
        change(table, &mut choices, number, &refusal);
    }
    Ok(Err(last))
}

/// Changes the row that was refused, or gives it up.
fn change(table: &TableRows<'_>, choices: &mut Vec<RowChoice>, number: usize, refusal: &ScratchRefusal) {
    let row = &mut choices[number];
    let is_changed = if row.tries >= TRIES_OF_ROW {
        false
    } else if refusal.is_duplicate() {
        row.tries += 9;
        row.shift += 11;
        true
    } else if refusal.is_check() {
        table.change(row, refusal.constraint.as_deref())
    } else if refusal.is_about_rows() {
        table.change_last(row)
    } else {
        false
    };
    if !is_changed {
        choices.remove(number);
        return;
    }
    // What this row needed, the next ones need too.
    let changed = choices[number].clone();
    for later in &mut choices[number + 1..] {
        later.take_variants(&changed);
    }
}
