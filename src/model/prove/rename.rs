//! The renames of `--rename`, and the names of constraints, indexes and sequences that follow them. Pure.

use thiserror::Error;

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
        let missing = |from: &str| {
            problem(format!(
                "the revisions make nothing that is called {from}; names are written as in SQL, with their schema where they need it"
            ))
        };
        for (key, object) in &old.objects {
            let Some(subject) = old.subject(key) else { continue };
            let rename = |from: &str, to: &str| object.definition().rename(subject.parent, from, to);
            if key.kind == ObjectKind::Column && from == format!("{}.{}", subject.parent, object.shown) {
                let table = object.parent.as_ref().map(|table| table.name.to_string());
                let both = rename(&object.shown, to).zip(rename(to, &object.shown));
                return both.map(|(up, down)| Self { up, down, table }).ok_or_else(|| missing(from));
            }
            if key.kind.facts().can_be_renamed && *from == *object.shown {
                let own = key.bare();
                let now = format!("{}{to}", from.strip_suffix(own).unwrap_or_default());
                let table = (key.kind == ObjectKind::Table).then(|| format!("{}.{to}", key.schema()));
                return rename(from, to).zip(rename(&now, own)).map(|(up, down)| Self { up, down, table }).ok_or_else(|| missing(from));
            }
        }
        Err(missing(from))
    }
}

/// Constraints, indexes and owned sequences of tables that were renamed or had a column renamed, if the model has them under another
/// name. They are renamed as well: a sequence keeps its value.
pub fn followers(renamed: &[Rename], from: &Catalog, model: &Catalog) -> Vec<Rename> {
    let touched = |table: &str| renamed.iter().any(|rename| rename.table.as_deref() == Some(table));
    let mut come: Vec<(&Key, &Object)> = model.objects.iter().filter(|(key, _)| !from.objects.contains_key(*key)).collect();
    let mut followers = Vec::new();
    for (key, object) in from.objects.iter().filter(|(key, _)| !model.objects.contains_key(*key)) {
        let Some(table) = followed_table(object).filter(|table| touched(table)) else { continue };
        let same = |(other, theirs): &(&Key, &Object)| {
            other.kind == key.kind
                && followed_table(theirs) == Some(table)
                && object.definition().is_same_without_name(key, theirs.definition(), other)
        };
        let Some(number) = come.iter().position(same) else { continue };
        let (other, theirs) = come.swap_remove(number);
        let parent = from.subject(key).map_or("", |subject| subject.parent);
        let rename = |from: &Object, to: &str| object.definition().rename(parent, &from.shown, to);
        let both = rename(object, new_name(other, theirs)).zip(rename(theirs, new_name(key, object)));
        followers.extend(both.map(|(up, down)| Rename { up, down, table: None }));
    }
    followers
}

/// The table whose rename an object's name follows.
fn followed_table(object: &Object) -> Option<&str> {
    object.definition().followed_table(object.parent.as_ref())
}

/// The name after RENAME TO.
fn new_name<'o>(key: &'o Key, object: &'o Object) -> &'o str {
    if key.kind == ObjectKind::Constraint { &object.shown } else { key.bare() }
}
