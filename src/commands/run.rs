//! The one loop that changes a database, up or down: wait, read, plan, lock, plan again, apply; and all over again when
//! the connection is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::run_error::RunError;
use super::{Context, Settled, ancestry, is_sealed, rows, settle, snapshot, tell_done};
use crate::ancestry::Ancestry;
use crate::apply::{ApplyError, CompletedStep, StoppedRun, apply, check_unfinished, run_bookkeeping, startup_options};
use crate::backoff::Pace;
use crate::config::Snapshots;
use crate::connect::wait::{Said, for_server};
use crate::connect::{Pool, Session};
use crate::counters::{self, RetryCounter};
use crate::error::Error;
use crate::exit::{Explain as _, Retry};
use crate::ledger::lost::SchemaReset;
use crate::ledger::{self, Access, Level, State};
use crate::lock::Lock;
use crate::plan::Plan;
use crate::position::Position;
use crate::revision::graph::{Graph, Node};
use crate::revision::name::RevisionName;
use crate::revision::{Direction, Id, Revision};
use crate::words::{chain, count, left};

/// What a run is to bring about.
#[derive(Debug)]
pub(super) enum Goal<'n> {
    /// At least what a name means. One that says "from here" means one thing for the whole run: what it meant at
    /// the first plan under the lock, else a run that starts over would go further than was asked.
    Up(&'n RevisionName, Option<Vec<Id>>),
    /// Without exactly these, which were shown and confirmed.
    Down(BTreeSet<Id>),
}

/// What one run brought about.
#[derive(Debug)]
pub(super) struct Reached {
    /// What was run, in order.
    pub(super) done: Vec<CompletedStep>,
    /// The version rows at the end.
    pub(super) current: Vec<String>,
}

/// A lost connection is answered by a new run from the start, with a new plan: nothing is ever sent twice.
pub(super) async fn persistently(graph: &Graph, mut goal: Goal<'_>, snapshots: Snapshots, context: &Context) -> Result<Reached, Error> {
    let patience = context.config.retry_for;
    let mut done = Vec::new();
    let mut since: Option<Instant> = None;
    let mut pace = Pace::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let error = match once(graph, &mut goal, snapshots, context, &mut done).await {
            Ok(current) => return Ok(Reached { done, current }),
            Err(error) => error,
        };
        if !error.retry().is_worthwhile() {
            return Err(told_in_full(error, done));
        }
        let deadline = *since.get_or_insert_with(Instant::now) + patience;
        if Instant::now() >= deadline {
            return Err(if patience.is_zero() || error.retry() == Retry::WhenUnlocked {
                error
            } else {
                Error::Run(RunError::RetriesExhausted { timeout: patience, last: Box::new(error) })
            });
        }
        counters::retried(RetryCounter::Connection);
        warn!("{}; planning anew, {} left", chain(&error), left(deadline));
        tokio::time::sleep(pace.pause()).await;
    }
}

/// What earlier rounds of the same run had committed belongs to the story of a failure.
fn told_in_full(mut error: Error, mut earlier: Vec<CompletedStep>) -> Error {
    if let Error::Apply(stopped) = &mut error {
        earlier.append(&mut stopped.done);
        stopped.done = earlier;
    }
    error
}

