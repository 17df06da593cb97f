//! Event triggers.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Facts, Namespace, ObjectDefinition, Subject};
use super::trigger::firing;
use crate::model::sql_text::quote;
use crate::model::statement::EmittedStatement;

/// An event trigger.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct EventTrigger {
    pub event: String,
    pub tags: Vec<String>,
    pub function: String,
    /// `O`, `D`, `R` or `A`, as in `pg_event_trigger.evtenabled`.
    pub enabled: char,
}

impl ObjectDefinition for EventTrigger {
    const FACTS: Facts = Facts { namespace: Namespace::Database, ..Facts::of("event trigger") };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("EVENT TRIGGER {}", subject.shown())
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.event == new.event && self.tags == new.tags && self.function == new.function
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (shown, event, function) = (subject.shown(), &self.event, &self.function);
        let tags: Vec<String> = self.tags.iter().map(|tag| quote(tag)).collect();
        let when = if tags.is_empty() { String::new() } else { format!("\n    WHEN TAG IN ({})", tags.join(", ")) };
        let create = EmittedStatement::create(format!("CREATE EVENT TRIGGER {shown} ON {event}{when}\n    EXECUTE FUNCTION {function}()"));
        [create].into_iter().chain(enable(shown, 'O', self.enabled)).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP EVENT TRIGGER {}", subject.shown()))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        enable(subject.shown(), self.enabled, new.enabled).into_iter().collect()
    }
}

fn enable(shown: &str, old: char, new: char) -> Option<EmittedStatement> {
    (old != new).then(|| EmittedStatement::alter(format!("ALTER EVENT TRIGGER {shown} {}", firing(new))))
}
