//! Constraints of tables and domains.
use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::{EmitContext, Form};
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, Subject, TypeChange};
use crate::model::hazard::Danger;
use crate::model::sql_text::{self, options};
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Key, Object, ObjectKind};

/// A constraint of a table or a domain.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Constraint {
    /// `p`, `u`, `c`, `x` or `f`.
    pub kind: char,
    pub definition: String,
    pub index_options: Option<Vec<String>>,
}

impl ObjectDefinition for Constraint {
    const FACTS: Facts = Facts::of("constraint");

    fn address(&self, subject: Subject<'_>) -> String {
        let domain = if subject.is_part_of(ObjectKind::Domain) { "DOMAIN " } else { "" };
        format!("CONSTRAINT {} ON {domain}{}", subject.shown(), subject.parent)
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        vec![&mut self.definition]
    }

    /// VALIDATE, and options of its index.
    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.kind == new.kind && (self.definition == new.definition || self.definition == format!("{} NOT VALID", new.definition))
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (shown, table, on) = (subject.shown(), subject.parent, on(subject));
        let definition = &sql_text::constraint(&self.definition);
        let is_new = context.is_part_of_created(subject.object);
        let add = EmittedStatement::alter(format!("ALTER {on} {table} ADD CONSTRAINT {shown} {definition}"));
        let checked = !is_new && !definition.ends_with(" NOT VALID") && !definition.ends_with(" NOT ENFORCED");
        let partitioned = is_partitioned(subject.object, context);
        // Before PostgreSQL 18 a foreign key of a partitioned table can't be NOT VALID.
        let in_steps = context.options.form == Form::Online && !(self.kind == 'f' && partitioned && context.options.server < 180_000);
        let mut statements = match self.kind {
            'c' | 'f' if checked && in_steps => vec![
                EmittedStatement::alter(format!("ALTER {on} {table} ADD CONSTRAINT {shown} {definition} NOT VALID")),
                EmittedStatement::alter(format!("ALTER {on} {table} VALIDATE CONSTRAINT {shown}")).later(),
            ],
            'c' if checked => {
                vec![add.with(Danger::Scan, "every row is checked under ACCESS EXCLUSIVE; it fails if one does not fit")]
            }
            'f' if checked => {
                let text = "every row is looked up under SHARE ROW EXCLUSIVE on both tables; it fails if one does not fit";
                vec![add.with(Danger::Scan, text)]
            }
            'p' | 'u' | 'x' if !is_new => self.add_with_index(subject, context, add, partitioned),
            _ => vec![add],
        };
        if let Some(options) = self.index_options.as_ref().filter(|options| !options.is_empty()) {
            statements.push(EmittedStatement::alter(format!("ALTER INDEX {} SET ({})", index_name(subject), options.join(", "))));
        }
        statements
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        vec![EmittedStatement::drop(format!("ALTER {} {} DROP CONSTRAINT {}", on(subject), subject.parent, subject.shown()))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let mut statements = Vec::new();
        if self.definition != new.definition {
            let sql = format!("ALTER {} {} VALIDATE CONSTRAINT {}", on(subject), subject.parent, subject.shown());
            let text = "every row is read, while others read and write; it fails if one does not fit";
            statements.push(EmittedStatement::alter(sql).with(Danger::Scan, text));
        }
        let (old, new) = (self.index_options.as_deref().unwrap_or_default(), new.index_options.as_deref().unwrap_or_default());
        let (set, reset) = options(old, new);
        let index = index_name(subject);
        statements.extend(set.map(|set| EmittedStatement::alter(format!("ALTER INDEX {index} SET ({set})"))));
        statements.extend(reset.map(|reset| EmittedStatement::alter(format!("ALTER INDEX {index} RESET ({reset})"))));
        statements
    }

    fn rename(&self, table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TABLE {table} RENAME CONSTRAINT {from} TO {to}"))
    }

    fn followed_table<'o>(&'o self, parent: Option<&'o Key>) -> Option<&'o str> {
        parent.map(|table| &*table.name)
    }

    fn when_retyped(&self, change: &TypeChange<'_>) -> Effect {
        if self.kind == 'f' && !change.is_between_integers() { Effect::Recreated } else { Effect::Unaffected }
    }

