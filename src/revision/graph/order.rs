//! An order in which revisions can be applied: prerequisites first (Kahn's algorithm).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use crate::revision::{Fault, FileProblem, Id, Revision};

/// Sorts revisions, which are in the order of their ids: repeatedly the first one whose prerequisites are all taken. What remains is a
/// circle.
pub(super) fn sort_by_prerequisites(revisions: Vec<Revision>) -> Result<Vec<Revision>, Vec<Fault>> {
    let places: HashMap<&Id, usize> = revisions.iter().enumerate().map(|(place, revision)| (&revision.id, place)).collect();
    let mut dependents = vec![Vec::new(); revisions.len()];
    let mut waiting = vec![0usize; revisions.len()];
    for (place, revision) in revisions.iter().enumerate() {
        for prerequisite in revision.prerequisites().collect::<BTreeSet<_>>() {
            dependents[places[prerequisite]].push(place);
            waiting[place] += 1;
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> = (0..revisions.len()).filter(|place| waiting[*place] == 0).map(Reverse).collect();
    let mut sorted = Vec::with_capacity(revisions.len());
    while let Some(Reverse(place)) = free.pop() {
        sorted.push(place);
        for next in &dependents[place] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.push(Reverse(*next));
            }
        }
    }
    if sorted.len() < revisions.len() {
        return Err(vec![describe_circle(&revisions, &places, &waiting)]);
    }
    let mut taken: Vec<Option<Revision>> = revisions.into_iter().map(Some).collect();
    Ok(sorted.into_iter().filter_map(|place| taken[place].take()).collect())
}

/// A circle among the revisions that still wait for a prerequisite.
fn describe_circle(revisions: &[Revision], places: &HashMap<&Id, usize>, waiting: &[usize]) -> Fault {
    let mut place = waiting.iter().position(|waiting| *waiting > 0).unwrap_or(0);
    let mut path = Vec::new();
    while !path.contains(&place) {
        path.push(place);
        let stuck = revisions[place].prerequisites().map(|id| places[id]).find(|prerequisite| waiting[*prerequisite] > 0);
        place = stuck.unwrap_or(place);
    }
    let start = path.iter().position(|seen| *seen == place).unwrap_or(0);
    let names: Vec<&str> = path[start..].iter().chain([&place]).map(|place| revisions[*place].id.as_str()).collect();
    Fault::of(&revisions[place].path, FileProblem::Cycle(names.join(" → ")))
}
