//! A plan into an applied plan: each revision one message, fenced, and nothing said before it is true.

mod leftover;
mod note;
pub mod offline;
mod script;
mod stepwise;
mod watch;
mod window;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tokio_postgres::error::{DbError, SqlState};
use tracing::{debug, info, warn};

use crate::backoff::Pace;
use crate::config::{Config, Transaction};
use crate::connect::{Failure, Session};
use crate::ledger::{
    Ledger, ReadError, Server, State, StatementCache, UnfinishedRevision, is_fence_failure, is_trust_failure, is_verify_failure,
};
use crate::lock::Lock;
use crate::plan::{Plan, Step, VersionRows};
use crate::report::{left, seconds};
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::statement::split;
use crate::revision::{Direction, Id, LineColumn, SectionMode};
use crate::sql::{Flush, Message, Sql, discard};
use crate::tally::{self, RetryCounter};
use note::note_aside;
use script::{How, Marks, Part, Script, duration};
use watch::{Target, Watch};

pub use note::{NoteError, note};
pub use script::defaults;

/// A revision that is applied, or undone, and committed.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which.
    pub id: Id,
    /// How long it took on the server.
    pub duration: Duration,
}

/// Why a run ended before its plan did.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// A statement of a revision failed; the revision is rolled back.
    #[error("revision {} failed", .0.revision)]
    Revision(Box<SqlFailure>),
    /// The server refused our own bookkeeping around a revision.
    #[error("the bookkeeping of revision {revision} was refused")]
    Bookkeeping {
        /// Which revision, rolled back.
        revision: Id,
        /// What to do.
        advice: String,
        /// What the server said.
        #[source]
        source: Failure,
    },
    /// A revision changed the version table or the ledger, which pgmarch alone writes to.
    #[error("{0}")]
    OwnTables(Box<OwnTables>),
    /// A revision is committed, but its synchronous standbys may not have it.
    #[error("revision {0} is committed on this server only: {source}", source = .1.source)]
    Unreplicated(Id, Failure),
    /// The connection was ended by us, for what the server sent.
    #[error("revision {0} was interrupted: the connection was closed")]
    Broken(Id, #[source] Failure),
    /// Behind the last COMMIT the version rows are not what they should be: another tool moved them, or a trigger of a revision at
    /// COMMIT.
    #[error("the version table is at {found} behind the run's last COMMIT, not at {expected}")]
    Elsewhere {
        /// What the plan says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Somebody else moved the version table since the plan was made.
    #[error("the version table was moved by somebody else")]
    Moved(#[source] Failure),
    /// The connection is gone; what became of the revision under way, only the database knows.
    #[error("the connection was lost while revision {0} ran")]
    Lost(Id, #[source] Failure),
    /// The lock's connection is gone.
    #[error("the connection that held the run lock was lost; the statement under way was cancelled")]
    LockLost,
    /// A step that can't be part of one transaction.
    #[error("revision {0} is marked transaction:false, so it can't be part of PGMARCH_TRANSACTION=run; set PGMARCH_TRANSACTION=revision")]
    StepwiseInRun(Id),
    /// A `transaction:false` revision was begun, and this plan does not finish it.
    #[error("{0}, and this run would not finish it")]
    Unfinished(Box<UnfinishedRevision>),
    /// The text of what is done already is another by now.
    #[error("{was}; but in {} its statements up to there say something else by now", .path.display())]
    Rewritten {
        /// What was done.
        was: Box<UnfinishedRevision>,
        /// The file.
        path: std::path::PathBuf,
    },
    /// The session goes from server to server.
    #[error(
        "revision {0} is marked transaction:false, whose statements need a session of their own, but a pooler in transaction mode stands between us and the server"
    )]
    Pooler(Id),
    /// An earlier run's backend still works on it, or somebody else on an index in the way.
    #[error("revision {revision} can't go on: {who} is still at it")]
    Occupied {
        /// Which.
        revision: Id,
        /// Who.
        who: String,
    },
    /// The server said that an index is built, and it is not valid.
    #[error("revision {revision} built the index {index}, but it is INVALID")]
    Invalid {
        /// Which.
        revision: Id,
        /// The index.
        index: String,
    },
}

impl ApplyError {
    /// The revision it is about.
    pub fn revision(&self) -> Option<&Id> {
        match self {
            Self::Revision(failure) => Some(&failure.revision),
            Self::Bookkeeping { revision, .. }
            | Self::Lost(revision, _)
            | Self::Unreplicated(revision, _)
            | Self::Broken(revision, _)
            | Self::StepwiseInRun(revision)
            | Self::Pooler(revision)
            | Self::Occupied { revision, .. }
            | Self::Invalid { revision, .. } => Some(revision),
            Self::OwnTables(changed) => Some(&changed.revision),
            Self::Elsewhere { .. } | Self::Moved(_) | Self::LockLost | Self::Unfinished(_) | Self::Rewritten { .. } => None,
        }
    }

    /// The server's error code.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Revision(failure) => Some(failure.error.code().code()),
            Self::Bookkeeping { source, .. } | Self::Moved(source) | Self::Lost(_, source) => source.code().map(SqlState::code),
            Self::OwnTables(_)
            | Self::Elsewhere { .. }
            | Self::Unreplicated(..)
            | Self::Broken(..)
            | Self::LockLost
            | Self::StepwiseInRun(_)
            | Self::Unfinished(_)
            | Self::Rewritten { .. }
            | Self::Pooler(_)
            | Self::Occupied { .. }
            | Self::Invalid { .. } => None,
        }
    }
}

