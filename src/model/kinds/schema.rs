//! Schemas.

use serde_json::Value;

use super::context::EmitContext;
use super::interface::{Facts, Grants, Namespace, ObjectDefinition, Subject};
use crate::json::{FromJson, JsonError};
use crate::model::statement::EmittedStatement;

/// A schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {}

impl FromJson for Schema {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        crate::json::Fields::of(value, error);
        Self {}
    }
}

impl ObjectDefinition for Schema {
    const FACTS: Facts = Facts { namespace: Namespace::Itself, grants: Grants::On("SCHEMA "), ..Facts::of("schema") };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("SCHEMA {}", subject.shown())
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::create(format!("CREATE SCHEMA {}", subject.shown()))]
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP SCHEMA {}", subject.shown()))]
    }
}
