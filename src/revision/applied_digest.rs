//! What a set of applied revisions comes to, as one checksum.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Revision;
use super::checksum::hex;
use super::folder::FolderDigest;
use super::graph::{Graph, Node};
use super::line::normalized;

/// How this program reads files. Seals carry it: version 1, of pgmarch 0.1, by having nothing before them. In version 2
/// `--migrate:down` is a marker. A seal of another version says nothing here, so the files are compared with the ledger again,
/// and one that is read otherwise now is found by its semantic checksum.
const VERSION: &str = "2:";

/// Whether a checksum is made as this program makes it, so that the two can be compared. That is still version 1, which has nothing
/// before it (a later one would write itself there, as `2:`): what a section's tokens come to did not change, only where
/// some files' sections end.
pub fn is_known(checksum: &str) -> bool {
    !checksum.contains(':')
}

/// The last word of a run in the journal: which files are applied. It says that these were compared with the ledger, and
/// that the run committed synchronously. Who finds it there, and the same files, need not compare them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedDigest {
    /// The checksum of the files of all that is applied, and of the place of each in the graph.
    applied: String,
    /// The checksum of the folder, where all of it is applied and comes to one head. Who finds the same folder need not even
    /// understand its files.
    folder: Option<String>,
}

impl AppliedDigest {
    /// The seal of the revisions at `rows` and below.
    pub fn of(graph: &Graph, rows: &[Node]) -> Self {
        let folder = match (rows, graph.digest()) {
            ([row], Some(digest)) if graph.heads() == rows => Some(folder(digest, graph.id(*row).as_str())),
            _ => None,
        };
        Self { applied: applied(graph, rows), folder }
    }

    /// A seal as the journal has it; none where a line has none, or that of another version.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(VERSION).filter(|text| !text.contains(':'))?;
        let (applied, folder) = text.split_once(' ').map_or((text, None), |(applied, folder)| (applied, Some(folder.to_owned())));
        (!text.is_empty()).then(|| Self { applied: applied.to_owned(), folder })
    }

    /// Whether the text of a seal, without the folder's, is that of no revision: of base.
    pub fn is_of_base(text: &str) -> bool {
        text.strip_prefix(VERSION) == Some(hex(&Sha256::new().finalize()).as_str())
    }

    /// Whether the revisions at `rows` and below are those that were applied.
    pub fn matches(&self, graph: &Graph, rows: &[Node]) -> bool {
        self.applied == applied(graph, rows)
    }

    /// Whether a whole folder is what was applied, up to its head, which is where the database is.
    pub fn matches_folder(&self, digest: &FolderDigest, rows: &[String]) -> bool {
        matches!(rows, [row] if self.folder.as_ref() == Some(&folder(digest, row)))
    }
}

fn applied(graph: &Graph, rows: &[Node]) -> String {
    let applied = graph.reach(rows, Graph::prerequisites);
    let mut revisions: Vec<&Revision> = applied.nodes().map(|node| graph.revision(node)).collect();
    revisions.sort_by(|a, b| a.id.cmp(&b.id));
    let mut hash = Sha256::new();
    for revision in revisions {
        hash.update(revision.id.as_str());
        // Ids hold neither of these signs, and the parents' order means nothing.
        let mut below: Vec<&str> = revision.prerequisites().map(|id| id.as_str()).collect();
        below.sort_unstable();
        for id in below {
            hash.update(" ");
            hash.update(id);
        }
        hash.update("\n");
        hash.update(Sha256::digest(normalized(&revision.text).as_bytes()));
    }
    hex(&hash.finalize())
}

/// Another version of this program may understand the same files otherwise.
fn folder(digest: &FolderDigest, row: &str) -> String {
    hex(&Sha256::digest(format!("{} {row} {digest}", env!("CARGO_PKG_VERSION"))))
}

impl fmt::Display for AppliedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}{}", self.applied)?;
        self.folder.iter().try_for_each(|folder| write!(f, " {folder}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::folder::RevisionFiles;
    use crate::revision::graph::tests::graph;

    fn seal(lines: &[&str], rows: &[&str]) -> AppliedDigest {
        let graph = graph(lines);
        let rows: Vec<Node> = rows.iter().map(|id| graph.node(id).expect("a row")).collect();
        AppliedDigest::of(&graph, &rows)
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
    fn a_folder_fits_if_all_of_it_was_applied_and_nothing_changed_since() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let digest = || RevisionFiles::read(folder.path()).expect("files").digest().expect("a digest");
        let seal = |row: &str| {
            let graph = Graph::load(folder.path()).expect("sound");
            let seal = AppliedDigest::of(&graph, &[graph.node(row).expect("a row")]).to_string();
            AppliedDigest::parse(&seal).expect("a seal")
        };
        let at = |row: &str| [row.to_owned()];
        write("1_a.sql", "-- migrate:up\nSELECT 1;\n");
        write("2_b.sql", "-- migrate:up\nSELECT 2;\n");
        assert!(seal("2").matches_folder(&digest(), &at("2")));
        assert!(!seal("1").matches_folder(&digest(), &at("1")), "not all of it");
        let before = seal("2");
        assert!(!before.matches_folder(&digest(), &at("1")), "moved by another tool");
        assert!(!before.matches_folder(&digest(), &["1".to_owned(), "2".to_owned()]));
        write("2_b.sql", "-- migrate:up\nSELECT 3;\n");
        assert!(!before.matches_folder(&digest(), &at("2")), "changed");
        write("2_b.sql", "-- migrate:up\nSELECT 2;\n");
        assert!(before.matches_folder(&digest(), &at("2")));
        write("3_c.sql", "-- migrate:up\nSELECT 3;\n");
        assert!(!before.matches_folder(&digest(), &at("2")), "one more");
        std::fs::rename(folder.path().join("3_c.sql"), folder.path().join("3_c.SQL")).expect("renamed");
        assert_eq!(RevisionFiles::read(folder.path()).expect("files").digest(), None, "a fault of the folder itself");
    }

    #[test]
    fn a_seal_of_another_version_seals_nothing_here() {
        let seal = seal(&["1"], &["1"]).to_string();
        assert!(AppliedDigest::parse(&seal).is_some());
        let (_, of_0_1) = seal.split_once(':').expect("a version");
        for other in [of_0_1.to_owned(), format!("3:{of_0_1}"), format!("2:{seal}")] {
            assert_eq!(AppliedDigest::parse(&other), None, "{other}");
        }
        assert_eq!(AppliedDigest::parse(""), None);
    }

    #[test]
    fn another_place_in_the_graph_is_another_seal() {
        assert_ne!(seal(&["1 <", "2 < 1", "3 < 1, 2"], &["3"]), seal(&["1 <", "2 < 1", "3 < 2"], &["3"]));
    }
}
