//! What a run writes down: each revision's text, and a line in the journal for what was done.

use super::fence::id;
use super::statement_cache::{PreparedStatement, StatementCache};
use crate::connect::host_name;
use crate::ledger::{BACKEND_START, Backend, Ledger};
use crate::plan::Step;
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::{Direction, Id, Revision};
use crate::sql;
use crate::sql::{Literal, Sql, TextArray};

/// Keeps a revision: the values of [`revision_values`].
const KEEP: PreparedStatement = PreparedStatement {
    name: "pgmarch: keep",
    types: &["text", "text", "text[]", "text[]", "text", "text", "text", "boolean", "text", "text", "text"],
};
/// Journals a step: the values of [`step_values`].
const DONE: PreparedStatement = PreparedStatement { name: "pgmarch: done", types: &["text", "text", "text"] };

/// A revision as constants: its id, then the columns as [`Ledger::upsert_revision_values`] names them.
fn revision_values(revision: &Revision) -> [Sql; 11] {
    let text = |text: &str| sql!("{text}", text = Literal(text));
    let ids = |ids: &[Id]| sql!("{ids}", ids = ids.iter().map(Id::as_str).collect::<TextArray<'_>>());
    [
        id(&revision.id),
        text(revision.file_name()),
        ids(&revision.parents),
        ids(&revision.depends_on),
        Literal::or_null(revision.branch.as_deref()),
        text(&revision.message),
        Literal::or_null(revision.created.as_deref()),
        sql!("{breaking}", breaking = revision.breaking),
        text(&revision.text),
        text(&revision.exact_checksum()),
        text(&revision.semantic_checksum(&revision.up)),
    ]
}

/// What tells one step in the journal from another, as constants: revision, direction, seal.
pub(in crate::ledger) fn step_values(step: &Step<'_>, direction: Direction, seal: Option<&AppliedDigest>) -> [Sql; 3] {
    let seal = Literal::or_null(seal.map(ToString::to_string).as_deref());
    [id(&step.revision.id), sql!("'{verb}'", verb = Sql::of(direction.verb())), seal]
}

impl Ledger {
    /// Statements that write down a step that was run in this transaction, and the seal if it is the last of its run.
    /// The last of them returns its duration in seconds.
    pub fn record_step(
        &self,
        step: &Step<'_>,
        direction: Direction,
        backend: &Backend,
        seal: Option<&AppliedDigest>,
        statement_cache: &StatementCache,
    ) -> Vec<Sql> {
        let mut statements = Vec::new();
        if direction == Direction::Up {
            statements = statement_cache.render(KEEP, &revision_values(step.revision), |values| self.upsert_revision_values(values));
        }
        let done = |values: &[Sql]| {
            let done = self.insert_done(values, Sql::of("statement_timestamp()"), backend.start());
            sql!("{done} RETURNING extract(epoch FROM finished - started)", done = done)
        };
        statements.extend(statement_cache.render(DONE, &step_values(step, direction, seal), done));
        statements
    }

    /// One statement: a step was done, beginning when an expression says, on the backend whose start another says. The
    /// values are those of [`step_values`].
    pub(in crate::ledger) fn insert_done(&self, values: &[Sql], started: Sql, backend_start: Sql) -> Sql {
        sql!(
            "INSERT INTO {ledger}.journal (version_table, revision, direction, sealed, outcome, started, finished, client_host, backend_start, pgmarch) \
             VALUES ({key}, {values}, 'done', {started}, clock_timestamp(), {host}, {backend_start}, {program})",
            ledger = self.schema,
            key = self.key(),
            values = Sql::join(values.iter().cloned(), ", "),
            started = started,
            host = Literal(&host_name()),
            backend_start = backend_start,
            program = PROGRAM,
        )
    }

    /// Statements that keep a revision's file as it is now, instead of what the ledger had of it before.
    pub fn accept_file(&self, revision: &Revision, detail: &str) -> Vec<Sql> {
        let accepted = [self.upsert_revision(revision), self.record_note("repair", revision.id.as_str(), detail)];
        self.secure(None, &["revision", "journal"]).into_iter().chain(accepted).collect()
    }

    /// One statement that keeps a revision's text.
    pub(in crate::ledger) fn upsert_revision(&self, revision: &Revision) -> Sql {
        self.upsert_revision_values(&revision_values(revision))
    }

    /// The same, of the values of [`revision_values`].
    fn upsert_revision_values(&self, values: &[Sql]) -> Sql {
        sql!(
            "INSERT INTO {ledger}.revision (version_table, revision, file, parents, depends_on, branch, message, created, breaking, text, exact, semantic) \
             VALUES ({key}, {values}) ON CONFLICT (version_table, revision) DO UPDATE SET \
             (file, parents, depends_on, branch, message, created, breaking, text, exact, semantic, recorded) = \
             (EXCLUDED.file, EXCLUDED.parents, EXCLUDED.depends_on, EXCLUDED.branch, EXCLUDED.message, EXCLUDED.created, \
             EXCLUDED.breaking, EXCLUDED.text, EXCLUDED.exact, EXCLUDED.semantic, now())",
            ledger = self.schema,
            key = self.key(),
            values = Sql::join(values.iter().cloned(), ", "),
        )
    }

    /// Statements that write down that a revision failed, after its transaction is gone.
    pub fn record_failure(&self, revision: &Id, direction: Direction, detail: &str) -> Vec<Sql> {
        let failed = self.insert_line(id(revision), Sql::of(direction.verb()), "failed", detail);
        self.secure(None, &["journal"]).into_iter().chain([failed]).collect()
    }

    /// One statement that writes a line into the journal about something that is not part of a revision's own transaction.
    pub(in crate::ledger) fn insert_line(&self, revision: Sql, direction: Sql, outcome: &'static str, detail: &str) -> Sql {
        sql!(
            "INSERT INTO {ledger}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch, detail) \
             VALUES ({key}, {revision}, '{direction}', '{outcome}', statement_timestamp(), clock_timestamp(), {host}, {backend_start}, {program}, {detail})",
            ledger = self.schema,
            key = self.key(),
            revision = revision,
            direction = direction,
            outcome = Sql::of(outcome),
            host = Literal(&host_name()),
            backend_start = Sql::of(BACKEND_START),
            program = PROGRAM,
            detail = Literal(detail),
        )
    }

    /// One statement that notes something which ran no revision, a stamp or a repair, in its transaction.
    pub fn record_note(&self, verb: &'static str, revision: &str, detail: &str) -> Sql {
        self.insert_line(sql!("{revision}", revision = Literal(revision)), Sql::of(verb), "noted", detail)
    }
}

/// This program, as the journal has it.
pub(in crate::ledger) const PROGRAM: Literal<'static> = Literal(env!("CARGO_PKG_VERSION"));
