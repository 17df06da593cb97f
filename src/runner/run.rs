//! Plans and runs: the loop that starts over after a lost connection.

use std::time::Duration;

use tokio::time::Instant;

use super::attempt::Attempts;
use super::base::Runner;
use super::error::RunError;
use super::goal::Goal;
use super::outcome::{PlannedRun, RunOutcome};
use super::verified::{LedgerTexts, ancestry, resolve_position, verify_checksums};
use crate::apply::{ApplyError, CompletedStep};
use crate::backoff::Pace;
use crate::config::Snapshots;
use crate::error::Error;
use crate::exit::{Explain as _, Retry};
use crate::facts::FailureFacts;
use crate::host::Event;
use crate::ledger::{self, Access, Level, State};
use crate::lock::{Heartbeat, LockError};
use crate::plan::Plan;
use crate::plan::downgrade::{find_skipped, select_to_undo};
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::session::{IDLE_ADVICE, is_suspicious};
use crate::words::chain;

impl Runner {
    /// Plans a run. Waits for the server, and changes nothing there.
    pub async fn plan(&self, revisions: &Graph, goal: &Goal) -> Result<PlannedRun, Error> {
        let pool = self.pool()?;
        let session = self.connect(&pool, self.wait_deadline()).await?;
        let mut state = State::load(&session, &self.config, Level::Rows(Access::Write)).await?;
        let position = verify_checksums(revisions, &mut state, &session, &self.config, goal.ledger_texts()).await?.position;
        let plan = self.plan_at(goal, None, &position, &state)?;
        Ok(PlannedRun::new(pool.address(), state.rows.clone(), &plan))
    }

    /// Plans a downgrade; returns the plan, and the goal that undoes exactly that. Waits for the server, and changes nothing
    /// there.
    pub async fn plan_downgrade(&self, revisions: &Graph, target: &RevisionName) -> Result<(PlannedRun, Goal), Error> {
        let pool = self.pool()?;
        let session = self.connect(&pool, self.wait_deadline()).await?;
        let mut state = State::load(&session, &self.config, Level::Full(Access::Write)).await?;
        let mut position = verify_checksums(revisions, &mut state, &session, &self.config, LedgerTexts::None).await?.position;
        let unapplied = ancestry(&position, &state).unapplied;
        let to_undo = select_to_undo(&position.graph, &position.rows, target, &unapplied)?;
        if !position.without_file.is_empty() {
            position = resolve_position(revisions, &state, &session, LedgerTexts::Of(&to_undo)).await?;
        }
        let plan = Plan::downgrade(&position.graph, &position.rows, &to_undo, &unapplied)?;
        plan.refuse_certain_failures()?;
        if plan.is_empty() {
            ledger::wait_until_durable(&session, &self.host, self.wait_deadline()).await?;
        }
        let mut planned = PlannedRun::new(pool.address(), state.rows.clone(), &plan);
        planned.not_applied = find_skipped(&position.graph, &to_undo, &unapplied).map(|node| position.graph.id(node).clone()).collect();
        Ok((planned, Goal::Undo(to_undo)))
    }

    /// Waits for the server, takes the run lock and brings the database to the goal. After a lost connection it starts over, with
    /// a new plan, for as long as `PGMARCH_RETRY_FOR` allows: no message is ever sent twice.
    ///
    /// To stop it early, drop the future, or [cancel](Self::cancels) what runs on the server first.
    pub async fn apply(&self, revisions: &Graph, goal: &Goal) -> Result<RunOutcome, Error> {
        self.apply_and_snapshot(revisions, goal, self.config.snapshot.unwrap_or(Snapshots::Off)).await
    }

    pub(crate) async fn apply_and_snapshot(&self, graph: &Graph, goal: &Goal, snapshots: Snapshots) -> Result<RunOutcome, Error> {
        let timeout = self.config.retry_for;
        let host = &self.host;
        let mut attempts = Attempts {
            runner: self,
            graph,
            goal,
            snapshots,
            pinned: None,
            has_remarked: false,
            done: Vec::new(),
            heartbeat: Heartbeat::default(),
        };
        let mut deadline: Option<Instant> = None;
        let mut pace = Pace::new(Duration::from_millis(100), Duration::from_secs(2));
        loop {
            let error = match attempts.attempt().await {
                Ok(current) => return Ok(RunOutcome { done: attempts.done, current }),
                Err(error) => error,
            };
            if let Some(silence) = silence_of_worker(&error) {
                attempts.heartbeat.learn(silence);
            }
            if !error.retry().is_worthwhile() {
                return Err(with_earlier_steps(error, attempts.done));
            }
            let deadline = *deadline.get_or_insert_with(|| host.deadline(timeout));
            if host.now() >= deadline {
                return Err(if timeout.is_zero() || error.retry() == Retry::WhenUnlocked {
                    error
                } else {
                    let applied = attempts.done.iter().map(|done| (done.id.to_string(), done.duration)).collect();
                    let facts = Box::new(FailureFacts { applied, ..error.facts() });
                    let (was_lock, was_idle) = (has_lost_its_lock(&error), error.next_step() == IDLE_ADVICE);
                    Error::Run(RunError::RetriesExhausted { timeout, was_lock, was_idle, last: Box::new(error), facts })
                });
            }
            host.notify(&Event::RunRestarted { cause: &chain(&error), remaining: host.remaining(deadline) });
            host.sleep(host.next_pause(&mut pace)).await;
        }
    }
}

/// How long nothing had come over the connection of the revisions, if a proxy seems to have closed it: the lock's runs through the
/// same proxy.
fn silence_of_worker(error: &Error) -> Option<Duration> {
    let Error::Apply(stopped) = error else { return None };
    let ApplyError::Lost(_, failure) = &stopped.error else { return None };
    Some(failure.silence()).filter(|silence| is_suspicious(*silence))
}

/// Whether a run ended because the connection of its lock was lost.
fn has_lost_its_lock(error: &Error) -> bool {
    matches!(error, Error::Lock(LockError::Lost { .. }))
        || matches!(error, Error::Apply(stopped) if matches!(stopped.error, ApplyError::LockLost { .. }))
}

/// The error of a run, with what its earlier attempts had committed.
fn with_earlier_steps(mut error: Error, mut earlier: Vec<CompletedStep>) -> Error {
    if let Error::Apply(stopped) = &mut error {
        earlier.append(&mut stopped.done);
        stopped.done = earlier;
    }
    error
}
