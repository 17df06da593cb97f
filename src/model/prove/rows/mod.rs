//! Rows in the scratch database of the revisions: generated before the up migration, compared after it and after the down migration.

mod catalog_types;
mod column_values;
mod constants;
mod fill;
mod foreign_key;
mod kept_values;
mod literal;
mod next_number;
mod table_rows;
mod touched;

mod value_writer;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::extent::{ProofExtent, TableWithoutRows};
use super::row_error::RowError;
use super::scratch::{Scratch, ScratchError};
use super::transaction::TransactionEnd;
use crate::model::emit::StatementGroup;
use crate::model::hazard::Danger;
use crate::model::kinds::context::Parts;
use crate::model::sql_text::unquoted;
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Definition, Key, Object, ObjectKind};
use catalog_types::CatalogTypes;
use fill::{Filling, fill};
use foreign_key::ForeignKeyColumns;
use kept_values::{BothTypes, ChangedValue, JsonRow, KeptColumn};
use next_number::{NextNumber, counted_columns};

/// Tables of more rows are not compared.
const MOST_ROWS: usize = 1000;
/// How many tables are read at once.
const TABLES_AT_ONCE: usize = 50;
/// Of more tables or partitions no rows are read.
const MOST_TABLES: usize = 2000;

/// The rows of the tables that a change touches.
#[derive(Debug)]
pub(super) struct ScratchRows<'c> {
    old: &'c Catalog,
    new: &'c Catalog,
    /// The tables that the change touches; of a partition, the table at the top.
    touched: BTreeSet<&'c Key>,
    foreign_keys: BTreeMap<&'c Key, Vec<ForeignKeyColumns>>,
    filling: Filling,
    /// The rows that the revisions inserted, by the table that stores them.
    existing: BTreeMap<&'c Key, Vec<JsonRow>>,
    /// All rows before the change.
    before: BTreeMap<&'c Key, Vec<JsonRow>>,
    /// Columns whose sequence does not continue after their greatest value, already before the change.
    colliding: BTreeSet<&'c Key>,
    /// Tables whose generated rows were removed, as a statement that may fail met them.
    removed: BTreeMap<&'c Key, String>,
    /// What statements with the hazard `data loss` belong to; `None` for one that belongs to no object.
    losses: BTreeSet<Option<Key>>,
}

