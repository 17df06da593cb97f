//! `wait`: for what must not migrate itself. Reads until the database is at the target; creates nothing, locks nothing.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tracing::{debug, info};

use super::error::CommandError;
use super::standing::{Standing, fixed_target, look};
use super::{Context, answer, json};
use crate::backoff::Pace;
use crate::cli;
use crate::connect::Pool;
use crate::connect::wait::{Said, WaitError, for_server};
use crate::error::Error;
use crate::exit::Explain as _;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::words::{chain, count, left, seconds};

/// The JSON of `wait --json`.
#[derive(Debug, Serialize)]
struct Waited<'a> {
    /// The target as it was named.
    target: &'a str,
    /// The version rows at the end.
    current: &'a [String],
    /// How long it took.
    seconds: f64,
}

/// Ends well as soon as the database is at the target, or ahead of it compatibly.
pub async fn run(words: &cli::Wait, context: &Context) -> Result<(), Error> {
    let started = Instant::now();
    let typed = words.revision.as_deref().unwrap_or(&context.config.target);
    let graph = Graph::load(&context.config.migrations)?;
    let target = fixed_target(typed, &graph)?;
    let standing = until_there(&graph, &target, typed, context).await?;
    let took = started.elapsed();
    answer(&if words.json {
        json(&Waited { target: typed, current: &standing.current, seconds: took.as_secs_f64() })?
    } else {
        format!("at {}, after {}\n", standing.at(), seconds(took))
    })
}

async fn until_there(graph: &Graph, target: &RevisionName, typed: &str, context: &Context) -> Result<Standing, Error> {
    let pool = context.pool()?;
    let deadline = context.wait_deadline();
    let mut pace = Pace::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut said = Said::default();
    let mut last: Option<Standing> = None;
    loop {
        match one_look(&pool, graph, target, context, deadline).await {
            Ok(standing) if standing.is_there() => return Ok(standing),
            Ok(standing) => {
                let pending = standing.pending.join(", ");
                if said.is_news(&pending) {
                    let number = count(standing.pending.len(), "revision");
                    info!("waiting for {} to be at {typed}: {number} pending ({pending}); {} left", pool.address(), left(deadline));
                }
                last = Some(standing);
            }
            Err(error) if passes(&error) => {
                debug!("not readable now: {}", chain(&error));
                if last.is_none() && Instant::now() >= deadline {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        if now >= deadline {
            let Some(Standing { current, pending }) = last else { continue };
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

async fn one_look(pool: &Pool, graph: &Graph, target: &RevisionName, context: &Context, deadline: Instant) -> Result<Standing, Error> {
    let config = &context.config;
    let session = for_server(pool, &config.wait_for, config.wait_timeout, deadline).await?;
    look(session, graph, target, config).await
}

/// Whether a later look may succeed. `for_server` itself gives up only when the time is over.
fn passes(error: &Error) -> bool {
    error.retry().is_worthwhile() || matches!(error, Error::Wait(WaitError::Timeout { .. }))
}
