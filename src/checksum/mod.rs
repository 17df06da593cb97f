//! The files of applied revisions against the checksums in the ledger. Comments and line breaks don't count; the tokens of the `up`
//! section do, and so do parents and dependencies: a revision inserted below an applied one would never be run.

mod diff;
mod error;

use std::collections::{BTreeSet, HashMap};

use crate::ledger::{AppliedChecksum, AppliedRevision};
use crate::revision::applied_digest::is_known_checksum;
use crate::revision::graph::{Graph, Node};
use crate::revision::{Id, Revision};

pub(crate) use diff::diff;
pub(crate) use error::{ChangedFile, ChecksumError, MovedRevision, ReparsedFile, diff_text};

/// The revisions whose files differ from what was applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChecksumVerdict<'g> {
    /// The `up` section differs: an upgrade stops.
    pub(crate) changed: Vec<ChangedFile>,
    /// The text is the same, but a different version of pgmarch found different statements in its `up` section: an upgrade stops.
    pub(crate) reparsed: Vec<ReparsedFile>,
    /// Only the `down` section differs: the next run records the new one.
    pub(crate) changed_down: Vec<&'g Revision>,
}

/// Applied revisions whose exact or semantic checksum differs from the ledger's: their texts must be compared.
pub(crate) fn differing_revisions<'g>(graph: &'g Graph, rows: &[Node], checksums: &HashMap<String, AppliedChecksum>) -> Vec<&'g str> {
    let differs = |revision: &&Revision| {
        let differs = |checksum: &AppliedChecksum| {
            checksum.exact != Some(revision.exact) || checksum.semantic != revision.semantic_checksum(&revision.up)
        };
        checksums.get(revision.id.as_str()).is_some_and(differs)
    };
    applied(graph, rows).filter(|revision| revision.has_text()).filter(differs).map(|revision| revision.id.as_str()).collect()
}

/// Applied revisions that had different parents or dependencies when they were applied.
pub(crate) fn moved_revisions(graph: &Graph, rows: &[Node], checksums: &HashMap<String, AppliedChecksum>) -> Vec<MovedRevision> {
    let judge = |revision: &Revision| {
        let recorded: BTreeSet<&str> = checksums.get(revision.id.as_str())?.applied_on.iter().map(String::as_str).collect();
        let now: BTreeSet<&str> = revision.prerequisites().map(Id::as_str).collect();
        let words =
            |ids: &BTreeSet<&str>| if ids.is_empty() { "base".to_owned() } else { ids.iter().copied().collect::<Vec<_>>().join(", ") };
        let (id, path) = (revision.id.clone(), revision.path.clone());
        (recorded != now).then(|| MovedRevision { id, path, recorded: words(&recorded), now: words(&now) })
    };
    applied(graph, rows).filter_map(judge).collect()
}

fn applied<'g>(graph: &'g Graph, rows: &[Node]) -> impl Iterator<Item = &'g Revision> + use<'g> {
    let applied: Vec<Node> = graph.reach(rows, Graph::prerequisites).nodes().collect();
    applied.into_iter().map(|node| graph.revision(node))
}

impl<'g> ChecksumVerdict<'g> {
    /// Compares the text of such a revision with its file, by their tokens.
    pub(crate) fn compare(&mut self, graph: &'g Graph, recorded: &AppliedRevision) {
        let Some(revision) = graph.node(recorded.id.as_str()).map(|node| graph.revision(node)) else { return };
        let applied = recorded.to_revision();
        let up = revision.semantic_checksum(&revision.up);
        // The recorded checksum is that of the statements that ran, however their text is parsed now. One of a later pgmarch is
        // not known here.
        let ran = is_known_checksum(&recorded.semantic).then_some(recorded.semantic.as_str());
        let is_same = ran == Some(up.as_str()) || up == applied.semantic_checksum(&applied.up);
        let was_parsed_so = ran.is_none_or(|ran| ran == up);
        if is_same && !was_parsed_so {
            self.reparsed.push(ReparsedFile { id: revision.id.clone(), path: revision.path.clone() });
        } else if !is_same {
            let diff = diff(&applied.text, &revision.text);
            self.changed.push(ChangedFile { id: revision.id.clone(), path: revision.path.clone(), diff });
        } else if down_migration(revision) != down_migration(&applied) {
            self.changed_down.push(revision);
        }
    }
}

