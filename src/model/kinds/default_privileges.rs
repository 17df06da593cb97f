//! Default privileges: the rights on objects that a role creates.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Facts, ObjectDefinition, Subject};
use crate::model::Key;
use crate::model::kinds::object_kind::ObjectKind;
use crate::model::rights::{CURRENT_USER, Grant, RightsClass, changes};
use crate::model::statement::EmittedStatement;

/// The rights on the objects of one class that a role creates: everywhere, or in one schema.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct DefaultPrivileges {
    /// Of which objects.
    pub class: RightsClass,
    /// Whose objects, if not those of the role that reads.
    pub role: Option<String>,
    /// In which schema. Its rights are added to those that apply everywhere.
    pub schema: Option<String>,
    /// Everywhere: all rights, instead of PostgreSQL's own. In a schema: further ones.
    pub grants: Vec<Grant>,
}

impl ObjectDefinition for DefaultPrivileges {
    const FACTS: Facts = Facts::of("default privileges");

    /// There are neither comments nor owners.
    fn address(&self, subject: Subject<'_>) -> String {
        format!("DEFAULT PRIVILEGES {}", subject.shown())
    }

    fn can_alter(&self, _new: &Self, _rules: AlterRules) -> bool {
        true
    }

    fn create<'c>(&self, _subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.change(&self.initial(context), &self.grants, context)
    }

    fn drop<'c>(&self, _subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.change(&self.grants, &self.initial(context), context)
    }

    fn alter<'c>(&self, new: &Self, _subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.change(&self.grants, &new.grants, context)
    }

    /// Those of a schema are dropped with it.
    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        subject.object.needs().find(|need| need.kind == ObjectKind::Schema && context.is_dropped(need))
    }

    fn reserved_name(&self, _subject: Subject<'_>) -> Option<String> {
        None
    }
}

impl DefaultPrivileges {
    /// What there is without ALTER DEFAULT PRIVILEGES.
    fn initial(&self, context: &EmitContext<'_>) -> Vec<Grant> {
        if self.schema.is_some() { Vec::new() } else { self.class.built_in(context.options.server) }
    }

    fn change(&self, before: &[Grant], after: &[Grant], context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        let role = self.role.as_ref().map(|role| format!(" FOR ROLE {role}")).unwrap_or_default();
        let schema = self.schema.as_ref().map(|schema| format!(" IN SCHEMA {schema}")).unwrap_or_default();
        let owner = self.role.as_deref().unwrap_or(CURRENT_USER);
        let statement = |what: String| EmittedStatement::set_rights(format!("ALTER DEFAULT PRIVILEGES{role}{schema} {what}"));
        let listed = |privileges: &[&str]| self.class.listed(privileges, context.options.server);
        let changes = changes(before, after);
        changes.iter().map(|change| statement(change.sql(&listed(&change.privileges), self.class.words(), owner))).collect()
    }
}
