//! The goal of a run, and the plan that reaches it from a position.

use std::collections::BTreeSet;

use super::verified::LedgerTexts;
use crate::ancestry::Ancestry;
use crate::error::Error;
use crate::plan::Plan;
use crate::position::Position;
use crate::revision::Id;
use crate::revision::graph::Node;
use crate::revision::name::RevisionName;

/// The goal of a run.
#[derive(Clone, Debug)]
pub enum Goal {
    /// The revisions that a target means are applied, at least.
    Upgrade(RevisionName),
    /// Exactly these revisions are undone. [`Runner::plan_downgrade`](super::Runner::plan_downgrade) creates this goal.
    Undo(BTreeSet<Id>),
}

impl Goal {
    /// An upgrade to `head`, `heads`, an id, a part of one, `BRANCH@head` or `+N`.
    pub fn upgrade(name: &str) -> Result<Self, Error> {
        Ok(Self::Upgrade(RevisionName::parse(name)?))
    }

    /// The revisions to be at, for an upgrade. A relative target such as `+1` is resolved once in a run, at the first plan under
    /// the lock, to `pinned`; otherwise a run that starts over would go further than was asked.
    pub(super) fn targets(&self, pinned: Option<&[Id]>, position: &Position<'_>) -> Result<Vec<Node>, Error> {
        match (self, pinned) {
            (Self::Undo(_), _) => Ok(Vec::new()),
            (Self::Upgrade(_), Some(pinned)) => Ok(pinned.iter().filter_map(|id| position.graph.node(id.as_str())).collect()),
            (Self::Upgrade(name), None) => Ok(position.targets(name)?),
        }
    }

    /// Of which revisions without a file it needs the texts.
    pub(super) fn ledger_texts(&self) -> LedgerTexts<'_> {
        match self {
            Self::Upgrade(_) => LedgerTexts::None,
            Self::Undo(revisions) => LedgerTexts::Of(revisions),
        }
    }

    pub(super) fn plan<'p>(&self, position: &'p Position<'_>, targets: &[Node], ancestry: &Ancestry) -> Result<Plan<'p>, Error> {
        match self {
            Self::Upgrade(_) => Ok(Plan::upgrade(&position.graph, &position.rows, targets)),
            Self::Undo(revisions) => Ok(Plan::downgrade(&position.graph, &position.rows, revisions, &ancestry.unapplied)?),
        }
    }
}
