//! The files of applied revisions against what the ledger kept of them. A comment or a line break is no change; another
//! way up is one, and so is another place in the graph: what came in below an applied revision would never be run.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use similar::algorithms::myers::diff_deadline_raw;
use similar::algorithms::{Capture, Compact, Replace};
use similar::udiff::UnifiedHunkHeader;
use thiserror::Error;

use crate::exit::{Exit, Explain};
use crate::ledger::{AppliedChecksum, AppliedRevision};
use crate::revision::applied_digest::is_known;
use crate::revision::graph::{Graph, Node};
use crate::revision::line::normalized;
use crate::revision::{Id, Revision};

/// A revision whose file says something else than what was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its id.
    pub id: Id,
    /// The file.
    pub path: PathBuf,
    /// What differs, as a text diff from the applied text to the file's.
    pub diff: String,
}

/// A revision that stood on others when it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedRevision {
    /// Its id.
    pub id: Id,
    /// The file.
    pub path: PathBuf,
    /// Parents and dependencies when it was applied.
    pub recorded: String,
    /// Parents and dependencies by its file.
    pub now: String,
}

impl fmt::Display for MovedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} was applied on {}, now it stands on {}", self.path.display(), self.id, self.recorded, self.now)
    }
}

/// A revision whose file is what was applied, and is read otherwise now: what ran are other statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReparsedFile {
    /// Its id.
    pub id: Id,
    /// The file.
    pub path: PathBuf,
}

impl fmt::Display for ReparsedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: the file is unchanged, but the pgmarch that applied {} found other statements in its up section than this one does",
            self.path.display(),
            self.id
        )
    }
}

/// Why the files are not those that were applied.
#[derive(Debug, Error)]
pub enum ChecksumError {
    /// The text of applied revisions has changed.
    #[error("{} applied: {}", if .0.len() == 1 { "a revision was changed after it was" } else { "revisions were changed after they were" }, .0.iter().map(|changed| changed.path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Changed(Vec<ChangedFile>),
    /// Another version of pgmarch found other statements in unchanged files of applied revisions.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Reparsed(Vec<ReparsedFile>),
    /// Applied revisions have another place in the graph.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Moved(Vec<MovedRevision>),
}

impl ChecksumError {
    /// The revisions.
    pub fn ids(&self) -> Vec<String> {
        match self {
            Self::Changed(changed) => changed.iter().map(|changed| changed.id.to_string()).collect(),
            Self::Reparsed(reparsed) => reparsed.iter().map(|reparsed| reparsed.id.to_string()).collect(),
            Self::Moved(moved) => moved.iter().map(|moved| moved.id.to_string()).collect(),
        }
    }
}

impl Explain for ChecksumError {
    fn exit(&self) -> Exit {
        Exit::Unsound
    }

    fn next_step(&self) -> Cow<'static, str> {
        let first = self.ids().into_iter().next().unwrap_or_default();
        match self {
            Self::Changed(_) => "put the applied text back and write the change as a new revision; or, if the file is right, accept it with `pgmarch repair REV`".into(),
            Self::Reparsed(_) => format!(
                "compare the database with the up section of the file, and put right by hand what differs; then accept it with `pgmarch repair {first}`"
            )
            .into(),
            Self::Moved(_) => format!(
                "a revision that came in below an applied one is never run: restore `revises` (or, without headers, the file names) and add the new revision at the end; or, to accept the new order without running anything, `pgmarch repair {first}`"
            )
            .into(),
        }
    }

    fn faults(&self) -> Vec<String> {
        match self {
            Self::Changed(_) => Vec::new(),
            Self::Reparsed(reparsed) => reparsed.iter().map(ToString::to_string).collect(),
            Self::Moved(moved) => moved.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What comparing files and ledger came to.
#[derive(Clone, Debug, Default)]
pub struct ChecksumVerdict<'g> {
    /// Their way up is another: an upgrade stops.
    pub changed: Vec<ChangedFile>,
    /// Their text is the same, and another version of pgmarch found other statements in its `up` section: an upgrade stops.
    pub reread: Vec<ReparsedFile>,
    /// Only their way down is another: the next run keeps the new one.
    pub changed_down: Vec<&'g Revision>,
}

/// Applied revisions whose files are not, byte by byte, what the ledger kept, or are read otherwise now.
pub fn suspects<'g>(graph: &'g Graph, rows: &[Node], kept: &HashMap<String, AppliedChecksum>) -> Vec<&'g str> {
    let differs = |revision: &&Revision| {
        let differs =
            |kept: &AppliedChecksum| kept.exact != revision.exact_checksum() || kept.semantic != revision.semantic_checksum(&revision.up);
        kept.get(revision.id.as_str()).is_some_and(differs)
    };
    applied(graph, rows).filter(differs).map(|revision| revision.id.as_str()).collect()
}

/// Applied revisions that stand somewhere else than when they were applied.
pub fn moved(graph: &Graph, rows: &[Node], kept: &HashMap<String, AppliedChecksum>) -> Vec<MovedRevision> {
    let judge = |revision: &Revision| {
        let recorded: BTreeSet<&str> = kept.get(revision.id.as_str())?.applied_on.iter().map(String::as_str).collect();
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

/// Compares the suspects' texts by their tokens.
pub fn compare<'g>(graph: &'g Graph, recorded: &[AppliedRevision]) -> ChecksumVerdict<'g> {
    let mut verdict = ChecksumVerdict::default();
    for recorded in recorded {
        let Some(revision) = graph.node(recorded.id.as_str()).map(|node| graph.revision(node)) else { continue };
        let applied = recorded.to_revision();
        let up = revision.semantic_checksum(&revision.up);
        // What ran has the recorded checksum, however its text is read now. One of a later pgmarch says nothing here.
        let ran = is_known(&recorded.semantic).then_some(recorded.semantic.as_str());
        let is_same = ran == Some(up.as_str()) || up == applied.semantic_checksum(&applied.up);
        let was_read_so = ran.is_none_or(|ran| ran == up);
        if is_same && !was_read_so {
            verdict.reread.push(ReparsedFile { id: revision.id.clone(), path: revision.path.clone() });
        } else if !is_same {
            verdict.changed.push(ChangedFile {
                id: revision.id.clone(),
                path: revision.path.clone(),
                diff: diff(&recorded.text, &revision.text),
            });
        } else if way_down(revision) != way_down(&applied) {
            verdict.changed_down.push(revision);
        }
    }
    verdict
}

