//! The words of constraints and indexes.

use super::fate::Fate;
use super::statement::options;
use super::{Emit, Form, Statement, print};
use crate::model::emit::hazard::{Danger, Hazard};
use crate::model::{Constraint, Definition, Index, Key, Kind, Object};

impl Emit<'_> {
    pub(super) fn add_constraint(&self, object: &Object, constraint: &Constraint) -> Vec<Statement> {
        let (shown, table) = (&object.shown, Self::table(self.new, object));
        let definition = &print::constraint(&constraint.definition);
        let is_domain = object.parent.as_ref().is_some_and(|parent| parent.kind == Kind::Domain);
        let is_new = object.parent.as_ref().is_some_and(|parent| self.is_made(parent));
        let on = if is_domain { "DOMAIN" } else { "TABLE" };
        let add = Statement::new(format!("ALTER {on} {table} ADD CONSTRAINT {shown} {definition}"));
        let checked = !is_new && !definition.ends_with(" NOT VALID") && !definition.ends_with(" NOT ENFORCED");
        let partitioned = self.is_partitioned(object);
        // Before PostgreSQL 18 a foreign key of a partitioned table can't be NOT VALID.
        let in_steps = self.target.form == Form::Online && !(constraint.kind == 'f' && partitioned && self.target.server < 180_000);
        let mut statements = match constraint.kind {
            'c' | 'f' if checked && in_steps => vec![
                Statement::new(format!("ALTER {on} {table} ADD CONSTRAINT {shown} {definition} NOT VALID")),
                Statement::new(format!("ALTER {on} {table} VALIDATE CONSTRAINT {shown}")).later(),
            ],
            'c' if checked => {
                vec![add.with(Hazard::new(Danger::Scan, "every row is checked under ACCESS EXCLUSIVE; it fails if one does not fit"))]
            }
            'f' if checked => {
                vec![add.with(Hazard::new(
                    Danger::Scan,
                    "every row is looked up under SHARE ROW EXCLUSIVE on both tables; it fails if one does not fit",
                ))]
            }
            'p' | 'u' | 'x' if !is_new => self.add_unique(shown, table, constraint, add, partitioned),
            _ => vec![add],
        };
        if let Some(options) = constraint.index_options.as_ref().filter(|options| !options.is_empty()) {
            statements.push(Statement::new(format!("ALTER INDEX {} SET ({})", index_name(object, table), options.join(", "))));
        }
        statements
    }

    /// A unique index can be built while others write, and be made a constraint then.
    fn add_unique(&self, shown: &str, table: &str, constraint: &Constraint, add: Statement, partitioned: bool) -> Vec<Statement> {
        let plain = constraint.definition.strip_prefix("PRIMARY KEY ").or_else(|| constraint.definition.strip_prefix("UNIQUE "));
        let simple = plain.filter(|columns| columns.starts_with('(') && columns.ends_with(')') && !columns.ends_with(" WITHOUT OVERLAPS)"));
        match simple
            .filter(|_| self.target.form == Form::Online && !partitioned && constraint.index_options.as_ref().is_none_or(Vec::is_empty))
        {
            Some(columns) => {
                let word = if constraint.kind == 'p' { "PRIMARY KEY" } else { "UNIQUE" };
                vec![
                    Statement::new(format!("CREATE UNIQUE INDEX CONCURRENTLY {shown} ON {table} {columns}")).later(),
                    Statement::new(format!("ALTER TABLE {table} ADD CONSTRAINT {shown} {word} USING INDEX {shown}")).later(),
                ]
            }
            None => vec![add.with(Hazard::new(Danger::Lock, "its index is built under ACCESS EXCLUSIVE; it fails if two rows are alike"))],
        }
    }

    /// Whether the table of a part is partitioned.
    fn is_partitioned(&self, part: &Object) -> bool {
        let table = part.parent.as_ref().and_then(|parent| self.new.objects.get(parent));
        matches!(table.map(|table| &table.definition), Some(Definition::Table(table)) if table.partition_key.is_some())
    }

    pub(super) fn alter_constraint(&self, object: &Object, old: &Constraint, new: &Constraint) -> Vec<Statement> {
        let (shown, table) = (&object.shown, Self::table(self.new, object));
        let mut statements = Vec::new();
        if old.definition != new.definition {
            let on = if object.parent.as_ref().is_some_and(|parent| parent.kind == Kind::Domain) { "DOMAIN" } else { "TABLE" };
            statements.push(
                Statement::new(format!("ALTER {on} {table} VALIDATE CONSTRAINT {shown}"))
                    .with(Hazard::new(Danger::Scan, "every row is read, while others read and write; it fails if one does not fit")),
            );
        }
        let (set, reset) = options(old.index_options.as_deref().unwrap_or_default(), new.index_options.as_deref().unwrap_or_default());
        let index = index_name(object, table);
        statements.extend(set.map(|set| Statement::new(format!("ALTER INDEX {index} SET ({set})"))));
        statements.extend(reset.map(|reset| Statement::new(format!("ALTER INDEX {index} RESET ({reset})"))));
        statements
    }

    pub(super) fn drop_index(&self, key: &Key, object: &Object, index: &Index) -> Vec<Statement> {
        let partitioned = print::is_on_only(&index.definition);
        // One that is made again is in the way of something.
        match (self.target.form, self.fate(key)) {
            (Form::Online, Fate::Drop) if !partitioned => {
                vec![Statement::new(format!("DROP INDEX CONCURRENTLY {}", object.shown)).later()]
            }
            _ => vec![Statement::new(format!("DROP INDEX {}", object.shown))],
        }
    }

    pub(super) fn create_index(&self, object: &Object, index: &Index) -> Vec<Statement> {
        let is_new = object.parent.as_ref().is_some_and(|parent| self.is_made(parent));
        let partitioned = print::is_on_only(&index.definition);
        let mut statements = match (is_new, self.target.form) {
            (false, Form::Online) if !partitioned => vec![Statement::new(print::index(&index.definition, true)).later()],
            (true, _) => vec![Statement::new(print::index(&index.definition, false))],
            (false, _) => {
                vec![
                    Statement::new(print::index(&index.definition, false))
                        .with(Hazard::new(Danger::Lock, "nobody can write to the table until the index is built")),
                ]
            }
        };
        for (number, target) in &index.statistics {
            statements.push(Statement::new(format!("ALTER INDEX {} ALTER COLUMN {number} SET STATISTICS {target}", object.shown)));
        }
        statements
    }
}

/// The index of a constraint: in the schema of its table, which must be said where the table's is.
fn index_name(constraint: &Object, table: &str) -> String {
    let schema = constraint.parent.as_ref().map_or("", |table| table.schema());
    if table.starts_with(&format!("{schema}.")) { format!("{schema}.{}", constraint.shown) } else { constraint.shown.clone() }
}
