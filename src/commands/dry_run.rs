//! `--dry-run`: prints the plan of a run, which changed nothing.

use std::fmt::Write as _;

use serde::Serialize;

use super::output::result;
use crate::config::LogFormat;
use crate::error::Error;
use crate::escape;
use crate::revision::statement::data_loss::statements_losing_data;
use crate::revision::{Direction, SectionMode, join_ids};
use crate::runner::PlannedRun;
use crate::words::{count, version};

/// The JSON of `upgrade --dry-run --json` and `downgrade --dry-run --json`.
#[derive(Debug, Serialize)]
struct DryRun<'a> {
    /// Always true: nothing was changed.
    dry_run: bool,
    /// `upgrade` or `downgrade`.
    direction: &'static str,
    /// The target as it was named.
    target: &'a str,
    /// The database.
    database: &'a str,
    /// The version rows.
    current: &'a [String],
    /// What would run, in order.
    plan: Vec<DryRunStep<'a>>,
    /// Of a downgrade: revisions that would not be undone, as they were never applied to this database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_applied: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DryRunStep<'a> {
    revision: &'a str,
    message: &'a str,
    /// Its file.
    path: String,
    /// Whether it runs in a transaction; `false`: statement by statement.
    transaction: bool,
    /// The statements that drop or delete data.
    loses_data: Vec<String>,
}

/// Prints the plan.
pub(super) fn print(planned: &PlannedRun, target: &str, wants_json: bool, format: LogFormat) -> Result<(), Error> {
    let steps = planned.steps.iter().map(|step| DryRunStep {
        revision: step.revision.as_str(),
        message: &step.message,
        path: step.path.display().to_string(),
        transaction: step.mode == SectionMode::Transaction,
        loses_data: statements_losing_data(&step.sql),
    });
    let dry_run = DryRun {
        dry_run: true,
        direction: planned.direction.verb(),
        target,
        database: &planned.address,
        current: &planned.current,
        plan: steps.collect(),
        not_applied: planned.not_applied.iter().map(ToString::to_string).collect(),
    };
    result(&dry_run, &text(planned), wants_json, format)
}

fn text(planned: &PlannedRun) -> String {
    let (at, address) = (escape::line(version(&planned.current)).to_string(), escape::line(&planned.address));
    let (nothing, done) = match planned.direction {
        Direction::Up => ("nothing to do", "applied"),
        Direction::Down => ("nothing to undo", "undone"),
    };
    if planned.is_empty() {
        return format!("dry run: {address} is at {at}, {nothing}\n");
    }
    let mut text = format!("dry run: {address} is at {at}; {} would be {done}, in this order:\n", count(planned.steps.len(), "revision"));
    for step in &planned.steps {
        let (message, path) = (escape::line(&step.message), escape::line(step.path.display()));
        let mode = match step.mode {
            SectionMode::Transaction => "in a transaction",
            SectionMode::Stepwise => "statement by statement",
        };
        let _ = writeln!(text, "  {}  {message}  ({path}), {mode}", step.revision);
        for statement in statements_losing_data(&step.sql) {
            let _ = writeln!(text, "      loses data: {}", escape::line(statement));
        }
    }
    if !planned.not_applied.is_empty() {
        let _ = writeln!(text, "Not undone, as never applied to this database: {}.", escape::line(join_ids(&planned.not_applied)));
    }
    text + "nothing was changed\n"
}
