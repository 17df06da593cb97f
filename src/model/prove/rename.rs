//! The renames of `--rename`, and the names of constraints, indexes and sequences that follow them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::model::kinds::interface::Subject;
use crate::model::sql_text::{bare_name, ident, parts, renamed_away, unquoted};
use crate::model::{Catalog, Key, Object, ObjectKind};

/// `--rename` of an object that does not exist.
#[derive(Debug, Error)]
#[error("--rename {typed}: {problem}")]
pub struct RenameError {
    /// As it was typed.
    pub typed: String,
    /// What is wrong.
    pub problem: String,
}

/// `table.old=new`, or `old=new` for a table, view, sequence or type.
#[derive(Clone, Debug)]
pub struct Rename {
    /// The statement of the up migration.
    pub up: String,
    /// The statement of the down migration.
    pub down: String,
    /// The full name of the table after the rename, if it is a table or a column.
    table: Option<String>,
}

impl Rename {
    /// Looks a rename up in the catalog.
    pub fn find(typed: &str, old: &Catalog) -> Result<Self, RenameError> {
        let problem = |problem: String| RenameError { typed: typed.to_owned(), problem };
        let (from, to) =
            typed.split_once('=').ok_or_else(|| problem("write table.old=new for a column, or old=new for a table".to_owned()))?;
        let to = new_name(to).ok_or_else(|| {
            problem(format!(
                "{to} is no name; write the new name alone, without a table or a schema, in double quotes if it has other characters"
            ))
        })?;
        let missing = |from: &str| {
            problem(format!(
                "the revisions make nothing that is called {from}; names are written as in SQL, with their schema where they need it"
            ))
        };
        let exact = |shown: &str| shown == from;
        // A shell removes double quotes.
        let without_quotes = |shown: &str| parts(shown).into_iter().map(unquoted).eq(from.split('.'));
        let found = Self::of(&to, old, exact).or_else(|| Self::of(&to, old, without_quotes));
        found.ok_or_else(|| missing(from))
    }

    /// The rename of the first object whose name, that of a column with its table's, is the one that is meant.
    fn of(to: &str, old: &Catalog, is_meant: impl Fn(&str) -> bool) -> Option<Self> {
        for (key, object) in &old.objects {
            let Some(subject) = old.subject(key) else { continue };
            let rename = |from: &str, to: &str| object.definition().rename(subject.parent, from, to);
            let shown = &*object.shown;
            if key.kind == ObjectKind::Column && is_meant(&format!("{}.{shown}", subject.parent)) {
                let table = object.parent.as_ref().map(|table| table.name.to_string());
                let (up, down) = rename(shown, to).zip(rename(to, shown))?;
                return Some(Self { up, down, table });
            }
            if key.kind.facts().can_be_renamed && is_meant(shown) {
                let own = key.bare();
                let now = format!("{}{to}", shown.strip_suffix(own).unwrap_or_default());
                let table = (key.kind == ObjectKind::Table).then(|| format!("{}.{to}", key.schema()));
                let (up, down) = rename(shown, to).zip(rename(&now, own))?;
                return Some(Self { up, down, table });
            }
        }
        None
    }
}

/// A new name as SQL writes it: without quotes in lower case, and quoted if it is a word of SQL.
fn new_name(typed: &str) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    match typed.starts_with('"') {
        true => (bare_name(typed) == typed && typed.len() > 2 && typed.ends_with('"')).then(|| ident(&unquoted(typed))),
        false => (!typed.is_empty() && typed.chars().all(is_part)).then(|| ident(&typed.to_ascii_lowercase())),
    }
}

/// Objects that the model has under another name only. They are renamed: sequences of the same columns, which keep their positions, and
/// constraints and indexes of tables. Whether a constraint or an index has another name is no guess: its definition is the same.
pub fn followers(renamed: &[Rename], from: &Catalog, model: &Catalog) -> Vec<Rename> {
    let touched = |table: &str| renamed.iter().any(|rename| rename.table.as_deref() == Some(table));
    let is_table = |parent: &Key| parent.kind == ObjectKind::Table;
    let taken: BTreeSet<Option<String>> = from.objects.keys().map(|key| reserved_name(from, key)).collect();
    let mut come: Vec<(&Key, &Object)> = model.objects.iter().filter(|(key, _)| !from.objects.contains_key(*key)).collect();
    let mut followers: Vec<Rename> = renamed_sequences(from, model).into_iter().filter_map(|(old, new)| follow(old, new)).collect();
    followers.extend(exchanged_identities(from, model));
    for (key, object) in from.objects.iter().filter(|(key, _)| !model.objects.contains_key(*key)) {
        let is_part = matches!(key.kind, ObjectKind::Constraint | ObjectKind::Index) && object.parent.as_ref().is_some_and(is_table);
        let Some(table) = followed_table(object).filter(|table| is_part || touched(table)) else { continue };
        let same = |(other, theirs): &(&Key, &Object)| {
            other.kind == key.kind
                && !taken.contains(&reserved_name(model, other))
                && followed_table(theirs) == Some(table)
                && object.definition().is_same_without_name(key, theirs.definition(), other)
        };
        let Some(number) = come.iter().position(same) else { continue };
        let pair = from.subject(key).zip(model.subject(come.swap_remove(number).0));
        followers.extend(pair.and_then(|(old, new)| follow(old, new)));
    }
    followers
}