/// One run: environment → session → state → plan → lock → plan again → applied. Gives back the version rows.
async fn once(
    graph: &Graph,
    goal: &mut Goal<'_>,
    snapshots: Snapshots,
    context: &Context,
    done: &mut Vec<CompletedStep>,
) -> Result<Vec<String>, Error> {
    let config = &context.config;
    let (pool, mut early) = match context.early.0.take() {
        Some((pool, session, state)) => (pool, Some((session, state))),
        None => (context.pool()?, None),
    };
    let deadline = context.wait_deadline();
    let mut said = Said::default();
    let (session, state) = loop {
        let (session, mut state) = match early.take() {
            Some(early) => early,
            None => {
                let session = for_server(&pool, &config.wait_for, config.wait_timeout, deadline).await?;
                let state = State::load(&session, config, Level::Rows(Access::Write)).await?;
                (session, state)
            }
        };
        let Settled { position, changed_down, .. } = settle(graph, &mut state, &session, config).await?;
        let targets = targets(goal, &position)?;
        tell_ahead(goal, &position, &targets, context)?;
        let plan = plan(goal, &position, &targets, &ancestry(&position, &state))?;
        check_unfinished(&plan, &state).map_err(stopped)?;
        if plan.is_empty() && (changed_down.is_empty() || state.server.read_only) {
            if !is_sealed(graph, &state) {
                ledger::wait_until_durable(&session, deadline).await?;
            }
            tell_done(&pool, &state.rows);
            return Ok(state.rows);
        }
        if !state.server.read_only {
            break (session, state);
        }
        let pending = plan.steps.len();
        session.close();
        wait_for_writes(&pool, pending, deadline, &mut said).await?;
    };
    debug!(server = %state.server.version, database = %state.server.database, role = %state.server.role, "ready");
    // Back to the pool: it will hold the lock, and until then it is nobody's.
    drop(session);
    let mut reached = None;
    let needless = async |session: &Session| {
        reached = reached_by_another(graph, goal, session, context).await;
        reached.is_some()
    };
    let Some(lock) = Lock::acquire_unless(&pool, &state, config.run_lock_timeout, needless).await? else {
        let current = reached.unwrap_or_default();
        info!("another run brought the database to {}", current.join(", "));
        return Ok(current);
    };
    let session = lock.worker(config.wait_timeout, Some(&startup_options(config, state.server.number))).await?;
    let mut state = State::load(&session, config, Level::Writer).await?;
    let Settled { position, changed_down, reset } = settle(graph, &mut state, &session, config).await?;
    state.load_contents(&session).await?;
    let targets = targets(goal, &position)?;
    if let Goal::Up(_, fixed) = goal {
        fixed.get_or_insert_with(|| targets.iter().map(|node| position.graph.id(*node).clone()).collect());
    }
    record_changed_down(&changed_down, &state, &session, &lock, context).await;
    let ancestry = ancestry(&position, &state);
    let plan = plan(goal, &position, &targets, &ancestry)?;
    if reset.is_none() {
        check_unfinished(&plan, &state).map_err(stopped)?;
    }
    if plan.direction == Direction::Down && plan.steps.iter().any(|step| graph.node(step.revision.id.as_str()).is_none()) {
        state.ledger.check_revision_writers(&session).await?;
    }
    let Some(last) = plan.steps.last() else {
        lock.release().await;
        if !is_sealed(graph, &state) {
            ledger::wait_until_durable(&session, context.wait_deadline()).await?;
        }
        info!("nothing left to do: the database is at {}", rows(&state.rows));
        return Ok(state.rows);
    };
    let doing = match plan.direction {
        Direction::Up => "applying",
        Direction::Down => "undoing",
    };
    if let Some(reset) = reset {
        record_reset(&reset, &mut state, &session, &lock, context).await?;
    }
    record_ancestry(&position, &ancestry, &mut state, &session, &lock, context).await;
    info!("{doing} {} on {}, from {}", count(plan.steps.len(), "revision"), pool.address(), rows(&state.rows));
    match apply(&plan, &state, config, &session, &lock).await {
        Ok(mut applied) => {
            done.append(&mut applied);
            let at = crate::revision::join_ids(&last.after);
            // A trigger that defers itself again and again runs at COMMIT, behind all checks.
            let (found, _) = state.ledger.read_tables(&session).await?;
            if !found.iter().map(String::as_str).eq(last.after.iter().map(Id::as_str)) {
                return Err(stopped(ApplyError::UnexpectedVersion { expected: at, found: rows(&found) }));
            }
            if snapshots == Snapshots::On {
                snapshot::save(&state, graph, &at, session, context).await;
            }
            lock.release().await;
            Ok(last.after.iter().map(ToString::to_string).collect())
        }
        Err(mut stopped) => {
            // What a failed revision has left in the session reaches nobody else.
            session.close();
            if matches!(stopped.error, ApplyError::Lost(..) | ApplyError::Moved(_)) {
                done.append(&mut stopped.done);
            }
            Err(Error::Apply(Box::new(stopped)))
        }
    }
}

/// The version rows, if another run has reached the goal with these very files, and durably.
async fn reached_by_another(graph: &Graph, goal: &Goal<'_>, session: &Session, context: &Context) -> Option<Vec<String>> {
    let state = State::load(session, &context.config, Level::Rows(Access::Write)).await.ok()?;
    if !is_sealed(graph, &state) {
        return None;
    }
    let position = Position::resolve(graph, &state.rows, &[]).ok()?;
    // Whatever was never run is not among what the goal names.
    let plan = plan(goal, &position, &targets(goal, &position).ok()?, &Ancestry::default()).ok()?;
    plan.is_empty().then_some(state.rows)
}