/// What a revision did to the version table or the ledger.
#[derive(Debug)]
pub struct OwnTables {
    /// The revision.
    pub revision: Id,
    /// Its file.
    pub path: std::path::PathBuf,
    /// The version table.
    pub version_table: String,
    /// Where it showed only at the end of a run in one transaction: its revisions.
    pub deferred: Vec<Id>,
    /// What was found.
    pub detail: String,
    /// Of `transaction:false` the statement, from 1, and whether it is undone.
    pub statement: Option<(usize, bool)>,
    /// The version before it, as `stamp` takes it.
    pub before: String,
}

impl std::fmt::Display for OwnTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { revision, path, version_table, detail, statement, deferred, .. } = self;
        match deferred.as_slice() {
            [] => write!(f, "revision {revision} ({})", crate::report::escape::line(path.display()))?,
            several => write!(f, "a deferred trigger of one of the revisions {}", crate::revision::join_ids(several))?,
        }
        write!(f, " changed the version table {version_table} or the ledger")?;
        if let Some((statement, _)) = statement {
            write!(f, " in statement {statement}")?;
        }
        write!(f, ": {}", crate::report::escape::line(detail))?;
        match statement {
            None => f.write_str("; nothing of it was applied"),
            Some((0 | 1, true)) => f.write_str("; the statement is rolled back"),
            Some((statement, true)) => write!(f, "; the statement is rolled back, those before statement {statement} were not undone"),
            Some((_, false)) => f.write_str("; the statement was not undone"),
        }
    }
}

impl OwnTables {
    /// What to do about it.
    pub fn next(&self) -> String {
        let file =
            if self.deferred.is_empty() { crate::report::escape::line(self.path.display()).to_string() } else { "the revision".to_owned() };
        let remove = format!("remove from {file} what writes to {} or the ledger: pgmarch records the version itself", self.version_table);
        match self.statement {
            Some((_, false)) => format!(
                "restore the version with `pgmarch stamp --purge {}`; a new run then continues behind that statement. In other databases it does the same: {remove} before it runs there",
                self.before
            ),
            Some((_, true)) | None => format!("{remove}; then run again"),
        }
    }
}

/// What a run had committed when it stopped, and why it stopped.
#[derive(Debug)]
pub struct Stopped {
    /// Committed before.
    pub done: Vec<Done>,
    /// What stopped it.
    pub error: ApplyError,
}

