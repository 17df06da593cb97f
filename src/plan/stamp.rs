//! The version rows that `stamp` writes.

use super::row_tracker::VersionRowTracker;
use super::version_rows::VersionRows;
use crate::revision::graph::{Graph, Node, NodeSet};
use crate::revision::name::{NameError, RevisionName};

/// The version rows after a stamp of `names`. A row that is an ancestor or a descendant of a target is replaced; other rows stay. A
/// target that is a prerequisite of another one gets no row. `base` removes all rows, `BRANCH@base` those of the branch.
pub fn stamp(graph: &Graph, rows: &[Node], names: &[RevisionName]) -> Result<VersionRows, NameError> {
    let mut new_rows = rows.to_vec();
    let mut targets = Vec::new();
    for name in names {
        if name.is_base() {
            let branch = name.branch(graph)?.map(|branch| Neighbourhood::of(graph, branch));
            new_rows.retain(|row| branch.as_ref().is_some_and(|branch| !branch.contains(*row)));
        } else {
            for target in name.single_target_or_heads(graph, rows)? {
                let neighbourhood = Neighbourhood::of(graph, target);
                new_rows.retain(|row| !neighbourhood.contains(*row));
                targets.push(target);
            }
        }
    }
    new_rows.extend(targets);
    Ok(VersionRowTracker::new(graph, &new_rows).into_minimal())
}

/// A revision with all its prerequisites and dependents, direct and indirect.
struct Neighbourhood(NodeSet, NodeSet);

impl Neighbourhood {
    fn of(graph: &Graph, node: Node) -> Self {
        Self(graph.reach(&[node], Graph::prerequisites), graph.reach(&[node], Graph::dependents))
    }

    fn contains(&self, node: Node) -> bool {
        self.0.contains(node) || self.1.contains(node)
    }
}
