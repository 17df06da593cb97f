//! Which revisions below the version rows are applied. The parents at the time when a revision was applied count, and those in
//! the files may differ from them: a revision inserted below an applied one later was never run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::exit::{Exit, Explain};
use crate::facts::{FailureFacts, place};
use crate::ledger::{LastEvent, LedgerContents};
use crate::revision::graph::{Graph, Node};
use crate::revision::{Id, join_ids};

/// The revisions at and below the version rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ancestry {
    /// Those that are applied.
    applied: BTreeSet<Node>,
    /// Those that are not: an upgrade skips them.
    pub(crate) unapplied: BTreeSet<Node>,
    /// The unapplied ones of which `repair` accepted that they are never run on this database.
    pub(crate) accepted: BTreeSet<Node>,
    /// Those that are applied according to the version rows and the files, but not recorded in the journal.
    pub(crate) unrecorded: Vec<Node>,
}

impl Ancestry {
    /// Version rows are applied, and so is what the journal proves. Below them, so are the parents and dependencies that the
    /// ledger recorded for an applied revision; where it recorded none, those of its file. Revisions applied by another tool were
    /// recorded together with all below them. Without `contents` only the files count.
    pub(crate) fn of(graph: &Graph, rows: &[Node], contents: Option<&LedgerContents>) -> Self {
        let unread = LedgerContents::default();
        let LedgerContents { checksums, proven, .. } = contents.unwrap_or(&unread);
        let below = graph.reach(rows, Graph::prerequisites);
        let mut applied = BTreeSet::new();
        let mut open: Vec<Node> = rows.to_vec();
        open.extend(below.nodes().filter(|node| proven.is_applied(graph.id(*node))));
        while let Some(node) = open.pop() {
            if !applied.insert(node) {
                continue;
            }
            let id = graph.id(node);
            let recorded = checksums.get(id.as_str()).map(|checksum| checksum.applied_on.iter().filter_map(|id| graph.node(id)).collect());
            let next: Vec<Node> = match (proven.last_event(id), recorded) {
                (Some(LastEvent::Assumed), _) => Vec::new(),
                // A revision that was undone is below a version row again: another tool applied it.
                (Some(LastEvent::Undone | LastEvent::Skipped), _) | (_, None) => graph.prerequisites(node).to_vec(),
                (Some(LastEvent::Applied | LastEvent::Stamped) | None, Some(recorded)) => recorded,
            };
            open.extend(
                next.into_iter().filter(|node| below.contains(*node) && proven.last_event(graph.id(*node)) != Some(LastEvent::Skipped)),
            );
        }
        let unapplied: BTreeSet<Node> = below.nodes().filter(|node| !applied.contains(node)).collect();
        let is_skipped = |node: &Node| proven.last_event(graph.id(*node)) == Some(LastEvent::Skipped);
        Self {
            accepted: unapplied.iter().copied().filter(is_skipped).collect(),
            unapplied,
            unrecorded: applied.iter().copied().filter(|node| !proven.is_applied(graph.id(*node))).collect(),
            applied,
        }
    }

    /// The unapplied revisions that were not accepted with `repair`.
    pub(crate) fn late_revisions(&self, graph: &Graph) -> Vec<LateRevision> {
        self.late_nodes().map(|node| self.late_revision(graph, node)).collect()
    }

    /// The same, as nodes.
    pub(crate) fn late_nodes(&self) -> impl Iterator<Item = Node> {
        self.unapplied.difference(&self.accepted).copied()
    }

    /// An unapplied revision, with the nearest applied one above it.
    pub(crate) fn late_revision(&self, graph: &Graph, node: Node) -> LateRevision {
        let mut open = vec![node];
        let mut above = node;
        while let Some(next) = open.pop() {
            above = next;
            if self.applied.contains(&next) {
                break;
            }
            open.extend_from_slice(graph.dependents(next));
        }
        let revision = graph.revision(node);
        LateRevision { id: revision.id.clone(), path: revision.path.clone(), above: graph.id(above).clone() }
    }
}

/// A revision that was inserted below an applied one, so it was never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LateRevision {
    /// Its id.
    pub(crate) id: Id,
    /// Its file.
    pub(crate) path: PathBuf,
    /// The applied revision.
    pub(crate) above: Id,
}

impl fmt::Display for LateRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, path, above } = self;
        write!(f, "{}: {id} has not been applied to this database: it came in below {above}, which had been applied before", path.display())
    }
}

/// The revisions below the version rows that were never run.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LateRevisions(pub(crate) Vec<LateRevision>);

impl Explain for LateRevisions {
    fn exit(&self) -> Exit {
        Exit::Unsound
    }

    fn next_step(&self) -> Cow<'static, str> {
        format!(
            "to run {0}, move it to the end (`revises`; without headers: the file name); or accept with `pgmarch repair {1}` that it is never run on this database",
            join_ids(self.0.iter().map(|late| &late.id)),
            self.0.first().map(|late| late.id.to_string()).unwrap_or_default()
        )
        .into()
    }

    fn facts(&self) -> FailureFacts {
        let facts = |late: &LateRevision| FailureFacts { place: Some(place(&late.path, None)), ..FailureFacts::default() }.about(&late.id);
        self.0.first().map(facts).unwrap_or_default()
    }

    fn faults(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}