impl<'c> ScratchRows<'c> {
    /// Generates rows for the tables that a change touches.
    pub(super) async fn generate(
        scratch: &Scratch,
        old: &'c Catalog,
        new: &'c Catalog,
        groups: &[StatementGroup],
    ) -> Result<Self, ScratchError> {
        let statements = groups.iter().flat_map(|group| &group.statements).filter(|statement| statement.may_use_rows());
        let written = statements.filter_map(|statement| statement.object.clone()).collect();
        let touched = touched::touched_tables(old, new, &written);
        let foreign_keys = touched::foreign_keys(old, new);
        let mut rows = Self {
            old,
            new,
            touched,
            foreign_keys,
            filling: Filling::default(),
            existing: BTreeMap::new(),
            before: BTreeMap::new(),
            colliding: BTreeSet::new(),
            removed: BTreeMap::new(),
            losses: BTreeSet::new(),
        };
        if rows.touched.is_empty() {
            return Ok(rows);
        }
        let stored = touched::storing(&rows.touched, old);
        rows.existing = rows.read(scratch, &stored, old).await?;
        let has_rows = rows.existing.iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| touched::root(table, old)).collect();
        rows.filling = fill(scratch, old, new, &rows.touched, &rows.foreign_keys, &has_rows).await?;
        rows.before = rows.read(scratch, &stored, old).await?;
        rows.colliding = rows.colliding_columns(scratch, old).await?.into_iter().map(|(column, _)| column).collect();
        Ok(rows)
    }

    /// Notes statements whose hazard says that values are lost.
    pub(super) fn note_losses(&mut self, statements: &[EmittedStatement]) {
        let loses = |statement: &&EmittedStatement| statement.hazards.iter().any(|hazard| hazard.kind == Danger::DataLoss);
        self.losses.extend(statements.iter().filter(loses).map(|statement| statement.object.clone()));
    }

    /// Compares the rows after the change; `what` made it.
    pub(super) async fn check_after(&self, scratch: &Scratch, what: &'static str) -> Result<Result<(), RowError>, ScratchError> {
        self.check(scratch, what, self.new).await
    }

    /// Compares the rows after the down migration.
    pub(super) async fn check_down(&self, scratch: &Scratch) -> Result<Result<(), RowError>, ScratchError> {
        self.check(scratch, "down migration", self.old).await
    }

    async fn check(&self, scratch: &Scratch, what: &'static str, now: &'c Catalog) -> Result<Result<(), RowError>, ScratchError> {
        if self.before.is_empty() {
            return Ok(Ok(()));
        }
        let stored: BTreeSet<&'c Key> = self.before.keys().filter(|table| now.objects.contains_key(**table)).copied().collect();
        let after = self.read(scratch, &stored, now).await?;
        let (old_types, new_types) = (CatalogTypes::of(self.old), CatalogTypes::of(self.new));
        let both = BothTypes { old: &old_types, new: &new_types };
        for (table, rows) in &after {
            let before = self.before.get(table).map(Vec::as_slice).unwrap_or_default();
            if self.is_lost(table) || self.is_too_large(table) || rows.len() > MOST_ROWS {
                continue;
            }
            if let Some(ChangedValue { column, before, after }) = both.difference(&self.kept_columns(table, &both), before, rows) {
                return Ok(Err(RowError::Changed { what, table: table.name.to_string(), column, before, after }));
            }
        }
        let collision = self.colliding_columns(scratch, now).await?.into_iter().find(|(column, _)| !self.colliding.contains(*column));
        Ok(collision.map_or(Ok(()), |(column, (sequence, next))| {
            let NextNumber { next, furthest, .. } = next;
            Err(RowError::Collides { what, column: column.name.to_string(), sequence, next, furthest })
        }))
    }

    /// The columns of a table that both catalogs have, whose values are the same before and now.
    fn kept_columns<'t>(&self, table: &Key, both: &BothTypes<'t>) -> Vec<KeptColumn<'t>>
    where
        'c: 't,
    {
        let is_key = |object: &Object| matches!(object.definition(), Definition::Constraint(constraint) if constraint.kind == 'p');
        let primary_key = self.old.objects.values().find(|object| object.parent.as_ref() == Some(table) && is_key(object));
        let keys: BTreeSet<&Key> = primary_key.iter().flat_map(|object| object.needs()).collect();
        let mut kept = Vec::new();
        for (key, object) in &self.old.objects {
            let (Some(before), true) = (object.definition().as_column(), object.parent.as_ref() == Some(table)) else { continue };
            let Some(after) = self.new.objects.get(key).and_then(|object| object.definition().as_column()) else { continue };
            if self.is_lost(key)
                || !both.keeps(&before.type_name, &after.type_name)
                || before.generated.is_some() && after.generated.is_some()
            {
                continue;
            }
            kept.push(KeptColumn {
                name: unquoted(&object.shown),
                is_key: keys.contains(key),
                before: &before.type_name,
                after: &after.type_name,
            });
        }
        kept
    }

    fn is_lost(&self, key: &Key) -> bool {
        self.losses.contains(&None) || self.losses.contains(&Some(key.clone()))
    }

    fn is_too_large(&self, table: &Key) -> bool {
        self.before.get(table).is_some_and(|rows| rows.len() > MOST_ROWS)
    }

    /// The rows of tables, by the table that stores them; without tables that the role may not read.
    async fn read(
        &self,
        scratch: &Scratch,
        tables: &BTreeSet<&'c Key>,
        catalog: &Catalog,
    ) -> Result<BTreeMap<&'c Key, Vec<JsonRow>>, ScratchError> {
        let tables: Vec<&'c Key> = tables.iter().copied().take(MOST_TABLES).collect();
        let mut found = BTreeMap::new();
        for some in tables.chunks(TABLES_AT_ONCE) {
            if let Some(rows) = read_tables(scratch, some, catalog).await? {
                found.extend(rows);
                continue;
            }
            for table in some {
                found.extend(read_tables(scratch, &[table], catalog).await?.into_iter().flatten());
            }
        }
        Ok(found)
    }

    /// Columns whose sequence gives next what they may have already.
    async fn colliding_columns<'n>(
        &self,
        scratch: &Scratch,
        catalog: &'n Catalog,
    ) -> Result<Vec<(&'n Key, (String, NextNumber))>, ScratchError> {
        let mut found = Vec::new();
        for counted in counted_columns(catalog).into_iter().filter(|counted| self.touched.contains(counted.table())) {
            let Ok(answers) = scratch.transaction(&[counted.query()], TransactionEnd::Rollback).await? else { continue };
            let next = answers.iter().flatten().next().and_then(|row| NextNumber::of(row));
            if let Some(next) = next.filter(NextNumber::collides) {
                found.push((counted.column, (counted.sequence().to_owned(), next)));
            }
        }
        Ok(found)
    }

    /// Removes the generated rows of the tables that a statement reads, and of those that refer to them; false if there are none.
    pub(super) async fn remove(&mut self, scratch: &Scratch, statement: &EmittedStatement, why: &str) -> Result<bool, ScratchError> {
        let mut tables = self.tables_of(statement.object.as_ref());
        // Rows of tables that refer to them go first.
        let mut order: Vec<&'c Key> = touched::in_order(&self.touched, &self.foreign_keys, self.old);
        order.reverse();
        let refers = |table: &Key, tables: &BTreeSet<&Key>| {
            self.foreign_keys.get(table).is_some_and(|keys| keys.iter().any(|key| tables.contains(&key.table)))
        };
        while let Some(table) = self.foreign_keys.keys().find(|table| !tables.contains(*table) && refers(table, &tables)) {
            tables.insert(table);
        }
        let filled: Vec<&'c Key> = order
            .into_iter()
            .filter(|table| tables.contains(table) && !self.removed.contains_key(table) && !self.filling.empty.contains_key(*table))
            .collect();
        if filled.is_empty() {
            return Ok(false);
        }
        let now = scratch.read().await?;
        let stored = touched::storing(&filled.iter().copied().collect(), self.old);
        let is_deleted = have_same_columns(&stored, self.old, &now)
            && scratch.transaction(&self.deletes(&filled, &now), TransactionEnd::Commit).await?.is_ok();
        if is_deleted {
            for table in &filled {
                for stored in touched::storing(&BTreeSet::from([*table]), self.old) {
                    self.before.insert(stored, self.existing.get(stored).cloned().unwrap_or_default());
                }
            }
        } else {
            // Tables that refer to each other, or that have other columns now: which rows are generated is not known then.
            let there = filled.iter().filter(|table| now.objects.contains_key(**table));
            let names = there.map(|table| table.name.to_string()).collect::<Vec<_>>().join(", ");
            if names.is_empty() {
                return Ok(false);
            }
            if scratch.transaction(&[format!("TRUNCATE {names} CASCADE")], TransactionEnd::Commit).await?.is_err() {
                return Ok(false);
            }
            let emptied = touched::cascade(&filled, &now);
            self.before.retain(|stored, _| !emptied.contains(*stored) && !tables.contains(touched::root(stored, self.old)));
            let others = emptied.iter().filter_map(|table| self.old.objects.get_key_value(table));
            let others = others.map(|(table, _)| touched::root(table, self.old));
            self.removed.extend(others.filter(|table| !self.filling.empty.contains_key(*table)).map(|table| (table, why.to_owned())));
        }
        self.removed.extend(filled.into_iter().map(|table| (table, why.to_owned())));
        Ok(true)
    }

    /// Statements that delete the generated rows of tables; `now` is what there is, whose switches are as they were afterwards.
    fn deletes(&self, tables: &[&'c Key], now: &Catalog) -> Vec<String> {
        let parts = Parts::of_catalog(now);
        let (mut before, mut deletes, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for table in tables {
            let (off, on) = table_rows::switches(table, now, &parts);
            before.extend(off);
            after.extend(on);
            for stored in touched::storing(&BTreeSet::from([*table]), self.old) {
                let existing = self.existing.get(stored).map(Vec::as_slice).unwrap_or_default();
                let item = |row: &JsonRow| crate::model::sql_text::quote(&Value::Object(row.clone()).to_string());
                let kept = existing.iter().map(item).collect::<Vec<_>>().join(", ");
                let condition = if kept.is_empty() {
                    String::new()
                } else {
                    format!(" WHERE NOT pg_catalog.to_jsonb(pgmarch_row) @> ANY (ARRAY[{kept}]::pg_catalog.jsonb[])")
                };
                deletes.push(format!("DELETE FROM ONLY {} pgmarch_row{condition}", stored.name));
            }
        }
        before.into_iter().chain(deletes).chain(after).collect()
    }

    /// Whether every generated value of a column fits the type that it gets: then no cast of it fails.
    pub(super) fn casts_every_value(&self, column: &Key) -> bool {
        let type_of = |catalog: &'c Catalog| catalog.objects.get(column)?.definition().as_column().map(|column| column.type_name.as_str());
        let (old_types, new_types) = (CatalogTypes::of(self.old), CatalogTypes::of(self.new));
        let both = BothTypes { old: &old_types, new: &new_types };
        type_of(self.old).zip(type_of(self.new)).is_some_and(|(before, after)| both.keeps_wholly(before, after))
    }

    /// The tables before the change whose rows a statement of an object reads; all if that is not known.
    fn tables_of(&self, object: Option<&Key>) -> BTreeSet<&'c Key> {
        let Some(object) = object else { return self.touched.clone() };
        let mut open = vec![object.clone()];
        let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
        while let Some(key) = open.pop() {
            if !seen.insert(key.clone()) {
                continue;
            }
            for catalog in [self.new, self.old] {
                let Some(object) = catalog.objects.get(&key) else { continue };
                if key.kind == ObjectKind::Table {
                    // Of a table that becomes a partition, also those of its later parent: its default partition is read.
                    let roots = [&key, touched::root(&key, self.new)];
                    let before = roots.into_iter().filter_map(|table| self.old.objects.get_key_value(table));
                    found.extend(before.map(|(table, _)| touched::root(table, self.old)));
                } else if key.kind == ObjectKind::View {
                    open.extend(object.needs().cloned());
                } else if matches!(key.kind, ObjectKind::Type | ObjectKind::Domain) {
                    let types = CatalogTypes::of(catalog);
                    let uses = |definition: &Definition| {
                        definition.as_column().is_some_and(|column| types.parts(&column.type_name).contains(&&key))
                    };
                    let columns = catalog.objects.values().filter(|object| uses(object.definition()));
                    open.extend(columns.filter_map(|column| column.parent.clone()));
                } else {
                    open.extend(object.parent.clone());
                }
            }
        }
        found
    }

    /// How much was checked.
    pub(super) fn extent(&self) -> ProofExtent {
        let mut objects = BTreeMap::new();
        for key in self.new.objects.keys() {
            *objects.entry(key.kind.name()).or_insert(0) += 1;
        }
        let without = |(table, why): (&Key, &String)| TableWithoutRows { table: table.name.to_string(), why: why.clone() };
        let has_rows = |table: &&&Key| !self.filling.empty.contains_key(**table) && !self.removed.contains_key(**table);
        ProofExtent {
            objects,
            tables: self.touched.len(),
            tables_with_rows: self.touched.iter().filter(has_rows).count(),
            without_rows: self.filling.empty.iter().map(without).collect(),
            rows_removed: self.removed.iter().map(|(table, why)| without((table, why))).collect(),
        }
    }
}

