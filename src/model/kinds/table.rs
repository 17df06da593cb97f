//! Tables, with the parts that are written in their CREATE.

use serde::{Deserialize, Serialize};

use super::Definition;
use super::constraint::Constraint;
use super::context::{Action, EmitContext};
use super::interface::{AlterRules, Effect, Facts, Grants, ObjectDefinition, Subject};
use crate::model::ObjectKind;
use crate::model::hazard::Danger;
use crate::model::rights::RightsClass;
use crate::model::sql_text::{self, bare_name, options, with_suffix};
use crate::model::statement::EmittedStatement;

/// A table without its parts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Table {
    pub unlogged: bool,
    pub partition_key: Option<String>,
    pub bound: Option<String>,
    /// Full name, and name as shown.
    pub parents: Vec<(String, String)>,
    pub replica_identity: String,
    pub clustered_on: Option<String>,
    pub options: Vec<String>,
    pub row_security: bool,
    pub force_row_security: bool,
    pub access_method: Option<String>,
}

impl ObjectDefinition for Table {
    const FACTS: Facts =
        Facts { grants: Grants::On("", RightsClass::Tables), is_named_in_routines: true, can_be_renamed: true, ..Facts::of("table") };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("TABLE {}", subject.shown())
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        self.partition_key.iter_mut().collect()
    }

    fn can_alter(&self, new: &Self, rules: AlterRules) -> bool {
        self.partition_key == new.partition_key && (self.access_method == new.access_method || rules.server >= 150_000)
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let name = subject.shown();
        let mut columns: Vec<Subject<'c>> =
            context.parts.of(subject.key, ObjectKind::Column).filter_map(|(key, _)| context.new.subject(key)).collect();
        columns.sort_by_key(|column| column.object.position);
        let mut statements = vec![EmittedStatement::create(self.create_table(subject, &columns, context))];
        for column in &columns {
            let Definition::Column(own) = column.object.definition() else { continue };
            match context.inherited_from(context.new, column.key).filter(|_| own.inherited.0) {
                Some(above) => {
                    let Some(Definition::Column(theirs)) = context.new.objects.get(above).map(|above| above.definition()) else { continue };
                    let mut theirs = theirs.clone();
                    theirs.identity = own.identity.clone();
                    theirs.generated = own.generated.clone();
                    statements.extend(theirs.alterations(own, *column, context));
                }
                None => statements.extend(own.rest_of_create(*column, context)),
            }
        }
        statements.extend(row_security(name, None, self));
        statements
    }

    /// DROP TABLE of a partition would lock the whole partitioned table.
    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let statement = EmittedStatement::drop(format!("DROP TABLE {}", subject.shown()));
        let drop = statement.with(Danger::DataLoss, "the table's rows are gone; the way down makes it empty");
        let detach = self.detach_concurrently(subject, context).filter(|_| context.action(subject.key) == Action::Drop);
        detach.into_iter().chain([drop]).collect()
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let (name, old) = (subject.shown(), self);
        let alter = |what: String| EmittedStatement::alter(format!("ALTER TABLE {name} {what}"));
        let mut statements = Vec::new();
        if old.access_method != new.access_method {
            statements.push(alter(format!("SET ACCESS METHOD {}", new.access_method.as_deref().unwrap_or("heap"))));
        }
        let (set, reset) = options(&old.options, &new.options);
        statements.extend(reset.map(|reset| alter(format!("RESET ({reset})"))));
        statements.extend(set.map(|set| alter(format!("SET ({set})"))));
        if old.unlogged != new.unlogged {
            let what = if new.unlogged { "SET UNLOGGED" } else { "SET LOGGED" };
            let text = "the table and its indexes are written anew under ACCESS EXCLUSIVE";
            statements.push(alter(what.to_owned()).with(Danger::Rewrite, text));
        }
        statements.extend(row_security(name, Some(old), new));
        if old.parents != new.parents || old.bound != new.bound {
            statements.extend(old.move_partition(new, subject, context));
        }
        statements
    }

    /// Replica identity and clustering, which name an index.
    fn set_flags<'c>(&self, old: Option<&Self>, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let alter = |what: String| EmittedStatement::alter(format!("ALTER TABLE {} {what}", subject.shown()));
        let is_recreated = |index: &str| context.has_created_index(subject.key, index);
        let mut statements = Vec::new();
        let before = old.map_or("DEFAULT", |old| old.replica_identity.as_str());
        let again = self.replica_identity.strip_prefix("USING INDEX ").is_some_and(is_recreated);
        if before != self.replica_identity || again {
            statements.push(alter(format!("REPLICA IDENTITY {}", self.replica_identity)));
        }
        match (old.and_then(|old| old.clustered_on.as_deref()), self.clustered_on.as_deref()) {
            (old, Some(new)) if old != Some(new) || is_recreated(new) => statements.push(alter(format!("CLUSTER ON {new}"))),
            (Some(_), None) => statements.push(alter("SET WITHOUT CLUSTER".to_owned())),
            _ => {}
        }
        statements
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER TABLE {from} RENAME TO {to}"))
    }

    /// A table that merely was a child or a partition of another stays.
    fn when_dropped(&self, new: &Self, _dependency: ObjectKind) -> Effect {
        if self.parents == new.parents { Effect::Recreated } else { Effect::Unaffected }
    }
}

