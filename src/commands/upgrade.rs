//! `upgrade`: wait, lock, apply, exit.

use std::time::Duration;

use serde::Serialize;

use super::run::{Goal, Reached, persistently};
use super::{Context, answer, json, no_range, offline, rows, tell_done};
use crate::cli;
use crate::config::Snapshots;
use crate::error::Error;
use crate::revision::Direction;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::words::seconds;

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

/// The target that a whole folder comes to.
const WHOLE: &str = "head";

/// Brings the database to the target.
pub async fn run(words: &cli::UpgradeArgs, context: &Context) -> Result<(), Error> {
    let typed = words.revision.as_deref().unwrap_or(&context.config.target);
    if words.sql {
        return offline::run(typed, Direction::Up, context).await;
    }
    no_range(typed)?;
    let target = RevisionName::parse(typed)?;
    let digest = context.digest().await;
    if typed == WHOLE
        && let Some((pool, state)) = digest.and_then(|digest| context.early.at_head(&digest))
    {
        tell_done(&pool, &state.rows);
        return tell(typed, Reached { done: Vec::new(), current: state.rows }, words);
    }
    let graph = Graph::load(&context.config.migrations)?;
    // A name that can't be right is found before anything is connected to; one that says "from here" can't be.
    if !target.is_relative() {
        target.targets(&graph, &[])?;
    }
    let snapshots = context.config.snapshot.unwrap_or(Snapshots::Off);
    tell(typed, persistently(&graph, Goal::Up(&target, None), snapshots, context).await?, words)
}

fn tell(typed: &str, reached: Reached, words: &cli::UpgradeArgs) -> Result<(), Error> {
    if words.json {
        let applied =
            reached.done.iter().map(|done| Applied { revision: done.id.as_str(), seconds: done.duration.as_secs_f64() }).collect();
        return answer(&json(&Upgraded { target: typed, current: reached.current, applied })?);
    }
    let at = rows(&reached.current);
    let total: Duration = reached.done.iter().map(|done| done.duration).sum();
    answer(&match reached.done.len() {
        0 => format!("at {at}, nothing to do\n"),
        count => format!("at {at}, {count} applied in {}\n", seconds(total)),
    })
}
