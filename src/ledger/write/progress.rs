//! How far a `transaction:false` revision has come: a journal row before each statement that can't run in a transaction, and one
//! after each statement.

use super::fence::MOVED;
use super::id;
use super::journal::PROGRAM;
use crate::ledger::contents::{Stage, StatementNote, UnfinishedRevision};
use crate::ledger::handle::Ledger;
use crate::ledger::state::{BACKEND_START, State};
use crate::ledger::trust::RelationLock;
use crate::plan::{Step, VersionRows};
use crate::revision::Direction;
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::session::host_name;
use crate::sql;
use crate::sql::{Literal, Sql};

/// The same statements; the last of them inserts into the journal, and now returns the row's duration in seconds.
pub(crate) fn returning_duration(mut statements: Vec<Sql>) -> Vec<Sql> {
    if let Some(done) = statements.pop() {
        statements.push(sql!("{done} RETURNING extract(epoch FROM finished - started)", done = done));
    }
    statements
}

impl Ledger {
    /// Statements that lock and check our tables, and then raise [`MOVED`] unless the version rows are `before` and the last
    /// journal row about a statement of this revision is `journal_id`. Of two runs that would continue the revision, one fails.
    pub(crate) fn fence_statement(&self, before: &VersionRows, revision: &Id, journal_id: Option<i64>) -> Vec<Sql> {
        let fence = self.fence_block_with(before, before, self.check_last_row(revision, journal_id));
        self.lock_and_check(Some(RelationLock::Table), &["journal"]).into_iter().chain([fence]).collect()
    }

    /// The fence of a revision's last transaction: the same, and moves the version rows.
    pub(crate) fn fence_last_statement(&self, step: &Step<'_>, direction: Direction, journal_id: Option<i64>) -> Vec<Sql> {
        let written: &[_] = if direction == Direction::Up { &["revision", "journal"] } else { &["journal"] };
        let fence = self.fence_block_with(&step.before, &step.after, self.check_last_row(&step.revision.id, journal_id));
        self.lock_and_check(Some(RelationLock::Table), written).into_iter().chain([fence]).collect()
    }

    /// A query for the last row about a statement of a revision: its id, the backend that wrote it, what our tables are like
    /// ([`Self::verify_unchanged_since`]), and the time.
    pub(crate) fn last_statement_record(&self, revision: &Id) -> Sql {
        sql!(
            "SELECT l.id, l.backend_pid, {tables}, clock_timestamp() FROM {ledger}.journal l \
             WHERE l.version_table = {key} AND l.revision = {revision} AND l.statement IS NOT NULL ORDER BY l.id DESC LIMIT 1",
            tables = self.tables_now(),
            ledger = self.schema,
            key = self.key(),
            revision = id(revision),
        )
    }

    /// A PL/pgSQL statement that raises [`MOVED`] unless that is the last row.
    fn check_last_row(&self, revision: &Id, journal_id: Option<i64>) -> Sql {
        sql!(
            "IF (SELECT CASE WHEN statement IS NOT NULL THEN id END FROM {ledger}.journal \
             WHERE version_table = {key} AND revision = {revision} AND (statement IS NOT NULL OR outcome = 'done' OR direction = 'stamp') ORDER BY id DESC LIMIT 1) \
             IS DISTINCT FROM {journal_id} THEN\n\
             RAISE EXCEPTION USING ERRCODE = '{moved}', MESSAGE = 'another run continues revision ' || {revision};\nEND IF;\n",
            ledger = self.schema,
            key = self.key(),
            revision = id(revision),
            journal_id = journal_id.map_or_else(|| Sql::of("NULL"), |id| sql!("{id}", id = id)),
            moved = Sql::of(MOVED),
        )
    }

    /// One statement that records how far a statement came.
    pub(crate) fn record_statement(
        &self,
        revision: &Id,
        direction: Direction,
        stage: Stage,
        statement: usize,
        note: &StatementNote,
        detail: Option<&str>,
    ) -> Sql {
        let json = serde_json::to_string(note).unwrap_or_default();
        sql!(
            "INSERT INTO {ledger}.journal (version_table, revision, direction, outcome, started, finished, statement, client_host, backend_start, pgmarch, progress, detail) \
             VALUES ({key}, {revision}, '{direction}', '{stage}', transaction_timestamp(), {finished}, {statement}, {host}, {backend_start}, {program}, {progress}, {detail})",
            ledger = self.schema,
            key = self.key(),
            revision = id(revision),
            direction = Sql::of(direction.verb()),
            stage = Sql::of(stage.outcome()),
            finished = Sql::of(if stage == Stage::Started { "NULL" } else { "clock_timestamp()" }),
            statement = statement,
            host = Literal(&host_name()),
            backend_start = Sql::of(BACKEND_START),
            program = PROGRAM,
            progress = Literal(&json),
            detail = Literal::or_null(detail),
        )
    }

    /// Statements that record that all statements of a revision are done.
    pub(crate) fn record_statements_done(&self, step: &Step<'_>, direction: Direction, seal: Option<&AppliedDigest>) -> Vec<Sql> {
        let revision = (direction == Direction::Up).then(|| self.upsert_revision(step.revision));
        let done = sql!(
            "INSERT INTO {ledger}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch, sealed) \
             SELECT {key}, {revision}, '{direction}', 'done', coalesce(min(started), statement_timestamp()), clock_timestamp(), {host}, {backend_start}, {program}, {seal} \
             FROM {ledger}.journal WHERE version_table = {key} AND revision = {revision} AND statement IS NOT NULL \
             AND id > coalesce((SELECT max(id) FROM {ledger}.journal WHERE version_table = {key} AND revision = {revision} \
             AND statement IS NULL AND outcome = 'done'), 0)",
            ledger = self.schema,
            key = self.key(),
            revision = id(&step.revision.id),
            direction = Sql::of(direction.verb()),
            host = Literal(&host_name()),
            backend_start = Sql::of(BACKEND_START),
            program = PROGRAM,
            seal = Literal::or_null(seal.map(ToString::to_string).as_deref()),
        );
        revision.into_iter().chain([done]).collect()
    }

    /// Statements that do the same for all unfinished revisions of a state.
    pub(crate) fn record_all_progress_reset(&self, state: &State) -> Vec<Sql> {
        let unfinished = state.contents().into_iter().flat_map(|contents| &contents.unfinished);
        unfinished.flat_map(|unfinished| self.record_progress_reset(unfinished)).collect()
    }

    /// Statements that reset how far a `transaction:false` revision has come: the next run begins with its first statement.
    pub(crate) fn record_progress_reset(&self, unfinished: &UnfinishedRevision) -> Vec<Sql> {
        let reset = self.insert_row(sql!("{id}", id = Literal(&unfinished.revision)), Sql::of("repair"), "done", &unfinished.to_string());
        self.lock_and_check(None, &["journal"]).into_iter().chain([reset]).collect()
    }
}
