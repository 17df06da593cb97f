//! Circles in a graph: nodes of which each leads to each other (strongly connected components, by Tarjan's algorithm).

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A number for each circle of at least two nodes, by its nodes.
pub(super) fn find_circles<N: Copy + Ord + std::hash::Hash>(graph: &BTreeMap<N, BTreeSet<N>>) -> HashMap<N, usize> {
    let mut search = Search { graph, visits: HashMap::new(), open: Vec::new(), circles: HashMap::new() };
    for node in graph.keys() {
        if !search.visits.contains_key(node) {
            search.from(*node);
        }
    }
    search.circles
}

struct Search<'g, N> {
    graph: &'g BTreeMap<N, BTreeSet<N>>,
    visits: HashMap<N, Visit>,
    /// Nodes whose circle is not known yet.
    open: Vec<N>,
    circles: HashMap<N, usize>,
}

#[derive(Clone, Copy)]
struct Visit {
    /// The order in which nodes are found.
    number: usize,
    /// The lowest number of an open node that it leads to.
    lowest: usize,
    is_open: bool,
}

impl<N: Copy + Ord + std::hash::Hash> Search<'_, N> {
    fn open(&mut self, node: N) {
        let number = self.visits.len();
        self.visits.insert(node, Visit { number, lowest: number, is_open: true });
        self.open.push(node);
    }

    fn from(&mut self, first: N) {
        self.open(first);
        let targets = |node: N| self.graph.get(&node).into_iter().flatten().copied();
        let mut path = vec![(first, targets(first))];
        while let Some((node, targets_left)) = path.last_mut() {
            let node = *node;
            match targets_left.next() {
                Some(target) => match self.visits.get(&target).copied() {
                    None => {
                        self.open(target);
                        path.push((target, self.graph.get(&target).into_iter().flatten().copied()));
                    }
                    Some(visit) if visit.is_open => self.lower(node, visit.number),
                    Some(_) => {}
                },
                None => {
                    path.pop();
                    let Some(visit) = self.visits.get(&node).copied() else { continue };
                    if let Some((above, _)) = path.last() {
                        self.lower(*above, visit.lowest);
                    }
                    if visit.lowest == visit.number {
                        self.close(node, visit.number);
                    }
                }
            }
        }
    }

    fn lower(&mut self, node: N, number: usize) {
        if let Some(visit) = self.visits.get_mut(&node) {
            visit.lowest = visit.lowest.min(number);
        }
    }

    /// All open nodes from this one on are one circle.
    fn close(&mut self, node: N, number: usize) {
        let start = self.open.iter().rposition(|open| *open == node).unwrap_or_default();
        let circle = self.open.split_off(start);
        for node in &circle {
            if let Some(visit) = self.visits.get_mut(node) {
                visit.is_open = false;
            }
            if circle.len() > 1 {
                self.circles.insert(*node, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(edges: &[(u8, u8)]) -> BTreeMap<u8, BTreeSet<u8>> {
        let mut graph: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry(*from).or_default().insert(*to);
        }
        graph
    }

    fn leads(graph: &BTreeMap<u8, BTreeSet<u8>>, from: u8, to: u8) -> bool {
        let (mut seen, mut stack) = (BTreeSet::new(), vec![from]);
        while let Some(node) = stack.pop() {
            for next in graph.get(&node).into_iter().flatten() {
                if *next == to {
                    return true;
                }
                if seen.insert(*next) {
                    stack.push(*next);
                }
            }
        }
        false
    }

    proptest! {
        #[test]
        fn nodes_of_a_circle_lead_to_each_other(edges in prop::collection::vec((0u8..12, 0u8..12), 0..30)) {
            let graph = graph(&edges);
            let circles = find_circles(&graph);
            for one in 0..12 {
                for other in 0..12 {
                    let together = one != other && circles.contains_key(&one) && circles.get(&one) == circles.get(&other);
                    prop_assert_eq!(together, one != other && leads(&graph, one, other) && leads(&graph, other, one), "{} {}", one, other);
                }
            }
        }
    }
}
