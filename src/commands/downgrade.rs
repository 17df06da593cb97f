//! `downgrade`: lists what is undone, asks, undoes it. The same wait, lock, fence and ledger as `upgrade`.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use serde::Serialize;
use tracing::info;

use super::context::Context;
use super::error::CommandError;
use super::files::load_graph;
use super::output::result;
use super::{dry_run, offline};
use crate::cli;
use crate::config::LogFormat;
use crate::error::Error;
use crate::escape;
use crate::revision::name::RevisionName;
use crate::revision::statement::data_loss::statements_losing_data;
use crate::revision::{Direction, join_ids};
use crate::runner::PlannedRun;
use crate::words::version;
use crate::words::{count, seconds};

/// The JSON of `downgrade --json`.
#[derive(Debug, Serialize)]
struct Downgraded<'a> {
    /// The target as it was named.
    target: &'a str,
    /// The version rows at the end.
    current: Vec<String>,
    /// What this run undid, in order.
    undone: Vec<Undone<'a>>,
}

#[derive(Debug, Serialize)]
struct Undone<'a> {
    revision: &'a str,
    seconds: f64,
}

/// Downgrades the database to the target.
pub async fn run(words: &cli::DowngradeArgs, context: &Context) -> Result<(), Error> {
    if words.sql {
        return offline::run(&words.revision, Direction::Down, context).await;
    }
    offline::refuse_range(&words.revision)?;
    let config = &context.config;
    let target = RevisionName::parse(&words.revision)?;
    let graph = load_graph(config).await?;
    context.runner.notify_unread_folders(&graph);
    if words.dry_run {
        let (planned, _) = context.runner.plan_downgrade(&graph, &target).await?;
        return dry_run::print(&planned, &words.revision, words.json, context.config.log_format);
    }
    let asks = !words.yes && !config.confirmed;
    if asks && !std::io::stdin().is_terminal() {
        return Err(Error::Command(CommandError::NobodyToAsk));
    }
    // No connection is held while the user reads the list.
    let (planned, goal) = context.runner.plan_downgrade(&graph, &target).await?;
    if planned.is_empty() {
        info!("nothing to undo on {}: at {}", planned.address, version(&planned.current));
        return print_outcome(words, &planned.current, &[], context.config.log_format);
    }
    print_to_stderr(&preview(&planned))?;
    if asks {
        ask().await?;
    }
    let outcome = context.runner.apply(&graph, &goal).await?;
    print_outcome(words, &outcome.current, &outcome.done, context.config.log_format)
}

fn print_outcome(
    words: &cli::DowngradeArgs,
    current: &[String],
    done: &[crate::apply::CompletedStep],
    format: LogFormat,
) -> Result<(), Error> {
    let at = version(current);
    let total: Duration = done.iter().map(|done| done.duration).sum();
    let text = match done.len() {
        0 => format!("at {at}, nothing to undo\n"),
        count => format!("at {at}, {count} undone in {}\n", seconds(total)),
    };
    let undone = done.iter().map(|done| Undone { revision: done.id.as_str(), seconds: done.duration.as_secs_f64() }).collect();
    result(&Downgraded { target: &words.revision, current: current.to_vec(), undone }, &text, words.json, format)
}

/// The list of what is undone: each revision, and its statements that lose data.
fn preview(planned: &PlannedRun) -> String {
    let mut text =
        format!("{} will be undone on {}, in this order:\n", count(planned.steps.len(), "revision"), escape::line(&planned.address));
    let mut losses = 0;
    for step in &planned.steps {
        let (message, path) = (escape::line(&step.message), escape::line(step.path.display()));
        let _ = writeln!(text, "  {}  {message}  ({path})", step.revision);
        for statement in statements_losing_data(&step.sql) {
            losses += 1;
            let _ = writeln!(text, "      loses data: {}", escape::line(statement));
        }
    }
    if !planned.not_applied.is_empty() {
        let _ = writeln!(text, "Not undone, as never applied to this database: {}.", escape::line(join_ids(&planned.not_applied)));
    }
    text += match losses {
        0 => "No statement that drops or deletes data was seen; make sure that there is a backup nevertheless.\n",
        _ => "WARNING: what is dropped or deleted is lost. A later upgrade creates the tables and columns again, without their data.\n",
    };
    text
}

/// To standard error: standard output may be read by a program.
fn print_to_stderr(text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    std::io::stderr().write_all(text.as_bytes()).map_err(|error| CommandError::Output(error).into())
}

/// Only the whole word `yes` confirms; any other text, and the end of input, do not.
async fn ask() -> Result<(), Error> {
    print_to_stderr("Type yes to continue: ")?;
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    match line.await {
        Ok(Ok(line)) if line.trim() == "yes" => Ok(()),
        Ok(_) | Err(_) => Err(Error::Command(CommandError::Unconfirmed)),
    }
}
