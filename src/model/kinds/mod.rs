//! The kinds of objects, a file each: the definition as plain data, how its row is read, its statements and its dependencies.
//!
//! `object_kinds!` registers them. To add a kind: a variant of [`ObjectKind`], a file that implements
//! `interface::ObjectDefinition`, a line there, and a query
//! in `read/catalog.sql`.

mod aggregate;
mod column;
mod composite;
pub(in crate::model) mod constraint;
pub(in crate::model) mod context;
mod default;
mod default_privileges;
mod domain;
mod enum_type;
mod event_trigger;
mod extension;
mod index;
pub(in crate::model) mod interface;
mod not_null;
pub(in crate::model) mod object_kind;
mod partition;
mod partition_bound;
mod policy;
mod range;
pub(in crate::model) mod replacement;
mod routine;
mod rule;
mod schema;
pub(in crate::model) mod sequence;
mod sequence_numbers;
pub(in crate::model) mod sequence_position;
mod statistics;
mod step;
pub(in crate::model) mod subject;
mod table;
pub(in crate::model) mod trigger;
mod value_conversion;
mod view;

use serde::{Deserialize, Serialize};

pub use aggregate::Aggregate;
pub use column::{Column, IdentityColumn};
pub use composite::CompositeType;
pub use constraint::Constraint;
pub use default::ColumnDefault;
pub use default_privileges::DefaultPrivileges;
pub use domain::Domain;
pub use enum_type::EnumType;
pub use event_trigger::EventTrigger;
pub use extension::Extension;
pub use index::Index;
pub use not_null::NotNull;
pub use object_kind::ObjectKind;
pub use policy::Policy;
pub use range::RangeType;
pub use routine::Routine;
pub use rule::Rule;
pub use schema::Schema;
pub use sequence::Sequence;
pub use sequence_numbers::SequenceNumbers;
pub use statistics::ExtendedStatistics;
pub use table::Table;
pub use trigger::Trigger;
pub use view::View;

use super::statement::EmittedStatement;
use super::{Attribute, Key};
use context::EmitContext;
use interface::{AlterRules, Effect, Facts, ObjectDefinition, StatementNode, Subject, TypeChange};

/// Registers the kinds: the kind of the key, and for each definition that objects of the kind have, its variant and its type.
macro_rules! object_kinds {
    ($d:tt; $($kind:ident: $($variant:ident($type:ty)),+;)+) => {
        impl ObjectKind {
            pub(in crate::model) fn facts(self) -> Facts {
                match self {
                    $(Self::$kind => [$(<$type>::FACTS),+][0],)+
                }
            }
        }

        /// What an object is, by its kind; texts as the server prints them. In a row of `catalog.sql` an object with one field,
        /// which is named after the variant. It is serialized by the test that compares these names with those of the query.
        #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs, reason = "the types have the documentation")]
        pub enum Definition {
            $($($variant($type),)+)+
        }

        impl Definition {
            /// Its kind.
            pub fn kind(&self) -> ObjectKind {
                match self {
                    $($(Self::$variant(_) => ObjectKind::$kind,)+)+
                }
            }
        }

        /// Calls something of the type that a definition has.
        macro_rules! dispatch {
            ($d definition:expr, $d it:ident => $d call:expr) => {
                match $d definition {
                    $($(Definition::$variant($d it) => $d call,)+)+
                }
            };
        }

        /// The same with two definitions of one type.
        macro_rules! dispatch_pair {
            ($d old:expr, $d new:expr, ($d a:ident, $d b:ident) => $d call:expr, else $d otherwise:expr) => {
                match ($d old, $d new) {
                    $($((Definition::$variant($d a), Definition::$variant($d b)) => $d call,)+)+
                    _ => $d otherwise,
                }
            };
        }
    };
}

object_kinds! {
    $;
    Schema: Schema(Schema);
    Extension: Extension(Extension);
    Type: Enum(EnumType), Composite(CompositeType), Range(RangeType);
    Domain: Domain(Domain);
    Sequence: Sequence(Sequence);
    Table: Table(Table);
    Column: Column(Column);
    Default: Default(ColumnDefault);
    Constraint: Constraint(Constraint);
    Index: Index(Index);
    View: View(View);
    Routine: Routine(Routine);
    Aggregate: Aggregate(Aggregate);
    Trigger: Trigger(Trigger);
    Rule: Rule(Rule);
    Policy: Policy(Policy);
    Statistics: Statistics(ExtendedStatistics);
    EventTrigger: EventTrigger(EventTrigger);
    DefaultPrivileges: DefaultPrivileges(DefaultPrivileges);
}

impl ObjectKind {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Whether it runs code of its author when others use it.
    pub fn runs_code(self) -> bool {
        self.facts().runs_code
    }
}

