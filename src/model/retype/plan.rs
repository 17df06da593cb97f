//! Which columns change their type in steps, and the names of what this needs.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::{Candidates, updates};
use super::identity::IdentityMove;
use super::names::UsedNames;
use super::second_index::{IndexNames, SecondIndex};
use crate::model::emit::{EmitOptions, Form};
use crate::model::kinds::NotNull;
use crate::model::kinds::trigger::firing;
use crate::model::sql_text::{bare_name, ident, type_name, unquoted};
use crate::model::type_change::is_text;
use crate::model::{Catalog, Definition, Key, ObjectKind};

/// Columns whose types change in steps.
pub(super) struct RetypePlan {
    /// `server_version_num`.
    pub(super) server: u32,
    /// By table.
    pub(super) tables: Vec<RetypedTable>,
    /// The sequences of the model that the columns own.
    pub(super) model: Catalog,
}

/// A table with such columns.
pub(super) struct RetypedTable {
    pub(super) key: Key,
    /// Its name in SQL.
    pub(super) shown: String,
    /// Its schema with a dot, if its name needs it.
    pub(super) schema: String,
    pub(super) columns: Vec<RetypedColumn>,
    /// Variables of the block that fills the second columns: no columns have these names.
    pub(super) pages: [String; 2],
    pub(super) indexes: Vec<SecondIndex>,
    /// What keeps both columns equal; the function without a schema.
    pub(super) trigger: String,
    pub(super) function: String,
    /// Triggers that must not see that the second columns are filled, and how they are switched on again.
    pub(super) silenced: Vec<(String, &'static str)>,
    /// Whether row security holds for the owner too.
    pub(super) forces_row_security: bool,
}

/// A column and the second one, which takes its place.
pub(super) struct RetypedColumn {
    pub(super) key: Key,
    pub(super) second_key: Key,
    /// Names in SQL.
    pub(super) name: String,
    pub(super) second: String,
    /// The types before and after, as in the catalog.
    pub(super) old_type: String,
    pub(super) new_type: String,
    /// The check that both are equal.
    pub(super) check: String,
    /// NOT NULL, and the name that it has from PostgreSQL 18 on until the second column takes the place of the first, and then.
    pub(super) not_null: Option<(NotNull, String, String)>,
    /// NOT NULL that is not valid: it is created again after the swap.
    pub(super) has_unchecked_not_null: bool,
    pub(super) identity: Option<IdentityMove>,
}

impl RetypePlan {
    /// The columns that can change their types in steps; `None` if there are none.
    pub(super) fn find(old: &Catalog, model: &Catalog, options: EmitOptions) -> Option<Self> {
        if options.form == Form::Plain {
            return None;
        }
        let mut columns: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
        let candidates = Candidates::of(old, model);
        for (key, table) in candidates.columns() {
            columns.entry(table).or_default().push(key);
        }
        if columns.is_empty() {
            return None;
        }
        let mut names = UsedNames::of([old, model]);
        let mut tables = Vec::new();
        for (table, columns) in columns {
            let dependents = candidates.dependents(&columns);
            tables.extend(RetypedTable::of(table, &columns, &dependents, [old, model], &mut names));
        }
        tables.sort_by_key(|table: &RetypedTable| old.objects.get(&table.key).map(|object| object.position));
        let plan = Self { server: options.server, tables, model: model.clone() };
        (!plan.tables.is_empty()).then_some(plan)
    }

    /// Every column, with its table.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&RetypedTable, &RetypedColumn)> {
        self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)))
    }
}

