//! Triggers.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, Subject, TypeChange};
use crate::model::sql_text::lists;
use crate::model::statement::EmittedStatement;

/// A trigger of a table or view.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Trigger {
    pub definition: String,
    /// `O`, `D`, `R` or `A`, as in `pg_trigger.tgenabled`.
    pub enabled: char,
}

impl ObjectDefinition for Trigger {
    const FACTS: Facts = Facts::of("trigger");

    fn address(&self, subject: Subject<'_>) -> String {
        format!("TRIGGER {} ON {}", subject.shown(), subject.parent)
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        vec![&mut self.definition]
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.definition == new.definition
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let create = EmittedStatement::create(lists(&self.definition));
        [create].into_iter().chain(enable("TRIGGER", subject, 'O', self.enabled)).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP TRIGGER {} ON {}", subject.shown(), subject.parent))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        enable("TRIGGER", subject, self.enabled, new.enabled).into_iter().collect()
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Recreated
    }

    /// Its name is unique in its table.
    fn reserved_name(&self, _subject: Subject<'_>) -> Option<String> {
        None
    }
}

/// `ENABLE`, `DISABLE` and the like of a trigger or a rule.
pub(super) fn enable(word: &str, subject: Subject<'_>, old: char, new: char) -> Option<EmittedStatement> {
    let sql = || format!("ALTER TABLE {} {} {word} {}", subject.parent, firing(new), subject.shown());
    (old != new).then(|| EmittedStatement::alter(sql()))
}

/// In which sessions a trigger fires.
pub(in crate::model) fn firing(enabled: char) -> &'static str {
    match enabled {
        'D' => "DISABLE",
        'R' => "ENABLE REPLICA",
        'A' => "ENABLE ALWAYS",
        _ => "ENABLE",
    }
}
