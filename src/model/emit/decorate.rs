//! What every object can have: a comment, an owner, rights of others.

use std::collections::BTreeMap;

use super::print::comment;
use super::{Emit, Operation, Statement};
use crate::model::{Catalog, Definition, Grant, Key, Kind, Object};

impl Emit<'_> {
    pub(super) fn decorate(&self, key: &Key) -> Vec<Statement> {
        let Some(new) = self.new.objects.get(key) else { return Vec::new() };
        let old = self.old.objects.get(key).filter(|_| !self.is_made(key));
        let mut statements = Vec::new();
        let phrase = phrase(self.new, key, new);
        if let Definition::Sequence(sequence) = &new.definition
            && !self.serials.contains_key(key)
        {
            let before = old.and_then(|old| if let Definition::Sequence(old) = &old.definition { old.owned_by.as_ref() } else { None });
            let owner = sequence.owned_by.as_ref();
            if before.map(|(table, _, column)| (table, column)) != owner.map(|(table, _, column)| (table, column)) {
                let owner = owner.map_or_else(|| "NONE".to_owned(), |(_, table, column)| format!("{table}.{column}"));
                statements.push(Statement::new(format!("ALTER SEQUENCE {} OWNED BY {owner}", new.shown)));
            }
        }
        if old.map(|old| &old.owner) != Some(&new.owner) && !(old.is_none() && new.owner.is_none()) {
            let owner = new.owner.as_deref().unwrap_or("CURRENT_USER");
            statements.push(Statement::new(format!("ALTER {phrase} OWNER TO {owner}")));
        }
        let usual = usual_grants(key.kind);
        let before = old.map_or(usual, |old| old.grants.iter().filter(|grant| !self.is_revoked(new, grant)).cloned().collect());
        statements.extend(self.grants(key, new, &before, &new.grants));
        let before = old.and_then(|old| old.comment.as_deref());
        let expected = match &new.definition {
            Definition::Extension { usual_comment, .. } if old.is_none() => usual_comment.0.as_deref(),
            _ => before,
        };
        if expected != new.comment.as_deref() {
            let sql = format!("COMMENT ON {phrase} IS {}", comment(new.comment.as_deref()));
            statements.push(Statement::new(sql).that(Operation::Comment));
        }
        statements.extend(attribute_comments(old, new));
        statements
    }

    /// Whether a right on a column goes with the same right on its table, which is revoked.
    fn is_revoked(&self, column: &Object, grant: &Grant) -> bool {
        let Some(table) = column.parent.as_ref().filter(|_| matches!(column.definition, Definition::Column(_))) else { return false };
        let has = |catalog: &Catalog| {
            catalog.objects.get(table).is_some_and(|table| table.grants.iter().any(|other| other.0 == grant.0 && other.1 == grant.1))
        };
        has(self.old) && !has(self.new)
    }

    fn grants(&self, key: &Key, object: &Object, old: &[Grant], new: &[Grant]) -> Vec<Statement> {
        let on = match key.kind {
            Kind::Table | Kind::View => format!("ON {}", object.shown),
            Kind::Column => format!("ON {}", Self::table(self.new, object)),
            Kind::Sequence => format!("ON SEQUENCE {}", object.shown),
            Kind::Schema => format!("ON SCHEMA {}", object.shown),
            Kind::Type | Kind::Domain => format!("ON TYPE {}", object.shown),
            Kind::Routine | Kind::Aggregate => format!("ON ROUTINE {}", object.shown),
            Kind::Extension
            | Kind::Default
            | Kind::Constraint
            | Kind::Index
            | Kind::Trigger
            | Kind::Rule
            | Kind::Policy
            | Kind::Statistics
            | Kind::EventTrigger => {
                return Vec::new();
            }
        };
        let right =
            |privilege: &str| if key.kind == Kind::Column { format!("{privilege} ({})", object.shown) } else { privilege.to_owned() };
        let mut statements = Vec::new();
        let difference = |from: &[Grant], other: &[Grant]| -> BTreeMap<(String, bool), Vec<String>> {
            let mut grouped: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
            for grant in from.iter().filter(|grant| !other.contains(grant)) {
                grouped.entry((grant.0.clone(), grant.2)).or_default().push(right(&grant.1));
            }
            grouped
        };
        for ((who, _), rights) in difference(old, new) {
            statements.push(Statement::new(format!("REVOKE {} {on} FROM {who}", rights.join(", "))));
        }
        for ((who, with_option), rights) in difference(new, old) {
            let option = if with_option { " WITH GRANT OPTION" } else { "" };
            statements.push(Statement::new(format!("GRANT {} {on} TO {who}{option}", rights.join(", "))));
        }
        statements
    }
}