impl Table {
    /// CREATE TABLE with its columns and the constraints that can be written there.
    fn create_table<'c>(&self, subject: Subject<'c>, columns: &[Subject<'c>], context: &EmitContext<'c>) -> String {
        let name = subject.shown();
        let keys = context.inline.get(subject.key).map(Vec::as_slice).unwrap_or_default();
        let constraint = |key: &&'c crate::model::Key| {
            let object = context.new.objects.get(*key)?;
            if let Definition::Constraint(constraint) = object.definition() { Some((&*object.shown, constraint)) } else { None }
        };
        let constraints: Vec<(&str, &Constraint)> = keys.iter().filter_map(constraint).collect();
        // A primary key of one column with the usual name stands beside it.
        let plain_key = constraints.iter().find_map(|(shown, constraint)| {
            let column = constraint.definition.strip_prefix("PRIMARY KEY (")?.strip_suffix(')')?;
            let usual = *shown == with_suffix(bare_name(name), "_pkey");
            let is_own = |other: &Subject<'_>| other.shown() == column && !context.new.is_inherited(other.key);
            (usual && !column.contains(',') && columns.iter().any(is_own)).then_some(column)
        });
        let primary: Vec<&str> = constraints
            .iter()
            .filter(|(_, constraint)| constraint.kind == 'p')
            .filter_map(|(_, constraint)| constraint.definition.strip_prefix("PRIMARY KEY (")?.split(')').next())
            .flat_map(|list| list.split(", "))
            .collect();
        let mut lines = Vec::new();
        for column in columns {
            let Definition::Column(definition) = column.object.definition() else { continue };
            if definition.inherited.0 {
                continue;
            }
            let mut line = definition.words(*column, context, primary.contains(&column.shown()));
            if plain_key == Some(column.shown()) {
                line += " PRIMARY KEY";
            }
            lines.push(line);
        }
        let named = constraints.iter().filter(|(_, constraint)| plain_key.is_none() || constraint.kind != 'p');
        lines.extend(named.map(|(shown, constraint)| format!("CONSTRAINT {shown} {}", sql_text::constraint(&constraint.definition))));
        let body = lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join(",\n");
        let mut sql = format!("CREATE {}TABLE {name}", if self.unlogged { "UNLOGGED " } else { "" });
        match (&self.bound, self.parents.first()) {
            (Some(bound), Some((_, parent))) => {
                sql += &format!(" PARTITION OF {parent}");
                if !lines.is_empty() {
                    sql += &format!(" (\n{body}\n)");
                }
                sql += &format!("\n    {bound}");
            }
            _ => {
                sql += &if lines.is_empty() { " ()".to_owned() } else { format!(" (\n{body}\n)") };
                if !self.parents.is_empty() {
                    let parents: Vec<&str> = self.parents.iter().map(|(_, shown)| shown.as_str()).collect();
                    sql += &format!(" INHERITS ({})", parents.join(", "));
                }
            }
        }
        if let Some(partition_key) = &self.partition_key {
            sql += &format!(" PARTITION BY {partition_key}");
        }
        if let Some(method) = &self.access_method {
            sql += &format!(" USING {method}");
        }
        if !self.options.is_empty() {
            sql += &format!(" WITH ({})", self.options.join(", "));
        }
        sql
    }
}

fn row_security(name: &str, old: Option<&Table>, new: &Table) -> Vec<EmittedStatement> {
    let switch = |was: bool, is: bool, on: (&str, &str), off: (&str, &str)| {
        let (word, text) = if is { on } else { off };
        let statement = EmittedStatement::alter(format!("ALTER TABLE {name} {word} ROW LEVEL SECURITY"));
        let tagged = if old.is_some() { statement.with(Danger::AuthorizationChange, text) } else { statement };
        (was != is).then_some(tagged)
    };
    let enable = switch(
        old.is_some_and(|old| old.row_security),
        new.row_security,
        ("ENABLE", "other roles than the owner see and change only the rows that a policy allows"),
        ("DISABLE", "policies no longer apply: roles with rights on the table see and change all rows"),
    );
    let force = switch(
        old.is_some_and(|old| old.force_row_security),
        new.force_row_security,
        ("FORCE", "policies apply to the owner too"),
        ("NO FORCE", "policies no longer apply to the owner"),
    );
    enable.into_iter().chain(force).collect()
}
