//! The identity of a column moves to another one: a new sequence under the old one's name, which continues where that one was.

use super::names::UsedNames;
use crate::model::kinds::{IdentityColumn, SequenceNumbers};
use crate::model::sql_text::{bare_name, quote};
use crate::model::statement::EmittedStatement;

/// An identity that moves between a column and the second one.
pub(super) struct IdentityMove {
    always: bool,
    /// How the sequence counts before and after.
    before: SequenceNumbers,
    pub(super) after: SequenceNumbers,
    /// The sequence, as SQL names it.
    sequence: String,
    /// The name of the other sequence until it is dropped: without and with a schema.
    aside: (String, String),
}

impl IdentityMove {
    /// `wanted` is how the model's sequence counts, if it has one.
    pub(super) fn of(
        identity: &IdentityColumn,
        wanted: Option<SequenceNumbers>,
        [old_type, new_type]: [&str; 2],
        schema: &str,
        names: &mut UsedNames,
    ) -> Self {
        let before = identity.numbers.clone();
        let (old_usual, new_usual) = (SequenceNumbers::by_default(old_type), SequenceNumbers::by_default(new_type));
        let after = wanted.unwrap_or_else(|| SequenceNumbers {
            type_name: new_usual.type_name,
            max: if before.max == old_usual.max { new_usual.max } else { before.max },
            ..before.clone()
        });
        let sequence = identity.sequence.clone();
        let bare = names.unused(bare_name(&sequence), "old");
        let aside = (bare.clone(), format!("{schema}{bare}"));
        Self { always: identity.always, before, after, sequence, aside }
    }

    /// From the column of the old type to that of the new one.
    pub(super) fn forward(&self, table: &str, to: &str) -> Vec<EmittedStatement> {
        self.statements(table, to, &self.after)
    }

    /// And back.
    pub(super) fn back(&self, table: &str, to: &str) -> Vec<EmittedStatement> {
        self.statements(table, to, &self.before)
    }

    fn statements(&self, table: &str, to: &str, numbers: &SequenceNumbers) -> Vec<EmittedStatement> {
        let (sequence, (bare, aside)) = (&self.sequence, &self.aside);
        let generated = if self.always { "ALWAYS" } else { "BY DEFAULT" };
        let options: String = numbers.options_of_new().iter().map(|word| format!(" {word}")).collect();
        vec![
            // It is locked from here on.
            EmittedStatement::rename(format!("ALTER SEQUENCE {sequence} RENAME TO {bare}")),
            EmittedStatement::alter(format!(
                "ALTER TABLE {table} ALTER COLUMN {to} ADD GENERATED {generated} AS IDENTITY (SEQUENCE NAME {sequence}{options})"
            )),
            EmittedStatement::alter(format!("SELECT setval({}, last_value, is_called) FROM {aside}", quote(sequence))),
        ]
    }
}
