//! Indexes that no constraint has.

use serde::{Deserialize, Serialize};

use super::context::{Action, EmitContext, Form};
use super::interface::{AlterRules, Facts, ObjectDefinition, Subject};
use crate::model::Key;
use crate::model::hazard::Danger;
use crate::model::index_text::{create_index, is_on_only};
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

    fn create<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let create = |concurrently: bool| EmittedStatement::create(create_index(&self.definition, concurrently));
        let is_new = context.is_part_of_created(subject.object);
        let first = match (is_new, context.options.form) {
            (false, Form::Online) if !is_on_only(&self.definition) => create(true).later(),
            (true, _) => create(false),
            (false, _) => create(false).with(Danger::Lock, "nobody can write to the table until the index is built"),
        };
        [first].into_iter().chain(self.statistics.iter().map(|statistics| set_statistics(subject, *statistics))).collect()
    }

    fn drop<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let shown = subject.shown();
        // One that is recreated is in the way of another statement.
        vec![match (context.options.form, context.action(subject.key)) {
            (Form::Online, Action::Drop) if !is_on_only(&self.definition) => {
                EmittedStatement::drop(format!("DROP INDEX CONCURRENTLY {shown}")).later()
            }
            _ => EmittedStatement::drop(format!("DROP INDEX {shown}")),
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

    fn dropped_by<'c>(&self, subject: Subject<'c>, context: &EmitContext<'c>) -> Option<&'c Key> {
        context.dropped_with_table_or_column(subject)
    }
}

fn set_statistics(subject: Subject<'_>, (number, target): (i32, i32)) -> EmittedStatement {
    EmittedStatement::alter(format!("ALTER INDEX {} ALTER COLUMN {number} SET STATISTICS {target}", subject.shown()))
}
