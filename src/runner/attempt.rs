//! One attempt of a run: wait, read, plan, lock, read and plan again, apply.

use tokio::time::Instant;
use tracing::debug;

use super::base::Runner;
use super::error::RunError;
use super::goal::Goal;
use super::records::Recorder;
use super::remarks::notify_remarks;
use super::snapshot;
use super::verified::{VerifiedPosition, ancestry, is_sealed, verify_checksums};
use crate::ancestry::Ancestry;
use crate::apply::{ApplyError, CompletedStep, StoppedRun, apply, check_unfinished, startup_options};
use crate::config::Snapshots;
use crate::error::Error;
use crate::host::{Event, EventThrottle};
use crate::ledger::{self, Access, Level, State};
use crate::lock::{Heartbeat, Need, RunLock};
use crate::plan::Plan;
use crate::position::Position;
use crate::revision::graph::{Graph, Node};
use crate::revision::{Direction, Id, join_ids};
use crate::session::{Pool, Session};
use crate::words::version;

/// The interval between checks whether a read-only server is writable now.
const ASK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(500);

/// A run, and what its attempts have done so far.
pub(super) struct Attempts<'r> {
    pub(super) runner: &'r Runner,
    pub(super) graph: &'r Graph,
    pub(super) goal: &'r Goal,
    pub(super) snapshots: Snapshots,
    /// The target of an upgrade, as resolved by the first plan under the lock.
    pub(super) pinned: Option<Vec<Id>>,
    /// Whether an earlier attempt told what is ignored of the files.
    pub(super) has_remarked: bool,
    /// What was committed.
    pub(super) done: Vec<CompletedStep>,
    /// What the connections of its locks have taught.
    pub(super) heartbeat: Heartbeat,
}

impl Attempts<'_> {
    /// One attempt. Returns the version rows.
    pub(super) async fn attempt(&mut self) -> Result<Vec<String>, Error> {
        let runner = self.runner;
        let deadline = runner.wait_deadline();
        let (pool, session, state) = match self.wait_until_writable(deadline).await? {
            Looked::NothingToDo(rows) => return Ok(rows),
            Looked::Pending(pending) => *pending,
        };
        debug!(target: "pgmarch::commands::run", server = %state.server.version, database = %state.server.database, role = %state.server.role, "ready");
        // Returned to the pool, where the lock takes it.
        drop(session);
        let mut need = GoalNotReached { attempts: self, reached: None };
        let timeout = runner.config.run_lock_timeout;
        let Some(lock) = RunLock::acquire_unless(&pool, &state, timeout, &runner.host, &mut need).await? else {
            let current = need.reached.unwrap_or_default();
            runner.host.notify(&Event::ReachedByAnotherRun { version: &current.join(", ") });
            return Ok(current);
        };
        let lock = lock.with_heartbeat(self.heartbeat.clone());
        self.run_under_lock(&pool, lock, state.server.number).await
    }

    /// Waits for the server, and if anything is pending, until the server is writable.
    async fn wait_until_writable(&self, deadline: Instant) -> Result<Looked, Error> {
        let (runner, config) = (self.runner, &self.runner.config);
        let (pool, mut prefetched) = match runner.prefetched.take() {
            Some((pool, session, state)) => (pool, Some((session, state))),
            None => (runner.pool()?, None),
        };
        let mut throttle = EventThrottle::default();
        loop {
            let (session, mut state) = match prefetched.take() {
                Some(prefetched) => prefetched,
                None => {
                    let session = runner.connect(&pool, deadline).await?;
                    let state = State::load(&session, config, Level::Rows(Access::Write)).await?;
                    (session, state)
                }
            };
            let VerifiedPosition { position, changed_down, .. } =
                verify_checksums(self.graph, &mut state, &session, config, self.goal.ledger_texts()).await?;
            let plan = runner.plan_at(self.goal, self.pinned.as_deref(), &position, &state)?;
            if plan.is_empty() && (changed_down.is_empty() || state.server.read_only) {
                if !is_sealed(self.graph, &state) {
                    ledger::wait_until_durable(&session, &runner.host, deadline).await?;
                }
                runner.host.notify(&Event::NothingToDo { address: &pool.address(), version: &version(&state.rows) });
                return Ok(Looked::NothingToDo(state.rows));
            }
            let pending = plan.steps.len();
            if !state.server.read_only {
                return Ok(Looked::Pending(Box::new((pool, session, state))));
            }
            session.close();
            self.wait_for_writes(&pool, pending, deadline, &mut throttle).await?;
        }
    }

    /// A standby may be promoted, or maintenance end, so this waits as long as for the server itself.
    async fn wait_for_writes(&self, pool: &Pool, pending: usize, deadline: Instant, throttle: &mut EventThrottle) -> Result<(), Error> {
        let host = &self.runner.host;
        if host.now() >= deadline {
            return Err(Error::Run(RunError::ReadOnly { address: pool.address(), pending }));
        }
        if throttle.is_due("read-only", host) {
            host.notify(&Event::WaitingForWrites { address: &pool.address(), pending, remaining: host.remaining(deadline) });
        }
        host.sleep(ASK_AGAIN_AFTER.min(host.remaining(deadline))).await;
        Ok(())
    }

    async fn run_under_lock(&mut self, pool: &Pool, lock: RunLock, server: u32) -> Result<Vec<String>, Error> {
        let (runner, config) = (self.runner, &self.runner.config);
        let session = lock.worker(config.wait_timeout, Some(&startup_options(config, server))).await?;
        let mut state = State::load(&session, config, Level::Writer).await?;
        let VerifiedPosition { position, changed_down, reset } =
            verify_checksums(self.graph, &mut state, &session, config, self.goal.ledger_texts()).await?;
        state.load_contents(&session).await?;
        let targets = self.goal.targets(self.pinned.as_deref(), &position)?;
        if let Goal::Upgrade(_) = self.goal {
            self.pinned.get_or_insert_with(|| targets.iter().map(|node| position.graph.id(*node).clone()).collect());
        }
        let recorder = Recorder { runner, session: &session, lock: &lock };
        recorder.record_changed_down(&changed_down, &state).await;
        let ancestry = ancestry(&position, &state);
        let plan = self.goal.plan(&position, &targets, &ancestry)?;
        plan.refuse_certain_failures()?;
        if reset.is_none() {
            check_unfinished(&plan, &state, &runner.host).map_err(refused)?;
        }
        if plan.direction == Direction::Down && plan.steps.iter().any(|step| self.graph.node(step.revision.id.as_str()).is_none()) {
            state.ledger.check_revision_writers(&session).await?;
        }
        let Some(last) = plan.steps.last() else {
            lock.release().await;
            if !is_sealed(self.graph, &state) {
                ledger::wait_until_durable(&session, &runner.host, runner.wait_deadline()).await?;
            }
            runner.host.notify(&Event::NothingLeftToDo { version: &version(&state.rows) });
            return Ok(state.rows);
        };
        if let Some(reset) = reset {
            recorder.record_reset(&reset, &mut state).await?;
        }
        recorder.record_ancestry(&position, &ancestry, &mut state).await;
        runner.host.notify(&Event::RunStarted {
            direction: plan.direction,
            revisions: plan.steps.len(),
            address: &pool.address(),
            version: &version(&state.rows),
        });
        if !std::mem::replace(&mut self.has_remarked, true) {
            notify_remarks(&plan, &runner.host);
        }
        match apply(&plan, &state, config, &session, &lock).await {
            Ok(mut applied) => {
                self.done.append(&mut applied);
                let at = join_ids(&last.after);
                // A trigger that defers itself repeatedly runs at COMMIT, after all checks.
                let (found, _) = state.ledger.read_tables(&session).await?;
                if !found.iter().map(String::as_str).eq(last.after.iter().map(Id::as_str)) {
                    return Err(refused(ApplyError::UnexpectedVersion { expected: at, found: version(&found) }));
                }
                if self.snapshots == Snapshots::On {
                    snapshot::save(&state, self.graph, &at, session, runner).await;
                }
                lock.release().await;
                Ok(last.after.iter().map(ToString::to_string).collect())
            }
            Err(mut stopped) => {
                // The settings that a failed revision has left in the session must not reach another user of the pool.
                session.close();
                if matches!(stopped.error, ApplyError::Lost(..) | ApplyError::Moved(_) | ApplyError::LockLost { .. }) {
                    self.done.append(&mut stopped.done);
                }
                Err(Error::Apply(Box::new(stopped)))
            }
        }
    }

    /// The version rows, if another run has reached the goal with the same files, and its commits are flushed.
    async fn reached_by_another(&self, session: &Session) -> Option<Vec<String>> {
        let state = State::load(session, &self.runner.config, Level::Rows(Access::Write)).await.ok()?;
        if !is_sealed(self.graph, &state) {
            return None;
        }
        let position = Position::resolve(self.graph, &state.rows, &[]).ok()?;
        let targets = self.goal.targets(self.pinned.as_deref(), &position).ok()?;
        // Revisions that were never run are not included in the goal.
        let plan = self.goal.plan(&position, &targets, &Ancestry::default()).ok()?;
        plan.is_empty().then_some(state.rows)
    }
}

