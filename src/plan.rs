//! What a run will do, as a value: pure, made from the graph and the version rows, printed by `--sql`, run by `apply`.

use std::collections::BTreeSet;

use crate::revision::graph::{Graph, Node};
use crate::revision::name::{Name, NameError};
use crate::revision::{Id, Mode, Revision, Section};

/// Which way a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `upgrade`.
    Up,
    /// `downgrade`.
    Down,
}

impl Direction {
    /// The verb of this direction, as the journal has it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Up => "upgrade",
            Self::Down => "downgrade",
        }
    }
}

/// The rows of the version table: the applied revisions that no applied revision stands on.
pub type Rows = BTreeSet<Id>;

/// One revision to run, and the version rows on both sides of it.
#[derive(Clone, Debug)]
pub struct Step<'g> {
    /// The revision.
    pub revision: &'g Revision,
    /// Its part to run.
    pub section: &'g Section,
    /// What the version table must hold before.
    pub before: Rows,
    /// What it holds after.
    pub after: Rows,
}

impl Step<'_> {
    /// The SQL to run.
    pub fn sql(&self) -> &str {
        self.revision.sql(self.section)
    }

    /// How to run it.
    pub fn mode(&self) -> Mode {
        self.section.mode
    }
}

/// Revisions in the order in which they run.
#[derive(Clone, Debug)]
pub struct Plan<'g> {
    /// The way all of them go.
    pub direction: Direction,
    /// The steps; none means that there is nothing to do.
    pub steps: Vec<Step<'g>>,
}

impl<'g> Plan<'g> {
    /// From `rows` up to the revisions that `target` means.
    pub fn upgrade(graph: &'g Graph, rows: &[Node], target: &Name) -> Result<Self, NameError> {
        let targets = target.targets(graph, rows)?;
        let wanted = graph.reach(&targets, Graph::below);
        let applied = graph.reach(rows, Graph::below);
        let mut tracker = Tracker::new(graph, rows);
        let pending = wanted.nodes().filter(|node| !applied.has(*node));
        let steps = pending
            .map(|node| {
                let revision = graph.revision(node);
                let (before, after) = tracker.up(node);
                Step { revision, section: &revision.up, before, after }
            })
            .collect();
        Ok(Self { direction: Direction::Up, steps })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Follows the version rows from step to step.
struct Tracker<'g> {
    graph: &'g Graph,
    rows: Rows,
}

impl<'g> Tracker<'g> {
    fn new(graph: &'g Graph, rows: &[Node]) -> Self {
        Self { graph, rows: rows.iter().map(|node| graph.id(*node).clone()).collect() }
    }

    /// A revision takes the place of those rows it stands on.
    fn up(&mut self, node: Node) -> (Rows, Rows) {
        let before = self.rows.clone();
        for below in self.graph.below(node) {
            self.rows.remove(self.graph.id(*below));
        }
        self.rows.insert(self.graph.id(node).clone());
        (before, self.rows.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;
    use crate::revision::list;

    fn upgrade(lines: &[&str], rows: &[&str], target: &str) -> Vec<String> {
        let graph = graph(lines);
        let rows: Vec<Node> = rows.iter().map(|id| graph.node(id).expect("a row")).collect();
        let plan = Plan::upgrade(&graph, &rows, &Name::parse(target).expect("a name")).expect("a plan");
        plan.steps.iter().map(|step| format!("{}: {} → {}", step.revision.id, list(&step.before), list(&step.after))).collect()
    }

    #[test]
    fn a_chain_moves_one_row() {
        assert_eq!(upgrade(&["1", "2", "3"], &["1"], "head"), ["2: 1 → 2", "3: 2 → 3"]);
        assert_eq!(upgrade(&["1", "2", "3"], &[], "2"), ["1: base → 1", "2: 1 → 2"]);
        assert_eq!(upgrade(&["1", "2", "3"], &["3"], "head"), Vec::<String>::new());
        assert_eq!(upgrade(&["1", "2", "3"], &["3"], "1"), Vec::<String>::new());
    }

    #[test]
    fn branches_add_rows_and_merges_join_them() {
        assert_eq!(
            upgrade(&["1 <", "2a < 1", "2b < 1", "3 < 2a, 2b"], &[], "head"),
            ["1: base → 1", "2a: 1 → 2a", "2b: 2a → 2a, 2b", "3: 2a, 2b → 3"]
        );
    }

    #[test]
    fn a_dependency_is_implied_by_its_dependent() {
        assert_eq!(upgrade(&["a1 <", "b1 <", "a2 < a1 ! b1"], &["a1"], "a2"), ["b1: a1 → a1, b1", "a2: a1, b1 → a2"]);
    }
}
