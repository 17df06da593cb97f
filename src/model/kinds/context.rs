//! What the statements of one object need to know of all others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::replacement::Replacements;
use super::subject::Subject;
use crate::model::ignore::Ignore;
use crate::model::sql_text::bare_name;
use crate::model::{Catalog, Key, Object, ObjectKind};

/// Which form of a statement is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The plain one: all in one transaction.
    #[default]
    Plain,
    /// `--online`: what would make other sessions wait is done afterwards, in small steps.
    Online,
}

/// Where and how the statements will run.
#[derive(Clone, Copy, Debug)]
pub struct EmitOptions {
    /// `server_version_num`.
    pub server: u32,
    /// Plain or online.
    pub form: Form,
    /// What new objects have as CREATE gives it.
    pub ignore: Ignore,
}

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Action {
    /// Nothing.
    Keep,
    /// ALTER.
    Alter,
    /// CREATE.
    Create,
    /// DROP.
    Drop,
    /// DROP and CREATE.
    Recreate,
}

/// What is done with all objects.
#[derive(Debug, Default)]
pub(in crate::model) struct Actions<'c> {
    /// The action of each object.
    pub(in crate::model) actions: BTreeMap<&'c Key, Action>,
    /// Columns whose type is recreated: their values are cast through text.
    pub(in crate::model) retyped: BTreeSet<&'c Key>,
    /// Types that columns use while they are recreated.
    pub(in crate::model) renamed_away: BTreeSet<&'c Key>,
}

impl<'c> Actions<'c> {
    /// The action of an object.
    pub(in crate::model) fn of(&self, key: &Key) -> Action {
        self.actions.get(key).copied().unwrap_or(Action::Keep)
    }

    /// Every object with its action.
    pub(in crate::model) fn all(&self) -> impl Iterator<Item = (&'c Key, Action)> {
        self.actions.iter().map(|(key, action)| (*key, *action))
    }

    /// Whether a column's type is recreated.
    pub(in crate::model) fn is_retyped(&self, key: &Key) -> bool {
        self.retyped.contains(key)
    }

    /// Whether a type is renamed first and dropped at the end.
    pub(in crate::model) fn is_renamed_away(&self, key: &Key) -> bool {
        self.renamed_away.contains(key)
    }
}

/// The parts of each object of a catalog, in the order of their keys.
#[derive(Debug, Default)]
pub(in crate::model) struct Parts<'c>(HashMap<&'c Key, Vec<(&'c Key, &'c Object)>>);

impl<'c> Parts<'c> {
    /// The parts of all objects.
    pub(in crate::model) fn of_catalog(catalog: &'c Catalog) -> Self {
        let mut parts: HashMap<&Key, Vec<(&Key, &Object)>> = HashMap::new();
        for (key, object) in &catalog.objects {
            if let Some(parent) = &object.parent {
                parts.entry(parent).or_default().push((key, object));
            }
        }
        Self(parts)
    }

    /// The parts of one object, of one kind.
    pub(in crate::model) fn of(&self, whole: &Key, kind: ObjectKind) -> impl Iterator<Item = (&'c Key, &'c Object)> {
        self.0.get(whole).into_iter().flatten().copied().filter(move |(key, _)| key.kind == kind)
    }
}

/// Both catalogs, and what is done with each object.
#[derive(Debug)]
pub(in crate::model) struct EmitContext<'c> {
    /// The catalog before.
    pub(in crate::model) old: &'c Catalog,
    /// The catalog after.
    pub(in crate::model) new: &'c Catalog,
    /// The parts of the objects after.
    pub(in crate::model) parts: Parts<'c>,
    /// Where and how the statements will run.
    pub(in crate::model) options: EmitOptions,
    /// What is done with each object.
    pub(in crate::model) actions: Actions<'c>,
    /// Objects that change and that the text of a function may name, by their names without schema.
    pub(in crate::model) changed_names: HashMap<&'c str, Vec<&'c Key>>,
    /// The end of the temporary names of types and sequences that are dropped last.
    pub(in crate::model) old_suffix: String,
    /// The circle of foreign keys that each table before is in, if it is in one.
    pub(in crate::model) circles: HashMap<&'c Key, usize>,
    /// Sequences that columns which may have rows begin to take their values from, with those columns.
    pub(in crate::model) new_sources: BTreeMap<&'c Key, Vec<&'c Key>>,
    /// Columns whose new sequence continues one that is dropped, with that one.
    pub(in crate::model) replaced_sequences: BTreeMap<&'c Key, &'c Key>,
    /// Sequences that `serial` creates, with their columns.
    pub(in crate::model) serials: BTreeMap<&'c Key, &'c Key>,
    /// Constraints that are written inside the CREATE of their table or domain.
    pub(in crate::model) inline: HashMap<&'c Key, Vec<&'c Key>>,
    /// Constraints and indexes that take the place of others.
    pub(in crate::model) replacements: Replacements<'c>,
}

