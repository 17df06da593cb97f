//! Enums.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, EnumLabels, Facts, Grants, ObjectDefinition, Subject};
use crate::model::rights::RightsClass;
use crate::model::sql_text::{quote, renamed_away};
use crate::model::statement::EmittedStatement;

/// A type that is an enum.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct EnumType {
    pub labels: Vec<String>,
}

/// What holds for enums, composite types and ranges.
pub(super) const TYPE: Facts = Facts {
    grants: Grants::On("TYPE ", RightsClass::Types),
    is_type: true,
    is_named_in_routines: true,
    can_be_renamed: true,
    ..Facts::of("type")
};

impl ObjectDefinition for EnumType {
    const FACTS: Facts = TYPE;

    fn address(&self, subject: Subject<'_>) -> String {
        format!("TYPE {}", subject.shown())
    }

    /// Values can be added, but neither removed nor moved.
    fn can_alter(&self, new: &Self, rules: AlterRules) -> bool {
        let mut after = new.labels.iter();
        rules.labels == EnumLabels::Added && self.labels.iter().all(|label| after.any(|other| other == label))
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let labels: Vec<String> = self.labels.iter().map(|label| quote(label)).collect();
        vec![EmittedStatement::create_enum(format!("CREATE TYPE {} AS ENUM ({})", subject.shown(), labels.join(", ")))]
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        drop_or_rename("TYPE", subject, context)
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (old, new) = (&self.labels, &new.labels);
        let last_old = old.last().and_then(|last| new.iter().position(|label| label == last));
        let add = |(number, label): (usize, &String)| {
            let behind = number.checked_sub(1).map(|before| &new[before]);
            let place = match behind {
                _ if last_old.is_none_or(|last| number > last) => String::new(),
                Some(before) => format!(" AFTER {}", quote(before)),
                None => old.first().map(|first| format!(" BEFORE {}", quote(first))).unwrap_or_default(),
            };
            EmittedStatement::add_enum_value(format!("ALTER TYPE {} ADD VALUE {}{place}", subject.shown(), quote(label)), label)
        };
        let known: HashSet<&String> = old.iter().collect();
        new.iter().enumerate().filter(|(_, label)| !known.contains(label)).map(add).collect()
    }

    fn drop_renamed(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        drop_renamed("TYPE", subject, context)
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TYPE {from} RENAME TO {to}"))
    }
}

/// Drops a type, or renames it until nothing uses it any more.
pub(super) fn drop_or_rename<'c>(word: &str, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
    let shown = subject.shown();
    vec![match context.actions.is_renamed_away(subject.key) {
        true => EmittedStatement::rename(format!("ALTER {word} {shown} RENAME TO {}", renamed_away(shown, &context.old_suffix).1)),
        false => EmittedStatement::drop(format!("DROP {word} {shown}")),
    }]
}

/// Drops the type that was renamed, when nothing uses it any more.
pub(super) fn drop_renamed(word: &str, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    vec![EmittedStatement::drop(format!("DROP {word} {}", renamed_away(subject.shown(), &context.old_suffix).0))]
}
