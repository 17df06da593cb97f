//! The words of types and domains.

use super::{Emit, Operation, Phase, Statement, print};
use crate::model::emit::hazard::{Danger, Hazard};
use crate::model::{Attribute, Definition, Domain, Key, Kind, Object};

impl Emit<'_> {
    pub(super) fn create_domain(&self, key: &Key, shown: &str, domain: &Domain) -> String {
        let mut sql = format!("CREATE DOMAIN {shown} AS {}", print::type_name(&domain.base));
        if let Some(collation) = &domain.collation {
            sql += &format!(" COLLATE {collation}");
        }
        if let Some(default) = &domain.default {
            sql += &format!(" DEFAULT {}", print::expression(default, &domain.base));
        }
        if domain.not_null {
            sql += " NOT NULL";
        }
        for key in self.inline.get(key).into_iter().flatten() {
            let Some(object) = self.new.objects.get(*key) else { continue };
            if let Definition::Constraint(constraint) = &object.definition {
                sql += &format!("\n    CONSTRAINT {} {}", object.shown, print::constraint(&constraint.definition));
            }
        }
        sql
    }

    /// Drops it, or puts it aside until nothing uses it any more.
    pub(super) fn drop_type(&self, key: &Key, object: &Object) -> Vec<Statement> {
        let shown = &object.shown;
        let one = |sql: String| vec![Statement::new(sql)];
        let word = if key.kind == Kind::Domain { "DOMAIN" } else { "TYPE" };
        match self.fates.is_aside(key) {
            true if subtype(&object.definition).is_some() => {
                let rename = |name: &str| Statement::new(format!("ALTER TYPE {name} RENAME TO {}", aside(name).1));
                let mut statements = vec![rename(shown)];
                // A type takes its constructors along, but not their names.
                let constructor =
                    |name: &str, arguments: &str| Statement::new(format!("ALTER FUNCTION {name}({arguments}) RENAME TO {}", aside(name).1));
                if let Some(many) = multirange(&object.definition) {
                    statements.extend([rename(many), constructor(many, "")]);
                }
                let same = self.new.objects.get(key).and_then(|new| subtype(&new.definition)) == subtype(&object.definition);
                if let (true, Some(of)) = (same, subtype(&object.definition)) {
                    statements.push(constructor(shown, &format!("{of}, {of}")));
                    statements.push(constructor(shown, &format!("{of}, {of}, text")));
                }
                statements
            }
            true => one(format!("ALTER {word} {shown} RENAME TO {}", aside(shown).1)),
            false => one(format!("DROP {word} {shown}")),
        }
    }

    /// The old type, when nothing uses it any more.
    pub(super) fn purge(&self, key: &Key) -> Vec<Statement> {
        let Some(object) = self.old.objects.get(key) else { return Vec::new() };
        let word = if key.kind == Kind::Domain { "DOMAIN" } else { "TYPE" };
        vec![Statement::new(format!("DROP {word} {}", aside(&object.shown).0))]
    }
}

/// The multirange type of a range type, as it was named.
fn multirange(definition: &Definition) -> Option<&str> {
    let Definition::Range { options } = definition else { return None };
    options.iter().find_map(|option| option.strip_prefix("multirange_type_name = "))
}

/// What a range type is a range of.
fn subtype(definition: &Definition) -> Option<&str> {
    let Definition::Range { options } = definition else { return None };
    options.iter().find_map(|option| option.strip_prefix("subtype = "))
}

/// What the server calls the multirange type of a range type, if nothing is said (PostgreSQL manual, CREATE TYPE).
fn multirange_name(range: &str) -> String {
    if range.contains("range") { range.replacen("range", "multirange", 1) } else { format!("{range}_multirange") }
}

/// How a type put aside is named: with its schema if it needs it, and bare.
fn aside(shown: &str) -> (String, String) {
    let (schema, name) = match shown.rsplit_once('.') {
        Some((schema, name)) if !shown.ends_with('"') || schema.ends_with('"') || !schema.contains('"') => (format!("{schema}."), name),
        _ => (String::new(), shown),
    };
    let bare = ident(&format!("{}_old", name.trim_matches('"')));
    (format!("{schema}{bare}"), bare)
}

