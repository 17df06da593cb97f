//! What a run writes down: each revision's text, and a line in the journal for what was done.

use super::names::{array, literal, nullable};
use super::phrase::{Phrase, Phrases};
use super::{BACKEND_START, Backend, Ledger};
use crate::connect::host_name;
use crate::plan::{Direction, Step};
use crate::revision::seal::Seal;
use crate::revision::{Id, Revision};

/// Keeps a revision: the values of [`kept_values`].
const KEEP: Phrase = Phrase {
    name: "pgmarch: keep",
    types: &["text", "text", "text[]", "text[]", "text", "text", "text", "boolean", "text", "text", "text"],
};
/// Journals a step: the values of [`done_values`].
const DONE: Phrase = Phrase { name: "pgmarch: done", types: &["text", "text", "text"] };

/// A revision as constants: its id, then the columns as [`Ledger::kept`] names them.
fn kept_values(revision: &Revision) -> [String; 11] {
    [
        format!("'{}'", revision.id),
        literal(revision.file_name()),
        array(revision.parents.iter().map(Id::as_str)),
        array(revision.depends_on.iter().map(Id::as_str)),
        nullable(revision.branch.as_deref()),
        literal(&revision.message),
        nullable(revision.created.as_deref()),
        revision.breaking.to_string(),
        literal(&revision.text),
        format!("'{}'", revision.exact()),
        format!("'{}'", revision.semantic(&revision.up)),
    ]
}

/// What tells one step in the journal from another, as constants: revision, direction, seal.
pub(super) fn done_values(step: &Step<'_>, direction: Direction, seal: Option<&Seal>) -> [String; 3] {
    let seal = nullable(seal.map(ToString::to_string).as_deref());
    [format!("'{}'", step.revision.id), format!("'{}'", direction.verb()), seal]
}

impl Ledger {
    /// Statements that write down a step that was run in this transaction, and the seal if it is the last of its run.
    /// The last of them returns its duration in seconds.
    pub fn record(&self, step: &Step<'_>, direction: Direction, backend: &Backend, seal: Option<&Seal>, phrases: &Phrases) -> Vec<String> {
        let mut statements = Vec::new();
        if direction == Direction::Up {
            statements = phrases.say(KEEP, &kept_values(step.revision), |values| self.kept(values));
        }
        let done = |values: &[String]| {
            let done = self.done(values, "statement_timestamp()", &backend.start());
            format!("{done} RETURNING extract(epoch FROM finished - started)")
        };
        statements.extend(phrases.say(DONE, &done_values(step, direction, seal), done));
        statements
    }

    /// One statement: a step was done, beginning when an expression says, on the backend whose start another says. The
    /// values are those of [`done_values`].
    pub(super) fn done(&self, values: &[String], started: &str, backend_start: &str) -> String {
        format!(
            "INSERT INTO {}.journal (version_table, revision, direction, sealed, outcome, started, finished, client_host, backend_start, pgmarch) \
             VALUES ({}, {}, 'done', {started}, clock_timestamp(), {}, {backend_start}, '{}')",
            self.schema,
            self.key(),
            values.join(", "),
            literal(&host_name()),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// One statement that keeps a revision's text, instead of what the ledger had of it before.
    pub fn keep(&self, revision: &Revision) -> String {
        self.kept(&kept_values(revision))
    }

    /// The same, of the values of [`kept_values`].
    fn kept(&self, values: &[String]) -> String {
        let columns = "file, parents, depends_on, branch, message, created, breaking, text, exact, semantic";
        let excluded: Vec<String> = columns.split(", ").map(|column| format!("EXCLUDED.{column}")).collect();
        format!(
            "INSERT INTO {}.revision (version_table, revision, {columns}) VALUES ({}, {}) \
             ON CONFLICT (version_table, revision) DO UPDATE SET ({columns}, recorded) = ({}, now())",
            self.schema,
            self.key(),
            values.join(", "),
            excluded.join(", "),
        )
    }

    /// One statement that writes down that a revision failed, after its transaction is gone.
    pub fn record_failure(&self, revision: &Id, direction: Direction, detail: &str) -> String {
        format!(
            "INSERT INTO {}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch, detail) \
             VALUES ({}, '{revision}', '{}', 'failed', statement_timestamp(), clock_timestamp(), {}, {BACKEND_START}, '{}', {})",
            self.schema,
            self.key(),
            direction.verb(),
            literal(&host_name()),
            env!("CARGO_PKG_VERSION"),
            literal(detail),
        )
    }
}
