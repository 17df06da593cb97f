//! Columns of tables: their words in a CREATE TABLE, and what changes them. Their defaults are objects of their own.

use serde::{Deserialize, Serialize};

use super::context::{EmitContext, Form};
use super::interface::{AlterRules, Effect, Facts, Grants, ObjectDefinition, ObjectStep, StatementNode, Subject, TypeChange};
use super::not_null::{NotNull, alter_column, change_not_null, set_not_null_in_steps};
use super::sequence_numbers::SequenceNumbers;
use super::sequence_position::{SequenceSource, change_numbers};
use super::value_conversion::{MAY_NOT_FIT, NamedType, ValueConversion};
use crate::model::hazard::Danger;
use crate::model::sql_text::{bare_name, expression, options, type_name, usual_sequence_name, without_quoted};
use crate::model::statement::EmittedStatement;
use crate::model::type_change::{assigns, is_cast_directly, keeps_rows, may_lose};
use crate::model::{Grant, Key, NotCompared, ObjectKind};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Column {
    #[serde(rename = "type")]
    pub type_name: String,
    pub collation: Option<String>,
    pub not_null: Option<NotNull>,
    pub identity: Option<Box<IdentityColumn>>,
    /// `s` stored or `v` virtual, and the expression.
    pub generated: Option<(char, String)>,
    pub storage: Option<String>,
    pub usual_storage: NotCompared<String>,
    pub compression: Option<String>,
    pub statistics: Option<i32>,
    pub options: Vec<String>,
    /// Whether it comes from a parent table alone.
    pub inherited: NotCompared<bool>,
}

/// `GENERATED … AS IDENTITY`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct IdentityColumn {
    pub always: bool,
    pub numbers: SequenceNumbers,
    /// Its sequence's name.
    pub sequence: String,
    /// `COMMENT ON` its sequence.
    pub comment: Option<String>,
    /// All rights on its sequence, if they are not PostgreSQL's own for a new one.
    pub grants: Option<Vec<Grant>>,
}

impl ObjectDefinition for Column {
    const FACTS: Facts = Facts { grants: Grants::OnColumn, ..Facts::of("column") };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("COLUMN {}.{}", subject.parent, subject.shown())
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        self.generated.iter_mut().map(|(_, expression)| expression).collect()
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        match (&self.generated, &new.generated) {
            (None, None) | (Some(('s', _)), None) => true,
            (Some(old), Some(after)) => old == after && self.type_name == new.type_name && self.collation == new.collation,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// ADD COLUMN.
    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        if let Some(statements) = self.create_in_steps(subject, context) {
            return statements;
        }
        let sql = format!("ALTER TABLE {} ADD COLUMN {}", subject.parent, self.words(subject, context, false));
        let mut add = EmittedStatement::alter(sql);
        let default = context.new.default_of(subject.key).map(|(_, default)| default);
        let written = self.generated.as_ref().is_some_and(|(kind, _)| *kind == 's');
        if is_serial(subject, context) || self.identity.is_some() || written || default.is_some_and(is_volatile) {
            add = add.with(Danger::Rewrite, "every row gets a value of its own: the table is written anew under ACCESS EXCLUSIVE");
        } else if self.not_null.is_some() && default.is_none() && self.generated.is_none() {
            add = add.with(Danger::MayFail, "NOT NULL without a default fails if the table has rows");
        }
        [add].into_iter().chain(self.rest_of_create(subject, context)).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let statement = EmittedStatement::drop(format!("ALTER TABLE {} DROP COLUMN {}", subject.parent, subject.shown()));
        vec![match self.generated.is_some() {
            true => statement,
            false => statement.with(Danger::DataLoss, "the column's values are gone; the way down makes it empty"),
        }]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        self.alterations(new, subject, context)
    }

