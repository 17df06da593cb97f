//! Columns: their words in a CREATE TABLE, and what changes them.

use super::fate::{assigns, keeps_rows};
use super::print::{expression, type_name, without_quoted};
use super::sequence::number_words;
use super::{Emit, Form, Statement, default_of};
use crate::model::emit::hazard::{Danger, Hazard};
use crate::model::{Column, Definition, Identity, Key, NotNull};

impl Emit<'_> {
    /// `name type … NOT NULL`, as in CREATE TABLE and ADD COLUMN.
    pub(super) fn column_words(&self, key: &Key, is_primary: bool) -> String {
        let Some((object, column)) = column_of(self.new, key) else { return String::new() };
        let serial = self.serials.values().any(|column| *column == key);
        let mut words = vec![object.shown.clone()];
        words.push(if serial { serial_name(&column.type_name).to_owned() } else { type_name(&column.type_name) });
        words.extend(column.collation.as_ref().map(|collation| format!("COLLATE {collation}")));
        words.extend(column.compression.as_ref().map(|method| format!("COMPRESSION {method}")));
        if let Some(identity) = &column.identity {
            words.push(identity_words(identity));
        }
        if let Some((kind, text)) = &column.generated {
            words.push(format!("GENERATED ALWAYS AS ({text}) {}", if *kind == 'v' { "VIRTUAL" } else { "STORED" }));
        }
        if let Some(not_null) = &column.not_null
            && not_null.valid
        {
            match &not_null.name {
                // A primary key, an identity and `serial` imply it.
                None if is_primary || serial || column.identity.is_some() => {}
                None => words.push("NOT NULL".to_owned()),
                Some(name) => words.push(format!("CONSTRAINT {name} NOT NULL")),
            }
            if not_null.no_inherit {
                words.push("NO INHERIT".to_owned());
            }
        }
        if let (false, Some((_, default))) = (serial, default_of(self.new, key)) {
            words.push(format!("DEFAULT {}", expression(default, &column.type_name)));
        }
        words.join(" ")
    }

    /// What a new column needs that its words can't say.
    pub(super) fn column_rest(&self, table: &str, key: &Key) -> Vec<Statement> {
        let Some((object, column)) = column_of(self.new, key) else { return Vec::new() };
        let plain = Column { storage: None, statistics: None, options: Vec::new(), not_null: None, ..column.clone() };
        let mut with = column.clone();
        with.not_null = column.not_null.clone().filter(|not_null| !not_null.valid);
        self.alterations(table, &object.shown, &plain, &with, key)
    }

    /// `ALTER TABLE … ADD COLUMN …`.
    pub(super) fn add_column(&self, key: &Key) -> Vec<Statement> {
        let Some((object, column)) = column_of(self.new, key) else { return Vec::new() };
        let table = Self::table(self.new, object);
        let mut add = Statement::new(format!("ALTER TABLE {table} ADD COLUMN {}", self.column_words(key, false)));
        let default = default_of(self.new, key).map(|(_, default)| default.as_str());
        let serial = self.serials.values().any(|column| *column == key);
        let written = column.generated.as_ref().is_some_and(|(kind, _)| *kind == 's');
        if serial || column.identity.is_some() || written || default.is_some_and(is_volatile) {
            add = add
                .with(Hazard::new(Danger::Rewrite, "every row gets a value of its own: the table is written anew under ACCESS EXCLUSIVE"));
        } else if column.not_null.is_some() && default.is_none() && column.generated.is_none() {
            add = add.with(Hazard::new(Danger::MayFail, "NOT NULL without a default fails if the table has rows"));
        }
        let mut statements = vec![add];
        statements.extend(self.column_rest(table, key));
        statements
    }

    /// A column that stays.
    pub(super) fn alter_column(&self, key: &Key) -> Vec<Statement> {
        let (Some((_, old)), Some((object, new))) = (column_of(self.old, key), column_of(self.new, key)) else { return Vec::new() };
        self.alterations(Self::table(self.new, object), &object.shown, old, new, key)
    }

    /// From one definition of a column to another.
    pub(super) fn alterations(&self, table: &str, name: &str, old: &Column, new: &Column, key: &Key) -> Vec<Statement> {
        let alter = |what: String| Statement::new(format!("ALTER TABLE {table} ALTER COLUMN {name} {what}"));
        let mut statements = Vec::new();
        if old.identity.is_some() && new.identity.is_none() {
            statements.push(alter("DROP IDENTITY".to_owned()));
        }
        if old.generated.is_some() && new.generated.is_none() {
            statements.push(alter("DROP EXPRESSION".to_owned()));
        }
        let retyped = self.fates.is_retyped(key);
        let changes_type = retyped || old.type_name != new.type_name || old.collation != new.collation;
        if changes_type {
            statements.push(self.change_type(alter, name, old, new, retyped));
        }
        statements.extend(self.not_null(table, name, old.not_null.as_ref(), new.not_null.as_ref()));
        match (&old.identity, &new.identity) {
            (None, Some(identity)) => {
                let add = alter(format!("ADD {}", identity_words(identity)));
                // An identity wants NOT NULL, which the careful form sets afterwards.
                let waits = self.target.form == Form::Online && old.not_null.is_none();
                statements.push(if waits { add.later() } else { add });
            }
            (Some(old), Some(new)) if old != new => {
                let mut words = Vec::new();
                if old.always != new.always {
                    words.push(format!("SET GENERATED {}", if new.always { "ALWAYS" } else { "BY DEFAULT" }));
                }
                words.extend(
                    number_words(&old.numbers, &new.numbers)
                        .into_iter()
                        .filter(|word| !word.starts_with("AS "))
                        .map(|word| format!("SET {word}")),
                );
                if !words.is_empty() {
                    statements.push(alter(words.join(" ")));
                }
            }
            _ => {}
        }
        let usual = &new.usual_storage.0;
        let before = if changes_type { &None } else { &old.storage };
        if *before != new.storage {
            statements.push(alter(format!("SET STORAGE {}", new.storage.as_ref().unwrap_or(usual))));
        }
        if old.compression != new.compression {
            statements.push(alter(format!("SET COMPRESSION {}", new.compression.as_deref().unwrap_or("default"))));
        }
        if old.statistics != new.statistics {
            statements.push(alter(format!("SET STATISTICS {}", new.statistics.unwrap_or(-1))));
        }
        let (set, reset) = super::statement::options(&old.options, &new.options);
        statements.extend(set.map(|set| alter(format!("SET ({set})"))));
        statements.extend(reset.map(|reset| alter(format!("RESET ({reset})"))));
        statements
    }

    fn change_type(&self, alter: impl Fn(String) -> Statement, name: &str, old: &Column, new: &Column, retyped: bool) -> Statement {
        let mut what = format!("TYPE {}", type_name(&new.type_name));
        match (&old.collation, &new.collation) {
            (_, Some(collation)) => what += &format!(" COLLATE {collation}"),
            (Some(_), None) => what += " COLLATE pg_catalog.\"default\"",
            (None, None) => {}
        }
        let target = type_name(&new.type_name);
        let through = matches!(super::print::bare_type(&old.type_name).as_str(), "text" | "character varying" | "character")
            || matches!((old.type_name.as_str(), new.type_name.as_str()), ("boolean", "integer") | ("integer", "boolean"));
        if retyped || !assigns(&old.type_name, &new.type_name) {
            what += &if through && !retyped { format!(" USING {name}::{target}") } else { format!(" USING {name}::text::{target}") };
        }
        let statement = alter(what);
        if !retyped && keeps_rows(&old.type_name, &new.type_name) {
            return match old.collation == new.collation {
                true => statement,
                false => statement.with(Hazard::new(Danger::Lock, "indexes on the column are built anew under ACCESS EXCLUSIVE")),
            };
        }
        let statement = statement.with(Hazard::new(Danger::Rewrite, "the table and its indexes are written anew under ACCESS EXCLUSIVE"));
        match may_lose(old, new) || retyped {
            true => statement.with(Hazard::new(Danger::MayFail, "a value that does not fit the new type makes it fail")),
            false => statement,
        }
    }

    fn not_null(&self, table: &str, name: &str, old: Option<&NotNull>, new: Option<&NotNull>) -> Vec<Statement> {
        if old == new {
            return Vec::new();
        }
        let plain = |statement: String| vec![Statement::new(statement)];
        let scan = || Hazard::new(Danger::Scan, "every row is read under ACCESS EXCLUSIVE; it fails if one is NULL");
        match (old, new) {
            (_, None) => plain(format!("ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL")),
            (Some(old), Some(new)) if old.name != new.name && old.valid == new.valid && old.no_inherit == new.no_inherit => {
                let usual = || format!("{}_{name}_not_null", table.rsplit('.').next().unwrap_or(table));
                let of = |not_null: &NotNull| not_null.name.clone().unwrap_or_else(usual);
                plain(format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {}", of(old), of(new)))
            }
            (Some(_), Some(_)) => {
                let mut statements = self.not_null(table, name, old, None);
                statements.extend(self.not_null(table, name, None, new));
                statements
            }
            (None, Some(new)) => match &new.name {
                None if new.valid && !new.no_inherit && self.target.form == Form::Online => {
                    let check = super::types::ident(&format!(
                        "{}_{}_not_null_check",
                        table.rsplit('.').next().unwrap_or(table).trim_matches('"'),
                        name.trim_matches('"')
                    ));
                    vec![
                        Statement::new(format!("ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID")),
                        Statement::new(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {check}")).later(),
                        Statement::new(format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL")).later(),
                        Statement::new(format!("ALTER TABLE {table} DROP CONSTRAINT {check}")).later(),
                    ]
                }
                None if new.valid && !new.no_inherit => {
                    vec![Statement::new(format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL")).with(scan())]
                }
                given => {
                    let constraint = given.as_ref().map(|given| format!("CONSTRAINT {given} ")).unwrap_or_default();
                    let mut words = format!("ALTER TABLE {table} ADD {constraint}NOT NULL {name}");
                    if new.no_inherit {
                        words += " NO INHERIT";
                    }
                    if !new.valid {
                        return plain(words + " NOT VALID");
                    }
                    vec![Statement::new(words).with(scan())]
                }
            },
        }
    }

    /// A default that is set, on a column that is there.
    pub(super) fn set_default(&self, key: &Key) -> Vec<Statement> {
        let Some(column) = self.new.objects.get(key).and_then(|object| object.parent.as_ref()) else { return Vec::new() };
        let (Some((object, definition)), Some((_, text))) = (column_of(self.new, column), default_of(self.new, column)) else {
            return Vec::new();
        };
        let table = Self::table(self.new, object);
        let default = expression(text, &definition.type_name);
        vec![Statement::new(format!("ALTER TABLE {table} ALTER COLUMN {} SET DEFAULT {default}", object.shown))]
    }

    /// A default that goes.
    pub(super) fn drop_default(&self, key: &Key) -> Vec<Statement> {
        let Some(column) = self.old.objects.get(key).and_then(|object| object.parent.as_ref()) else { return Vec::new() };
        let Some((object, _)) = column_of(self.old, column) else { return Vec::new() };
        let table = Self::table(self.old, object);
        vec![Statement::new(format!("ALTER TABLE {table} ALTER COLUMN {} DROP DEFAULT", object.shown))]
    }
}

fn column_of<'c>(catalog: &'c crate::model::Catalog, key: &Key) -> Option<(&'c crate::model::Object, &'c Column)> {
    let object = catalog.objects.get(key)?;
    if let Definition::Column(column) = &object.definition { Some((object, column)) } else { None }
}

fn serial_name(type_name: &str) -> &'static str {
    match type_name {
        "smallint" => "smallserial",
        "bigint" => "bigserial",
        _ => "serial",
    }
}

fn identity_words(identity: &Identity) -> String {
    let usual = super::sequence::numbers(&identity.numbers.type_name);
    let words = number_words(&usual, &identity.numbers);
    let options = if words.is_empty() { String::new() } else { format!(" ({})", words.join(" ")) };
    format!("GENERATED {} AS IDENTITY{options}", if identity.always { "ALWAYS" } else { "BY DEFAULT" })
}

/// Whether a default is another for each row: then adding the column writes them all.
fn is_volatile(default: &str) -> bool {
    let calls = without_quoted(default);
    ["nextval(", "random()", "gen_random_uuid()", "clock_timestamp()", "timeofday()", "uuid_generate_v", "uuidv"]
        .iter()
        .any(|name| calls.contains(name))
}

fn may_lose(old: &Column, new: &Column) -> bool {
    let widens = [
        ("smallint", "integer"),
        ("smallint", "bigint"),
        ("integer", "bigint"),
        ("real", "double precision"),
        ("date", "timestamp without time zone"),
    ];
    !widens.contains(&(old.type_name.as_str(), new.type_name.as_str())) && new.type_name != "text"
}