/// A server's error in the text of a revision, and where that is.
#[derive(Debug)]
pub struct SqlFailure {
    /// The revision.
    pub revision: Id,
    /// Which way it was going.
    pub direction: Direction,
    /// The file, for messages.
    pub path: std::path::PathBuf,
    /// The file's text.
    pub text: String,
    /// Where in the text, in bytes; `None` where the server's error has no place (a deferred constraint at commit).
    pub range: Option<std::ops::Range<usize>>,
    /// What the server said.
    pub error: DbError,
    /// Statements before it that are done and stay so: only `transaction:false` has any.
    pub kept: usize,
    /// How it was run.
    pub mode: SectionMode,
}

impl SqlFailure {
    /// What to do about it, in one line.
    pub fn next(&self) -> String {
        let file = self.path.display();
        let code = self.error.code().code();
        match (self.mode, self.kept) {
            (SectionMode::Transaction, _) if ["25001", "2D000"].contains(&code) => {
                format!(
                    "this statement can't run in a transaction: write `transaction:false` behind `-- migrate:{}` in {file}, or give it a revision of its own that has it; nothing of it was applied",
                    if self.direction == Direction::Up { "up" } else { "down" }
                )
            }
            (SectionMode::Transaction, _) if code == "55P04" => {
                format!(
                    "a new value of an enum can be used only once it is committed: in {file}, move the use of it to a revision of its own; nothing of it was applied"
                )
            }
            (SectionMode::Transaction, _) | (SectionMode::Stepwise, 0) => format!("mend {file} and run again: nothing of it was applied"),
            (SectionMode::Stepwise, kept) => format!(
                "mend {file} from statement {} on and run again: statements up to {kept} are done and stay; or undo them by hand and start over with `pgmarch repair {}`",
                kept + 1,
                self.revision
            ),
        }
    }

    /// Line and column, if there is a place.
    pub fn place(&self) -> Option<LineColumn> {
        self.range.as_ref().map(|range| LineColumn::of(&self.text, range.start))
    }
}

/// Runs a plan. Having the lock is shown by lending it.
pub async fn apply(plan: &Plan<'_>, state: &State, config: &Config, session: &Session, lock: &Lock) -> Result<Vec<Done>, Stopped> {
    let token = RandomState::new().hash_one(std::process::id()).cast_signed();
    let mut run = Run {
        ledger: state.ledger.clone(),
        config,
        session,
        server: state.server.clone(),
        unfinished: &state.unfinished,
        direction: plan.direction,
        last: plan.steps.last().map(|step| step.revision.id.clone()),
        first: plan.steps.first().map(|step| step.before.clone()).unwrap_or_default(),
        seal: plan.seal.clone().filter(|_| leaves_nothing(plan, state)),
        token,
        statement_cache: if is_worth_preparing(plan, state, config) { StatementCache::enabled() } else { StatementCache::default() },
        watch: Watch::new(lock.pool().clone(), token, state.server.number, config.lock_timeout, config.retry_for),
        done: Vec::new(),
    };
    let outcome = tokio::select! {
        outcome = run.all(plan) => outcome,
        () = lock.lost() => {
            session.cancel().await;
            Err(ApplyError::LockLost)
        }
    };
    let outcome = match outcome {
        // The server itself is gone, and only chance showed that on the lock's connection first.
        Err(ApplyError::LockLost) if session.is_closed() => Err(run.lost(plan).await),
        outcome => outcome,
    };
    match outcome {
        Ok(()) => Ok(run.done),
        Err(error) => Err(Stopped { done: run.done, error }),
    }
}

/// Whether the bookkeeping is said so often that it pays to prepare it; behind a pooler each transaction may be another
/// session's.
fn is_worth_preparing(plan: &Plan<'_>, state: &State, config: &Config) -> bool {
    const OFTEN: usize = 4;
    config.transaction == Transaction::Revision
        && state.server.backend.is_direct
        && state.server.backend.has_plpgsql
        && plan.steps.len() >= OFTEN
}

/// Whether no revision is half done when the plan is through: only then its end can be taken for a good one unseen.
fn leaves_nothing(plan: &Plan<'_>, state: &State) -> bool {
    state.unfinished.iter().all(|unfinished| plan.steps.iter().any(|step| step.revision.id.as_str() == unfinished.revision))
}

