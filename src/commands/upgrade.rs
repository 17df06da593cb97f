//! `upgrade`: wait, lock, apply, exit.

use std::time::Duration;

use serde::Serialize;

use super::run::{Goal, persistently};
use super::{Context, answer, json, no_range, offline};
use crate::cli;
use crate::exit::Error;
use crate::plan::Direction;
use crate::report::seconds;
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

/// Brings the database to the target.
pub async fn run(words: &cli::Upgrade, context: &Context) -> Result<(), Error> {
    let typed = words.revision.as_deref().unwrap_or(&context.config.target);
    if words.sql {
        return offline::run(typed, Direction::Up, context).await;
    }
    no_range(typed)?;
    let target = Name::parse(typed)?;
    let graph = context.graph().await?;
    // A name that can't be right is found before anything is connected to; one that says "from here" can't be.
    if !target.is_relative() {
        target.targets(&graph, &[])?;
    }
    let reached = persistently(&graph, Goal::Up(&target, None), context).await?;
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
