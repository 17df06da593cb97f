//! Branches: a revision with all its ancestors and descendants.

use super::error::NameError;
use crate::revision::graph::{Graph, Node, NodeSet};

/// A revision with all its ancestors and descendants along `revises`; `depends-on` does not count.
pub(super) struct Lineage(NodeSet, NodeSet);

impl Lineage {
    pub(super) fn of(graph: &Graph, node: Node) -> Self {
        Self(graph.reach(&[node], Graph::parents), graph.reach(&[node], Graph::children))
    }

    pub(super) fn contains(&self, node: Node) -> bool {
        self.0.contains(node) || self.1.contains(node)
    }
}

/// The revision with a branch label.
pub(super) fn find_label(graph: &Graph, text: &str) -> Option<Node> {
    graph.nodes().find(|node| graph.revision(*node).branch.as_deref() == Some(text))
}

/// The revision that the part before `@` names, by label or by id.
pub(super) fn find_branch(graph: &Graph, text: &str) -> Result<Node, NameError> {
    find_label(graph, text).or_else(|| graph.node(text)).ok_or_else(|| NameError::UnknownBranch(text.to_owned()))
}