    fn can_be_inline(&self) -> bool {
        self.index_options.as_ref().is_none_or(Vec::is_empty) && !self.definition.ends_with(" NOT VALID")
    }

    /// Its table, or a column; but a foreign key of tables that refer to each other in a circle is dropped first.
    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        let table = subject.object.parent.as_ref()?;
        if self.kind == 'f' && context.is_dropped(table) && is_in_circle(subject.object, table, context) {
            return None;
        }
        context.dropped_with_table_or_column(subject)
    }

    fn soft_dependencies<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<&'c Key> {
        subject.object.needs().collect()
    }

    /// The name of its index; without an index its name is unique in its table.
    fn reserved_name(&self, subject: Subject<'_>) -> Option<String> {
        match &subject.object.parent {
            Some(table) if matches!(self.kind, 'p' | 'u' | 'x') => Some(format!("{}.{}", table.schema(), subject.shown())),
            _ => Some(subject.key.name.to_string()),
        }
    }
}

impl Constraint {
    /// A unique index can be built while other sessions write, and then become the constraint's.
    fn add_with_index(
        &self,
        subject: Subject<'_>,
        context: &EmitContext<'_>,
        add: EmittedStatement,
        partitioned: bool,
    ) -> Vec<EmittedStatement> {
        let (shown, table) = (subject.shown(), subject.parent);
        let plain = self.definition.strip_prefix("PRIMARY KEY ").or_else(|| self.definition.strip_prefix("UNIQUE "));
        let columns = plain.filter(|columns| {
            columns.starts_with('(')
                && columns.ends_with(')')
                && !columns.ends_with(" WITHOUT OVERLAPS)")
                && context.options.form == Form::Online
                && !partitioned
                && self.index_options.as_ref().is_none_or(Vec::is_empty)
        });
        match columns {
            Some(columns) => {
                let word = if self.kind == 'p' { "PRIMARY KEY" } else { "UNIQUE" };
                vec![
                    EmittedStatement::create(format!("CREATE UNIQUE INDEX CONCURRENTLY {shown} ON {table} {columns}")).later(),
                    EmittedStatement::alter(format!("ALTER TABLE {table} ADD CONSTRAINT {shown} {word} USING INDEX {shown}")).later(),
                ]
            }
            None => vec![add.with(Danger::Lock, "its index is built under ACCESS EXCLUSIVE; it fails if two rows are alike")],
        }
    }
}

fn on(subject: Subject<'_>) -> &'static str {
    if subject.is_part_of(ObjectKind::Domain) { "DOMAIN" } else { "TABLE" }
}

/// Whether the table of a constraint is partitioned.
fn is_partitioned(constraint: &Object, context: &EmitContext<'_>) -> bool {
    let table = constraint.parent.as_ref().and_then(|parent| context.new.objects.get(parent));
    matches!(table.map(|table| table.definition()), Some(Definition::Table(table)) if table.partition_key.is_some())
}

/// The index of a constraint: in the schema of its table, and qualified where the table is.
fn index_name(subject: Subject<'_>) -> String {
    let schema = subject.object.parent.as_ref().map_or("", |table| table.schema());
    let shown = subject.shown();
    if subject.parent.starts_with(&format!("{schema}.")) { format!("{schema}.{shown}") } else { shown.to_owned() }
}

/// The tables that a foreign key refers to, by the keys that it depends on.
pub(in crate::model) fn referenced_tables<'c>(foreign_key: &'c Object, catalog: &'c Catalog) -> impl Iterator<Item = &'c Key> {
    let keys = foreign_key.needs().filter(|need| matches!(need.kind, ObjectKind::Constraint | ObjectKind::Index));
    keys.filter_map(|need| catalog.objects.get(need)?.parent.as_ref())
}

/// Whether dropped tables refer to each other in a circle through this foreign key. A table that refers to itself alone is dropped as
/// a whole.
fn is_in_circle(foreign_key: &Object, table: &Key, context: &EmitContext<'_>) -> bool {
    let Some(circle) = context.circles.get(table) else { return false };
    referenced_tables(foreign_key, context.old).any(|target| target != table && context.circles.get(target) == Some(circle))
}
