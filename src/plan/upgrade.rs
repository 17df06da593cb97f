//! The plan of an upgrade: the targets and their prerequisites that are not applied yet.

use super::row_tracker::VersionRowTracker;
use super::{Plan, Step};
use crate::revision::Direction;
use crate::revision::graph::{Graph, Node};

impl<'g> Plan<'g> {
    /// From the version rows up to at least `targets`.
    pub fn upgrade(graph: &'g Graph, rows: &[Node], targets: &[Node]) -> Self {
        let wanted = graph.reach(targets, Graph::prerequisites);
        let mut tracker = VersionRowTracker::new(graph, rows);
        let pending: Vec<Node> = wanted.nodes().filter(|node| !tracker.is_applied(*node)).collect();
        let steps = pending.into_iter().map(|node| {
            let revision = graph.revision(node);
            let (before, after) = tracker.upgrade(node);
            Step { revision, section: &revision.up, before, after }
        });
        Self::new(graph, Direction::Up, steps.collect())
    }
}