impl<'c> EmitContext<'c> {
    /// The action of an object.
    pub(in crate::model) fn action(&self, key: &Key) -> Action {
        self.actions.of(key)
    }

    /// Whether there is a CREATE for it.
    pub(in crate::model) fn is_created(&self, key: &Key) -> bool {
        matches!(self.action(key), Action::Create | Action::Recreate)
    }

    /// Whether there is a DROP for it.
    pub(in crate::model) fn is_dropped(&self, key: &Key) -> bool {
        matches!(self.action(key), Action::Drop | Action::Recreate)
    }

    /// Whether there was one of this key before, with the same definition: if it is recreated, nothing changes.
    pub(in crate::model) fn is_same_as_before(&self, key: &Key) -> bool {
        self.old.objects.get(key).zip(self.new.objects.get(key)).is_some_and(|(old, new)| old.has_same_definition(new))
    }

    /// Whether there is a CREATE for an index of a table or materialized view, or for the constraint that it belongs to.
    pub(in crate::model) fn has_created_index(&self, whole: &Key, index: &str) -> bool {
        let is = |(_, object): (_, &Object)| bare_name(&object.shown) == index;
        let of = |kind| self.parts.of(whole, kind).filter(|(part, _)| self.is_created(part)).any(is);
        of(ObjectKind::Index) || of(ObjectKind::Constraint)
    }

    /// Whether there is a CREATE for what an object is a part of.
    pub(in crate::model) fn is_part_of_created(&self, object: &Object) -> bool {
        object.parent.as_ref().is_some_and(|parent| self.is_created(parent))
    }

    /// The table of a part that is dropped with its table, or with a column that it needs.
    pub(in crate::model) fn dropped_with_table_or_column(&self, subject: Subject<'c>) -> Option<&'c Key> {
        let table = subject.object.parent.as_ref()?;
        if self.is_dropped(table) {
            return Some(table);
        }
        let is_of_table = |column: &&Key| {
            column.kind == ObjectKind::Column && self.old.objects.get(*column).is_some_and(|column| column.parent.as_ref() == Some(table))
        };
        subject.object.needs().filter(is_of_table).find(|column| self.is_dropped(column))
    }

    /// `other`, if it is altered in the same way: then its ALTER reaches this object by inheritance.
    pub(in crate::model) fn altered_like(&self, key: &Key, other: &'c Key) -> Option<&'c Key> {
        let definition = |catalog: &'c Catalog, key: &Key| catalog.objects.get(key).map(|object| object.definition());
        let same = |catalog: &'c Catalog| definition(catalog, key) == definition(catalog, other);
        (self.action(other) == Action::Alter && same(self.old) && same(self.new)).then_some(other)
    }

    /// The column of a parent table that this one is inherited from.
    pub(in crate::model) fn inherited_from(&self, catalog: &'c Catalog, column: &Key) -> Option<&'c Key> {
        let object = catalog.objects.get(column)?;
        let table = catalog.objects.get(object.parent.as_ref()?)?;
        table.definition().as_table()?.parents.iter().find_map(|(parent, _)| {
            let key = Key { kind: ObjectKind::Column, name: format!("{parent}.{}", object.shown).into() };
            catalog.objects.get_key_value(&key).map(|(key, _)| key)
        })
    }
}

impl Catalog {
    /// An object, as the subject of statements.
    pub(in crate::model) fn subject(&self, key: &Key) -> Option<Subject<'_>> {
        let (key, object) = self.objects.get_key_value(key)?;
        let parent = object.parent.as_ref().and_then(|parent| self.objects.get(parent)).map_or("", |parent| &parent.shown);
        Some(Subject { key, object, parent })
    }

    /// The default of a column: its key and expression.
    pub(in crate::model) fn default_of(&self, column: &Key) -> Option<(&Key, &str)> {
        let key = Key { kind: ObjectKind::Default, name: column.name.clone() };
        let (key, object) = self.objects.get_key_value(&key)?;
        Some((key, &object.definition().as_default()?.expression))
    }

    /// Whether a column comes from a parent table alone.
    pub(in crate::model) fn is_inherited(&self, column: &Key) -> bool {
        self.objects.get(column).and_then(|object| object.definition().as_column()).is_some_and(|column| column.inherited.0)
    }
}
