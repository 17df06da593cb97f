//! Rewrite rules.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, Subject, TypeChange};
use super::trigger::enable;
use crate::model::statement::EmittedStatement;

/// A rule of a table or view.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Rule {
    pub definition: String,
    /// `O`, `D`, `R` or `A`, as in `pg_rewrite.ev_enabled`.
    pub enabled: char,
}

impl ObjectDefinition for Rule {
    const FACTS: Facts = Facts::of("rule");

    fn address(&self, subject: Subject<'_>) -> String {
        format!("RULE {} ON {}", subject.shown(), subject.parent)
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        vec![&mut self.definition]
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.definition == new.definition
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let create = EmittedStatement::create(self.definition.trim_end_matches(';'));
        [create].into_iter().chain(enable("RULE", subject, 'O', self.enabled)).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP RULE {} ON {}", subject.shown(), subject.parent))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        enable("RULE", subject, self.enabled, new.enabled).into_iter().collect()
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Recreated
    }

    /// Its name is unique in its table.
    fn reserved_name(&self, _subject: Subject<'_>) -> Option<String> {
        None
    }
}
