//! The words that make, change and drop each kind of object.

use super::print;
use super::sequence::{create_sequence, number_words};
use super::types::{add_labels, alter_composite, alter_domain, create_type};
use super::{Emit, Operation, Statement};
use crate::model::emit::hazard::{Danger, Hazard};
use crate::model::{Definition, Key, Kind, Policy, Routine, View};

impl Emit<'_> {
    pub(super) fn create(&self, key: &Key) -> Vec<Statement> {
        let Some(object) = self.new.objects.get(key) else { return Vec::new() };
        let (shown, table) = (&object.shown, Self::table(self.new, object));
        let one = |sql: String| vec![Statement::new(sql)];
        match &object.definition {
            Definition::Schema {} => one(format!("CREATE SCHEMA {shown}")),
            Definition::Extension { schema, .. } if schema == "public" => one(format!("CREATE EXTENSION {shown}")),
            Definition::Extension { schema, .. } => one(format!("CREATE EXTENSION {shown} SCHEMA {schema}")),
            Definition::Enum { .. } => vec![Statement::new(create_type(shown, &object.definition)).that(Operation::CreateEnum)],
            Definition::Composite { .. } | Definition::Range { .. } => one(create_type(shown, &object.definition)),
            Definition::Domain(domain) => one(self.create_domain(key, shown, domain)),
            Definition::Sequence(sequence) => one(create_sequence(shown, sequence)),
            Definition::Table(table) => self.create_table(key, object, table),
            Definition::Column(_) => self.add_column(key),
            Definition::Default { .. } => self.set_default(key),
            Definition::Constraint(constraint) => self.add_constraint(object, constraint),
            Definition::Index(index) => self.create_index(object, index),
            Definition::View(view) => {
                let mut statements = vec![create_view(shown, view, false)];
                for column in view.columns.iter().flatten() {
                    if let Some(default) = &column.default {
                        statements.extend(one(format!("ALTER VIEW {shown} ALTER COLUMN {} SET DEFAULT {default}", column.name)));
                    }
                }
                statements
            }
            Definition::Routine(routine) => one(routine_text(shown, routine)),
            Definition::Aggregate { arguments, options } => {
                let name = shown.split('(').next().unwrap_or(shown);
                one(format!("CREATE AGGREGATE {name}({arguments}) (\n    {}\n)", options.join(",\n    ")))
            }
            Definition::Trigger { definition, enabled } => {
                let mut statements = one(definition.clone());
                statements.extend(switch(table, "TRIGGER", shown, 'O', *enabled));
                statements
            }
            Definition::Rule { definition, enabled } => {
                let mut statements = one(definition.trim_end_matches(';').to_owned());
                statements.extend(switch(table, "RULE", shown, 'O', *enabled));
                statements
            }
            Definition::Policy(policy) => one(create_policy(shown, table, policy)),
            Definition::Statistics { definition, schema, target } => {
                let full = format!("{schema}.{}", shown.rsplit('.').next().unwrap_or(shown));
                let mut statements = one(definition.replacen(&full, shown, 1));
                statements.extend(target.map(|target| Statement::new(format!("ALTER STATISTICS {shown} SET STATISTICS {target}"))));
                statements
            }
            Definition::EventTrigger { event, tags, function, enabled } => {
                let tags: Vec<String> = tags.iter().map(|tag| print::quote(tag)).collect();
                let when = if tags.is_empty() { String::new() } else { format!("\n    WHEN TAG IN ({})", tags.join(", ")) };
                let mut statements = one(format!("CREATE EVENT TRIGGER {shown} ON {event}{when}\n    EXECUTE FUNCTION {function}()"));
                statements.extend(switch_event(shown, 'O', *enabled));
                statements
            }
        }
    }

    pub(super) fn drop(&self, key: &Key) -> Vec<Statement> {
        let Some(object) = self.old.objects.get(key) else { return Vec::new() };
        let (shown, table) = (&object.shown, Self::table(self.old, object));
        let one = |sql: String| vec![Statement::new(sql)];
        let lost = |text: &str| Hazard::new(Danger::DataLoss, text);
        match &object.definition {
            Definition::Schema {} => one(format!("DROP SCHEMA {shown}")),
            Definition::Extension { .. } => {
                vec![Statement::new(format!("DROP EXTENSION {shown}")).with(lost("what the extension keeps in its own tables is gone"))]
            }
            Definition::Enum { .. } | Definition::Composite { .. } | Definition::Range { .. } | Definition::Domain(_) => {
                self.drop_type(key, object)
            }
            Definition::Sequence(_) => {
                vec![Statement::new(format!("DROP SEQUENCE {shown}")).with(lost("where the sequence stood is gone"))]
            }
            Definition::Table(_) => self.drop_table(object),
            Definition::Column(column) => {
                let statement = Statement::new(format!("ALTER TABLE {table} DROP COLUMN {shown}"));
                let computed = column.generated.is_some();
                vec![if computed { statement } else { statement.with(lost("the column's values are gone; the way down makes it empty")) }]
            }
            Definition::Default { .. } => self.drop_default(key),
            Definition::Constraint(_) => match &object.parent {
                Some(parent) if parent.kind == Kind::Domain => one(format!("ALTER DOMAIN {table} DROP CONSTRAINT {shown}")),
                _ => one(format!("ALTER TABLE {table} DROP CONSTRAINT {shown}")),
            },
            Definition::Index(index) => self.drop_index(key, object, index),
            Definition::View(view) if view.materialized => {
                let statement = Statement::new(format!("DROP MATERIALIZED VIEW {shown}"));
                let again = self.is_made(key);
                vec![if again {
                    statement.with(Hazard::new(Danger::Lock, "nobody can read it until it is filled again"))
                } else {
                    statement
                }]
            }
            Definition::View(_) => one(format!("DROP VIEW {shown}")),
            Definition::Routine(routine) => one(format!("DROP {} {shown}", routine.kind)),
            Definition::Aggregate { .. } => one(format!("DROP ROUTINE {shown}")),
            Definition::Trigger { .. } => one(format!("DROP TRIGGER {shown} ON {table}")),
            Definition::Rule { .. } => one(format!("DROP RULE {shown} ON {table}")),
            Definition::Policy(_) => one(format!("DROP POLICY {shown} ON {table}")),
            Definition::Statistics { .. } => one(format!("DROP STATISTICS {shown}")),
            Definition::EventTrigger { .. } => one(format!("DROP EVENT TRIGGER {shown}")),
        }
    }

    pub(super) fn alter(&self, key: &Key) -> Vec<Statement> {
        let (Some(before), Some(object)) = (self.old.objects.get(key), self.new.objects.get(key)) else { return Vec::new() };
        let (shown, table) = (&object.shown, Self::table(self.new, object));
        let one = |sql: String| vec![Statement::new(sql)];
        match (&before.definition, &object.definition) {
            (Definition::Extension { version: old, schema: old_schema, .. }, Definition::Extension { version, schema, .. }) => {
                let mut statements = Vec::new();
                if old_schema != schema {
                    statements.extend(one(format!("ALTER EXTENSION {shown} SET SCHEMA {schema}")));
                }
                if old != version {
                    statements.extend(one(format!("ALTER EXTENSION {shown} UPDATE TO {}", print::quote(version))));
                }
                statements
            }
            (Definition::Enum { labels: old }, Definition::Enum { labels }) => add_labels(shown, old, labels),
            (Definition::Composite { attributes: old }, Definition::Composite { attributes: new }) => alter_composite(shown, old, new),
            (Definition::Domain(old), Definition::Domain(new)) => alter_domain(shown, old, new),
            (Definition::Sequence(old), Definition::Sequence(new)) => {
                let mut statements = Vec::new();
                let words = number_words(&old.numbers, &new.numbers);
                if !words.is_empty() {
                    statements.extend(one(format!("ALTER SEQUENCE {shown} {}", words.join(" "))));
                }
                if old.unlogged != new.unlogged {
                    statements.extend(one(format!("ALTER SEQUENCE {shown} SET {}", if new.unlogged { "UNLOGGED" } else { "LOGGED" })));
                }
                statements
            }
            (Definition::Table(old), Definition::Table(new)) => self.alter_table(object, old, new),
            (Definition::Column(_), Definition::Column(_)) => self.alter_column(key),
            (Definition::Default { .. }, Definition::Default { .. }) => self.set_default(key),
            (Definition::Constraint(old), Definition::Constraint(new)) => self.alter_constraint(object, old, new),
            (Definition::Index(old), Definition::Index(new)) => {
                let target = |(number, target): &(i32, i32)| {
                    Statement::new(format!("ALTER INDEX {shown} ALTER COLUMN {number} SET STATISTICS {target}"))
                };
                let gone = old
                    .statistics
                    .iter()
                    .filter(|(number, _)| !new.statistics.iter().any(|(other, _)| other == number))
                    .map(|(number, _)| (*number, -1));
                let set = new.statistics.iter().filter(|entry| !old.statistics.contains(entry)).copied();
                gone.chain(set).map(|entry| target(&entry)).collect()
            }
            (Definition::View(old), Definition::View(new)) if new.materialized => {
                let (set, reset) = options(&old.options, &new.options);
                let mut statements: Vec<Statement> = Vec::new();
                statements.extend(set.map(|set| Statement::new(format!("ALTER MATERIALIZED VIEW {shown} SET ({set})"))));
                statements.extend(reset.map(|reset| Statement::new(format!("ALTER MATERIALIZED VIEW {shown} RESET ({reset})"))));
                if old.populated != new.populated {
                    let how = if new.populated { "" } else { " WITH NO DATA" };
                    statements.extend(one(format!("REFRESH MATERIALIZED VIEW {shown}{how}")));
                }
                statements
            }
            (Definition::View(old), Definition::View(new)) => {
                let mut statements = Vec::new();
                if old.definition != new.definition || old.options != new.options {
                    statements.push(create_view(shown, new, true));
                }
                let default = |view: &View, name: &str| {
                    view.columns.iter().flatten().find(|column| column.name == name).and_then(|column| column.default.clone())
                };
                for column in new.columns.iter().flatten() {
                    let was = default(old, &column.name);
                    if was != column.default {
                        let what =
                            column.default.as_ref().map_or_else(|| "DROP DEFAULT".to_owned(), |default| format!("SET DEFAULT {default}"));
                        statements.extend(one(format!("ALTER VIEW {shown} ALTER COLUMN {} {what}", column.name)));
                    }
                }
                statements
            }
            (Definition::Routine(_), Definition::Routine(routine)) => one(routine_text(shown, routine)),
            (Definition::Trigger { enabled: old, .. }, Definition::Trigger { enabled: new, .. }) => {
                switch(table, "TRIGGER", shown, *old, *new)
            }
            (Definition::Rule { enabled: old, .. }, Definition::Rule { enabled: new, .. }) => switch(table, "RULE", shown, *old, *new),
            (Definition::Policy(old), Definition::Policy(new)) => {
                let mut sql = format!("ALTER POLICY {shown} ON {table}");
                if old.roles != new.roles {
                    sql += &format!(" TO {}", new.roles.join(", "));
                }
                for (word, old, new) in [("USING", &old.using, &new.using), ("WITH CHECK", &old.check, &new.check)] {
                    if let (true, Some(new)) = (old != new, new) {
                        sql += &format!(" {word} {}", print::parenthesised(&print::lists(new)));
                    }
                }
                one(sql)
            }
            (Definition::Statistics { .. }, Definition::Statistics { target, .. }) => {
                one(format!("ALTER STATISTICS {shown} SET STATISTICS {}", target.unwrap_or(-1)))
            }
            (Definition::EventTrigger { enabled: old, .. }, Definition::EventTrigger { enabled: new, .. }) => {
                switch_event(shown, *old, *new)
            }
            _ => Vec::new(),
        }
    }
}

