//! The digest of all applied revisions, which the last journal entry of a run records.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Revision;
use super::checksum::hex;
use super::folder::FolderDigest;
use super::graph::{Graph, Node};

/// The version of the rules by which this program reads files, as a prefix of the digest. Version 1 (pgmarch 0.1) has no prefix. In
/// version 2 `--migrate:down` is a marker. A digest of another version is ignored: the files are then compared with the ledger, where
/// the semantic checksum shows a file that is now read differently.
const VERSION: &str = "2:";

/// Whether a semantic checksum in the ledger was computed by the rules of this program. Those are still version 1, without a prefix (a
/// later version would have one, as in `2:`): the checksum of tokens did not change, only where the sections of some files end.
pub(crate) fn is_known_checksum(checksum: &str) -> bool {
    !checksum.contains(':')
}

/// The digest of all applied revisions. A run records it with its last journal entry, after it has compared the files with the ledger
/// and committed synchronously. A later run that finds the same digest need not compare the files again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedDigest {
    /// The checksum of the texts of all applied revisions, and of their ids and prerequisites.
    applied: String,
    /// The digest of the folder, if all of it is applied and it has one head. A run that finds the same folder need not parse its files.
    folder: Option<String>,
}

impl AppliedDigest {
    /// The digest of the revisions at `rows` and their prerequisites.
    pub fn of(graph: &Graph, rows: &[Node]) -> Self {
        let folder = match (rows, graph.digest()) {
            ([row], Some(digest)) if graph.heads() == rows => Some(hash_folder(digest, graph.id(*row).as_str())),
            _ => None,
        };
        Self { applied: hash_applied(graph, rows), folder }
    }

    /// Parses a digest of the journal; `None` if it is of another version.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(VERSION).filter(|text| !text.contains(':'))?;
        let (applied, folder) = text.split_once(' ').map_or((text, None), |(applied, folder)| (applied, Some(folder.to_owned())));
        (!text.is_empty()).then(|| Self { applied: applied.to_owned(), folder })
    }

    /// Whether `text`, a digest without the folder's part, is that of base: of no revision.
    pub fn is_of_base(text: &str) -> bool {
        text.strip_prefix(VERSION) == Some(hex(&Sha256::new().finalize()).as_str())
    }

    /// Whether the revisions at `rows` and their prerequisites are those that were applied.
    pub fn matches(&self, graph: &Graph, rows: &[Node]) -> bool {
        self.applied == hash_applied(graph, rows)
    }

    /// Whether the folder is the one that was applied completely, with the version row at its head.
    pub fn matches_folder(&self, digest: &FolderDigest, rows: &[String]) -> bool {
        matches!(rows, [row] if self.folder.as_ref() == Some(&hash_folder(digest, row)))
    }
}

/// The checksum of the revisions at `rows` and their prerequisites.
fn hash_applied(graph: &Graph, rows: &[Node]) -> String {
    let applied = graph.reach(rows, Graph::prerequisites);
    let mut revisions: Vec<&Revision> = applied.nodes().map(|node| graph.revision(node)).collect();
    revisions.sort_by(|a, b| a.id.cmp(&b.id));
    let mut hash = Sha256::new();
    for revision in revisions {
        hash.update(revision.id.as_str());
        // Ids contain neither separator. The order of the parents has no meaning.
        let mut prerequisites: Vec<&str> = revision.prerequisites().map(|id| id.as_str()).collect();
        prerequisites.sort_unstable();
        for id in prerequisites {
            hash.update(" ");
            hash.update(id);
        }
        hash.update("\n");
        hash.update(revision.exact.bytes());
    }
    hex(&hash.finalize())
}

/// The digest of a folder together with its head and with the version of this program, which decides how files are read.
fn hash_folder(digest: &FolderDigest, row: &str) -> String {
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

    fn digest_of(lines: &[&str], rows: &[&str]) -> AppliedDigest {
        let graph = graph(lines);
        let rows: Vec<Node> = rows.iter().map(|id| graph.node(id).expect("a row")).collect();
        AppliedDigest::of(&graph, &rows)
    }

    #[test]
    fn what_is_not_applied_does_not_count() {
        let two = digest_of(&["1", "2"], &["2"]);
        assert_eq!(digest_of(&["1", "2", "3"], &["2"]), two);
        assert_eq!(digest_of(&["1 <", "2 < 1", "2b < 1"], &["2"]), digest_of(&["1 <", "2 < 1"], &["2"]));
        assert_ne!(digest_of(&["1", "2", "3"], &["3"]), two);
        assert_ne!(digest_of(&["1", "2"], &["1"]), two);
    }

    #[test]
    fn a_folder_fits_if_all_of_it_was_applied_and_nothing_changed_since() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let digest = || RevisionFiles::read(folder.path()).expect("files").digest().expect("a digest");
        let recorded = |row: &str| {
            let graph = Graph::load(folder.path()).expect("sound");
            let digest = AppliedDigest::of(&graph, &[graph.node(row).expect("a row")]).to_string();
            AppliedDigest::parse(&digest).expect("a digest")
        };
        let at = |row: &str| [row.to_owned()];
        write("1_a.sql", "-- migrate:up\nSELECT 1;\n");
        write("2_b.sql", "-- migrate:up\nSELECT 2;\n");
        assert!(recorded("2").matches_folder(&digest(), &at("2")));
        assert!(!recorded("1").matches_folder(&digest(), &at("1")), "not all of it");
        let before = recorded("2");
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
    fn a_digest_of_another_version_is_ignored() {
        let digest = digest_of(&["1"], &["1"]).to_string();
        assert!(AppliedDigest::parse(&digest).is_some());
        let (_, of_0_1) = digest.split_once(':').expect("a version");
        for other in [of_0_1.to_owned(), format!("3:{of_0_1}"), format!("2:{digest}")] {
            assert_eq!(AppliedDigest::parse(&other), None, "{other}");
        }
        assert_eq!(AppliedDigest::parse(""), None);
    }

    #[test]
    fn another_place_in_the_graph_is_another_digest() {
        assert_ne!(digest_of(&["1 <", "2 < 1", "3 < 1, 2"], &["3"]), digest_of(&["1 <", "2 < 1", "3 < 2"], &["3"]));
    }
}
