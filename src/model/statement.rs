//! A statement that pgmarch writes, with its tags: what it does, what it may do to data and other sessions, when it runs.

use super::hazard::{Danger, Hazard};

/// One statement, without its semicolon.
///
/// The tags are set where the statement is written. Its text is never searched for them: a view's text may hold the words of any
/// other statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmittedStatement {
    /// The statement.
    pub sql: String,
    /// What it may do.
    pub hazards: Vec<Hazard>,
    /// What it does.
    pub(super) operation: Operation,
    /// When it runs.
    pub(super) stage: EmitStage,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `CREATE`, but that of an enum.
    Create,
    /// `CREATE TYPE … AS ENUM`: its values are its own.
    CreateEnum,
    /// `ALTER`, and `REFRESH` of a materialized view.
    Alter,
    /// `ALTER TYPE … ADD VALUE`, with the value.
    AddEnumValue(String),
    /// `DROP`.
    Drop,
    /// `ALTER … RENAME`.
    Rename,
    /// `ALTER … OWNER TO`.
    SetOwner,
    /// `GRANT` and `REVOKE`.
    SetRights,
    /// `COMMENT ON`.
    Comment,
}

/// When a statement runs: those of one stage share a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EmitStage {
    /// First: a new value of an enum can't be used in the transaction that adds it.
    EnumValue,
    /// In the transaction.
    Main,
    /// Afterwards, each statement on its own, outside of a transaction.
    Later,
}

impl EmittedStatement {
    fn of(operation: Operation, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), hazards: Vec::new(), operation, stage: EmitStage::Main }
    }

    /// `CREATE`, but that of an enum.
    pub(super) fn create(sql: impl Into<String>) -> Self {
        Self::of(Operation::Create, sql)
    }

    /// `CREATE TYPE … AS ENUM`.
    pub(super) fn create_enum(sql: impl Into<String>) -> Self {
        Self::of(Operation::CreateEnum, sql)
    }

    /// `ALTER`.
    pub(super) fn alter(sql: impl Into<String>) -> Self {
        Self::of(Operation::Alter, sql)
    }

    /// `ALTER TYPE … ADD VALUE`.
    pub(super) fn add_enum_value(sql: impl Into<String>, value: &str) -> Self {
        Self { stage: EmitStage::EnumValue, ..Self::of(Operation::AddEnumValue(value.to_owned()), sql) }
    }

    /// `DROP`.
    pub(super) fn drop(sql: impl Into<String>) -> Self {
        Self::of(Operation::Drop, sql)
    }

    /// `ALTER … RENAME`.
    pub(super) fn rename(sql: impl Into<String>) -> Self {
        Self::of(Operation::Rename, sql)
    }

    /// `ALTER … OWNER TO`.
    pub(super) fn set_owner(sql: impl Into<String>) -> Self {
        Self::of(Operation::SetOwner, sql)
    }

    /// `GRANT` or `REVOKE`.
    pub(super) fn set_rights(sql: impl Into<String>) -> Self {
        Self::of(Operation::SetRights, sql)
    }

    /// `COMMENT ON`.
    pub(super) fn comment(sql: impl Into<String>) -> Self {
        Self::of(Operation::Comment, sql)
    }

    /// With a hazard.
    pub(super) fn with(mut self, danger: Danger, text: &str) -> Self {
        self.hazards.push(Hazard::new(danger, text));
        self
    }

    /// In the stage after the transaction.
    pub(super) fn later(mut self) -> Self {
        self.stage = EmitStage::Later;
        self
    }

    /// The value that it adds to an enum.
    pub(super) fn added_enum_value(&self) -> Option<&str> {
        if let Operation::AddEnumValue(value) = &self.operation { Some(value) } else { None }
    }

    /// Whether a constant in its text may be a value of an enum that must have been committed before.
    pub(super) fn may_use_enum_values(&self) -> bool {
        match self.operation {
            Operation::Create | Operation::Alter => true,
            Operation::CreateEnum
            | Operation::AddEnumValue(_)
            | Operation::Drop
            | Operation::Rename
            | Operation::SetOwner
            | Operation::SetRights
            | Operation::Comment => false,
        }
    }
}

/// Statements as the text of a section: hazards as comments above, a blank line around what has several lines.
pub fn script(statements: &[EmittedStatement]) -> String {
    let mut text = String::new();
    let mut large_before = false;
    for statement in statements {
        let large = statement.sql.contains('\n') || !statement.hazards.is_empty();
        if !text.is_empty() && (large || large_before) {
            text.push('\n');
        }
        for hazard in &statement.hazards {
            text += &format!("-- {hazard}\n");
        }
        text += &statement.sql;
        text += ";\n";
        large_before = large;
    }
    text
}
