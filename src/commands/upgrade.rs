//! `upgrade`: wait, lock, apply, exit.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{Context, answer, json, position, verify};
use crate::apply::{Done, apply};
use crate::backoff::Pace;
use crate::cli;
use crate::connect::Pool;
use crate::connect::wait::{Said, for_server};
use crate::exit::Error;
use crate::ledger::{self, State};
use crate::lock::Lock;
use crate::plan::Plan;
use crate::report::{chain, count, left, seconds};
use crate::revision::graph::Graph;
use crate::revision::name::Name;

/// The JSON of `upgrade --json`.
#[derive(Debug, Serialize)]
struct Upgraded<'a> {
    /// The target as it was named.
    target: &'a str,
    /// The version rows at the end.
    current: Vec<String>,
    /// What this run applied, in order.
    applied: Vec<Applied<'a>>,
}

#[derive(Debug, Serialize)]
struct Applied<'a> {
    revision: &'a str,
    seconds: f64,
}

/// What one run brought about.
struct Reached {
    done: Vec<Done>,
    current: Vec<String>,
}

/// Brings the database to the target.
pub async fn run(words: &cli::Upgrade, context: &Context) -> Result<(), Error> {
    let typed = words.revision.as_deref().unwrap_or(&context.config.target);
    let target = Name::parse(typed)?;
    let graph = Graph::load(&context.config.migrations).map_err(Error::Revisions)?;
    // A name that can't be right is found before anything is connected to; one that says "from here" can't be.
    if !target.is_relative() {
        target.targets(&graph, &[])?;
    }
    let reached = persistently(&graph, &target, context).await?;
    if words.json {
        let applied =
            reached.done.iter().map(|done| Applied { revision: done.id.as_str(), seconds: done.duration.as_secs_f64() }).collect();
        return answer(&json(&Upgraded { target: typed, current: reached.current, applied })?);
    }
    let at = if reached.current.is_empty() { "base".to_owned() } else { reached.current.join(", ") };
    let total: Duration = reached.done.iter().map(|done| done.duration).sum();
    answer(&match reached.done.len() {
        0 => format!("at {at}, nothing to do\n"),
        count => format!("at {at}, {count} applied in {}\n", seconds(total)),
    })
}

/// A lost connection is answered by a new run from the start, with a new plan: nothing is ever sent twice.
async fn persistently(graph: &Graph, target: &Name, context: &Context) -> Result<Reached, Error> {
    let patience = context.config.retry_for;
    let mut done = Vec::new();
    let mut since: Option<Instant> = None;
    let mut pace = Pace::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let error = match once(graph, target, context, &mut done).await {
            Ok(current) => return Ok(Reached { done, current }),
            Err(error) => error,
        };
        if !error.is_lost() {
            return Err(told_in_full(error, done));
        }
        let deadline = *since.get_or_insert_with(Instant::now) + patience;
        if Instant::now() >= deadline {
            return Err(if patience.is_zero() { error } else { Error::LostForGood { patience, last: Box::new(error) } });
        }
        warn!("{}; planning anew, {} left", chain(&error), left(deadline));
        tokio::time::sleep(pace.pause()).await;
    }
}

/// What earlier rounds of the same run had committed belongs to the story of a failure.
fn told_in_full(mut error: Error, mut earlier: Vec<Done>) -> Error {
    if let Error::Apply(stopped) = &mut error {
        earlier.append(&mut stopped.done);
        stopped.done = earlier;
    }
    error
}

/// One run: environment → session → state → plan → lock → plan again → applied. Gives back the version rows.
async fn once(graph: &Graph, target: &Name, context: &Context, done: &mut Vec<Done>) -> Result<Vec<String>, Error> {
    let config = &context.config;
    let pool = context.pool()?;
    let deadline = context.wait_deadline();
    let mut said = Said::default();
    let (session, state) = loop {
        let session = for_server(&pool, &config.wait_for, config.wait_timeout, deadline).await?;
        let state = ledger::read(&session, config).await?;
        let plan = plan(graph, &state, target, context)?;
        verify(graph, &position(graph, &state, config)?, &state, &session).await?;
        if plan.is_empty() {
            info!("nothing pending on {}: at {}", pool.address(), rows(&state));
            return Ok(state.rows);
        }
        if !state.server.read_only {
            break (session, state);
        }
        let pending = plan.steps.len();
        session.discard();
        wait_for_writes(&pool, pending, deadline, &mut said).await?;
    };
    debug!(server = %state.server.version, database = %state.server.database, role = %state.server.role, "ready");
    let lock = Lock::acquire(&pool, &state, config.run_lock_timeout).await?;
    let state = ledger::read(&session, config).await?;
    let plan = plan(graph, &state, target, context)?;
    let Some(last) = plan.steps.last() else {
        lock.release().await;
        info!("another run brought the database to {}", rows(&state));
        return Ok(state.rows);
    };
    info!("applying {} to {}, from {}", count(plan.steps.len(), "revision"), pool.address(), rows(&state));
    match apply(&plan, &state, config, &session, &lock).await {
        Ok(mut applied) => {
            done.append(&mut applied);
            lock.release().await;
            Ok(last.after.iter().map(ToString::to_string).collect())
        }
        Err(mut stopped) => {
            let error_is_lost = matches!(stopped.error, crate::apply::ApplyError::Lost(..) | crate::apply::ApplyError::Moved(_));
            if error_is_lost {
                done.append(&mut stopped.done);
            }
            Err(Error::Apply(Box::new(stopped)))
        }
    }
}

fn plan<'g>(graph: &'g Graph, state: &State, target: &Name, context: &Context) -> Result<Plan<'g>, Error> {
    let rows = position(graph, state, &context.config)?;
    Ok(Plan::upgrade(graph, &rows, target)?)
}

fn rows(state: &State) -> String {
    if state.rows.is_empty() { "base".to_owned() } else { state.rows.join(", ") }
}

/// A standby may be promoted, or a maintenance end: worth waiting for as long as for the server itself.
async fn wait_for_writes(pool: &Pool, pending: usize, deadline: Instant, said: &mut Said) -> Result<(), Error> {
    let now = Instant::now();
    if now >= deadline {
        return Err(Error::ReadOnly { address: pool.address(), pending });
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
