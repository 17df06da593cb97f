//! A topological order that stays as close as possible to the order of the nodes.

use std::collections::BTreeSet;

/// The nodes `0..hard.len()`, each after those of `hard` and, where that makes no cycle, of `soft`. Where `hard` itself has a cycle, its
/// last edge found is ignored.
pub(super) fn order(hard: &[BTreeSet<usize>], soft: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut seen = vec![VisitState::No; hard.len()];
    let mut ordered = Vec::with_capacity(hard.len());
    for first in 0..hard.len() {
        let mut stack = vec![(first, VisitCause::Needed)];
        while let Some((node, visit)) = stack.pop() {
            match (visit, seen[node]) {
                (VisitCause::Leave, VisitState::Open) => {
                    seen[node] = VisitState::Done;
                    ordered.push(node);
                }
                // A soft edge is ignored if it closes a cycle.
                (VisitCause::Preferred, VisitState::No) if needs_any(hard, node, |need| seen[need] == VisitState::Open) => {}
                (VisitCause::Needed | VisitCause::Preferred, VisitState::No) => {
                    seen[node] = VisitState::Open;
                    stack.push((node, VisitCause::Leave));
                    // Last in, first out: hard edges before soft ones, each in the order of the nodes.
                    stack.extend(soft[node].iter().rev().map(|preferred| (*preferred, VisitCause::Preferred)));
                    stack.extend(hard[node].iter().rev().map(|need| (*need, VisitCause::Needed)));
                }
                _ => {}
            }
        }
    }
    ordered
}

#[derive(Clone, Copy, PartialEq)]
enum VisitState {
    No,
    Open,
    Done,
}

#[derive(Clone, Copy)]
enum VisitCause {
    Needed,
    Preferred,
    Leave,
}

/// Whether a node for which `is` holds can be reached from `from`.
fn needs_any(hard: &[BTreeSet<usize>], from: usize, is: impl Fn(usize) -> bool) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut stack = vec![from];
    while let Some(node) = stack.pop() {
        for need in &hard[node] {
            if is(*need) {
                return true;
            }
            if seen.insert(*need) {
                stack.push(*need);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edges(count: usize, pairs: &[(usize, usize)]) -> Vec<BTreeSet<usize>> {
        let mut edges = vec![BTreeSet::new(); count];
        for (node, need) in pairs {
            edges[*node].insert(*need);
        }
        edges
    }

    #[test]
    fn what_needs_nothing_keeps_its_place() {
        assert_eq!(order(&edges(3, &[]), &edges(3, &[])), [0, 1, 2]);
        assert_eq!(order(&edges(3, &[(0, 2)]), &edges(3, &[])), [2, 0, 1]);
        assert_eq!(order(&edges(3, &[]), &edges(3, &[(0, 1)])), [1, 0, 2]);
    }

    #[test]
    fn a_wish_gives_way_to_a_need() {
        assert_eq!(order(&edges(2, &[(1, 0)]), &edges(2, &[(0, 1)])), [0, 1]);
    }

    proptest! {
        #[test]
        fn every_need_comes_first(pairs in prop::collection::vec((0usize..30, 0usize..30), 0..80), wishes in prop::collection::vec((0usize..30, 0usize..30), 0..40)) {
            let pairs: Vec<(usize, usize)> = pairs.into_iter().filter(|(node, need)| need < node).collect();
            let ordered = order(&edges(30, &pairs), &edges(30, &wishes));
            let place = |node: usize| ordered.iter().position(|other| *other == node).expect("every node once");
            prop_assert_eq!(ordered.len(), 30);
            for (node, need) in pairs {
                prop_assert!(place(need) < place(node));
            }
        }
    }
}