/// The name that an object takes in its schema.
fn reserved_name(catalog: &Catalog, key: &Key) -> Option<String> {
    catalog.subject(key).and_then(|subject| subject.object.definition().reserved_name(subject))
}

/// The rename of an object to its name in the model.
fn follow(old: Subject<'_>, new: Subject<'_>) -> Option<Rename> {
    let rename = |from: &str, to: Subject<'_>| {
        let bare = if to.key.kind == ObjectKind::Constraint { to.shown() } else { to.key.bare() };
        old.object.definition().rename(old.parent, from, bare)
    };
    let (up, down) = rename(old.shown(), new).zip(rename(new.shown(), old))?;
    Some(Rename { up, down, table: None })
}

/// Sequences under two names, both in one schema, that the same columns own or take their values from.
fn renamed_sequences<'c>(from: &'c Catalog, model: &'c Catalog) -> Vec<(Subject<'c>, Subject<'c>)> {
    let (before, mut after) = (columns_of_sequences(from), BTreeMap::new());
    for (sequence, columns) in columns_of_sequences(model) {
        after.entry(columns).or_insert_with(Vec::new).push(sequence);
    }
    let mut pairs = Vec::new();
    for (old, columns) in &before {
        let Some(new) = after.get_mut(columns).filter(|new| !new.contains(old)).and_then(Vec::pop) else { continue };
        if !from.objects.contains_key(new) && old.schema() == new.schema() {
            pairs.extend(from.subject(old).zip(model.subject(new)));
        }
    }
    pairs
}

/// Sequences of identity columns that have each other's names, as after an exchange of tables: they are renamed by way of another name.
fn exchanged_identities(from: &Catalog, model: &Catalog) -> Vec<Rename> {
    let sequence = |object: &Object| object.definition().identity().map(|identity| identity.sequence.clone());
    let mut moves: BTreeMap<String, String> = BTreeMap::new();
    for (key, object) in &from.objects {
        let to = model.objects.get(key).and_then(sequence);
        moves.extend(sequence(object).zip(to).filter(|(from, to)| from != to));
    }
    let rename = |from: &str, to: &str| Rename {
        up: format!("ALTER SEQUENCE {from} RENAME TO {}", bare_name(to)),
        down: format!("ALTER SEQUENCE {to} RENAME TO {}", bare_name(from)),
        table: None,
    };
    let mut renames = Vec::new();
    while let Some((first, second)) = moves.pop_first() {
        let mut circle = vec![first.clone(), second];
        while let Some(next) = circle.last().and_then(|last| moves.remove(last)) {
            circle.push(next);
        }
        if circle.pop().is_some_and(|last| last == first) {
            let (aside, _) = renamed_away(&first, "_old");
            renames.push(rename(&first, &aside));
            renames.extend((1..circle.len()).rev().map(|number| rename(&circle[number], &circle[(number + 1) % circle.len()])));
            renames.push(rename(&aside, &circle[1]));
        }
    }
    renames
}

/// For each sequence the columns that own it or take their values from it.
fn columns_of_sequences(catalog: &Catalog) -> BTreeMap<&Key, BTreeSet<String>> {
    let mut columns: BTreeMap<&Key, BTreeSet<String>> = BTreeMap::new();
    for (key, object) in &catalog.objects {
        if let Some((table, _, column)) = object.definition().as_sequence().and_then(|sequence| sequence.owned_by.as_ref()) {
            columns.entry(key).or_default().insert(format!("{table}.{column}"));
        }
        if object.definition().as_default().is_some() {
            let sequences = object.needs().filter(|need| need.kind == ObjectKind::Sequence);
            for sequence in sequences {
                columns.entry(sequence).or_default().insert(key.name.to_string());
            }
        }
    }
    columns
}

/// The table whose rename an object's name follows.
fn followed_table(object: &Object) -> Option<&str> {
    object.definition().followed_table(object.parent.as_ref())
}
