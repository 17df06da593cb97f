//! An order in which revisions can be applied: prerequisites first (Kahn's algorithm).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use crate::revision::{Fault, FileProblem, Id, Revision};

/// Sorts revisions, which are in the order of their ids: repeatedly the first one whose prerequisites are all taken. What remains is a
/// circle.
pub(super) fn sort_by_prerequisites(revisions: Vec<Revision>) -> Result<Vec<Revision>, Vec<Fault>> {
    let indexes: HashMap<&Id, usize> = revisions.iter().enumerate().map(|(index, revision)| (&revision.id, index)).collect();
    let mut dependents = vec![Vec::new(); revisions.len()];
    let mut waiting = vec![0usize; revisions.len()];
    for (index, revision) in revisions.iter().enumerate() {
        for prerequisite in revision.prerequisites().collect::<BTreeSet<_>>() {
            dependents[indexes[prerequisite]].push(index);
            waiting[index] += 1;
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> = (0..revisions.len()).filter(|index| waiting[*index] == 0).map(Reverse).collect();
    let mut sorted = Vec::with_capacity(revisions.len());
    while let Some(Reverse(index)) = free.pop() {
        sorted.push(index);
        for next in &dependents[index] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.push(Reverse(*next));
            }
        }
    }
    if sorted.len() < revisions.len() {
        return Err(vec![describe_circle(&revisions, &indexes, &waiting)]);
    }
    let mut taken: Vec<Option<Revision>> = revisions.into_iter().map(Some).collect();
    Ok(sorted.into_iter().filter_map(|index| taken[index].take()).collect())
}

/// A circle among the revisions that still wait for a prerequisite.
fn describe_circle(revisions: &[Revision], indexes: &HashMap<&Id, usize>, waiting: &[usize]) -> Fault {
    let mut index = waiting.iter().position(|waiting| *waiting > 0).unwrap_or(0);
    let mut path = Vec::new();
    while !path.contains(&index) {
        path.push(index);
        let stuck = revisions[index].prerequisites().map(|id| indexes[id]).find(|prerequisite| waiting[*prerequisite] > 0);
        index = stuck.unwrap_or(index);
    }
    let start = path.iter().position(|seen| *seen == index).unwrap_or(0);
    let names: Vec<&str> = path[start..].iter().chain([&index]).map(|index| revisions[*index].id.as_str()).collect();
    Fault::of(&revisions[index].path, FileProblem::Cycle(names.join(" → ")))
}
