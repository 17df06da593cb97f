//! Extensions.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Facts, Namespace, ObjectDefinition, Subject};
use crate::model::NotCompared;
use crate::model::hazard::Danger;
use crate::model::sql_text::quote;
use crate::model::statement::EmittedStatement;

/// An extension.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Extension {
    pub version: String,
    pub schema: String,
    /// The comment in its control file, which CREATE EXTENSION sets.
    pub usual_comment: NotCompared<Option<String>>,
}

impl ObjectDefinition for Extension {
    const FACTS: Facts = Facts { namespace: Namespace::Database, ..Facts::of("extension") };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("EXTENSION {}", subject.shown())
    }

    fn initial_comment(&self) -> Option<&str> {
        self.usual_comment.0.as_deref()
    }

    fn can_alter(&self, _new: &Self, _rules: AlterRules) -> bool {
        true
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let schema = if self.schema == "public" { String::new() } else { format!(" SCHEMA {}", self.schema) };
        vec![EmittedStatement::create(format!("CREATE EXTENSION {}{schema}", subject.shown()))]
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let statement = EmittedStatement::drop(format!("DROP EXTENSION {}", subject.shown()));
        vec![statement.with(Danger::DataLoss, "what the extension keeps in its own tables is gone")]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let mut statements = Vec::new();
        if self.schema != new.schema {
            statements.push(EmittedStatement::alter(format!("ALTER EXTENSION {shown} SET SCHEMA {}", new.schema)));
        }
        if self.version != new.version {
            statements.push(EmittedStatement::alter(format!("ALTER EXTENSION {shown} UPDATE TO {}", quote(&new.version))));
        }
        statements
    }
}
