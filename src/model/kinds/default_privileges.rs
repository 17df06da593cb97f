//! Default privileges: the rights on objects that a role creates.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Facts, ObjectDefinition, Subject};
use crate::model::hazard::Danger;
use crate::model::rights::{CURRENT_USER, Grant, RightsChange, RightsClass, changes};
use crate::model::statement::EmittedStatement;
use crate::model::{Key, ObjectKind};

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

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.change(&self.initial(context), &self.grants, subject, context)
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.change(&self.grants, &self.initial(context), subject, context)
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.change(&self.grants, &new.grants, subject, context)
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

    fn change(&self, before: &[Grant], after: &[Grant], subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        let role = self.role.as_ref().map(|role| format!(" FOR ROLE {role}")).unwrap_or_default();
        let schema = self.schema.as_ref().map(|schema| format!(" IN SCHEMA {schema}")).unwrap_or_default();
        let owner = self.role.as_deref().unwrap_or(CURRENT_USER);
        let creator = self.role.as_deref().unwrap_or("the role that runs this");
        let objects = self.class.words().to_ascii_lowercase();
        let is_in_new_schema = subject.object.needs().any(|need| need.kind == ObjectKind::Schema && context.is_created(need));
        let statement = |change: &RightsChange<'_>| {
            let rights = self.class.listed(&change.privileges, context.options.server);
            let what = change.sql(&rights, self.class.words(), owner);
            let statement = EmittedStatement::set_rights(format!("ALTER DEFAULT PRIVILEGES{role}{schema} {what}"));
            let text = format!("on {objects} that {creator} will create, {}", change.effect(&rights));
            if is_in_new_schema { statement } else { statement.with(Danger::AuthorizationChange, &text) }
        };
        changes(before, after).iter().map(statement).collect()
    }
}
