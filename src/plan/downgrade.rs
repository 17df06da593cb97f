//! The plan of a downgrade: which revisions it undoes, and in which order.

use std::borrow::Cow;
use std::collections::BTreeSet;

use thiserror::Error;

use super::row_tracker::VersionRowTracker;
use super::{Plan, Step};
use crate::exit::{Exit, Explain};
use crate::facts::{FailureFacts, place};
use crate::revision::graph::{Graph, Node};
use crate::revision::name::{DowngradeTarget, NameError, RevisionName};
use crate::revision::{Direction, Id, join_ids};

/// Why a downgrade can't be planned.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DowngradeError {
    /// Revisions without a `-- migrate:down` section.
    #[error("{} can't be undone: no `-- migrate:down` section", .0.iter().map(|revision| format!("{} ({})", revision.id, revision.path.display())).collect::<Vec<_>>().join(", "))]
    Irreversible(Vec<Irreversible>),
    /// Since the user confirmed what is undone, another session applied revisions that depend on it.
    #[error("{} would be undone too, which you did not confirm: another run has applied them since", join_ids(.0))]
    Moved(Vec<Id>),
}

impl Explain for DowngradeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Irreversible(_) => Exit::Unsound,
            Self::Moved(_) => Exit::Locked,
        }
    }

    fn facts(&self) -> FailureFacts {
        match self {
            Self::Irreversible(irreversible) => {
                let facts =
                    |it: &Irreversible| FailureFacts { place: Some(place(&it.path, None)), ..FailureFacts::default() }.about(&it.id);
                irreversible.first().map(facts).unwrap_or_default()
            }
            Self::Moved(ids) => FailureFacts { revision: ids.first().map(Id::to_string), ..FailureFacts::default() },
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Irreversible(irreversible) => format!(
                "nothing was undone; add a `-- migrate:down` section to {}, or name a revision above {}",
                irreversible.iter().map(|revision| revision.path.display().to_string()).collect::<Vec<_>>().join(", "),
                join_ids(irreversible.iter().map(|revision| &revision.id))
            )
            .into(),
            Self::Moved(_) => "`pgmarch status` shows where the database is; run the downgrade again and confirm what it lists".into(),
        }
    }
}

/// A revision without a `down` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Irreversible {
    /// Its id.
    pub id: Id,
    /// Its file.
    pub path: std::path::PathBuf,
}

impl<'g> Plan<'g> {
    /// Undoes those of `to_undo` that are still applied, and no other revision. A revision below `rows` that was never applied gets
    /// no step: its prerequisites take its place in the version rows.
    pub fn downgrade(graph: &'g Graph, rows: &[Node], to_undo: &BTreeSet<Id>, unapplied: &BTreeSet<Node>) -> Result<Self, DowngradeError> {
        let mut tracker = VersionRowTracker::without(graph, rows, unapplied);
        let undoing: Vec<Node> = tracker.applied().filter(|node| to_undo.contains(graph.id(*node))).collect();
        let dependents = graph.reach(&undoing, Graph::dependents);
        let unexpected = dependents.nodes().filter(|node| tracker.is_applied(*node) && !to_undo.contains(graph.id(*node)));
        let unexpected: Vec<Id> = unexpected.map(|node| graph.id(node).clone()).collect();
        if !unexpected.is_empty() {
            return Err(DowngradeError::Moved(unexpected));
        }
        let (mut steps, mut irreversible) = (Vec::new(), Vec::new());
        for node in undoing.into_iter().rev() {
            let revision = graph.revision(node);
            let (before, after) = tracker.downgrade(node);
            match &revision.down {
                Some(section) => steps.push(Step { revision, section, before, after }),
                None => irreversible.push(Irreversible { id: revision.id.clone(), path: revision.path.clone() }),
            }
        }
        if irreversible.is_empty() { Ok(Self::new(graph, Direction::Down, steps)) } else { Err(DowngradeError::Irreversible(irreversible)) }
    }
}

/// The unapplied revisions that a downgrade skips: those that have a dependent among `to_undo`.
pub fn find_skipped(graph: &Graph, to_undo: &BTreeSet<Id>, unapplied: &BTreeSet<Node>) -> impl Iterator<Item = Node> {
    let is_skipped = |node: &Node| graph.reach(&[*node], Graph::dependents).nodes().any(|dependent| to_undo.contains(graph.id(dependent)));
    unapplied.iter().copied().filter(is_skipped)
}

/// The revisions that a downgrade from `rows` to `name` undoes: the children of the target and all their dependents, as far as they
/// are applied.
pub fn select_to_undo(graph: &Graph, rows: &[Node], name: &RevisionName, unapplied: &BTreeSet<Node>) -> Result<BTreeSet<Id>, NameError> {
    let DowngradeTarget { target, roots } = name.downgrade_target(graph, rows)?;
    let applied = graph.reach(rows, Graph::prerequisites);
    let dependents = graph.reach(&roots, Graph::dependents);
    let is_undone = |node: &Node| dependents.contains(*node) && !unapplied.contains(node);
    let to_undo: BTreeSet<Id> = applied.nodes().filter(is_undone).map(|node| graph.id(node).clone()).collect();
    match target {
        // A relative name (`-1`) counts from the version row, so its target need not be applied.
        Some(node) if !applied.contains(node) || unapplied.contains(&node) && !name.is_relative() => {
            Err(NameError::NotApplied(graph.id(node).to_string()))
        }
        Some(_) | None => Ok(to_undo),
    }
}
