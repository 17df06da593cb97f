//! The schema of a database as plain data: read from the catalog, compared, and written as SQL from one to the other.
//!
//! - [`read`]: the catalog queries, and their rows into a [`Catalog`]; the schemas of a database.
//! - [`compare`]: the differences between two catalogs, and the drift of a live database. Pure.
//! - [`emit`]: the statements that lead from one catalog to another, in order, with their hazards. Pure.
//! - [`prove`]: `schema.sql`, scratch databases, and the proof that up leads to the model and down leads back.
//! - [`snapshot`]: the catalog that a run saves in the ledger.

#![allow(clippy::wildcard_enum_match_arm, reason = "twenty kinds of object, and most functions are about a few of them")]

pub mod compare;
pub mod emit;
pub mod prove;
pub mod read;
pub mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What kind of object something is; in the order in which a person would list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "PostgreSQL's own words")]
pub enum Kind {
    Schema,
    Extension,
    Type,
    Domain,
    Sequence,
    Table,
    Column,
    Default,
    Constraint,
    Index,
    View,
    Routine,
    Aggregate,
    Trigger,
    Rule,
    Policy,
    Statistics,
    EventTrigger,
}

impl Kind {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Sequence => "sequence",
            Self::Table => "table",
            Self::Column => "column",
            Self::Default => "default of",
            Self::Constraint => "constraint",
            Self::Index => "index",
            Self::View => "view",
            Self::Routine => "routine",
            Self::Aggregate => "aggregate",
            Self::Trigger => "trigger",
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::Statistics => "statistics",
            Self::EventTrigger => "event trigger",
        }
    }
}

/// Which object: its kind and its full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// Schema-qualified and quoted where needed; for parts of a table behind the table's name.
    pub name: String,
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

/// A right that somebody other than the owner has: grantee, privilege, with grant option.
pub type Grant = (String, String, bool);

/// One object: what every kind has, and its definition.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object it is a part of: a column's table, a default's column.
    pub parent: Option<Key>,
    /// Its name as it stands in SQL under the search path of the revisions; for a part, without its table.
    pub shown: String,
    /// `COMMENT ON`.
    pub comment: Option<String>,
    /// Its owner, unless that is the role that reads.
    pub owner: Option<String>,
    /// Rights of others than the owner.
    pub grants: Vec<Grant>,
    /// What it is.
    pub definition: Definition,
    /// The objects it needs to exist.
    pub needs: BTreeSet<Key>,
    /// Where its author put it: objects made earlier come first.
    pub position: (u32, i32),
}

/// The schema of a database.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Every object that is compared.
    pub objects: BTreeMap<Key, Object>,
    /// What is there and is not compared, each in words.
    pub unknown: BTreeSet<String>,
}

impl Catalog {
    /// The parts of an object.
    pub fn parts<'c>(&'c self, whole: &'c Key, kind: Kind) -> impl Iterator<Item = (&'c Key, &'c Object)> {
        let start = Key { kind, name: String::new() };
        self.objects
            .range(start..)
            .take_while(move |(key, _)| key.kind == kind)
            .filter(move |(_, object)| object.parent.as_ref() == Some(whole))
    }
}

/// A value that is known and doesn't count in a comparison.
#[derive(Clone, Debug, Default)]
pub struct Aside<T>(pub T);

impl<T> PartialEq for Aside<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What an object is, by its kind; texts as the server prints them.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words; the rest stands on the types")]
pub enum Definition {
    Schema {},
    Extension { version: String, schema: String, usual_comment: Aside<Option<String>> },
    Enum { labels: Vec<String> },
    Composite { attributes: Vec<Attribute> },
    Range { options: Vec<String> },
    Domain(Domain),
    Sequence(Sequence),
    Table(Table),
    Column(Column),
    Default { expression: String },
    Constraint(Constraint),
    Index(Index),
    View(View),
    Routine(Routine),
    Aggregate { arguments: String, options: Vec<String> },
    Trigger { definition: String, enabled: char },
    Rule { definition: String, enabled: char },
    Policy(Policy),
    Statistics { definition: String, schema: String, target: Option<i32> },
    EventTrigger { event: String, tags: Vec<String>, function: String, enabled: char },
}

