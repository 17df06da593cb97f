//! Composite types.

use serde::{Deserialize, Serialize};

use super::context::EmitContext;
use super::enum_type::{TYPE, drop_or_rename, drop_renamed};
use super::interface::{AlterRules, Facts, ObjectDefinition, Subject};
use crate::model::Attribute;
use crate::model::hazard::Danger;
use crate::model::sql_text::type_name;
use crate::model::statement::EmittedStatement;

/// A type of attributes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct CompositeType {
    pub attributes: Vec<Attribute>,
}

impl ObjectDefinition for CompositeType {
    const FACTS: Facts = TYPE;

    fn address(&self, subject: Subject<'_>) -> String {
        format!("TYPE {}", subject.shown())
    }

    fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn attributes_mut(&mut self) -> &mut [Attribute] {
        &mut self.attributes
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        let common: Vec<&Attribute> = self.attributes.iter().filter(|a| new.attributes.iter().any(|b| a.name == b.name)).collect();
        let same = |(a, b): (&&Attribute, &Attribute)| a.name == b.name && a.type_name == b.type_name && a.collation == b.collation;
        common.len() <= new.attributes.len() && common.iter().zip(&new.attributes).all(same)
    }

    fn create<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let lines: Vec<String> = self.attributes.iter().map(|attribute| format!("    {}", attribute_words(attribute))).collect();
        vec![EmittedStatement::create(format!("CREATE TYPE {} AS (\n{}\n)", subject.shown(), lines.join(",\n")))]
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        drop_or_rename("TYPE", subject, context)
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (old, new) = (&self.attributes, &new.attributes);
        let mut words: Vec<String> =
            old.iter().filter(|a| !new.iter().any(|b| a.name == b.name)).map(|a| format!("DROP ATTRIBUTE {}", a.name)).collect();
        let loses = !words.is_empty();
        words.extend(new.iter().filter(|a| !old.iter().any(|b| a.name == b.name)).map(|a| format!("ADD ATTRIBUTE {}", attribute_words(a))));
        if words.is_empty() {
            return Vec::new();
        }
        let statement = EmittedStatement::alter(format!("ALTER TYPE {} {}", subject.shown(), words.join(", ")));
        vec![if loses { statement.with(Danger::DataLoss, "the attribute's values are gone wherever the type is used") } else { statement }]
    }

    fn drop_renamed(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        drop_renamed("TYPE", subject, context)
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TYPE {from} RENAME TO {to}"))
    }
}

fn attribute_words(attribute: &Attribute) -> String {
    let collation = attribute.collation.as_ref().map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
    format!("{} {}{collation}", attribute.name, type_name(&attribute.type_name))
}