impl RetypedTable {
    fn of(key: &Key, columns: &[&Key], dependents: &BTreeSet<&Key>, [old, model]: [&Catalog; 2], names: &mut UsedNames) -> Option<Self> {
        let object = old.objects.get(key)?;
        let table = object.definition().as_table()?;
        let bare = key.bare();
        let shown = object.shown.to_string();
        let schema = shown.strip_suffix(bare)?.to_owned();
        let mut beside = UsedNames::of_columns(key, [old, model]);
        let columns: Option<Vec<RetypedColumn>> =
            columns.iter().map(|column| RetypedColumn::of(column, key, &schema, [old, model], [&mut beside, names])).collect();
        let pages = [beside.unused("first", "page"), beside.unused("last", "page")];
        let columns = columns?;
        let renamed: Vec<(&str, &str)> = columns.iter().map(|column| (column.name.as_str(), column.second.as_str())).collect();
        let mut indexes = Vec::new();
        for dependent in dependents {
            let Some(index) = old.objects.get(*dependent).filter(|object| object.parent.as_ref() == Some(key)) else { continue };
            let definition = index.definition();
            let has_index = definition.as_index().is_some()
                || definition.as_constraint().is_some_and(|constraint| matches!(constraint.kind, 'p' | 'u'));
            if has_index {
                let second = names.unused(bare_name(&dependent.name), "new");
                indexes.push(SecondIndex::of(
                    dependent,
                    index,
                    &IndexNames { table: &shown, schema: &schema, second: &second, columns: &renamed },
                )?);
            }
        }
        let triggers: Vec<_> = old
            .objects
            .iter()
            .filter(|(other, object)| other.kind == ObjectKind::Trigger && object.parent.as_ref() == Some(key))
            .filter_map(
                |(_, object)| if let Definition::Trigger(trigger) = object.definition() { Some((&*object.shown, trigger)) } else { None },
            )
            .collect();
        let last = triggers.iter().map(|(shown, _)| unquoted(shown)).max().unwrap_or_default();
        // Triggers fire in the order of their names.
        let mut trigger = names.unused("zz_sync", &unquoted(bare));
        while unquoted(&trigger) <= last {
            trigger = names.unused(&format!("~{}", unquoted(&trigger)), "z");
        }
        let silenced = triggers
            .iter()
            .filter(|(shown, trigger)| trigger.enabled != 'D' && updates(shown, &trigger.definition))
            .map(|(shown, trigger)| ((*shown).to_owned(), firing(trigger.enabled)))
            .collect();
        let function = names.unused(bare, "sync");
        let (forces_row_security, key) = (table.force_row_security, key.clone());
        Some(Self { key, shown, schema, columns, pages, indexes, trigger, function, silenced, forces_row_security })
    }

    pub(super) fn function_key(&self) -> Key {
        Key { kind: ObjectKind::Routine, name: format!("{}.{}()", self.key.schema(), self.function).into() }
    }

    pub(super) fn trigger_key(&self) -> Key {
        Key { kind: ObjectKind::Trigger, name: format!("{}.{}", self.key.name, self.trigger).into() }
    }
}

impl RetypedColumn {
    fn of(key: &Key, table: &Key, schema: &str, [old, model]: [&Catalog; 2], [beside, names]: [&mut UsedNames; 2]) -> Option<Self> {
        let object = old.objects.get(key)?;
        let (before, after) = (object.definition().as_column()?, model.objects.get(key)?.definition().as_column()?);
        let name = object.shown.to_string();
        let suffix: String = type_name(&after.type_name).chars().take_while(char::is_ascii_alphanumeric).collect();
        let second = beside.unused(&name, &suffix);
        let of_table = |column: &str| format!("{}_{}", unquoted(table.bare()), unquoted(column));
        let not_null = before.not_null.clone().filter(|not_null| not_null.valid).map(|not_null| {
            let (then, now) = (names.unused(&of_table(&second), "not_null"), not_null.name.clone());
            let usual = ident(&format!("{}_not_null", of_table(&name)));
            (not_null, then, now.unwrap_or(usual))
        });
        let identity = before.identity.as_deref().map(|identity| {
            let wanted = after.identity.as_deref().map(|identity| identity.numbers.clone());
            IdentityMove::of(identity, wanted, [&before.type_name, &after.type_name], schema, names)
        });
        Some(Self {
            second_key: Key { kind: ObjectKind::Column, name: format!("{}.{second}", table.name).into() },
            key: key.clone(),
            check: names.unused(&of_table(&second), "check"),
            old_type: before.type_name.clone(),
            new_type: after.type_name.clone(),
            name,
            second,
            has_unchecked_not_null: before.not_null.as_ref().is_some_and(|not_null| !not_null.valid),
            not_null,
            identity,
        })
    }

    /// The value of the second column.
    pub(super) fn value(&self) -> String {
        if is_text(&self.new_type) { format!("{}::{}", self.name, type_name(&self.new_type)) } else { self.name.clone() }
    }
}