/// A name, quoted if it must be.
pub(super) fn ident(name: &str) -> String {
    let mut name = name.to_owned();
    while name.len() > 63 {
        name.pop();
    }
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn attribute_words(attribute: &Attribute) -> String {
    let collation = attribute.collation.as_ref().map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
    format!("{} {}{collation}", attribute.name, print::type_name(&attribute.type_name))
}

pub(super) fn add_labels(shown: &str, old: &[String], new: &[String]) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (number, label) in new.iter().enumerate().filter(|(_, label)| !old.contains(label)) {
        let behind = number.checked_sub(1).map(|before| &new[before]);
        let last_old = old.last().and_then(|last| new.iter().position(|label| label == last));
        let place = match behind {
            _ if last_old.is_none_or(|last| number > last) => String::new(),
            Some(before) => format!(" AFTER {}", print::quote(before)),
            None => old.first().map(|first| format!(" BEFORE {}", print::quote(first))).unwrap_or_default(),
        };
        let sql = format!("ALTER TYPE {shown} ADD VALUE {}{place}", print::quote(label));
        let mut statement = Statement::new(sql).that(Operation::AddValue(label.clone()));
        statement.phase = Phase::Value;
        statements.push(statement);
    }
    statements
}

pub(super) fn alter_domain(shown: &str, old: &Domain, new: &Domain) -> Vec<Statement> {
    let mut statements = Vec::new();
    if old.default != new.default {
        let what = new
            .default
            .as_ref()
            .map_or_else(|| "DROP DEFAULT".to_owned(), |default| format!("SET DEFAULT {}", print::expression(default, &new.base)));
        statements.push(Statement::new(format!("ALTER DOMAIN {shown} {what}")));
    }
    if old.not_null != new.not_null {
        let statement = Statement::new(format!("ALTER DOMAIN {shown} {} NOT NULL", if new.not_null { "SET" } else { "DROP" }));
        let scan = Hazard::new(Danger::Scan, "every table with a column of the domain is read; it fails if a value is NULL");
        statements.push(if new.not_null { statement.with(scan) } else { statement });
    }
    statements
}

/// An enum, a composite type or a range.
pub(super) fn create_type(shown: &str, definition: &Definition) -> String {
    match definition {
        Definition::Enum { labels } => {
            let labels: Vec<String> = labels.iter().map(|label| print::quote(label)).collect();
            format!("CREATE TYPE {shown} AS ENUM ({})", labels.join(", "))
        }
        Definition::Composite { attributes } => {
            let line = |attribute: &Attribute| format!("    {}", attribute_words(attribute));
            let lines: Vec<String> = attributes.iter().map(line).collect();
            format!("CREATE TYPE {shown} AS (\n{}\n)", lines.join(",\n"))
        }
        Definition::Range { options } => {
            let usual = format!("multirange_type_name = {}", multirange_name(shown));
            let options: Vec<&str> = options.iter().map(String::as_str).filter(|option| *option != usual).collect();
            format!("CREATE TYPE {shown} AS RANGE ({})", options.join(", "))
        }
        _ => String::new(),
    }
}

pub(super) fn alter_composite(shown: &str, old: &[Attribute], new: &[Attribute]) -> Vec<Statement> {
    let mut words: Vec<String> =
        old.iter().filter(|a| !new.iter().any(|b| a.name == b.name)).map(|a| format!("DROP ATTRIBUTE {}", a.name)).collect();
    let loses = !words.is_empty();
    words.extend(new.iter().filter(|a| !old.iter().any(|b| a.name == b.name)).map(|a| format!("ADD ATTRIBUTE {}", attribute_words(a))));
    let statement = |sql| match loses {
        true => Statement::new(sql).with(Hazard::new(Danger::DataLoss, "the attribute's values are gone wherever the type is used")),
        false => Statement::new(sql),
    };
    if words.is_empty() { Vec::new() } else { vec![statement(format!("ALTER TYPE {shown} {}", words.join(", ")))] }
}