/// Refused before anything was done.
fn stopped(error: ApplyError) -> Error {
    Error::Apply(Box::new(StoppedRun { done: Vec::new(), error }))
}

/// The revisions to be at, going up.
fn targets(goal: &Goal<'_>, position: &Position<'_>) -> Result<Vec<Node>, Error> {
    match goal {
        Goal::Down(_) => Ok(Vec::new()),
        Goal::Up(_, Some(fixed)) => Ok(fixed.iter().filter_map(|id| position.graph.node(id.as_str())).collect()),
        Goal::Up(name, None) => Ok(position.targets(name)?),
    }
}

fn plan<'p>(goal: &Goal<'_>, position: &'p Position<'_>, targets: &[Node], ancestry: &Ancestry) -> Result<Plan<'p>, Error> {
    match goal {
        Goal::Up(..) => Ok(Plan::upgrade(&position.graph, &position.rows, targets)),
        Goal::Down(doomed) => Ok(Plan::downgrade(&position.graph, &position.rows, doomed, &ancestry.unapplied)?),
    }
}

/// Going up, a database that is ahead is let be, or refused; going down is the way back from it.
fn tell_ahead(goal: &Goal<'_>, position: &Position<'_>, targets: &[Node], context: &Context) -> Result<(), Error> {
    if matches!(goal, Goal::Down(_)) || position.without_file.is_empty() {
        return Ok(());
    }
    let beyond = position.check_ahead(targets, context.config.ahead)?;
    warn!("the database is ahead of these files by {beyond}, none of them marked breaking: letting it be");
    Ok(())
}

/// Records down migrations that were changed in their files; a role that may not write is no reason to stop.
async fn record_changed_down(changed_down: &[Revision], state: &State, session: &Session, lock: &Lock, context: &Context) {
    for revision in changed_down {
        let id = revision.id.as_str();
        let statements = state.ledger.accept_file(revision, "the way down was mended in its file");
        match run_bookkeeping(session, lock, state.server.number, &context.config, statements).await {
            Ok(()) => info!(revision = id, "the way down of {id} was mended: the ledger keeps the new one"),
            Err(failure) => warn!(revision = id, "the mended way down of {id} is not in the ledger: {}", chain(&failure)),
        }
    }
}

/// The version table's schema was dropped and created again: nothing is applied, nor half applied.
async fn record_reset(reset: &SchemaReset, state: &mut State, session: &Session, lock: &Lock, context: &Context) -> Result<(), Error> {
    warn!("{reset}");
    let mut statements = state.ledger.record_schema_reset(&reset.to_string());
    statements.extend(state.ledger.record_all_progress_reset(state));
    run_bookkeeping(session, lock, state.server.number, &context.config, statements).await.map_err(Error::Note)?;
    state.clear_unfinished();
    Ok(())
}

/// Records what another tool has applied, as the version table and the files say now: a file that comes in below it later was
/// not applied. A role that may not write that may not do what follows either, which says more about it.
async fn record_ancestry(
    position: &Position<'_>,
    ancestry: &Ancestry,
    state: &mut State,
    session: &Session,
    lock: &Lock,
    context: &Context,
) {
    let unrecorded: Vec<&str> = ancestry.unrecorded.iter().map(|node| position.graph.id(*node).as_str()).collect();
    if unrecorded.is_empty() {
        return;
    }
    let detail = format!("applied by another tool: the version table was at {}", rows(&state.rows));
    let mut statements = state.ledger.install();
    statements.extend(state.ledger.record_assumed(&unrecorded, &detail));
    match run_bookkeeping(session, lock, state.server.number, &context.config, statements).await {
        Ok(()) => state.ledger.mark_installed(),
        Err(failure) => debug!("what another tool applied is not in the ledger: {}", chain(&failure)),
    }
}

/// A standby may be promoted, or a maintenance end: worth waiting for as long as for the server itself.
async fn wait_for_writes(pool: &Pool, pending: usize, deadline: Instant, said: &mut Said) -> Result<(), Error> {
    let now = Instant::now();
    if now >= deadline {
        return Err(Error::Run(RunError::ReadOnly { address: pool.address(), pending }));
    }
    if said.is_news("read-only") {
        info!(
            "waiting for the server: {} is read-only and {} pending; {} left",
            pool.address(),
            count(pending, "revision"),
            left(deadline)
        );
    }
    tokio::time::sleep(Duration::from_millis(500).min(deadline - now)).await;
    Ok(())
}
