//! Defaults of columns.

use serde::{Deserialize, Serialize};

use super::context::{Action, EmitContext};
use super::interface::{AlterRules, Effect, Facts, ObjectDefinition, ObjectStep, StatementNode, Subject, TypeChange};
use super::sequence_position::SequenceSource;
use crate::model::sql_text::expression;
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Key};

/// The default of a column.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct ColumnDefault {
    pub expression: String,
}

impl ObjectDefinition for ColumnDefault {
    const FACTS: Facts = Facts::of("default of");

    fn address(&self, subject: Subject<'_>) -> String {
        format!("COLUMN {}.{}", subject.parent, subject.shown())
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        vec![&mut self.expression]
    }

    fn can_alter(&self, _new: &Self, _rules: AlterRules) -> bool {
        true
    }

    /// SET DEFAULT; a sequence then continues after the values that the column has.
    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let Some(column) = column(context.new, subject) else { return Vec::new() };
        let Some(definition) = column.object.definition().as_column() else { return Vec::new() };
        let default = expression(&self.expression, &definition.type_name);
        let set = EmittedStatement::alter(format!("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {default}", column.parent, column.shown()));
        let source = SequenceSource::of(context.new, column.key);
        let is_new = |source: &SequenceSource<'c>| {
            source.key.and_then(|sequence| context.new_sources.get(sequence)).is_some_and(|columns| columns.contains(&column.key))
        };
        let advance = source.filter(is_new).and_then(|source| source.advance(column.key, context));
        [set].into_iter().chain(advance).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let Some(column) = column(context.old, subject) else { return Vec::new() };
        vec![EmittedStatement::alter(format!("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT", column.parent, column.shown()))]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        new.create(subject, context)
    }

    fn when_retyped(&self, change: &TypeChange<'_>) -> Effect {
        let stays = |later: &str| later == self.expression && change.is_between_integers();
        if change.new_default.is_none_or(stays) { Effect::Unaffected } else { Effect::Recreated }
    }

    /// In a column's ADD COLUMN or its table's CREATE; an inherited one with that of the parent table.
    fn created_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        let column = subject.object.parent.as_ref()?;
        let is_with_column = context.is_created(column).then_some((ObjectStep::Create, column));
        let inherited_from = context.inherited_from(context.new, column).filter(|_| context.new.is_inherited(column));
        let Some(above) = inherited_from else { return is_with_column };
        let (same, _) = context.new.default_of(above).filter(|(_, theirs)| *theirs == self.expression)?;
        match context.action(same) {
            // A new partition or child gets it in its own CREATE, which comes after that of the parent table.
            _ if context.new.objects.get(column).is_some_and(|column| context.is_part_of_created(column)) => is_with_column,
            Action::Keep | Action::Drop => is_with_column,
            Action::Alter => Some((ObjectStep::Alter, same)),
            Action::Create | Action::Recreate => Some((ObjectStep::Create, same)),
        }
    }

    fn altered_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        let column = subject.object.parent.as_ref()?;
        let above = context.inherited_from(context.new, column).filter(|_| context.new.is_inherited(column))?;
        let (same, _) = context.new.default_of(above)?;
        context.altered_like(subject.key, same)
    }

    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        let column = subject.object.parent.as_ref()?;
        if context.is_dropped(column) {
            return Some(column);
        }
        if !context.old.is_inherited(column) {
            return None;
        }
        let (above, _) = context.old.default_of(context.inherited_from(context.old, column)?)?;
        (context.action(above) == Action::Drop).then_some(above)
    }

    /// It has no name.
    fn reserved_name(&self, _subject: Subject<'_>) -> Option<String> {
        None
    }
}

fn column<'c>(catalog: &'c Catalog, default: Subject<'c>) -> Option<Subject<'c>> {
    catalog.subject(default.object.parent.as_ref()?)
}
