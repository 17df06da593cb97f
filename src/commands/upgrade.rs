//! `upgrade`: wait, lock, apply, exit.

use std::time::Duration;

use serde::Serialize;

use super::context::Context;
use super::files::load_graph;
use super::output::result;
use super::{dry_run, offline};
use crate::cli;
use crate::config::LogFormat;
use crate::error::Error;
use crate::revision::Direction;
use crate::revision::name::RevisionName;
use crate::runner::{Goal, RunOutcome};
use crate::words::seconds;
use crate::words::version;

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

/// The target of a whole folder that is applied.
const WHOLE: &str = "head";

/// Upgrades the database to the target.
pub async fn run(words: &cli::UpgradeArgs, context: &Context) -> Result<(), Error> {
    let typed = words.revision.as_deref().unwrap_or(&context.config.target);
    if words.sql {
        return offline::run(typed, Direction::Up, context).await;
    }
    offline::refuse_range(typed)?;
    let target = RevisionName::parse(typed)?;
    let runner = &context.runner;
    let digest = if words.dry_run { None } else { runner.prefetch().await };
    if typed == WHOLE
        && let Some(current) = digest.and_then(|digest| runner.take_if_at_head(&digest))
    {
        return print_outcome(typed, RunOutcome { done: Vec::new(), current }, words, context.config.log_format);
    }
    let graph = load_graph(&runner.config).await?;
    runner.notify_unread_folders(&graph);
    // A target that can't be valid is reported before anything is connected to; a relative one can't be checked yet.
    if !target.is_relative() {
        target.targets(&graph, &[])?;
    }
    if words.dry_run {
        let planned = runner.plan(&graph, &Goal::Upgrade(target)).await?;
        return dry_run::print(&planned, typed, words.json, context.config.log_format);
    }
    print_outcome(typed, runner.apply(&graph, &Goal::Upgrade(target)).await?, words, context.config.log_format)
}

fn print_outcome(typed: &str, reached: RunOutcome, words: &cli::UpgradeArgs, format: LogFormat) -> Result<(), Error> {
    let at = version(&reached.current);
    let total: Duration = reached.done.iter().map(|done| done.duration).sum();
    let text = match reached.done.len() {
        0 => format!("at {at}, nothing to do\n"),
        count => format!("at {at}, {count} applied in {}\n", seconds(total)),
    };
    let applied = reached.done.iter().map(|done| Applied { revision: done.id.as_str(), seconds: done.duration.as_secs_f64() }).collect();
    result(&Upgraded { target: typed, current: reached.current, applied }, &text, words.json, format)
}
