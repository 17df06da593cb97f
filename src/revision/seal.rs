//! What a set of applied revisions comes to, as one checksum.

use std::fmt;

use sha2::{Digest, Sha256};

use super::graph::{Graph, Node};
use super::{Revision, hex};

/// The checksum of the files of all that is applied, and of the place of each in the graph. The last line of a run in
/// the journal carries it: it says that these files were compared with the ledger, and that the run committed
/// synchronously. Who finds it there, and the same files, need not compare them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal(String);

impl Seal {
    /// The seal of the revisions at `rows` and below.
    pub fn of(graph: &Graph, rows: &[Node]) -> Self {
        let applied = graph.reach(rows, Graph::below);
        let mut revisions: Vec<&Revision> = applied.nodes().map(|node| graph.revision(node)).collect();
        revisions.sort_by(|a, b| a.id.cmp(&b.id));
        let mut hash = Sha256::new();
        for revision in revisions {
            hash.update(revision.id.as_str());
            // Ids hold neither of these signs, and the parents' order means nothing.
            let mut below: Vec<&str> = revision.below().map(|id| id.as_str()).collect();
            below.sort_unstable();
            for id in below {
                hash.update(" ");
                hash.update(id);
            }
            hash.update("\n");
            hash.update(Sha256::digest(revision.text.as_bytes()));
        }
        Self(hex(&hash.finalize()))
    }

    /// A seal as the journal has it; none where a line has none.
    pub fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;

    fn seal(lines: &[&str], rows: &[&str]) -> Seal {
        let graph = graph(lines);
        let rows: Vec<Node> = rows.iter().map(|id| graph.node(id).expect("a row")).collect();
        Seal::of(&graph, &rows)
    }

    #[test]
    fn what_is_not_applied_does_not_count() {
        let two = seal(&["1", "2"], &["2"]);
        assert_eq!(seal(&["1", "2", "3"], &["2"]), two);
        assert_eq!(seal(&["1 <", "2 < 1", "2b < 1"], &["2"]), seal(&["1 <", "2 < 1"], &["2"]));
        assert_ne!(seal(&["1", "2", "3"], &["3"]), two);
        assert_ne!(seal(&["1", "2"], &["1"]), two);
    }

    #[test]
    fn another_place_in_the_graph_is_another_seal() {
        assert_ne!(seal(&["1 <", "2 < 1", "3 < 1, 2"], &["3"]), seal(&["1 <", "2 < 1", "3 < 2"], &["3"]));
    }
}
