//! Views and materialized views.

use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::EmitContext;
use super::interface::{AlterRules, Effect, Facts, Grants, ObjectDefinition, Subject, TypeChange};
use crate::model::Attribute;
use crate::model::hazard::Danger;
use crate::model::rights::RightsClass;
use crate::model::sql_text::{lists, options};
use crate::model::statement::EmittedStatement;

/// A view, materialized or not.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct View {
    pub materialized: bool,
    pub populated: bool,
    pub definition: String,
    pub options: Vec<String>,
    pub access_method: Option<String>,
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
        [create].into_iter().chain(defaults.map(|column| set_default(subject.shown(), column))).collect()
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
