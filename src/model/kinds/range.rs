//! Range types.

use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::EmitContext;
use super::enum_type::{TYPE, drop_or_rename, drop_renamed};
use super::interface::{Facts, ObjectDefinition, Subject};
use crate::model::sql_text::{bare_name, ident, renamed_away, unquoted, with_suffix};
use crate::model::statement::EmittedStatement;

/// A range type: the options of its CREATE.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct RangeType {
    pub options: Vec<String>,
}

impl RangeType {
    fn option(&self, start: &str) -> Option<&str> {
        self.options.iter().find_map(|option| option.strip_prefix(start))
    }

    /// The name of its multirange type.
    pub(super) fn multirange(&self) -> Option<&str> {
        self.option("multirange_type_name = ")
    }

    /// The type of its bounds.
    pub(in crate::model) fn subtype(&self) -> Option<&str> {
        self.option("subtype = ")
    }
}

impl ObjectDefinition for RangeType {
    const FACTS: Facts = TYPE;

    fn address(&self, subject: Subject<'_>) -> String {
        format!("TYPE {}", subject.shown())
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let usual = format!("multirange_type_name = {}", multirange_name(shown));
        let options: Vec<&str> = self.options.iter().map(String::as_str).filter(|option| *option != usual).collect();
        vec![EmittedStatement::create(format!("CREATE TYPE {shown} AS RANGE ({})", options.join(", ")))]
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (shown, Some(subtype)) = (subject.shown(), self.subtype().filter(|_| context.actions.is_renamed_away(subject.key))) else {
            return drop_or_rename("TYPE", subject, context);
        };
        let rename =
            |name: &str| EmittedStatement::rename(format!("ALTER TYPE {name} RENAME TO {}", renamed_away(name, &context.old_suffix).1));
        let mut statements = vec![rename(shown)];
        // A type takes its constructors along, but not their names.
        let constructor = |name: &str, arguments: &str| {
            EmittedStatement::rename(format!("ALTER FUNCTION {name}({arguments}) RENAME TO {}", renamed_away(name, &context.old_suffix).1))
        };
        if let Some(multirange) = self.multirange() {
            statements.extend([rename(multirange), constructor(multirange, "")]);
        }
        let after = context.new.objects.get(subject.key).map(|object| object.definition());
        if matches!(after, Some(Definition::Range(after)) if after.subtype() == Some(subtype)) {
            statements.push(constructor(shown, &format!("{subtype}, {subtype}")));
            statements.push(constructor(shown, &format!("{subtype}, {subtype}, text")));
        }
        statements
    }

    fn drop_renamed(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        drop_renamed("TYPE", subject, context)
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TYPE {from} RENAME TO {to}"))
    }
}

/// How the server names the multirange type of a range type by default (PostgreSQL manual, CREATE TYPE).
fn multirange_name(range: &str) -> String {
    let bare = bare_name(range);
    let schema = &range[..range.len() - bare.len()];
    let name = unquoted(bare);
    match name.contains("range") {
        true => format!("{schema}{}", ident(&name.replacen("range", "multirange", 1))),
        false => format!("{schema}{}", with_suffix(bare, "_multirange")),
    }
}