    fn rename(&self, table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}"))
    }

    /// Its type can be replaced, but not that of a generated column.
    fn when_dropped(&self, new: &Self, dependency: ObjectKind) -> Effect {
        if new.generated.is_none() && dependency.facts().is_type { Effect::Retyped } else { Effect::Recreated }
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        if self.generated.is_some() { Effect::Recreated } else { Effect::Unaffected }
    }

    fn created_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        let table = subject.object.parent.as_ref()?;
        if context.is_created(table) {
            return Some((ObjectStep::Create, table));
        }
        let above = context.inherited_from(context.new, subject.key).filter(|_| self.inherited.0)?;
        context.is_created(above).then_some((ObjectStep::Create, above))
    }

    fn altered_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        let above = context.inherited_from(context.new, subject.key).filter(|_| self.inherited.0)?;
        context.altered_like(subject.key, above)
    }

    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        let table = subject.object.parent.as_ref()?;
        if context.is_dropped(table) {
            return Some(table);
        }
        let above = context.inherited_from(context.old, subject.key).filter(|_| self.inherited.0)?;
        context.is_dropped(above).then_some(above)
    }

    /// The name of its identity's sequence.
    fn reserved_name(&self, subject: Subject<'_>) -> Option<String> {
        let identity = self.identity.as_ref()?;
        Some(format!("{}.{}", subject.key.schema(), bare_name(&identity.sequence)))
    }
}

impl Column {
    /// `name type … NOT NULL`, as in CREATE TABLE and ADD COLUMN.
    pub(super) fn words(&self, subject: Subject<'_>, context: &EmitContext<'_>, is_primary: bool) -> String {
        let default = context.new.default_of(subject.key).map(|(_, default)| default);
        self.words_with_default(subject, context, is_primary, default)
    }

    fn words_with_default(&self, subject: Subject<'_>, context: &EmitContext<'_>, is_primary: bool, default: Option<&str>) -> String {
        let serial = is_serial(subject, context);
        let mut words = vec![subject.shown().to_owned()];
        words.push(if serial { serial_name(&self.type_name).to_owned() } else { type_name(&self.type_name) });
        words.extend(self.collation.as_ref().map(|collation| format!("COLLATE {collation}")));
        words.extend(self.compression.as_ref().map(|method| format!("COMPRESSION {method}")));
        words.extend(self.identity.as_deref().map(|identity| identity.words(subject)));
        if let Some((kind, text)) = &self.generated {
            words.push(format!("GENERATED ALWAYS AS ({text}) {}", if *kind == 'v' { "VIRTUAL" } else { "STORED" }));
        }
        if let Some(not_null) = &self.not_null
            && not_null.valid
        {
            match &not_null.name {
                // A primary key, an identity and `serial` imply it.
                None if is_primary || serial || self.identity.is_some() => {}
                None => words.push("NOT NULL".to_owned()),
                Some(name) => words.push(format!("CONSTRAINT {name} NOT NULL")),
            }
            if not_null.no_inherit {
                words.push("NO INHERIT".to_owned());
            }
        }
        if let (false, Some(default)) = (serial, default) {
            words.push(format!("DEFAULT {}", expression(default, &self.type_name)));
        }
        words.join(" ")
    }