/// Refuses a plan that would leave, or build on, a revision that is half done. Also where there is nothing to do: a
/// database with half a revision undone is not at its target.
pub fn check_unfinished(plan: &Plan<'_>, state: &State) -> Result<(), ApplyError> {
    for unfinished in &state.unfinished {
        let goes_on = |step: &&Step<'_>| step.revision.id.as_str() == unfinished.revision && plan.direction == unfinished.direction;
        let in_the_way = match (plan.direction, unfinished.direction) {
            (Direction::Up, Direction::Up) => false,
            // A target below what is half applied: it stays as it is.
            (Direction::Down, Direction::Up) | (Direction::Up, Direction::Down) => true,
            (Direction::Down, Direction::Down) => !plan.is_empty() && !plan.steps.iter().any(|step| goes_on(&step)),
        };
        match plan.steps.iter().find(goes_on) {
            None if in_the_way => return Err(ApplyError::Unfinished(Box::new(unfinished.clone()))),
            None if plan.is_empty() => warn!("{unfinished}; what this run is to reach lies below it"),
            None => {}
            Some(step) => stepwise::check_text(step, unfinished)?,
        }
    }
    Ok(())
}

/// A transaction of several steps that failed: in which of them, or at its end.
struct Interrupted<'p> {
    script: Script,
    step: &'p Step<'p>,
    is_end: bool,
    failure: Failure,
}

struct Run<'r> {
    ledger: Ledger,
    config: &'r Config,
    session: &'r Session,
    server: Server,
    unfinished: &'r [UnfinishedRevision],
    direction: Direction,
    /// The version rows that the run begins with.
    first: VersionRows,
    /// The step that the run ends with, and what is applied then.
    last: Option<Id>,
    seal: Option<AppliedDigest>,
    /// A number that only this run has.
    token: i64,
    /// Bookkeeping as this session says it.
    statement_cache: StatementCache,
    watch: Watch,
    done: Vec<Done>,
}

