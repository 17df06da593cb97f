//! The rows of the version table, followed from step to step of a plan.

use std::collections::BTreeSet;

use super::version_rows::VersionRows;
use crate::revision::graph::{Graph, Node, NodeSet};

/// Computes the version rows before and after each step.
pub(super) struct VersionRowTracker<'g> {
    graph: &'g Graph,
    /// Revisions below the version rows that were never applied: their prerequisites take their place.
    unapplied: BTreeSet<Node>,
    applied: NodeSet,
    /// For each node, how many applied revisions have it as a prerequisite.
    child_count: Vec<usize>,
    /// The rows in the table. At the start there may be more than necessary: in a rare case Alembic leaves a row that another one implies.
    rows: VersionRows,
    /// The rows that the applied revisions need.
    minimal: VersionRows,
}

impl<'g> VersionRowTracker<'g> {
    /// All revisions at and below `rows` are applied.
    pub(super) fn new(graph: &'g Graph, rows: &[Node]) -> Self {
        Self::without(graph, rows, &BTreeSet::new())
    }

    /// All revisions at and below `rows` are applied, except `unapplied`.
    pub(super) fn without(graph: &'g Graph, rows: &[Node], unapplied: &BTreeSet<Node>) -> Self {
        let mut applied = graph.reach(rows, Graph::prerequisites);
        unapplied.iter().for_each(|node| applied.remove(*node));
        let mut child_count = vec![0; graph.len()];
        for prerequisite in applied.nodes().flat_map(|node| applied_prerequisites(graph, node, unapplied)) {
            child_count[prerequisite.index()] += 1;
        }
        let minimal = applied.nodes().filter(|node| child_count[node.index()] == 0).map(|node| graph.id(node).clone()).collect();
        let rows = rows.iter().map(|node| graph.id(*node).clone()).collect();
        Self { graph, unapplied: unapplied.clone(), applied, child_count, rows, minimal }
    }

    /// Whether a revision was applied at the start.
    pub(super) fn is_applied(&self, node: Node) -> bool {
        self.applied.contains(node)
    }

    /// The revisions that were applied at the start, prerequisites first.
    pub(super) fn applied(&self) -> impl DoubleEndedIterator<Item = Node> + '_ {
        self.applied.nodes()
    }

    /// The rows that the applied revisions need.
    pub(super) fn into_minimal(self) -> VersionRows {
        self.minimal
    }

    /// Applies a revision: its row replaces those of its prerequisites. Returns the rows before and after.
    pub(super) fn upgrade(&mut self, node: Node) -> (VersionRows, VersionRows) {
        for prerequisite in applied_prerequisites(self.graph, node, &self.unapplied) {
            self.child_count[prerequisite.index()] += 1;
            self.minimal.remove(self.graph.id(prerequisite));
        }
        self.minimal.insert(self.graph.id(node).clone());
        self.advance()
    }

    /// Undoes a revision: its row is replaced by those of the prerequisites that no other applied revision has. Returns the rows
    /// before and after.
    pub(super) fn downgrade(&mut self, node: Node) -> (VersionRows, VersionRows) {
        self.minimal.remove(self.graph.id(node));
        for prerequisite in applied_prerequisites(self.graph, node, &self.unapplied) {
            self.child_count[prerequisite.index()] -= 1;
            if self.child_count[prerequisite.index()] == 0 {
                self.minimal.insert(self.graph.id(prerequisite).clone());
            }
        }
        self.advance()
    }

    fn advance(&mut self) -> (VersionRows, VersionRows) {
        (std::mem::replace(&mut self.rows, self.minimal.clone()), self.minimal.clone())
    }
}

/// The prerequisites of a revision. One that is `unapplied` is replaced by its own prerequisites.
fn applied_prerequisites(graph: &Graph, node: Node, unapplied: &BTreeSet<Node>) -> BTreeSet<Node> {
    let mut found = BTreeSet::new();
    let mut open = graph.prerequisites(node).to_vec();
    while let Some(next) = open.pop() {
        if unapplied.contains(&next) {
            open.extend_from_slice(graph.prerequisites(next));
        } else {
            found.insert(next);
        }
    }
    found
}
