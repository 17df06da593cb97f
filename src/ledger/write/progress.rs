//! How far a `transaction:false` revision has come: a journal row before each statement that can't run in a transaction, and one
//! after each statement.

use super::fence::MOVED;
use super::id;
use super::journal::PROGRAM;
use super::statement_cache::{PreparedStatement, StatementCache};
use super::verify::{CHANGED, array};
use crate::ledger::access::Access;
use crate::ledger::contents::{Stage, StatementNote, UnfinishedRevision};
use crate::ledger::handle::Ledger;
use crate::ledger::state::{BACKEND_START, Backend, State};
use crate::ledger::trust::RelationLock;
use crate::plan::{Step, VersionRows};
use crate::revision::Direction;
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::session::host_name;
use crate::sql;
use crate::sql::{Literal, Sql};

/// Fails if one of our tables is not as it was when the state was read.
const TRUST: PreparedStatement = PreparedStatement { name: "pgmarch: statement trust", types: &[] };
/// Records that a statement is done: the values of a [`StatementDone`].
const DONE: PreparedStatement =
    PreparedStatement { name: "pgmarch: statement done", types: &["text", "text", "text[]", "text", "text", "integer", "text"] };

/// A statement that is done, and how the tables were when the run wrote its last row.
#[derive(Debug)]
pub(crate) struct StatementDone<'s> {
    pub(crate) step: &'s Step<'s>,
    pub(crate) direction: Direction,
    /// Its number, from 1.
    pub(crate) statement: usize,
    pub(crate) note: &'s StatementNote,
    /// What our tables are like, without their last row.
    pub(crate) identities: &'s str,
    /// The last row. `None`: the one that the transaction before this one has written, in the same session and message.
    pub(crate) last_row: Option<&'s str>,
    /// The backend of the session. If that is this run's alone, a setting of it tells the next transaction about the row.
    pub(crate) backend: &'s Backend,
}

impl StatementDone<'_> {
    fn values(&self) -> [Sql; 7] {
        [
            id(&self.step.revision.id),
            sql!("{direction}", direction = Literal(self.direction.verb())),
            array(&self.step.before),
            sql!("{identities}", identities = Literal(self.identities)),
            Literal::or_null(self.last_row),
            sql!("{statement}", statement = self.statement),
            sql!("{progress}", progress = Literal(&serde_json::to_string(self.note).unwrap_or_default())),
        ]
    }
}

/// What our tables are like, as [`Ledger::last_statement_record`] returns it, without their last row; and that row.
pub(crate) fn split_last_row(tables: &str) -> Option<(&str, &str)> {
    tables.rsplit_once(' ')
}

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
    /// ([`Self::tables_now`]), the time, and the statement.
    pub(crate) fn last_statement_record(&self, revision: &Id) -> Sql {
        sql!(
            "SELECT l.id, l.backend_pid, {tables}, coalesce(l.finished, l.started), l.statement FROM {ledger}.journal l \
             WHERE l.version_table = {key} AND l.revision = {revision} AND l.statement IS NOT NULL ORDER BY l.id DESC LIMIT 1",
            tables = self.tables_now(),
            ledger = self.schema,
            key = self.key(),
            revision = id(revision),
        )
    }

    /// A query for what our tables are like, and the time.
    pub(crate) fn tables_and_time(&self) -> Sql {
        sql!("SELECT {tables}, clock_timestamp()", tables = self.tables_now())
    }

    /// Statements that lock and check our tables, and then record that a statement is done. They fail ([`is_verify_failure`] or
    /// [`is_trust_failure`]) unless the version rows and the tables are as they were when the run wrote its last row.
    ///
    /// [`is_verify_failure`]: super::is_verify_failure
    /// [`is_trust_failure`]: crate::ledger::is_trust_failure
    pub(crate) fn record_done(&self, done: &StatementDone<'_>, statement_cache: &StatementCache) -> Vec<Sql> {
        let mut statements = self.lock_and_check(Some(RelationLock::Table), &["journal"]);
        let check = statements.pop().unwrap_or_default();
        statements.extend(statement_cache.render(TRUST, &[], |_| check.clone()));
        statements.extend(statement_cache.render(DONE, &done.values(), |values| self.done_sql(values, done.backend)));
        statements
    }

    /// Statements that prepare those of [`Self::record_done`]: the server takes longer to parse and plan them than to run them.
    pub(crate) fn prepare_record_done(&self, backend: &Backend, statement_cache: &StatementCache) -> Vec<Sql> {
        let check = statement_cache.prepare(TRUST, |_| self.trust_check(Access::Write, &["journal"]));
        check.into_iter().chain(statement_cache.prepare(DONE, |values| self.done_sql(values, backend))).collect()
    }

    fn done_sql(&self, values: &[Sql], backend: &Backend) -> Sql {
        let [revision, direction, rows, identities, last_row, statement, progress] = values else { return Sql::default() };
        // Records that a statement is done. Fails unless the version rows and our tables are as they were when the run's last
        // row was written, which the run knows, or a setting that the transaction before this one has stored.
        sql!(
            include_str!("statement_done.sql"),
            ledger = self.schema,
            table = self.version_table,
            key = self.key(),
            revision = *revision,
            direction = *direction,
            rows = *rows,
            identities = *identities,
            last_row = *last_row,
            statement = *statement,
            progress = *progress,
            host = Literal(&host_name()),
            backend_start = backend.start_sql(),
            program = PROGRAM,
            identities_now = self.identities_now(),
            last_row_now = self.last_row_now(),
            changed = Literal(CHANGED),
            until_commit = !backend.is_direct,
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