/// What counts of a way down: its tokens, and how it is run.
fn way_down(revision: &Revision) -> Option<(String, crate::revision::SectionMode)> {
    revision.down.as_ref().map(|section| (revision.semantic_checksum(section), section.mode))
}

/// How long the least difference is looked for; beyond that a larger one must do.
const LOOKING: Duration = Duration::from_secs(2);

/// The lines that differ, with two around them; how a line ends is no difference. Not by `TextDiff`, which would link in all of the library's algorithms for
/// the one that is used.
pub fn diff(applied: &str, file: &str) -> String {
    let (applied, file) = (normalized(applied), normalized(file));
    let (old, new): (Vec<&str>, Vec<&str>) = (applied.split_inclusive('\n').collect(), file.split_inclusive('\n').collect());
    let (old, new) = (old.as_slice(), new.as_slice());
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = diff_deadline_raw(&mut hook, old, 0..old.len(), new, 0..new.len(), Some(Instant::now() + LOOKING));
    let mut text = String::new();
    for hunk in hook.into_inner().into_inner().into_grouped_ops(2) {
        let _ = writeln!(text, "{}", UnifiedHunkHeader::new(&hunk));
        for (tag, lines) in hunk.iter().flat_map(|change| change.iter_slices(old, new)) {
            for line in lines {
                let _ = write!(text, "{tag}{line}");
                if !line.ends_with('\n') {
                    text += "\n\\ No newline at end of file\n";
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::format::parse;

    fn read(text: &str) -> Revision {
        parse(std::path::Path::new("1_x.sql"), text.as_bytes().to_vec()).expect("sound").revision
    }

    #[test]
    fn lines_that_differ_are_shown_with_two_around_them() {
        let applied = "1\n2\n3\nfour\n5\n6\n7\n";
        assert_eq!(diff(applied, applied), "");
        assert_eq!(
            diff(applied, "1\n2\n3\n4\n5\n6\n7"),
            "@@ -2,6 +2,6 @@\n 2\n 3\n-four\n+4\n 5\n 6\n-7\n+7\n\\ No newline at end of file\n"
        );
    }

    fn verdict(applied: &str, file: &str) -> (usize, usize) {
        let (applied, file) = (read(applied), read(file));
        let graph = Graph::build(vec![crate::revision::format::ParsedRevision { revision: file, has_revises: false }]).expect("a graph");
        let verdict = compare(&graph, &[recorded(&applied)]);
        assert_eq!(verdict.reread, []);
        (verdict.changed.len(), verdict.changed_down.len())
    }

    fn recorded(applied: &Revision) -> AppliedRevision {
        AppliedRevision {
            id: applied.id.clone(),
            file: "1_x.sql".into(),
            parents: Vec::new(),
            depends_on: Vec::new(),
            message: String::new(),
            breaking: false,
            semantic: applied.semantic_checksum(&applied.up),
            text: applied.text.clone(),
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
        let graph =
            Graph::build(vec![crate::revision::format::ParsedRevision { revision: file.clone(), has_revises: false }]).expect("a graph");
        let found = |recorded| {
            let verdict = compare(&graph, &[recorded]);
            (verdict.changed.len(), verdict.reread.len(), verdict.changed_down.len())
        };
        assert_eq!(found(with(&"0".repeat(64))), (0, 1, 0));
        assert_eq!(found(with(&format!("2:{}", "0".repeat(64)))), (0, 0, 0), "of a pgmarch that is newer than this one");
        assert_eq!(found(AppliedRevision { text: "-- migrate:up\nSELECT 2;\n".to_owned(), ..with("0") }), (1, 0, 0));
    }

    #[test]
    fn a_text_whose_marker_is_none_any_more_is_compared_by_what_ran() {
        let ran = read("-- migrate:up\nSELECT 1;\nSELECT 2;\n");
        let applied = AppliedRevision { text: "-- migrate:up\nSELECT 1;\n-- Migrate:Down\nSELECT 2;\n".into(), ..recorded(&ran) };
        let found = |file: &str| {
            let file = crate::revision::format::ParsedRevision { revision: read(file), has_revises: false };
            let graph = Graph::build(vec![file]).expect("a graph");
            let verdict = compare(&graph, std::slice::from_ref(&applied));
            (verdict.changed.len(), verdict.reread.len(), verdict.changed_down.len())
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
        let kept = |below: &str| {
            HashMap::from([(
                "2".to_owned(),
                AppliedChecksum { exact: String::new(), applied_on: vec![below.into()], semantic: String::new() },
            )])
        };
        let rows = [graph.node("2").expect("2")];
        assert_eq!(moved(&graph, &rows, &kept("1b")), []);
        let found = moved(&graph, &rows, &kept("1"));
        assert_eq!((found[0].recorded.as_str(), found[0].now.as_str()), ("1", "1b"));
    }
}