fn create_view(shown: &str, view: &View, replace: bool) -> Statement {
    let definition = print::lists(view.definition.trim().trim_end_matches(';'));
    let options = if view.options.is_empty() { String::new() } else { format!(" WITH ({})", view.options.join(", ")) };
    match view.materialized {
        true => {
            let method = view.access_method.as_ref().map(|method| format!(" USING {method}")).unwrap_or_default();
            let data = if view.populated { "" } else { "\nWITH NO DATA" };
            Statement::new(format!("CREATE MATERIALIZED VIEW {shown}{method}{options} AS\n{definition}{data}"))
        }
        false => Statement::new(format!("CREATE {}VIEW {shown}{options} AS\n{definition}", if replace { "OR REPLACE " } else { "" })),
    }
}

/// `pg_get_functiondef` without the schema that the search path finds anyway, and with plain dollar quotes.
fn routine_text(shown: &str, routine: &Routine) -> String {
    let qualified = format!("{} {}.", routine.kind, routine.schema);
    let mut text = routine.definition.trim_end().to_owned();
    if !shown.starts_with(&format!("{}.", routine.schema)) {
        text = text.replacen(&qualified, &format!("{} ", routine.kind), 1);
    }
    // The body is what stands between the last two: the server chooses a quote that the body does not hold.
    let quote = if routine.kind == "PROCEDURE" { "$procedure$" } else { "$function$" };
    match text.strip_suffix(quote).and_then(|rest| rest.rsplit_once(quote)) {
        Some((head, body)) if !text.contains("$$") => format!("{head}$${body}$$"),
        _ => text,
    }
}