impl Run<'_> {
    /// What a connection that is closed means for the step under way.
    async fn lost(&self, plan: &Plan<'_>) -> ApplyError {
        let step = plan.steps.get(self.done.len()).or(plan.steps.last());
        match (step, self.session.run(&Message::empty()).await) {
            (Some(step), Err(failure)) => ApplyError::Lost(step.revision.id.clone(), failure),
            _ => ApplyError::LockLost,
        }
    }

    async fn all(&mut self, plan: &Plan<'_>) -> Result<(), ApplyError> {
        match self.config.transaction {
            Transaction::Revision => {
                if let Some(step) = plan.steps.iter().find(|step| stepwise::needs_session(step)) {
                    self.check_session(&step.revision.id).await?;
                }
                for steps in plan.steps.chunk_by(|before, after| before.mode() == after.mode()) {
                    if steps.iter().all(|step| step.mode() == SectionMode::Transaction) {
                        self.through(steps).await?;
                        continue;
                    }
                    for step in steps {
                        let done = self.stepwise(step).await?;
                        self.committed(done);
                    }
                }
                Ok(())
            }
            Transaction::Run => self.together(plan).await,
        }
    }

    /// Never ends once this process was told to stop: then nothing new is begun, and it ends with what is under way.
    async fn go_on(&self) {
        if self.session.is_stopping() {
            std::future::pending().await
        }
    }

    fn committed(&mut self, done: Done) {
        let verb = match self.direction {
            Direction::Up => "applied",
            Direction::Down => "undone",
        };
        info!(revision = %done.id, seconds = done.duration.as_secs_f64(), "{verb} {} in {}", done.id, seconds(done.duration));
        self.ledger.mark_installed();
        self.done.push(done);
    }

    /// All steps in one transaction: nothing is done until the COMMIT at the end is. One that only meets other sessions' locks is
    /// rolled back, and run again from its beginning.
    async fn together(&mut self, plan: &Plan<'_>) -> Result<(), ApplyError> {
        if let Some(step) = plan.steps.iter().find(|step| step.mode() == SectionMode::Stepwise) {
            return Err(ApplyError::StepwiseInRun(step.revision.id.clone()));
        }
        let mut tries = Tries::new(self.config.retry_for);
        loop {
            let Interrupted { script, step, is_end, failure } = match self.try_together(plan).await {
                Ok(done) => {
                    for done in done {
                        self.committed(done);
                    }
                    return Ok(());
                }
                Err(interrupted) => *interrupted,
            };
            if failure.met_a_lock() && tries.left() {
                self.roll_back().await;
                tries.pause(step.revision.id.clone(), "the run was rolled back", &failure, &self.watch).await;
                continue;
            }
            let mut error = self.explain(&script, step, failure, 0).await;
            if let (true, ApplyError::OwnTables(changed)) = (is_end, &mut error) {
                changed.deferred = plan.steps.iter().map(|step| step.revision.id.clone()).collect();
            }
            return Err(error);
        }
    }

    async fn try_together<'p>(&self, plan: &'p Plan<'p>) -> Result<Vec<Done>, Box<Interrupted<'p>>> {
        let Some(last) = plan.steps.last() else { return Ok(Vec::new()) };
        let interrupted = |script, step, is_end| move |failure| Box::new(Interrupted { script, step, is_end, failure });
        let mut done = Vec::new();
        // BEGIN has succeeded before anything follows it: a text can't run outside of the transaction.
        let mut opening = Script::begin();
        let message = opening.message();
        self.session.ask(&message).await.map_err(interrupted(opening, last, false))?;
        // What the first step makes, the later ones of this transaction find; others don't, until the end.
        let mut ledger = self.ledger.clone();
        for step in &plan.steps {
            self.go_on().await;
            let id = &step.revision.id;
            let mut script = Script::of(step, &self.how(step, None), &ledger, self.config, &self.marks(id));
            let message = script.message();
            let outcome = self.watch.over(id.as_str(), self.target(), self.session.run(&message)).await;
            done.push(Done { id: id.clone(), duration: duration(&outcome.map_err(interrupted(script, step, false))?) });
            ledger.mark_installed();
        }
        self.go_on().await;
        let mut closing = Script::last(&last.after, &self.server, &ledger, self.config);
        let message = closing.message();
        let outcome = self.watch.over(last.revision.id.as_str(), self.target(), self.session.run(&message)).await;
        outcome.map_err(interrupted(closing, last, true))?;
        Ok(done)
    }

    fn how(&self, step: &Step<'_>, commit: Option<Flush>) -> How<'_> {
        How { direction: self.direction, commit, server: &self.server, seal: self.seal(step), statement_cache: &self.statement_cache }
    }

    /// The seal, for the step that the run ends with.
    fn seal(&self, step: &Step<'_>) -> Option<&AppliedDigest> {
        self.seal.as_ref().filter(|_| self.is_last(step))
    }

    /// Whether the whole run ends with this step.
    fn is_last(&self, step: &Step<'_>) -> bool {
        self.last.as_ref() == Some(&step.revision.id)
    }

    fn marks<'m>(&self, revision: &'m Id) -> Marks<'m> {
        Marks { server: self.server.number, has_defaults: self.session.has_defaults(), token: self.token, revision }
    }

    /// What the watcher looks for: the one backend there is, or the mark that a transaction leaves on any.
    fn target(&self) -> Target {
        if self.session.has_defaults() { Target::Backend(self.server.backend.pid) } else { Target::Mark }
    }

    /// What a failure means: whose fault, where, what to do; `kept` statements before it are done. The transaction is
    /// gone afterwards.
    async fn explain(&self, script: &Script, step: &Step<'_>, failure: Failure, kept: usize) -> ApplyError {
        let revision = &step.revision.id;
        let lost = |failure| ApplyError::Lost(revision.clone(), failure);
        if failure.is_lost() {
            // Whatever the watcher or a deadline said of it: nothing more can come of that connection.
            self.session.leave();
            return lost(failure);
        }
        if failure.is_unreplicated() {
            return ApplyError::Unreplicated(revision.clone(), failure);
        }
        let is_alive = self.roll_back().await;
        let Some(error) = failure.source.as_db_error().cloned() else { return ApplyError::Broken(revision.clone(), failure) };
        let part = script.part_of(&failure);
        if part == Part::Check && (is_verify_failure(&failure) || is_gone(error.code())) {
            return self.changed_by(step, failure, kept).await;
        }
        // Another run without our lock was quicker. What else is in the way stays there.
        let is_race = part == Part::Before
            && made_by_another(error.code())
            && self.ledger.was_installed_meanwhile(self.session).await.unwrap_or(false);
        // What a revision raises itself is its own failure, whatever it is called.
        let is_ours = matches!(part, Part::Before | Part::Check | Part::After);
        if is_ours && (is_fence_failure(&failure) || is_trust_failure(&failure)) || is_race {
            return ApplyError::Moved(failure);
        }
        let range = match part {
            Part::Before | Part::Check | Part::After => {
                return ApplyError::Bookkeeping { revision: revision.clone(), advice: self.advice(&error), source: failure };
            }
            Part::Commit => None,
            Part::Character(offset) => {
                let sql = step.sql();
                let start = sql.char_indices().nth(offset).map_or(sql.len(), |(byte, _)| byte);
                Some(word(sql, start))
            }
            Part::Statement(number) => split(step.sql()).statements.get(number).map(|statement| statement.range.clone()),
        };
        let start = step.section.range.start;
        let range = range.map(|range| range.start + start..range.end + start);
        if is_alive && step.mode() == SectionMode::Transaction {
            self.note_failure(revision, &format!("{}: {}", error.code().code(), error.message())).await;
        }
        ApplyError::Revision(Box::new(SqlFailure {
            revision: revision.clone(),
            direction: self.direction,
            path: step.revision.path.clone(),
            text: step.revision.text.clone(),
            range,
            error,
            kept,
            mode: step.mode(),
        }))
    }

    /// Behind a revision the version rows or our tables were not what they should be, and it is rolled back. If all is as it was
    /// before, the revision did that; otherwise another tool has moved the version table meanwhile.
    async fn changed_by(&self, step: &Step<'_>, failure: Failure, kept: usize) -> ApplyError {
        let is_whole = self.config.transaction == Transaction::Revision;
        let rows = if is_whole { &step.before } else { &self.first };
        let is_unchanged = match self.ledger.is_unchanged(self.session, rows, is_whole.then_some(&failure)).await {
            Ok(is_unchanged) => is_unchanged,
            Err(ReadError::Server(cause)) if cause.is_lost() => return ApplyError::Lost(step.revision.id.clone(), cause),
            // They were created in the transaction that is rolled back.
            Err(_) => !self.ledger.has_version_table || !self.ledger.has_ledger,
        };
        if !is_unchanged {
            return ApplyError::Moved(failure);
        }
        let detail = failure.source.as_db_error().map(|error| crate::ledger::changed_detail(error.message())).unwrap_or_default();
        let statement = (step.mode() == SectionMode::Stepwise).then_some((kept + 1, true));
        let changed = self.own_tables(step, detail, statement);
        if step.mode() == SectionMode::Transaction {
            self.note_failure(&step.revision.id, &changed.to_string()).await;
        }
        ApplyError::OwnTables(Box::new(changed))
    }

    fn own_tables(&self, step: &Step<'_>, detail: String, statement: Option<(usize, bool)>) -> OwnTables {
        OwnTables {
            revision: step.revision.id.clone(),
            path: step.revision.path.clone(),
            version_table: self.ledger.version_table.plain(),
            deferred: Vec::new(),
            detail,
            statement,
            before: if step.before.is_empty() {
                "base".to_owned()
            } else {
                step.before.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            },
        }
    }

    /// The end of a transaction that failed, and of what it has left in the session. Whether the connection is still of use.
    async fn roll_back(&self) -> bool {
        self.end_transaction(discard(self.server.backend.discard())).await
    }

    async fn end_transaction(&self, statements: impl IntoIterator<Item = Sql>) -> bool {
        let outcome = self.session.ask(&Message::behind([Sql::of("ROLLBACK")], statements)).await;
        if let Err(error) = &outcome {
            debug!(%error, "no rollback: the connection is gone, and the transaction with it");
        }
        outcome.is_ok()
    }

    /// Into the journal, if there is one: a first run that fails leaves the database as it was.
    async fn note_failure(&self, revision: &Id, detail: &str) {
        if !self.ledger.has_ledger {
            return;
        }
        let failed = self.ledger.record_failure(revision, self.direction, detail);
        if let Err(failure) = note_aside(self.session, self.config, failed).await {
            debug!(error = %crate::report::chain(&failure.source), "the failure is not in the journal");
        }
    }

    fn advice(&self, error: &DbError) -> String {
        let (ledger, version, role) = (&self.ledger.schema, &self.ledger.version_table, &self.server.role);
        if made_by_another(error.code()) {
            return format!(
                "an object of another owner or kind has the name of one that pgmarch creates: rename or drop it, or set PGMARCH_VERSION_TABLE=SCHEMA.NAME (now {version}) or PGMARCH_LEDGER_SCHEMA (now {ledger})"
            );
        }
        if *error.code() != SqlState::INSUFFICIENT_PRIVILEGE {
            return "the message says what is in the way; `pgmarch status` shows where the database is".to_owned();
        }
        if self.ledger.has_ledger && self.ledger.has_version_table {
            return format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON {version} TO {role}, the same ON ALL TABLES IN SCHEMA {ledger}, and USAGE ON SCHEMA {ledger}; or let their owner run pgmarch (PGMARCH_ROLE)"
            );
        }
        format!(
            "as an owner run GRANT CREATE ON DATABASE {} TO {role} (for schema {ledger}) and GRANT CREATE ON SCHEMA {} TO {role} (for the version table); \
             or name places it may use: PGMARCH_LEDGER_SCHEMA, PGMARCH_VERSION_TABLE=SCHEMA.NAME, PGMARCH_ROLE",
            self.server.database, version.schema
        )
    }
}

