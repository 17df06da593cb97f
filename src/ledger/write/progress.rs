//! How far a `transaction:false` revision has come: one journal row before a statement that has to be alone, one after each.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::fence::{MOVED, id};
use super::record::PROGRAM;
use crate::connect::host_name;
use crate::json::{self, Fault, Fields, FromJson};
use crate::ledger::trust::RelationLock;
use crate::ledger::{BACKEND_START, Ledger};
use crate::plan::{Step, VersionRows};
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::{Direction, Id};
use crate::sql;
use crate::sql::{Literal, Sql};

/// What the last journal row says about a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was about to be sent; what became of it, only the database knows.
    Started,
    /// It is done.
    Finished,
    /// It failed.
    Failed,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// What a run leaves to the next one about a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatementNote {
    /// Semantic checksum of the statements before this one.
    pub before: String,
    /// Semantic checksum of this one.
    pub own: String,
    /// The application name under which it was sent.
    pub application: String,
    /// For an index build: the indexes that its table had before, by their OIDs.
    pub indexes: Vec<u32>,
}

impl FromJson for StatementNote {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut its = Fields::of(value, fault);
        Self {
            before: its.get("before"),
            own: its.get("own"),
            application: its.get::<Option<String>>("application").unwrap_or_default(),
            indexes: its.get::<Option<Vec<u32>>>("indexes").unwrap_or_default(),
        }
    }
}

/// A `transaction:false` revision that was begun and not finished.
#[derive(Clone, Debug)]
pub struct UnfinishedRevision {
    /// Which.
    pub revision: String,
    /// Which way it went.
    pub direction: Direction,
    /// What is known of the statement.
    pub stage: Stage,
    /// The statement, from 1.
    pub statement: usize,
    /// The journal row that says so: whoever goes on expects it to be the last.
    pub event: i64,
    /// The backend that ran it: its pid.
    pub pid: i32,
    /// When that backend started, in microseconds since 1970.
    pub backend_start: i64,
    /// The host that asked for it.
    pub host: String,
    /// What that run left.
    pub note: StatementNote,
    /// What the server said, if it failed.
    pub detail: Option<String>,
}

impl UnfinishedRevision {
    /// From a row of `unfinished.sql`.
    pub(in crate::ledger) fn read(row: Vec<Option<String>>) -> Option<Self> {
        let [revision, direction, stage, statement, event, pid, start, host, note, detail] = <[Option<String>; 10]>::try_from(row).ok()?;
        let stage = [Stage::Started, Stage::Finished, Stage::Failed].into_iter().find(|known| Some(known.word()) == stage.as_deref())?;
        Some(Self {
            revision: revision?,
            direction: if direction? == Direction::Up.verb() { Direction::Up } else { Direction::Down },
            stage,
            statement: statement?.parse().ok()?,
            event: event?.parse().ok()?,
            pid: pid?.parse().ok()?,
            backend_start: start.and_then(|start| start.parse().ok()).unwrap_or(0),
            host: host.unwrap_or_default(),
            note: note.and_then(|note| json::read(&note).ok()).unwrap_or_default(),
            detail,
        })
    }

    /// How many of its statements are done for certain.
    pub fn done(&self) -> usize {
        match self.stage {
            Stage::Finished => self.statement,
            Stage::Started | Stage::Failed => self.statement.saturating_sub(1),
        }
    }
}

/// `revision 003 is half applied: statements 1 to 2 are done, statement 3 failed (23505: …)`.
impl fmt::Display for UnfinishedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.direction {
            Direction::Up => "applied",
            Direction::Down => "undone",
        };
        write!(f, "revision {} is half {way}: ", self.revision)?;
        match self.done() {
            0 => f.write_str("no statement is done for certain")?,
            1 => f.write_str("statement 1 is done")?,
            done => write!(f, "statements 1 to {done} are done")?,
        }
        match self.stage {
            Stage::Finished => Ok(()),
            Stage::Started => write!(f, ", statement {} was started by pid {} for {}", self.statement, self.pid, self.host),
            Stage::Failed => write!(f, ", statement {} failed ({})", self.statement, self.detail.as_deref().unwrap_or("no reason noted")),
        }
    }
}

