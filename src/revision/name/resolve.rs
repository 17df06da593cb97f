//! The revisions that a name means in a graph, given the version rows.

use super::error::NameError;
use super::lineage::{Lineage, find_branch, find_label};
use super::parse::{RevisionName, Symbol};
use crate::revision::graph::{Graph, Node};
use crate::revision::{Direction, join_ids};
use crate::words::nearest;

impl RevisionName {
    /// The targets of an upgrade from `rows`; none means base.
    pub fn targets(&self, graph: &Graph, rows: &[Node]) -> Result<Vec<Node>, NameError> {
        if let Some(node) = self.exact_id(graph) {
            return Ok(vec![node]);
        }
        if self.symbol == Symbol::Current && self.offset < 0 {
            return Err(NameError::NotAnUpgrade(self.typed.clone()));
        }
        let starts = if self.is_relative() {
            self.starting_row(graph, rows, Direction::Up)?.into_iter().collect()
        } else {
            self.resolve_on_branch(graph)?
        };
        match (self.offset, starts.as_slice()) {
            (0, _) => Ok(starts),
            (_, []) => Ok(self.follow_offset(graph, None)?.into_iter().collect()),
            (_, [start]) => Ok(self.follow_offset(graph, Some(*start))?.into_iter().collect()),
            (_, several) => Err(self.several_heads(graph, several)),
        }
    }

    /// The same without a database: relative names are refused.
    pub fn absolute_targets(&self, graph: &Graph) -> Result<Vec<Node>, NameError> {
        if self.is_relative() && self.exact_id(graph).is_none() {
            return Err(NameError::RelativeWithoutDatabase(self.typed.clone()));
        }
        self.targets(graph, &[])
    }

