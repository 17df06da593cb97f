//! Views and materialized views.

use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, Grants, ObjectDefinition, Subject, TypeChange};
use crate::model::hazard::Danger;
use crate::model::rights::RightsClass;
use crate::model::sql_text::{lists, options};
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, AttributeSettings};

/// A view, materialized or not.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct View {
    pub materialized: bool,
    pub populated: bool,
    pub definition: String,
    pub options: Vec<String>,
    pub access_method: Option<String>,
    pub clustered_on: Option<String>,
    pub columns: Option<Vec<Attribute>>,
}

impl ObjectDefinition for View {
    const FACTS: Facts = Facts {
        grants: Grants::On("", RightsClass::Tables),
        is_named_in_routines: true,
        runs_code: true,
        can_be_renamed: true,
        ..Facts::of("view")
    };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("{} {}", self.words(), subject.shown())
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        vec![&mut self.definition]
    }

    fn attributes(&self) -> &[Attribute] {
        self.columns.as_deref().unwrap_or_default()
    }

    fn attributes_mut(&mut self) -> &mut [Attribute] {
        self.columns.as_deref_mut().unwrap_or_default()
    }

    /// Whether a materialized view was ever filled.
    fn forget_data(&mut self) {
        self.populated = true;
    }

    /// CREATE OR REPLACE VIEW can add columns at the end.
    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        if self.materialized || new.materialized {
            return self.materialized == new.materialized && self.definition == new.definition && self.access_method == new.access_method;
        }
        let same = |(a, b): (&Attribute, &Attribute)| a.name == b.name && a.type_name == b.type_name && a.collation == b.collation;
        self.attributes().len() <= new.attributes().len() && self.attributes().iter().zip(new.attributes()).all(same)
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let defaults = self.attributes().iter().filter(|column| column.default.is_some());
        let before = context.old.objects.get(subject.key).map(|old| old.definition());
        let before = if let Some(Definition::View(before)) = before { Some(before) } else { None };
        let create = self.change_security(before, self.create_view(subject.shown(), false));
        let defaults = defaults.map(|column| set_default(subject.shown(), column));
        let settings = self.attributes().iter().flat_map(|column| change_settings(subject.shown(), None, column));
        [create].into_iter().chain(defaults).chain(settings).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let statement = EmittedStatement::drop(format!("DROP {} {}", self.words(), subject.shown()));
        vec![match self.materialized && context.is_created(subject.key) {
            true => statement.with(Danger::Lock, "nobody can read it until it is filled again"),
            false => statement,
        }]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let mut statements: Vec<EmittedStatement> = Vec::new();
        if new.materialized {
            let (set, reset) = options(&self.options, &new.options);
            statements.extend(set.map(|set| EmittedStatement::alter(format!("ALTER MATERIALIZED VIEW {shown} SET ({set})"))));
            statements.extend(reset.map(|reset| EmittedStatement::alter(format!("ALTER MATERIALIZED VIEW {shown} RESET ({reset})"))));
            for column in new.attributes() {
                let before = self.attributes().iter().find(|before| before.name == column.name);
                statements.extend(change_settings(shown, before, column));
            }
            if self.populated != new.populated {
                let how = if new.populated { "" } else { " WITH NO DATA" };
                statements.push(EmittedStatement::alter(format!("REFRESH MATERIALIZED VIEW {shown}{how}")));
            }
            return statements;
        }
        if self.definition != new.definition || self.options != new.options {
            statements.push(new.change_security(Some(self), new.create_view(shown, true)));
        }
        let default = |name: &str| self.attributes().iter().find(|column| column.name == name).and_then(|column| column.default.as_ref());
        let changed = new.attributes().iter().filter(|column| default(&column.name) != column.default.as_ref());
        statements.extend(changed.map(|column| set_default(shown, column)));
        statements
    }

    /// The clustering of a materialized view, which names an index.
    fn set_flags<'c>(&self, old: Option<&Self>, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let what = match (old.and_then(|old| old.clustered_on.as_deref()), self.clustered_on.as_deref()) {
            (old, Some(new)) if old != Some(new) || context.has_created_index(subject.key, new) => format!("CLUSTER ON {new}"),
            (Some(_), None) => "SET WITHOUT CLUSTER".to_owned(),
            _ => return Vec::new(),
        };
        vec![EmittedStatement::alter(format!("ALTER MATERIALIZED VIEW {} {what}", subject.shown()))]
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER {} {from} RENAME TO {to}", self.words()))
    }

    fn when_retyped(&self, _change: &TypeChange<'_>) -> Effect {
        Effect::Recreated
    }
}

