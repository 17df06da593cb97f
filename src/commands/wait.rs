//! `wait`: for containers that must not migrate. Reads repeatedly until the database is at the target; creates and locks nothing.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tracing::{debug, info};

use super::context::Context;
use super::database_status::{DatabaseStatus, fixed_target, read_status};
use super::error::CommandError;
use super::files::load_graph;
use super::output::result;
use crate::backoff::Pace;
use crate::cli;
use crate::error::Error;
use crate::exit::Explain as _;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::session::Pool;
use crate::session::wait::{LogThrottle, WaitError};
use crate::words::{chain, count, left, seconds};

/// The JSON of `wait --json`.
#[derive(Debug, Serialize)]
struct WaitReport<'a> {
    /// The target as it was named.
    target: &'a str,
    /// The version rows at the end.
    current: &'a [String],
    /// How long it waited.
    seconds: f64,
}

/// Succeeds as soon as the database is at the target, or ahead of it by revisions that are not breaking.
pub async fn run(words: &cli::WaitArgs, context: &Context) -> Result<(), Error> {
    let started = Instant::now();
    let typed = words.revision.as_deref().unwrap_or(&context.config.target);
    let graph = load_graph(&context.config).await?;
    let target = fixed_target(typed, &graph)?;
    let found = wait_until_at_target(&graph, &target, typed, context).await?;
    let took = started.elapsed();
    let text = format!("at {}, after {}\n", found.at(), seconds(took));
    let report = WaitReport { target: typed, current: &found.current, seconds: took.as_secs_f64() };
    result(&report, &text, words.json, context.config.log_format)
}

async fn wait_until_at_target(graph: &Graph, target: &RevisionName, typed: &str, context: &Context) -> Result<DatabaseStatus, Error> {
    let pool = context.pool()?;
    let deadline = context.wait_deadline();
    let mut pace = Pace::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut throttle = LogThrottle::default();
    let mut last: Option<DatabaseStatus> = None;
    loop {
        match read_once(&pool, graph, target, context, deadline).await {
            Ok(found) if found.is_at_target() => return Ok(found),
            Ok(found) => {
                let pending = found.pending.join(", ");
                if throttle.should_log(&pending) {
                    let number = count(found.pending.len(), "revision");
                    info!("waiting for {} to be at {typed}: {number} pending ({pending}); {} left", pool.address(), left(deadline));
                }
                last = Some(found);
            }
            Err(error) if may_pass(&error) => {
                debug!("not readable now: {}", chain(&error));
                if last.is_none() && Instant::now() >= deadline {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        if now >= deadline {
            let Some(DatabaseStatus { current, pending }) = last else { continue };
            return Err(Error::Command(CommandError::NotYet {
                target: typed.to_owned(),
                current,
                pending,
                waited: context.config.wait_timeout,
            }));
        }
        tokio::time::sleep(pace.pause().min(deadline - now)).await;
    }
}

async fn read_once(
    pool: &Pool,
    graph: &Graph,
    target: &RevisionName,
    context: &Context,
    deadline: Instant,
) -> Result<DatabaseStatus, Error> {
    let session = context.runner.connect(pool, deadline).await?;
    read_status(session, graph, target, context).await
}

/// Whether a later read may succeed. `Runner::connect` itself fails only at the deadline.
fn may_pass(error: &Error) -> bool {
    error.retry().is_worthwhile() || matches!(error, Error::Wait(WaitError::Timeout { .. }))
}
