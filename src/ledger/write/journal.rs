//! The rows of the journal: one for each run of a revision, and for each stamp, repair or reset.

use super::id;
use super::revision::{UPSERT_REVISION, revision_values};
use super::statement_cache::{PreparedStatement, StatementCache};
use crate::ledger::contents::BASE;
use crate::ledger::handle::Ledger;
use crate::ledger::state::{BACKEND_START, Backend};
use crate::plan::Step;
use crate::revision::Direction;
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::session::host_name;
use crate::sql;
use crate::sql::{Literal, Sql, TextArray};

/// Inserts the row of a step: the values of [`step_values`].
const DONE: PreparedStatement = PreparedStatement { name: "pgmarch: done", types: &["text", "text", "text"] };

/// This program, as the column `pgmarch` has it.
pub(super) const PROGRAM: Literal<'static> = Literal(env!("CARGO_PKG_VERSION"));

/// The columns in which the rows of steps differ, as constants: revision, direction, digest.
pub(in crate::ledger) fn step_values(step: &Step<'_>, direction: Direction, seal: Option<&AppliedDigest>) -> [Sql; 3] {
    let seal = Literal::or_null(seal.map(ToString::to_string).as_deref());
    [id(&step.revision.id), sql!("'{verb}'", verb = Sql::of(direction.verb())), seal]
}

impl Ledger {
    /// Statements that record a step that was run in this transaction, and the applied digest if it is the last step of its run.
    /// The last statement returns the step's duration in seconds.
    pub(crate) fn record_step(
        &self,
        step: &Step<'_>,
        direction: Direction,
        backend: &Backend,
        seal: Option<&AppliedDigest>,
        statement_cache: &StatementCache,
    ) -> Vec<Sql> {
        let mut statements = Vec::new();
        if direction == Direction::Up {
            statements =
                statement_cache.render(UPSERT_REVISION, &revision_values(step.revision), |values| self.upsert_revision_values(values));
        }
        let done = |values: &[Sql]| {
            let done = self.insert_done(values, Sql::of("statement_timestamp()"), backend.start_sql());
            sql!("{done} RETURNING extract(epoch FROM finished - started)", done = done)
        };
        statements.extend(statement_cache.render(DONE, &step_values(step, direction, seal), done));
        statements
    }

    /// One statement that inserts the row of a step that is done. `started` and `backend_start` are expressions for those
    /// columns, `values` are those of [`step_values`].
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

    /// Statements that record that a revision failed, after its transaction was rolled back.
    pub(crate) fn record_failure(&self, revision: &Id, direction: Direction, detail: &str) -> Vec<Sql> {
        let failed = self.insert_row(id(revision), Sql::of(direction.verb()), "failed", detail);
        self.lock_and_check(None, &["journal"]).into_iter().chain([failed]).collect()
    }

    /// One statement that inserts a row about something that is not part of a revision's own transaction.
    pub(super) fn insert_row(&self, revision: Sql, direction: Sql, outcome: &'static str, detail: &str) -> Sql {
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

    /// One statement that inserts a row about something that ran no revision, a stamp or a repair.
    pub(crate) fn record_note(&self, verb: &'static str, revision: &str, detail: &str) -> Sql {
        self.insert_row(sql!("{revision}", revision = Literal(revision)), Sql::of(verb), "noted", detail)
    }

    /// Statements that record revisions as applied by another tool or below a stamp: the version table had a row at or above each.
    pub(crate) fn record_assumed(&self, revisions: &[&str], detail: &str) -> Vec<Sql> {
        self.record_notes("assume", revisions, detail)
    }

    /// Statements that record revisions that are not applied and never will be, as accepted by `repair`.
    pub(crate) fn record_skipped(&self, revisions: &[&str], detail: &str) -> Vec<Sql> {
        self.record_notes("skip", revisions, detail)
    }

    /// Statements that record that the version table's schema was dropped and created again: nothing is applied.
    pub(crate) fn record_schema_reset(&self, detail: &str) -> Vec<Sql> {
        self.record_notes("reset", &[BASE], detail)
    }

    /// Statements that insert one row for each revision.
    fn record_notes(&self, direction: &'static str, revisions: &[&str], detail: &str) -> Vec<Sql> {
        if revisions.is_empty() {
            return Vec::new();
        }
        let rows = sql!(
            "INSERT INTO {ledger}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch, detail) \
             SELECT {key}, line.revision, '{direction}', 'noted', statement_timestamp(), clock_timestamp(), {host}, {backend_start}, {program}, {detail} \
             FROM unnest({revisions}) WITH ORDINALITY line (revision, place) ORDER BY line.place",
            ledger = self.schema,
            key = self.key(),
            direction = Sql::of(direction),
            host = Literal(&host_name()),
            backend_start = Sql::of(BACKEND_START),
            program = PROGRAM,
            detail = Literal(detail),
            revisions = revisions.iter().copied().collect::<TextArray<'_>>(),
        );
        self.lock_and_check(None, &["journal"]).into_iter().chain([rows]).collect()
    }
}