/// What is compared of a `down` section: its tokens, and whether it runs in a transaction.
fn down_migration(revision: &Revision) -> Option<(String, crate::revision::SectionMode)> {
    revision.down.as_ref().map(|section| (revision.semantic_checksum(section), section.mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::format::parse;

    fn read(text: &str) -> Revision {
        parse(std::path::Path::new("1_x.sql"), text.as_bytes().to_vec()).expect("sound").revision
    }

    fn verdict(applied: &str, file: &str) -> (usize, usize) {
        let (applied, file) = (read(applied), read(file));
        let graph = Graph::build(vec![crate::revision::ParsedRevision { revision: file, has_revises: false }]).expect("a graph");
        let mut verdict = ChecksumVerdict::default();
        verdict.compare(&graph, &recorded(&applied));
        assert_eq!(verdict.reparsed, []);
        (verdict.changed.len(), verdict.changed_down.len())
    }

    fn recorded(applied: &Revision) -> AppliedRevision {
        AppliedRevision {
            id: applied.id.clone(),
            file: "1_x.sql".into(),
            parents: Vec::new(),
            depends_on: Vec::new(),
            branch: None,
            message: String::new(),
            created: None,
            breaking: false,
            exact: applied.exact_checksum(),
            semantic: applied.semantic_checksum(&applied.up),
            text: Some(applied.text.clone()),
        }
    }

    #[test]
    fn only_what_runs_counts() {
        let applied = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
        assert_eq!(verdict(applied, applied), (0, 0));
        assert_eq!(verdict(applied, "-- message: x\n\n-- migrate:up\nselect\n  1 ; -- one\n-- migrate:down\nSELECT 2;"), (0, 0));
        assert_eq!(verdict(applied, "-- migrate:up\nSELECT 3;\n-- migrate:down\nSELECT 2;\n"), (1, 0));
        assert_eq!(verdict(applied, "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 3;\n"), (0, 1));
        assert_eq!(verdict(applied, "-- migrate:up\nSELECT 1;\n"), (0, 1));
        assert_eq!(verdict(applied, "-- migrate:up\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 2;\n"), (0, 1));
    }

    #[test]
    fn the_same_text_read_otherwise_is_not_called_changed() {
        let file = read("-- migrate:up\nSELECT 1;\n");
        let with = |semantic: &str| AppliedRevision { semantic: semantic.to_owned(), ..recorded(&file) };
        let graph = Graph::build(vec![crate::revision::ParsedRevision { revision: file.clone(), has_revises: false }]).expect("a graph");
        let found = |recorded| {
            let mut verdict = ChecksumVerdict::default();
            verdict.compare(&graph, &recorded);
            (verdict.changed.len(), verdict.reparsed.len(), verdict.changed_down.len())
        };
        assert_eq!(found(with(&"0".repeat(64))), (0, 1, 0));
        assert_eq!(found(with(&format!("2:{}", "0".repeat(64)))), (0, 0, 0), "of a pgmarch that is newer than this one");
        assert_eq!(found(AppliedRevision { text: Some("-- migrate:up\nSELECT 2;\n".into()), ..with("0") }), (1, 0, 0));
    }

    #[test]
    fn a_text_whose_marker_is_none_any_more_is_compared_by_what_ran() {
        let ran = read("-- migrate:up\nSELECT 1;\nSELECT 2;\n");
        let applied = AppliedRevision { text: Some("-- migrate:up\nSELECT 1;\n-- Migrate:Down\nSELECT 2;\n".into()), ..recorded(&ran) };
        let found = |file: &str| {
            let file = crate::revision::ParsedRevision { revision: read(file), has_revises: false };
            let graph = Graph::build(vec![file]).expect("a graph");
            let mut verdict = ChecksumVerdict::default();
            verdict.compare(&graph, &applied);
            (verdict.changed.len(), verdict.reparsed.len(), verdict.changed_down.len())
        };
        assert_eq!(found("-- migrate:up\nSELECT 1;\n-- down again\nSELECT 2;\n"), (0, 0, 0), "all of it ran");
        assert_eq!(found("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"), (1, 0, 0), "SELECT 2 ran too");
    }

    #[test]
    fn line_ends_are_no_difference() {
        assert_eq!(diff("1\n2\n", "1\r\n2\r"), "");
        assert_eq!(verdict("-- migrate:up\nSELECT 'a\nb';\n", "-- migrate:up\r\nSELECT 'a\r\nb';\r\n"), (0, 0));
    }

    #[test]
    fn another_place_in_the_graph_is_found() {
        let graph = crate::revision::graph::tests::graph(&["1", "1b", "2"]);
        let checksums = |below: &str| {
            HashMap::from([("2".to_owned(), AppliedChecksum { exact: None, applied_on: vec![below.into()], semantic: String::new() })])
        };
        let rows = [graph.node("2").expect("2")];
        assert_eq!(moved_revisions(&graph, &rows, &checksums("1b")), []);
        let found = moved_revisions(&graph, &rows, &checksums("1"));
        assert_eq!((found[0].recorded.as_str(), found[0].now.as_str()), ("1", "1b"));
    }
}