    /// The single revision that this name means, a relative name with `-` included; `None` is base.
    pub fn single_target(&self, graph: &Graph, rows: &[Node]) -> Result<Option<Node>, NameError> {
        let found = match self.symbol {
            Symbol::Current if self.offset < 0 && self.exact_id(graph).is_none() => {
                return self.follow_offset(graph, self.starting_row(graph, rows, Direction::Down)?);
            }
            Symbol::Current | Symbol::Head | Symbol::Heads | Symbol::Base | Symbol::Id(_) => self.targets(graph, rows)?,
        };
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => Err(self.several_heads(graph, several)),
        }
    }

    /// The same, but `heads` may mean several.
    pub fn single_target_or_heads(&self, graph: &Graph, rows: &[Node]) -> Result<Vec<Node>, NameError> {
        match self.symbol {
            Symbol::Heads if self.offset == 0 => self.targets(graph, rows),
            Symbol::Current | Symbol::Head | Symbol::Heads | Symbol::Base | Symbol::Id(_) => {
                Ok(self.single_target(graph, rows)?.into_iter().collect())
            }
        }
    }

    /// The revision that the part before `@` names.
    pub fn branch(&self, graph: &Graph) -> Result<Option<Node>, NameError> {
        self.branch.as_deref().map(|branch| find_branch(graph, branch)).transpose()
    }

    /// The version row that a relative name starts from: the one on the branch, or the only one. A branch may have no row, because a row
    /// of another branch implies it. Then it is the last applied revision of the branch, which Alembic finds in two ways: for an upgrade,
    /// one without an applied dependent on the branch; for a downgrade, one without an applied child.
    pub(super) fn starting_row(&self, graph: &Graph, rows: &[Node], direction: Direction) -> Result<Option<Node>, NameError> {
        let mut starts = rows.to_vec();
        if let Some(branch) = self.branch(graph)? {
            let lineage = Lineage::of(graph, branch);
            starts.retain(|node| lineage.contains(*node));
            if starts.is_empty() {
                let applied = graph.reach(rows, Graph::prerequisites);
                let on_branch = |node: &Node| lineage.contains(*node);
                starts = match direction {
                    Direction::Up => {
                        let is_dependent = |node: &Node| applied.contains(*node) && on_branch(node);
                        let has_dependent = |node: &Node| graph.dependents(*node).iter().any(is_dependent);
                        applied.nodes().filter(|node| on_branch(node) && !has_dependent(node)).collect()
                    }
                    Direction::Down => {
                        let has_child = |node: &Node| graph.children(*node).iter().any(|child| applied.contains(*child));
                        applied.nodes().filter(|node| on_branch(node) && !has_child(node)).collect()
                    }
                };
            }
        }
        match starts.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => {
                let rows = join_ids(several.iter().map(|node| graph.id(*node)));
                Err(NameError::SeveralRows { typed: self.typed.clone(), rows })
            }
        }
    }

    /// The revision whose id is the whole name. That has precedence: `2024-11` may be an id.
    pub(super) fn exact_id(&self, graph: &Graph) -> Option<Node> {
        graph.node(&self.typed)
    }

    /// Like `resolve`, for an upgrade: in `BRANCH@ID` the id must be on the branch, as in Alembic.
    fn resolve_on_branch(&self, graph: &Graph) -> Result<Vec<Node>, NameError> {
        let found = self.resolve(graph)?;
        if let (Some(branch), [one], Symbol::Id(_)) = (self.branch(graph)?, found.as_slice(), &self.symbol)
            && !Lineage::of(graph, branch).contains(*one)
        {
            return Err(NameError::OffBranch { typed: self.typed.clone(), id: graph.id(*one).to_string() });
        }
        Ok(found)
    }

    /// The revisions of the symbol, without the offset.
    pub(super) fn resolve(&self, graph: &Graph) -> Result<Vec<Node>, NameError> {
        let branch = self.branch(graph)?;
        let lineage = branch.map(|branch| Lineage::of(graph, branch));
        let in_branch = |node: &Node| lineage.as_ref().is_none_or(|lineage| lineage.contains(*node));
        match &self.symbol {
            Symbol::Current | Symbol::Base => Ok(Vec::new()),
            // A head that another one depends on is applied with that one.
            Symbol::Heads if branch.is_none() => Ok(graph.nodes().filter(|node| graph.dependents(*node).is_empty()).collect()),
            Symbol::Heads => Ok(graph.heads().into_iter().filter(in_branch).collect()),
            Symbol::Head => {
                let heads: Vec<Node> = graph.heads().into_iter().filter(in_branch).collect();
                if heads.len() > 1 { Err(self.several_heads(graph, &heads)) } else { Ok(heads) }
            }
            Symbol::Id(id) => {
                if let Some(node) = graph.node(id).or_else(|| find_label(graph, id)) {
                    return Ok(vec![node]);
                }
                let label = |node: Node| graph.revision(node).branch.as_deref().is_some_and(|label| label.starts_with(id.as_str()));
                let starts = |node: &Node| graph.id(*node).as_str().starts_with(id.as_str()) || label(*node);
                let starts: Vec<Node> = graph.nodes().filter(starts).filter(in_branch).collect();
                match starts.as_slice() {
                    [one] => Ok(vec![*one]),
                    [] => {
                        let known = graph.nodes().map(|node| graph.id(node).as_str());
                        Err(NameError::Unknown { id: id.clone(), nearest: nearest(id, known) })
                    }
                    several => {
                        Err(NameError::Ambiguous { prefix: id.clone(), ids: join_ids(several.iter().take(10).map(|node| graph.id(*node))) })
                    }
                }
            }
        }
    }

    /// Goes as many steps as the offset says, along children or parents; `None` is base.
    pub(super) fn follow_offset(&self, graph: &Graph, start: Option<Node>) -> Result<Option<Node>, NameError> {
        let wanted = self.offset.unsigned_abs();
        let lineage = self.branch(graph)?.map(|branch| Lineage::of(graph, branch));
        let mut at = start;
        for walked in 0..wanted {
            let next: Vec<Node> = match (self.offset > 0, at) {
                (true, None) => graph.roots(),
                (true, Some(node)) => graph.children(node).to_vec(),
                (false, None) => return Err(NameError::TooFar { typed: self.typed.clone(), walked, wanted }),
                (false, Some(node)) => graph.parents(node).to_vec(),
            };
            // On the way to parents, a branch only selects one of several.
            let limited = self.offset > 0 || next.len() > 1;
            let on_branch = |node: &Node| !limited || lineage.as_ref().is_none_or(|lineage| lineage.contains(*node));
            let next: Vec<Node> = next.into_iter().filter(on_branch).collect();
            at = match next.as_slice() {
                [] if self.offset < 0 => None,
                [] => return Err(NameError::TooFar { typed: self.typed.clone(), walked, wanted }),
                [one] => Some(*one),
                several => {
                    let candidates = join_ids(several.iter().map(|node| graph.id(*node)));
                    return Err(NameError::Fork { typed: self.typed.clone(), at: join_ids(at.map(|node| graph.id(node))), candidates });
                }
            };
        }
        Ok(at)
    }

    pub(super) fn several_heads(&self, graph: &Graph, heads: &[Node]) -> NameError {
        let all = self.branch.as_ref().map_or_else(|| "heads".to_owned(), |branch| format!("{branch}@heads"));
        NameError::SeveralHeads { typed: self.typed.clone(), heads: join_ids(heads.iter().map(|node| graph.id(*node))), all }
    }
}
