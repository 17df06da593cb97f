//! Renames that a person asked for, and the names that follow them. Pure.

use thiserror::Error;

use crate::model::{Catalog, Definition, Key, Object};

/// A rename of something that is not there.
#[derive(Debug, Error)]
#[error("--rename {typed}: {problem}")]
pub struct Unusable {
    /// As it was typed.
    pub typed: String,
    /// What is wrong.
    pub problem: String,
}

/// `table.old=new`, or `old=new` for a table, view, sequence or type.
#[derive(Clone, Debug)]
pub struct Rename {
    /// The way up.
    pub up: String,
    /// The way down.
    pub down: String,
    /// The full name that its table then has, if it is about a table.
    table: Option<String>,
}

impl Rename {
    /// Looks a rename up in the catalog.
    pub fn find(typed: &str, old: &Catalog) -> Result<Self, Unusable> {
        let problem = |problem: String| Unusable { typed: typed.to_owned(), problem };
        let (from, to) =
            typed.split_once('=').ok_or_else(|| problem("write table.old=new for a column, or old=new for a table".to_owned()))?;
        for (key, object) in &old.objects {
            match &object.definition {
                Definition::Column(_) => {
                    let Some((whole, table)) = object.parent.as_ref().and_then(|table| old.objects.get_key_value(table)) else { continue };
                    if from == format!("{}.{}", table.shown, object.shown) {
                        let rename = |from: &str, to: &str| format!("ALTER TABLE {} RENAME COLUMN {from} TO {to}", table.shown);
                        let (up, down) = (rename(&object.shown, to), rename(to, &object.shown));
                        return Ok(Self { up, down, table: Some(whole.name.clone()) });
                    }
                }
                Definition::Table(_)
                | Definition::View(_)
                | Definition::Sequence(_)
                | Definition::Enum { .. }
                | Definition::Composite { .. }
                | Definition::Range { .. }
                | Definition::Domain(_)
                    if from == object.shown =>
                {
                    let word = match &object.definition {
                        Definition::Table(_) => "TABLE",
                        Definition::Sequence(_) => "SEQUENCE",
                        Definition::View(view) if view.materialized => "MATERIALIZED VIEW",
                        Definition::View(_) => "VIEW",
                        _ => "TYPE",
                    };
                    let own = key.bare();
                    let now = format!("{}{to}", from.strip_suffix(own).unwrap_or_default());
                    return Ok(Self {
                        up: format!("ALTER {word} {from} RENAME TO {to}"),
                        down: format!("ALTER {word} {now} RENAME TO {own}"),
                        table: matches!(object.definition, Definition::Table(_)).then(|| format!("{}.{to}", key.schema())),
                    });
                }
                _ => {}
            }
        }
        Err(problem(format!(
            "the revisions make nothing that is called {from}; names are written as in SQL, with their schema where they need it"
        )))
    }
}

/// Constraints, indexes and owned sequences of the tables that were renamed, or had a column renamed, and that the model
/// has under another name: they hold no values of their own to lose, or, as a sequence does, must not lose them.
pub fn followers(renamed: &[Rename], from: &Catalog, model: &Catalog) -> Vec<Rename> {
    let touched = |table: &str| renamed.iter().any(|rename| rename.table.as_deref() == Some(table));
    let mut come: Vec<(&Key, &Object)> = model.objects.iter().filter(|(key, _)| !from.objects.contains_key(*key)).collect();
    let mut followers = Vec::new();
    for (key, object) in from.objects.iter().filter(|(key, _)| !model.objects.contains_key(*key)) {
        let Some(table) = table_of(object).filter(|table| touched(table)) else { continue };
        let same = |(other, theirs): &(&Key, &Object)| {
            other.kind == key.kind && table_of(theirs) == Some(table) && nameless(other, theirs) == nameless(key, object)
        };
        let Some(place) = come.iter().position(same) else { continue };
        let (other, theirs) = come.swap_remove(place);
        let (up, down) = match &object.definition {
            Definition::Constraint(_) => {
                let Some(whole) = object.parent.as_ref().and_then(|parent| from.objects.get(parent)) else { continue };
                let rename = |from: &str, to: &str| format!("ALTER TABLE {} RENAME CONSTRAINT {from} TO {to}", whole.shown);
                (rename(&object.shown, &theirs.shown), rename(&theirs.shown, &object.shown))
            }
            definition => {
                let word = if matches!(definition, Definition::Index(_)) { "INDEX" } else { "SEQUENCE" };
                let rename = |from: &Object, to: &Key| format!("ALTER {word} {} RENAME TO {}", from.shown, to.bare());
                (rename(object, other), rename(theirs, key))
            }
        };
        followers.push(Rename { up, down, table: None });
    }
    followers
}

/// The full name of the table that a constraint or an index is a part of, or that owns a sequence.
fn table_of(object: &Object) -> Option<&str> {
    match &object.definition {
        Definition::Constraint(_) | Definition::Index(_) => object.parent.as_ref().map(|table| table.name.as_str()),
        Definition::Sequence(sequence) => sequence.owned_by.as_ref().map(|(table, ..)| table.as_str()),
        _ => None,
    }
}

/// A definition that does not say how its object is called.
fn nameless(key: &Key, object: &Object) -> Definition {
    let mut definition = object.definition.clone();
    if let Definition::Index(index) = &mut definition {
        index.definition = index.definition.replacen(&format!(" {} ON ", key.bare()), " ON ", 1);
    }
    definition
}
