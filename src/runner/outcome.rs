//! The plan of a run, and its outcome.

use std::path::PathBuf;

use crate::apply::CompletedStep;
use crate::plan::Plan;
use crate::revision::{Direction, Id, SectionMode};

/// The plan of a run. Making it changes nothing.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// The database, without its password.
    pub address: String,
    /// The version rows.
    pub current: Vec<String>,
    /// Up or down.
    pub direction: Direction,
    /// The revisions to run, in order; none if there is nothing to do.
    pub steps: Vec<PlannedStep>,
    /// Of a downgrade: revisions that are not undone, as they were never applied to this database.
    pub not_applied: Vec<Id>,
}

/// A revision that would be run.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// Its id.
    pub revision: Id,
    /// Its message.
    pub message: String,
    /// Its file.
    pub path: PathBuf,
    /// How it is run.
    pub mode: SectionMode,
    /// The SQL.
    pub sql: String,
}

impl PlannedRun {
    pub(super) fn new(address: String, current: Vec<String>, plan: &Plan<'_>) -> Self {
        let steps = plan.steps.iter().map(|step| PlannedStep {
            revision: step.revision.id.clone(),
            message: step.revision.message.clone(),
            path: step.revision.path.clone(),
            mode: step.mode(),
            sql: step.sql().to_owned(),
        });
        Self { address, current, direction: plan.direction, steps: steps.collect(), not_applied: Vec::new() }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The revisions that it ran, in order.
    pub done: Vec<CompletedStep>,
    /// The version rows at the end.
    pub current: Vec<String>,
}
