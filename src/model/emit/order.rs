//! An order in which everything stands behind what it needs, as near as can be to the order that was given.

use std::collections::BTreeSet;

/// The nodes `0..before.len()`, each behind those of `before` and, where that makes no circle, of `rather`.
/// Where `before` itself has a circle, its last edge found gives way.
pub(super) fn order(before: &[BTreeSet<usize>], rather: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut seen = vec![Seen::No; before.len()];
    let mut ordered = Vec::with_capacity(before.len());
    for first in 0..before.len() {
        let mut stack = vec![(first, Visit::Needed)];
        while let Some((node, visit)) = stack.pop() {
            match (visit, seen[node]) {
                (Visit::Leave, Seen::Open) => {
                    seen[node] = Seen::Done;
                    ordered.push(node);
                }
                // A wish is granted unless it needs what waits for it.
                (Visit::Wished, Seen::No) if needs_any(before, node, |need| seen[need] == Seen::Open) => {}
                (Visit::Needed | Visit::Wished, Seen::No) => {
                    seen[node] = Seen::Open;
                    stack.push((node, Visit::Leave));
                    // What goes in last comes out first: needs before wishes, each in the order given.
                    stack.extend(rather[node].iter().rev().map(|wish| (*wish, Visit::Wished)));
                    stack.extend(before[node].iter().rev().map(|need| (*need, Visit::Needed)));
                }
                _ => {}
            }
        }
    }
    ordered
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    No,
    Open,
    Done,
}

#[derive(Clone, Copy)]
enum Visit {
    Needed,
    Wished,
    Leave,
}

/// Whether `from` needs, directly or not, anything that `is` says.
fn needs_any(before: &[BTreeSet<usize>], from: usize, is: impl Fn(usize) -> bool) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut stack = vec![from];
    while let Some(node) = stack.pop() {
        for need in &before[node] {
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
