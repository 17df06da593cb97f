//! The schema of a database as plain data: read from the catalog, compared, and written as SQL from one to the other.
//!
//! - [`kinds`]: the kinds of objects, a file each: definition, statements, dependencies.
//! - [`read`]: the catalog queries, and their rows into a [`Catalog`]; the schemas of a database.
//! - [`compare`]: the differences between two catalogs, and the drift of a live database. Pure.
//! - [`emit`]: what is done with each object, and in which order. Pure.
//! - [`retype`]: a column's type that changes in steps. Pure.
//! - [`rights`]: who may do what with an object.
//! - [`statement`]: a statement with its tags; [`hazard`]: what it may do.
//! - [`ignore`]: properties that are not compared.
//! - [`prove`]: `schema.sql`, scratch databases, and the proof that the up migration leads to the model and the down migration back.
//! - [`snapshot`]: the catalog that a run saves in the ledger.

pub mod compare;
pub mod emit;
pub mod hazard;
pub mod ignore;
mod index_text;
pub mod kinds;
pub mod prove;
pub mod read;
pub mod retype;
pub mod rights;
pub mod snapshot;
mod sql_text;
pub mod statement;
mod type_change;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use kinds::{Definition, ObjectKind};
pub use rights::Grant;

/// Which object: its kind and its full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: ObjectKind,
    /// Schema-qualified and quoted where needed; of a part of a table, after the table's name and a dot.
    pub name: Arc<str>,
}

impl Key {
    /// The schema in its full name.
    pub fn schema(&self) -> &str {
        match self.name.strip_prefix('"').and_then(|rest| rest.find('"')) {
            Some(end) => &self.name[..end + 2],
            None => self.name.split('.').next().unwrap_or(&self.name),
        }
    }

    /// Its name without the schema.
    pub fn bare(&self) -> &str {
        self.name.get(self.schema().len() + 1..).unwrap_or(&self.name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// One object of a catalog.
#[derive(Clone, Debug)]
pub struct Object {
    content: Arc<ObjectContent>,
    /// Its OID and column number: objects that were created earlier come first.
    pub position: (u32, i32),
}

/// What an object is; the same for equal objects of several catalogs.
#[derive(Clone, Debug)]
pub struct ObjectContent {
    /// The object it is a part of: a column's table, a default's column.
    pub parent: Option<Key>,
    /// Its name in SQL under the search path of the revisions; of a part, without its table.
    pub shown: Arc<str>,
    /// Comment, owner and rights, if it has any: most objects have none.
    pub properties: Option<Box<Properties>>,
    /// Its definition; the same for equal definitions of several objects.
    pub shared_definition: Arc<Definition>,
    /// The other objects that it depends on (`pg_depend`), in order.
    pub others: Box<[Key]>,
}

/// What every kind of object can have, and most objects do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `COMMENT ON`.
    pub comment: Option<Box<str>>,
    /// Its owner, if it is not the role that reads.
    pub owner: Option<Box<str>>,
    /// All rights on it, if they are not PostgreSQL's own for a new object.
    pub grants: Option<Box<[Grant]>>,
}

impl Properties {
    /// As an object has them.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl Object {
    /// An object at a position.
    pub fn new(content: Arc<ObjectContent>, position: (u32, i32)) -> Self {
        Self { content, position }
    }

    /// Its content, to change it: that of other catalogs stays.
    pub fn content_mut(&mut self) -> &mut ObjectContent {
        Arc::make_mut(&mut self.content)
    }

    /// Whether everything that is compared is equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.content, &other.content)
            || self.has_same_definition(other) && self.parent == other.parent && self.properties == other.properties
    }

    /// Whether the definitions are equal.
    pub fn has_same_definition(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared_definition, &other.shared_definition) || self.shared_definition == other.shared_definition
    }
}

impl ObjectContent {
    /// `COMMENT ON`.
    pub fn comment(&self) -> Option<&str> {
        self.properties.as_ref()?.comment.as_deref()
    }

    /// Its owner, if it is not the role that reads.
    pub fn owner(&self) -> Option<&str> {
        self.properties.as_ref()?.owner.as_deref()
    }

    /// All rights on it, if they are not PostgreSQL's own for a new object.
    pub fn grants(&self) -> Option<&[Grant]> {
        self.properties.as_ref()?.grants.as_deref()
    }

    /// Its definition.
    pub fn definition(&self) -> &Definition {
        &self.shared_definition
    }

    /// Its definition, to change it: that of other objects stays.
    pub fn definition_mut(&mut self) -> &mut Definition {
        Arc::make_mut(&mut self.shared_definition)
    }

    /// The objects that it depends on: the one it is a part of, and the others.
    pub fn needs(&self) -> impl Iterator<Item = &Key> {
        self.parent.iter().chain(&self.others)
    }
}

impl Deref for Object {
    type Target = ObjectContent;

    fn deref(&self) -> &ObjectContent {
        &self.content
    }
}

/// The schema of a database.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Every object that is compared.
    pub objects: BTreeMap<Key, Object>,
    /// Objects that exist and are not compared, each in words.
    pub unknown: BTreeSet<String>,
}

/// A value that is known and not compared.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct NotCompared<T>(pub T);

impl<T> PartialEq for NotCompared<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// An attribute of a composite type, or a column of a view.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Attribute {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub collation: Option<String>,
    pub default: Option<String>,
    pub comment: Option<String>,
    /// Rights on a view's column.
    pub grants: Option<Vec<Grant>>,
    /// Settings of a materialized view's column, if it has any.
    pub settings: Option<AttributeSettings>,
}

/// Settings of a column of a materialized view.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct AttributeSettings {
    pub storage: Option<String>,
    pub usual_storage: NotCompared<String>,
    pub compression: Option<String>,
    pub statistics: Option<i32>,
    pub options: Vec<String>,
}
