//! Aggregates.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{Facts, ObjectDefinition, Subject};
use super::routine::ROUTINE;
use crate::model::statement::EmittedStatement;

/// An aggregate: its arguments, and the options of its CREATE.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Aggregate {
    pub arguments: String,
    pub options: Vec<String>,
}

impl ObjectDefinition for Aggregate {
    const FACTS: Facts = Facts { name: "aggregate", is_named_in_routines: false, ..ROUTINE };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("ROUTINE {}", subject.shown())
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let name = shown.split('(').next().unwrap_or(shown);
        let sql = format!("CREATE AGGREGATE {name}({}) (\n    {}\n)", self.arguments, self.options.join(",\n    "));
        vec![EmittedStatement::create(sql)]
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP ROUTINE {}", subject.shown()))]
    }
}