impl Definition {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Schema {} => Kind::Schema,
            Self::Extension { .. } => Kind::Extension,
            Self::Enum { .. } | Self::Composite { .. } | Self::Range { .. } => Kind::Type,
            Self::Domain(_) => Kind::Domain,
            Self::Sequence(_) => Kind::Sequence,
            Self::Table(_) => Kind::Table,
            Self::Column(_) => Kind::Column,
            Self::Default { .. } => Kind::Default,
            Self::Constraint(_) => Kind::Constraint,
            Self::Index(_) => Kind::Index,
            Self::View(_) => Kind::View,
            Self::Routine(_) => Kind::Routine,
            Self::Aggregate { .. } => Kind::Aggregate,
            Self::Trigger { .. } => Kind::Trigger,
            Self::Rule { .. } => Kind::Rule,
            Self::Policy(_) => Kind::Policy,
            Self::Statistics { .. } => Kind::Statistics,
            Self::EventTrigger { .. } => Kind::EventTrigger,
        }
    }
}

/// An attribute of a composite type, or a column of a view.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Attribute {
    pub name: String,
    pub type_name: String,
    pub collation: Option<String>,
    pub default: Option<String>,
    pub comment: Option<String>,
}

/// A domain; its constraints are objects of their own.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Domain {
    pub base: String,
    pub collation: Option<String>,
    pub default: Option<String>,
    pub not_null: bool,
}

/// A sequence that is no identity column's.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Sequence {
    pub numbers: Numbers,
    pub unlogged: bool,
    /// Table's full name, table as shown, column as shown.
    pub owned_by: Option<(String, String, String)>,
}

/// How a sequence counts.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Numbers {
    pub type_name: String,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
}

/// A table without its parts.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Table {
    pub unlogged: bool,
    pub partition_key: Option<String>,
    pub bound: Option<String>,
    /// Full name, and name as shown.
    pub parents: Vec<(String, String)>,
    pub replica_identity: String,
    pub clustered_on: Option<String>,
    pub options: Vec<String>,
    pub row_security: bool,
    pub force_row_security: bool,
    pub access_method: Option<String>,
}

/// A column of a table; its default is an object of its own.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Column {
    pub type_name: String,
    pub collation: Option<String>,
    pub not_null: Option<NotNull>,
    pub identity: Option<Identity>,
    /// `s` stored or `v` virtual, and the expression.
    pub generated: Option<(char, String)>,
    pub storage: Option<String>,
    pub usual_storage: Aside<String>,
    pub compression: Option<String>,
    pub statistics: Option<i32>,
    pub options: Vec<String>,
    /// Whether it comes from a parent table alone.
    pub inherited: Aside<bool>,
}

/// NOT NULL, which is a constraint with a name from PostgreSQL 18 on.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct NotNull {
    /// A name other than the one the server would choose.
    pub name: Option<String>,
    pub valid: bool,
    pub no_inherit: bool,
}

/// `GENERATED … AS IDENTITY`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Identity {
    pub always: bool,
    pub numbers: Numbers,
    pub sequence: Aside<String>,
}

/// A constraint of a table or a domain.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Constraint {
    /// `p`, `u`, `c`, `x` or `f`.
    pub kind: char,
    pub definition: String,
    pub index_options: Option<Vec<String>>,
}

/// An index that no constraint made.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Index {
    pub table: String,
    pub definition: String,
    pub unique: bool,
    pub valid: bool,
    pub statistics: Vec<(i32, i32)>,
}

/// A view, materialized or not.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct View {
    pub materialized: bool,
    pub populated: bool,
    pub definition: String,
    pub options: Vec<String>,
    pub access_method: Option<String>,
    pub columns: Option<Vec<Attribute>>,
}

/// A function or a procedure.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Routine {
    pub kind: String,
    pub definition: String,
    pub schema: String,
    pub arguments: String,
    pub result: Option<String>,
    pub language: String,
    pub trigger: bool,
}

/// A row security policy.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Policy {
    pub permissive: bool,
    pub command: String,
    pub roles: Vec<String>,
    pub using: Option<String>,
    pub check: Option<String>,
}
