//! What every kind of object implements: its statements, and its dependencies as data.

use super::context::EmitContext;
pub(in crate::model) use super::step::{ObjectStep, StatementNode};
pub(in crate::model) use super::subject::Subject;
use crate::model::rights::RightsClass;
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, Key, ObjectKind};

/// The definition of an object of one kind.
///
/// A new kind has a file with its definition and this trait, a line in `object_kinds!`, and its query in `read/catalog.sql`.
/// `create`, `drop` and `alter` write the statements of one object; the rest answers what the order of all statements depends on.
pub(in crate::model) trait ObjectDefinition: PartialEq + Clone {
    /// What holds for all objects of the kind.
    const FACTS: Facts;

    /// `TABLE t`, `CONSTRAINT c ON t`: how COMMENT ON and ALTER … OWNER TO name the object.
    fn address(&self, subject: Subject<'_>) -> String;

    // The definition as data.

    /// The texts of expressions and queries, as the server printed them.
    fn expressions(&mut self) -> Vec<&mut String> {
        Vec::new()
    }

    /// Parts that are no objects of their own and can have comments: attributes of a composite type, columns of a view.
    fn attributes(&self) -> &[Attribute] {
        &[]
    }

    /// The same, to change them.
    fn attributes_mut(&mut self) -> &mut [Attribute] {
        &mut []
    }

    /// Forgets what data decides, not the schema.
    fn forget_data(&mut self) {}

    /// The comment that CREATE gives it.
    fn initial_comment(&self) -> Option<&str> {
        None
    }

    // Statements.

    /// Whether ALTER leads to `new`, with all objects that depend on this one left in place.
    fn can_alter(&self, _new: &Self, _rules: AlterRules) -> bool {
        false
    }

    /// CREATE.
    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement>;

    /// What is built beside the object that it replaces, under the name that `context.replacements` has: [`Self::create`] then puts it in
    /// that object's place.
    fn build<'c>(&self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        Vec::new()
    }

    /// DROP.
    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement>;

    /// ALTER from this definition to `new`, which `subject` is about.
    fn alter<'c>(&self, _new: &Self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        Vec::new()
    }

    /// What follows CREATE or ALTER when all that it depends on is there: OWNED BY. `old` is the definition that stays.
    fn attach(&self, _old: Option<&Self>, _subject: Subject<'_>, _context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        Vec::new()
    }

    /// What names parts of the object, which come first: REPLICA IDENTITY and CLUSTER ON name an index.
    fn set_flags<'c>(&self, _old: Option<&Self>, _subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        Vec::new()
    }

    /// Drops what [`Self::drop`] only renamed, because other objects used it.
    fn drop_renamed(&self, _subject: Subject<'_>, _context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        Vec::new()
    }

    /// ALTER … RENAME: `table` is the table it is a part of, `from` its name in SQL, `to` its new name without a schema.
    fn rename(&self, _table: &str, _from: &str, _to: &str) -> Option<String> {
        None
    }

    /// Whether [`Self::build`] can build it while the object that it replaces is there.
    fn can_be_built_beside<'c>(&self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> bool {
        false
    }

    // Renames.

    /// The full name of the table whose rename this object's name follows.
    fn followed_table<'o>(&'o self, _parent: Option<&'o Key>) -> Option<&'o str> {
        None
    }

    /// The definition without the object's own name.
    fn without_name(&self, _key: &Key) -> Self {
        self.clone()
    }

    // Dependencies.

    /// What becomes of an object that stays when one that it depends on is dropped.
    fn when_dropped(&self, _new: &Self, _dependency: ObjectKind) -> Effect {
        Effect::Recreated
    }

    /// What becomes of it when the type of a column that it depends on changes.
    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Unaffected
    }

    /// Whether it is attached to such an object afterwards, instead of depending on it at its CREATE.
    fn is_attached_to(&self, _dependency: ObjectKind) -> bool {
        false
    }

    /// Whether it can be written inside the CREATE of its table or domain.
    fn can_be_inline(&self) -> bool {
        false
    }

    /// The statement of another object that creates this one as well.
    fn created_by<'c>(&self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        None
    }

    /// The object whose ALTER changes this one as well.
    fn altered_by<'c>(&self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> Option<&'c Key> {
        None
    }

    /// The object whose DROP drops this one as well.
    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        subject.object.parent.as_ref().filter(|parent| context.is_dropped(parent))
    }

    /// Objects that come first where no dependency forbids it.
    fn soft_dependencies<'c>(&self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<&'c Key> {
        Vec::new()
    }

    /// The name that it takes in its schema, so that no other object can have it at the same time.
    fn reserved_name(&self, subject: Subject<'_>) -> Option<String> {
        Some(subject.key.name.to_string())
    }
}

/// What holds for all objects of a kind.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Facts {
    /// Its name in a sentence.
    pub(in crate::model) name: &'static str,
    /// Where its name is unique.
    pub(in crate::model) namespace: Namespace,
    /// Which rights there are on it.
    pub(in crate::model) grants: Grants,
    /// Whether it is a type, which can be renamed until no column uses it.
    pub(in crate::model) is_type: bool,
    /// Whether the text of a function may name it.
    pub(in crate::model) is_named_in_routines: bool,
    /// Whether it runs code of its author when others use it.
    pub(in crate::model) runs_code: bool,
    /// Whether `--rename old=new` names one.
    pub(in crate::model) can_be_renamed: bool,
}

impl Facts {
    /// A kind in a schema, without rights of its own.
    pub(in crate::model) const fn of(name: &'static str) -> Self {
        Self {
            name,
            namespace: Namespace::Schema,
            grants: Grants::None,
            is_type: false,
            is_named_in_routines: false,
            runs_code: false,
            can_be_renamed: false,
        }
    }
}

/// Where the name of an object is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Namespace {
    /// In its schema.
    Schema,
    /// It is a schema.
    Itself,
    /// In the database.
    Database,
}

/// How GRANT names an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Grants {
    /// There are no rights on it.
    None,
    /// `ON` and these words, then the name; and which rights there are.
    On(&'static str, RightsClass),
    /// `SELECT (column) ON table`.
    OnColumn,
}

/// How an ALTER can do what it does.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct AlterRules {
    /// `server_version_num`.
    pub(in crate::model) server: u32,
    /// How an enum gets new values.
    pub(in crate::model) labels: EnumLabels,
}

/// How an enum gets new values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum EnumLabels {
    /// By ADD VALUE; they can't be used before they are committed.
    Added,
    /// By a new type that replaces the old one.
    Recreated,
}

/// What a change of one object does to another that depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Effect {
    /// It stays as it is.
    Unaffected,
    /// Its type is replaced: its values are cast through text.
    Retyped,
    /// It is dropped and created again.
    Recreated,
}

/// A column whose type or collation changes.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct TypeChange<'c> {
    /// The type before.
    pub(in crate::model) old: &'c str,
    /// The type after.
    pub(in crate::model) new: &'c str,
    /// The default that the column then has.
    pub(in crate::model) new_default: Option<&'c str>,
}

impl TypeChange<'_> {
    /// Whether constants and foreign keys keep their meaning.
    pub(in crate::model) fn is_between_integers(&self) -> bool {
        [self.old, self.new].iter().all(|name| matches!(*name, "smallint" | "integer" | "bigint"))
    }
}
