//! The kinds of objects.

/// What kind of object something is, in the order of listings. What holds for all objects of a kind is beside its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "PostgreSQL's own words")]
pub enum ObjectKind {
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
    DefaultPrivileges,
}
