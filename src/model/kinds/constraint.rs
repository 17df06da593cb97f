//! Constraints of tables and domains.
use serde::{Deserialize, Serialize};

use super::context::{Action, EmitContext, Form};
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, ObjectStep, StatementNode, Subject, TypeChange};
use super::{Definition, Index};
use crate::model::hazard::Danger;
use crate::model::index_text::unique_columns;
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

/// What a VALIDATE may do.
const NO_FIT: &str = "it fails if a row does not fit";

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

    fn build<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let Some(replacement) = context.replacements.built.get(subject.key) else { return Vec::new() };
        let (on, table, name) = (on(subject), subject.parent, &replacement.built_as);
        if let Some(unique) = UniqueColumns::of(self) {
            return vec![unique.create_index(name, table, self)];
        }
        let definition = sql_text::constraint(&self.definition);
        vec![
            EmittedStatement::alter(format!("ALTER {on} {table} ADD CONSTRAINT {name} {definition} NOT VALID")).stepwise(),
            EmittedStatement::alter(format!("ALTER {on} {table} VALIDATE CONSTRAINT {name}")).with(Danger::MayFail, NO_FIT).stepwise(),
        ]
    }

    fn can_be_built_beside<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> bool {
        // While the key that a foreign key refers to is there, another foreign key would depend on it as well.
        let is_dropped_key = |need: &Key| matches!(need.kind, ObjectKind::Constraint | ObjectKind::Index) && context.is_dropped(need);
        let keeps_key = || !context.old.objects.get(subject.key).is_some_and(|old| old.needs().any(is_dropped_key));
        match self.kind {
            'c' => self.is_checked(),
            'f' => self.is_checked() && self.can_be_validated_later(subject, context) && keeps_key(),
            _ => UniqueColumns::of(self).is_some() && !is_partitioned(subject.object, context),
        }
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (shown, table, on) = (subject.shown(), subject.parent, on(subject));
        let definition = &sql_text::constraint(&self.definition);
        let is_new = context.is_part_of_created(subject.object);
        let add = EmittedStatement::alter(format!("ALTER {on} {table} ADD CONSTRAINT {shown} {definition}"));
        let checked = !is_new && self.is_checked();
        let in_steps = context.options.form == Form::Online && self.can_be_validated_later(subject, context);
        let mut statements = match self.kind {
            'c' | 'f' if let Some(replacement) = context.replacements.built.get(subject.key) => {
                let name = &replacement.built_as;
                let renamed = (name != shown).then(|| format!("ALTER {on} {table} RENAME CONSTRAINT {name} TO {shown}"));
                renamed.map(EmittedStatement::rename).into_iter().collect()
            }
            'c' | 'f' if checked && in_steps => vec![
                EmittedStatement::alter(format!("ALTER {on} {table} ADD CONSTRAINT {shown} {definition} NOT VALID")).in_either(),
                EmittedStatement::alter(format!("ALTER {on} {table} VALIDATE CONSTRAINT {shown}"))
                    .with(Danger::MayFail, NO_FIT)
                    .afterwards(),
            ],
            'c' if checked => {
                vec![add.with(Danger::Scan, "every row is checked under ACCESS EXCLUSIVE; it fails if one does not fit")]
            }
            'f' if checked => {
                let text = "every row is looked up under SHARE ROW EXCLUSIVE on both tables; it fails if one does not fit";
                vec![add.with(Danger::Scan, text)]
            }
            'p' | 'u' | 'x' if !is_new => return self.add_with_index(subject, context, add),
            _ => vec![add],
        };
        statements.extend(self.set_index_options(subject));
        statements
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let drop = EmittedStatement::drop(format!("ALTER {} {} DROP CONSTRAINT {}", on(subject), subject.parent, subject.shown()));
        vec![if context.action(subject.key) == Action::Drop { drop.in_either() } else { drop }]
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

    fn created_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        Some((ObjectStep::Alter, context.detached_with(subject)?))
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
    /// Whether existing rows are checked.
    fn is_checked(&self) -> bool {
        !self.definition.ends_with(" NOT VALID") && !self.definition.ends_with(" NOT ENFORCED")
    }

    /// Before PostgreSQL 18 a foreign key of a partitioned table can't be NOT VALID.
    fn can_be_validated_later(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> bool {
        !(self.kind == 'f' && is_partitioned(subject.object, context) && context.options.server < 180_000)
    }

    /// Whether a unique index can become this constraint's.
    pub(in crate::model) fn can_adopt(&self, index: &Index) -> bool {
        let has_no_options = self.index_options.as_ref().is_none_or(Vec::is_empty);
        let columns = UniqueColumns::of(self).map(|unique| unique.columns);
        has_no_options && index.valid && columns.is_some() && columns.as_deref() == unique_columns(&index.definition)
    }

    /// A unique index can be built while other sessions write, and then become the constraint's.
    fn add_with_index<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>, add: EmittedStatement) -> Vec<EmittedStatement> {
        let (shown, table) = (subject.shown(), subject.parent);
        let replacements = &context.replacements;
        let built = replacements.built.get(subject.key).map(|replacement| replacement.built_as.as_str());
        let adopted = replacements.adopted.get(subject.key).map(|index| index.bare());
        let unique = UniqueColumns::of(self);
        if let (Some(index), Some(unique)) = (built.or(adopted), &unique) {
            return vec![unique.add_constraint(shown, table, index)];
        }
        let in_steps = context.options.form == Form::Online
            && context.action(subject.key) == Action::Create
            && !is_partitioned(subject.object, context)
            && !replacements.is_in_transaction(ObjectStep::Create, subject.key);
        if let Some(unique) = unique.filter(|_| in_steps) {
            return vec![unique.create_index(shown, table, self), unique.add_constraint(shown, table, shown)];
        }
        let add = add.with(Danger::Lock, "its index is built under ACCESS EXCLUSIVE; it fails if two rows are alike");
        [add].into_iter().chain(self.set_index_options(subject)).collect()
    }

    fn set_index_options(&self, subject: Subject<'_>) -> Option<EmittedStatement> {
        let options = self.index_options.as_ref().filter(|options| !options.is_empty())?;
        Some(EmittedStatement::alter(format!("ALTER INDEX {} SET ({})", index_name(subject), options.join(", "))))
    }
}

