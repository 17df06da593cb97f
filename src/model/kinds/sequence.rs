//! Sequences, and how they count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Definition;
use super::context::EmitContext;
use super::enum_type::{drop_or_rename, drop_renamed};
use super::interface::{AlterRules, Effect, Facts, Grants, ObjectDefinition, ObjectStep, StatementNode, Subject};
use super::sequence_numbers::SequenceNumbers;
use super::sequence_position::{SequenceSource, change_numbers};
use crate::model::hazard::Danger;
use crate::model::rights::RightsClass;
use crate::model::sql_text::{bare_name, renamed_away, usual_sequence_name};
use crate::model::statement::EmittedStatement;
use crate::model::{Key, ObjectKind};

/// A sequence that is no identity column's.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Sequence {
    pub numbers: SequenceNumbers,
    pub unlogged: bool,
    /// Table's full name, table as shown, column as shown.
    pub owned_by: Option<(String, String, String)>,
}

impl Sequence {
    fn owner(&self) -> Option<(&str, &str)> {
        self.owned_by.as_ref().map(|(table, _, column)| (table.as_str(), column.as_str()))
    }
}

impl ObjectDefinition for Sequence {
    const FACTS: Facts = Facts {
        grants: Grants::On("SEQUENCE ", RightsClass::Sequences),
        is_named_in_routines: true,
        can_be_renamed: true,
        ..Facts::of("sequence")
    };

    fn address(&self, subject: Subject<'_>) -> String {
        format!("SEQUENCE {}", subject.shown())
    }

    fn can_alter(&self, _new: &Self, _rules: AlterRules) -> bool {
        true
    }

    /// CREATE, at the position of those that it replaces.
    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let mut words = vec![format!("CREATE {}SEQUENCE {shown}", if self.unlogged { "UNLOGGED " } else { "" })];
        if self.numbers.type_name != "bigint" {
            words.push(format!("AS {}", self.numbers.type_name));
        }
        words.extend(self.numbers.options_of_new());
        let mut statements = vec![EmittedStatement::create(words.join(" "))];
        let columns = context.new_sources.get(subject.key).map(Vec::as_slice).unwrap_or_default();
        if let Some(new) = columns.first().and_then(|column| SequenceSource::of(context.new, column)) {
            let is_identity =
                |column: &&Key| SequenceSource::of(context.old, column).is_some_and(|old| old.key.is_none() && old.name == shown);
            if columns.iter().any(is_identity) {
                let rename = format!("ALTER SEQUENCE {shown} RENAME TO {}", renamed_away(shown, &context.old_suffix).1);
                statements.insert(0, EmittedStatement::rename(rename));
            }
            statements.extend(new.continue_from(columns, context));
        }
        statements
    }

    /// DROP; if another sequence continues it, when that has its position.
    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        drop_or_rename("SEQUENCE", subject, context)
            .into_iter()
            .map(|statement| match context.actions.is_renamed_away(subject.key) {
                true => statement,
                false => statement.with(Danger::DataLoss, "the sequence's position is lost"),
            })
            .collect()
    }

    fn drop_renamed(&self, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        drop_renamed("SEQUENCE", subject, context)
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        let mut words: Vec<String> = self.numbers.type_option(&new.numbers).into_iter().collect();
        words.extend(self.numbers.options(&new.numbers));
        let write = |restart: Option<&str>| {
            let words: Vec<&str> = words.iter().map(String::as_str).chain(restart).collect();
            (!words.is_empty()).then(|| EmittedStatement::alter(format!("ALTER SEQUENCE {shown} {}", words.join(" "))))
        };
        let mut statements = change_numbers(shown, (&self.numbers, &new.numbers), write);
        if (self.numbers.increment < 0) != (new.numbers.increment < 0) {
            for column in context.new_sources.get(subject.key).into_iter().flatten() {
                statements.extend(SequenceSource::of(context.new, column).and_then(|source| source.advance(column, context)));
            }
        }
        if self.unlogged != new.unlogged {
            let what = if new.unlogged { "UNLOGGED" } else { "LOGGED" };
            statements.push(EmittedStatement::alter(format!("ALTER SEQUENCE {shown} SET {what}")));
        }
        statements
    }

    fn attach(&self, old: Option<&Self>, subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
        if context.serials.contains_key(subject.key) || old.and_then(Self::owner) == self.owner() {
            return Vec::new();
        }
        let owner = self.owned_by.as_ref().map_or_else(|| "NONE".to_owned(), |(_, table, column)| format!("{table}.{column}"));
        vec![EmittedStatement::alter(format!("ALTER SEQUENCE {} OWNED BY {owner}", subject.shown()))]
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER SEQUENCE {from} RENAME TO {to}"))
    }

    fn when_dropped(&self, new: &Self, _dependency: ObjectKind) -> Effect {
        if self.owned_by == new.owned_by { Effect::Recreated } else { Effect::Unaffected }
    }

    /// It is owned by its column only when both are there.
    fn is_attached_to(&self, dependency: ObjectKind) -> bool {
        matches!(dependency, ObjectKind::Column | ObjectKind::Table)
    }

    fn created_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        context.serials.get(subject.key).map(|column| (ObjectStep::Create, *column))
    }

    /// The column that owns it.
    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        let column = subject.object.needs().find(|need| need.kind == ObjectKind::Column && context.is_dropped(need))?;
        let object = context.old.objects.get(column)?;
        let table = object.parent.as_ref()?;
        (self.owner() == Some((&table.name, &object.shown))).then_some(column)
    }
}

/// Columns that can be written as `serial`, with their sequences.
pub(in crate::model) fn find_serials<'c>(context: &EmitContext<'c>) -> BTreeMap<&'c Key, &'c Key> {
    let mut serials = BTreeMap::new();
    for (key, object) in &context.new.objects {
        let Definition::Sequence(sequence) = object.definition() else { continue };
        let Some((table_name, column_name)) = sequence.owner() else { continue };
        let column = Key { kind: ObjectKind::Column, name: format!("{table_name}.{column_name}").into() };
        let Some(column) = context.new.subject(&column) else { continue };
        let Definition::Column(definition) = column.object.definition() else { continue };
        let created = context.is_created(key) && context.is_created(column.key) && !definition.inherited.0;
        let plain =
            sequence.numbers == SequenceNumbers::by_default(&definition.type_name) && !sequence.unlogged && definition.identity.is_none();
        let (table, own) = (column.parent, column.shown());
        let usual = usual_sequence_name(bare_name(table), own);
        let named = object.shown.strip_suffix(&*usual).is_some_and(|schema| table.strip_suffix(bare_name(table)) == Some(schema));
        let next = format!("nextval('{}'::regclass)", object.shown);
        let counted = context.new.default_of(column.key).is_some_and(|(_, expression)| expression == next);
        let not_null = definition.not_null.as_ref().is_some_and(|not_null| not_null.name.is_none() && not_null.valid);
        if created && plain && named && counted && not_null {
            serials.insert(key, column.key);
        }
    }
    serials
}
