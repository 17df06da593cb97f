//! Row security policies.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, Subject, TypeChange};
use crate::model::hazard::Danger;
use crate::model::sql_text::{lists, parenthesised};
use crate::model::statement::EmittedStatement;

/// A row security policy.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Policy {
    pub permissive: bool,
    pub command: String,
    pub roles: Vec<String>,
    pub using: Option<String>,
    pub check: Option<String>,
}

impl ObjectDefinition for Policy {
    const FACTS: Facts = Facts::of("policy");

    fn address(&self, subject: Subject<'_>) -> String {
        format!("POLICY {} ON {}", subject.shown(), subject.parent)
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        self.using.iter_mut().chain(self.check.iter_mut()).collect()
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        let stays = |old: &Option<String>, new: &Option<String>| old.is_none() || new.is_some();
        self.permissive == new.permissive && self.command == new.command && stays(&self.using, &new.using) && stays(&self.check, &new.check)
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let mut sql = format!("CREATE POLICY {} ON {}", subject.shown(), subject.parent);
        if !self.permissive {
            sql += " AS RESTRICTIVE";
        }
        if self.command != "ALL" {
            sql += &format!(" FOR {}", self.command);
        }
        if self.roles != ["PUBLIC"] {
            sql += &format!(" TO {}", self.roles.join(", "));
        }
        if let Some(using) = &self.using {
            sql += &format!(" USING {}", parenthesised(&lists(using)));
        }
        if let Some(check) = &self.check {
            sql += &format!(" WITH CHECK {}", parenthesised(&lists(check)));
        }
        let create = EmittedStatement::create(sql);
        let is_first = context.is_part_of_created(subject.object) || context.is_same_as_before(subject.key);
        let only = if self.permissive { "the rows" } else { "only those rows" };
        let text = format!("{} may {} {only} of {} that the policy allows", self.who(), self.may(), subject.parent);
        vec![if is_first { create } else { create.with(Danger::AuthorizationChange, &text) }]
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let drop = EmittedStatement::drop(format!("DROP POLICY {} ON {}", subject.shown(), subject.parent));
        let (who, may, table) = (self.who(), self.may(), subject.parent);
        let text = match self.permissive {
            true => format!("{who} may no longer {may} rows of {table} that only this policy allows"),
            false => format!("{who} may {may} rows of {table} that this policy forbids"),
        };
        vec![if context.is_same_as_before(subject.key) { drop } else { drop.with(Danger::AuthorizationChange, &text) }]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let mut sql = format!("ALTER POLICY {} ON {}", subject.shown(), subject.parent);
        if self.roles != new.roles {
            sql += &format!(" TO {}", new.roles.join(", "));
        }
        for (word, old, new) in [("USING", &self.using, &new.using), ("WITH CHECK", &self.check, &new.check)] {
            if let (true, Some(new)) = (old != new, new) {
                sql += &format!(" {word} {}", parenthesised(&lists(new)));
            }
        }
        let text = format!("which rows of {} {} may {}, is decided differently", subject.parent, new.who(), new.may());
        vec![EmittedStatement::alter(sql).with(Danger::AuthorizationChange, &text)]
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Recreated
    }

    /// Its name is unique in its table.
    fn reserved_name(&self, _subject: Subject<'_>) -> Option<String> {
        None
    }
}

impl Policy {
    /// Its roles in a sentence.
    fn who(&self) -> String {
        if self.roles == ["PUBLIC"] { "every role".to_owned() } else { self.roles.join(", ") }
    }

    /// What it is about, in a sentence.
    fn may(&self) -> &'static str {
        match self.command.as_str() {
            "SELECT" => "read",
            "INSERT" => "insert",
            "UPDATE" => "update",
            "DELETE" => "delete",
            _ => "read and change",
        }
    }
}