    /// ADD COLUMN without what would write every row, or fail because of rows, under a lock that blocks other sessions. A default whose value
    /// differs from row to row is set for new rows first, and then fills those that are there; NOT NULL comes last.
    fn create_in_steps(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Option<Vec<EmittedStatement>> {
        let is_plain = self.identity.is_none() && self.generated.is_none() && !is_serial(subject, context);
        if context.options.form == Form::Plain || !is_plain {
            return None;
        }
        let default = context.new.default_of(subject.key).map(|(_, default)| default);
        let fills = default.filter(|default| is_volatile(default));
        let is_usual = |not_null: &NotNull| not_null.name.is_none() && not_null.valid && !not_null.no_inherit;
        let not_null = self.not_null.as_ref().filter(|not_null| is_usual(not_null) && (default.is_none() || fills.is_some()));
        if fills.is_none() && not_null.is_none() {
            return None;
        }
        let column = Self { not_null: self.not_null.clone().filter(|_| not_null.is_none()), ..self.clone() };
        let (table, name) = (subject.parent, subject.shown());
        let words = column.words_with_default(subject, context, false, default.filter(|_| fills.is_none()));
        let mut statements = vec![EmittedStatement::alter(format!("ALTER TABLE {table} ADD COLUMN {words}"))];
        if let Some(default) = fills {
            statements.push(alter_column(subject, &format!("SET DEFAULT {}", expression(default, &self.type_name))));
        }
        statements.extend(self.rest_of_create(subject, context));
        if fills.is_some() {
            let fill = EmittedStatement::alter(format!("UPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL"));
            let text = "other sessions that write to the same rows wait until all are filled; triggers of UPDATE fire";
            statements.push(fill.with(Danger::Lock, text).afterwards());
        }
        if not_null.is_some() {
            let checked = set_not_null_in_steps(subject).into_iter().map(EmittedStatement::afterwards);
            let text = "rows that are there have no value: give them one before this revision runs";
            let warn = |(number, statement): (usize, EmittedStatement)| {
                if number == 0 && fills.is_none() { statement.with(Danger::MayFail, text) } else { statement }
            };
            statements.extend(checked.enumerate().map(warn));
        }
        Some(statements)
    }

    /// What a new column needs that its words in the CREATE can't say.
    pub(super) fn rest_of_create(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        let plain = Self { storage: None, statistics: None, options: Vec::new(), not_null: None, ..self.clone() };
        let not_null = self.not_null.clone().filter(|not_null| !not_null.valid);
        plain.alterations(&Self { not_null, ..self.clone() }, subject, context)
    }

    /// From one definition of a column to another.
    pub(super) fn alterations(&self, new: &Self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        let old = self;
        let alter = |what: &str| alter_column(subject, what);
        let mut statements = Vec::new();
        if old.identity.is_some() && new.identity.is_none() {
            statements.push(alter("DROP IDENTITY"));
        }
        if old.generated.is_some() && new.generated.is_none() {
            statements.push(alter("DROP EXPRESSION"));
        }
        let retyped = context.actions.is_retyped(subject.key);
        let changes_type = retyped || old.type_name != new.type_name || old.collation != new.collation;
        if changes_type {
            statements.extend(old.change_type(new, subject, retyped, context));
        }
        let not_null = change_not_null(subject, context, old.not_null.as_ref(), new.not_null.as_ref());
        let (not_null, later): (Vec<EmittedStatement>, Vec<EmittedStatement>) = not_null.into_iter().partition(|it| !it.is_afterwards());
        statements.extend(not_null);
        let mut afterwards = later;
        match (&old.identity, &new.identity) {
            (None, Some(identity)) => {
                // An identity needs NOT NULL, which the online form sets afterwards.
                let waits = context.options.form == Form::Online && old.not_null.is_none();
                let add = add_identity(identity, subject, context);
                if waits { afterwards.extend(add) } else { statements.extend(add) }
            }
            (Some(old), Some(new)) if old != new => {
                if old.sequence != new.sequence {
                    let to = bare_name(&new.sequence);
                    statements.push(EmittedStatement::rename(format!("ALTER SEQUENCE {} RENAME TO {to}", old.sequence)));
                }
                let words = old.alterations(new);
                let write = |restart: Option<&str>| {
                    let words: Vec<&str> = words.iter().map(String::as_str).chain(restart).collect();
                    (!words.is_empty()).then(|| alter(&words.join(" ")))
                };
                statements.extend(change_numbers(&new.sequence, (&old.numbers, &new.numbers), write));
                if (old.numbers.increment < 0) != (new.numbers.increment < 0) {
                    statements.extend(SequenceSource::of(context.new, subject.key).and_then(|source| source.advance(subject.key, context)));
                }
            }
            _ => {}
        }
        let before = if changes_type { &None } else { &old.storage };
        if *before != new.storage {
            statements.push(alter(&format!("SET STORAGE {}", new.storage.as_ref().unwrap_or(&new.usual_storage.0))));
        }
        if old.compression != new.compression {
            statements.push(alter(&format!("SET COMPRESSION {}", new.compression.as_deref().unwrap_or("default"))));
        }
        if old.statistics != new.statistics {
            statements.push(alter(&format!("SET STATISTICS {}", new.statistics.unwrap_or(-1))));
        }
        let (set, reset) = options(&old.options, &new.options);
        statements.extend(set.map(|set| alter(&format!("SET ({set})"))));
        statements.extend(reset.map(|reset| alter(&format!("RESET ({reset})"))));
        statements.extend(afterwards);
        statements
    }

    /// Whether its values, or how they are ordered, differ from those of another definition.
    pub(in crate::model) fn has_other_values(&self, other: &Self) -> bool {
        self.type_name != other.type_name || self.collation != other.collation || self.generated != other.generated
    }

    fn change_type(&self, new: &Self, subject: Subject<'_>, retyped: bool, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        let (old, name, target) = (self, subject.shown(), type_name(&new.type_name));
        let mut what = format!("TYPE {target}");
        match (&old.collation, &new.collation) {
            (_, Some(collation)) => what += &format!(" COLLATE {collation}"),
            (Some(_), None) => what += " COLLATE pg_catalog.\"default\"",
            (None, None) => {}
        }
        let is_converted = retyped || !assigns(&old.type_name, &new.type_name);
        let before = context.old.objects.get(subject.key).filter(|_| is_converted);
        let conversion = before.map(|before| {
            let from = NamedType { catalog: context.old, user: before, name: &old.type_name };
            let to = NamedType { catalog: context.new, user: subject.object, name: &new.type_name };
            ValueConversion::of_column(name, from, to, context)
        });
        if let Some((_, Some(expression))) = &conversion {
            what += &format!(" USING {expression}");
        } else if is_converted {
            let is_direct = !retyped && is_cast_directly(&old.type_name, &new.type_name);
            what += &if is_direct { format!(" USING {name}::{target}") } else { format!(" USING {name}::text::{target}") };
        }
        let statement = alter_column(subject, &what);
        if !retyped && keeps_rows(&old.type_name, &new.type_name) {
            return vec![match old.collation == new.collation {
                true => statement,
                false => statement.with(Danger::Lock, "indexes on the column are built anew under ACCESS EXCLUSIVE"),
            }];
        }
        let statement = statement.with(Danger::Rewrite, "the table and its indexes are written anew under ACCESS EXCLUSIVE");
        match conversion {
            Some((mut conversion, _)) => {
                let hazards = std::mem::take(&mut conversion.hazards);
                conversion.around(hazards.into_iter().fold(statement, |statement, hazard| statement.with(hazard.kind, &hazard.text)))
            }
            None if may_lose(&old.type_name, &new.type_name) => vec![statement.with(Danger::MayFail, MAY_NOT_FIT)],
            None => vec![statement],
        }
    }
}

impl IdentityColumn {
    fn words(&self, subject: Subject<'_>) -> String {
        let mut words = self.numbers.options_of_new();
        let name = bare_name(&self.sequence);
        if name != usual_sequence_name(bare_name(subject.parent), subject.shown()) {
            words.insert(0, format!("SEQUENCE NAME {}", self.sequence));
        }
        let options = if words.is_empty() { String::new() } else { format!(" ({})", words.join(" ")) };
        format!("GENERATED {} AS IDENTITY{options}", if self.always { "ALWAYS" } else { "BY DEFAULT" })
    }