impl View {
    fn words(&self) -> &'static str {
        if self.materialized { "MATERIALIZED VIEW" } else { "VIEW" }
    }

    /// Whether an option is on.
    fn is_on(&self, option: &str) -> bool {
        let value = self.options.iter().find_map(|set| set.strip_prefix(option)?.strip_prefix('='));
        value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "on" | "yes" | "1"))
    }

    /// The statement that creates or replaces the view, tagged if roles may then read more or less than through the old one.
    fn change_security(&self, old: Option<&Self>, statement: EmittedStatement) -> EmittedStatement {
        let Some(old) = old else { return statement };
        let options = [
            (
                "security_invoker",
                "the view reads its tables with the rights of the role that queries it",
                "the view reads its tables with the rights of its owner",
            ),
            (
                "security_barrier",
                "functions in a query no longer see rows that the view hides",
                "functions in a query can see rows that the view hides",
            ),
        ];
        options.into_iter().fold(statement, |statement, (option, on, off)| match (old.is_on(option), self.is_on(option)) {
            (false, true) => statement.with(Danger::AuthorizationChange, on),
            (true, false) => statement.with(Danger::AuthorizationChange, off),
            (true, true) | (false, false) => statement,
        })
    }

    fn create_view(&self, shown: &str, replace: bool) -> EmittedStatement {
        let definition = lists(self.definition.trim().trim_end_matches(';'));
        let options = if self.options.is_empty() { String::new() } else { format!(" WITH ({})", self.options.join(", ")) };
        EmittedStatement::create(match self.materialized {
            true => {
                let method = self.access_method.as_ref().map(|method| format!(" USING {method}")).unwrap_or_default();
                let data = if self.populated { "" } else { "\nWITH NO DATA" };
                format!("CREATE MATERIALIZED VIEW {shown}{method}{options} AS\n{definition}{data}")
            }
            false => format!("CREATE {}VIEW {shown}{options} AS\n{definition}", if replace { "OR REPLACE " } else { "" }),
        })
    }
}

fn set_default(view: &str, column: &Attribute) -> EmittedStatement {
    let what = column.default.as_ref().map_or_else(|| "DROP DEFAULT".to_owned(), |default| format!("SET DEFAULT {default}"));
    EmittedStatement::alter(format!("ALTER VIEW {view} ALTER COLUMN {} {what}", column.name))
}

/// From the settings of a materialized view's column to those of `new`.
fn change_settings(view: &str, old: Option<&Attribute>, new: &Attribute) -> Vec<EmittedStatement> {
    let (before, after) = (old.and_then(|old| old.settings.as_ref()), new.settings.as_ref());
    let Some(any) = after.or(before).filter(|_| before != after) else { return Vec::new() };
    let none = AttributeSettings { storage: None, compression: None, statistics: None, options: Vec::new(), ..any.clone() };
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let mut words = Vec::new();
    if before.storage != after.storage {
        words.push(format!("SET STORAGE {}", after.storage.as_ref().unwrap_or(&after.usual_storage.0)));
    }
    if before.compression != after.compression {
        words.push(format!("SET COMPRESSION {}", after.compression.as_deref().unwrap_or("default")));
    }
    if before.statistics != after.statistics {
        words.push(format!("SET STATISTICS {}", after.statistics.unwrap_or(-1)));
    }
    let (set, reset) = options(&before.options, &after.options);
    words.extend(set.map(|set| format!("SET ({set})")));
    words.extend(reset.map(|reset| format!("RESET ({reset})")));
    let alter = |what: String| EmittedStatement::alter(format!("ALTER MATERIALIZED VIEW {view} ALTER COLUMN {} {what}", new.name));
    words.into_iter().map(alter).collect()
}
