//! Which node comes before which: a graph.

use std::collections::BTreeSet;

/// The graph of all statements: for each, those that come before it.
pub(super) struct Edges {
    /// By dependencies.
    pub(super) hard: Vec<BTreeSet<usize>>,
    /// By preference: these give way to dependencies.
    pub(super) soft: Vec<BTreeSet<usize>>,
    /// Those of which all statements come first, also those that no object waits for.
    pub(super) finished: Vec<BTreeSet<usize>>,
}

impl Edges {
    /// All statements of one node come before another. `false`: the other must come first.
    pub(super) fn add_finished(&mut self, first: Option<usize>, then: Option<usize>) -> bool {
        let (Some(first), Some(then)) = (first, then) else { return true };
        if first == then || self.needs(first, then) {
            return false;
        }
        self.hard[then].insert(first);
        self.finished[then].insert(first);
        true
    }

    /// Whether a node needs another, also by way of others.
    fn needs(&self, from: usize, need: usize) -> bool {
        let (mut seen, mut stack) = (BTreeSet::from([from]), vec![from]);
        while let Some(node) = stack.pop() {
            if self.hard[node].contains(&need) {
                return true;
            }
            stack.extend(self.hard[node].iter().copied().filter(|next| seen.insert(*next)));
        }
        false
    }
}

pub(super) fn join(edges: &mut [BTreeSet<usize>], first: Option<usize>, then: Option<usize>) {
    if let (Some(first), Some(then)) = (first, then)
        && first != then
    {
        edges[then].insert(first);
    }
}