/// A primary key or a unique constraint, as what CREATE UNIQUE INDEX and ADD CONSTRAINT … USING INDEX say.
struct UniqueColumns {
    word: &'static str,
    /// As in CREATE INDEX.
    columns: String,
    /// ` DEFERRABLE` and the like.
    deferral: &'static str,
}

impl UniqueColumns {
    fn of(constraint: &Constraint) -> Option<Self> {
        let words = ["PRIMARY KEY", "UNIQUE"];
        let strip = |word: &'static str| Some((word, constraint.definition.strip_prefix(word)?.strip_prefix(' ')?));
        let (word, rest) = words.into_iter().find_map(strip)?;
        let (nulls, rest) = rest.strip_prefix("NULLS NOT DISTINCT ").map_or(("", rest), |rest| (" NULLS NOT DISTINCT", rest));
        let deferrals = [" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"];
        let (deferral, columns) =
            deferrals.into_iter().find_map(|deferral| Some((deferral, rest.strip_suffix(deferral)?))).unwrap_or(("", rest));
        let is_plain = columns.starts_with('(') && columns.ends_with(')') && !columns.contains(" WITHOUT OVERLAPS)");
        is_plain.then(|| Self { word, columns: format!("{columns}{nulls}"), deferral })
    }

    fn create_index(&self, name: &str, table: &str, constraint: &Constraint) -> EmittedStatement {
        let options = constraint.index_options.as_ref().filter(|options| !options.is_empty());
        let with = options.map(|options| format!(" WITH ({})", options.join(", "))).unwrap_or_default();
        let create = EmittedStatement::create(format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {}{with}", self.columns));
        create.with(Danger::MayFail, "it fails if two rows are alike").stepwise()
    }

    fn add_constraint(&self, name: &str, table: &str, index: &str) -> EmittedStatement {
        let Self { word, deferral, .. } = self;
        EmittedStatement::alter(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {word} USING INDEX {index}{deferral}")).in_either()
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