/// The definition of one kind, for the others: their files do not import this one.
impl Definition {
    pub(in crate::model) fn as_table(&self) -> Option<&Table> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }

    pub(in crate::model) fn as_column(&self) -> Option<&Column> {
        if let Self::Column(column) = self { Some(column) } else { None }
    }

    pub(in crate::model) fn identity(&self) -> Option<&IdentityColumn> {
        self.as_column()?.identity.as_deref()
    }

    pub(in crate::model) fn identity_mut(&mut self) -> Option<&mut IdentityColumn> {
        if let Self::Column(column) = self { column.identity.as_deref_mut() } else { None }
    }

    pub(in crate::model) fn as_default_privileges(&self) -> Option<&DefaultPrivileges> {
        if let Self::DefaultPrivileges(privileges) = self { Some(privileges) } else { None }
    }

    pub(in crate::model) fn as_enum(&self) -> Option<&EnumType> {
        if let Self::Enum(enum_type) = self { Some(enum_type) } else { None }
    }

    pub(in crate::model) fn as_composite(&self) -> Option<&CompositeType> {
        if let Self::Composite(composite) = self { Some(composite) } else { None }
    }

    pub(in crate::model) fn as_range(&self) -> Option<&RangeType> {
        if let Self::Range(range) = self { Some(range) } else { None }
    }

    pub(in crate::model) fn as_domain(&self) -> Option<&Domain> {
        if let Self::Domain(domain) = self { Some(domain) } else { None }
    }

    pub(in crate::model) fn as_sequence(&self) -> Option<&Sequence> {
        if let Self::Sequence(sequence) = self { Some(sequence) } else { None }
    }

    pub(in crate::model) fn as_constraint(&self) -> Option<&Constraint> {
        if let Self::Constraint(constraint) = self { Some(constraint) } else { None }
    }

    pub(in crate::model) fn as_index(&self) -> Option<&Index> {
        if let Self::Index(index) = self { Some(index) } else { None }
    }

    pub(in crate::model) fn as_default(&self) -> Option<&ColumnDefault> {
        if let Self::Default(default) = self { Some(default) } else { None }
    }
}

/// `ObjectDefinition` for whichever type a definition has.
impl Definition {
    pub(in crate::model) fn address(&self, subject: Subject<'_>) -> String {
        dispatch!(self, it => it.address(subject))
    }

    pub(in crate::model) fn expressions(&mut self) -> Vec<&mut String> {
        dispatch!(self, it => it.expressions())
    }

    pub(in crate::model) fn attributes(&self) -> &[Attribute] {
        dispatch!(self, it => it.attributes())
    }

    pub(in crate::model) fn attributes_mut(&mut self) -> &mut [Attribute] {
        dispatch!(self, it => it.attributes_mut())
    }

    pub(in crate::model) fn forget_data(&mut self) {
        dispatch!(self, it => it.forget_data());
    }

    pub(in crate::model) fn initial_comment(&self) -> Option<&str> {
        dispatch!(self, it => it.initial_comment())
    }

    pub(in crate::model) fn can_alter(&self, new: &Self, rules: AlterRules) -> bool {
        dispatch_pair!(self, new, (old, new) => old.can_alter(new, rules), else false)
    }

    pub(in crate::model) fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        dispatch!(self, it => it.create(subject, context))
    }

    pub(in crate::model) fn build<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        dispatch!(self, it => it.build(subject, context))
    }

    pub(in crate::model) fn can_be_built_beside<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> bool {
        dispatch!(self, it => it.can_be_built_beside(subject, context))
    }

    pub(in crate::model) fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        dispatch!(self, it => ObjectDefinition::drop(it, subject, context))
    }

    pub(in crate::model) fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        dispatch_pair!(self, new, (old, new) => old.alter(new, subject, context), else Vec::new())
    }

    pub(in crate::model) fn attach(&self, old: Option<&Self>, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        match old {
            Some(old) => dispatch_pair!(old, self, (old, new) => new.attach(Some(old), subject, context), else Vec::new()),
            None => dispatch!(self, it => it.attach(None, subject, context)),
        }
    }

    pub(in crate::model) fn set_flags<'c>(
        &self,
        old: Option<&Self>,
        subject: Subject<'c>,
        context: &EmitContext<'c>,
    ) -> Vec<EmittedStatement> {
        match old {
            Some(old) => dispatch_pair!(old, self, (old, new) => new.set_flags(Some(old), subject, context), else Vec::new()),
            None => dispatch!(self, it => it.set_flags(None, subject, context)),
        }
    }

    pub(in crate::model) fn drop_renamed(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        dispatch!(self, it => it.drop_renamed(subject, context))
    }

    pub(in crate::model) fn rename(&self, table: &str, from: &str, to: &str) -> Option<String> {
        dispatch!(self, it => it.rename(table, from, to))
    }

    pub(in crate::model) fn followed_table<'o>(&'o self, parent: Option<&'o Key>) -> Option<&'o str> {
        dispatch!(self, it => it.followed_table(parent))
    }

    /// Whether two definitions are the same but for the names of their objects.
    pub(in crate::model) fn is_same_without_name(&self, key: &Key, other: &Self, other_key: &Key) -> bool {
        dispatch_pair!(self, other, (a, b) => a.without_name(key) == b.without_name(other_key), else false)
    }

    pub(in crate::model) fn when_dropped(&self, new: &Self, dependency: ObjectKind) -> Effect {
        dispatch_pair!(self, new, (old, new) => old.when_dropped(new, dependency), else Effect::Recreated)
    }

    pub(in crate::model) fn when_retyped(&self, change: &TypeChange<'_>) -> Effect {
        dispatch!(self, it => it.when_retyped(change))
    }

    pub(in crate::model) fn is_attached_to(&self, dependency: ObjectKind) -> bool {
        dispatch!(self, it => it.is_attached_to(dependency))
    }

    pub(in crate::model) fn can_be_inline(&self) -> bool {
        dispatch!(self, it => it.can_be_inline())
    }

    pub(in crate::model) fn created_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        dispatch!(self, it => it.created_by(subject, context))
    }

    pub(in crate::model) fn altered_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        dispatch!(self, it => it.altered_by(subject, context))
    }

    pub(in crate::model) fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        dispatch!(self, it => it.dropped_by(subject, context))
    }

    pub(in crate::model) fn soft_dependencies<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<&'c Key> {
        dispatch!(self, it => it.soft_dependencies(subject, context))
    }

    pub(in crate::model) fn reserved_name(&self, subject: Subject<'_>) -> Option<String> {
        dispatch!(self, it => it.reserved_name(subject))
    }
}