fn create_policy(shown: &str, table: &str, policy: &Policy) -> String {
    let mut sql = format!("CREATE POLICY {shown} ON {table}");
    if !policy.permissive {
        sql += " AS RESTRICTIVE";
    }
    if policy.command != "ALL" {
        sql += &format!(" FOR {}", policy.command);
    }
    if policy.roles != ["PUBLIC"] {
        sql += &format!(" TO {}", policy.roles.join(", "));
    }
    if let Some(using) = &policy.using {
        sql += &format!(" USING {}", print::parenthesised(&print::lists(using)));
    }
    if let Some(check) = &policy.check {
        sql += &format!(" WITH CHECK {}", print::parenthesised(&print::lists(check)));
    }
    sql
}

fn firing(enabled: char) -> &'static str {
    match enabled {
        'D' => "DISABLE",
        'R' => "ENABLE REPLICA",
        'A' => "ENABLE ALWAYS",
        _ => "ENABLE",
    }
}

fn switch(table: &str, word: &str, shown: &str, old: char, new: char) -> Vec<Statement> {
    if old == new { Vec::new() } else { vec![Statement::new(format!("ALTER TABLE {table} {} {word} {shown}", firing(new)))] }
}

fn switch_event(shown: &str, old: char, new: char) -> Vec<Statement> {
    if old == new { Vec::new() } else { vec![Statement::new(format!("ALTER EVENT TRIGGER {shown} {}", firing(new)))] }
}

/// Options to set and options to take back, each as a list.
pub(super) fn options(old: &[String], new: &[String]) -> (Option<String>, Option<String>) {
    let name = |option: &str| option.split('=').next().unwrap_or(option).to_owned();
    let set: Vec<&str> = new.iter().filter(|option| !old.contains(option)).map(String::as_str).collect();
    let reset: Vec<String> = old.iter().map(|option| name(option)).filter(|old| !new.iter().any(|option| name(option) == *old)).collect();
    let list = |words: String| if words.is_empty() { None } else { Some(words) };
    (list(set.join(", ")), list(reset.join(", ")))
}