/// The lock is needed until another run has reached the goal.
struct GoalNotReached<'a, 'r> {
    attempts: &'a Attempts<'r>,
    /// The version rows, once another run has reached it.
    reached: Option<Vec<String>>,
}

impl Need for GoalNotReached<'_, '_> {
    async fn is_over(&mut self, session: &Session) -> bool {
        self.reached = self.attempts.reached_by_another(session).await;
        self.reached.is_some()
    }
}

/// What the first read of an attempt found.
enum Looked {
    NothingToDo(Vec<String>),
    Pending(Box<(Pool, Session, State)>),
}

impl Runner {
    /// The plan for a goal at a position, unless it is refused.
    pub(super) fn plan_at<'p>(
        &self,
        goal: &Goal,
        pinned: Option<&[Id]>,
        position: &'p Position<'_>,
        state: &State,
    ) -> Result<Plan<'p>, Error> {
        let targets = goal.targets(pinned, position)?;
        self.check_ahead(goal, position, &targets)?;
        let plan = goal.plan(position, &targets, &ancestry(position, state))?;
        check_unfinished(&plan, state, &self.host).map_err(refused)?;
        plan.refuse_certain_failures()?;
        Ok(plan)
    }

    /// An upgrade of a database that is ahead continues, or is refused. A downgrade is never refused for that.
    fn check_ahead(&self, goal: &Goal, position: &Position<'_>, targets: &[Node]) -> Result<(), Error> {
        if matches!(goal, Goal::Undo(_)) || position.without_file.is_empty() {
            return Ok(());
        }
        let beyond = position.check_ahead(targets, self.config.ahead)?;
        self.host.notify(&Event::DatabaseAhead { revisions: &beyond });
        Ok(())
    }
}

/// A refusal before anything was done.
fn refused(error: ApplyError) -> Error {
    Error::Apply(Box::new(StoppedRun { done: Vec::new(), error }))
}
