//! Indexes that no constraint has.

use serde::{Deserialize, Serialize};

use super::context::{Action, EmitContext, Form};
use super::interface::{AlterRules, Facts, ObjectDefinition, ObjectStep, StatementNode, Subject};
use crate::model::Key;
use crate::model::hazard::Danger;
use crate::model::index_text::{create_index, create_index_concurrently, is_on_only};
use crate::model::statement::EmittedStatement;

/// An index that no constraint has.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct Index {
    pub table: String,
    pub definition: String,
    pub unique: bool,
    pub valid: bool,
    pub statistics: Vec<(i32, i32)>,
}

impl ObjectDefinition for Index {
    const FACTS: Facts = Facts::of("index");

    fn address(&self, subject: Subject<'_>) -> String {
        format!("INDEX {}", subject.shown())
    }

    fn expressions(&mut self) -> Vec<&mut String> {
        vec![&mut self.definition]
    }

    fn can_alter(&self, new: &Self, _rules: AlterRules) -> bool {
        self.table == new.table && self.definition == new.definition && self.valid == new.valid
    }

    fn build<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let Some(replacement) = context.replacements.built.get(subject.key) else { return Vec::new() };
        vec![self.create_concurrently(Some(&replacement.built_as))]
    }

    fn can_be_built_beside<'c>(&self, _subject: Subject<'c>, _context: &EmitContext<'c>) -> bool {
        self.valid && !is_on_only(&self.definition)
    }

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let create = EmittedStatement::create(create_index(&self.definition));
        let first = match context.replacements.built.get(subject.key) {
            Some(replacement) if replacement.built_as == subject.key.bare() => None,
            Some(replacement) => {
                let schema = subject.shown().strip_suffix(subject.key.bare()).unwrap_or_default();
                let sql = format!("ALTER INDEX {schema}{} RENAME TO {}", replacement.built_as, subject.key.bare());
                Some(EmittedStatement::rename(sql).in_either())
            }
            None if context.is_part_of_created(subject.object) => Some(create),
            None if self.is_stepwise(ObjectStep::Create, subject, context) && context.action(subject.key) == Action::Create => {
                Some(self.create_concurrently(None))
            }
            None => Some(create.with(Danger::Lock, "nobody can write to the table until the index is built")),
        };
        let statistics = self.statistics.iter().map(|statistics| set_statistics(subject, *statistics).in_either());
        first.into_iter().chain(statistics).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        // One that is recreated in a transaction is in the way of another statement.
        let stays_until_built = context.action(subject.key) == Action::Drop || context.replacements.built.contains_key(subject.key);
        let concurrently =
            stays_until_built && !context.replacements.is_swapped(subject.key) && self.is_stepwise(ObjectStep::Drop, subject, context);
        vec![match concurrently {
            true => EmittedStatement::drop(format!("DROP INDEX CONCURRENTLY {shown}")).stepwise(),
            false => EmittedStatement::drop(format!("DROP INDEX {shown}")),
        }]
    }

    fn alter<'c>(&self, new: &Self, subject: Subject<'c>, _context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let gone = self.statistics.iter().filter(|(number, _)| !new.statistics.iter().any(|(other, _)| other == number));
        let set = new.statistics.iter().filter(|statistics| !self.statistics.contains(statistics)).copied();
        gone.map(|(number, _)| (*number, -1)).chain(set).map(|statistics| set_statistics(subject, statistics)).collect()
    }

    fn rename(&self, _table: &str, from: &str, to: &str) -> Option<String> {
        Some(format!("ALTER INDEX {from} RENAME TO {to}"))
    }

    fn followed_table<'o>(&'o self, parent: Option<&'o Key>) -> Option<&'o str> {
        parent.map(|table| &*table.name)
    }

    fn without_name(&self, key: &Key) -> Self {
        Self { definition: self.definition.replacen(&format!(" {} ON ", key.bare()), " ON ", 1), ..self.clone() }
    }

    fn created_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<StatementNode<'c>> {
        Some((ObjectStep::Alter, context.detached_with(subject)?))
    }

    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        context.dropped_with_table_or_column(subject)
    }
}

impl Index {
    fn create_concurrently(&self, name: Option<&str>) -> EmittedStatement {
        let create = EmittedStatement::create(create_index_concurrently(&self.definition, name)).stepwise();
        if self.unique { create.with(Danger::MayFail, "it fails if two rows are alike") } else { create }
    }

    /// Whether a step is done CONCURRENTLY.
    fn is_stepwise<'c>(&self, step: ObjectStep, subject: Subject<'c>, context: &EmitContext<'c>) -> bool {
        context.options.form == Form::Online && !is_on_only(&self.definition) && !context.replacements.is_in_transaction(step, subject.key)
    }
}

fn set_statistics(subject: Subject<'_>, (number, target): (i32, i32)) -> EmittedStatement {
    EmittedStatement::alter(format!("ALTER INDEX {} ALTER COLUMN {number} SET STATISTICS {target}", subject.shown()))
}