/// Tries of the same thing, until the time for them is over.
struct Tries {
    deadline: Instant,
    pace: Pace,
}

impl Tries {
    fn new(patience: Duration) -> Self {
        Self { deadline: Instant::now() + patience, pace: Pace::new(Duration::from_millis(200), Duration::from_secs(10)) }
    }

    fn left(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Says who was in the way, and waits for the next try.
    async fn pause(&mut self, revision: Id, happened: &str, failure: &Failure, watch: &Watch) {
        tally::retried(RetryCounter::Lock);
        let blockers = watch.blockers();
        let who = blockers.as_ref().map(|blockers| format!("; in the way: {blockers}")).unwrap_or_default();
        warn!(
            %revision,
            in_the_way = blockers,
            sqlstate = failure.code().map(SqlState::code),
            "{revision} met another session's lock and {happened} ({}){who}; trying again, {} left",
            crate::report::chain(&failure.source),
            left(self.deadline)
        );
        tokio::time::sleep(self.pace.pause().min(self.deadline.saturating_duration_since(Instant::now()))).await;
    }
}

/// The table or schema that we were about to make exists by now: another runner without our lock was quicker.
fn made_by_another(code: &SqlState) -> bool {
    [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_SCHEMA, SqlState::DUPLICATE_OBJECT].contains(code)
}

/// A prepared statement of ours is missing, or does not fit any more.
fn is_about_prepared(failure: &Failure) -> bool {
    failure.code().is_some_and(|code| {
        [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT, SqlState::FEATURE_NOT_SUPPORTED].contains(code)
    })
}

/// A table of ours, its schema or a column of it does not exist.
fn is_gone(code: &SqlState) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_COLUMN].contains(code)
}

/// The word at `start`, for underlining: up to the next white space or punctuation, at least one character.
fn word(sql: &str, start: usize) -> std::ops::Range<usize> {
    let rest = &sql[start..];
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start..start + length.max(one)
}
