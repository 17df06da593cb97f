//! What a downgrade to a name undoes.

use super::error::NameError;
use super::lineage::Lineage;
use super::parse::{RevisionName, Symbol};
use crate::revision::graph::{Graph, Node};
use crate::revision::{Direction, join_ids};

/// Where a downgrade ends, and the revisions that it undoes together with all their dependents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DowngradeTarget {
    /// The revision that stays applied; `None` is base.
    pub target: Option<Node>,
    /// The children of the target that are undone, without their dependents.
    pub roots: Vec<Node>,
}

impl RevisionName {
    /// What a downgrade from `rows` to this name undoes. `BRANCH@` limits it to that branch, a bare `-N` to the branch of the only row.
    pub fn downgrade_target(&self, graph: &Graph, rows: &[Node]) -> Result<DowngradeTarget, NameError> {
        let mut branch = self.branch(graph)?;
        let target = match (&self.symbol, self.offset, self.exact_id(graph)) {
            (_, _, Some(node)) => Some(node),
            (Symbol::Current, 0.., None) => return Err(NameError::NotADowngrade(self.typed.clone())),
            (Symbol::Current, _, None) => {
                let row = self.starting_row(graph, rows, Direction::Down)?;
                branch = branch.or(row);
                self.follow_offset(graph, row)?
            }
            (Symbol::Head | Symbol::Heads | Symbol::Base | Symbol::Id(_), offset, None) => {
                let starts = self.resolve(graph)?;
                match starts.as_slice() {
                    [_, _, ..] => return Err(self.several_heads(graph, &starts)),
                    one if offset == 0 => one.first().copied(),
                    one => self.follow_offset(graph, one.first().copied())?,
                }
            }
        };
        let mut roots = target.map_or_else(|| graph.roots(), |node| graph.children(node).to_vec());
        if let Some(branch) = branch.filter(|_| roots.len() > 1) {
            let lineage = Lineage::of(graph, branch);
            roots.retain(|node| lineage.contains(*node));
            if roots.is_empty() {
                let parent = join_ids(target.map(|node| graph.id(node)));
                return Err(NameError::NoChildOnBranch { typed: self.typed.clone(), parent });
            }
        }
        Ok(DowngradeTarget { target, roots })
    }
}