/// What everybody may do with a new object of this kind (PostgreSQL manual, 5.8, table 5.2).
fn usual_grants(kind: Kind) -> Vec<Grant> {
    match kind {
        Kind::Routine | Kind::Aggregate => vec![("PUBLIC".to_owned(), "EXECUTE".to_owned(), false)],
        Kind::Type | Kind::Domain => vec![("PUBLIC".to_owned(), "USAGE".to_owned(), false)],
        _ => Vec::new(),
    }
}

/// `TABLE t`, `CONSTRAINT c ON t`: how COMMENT ON and ALTER … OWNER TO name an object.
fn phrase(catalog: &Catalog, key: &Key, object: &Object) -> String {
    let shown = &object.shown;
    let of = || {
        let parent = object.parent.as_ref();
        let table = parent.and_then(|parent| catalog.objects.get(parent)).map_or("", |parent| parent.shown.as_str());
        if parent.is_some_and(|parent| parent.kind == Kind::Domain) { format!("DOMAIN {table}") } else { table.to_owned() }
    };
    match &object.definition {
        Definition::Schema {} => format!("SCHEMA {shown}"),
        Definition::Extension { .. } => format!("EXTENSION {shown}"),
        Definition::Enum { .. } | Definition::Composite { .. } | Definition::Range { .. } => format!("TYPE {shown}"),
        Definition::Domain(_) => format!("DOMAIN {shown}"),
        Definition::Sequence(_) => format!("SEQUENCE {shown}"),
        Definition::Table(_) => format!("TABLE {shown}"),
        Definition::Column(_) | Definition::Default { .. } => format!("COLUMN {}.{shown}", of()),
        Definition::Constraint(_) => format!("CONSTRAINT {shown} ON {}", of()),
        Definition::Index(_) => format!("INDEX {shown}"),
        Definition::View(view) => format!("{}VIEW {shown}", if view.materialized { "MATERIALIZED " } else { "" }),
        Definition::Routine(routine) => format!("{} {shown}", routine.kind),
        Definition::Aggregate { .. } => format!("ROUTINE {shown}"),
        Definition::Trigger { .. } => format!("TRIGGER {shown} ON {}", of()),
        Definition::Rule { .. } => format!("RULE {shown} ON {}", of()),
        Definition::Policy(_) => format!("POLICY {shown} ON {}", of()),
        Definition::Statistics { .. } => format!("STATISTICS {shown}"),
        Definition::EventTrigger { .. } => format!("{} {shown}", if key.kind == Kind::EventTrigger { "EVENT TRIGGER" } else { "" }),
    }
}

/// Comments on the attributes of a composite type and on the columns of a view.
fn attribute_comments(old: Option<&Object>, new: &Object) -> Vec<Statement> {
    let attributes = |object: &Object| match &object.definition {
        Definition::Composite { attributes } => attributes.clone(),
        Definition::View(view) => view.columns.clone().unwrap_or_default(),
        _ => Vec::new(),
    };
    let before = old.map(attributes).unwrap_or_default();
    let mut statements = Vec::new();
    for attribute in attributes(new) {
        let was = before.iter().find(|other| other.name == attribute.name).and_then(|other| other.comment.clone());
        if was != attribute.comment {
            let sql = format!("COMMENT ON COLUMN {}.{} IS {}", new.shown, attribute.name, comment(attribute.comment.as_deref()));
            statements.push(Statement::new(sql).that(Operation::Comment));
        }
    }
    statements
}
