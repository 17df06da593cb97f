//! Applies a plan: each revision is one message with a fence, and is reported as done only once it is committed.

mod activity;
mod advice;
mod bookkeeping;
mod diagnosis;

mod error;
mod executor;

mod lock_holders;
mod monitor;
pub mod offline;
mod pipeline;

mod retries;
mod segments;
mod session_context;
mod single_transaction;
mod sql_failure;
mod step_message;

mod stepwise;

use crate::config::{Config, Transaction};
use crate::host::{Event, Host};
use crate::ledger::{State, StatementCache, UnfinishedRevision};
use crate::lock::RunLock;
use crate::plan::{Plan, Step};
use crate::revision::Direction;
use crate::revision::SectionMode;
use crate::session::Session;
use executor::Executor;
use monitor::StatementMonitor;

pub use bookkeeping::{BookkeepingError, run_bookkeeping};
pub use error::{ApplyError, CompletedStep, OwnTablesChanged, StoppedRun};
pub use session_context::startup_options;
pub use sql_failure::SqlFailure;

/// Runs a plan. The caller proves that it holds the run lock by lending it.
pub async fn apply(
    plan: &Plan<'_>,
    state: &State,
    config: &Config,
    session: &Session,
    lock: &RunLock,
) -> Result<Vec<CompletedStep>, StoppedRun> {
    let host = lock.host();
    let token = host.token();
    let mut executor = Executor {
        ledger: state.ledger.clone(),
        config,
        host: host.clone(),
        session,
        server: state.server.clone(),
        backend: state.backend().cloned().unwrap_or_default(),
        unfinished: unfinished(state),
        direction: plan.direction,
        last: plan.steps.last().map(|step| step.revision.id.clone()),
        first: plan.steps.first().map(|step| step.before.clone()).unwrap_or_default(),
        digest: plan.applied_digest.clone().filter(|_| leaves_nothing(plan, state)),
        token,
        statement_cache: if is_worth_preparing(plan, state, config) { StatementCache::enabled() } else { StatementCache::default() },
        stepwise_cache: if may_prepare(state, config) && session.has_defaults() {
            StatementCache::enabled()
        } else {
            StatementCache::default()
        },
        monitor: StatementMonitor::new(
            lock.pool().clone(),
            host,
            token,
            state.server.number,
            config.lock_timeout.duration(),
            config.retry_for,
        ),
        done: Vec::new(),
    };
    let outcome = tokio::select! {
        outcome = executor.run_plan(plan) => outcome,
        silence = lock.lost() => {
            session.cancel().await;
            Err(ApplyError::LockLost { silence })
        }
    };
    let outcome = match outcome {
        // The server itself is gone; its other connection was only the first to show it.
        Err(ApplyError::LockLost { silence }) if session.is_closed() => Err(executor.diagnose_closed_connection(plan, silence).await),
        outcome => outcome,
    };
    match outcome {
        Ok(()) => Ok(executor.done),
        Err(error) => Err(StoppedRun { done: executor.done, error }),
    }
}

/// Whether preparing the bookkeeping pays, as it is repeated often enough. Behind a pooler each transaction may use a different
/// session, so nothing is prepared.
fn is_worth_preparing(plan: &Plan<'_>, state: &State, config: &Config) -> bool {
    const OFTEN: usize = 4;
    may_prepare(state, config) && plan.steps.len() >= OFTEN
}

fn may_prepare(state: &State, config: &Config) -> bool {
    config.transaction == Transaction::Revision && state.backend().is_some_and(|backend| backend.is_direct && backend.has_plpgsql)
}

/// The unfinished revisions of a state; none if the ledger's contents were not read.
fn unfinished(state: &State) -> &[UnfinishedRevision] {
    state.contents().map_or(&[], |contents| &contents.unfinished)
}

/// Whether no revision is half applied at the end of the plan: only then can the next run skip the check of the files.
fn leaves_nothing(plan: &Plan<'_>, state: &State) -> bool {
    unfinished(state).iter().all(|unfinished| plan.steps.iter().any(|step| step.revision.id.as_str() == unfinished.revision))
}

/// Refuses a plan that would leave a revision half applied, or build on one. Also if the plan is empty: a database with a half
/// applied revision is not at its target.
pub fn check_unfinished(plan: &Plan<'_>, state: &State, host: &Host) -> Result<(), ApplyError> {
    for unfinished in unfinished(state) {
        let goes_on = |step: &&Step<'_>| step.revision.id.as_str() == unfinished.revision && plan.direction == unfinished.direction;
        let in_the_way = match (plan.direction, unfinished.direction) {
            (Direction::Up, Direction::Up) => false,
            // A target below the half applied revision: that revision remains as it is.
            (Direction::Down, Direction::Up) | (Direction::Up, Direction::Down) => true,
            (Direction::Down, Direction::Down) => !plan.is_empty() && !plan.steps.iter().any(|step| goes_on(&step)),
        };
        match plan.steps.iter().find(goes_on) {
            None if in_the_way => return Err(ApplyError::Unfinished(Box::new(unfinished.clone()))),
            None if plan.is_empty() => host.notify(&Event::UnfinishedRevisionKept { unfinished: &unfinished.to_string() }),
            None => {}
            Some(step) => stepwise::check_text(step, unfinished)?,
        }
    }
    Ok(())
}

impl Executor<'_> {
    async fn run_plan(&mut self, plan: &Plan<'_>) -> Result<(), ApplyError> {
        match self.config.transaction {
            Transaction::Revision => {
                if let Some(step) = plan.steps.iter().find(|step| stepwise::needs_session(step)) {
                    self.refuse_transaction_pooler(&step.revision.id).await?;
                }
                for steps in plan.steps.chunk_by(|before, after| before.mode() == after.mode()) {
                    if steps.iter().all(|step| step.mode() == SectionMode::Transaction) {
                        self.run_pipelined(steps).await?;
                        continue;
                    }
                    for step in steps {
                        let done = self.run_stepwise(step).await?;
                        self.record_committed(done);
                    }
                }
                Ok(())
            }
            Transaction::Run => self.run_in_one_transaction(plan).await,
        }
    }
}