    /// What leads to another; the type of its sequence follows the column's.
    fn alterations(&self, new: &Self) -> Vec<String> {
        let set = |always: bool| format!("SET GENERATED {}", if always { "ALWAYS" } else { "BY DEFAULT" });
        let generated = (self.always != new.always).then(|| set(new.always));
        generated.into_iter().chain(self.numbers.options(&new.numbers).into_iter().map(|word| format!("SET {word}"))).collect()
    }
}

/// ADD GENERATED: its sequence continues that of the column's default, or after the values that the column has.
fn add_identity(identity: &IdentityColumn, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    let mut statements = vec![alter_column(subject, &format!("ADD {}", identity.words(subject)))];
    if let Some(new) = SequenceSource::of(context.new, subject.key) {
        statements.extend(new.continue_from(&[subject.key], context));
        statements.extend(new.advance(subject.key, context));
    }
    statements
}

fn is_serial(subject: Subject<'_>, context: &EmitContext<'_>) -> bool {
    context.serials.values().any(|column| *column == subject.key)
}

fn serial_name(type_name: &str) -> &'static str {
    match type_name {
        "smallint" => "smallserial",
        "bigint" => "bigserial",
        _ => "serial",
    }
}

/// Whether a default differs from row to row: then adding the column writes them all.
fn is_volatile(default: &str) -> bool {
    let calls = without_quoted(default);
    ["nextval(", "random()", "gen_random_uuid()", "clock_timestamp()", "timeofday()", "uuid_generate_v", "uuidv"]
        .iter()
        .any(|name| calls.contains(name))
}
