//! Functions and procedures.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, Grants, ObjectDefinition, Subject, TypeChange};
use crate::model::hazard::Danger;
use crate::model::rights::RightsClass;
use crate::model::statement::EmittedStatement;
use crate::model::{Key, NotCompared};

/// A function or a procedure.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Routine {
    pub kind: String,
    pub definition: String,
    pub schema: String,
    pub arguments: String,
    pub result: Option<String>,
    pub language: String,
    pub trigger: bool,
    /// Part of the definition.
    pub security_definer: NotCompared<bool>,
}

/// What holds for routines of all kinds.
pub(super) const ROUTINE: Facts =
    Facts { grants: Grants::On("ROUTINE ", RightsClass::Functions), is_named_in_routines: true, runs_code: true, ..Facts::of("routine") };

impl ObjectDefinition for Routine {
    const FACTS: Facts = ROUTINE;

    fn address(&self, subject: Subject<'_>) -> String {
        format!("{} {}", self.kind, subject.shown())
    }

    /// Its text, unless the body is a string.
    fn expressions(&mut self) -> Vec<&mut String> {
        if self.language == "sql" && !self.definition.contains("\nAS ") { vec![&mut self.definition] } else { Vec::new() }
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.kind == new.kind && self.arguments == new.arguments && self.result == new.result
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let create = EmittedStatement::create(self.create_or_replace(subject.shown()));
        let old = context.old.objects.get(subject.key).map(|old| old.definition());
        let was = matches!(old, Some(Definition::Routine(old)) if old.security_definer.0);
        vec![match (was, self.security_definer.0) {
            (false, true) => create.with(Danger::AuthorizationChange, "it runs with the rights of its owner, whoever calls it"),
            (true, false) => {
                create.with(Danger::AuthorizationChange, "it no longer runs with the rights of its owner, but with the caller's")
            }
            (true, true) | (false, false) => create,
        }]
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("DROP {} {}", self.kind, subject.shown()))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        new.create(subject, context)
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Recreated
    }

    /// What its text names. Of a body that is a string, the catalog has no dependencies.
    fn soft_dependencies<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<&'c Key> {
        if !matches!(self.language.as_str(), "sql" | "plpgsql") {
            return Vec::new();
        }
        let words: BTreeSet<String> = words(&self.definition).collect();
        let named = words.iter().filter_map(|word| context.changed_names.get(word.as_str())).flatten().copied();
        named.filter(|key| *key != subject.key).collect()
    }
}

impl Routine {
    /// `pg_get_functiondef` without the schema that the search path finds anyway, and with plain dollar quotes.
    fn create_or_replace(&self, shown: &str) -> String {
        let mut text = self.definition.trim_end().to_owned();
        if !shown.starts_with(&format!("{}.", self.schema)) {
            text = text.replacen(&format!("{} {}.", self.kind, self.schema), &format!("{} ", self.kind), 1);
        }
        // The body is what stands between the last two: the server chooses a quote that the body does not hold.
        let quote = if self.kind == "PROCEDURE" { "$procedure$" } else { "$function$" };
        match text.strip_suffix(quote).and_then(|rest| rest.rsplit_once(quote)) {
            Some((head, body)) if !text.contains("$$") => format!("{head}$${body}$$"),
            _ => text,
        }
    }
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}
