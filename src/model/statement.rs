//! A statement that pgmarch writes, with its tags: what it does, what it may do to data and other sessions, in which kind of section it
//! runs.

use super::Key;
use super::hazard::{Danger, Hazard};
use crate::revision::SectionMode;

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
    /// What a reader should know besides.
    pub(super) note: Option<&'static str>,
    /// The object whose statement it is; `None` for a rename that was asked for.
    pub object: Option<Key>,
    /// What it does.
    pub(super) operation: Operation,
    /// In which kind of section it runs.
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

/// In which kind of section a statement runs.
///
/// Transactions and sections of single steps take turns (see `emit/stages.rs`): each statement is in the first section of its kind after
/// all that must come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmitStage {
    /// In a transaction before all others: a new value of an enum can't be used in the transaction that adds it.
    EnumValue,
    /// In a transaction.
    Transaction,
    /// On its own, outside of a transaction.
    Stepwise,
    /// The same, and no other object waits for it: `VALIDATE CONSTRAINT`.
    Afterwards,
    /// Wherever all that must come before it has run: nothing else must happen at the same moment.
    Either,
}

impl EmittedStatement {
    fn of(operation: Operation, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), hazards: Vec::new(), note: None, object: None, operation, stage: EmitStage::Transaction }
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

    /// As a statement of an object.
    pub(super) fn of_object(mut self, object: &Key) -> Self {
        self.object = Some(object.clone());
        self
    }

    /// On its own, outside of a transaction.
    pub(super) fn stepwise(self) -> Self {
        Self { stage: EmitStage::Stepwise, ..self }
    }

    /// On its own, outside of a transaction, and no other object waits for it.
    pub(super) fn afterwards(self) -> Self {
        Self { stage: EmitStage::Afterwards, ..self }
    }

    /// In a transaction or on its own.
    pub(super) fn in_either(self) -> Self {
        Self { stage: EmitStage::Either, ..self }
    }

    /// Whether no other object waits for it.
    pub(super) fn is_afterwards(&self) -> bool {
        self.stage == EmitStage::Afterwards
    }

    /// The value that it adds to an enum.
    pub(super) fn added_enum_value(&self) -> Option<&str> {
        if let Operation::AddEnumValue(value) = &self.operation { Some(value) } else { None }
    }

    /// Whether it may read or write rows: not if it only sets an owner, rights or a comment.
    pub(super) fn may_use_rows(&self) -> bool {
        !matches!(self.operation, Operation::SetOwner | Operation::SetRights | Operation::Comment)
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

/// What one of several revisions of a change does, in words for its name.
pub fn part_name(mode: SectionMode, statements: &[EmittedStatement]) -> &'static str {
    let any = |is: fn(&EmittedStatement) -> bool| statements.iter().any(is);
    match mode {
        SectionMode::Stepwise if any(|statement| statement.operation == Operation::Create) => "build indexes",
        SectionMode::Stepwise if statements.iter().all(|statement| statement.operation == Operation::Drop) => "drop indexes",
        SectionMode::Stepwise => "validate",
        SectionMode::Transaction if any(|statement| matches!(statement.operation, Operation::Drop | Operation::Rename)) => "swap",
        SectionMode::Transaction => "changes",
    }
}

/// Statements as the text of a section: hazards as comments above, a blank line around what has several lines.
pub fn script(statements: &[EmittedStatement]) -> String {
    let mut text = String::new();
    let mut large_before = false;
    for statement in statements {
        let large = statement.sql.contains('\n') || !statement.hazards.is_empty() || statement.note.is_some();
        if !text.is_empty() && (large || large_before) {
            text.push('\n');
        }
        if let Some(note) = statement.note {
            text += &format!("-- {note}\n");
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