/// Whether the columns of tables, and their types, are the same in two catalogs.
fn have_same_columns(tables: &BTreeSet<&Key>, one: &Catalog, other: &Catalog) -> bool {
    let columns = |catalog: &Catalog| -> BTreeSet<(Key, String)> {
        let of_tables = catalog.objects.iter().filter(|(_, object)| object.parent.as_ref().is_some_and(|table| tables.contains(table)));
        of_tables.filter_map(|(key, object)| Some((key.clone(), object.definition().as_column()?.type_name.clone()))).collect()
    };
    columns(one) == columns(other)
}

/// Drops the indexes that a statement left invalid when it failed, so that it can run again.
pub(super) async fn drop_invalid_indexes(scratch: &Scratch) -> Result<(), ScratchError> {
    let query = "SELECT pg_catalog.format('DROP INDEX %s', i.indexrelid::pg_catalog.regclass) FROM pg_catalog.pg_index i \
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relkind = 'i' AND i.indexrelid >= 16384";
    let Ok(answers) = scratch.transaction(&[query.to_owned()], TransactionEnd::Rollback).await? else { return Ok(()) };
    let drops: Vec<String> = answers.into_iter().flatten().flatten().flatten().collect();
    if !drops.is_empty() {
        drop(scratch.transaction(&drops, TransactionEnd::Commit).await?);
    }
    Ok(())
}

/// The rows of tables; `None` if one of them can't be read.
async fn read_tables<'c>(
    scratch: &Scratch,
    tables: &[&'c Key],
    catalog: &Catalog,
) -> Result<Option<Vec<(&'c Key, Vec<JsonRow>)>>, ScratchError> {
    let mut statements: Vec<String> = tables.iter().flat_map(|table| table_rows::force_switch(table, catalog).0).collect();
    let ahead = statements.len();
    statements.extend(tables.iter().map(|table| {
        format!("SELECT pg_catalog.to_jsonb(pgmarch_row)::pg_catalog.text FROM ONLY {} pgmarch_row LIMIT {}", table.name, MOST_ROWS + 1)
    }));
    let Ok(answers) = scratch.transaction(&statements, TransactionEnd::Rollback).await? else { return Ok(None) };
    let parsed = |text: &str| if let Ok(Value::Object(row)) = serde_json::from_str(text) { Some(row) } else { None };
    let rows = answers.into_iter().skip(ahead).map(|rows| rows.into_iter().flatten().flatten().filter_map(|text| parsed(&text)).collect());
    Ok(Some(tables.iter().copied().zip(rows).collect()))
}
