//! Schemas.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{Facts, Grants, Namespace, ObjectDefinition, Subject};
use crate::model::rights::RightsClass;
use crate::model::statement::EmittedStatement;

/// A schema.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Schema {}

impl ObjectDefinition for Schema {
    const FACTS: Facts = Facts { namespace: Namespace::Itself, grants: Grants::On("SCHEMA ", RightsClass::Schemas), ..Facts::of("schema") };

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
