//! Extended statistics.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, Subject, TypeChange};
use crate::model::Key;
use crate::model::sql_text::bare_name;
use crate::model::statement::EmittedStatement;

/// A statistics object of a table.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct ExtendedStatistics {
    pub definition: String,
    pub schema: String,
    pub target: Option<i32>,
}

impl ObjectDefinition for ExtendedStatistics {
    const FACTS: Facts = Facts::of("statistics");

    fn address(&self, subject: Subject<'_>) -> String {
        format!("STATISTICS {}", subject.shown())
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.definition == new.definition
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let full = format!("{}.{}", self.schema, bare_name(shown));
        let create = EmittedStatement::create(self.definition.replacen(&full, shown, 1));
        let target = self.target.map(|target| EmittedStatement::alter(format!("ALTER STATISTICS {shown} SET STATISTICS {target}")));
        [create].into_iter().chain(target).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP STATISTICS {}", subject.shown()))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let target = new.target.unwrap_or(-1);
        vec![EmittedStatement::alter(format!("ALTER STATISTICS {} SET STATISTICS {target}", subject.shown()))]
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Recreated
    }

    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        context.dropped_with_table_or_column(subject)
    }
}
