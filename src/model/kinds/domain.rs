//! Domains; their constraints are objects of their own.

use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::EmitContext;
use super::enum_type::{TYPE, drop_or_rename, drop_renamed};
use super::interface::{AlterRules, Facts, ObjectDefinition, Subject};
use crate::model::hazard::Danger;
use crate::model::sql_text;
use crate::model::statement::EmittedStatement;

/// A domain without its constraints.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Domain {
    pub base: String,
    pub collation: Option<String>,
    pub default: Option<String>,
    pub not_null: bool,
}

impl ObjectDefinition for Domain {
    const FACTS: Facts = Facts { name: "domain", ..TYPE };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("DOMAIN {}", subject.shown())
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        self.default.iter_mut().collect()
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.base == new.base && self.collation == new.collation
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let mut sql = format!("CREATE DOMAIN {} AS {}", subject.shown(), sql_text::type_name(&self.base));
        if let Some(collation) = &self.collation {
            sql += &format!(" COLLATE {collation}");
        }
        if let Some(default) = &self.default {
            sql += &format!(" DEFAULT {}", sql_text::expression(default, &self.base));
        }
        if self.not_null {
            sql += " NOT NULL";
        }
        for key in context.inline.get(subject.key).into_iter().flatten() {
            let Some(object) = context.new.objects.get(*key) else { continue };
            if let Definition::Constraint(constraint) = object.definition() {
                sql += &format!("\n    CONSTRAINT {} {}", object.shown, sql_text::constraint(&constraint.definition));
            }
        }
        vec![EmittedStatement::create(sql)]
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        drop_or_rename("DOMAIN", subject, context)
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let mut statements = Vec::new();
        if self.default != new.default {
            let set = |default| format!("SET DEFAULT {}", sql_text::expression(default, &new.base));
            let what = new.default.as_deref().map_or_else(|| "DROP DEFAULT".to_owned(), set);
            statements.push(EmittedStatement::alter(format!("ALTER DOMAIN {shown} {what}")));
        }
        if self.not_null != new.not_null {
            let statement = EmittedStatement::alter(format!("ALTER DOMAIN {shown} {} NOT NULL", if new.not_null { "SET" } else { "DROP" }));
            let scan = "every table with a column of the domain is read; it fails if a value is NULL";
            statements.push(if new.not_null { statement.with(Danger::Scan, scan) } else { statement });
        }
        statements
    }

    fn drop_renamed(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        drop_renamed("DOMAIN", subject, context)
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TYPE {from} RENAME TO {to}"))
    }
}