/// Statements of which the last writes into the journal, returning how long that took, in seconds.
pub fn returning_duration(mut statements: Vec<Sql>) -> Vec<Sql> {
    if let Some(done) = statements.pop() {
        statements.push(sql!("{done} RETURNING extract(epoch FROM finished - started)", done = done));
    }
    statements
}

impl Ledger {
    /// Statements that make sure of our tables, and then raise `MOVED` unless the version rows are `before` and the last journal
    /// row about a statement of this revision is `event`: of two runs that believe it to be their turn, one stops here.
    pub fn fence_statement(&self, before: &VersionRows, revision: &Id, event: Option<i64>) -> Vec<Sql> {
        let turn = self.fence_block_with(before, before, self.check_turn(revision, event));
        self.secure(Some(RelationLock::Table), &["journal"]).into_iter().chain([turn]).collect()
    }

    /// The fence of a revision's last transaction: moves the version rows if it is still this run's turn.
    pub fn fence_last_statement(&self, step: &Step<'_>, direction: Direction, event: Option<i64>) -> Vec<Sql> {
        let written: &[_] = if direction == Direction::Up { &["revision", "journal"] } else { &["journal"] };
        let fence = self.fence_block_with(&step.before, &step.after, self.check_turn(&step.revision.id, event));
        self.secure(Some(RelationLock::Table), written).into_iter().chain([fence]).collect()
    }

    /// A query for the last row about a statement of a revision: its id, the backend that wrote it, what our tables are like
    /// ([`Self::verify_unchanged_since`]), and the time.
    pub fn last_statement_record(&self, revision: &Id) -> Sql {
        sql!(
            "SELECT l.id, l.backend_pid, {tables}, clock_timestamp() FROM {ledger}.journal l \
             WHERE l.version_table = {key} AND l.revision = {revision} AND l.statement IS NOT NULL ORDER BY l.id DESC LIMIT 1",
            tables = self.tables_now(),
            ledger = self.schema,
            key = self.key(),
            revision = id(revision),
        )
    }

    fn check_turn(&self, revision: &Id, event: Option<i64>) -> Sql {
        sql!(
            "IF (SELECT CASE WHEN statement IS NOT NULL THEN id END FROM {ledger}.journal \
             WHERE version_table = {key} AND revision = {revision} AND (statement IS NOT NULL OR outcome = 'done' OR direction = 'stamp') ORDER BY id DESC LIMIT 1) \
             IS DISTINCT FROM {event} THEN\n\
             RAISE EXCEPTION USING ERRCODE = '{moved}', MESSAGE = 'another run continues revision ' || {revision};\nEND IF;\n",
            ledger = self.schema,
            key = self.key(),
            revision = id(revision),
            event = event.map_or_else(|| Sql::of("NULL"), |event| sql!("{event}", event = event)),
            moved = Sql::of(MOVED),
        )
    }

    /// One statement that writes down what became of a statement.
    pub fn record_statement(
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
            stage = Sql::of(stage.word()),
            finished = Sql::of(if stage == Stage::Started { "NULL" } else { "clock_timestamp()" }),
            statement = statement,
            host = Literal(&host_name()),
            backend_start = Sql::of(BACKEND_START),
            program = PROGRAM,
            progress = Literal(&json),
            detail = Literal::or_null(detail),
        )
    }

    /// Statements that write down that all statements of a revision are done.
    pub fn record_statements_done(&self, step: &Step<'_>, direction: Direction, seal: Option<&AppliedDigest>) -> Vec<Sql> {
        let kept = (direction == Direction::Up).then(|| self.upsert_revision(step.revision));
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
        kept.into_iter().chain([done]).collect()
    }

    /// Statements that forget how far a `transaction:false` revision had come, so that the next run begins with its first
    /// statement: `repair`, after somebody put right by hand what was half done.
    pub fn record_progress_reset(&self, unfinished: &UnfinishedRevision) -> Vec<Sql> {
        let forgotten =
            self.insert_line(sql!("{id}", id = Literal(&unfinished.revision)), Sql::of("repair"), "done", &unfinished.to_string());
        self.secure(None, &["journal"]).into_iter().chain([forgotten]).collect()
    }
}
