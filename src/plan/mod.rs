//! What a run will do, as data: computed from the graph, the version rows and the target. Printed by `--sql`, executed by `apply`.

pub mod downgrade;
pub mod refused;
mod row_tracker;
pub mod stamp;
#[cfg(test)]
mod tests;
mod upgrade;
mod version_rows;

use crate::revision::applied_digest::AppliedDigest;
use crate::revision::graph::{Graph, Node};
use crate::revision::{Direction, Revision, Section, SectionMode};
use crate::shared_text::TextPart;
pub use version_rows::VersionRows;

/// One revision to run, and the version rows before and after it.
#[derive(Clone, Debug)]
pub struct Step<'g> {
    /// The revision.
    pub revision: &'g Revision,
    /// The section to run: `up` or `down`.
    pub section: &'g Section,
    /// What the version table must contain before.
    pub before: VersionRows,
    /// What it contains afterwards.
    pub after: VersionRows,
}

impl Step<'_> {
    /// The SQL to run.
    pub fn sql(&self) -> &str {
        self.revision.sql(self.section)
    }

    /// The same, shared with the revision.
    pub(crate) fn text(&self) -> TextPart {
        self.revision.executed_text().part(self.section.range.clone())
    }

    /// How to run it.
    pub fn mode(&self) -> SectionMode {
        self.section.mode
    }
}

/// Revisions in the order in which they run.
#[derive(Clone, Debug)]
pub struct Plan<'g> {
    /// Whether the steps run `up` or `down` sections.
    pub direction: Direction,
    /// The steps. None: there is nothing to do.
    pub steps: Vec<Step<'g>>,
    /// The digest of the revisions that are applied after the last step.
    pub applied_digest: Option<AppliedDigest>,
}

impl<'g> Plan<'g> {
    fn new(graph: &Graph, direction: Direction, steps: Vec<Step<'g>>) -> Self {
        let applied_digest = steps.last().map(|last| {
            let rows: Vec<Node> = last.after.iter().filter_map(|id| graph.node(id.as_str())).collect();
            AppliedDigest::of(graph, &rows)
        });
        Self { direction, steps, applied_digest }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
