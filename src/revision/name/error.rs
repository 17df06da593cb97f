//! Why a name means nothing here, and what to write instead.

use std::borrow::Cow;

use thiserror::Error;

use crate::exit::{Exit, Explain};

/// Why a name can't be resolved.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum NameError {
    #[error("`{0}` is not a revision's name; write head, heads, base, an id or the start of one, +N, -N, ID+N, ID-N or BRANCH@head")]
    Malformed(String),
    #[error("`{typed}` means several heads: {heads}; name one, write `{all}` for all, or join them with `pgmarch merge {all}`")]
    SeveralHeads { typed: String, heads: String, all: String },
    #[error("no revision has the id `{id}`{}; `pgmarch history` lists them", .nearest.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    Unknown { id: String, nearest: Option<String> },
    #[error("`{prefix}` is the start of several ids: {ids}; write one of them out")]
    Ambiguous { prefix: String, ids: String },
    #[error("no branch or revision is called `{0}`; labels are set with `-- branch:` in a revision")]
    UnknownBranch(String),
    #[error("`{typed}`: there are only {walked} of {wanted} revisions that way")]
    TooFar { typed: String, walked: u64, wanted: u64 },
    #[error("`{typed}`: the way divides at {at} into {candidates}; name the revision, or the branch as BRANCH@{typed}")]
    Fork { typed: String, at: String, candidates: String },
    #[error("`{typed}` starts from where the database is, which is at several revisions: {rows}; write BRANCH@{typed}")]
    SeveralRows { typed: String, rows: String },
    #[error("`{0}` goes down; upgrade takes a name that goes up, downgrade one that goes down")]
    NotAnUpgrade(String),
    #[error("{0} is not applied, so there is nothing above it to undo")]
    NotApplied(String),
    #[error("`{0}` goes up; downgrade takes -N, base, an id or the start of one, ID-N, BRANCH@-N or BRANCH@base")]
    NotADowngrade(String),
    #[error("`{typed}`: {id} is not on that branch; write `{id}` alone, or name another branch")]
    OffBranch { typed: String, id: String },
    #[error("`{typed}`: nothing of that branch stands right above {parent}; name the branch that should go down to it")]
    NoChildOnBranch { typed: String, parent: String },
    #[error("`{0}` is not a range; write FROM:TO, two names of revisions")]
    NotARange(String),
    #[error("`{0}` starts from where the database is, which nobody is asked here; write an id, base or head")]
    RelativeWithoutDatabase(String),
}

impl Explain for NameError {
    fn exit(&self) -> Exit {
        if matches!(self, Self::SeveralHeads { .. }) { Exit::Unsound } else { Exit::Usage }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::SeveralHeads { all, .. } => format!(
                "`pgmarch merge {all}` writes a revision that joins them; or, without joining them, apply all with `pgmarch upgrade {all}` (PGMARCH_TARGET={all})"
            )
            .into(),
            Self::Malformed(_)
            | Self::Unknown { .. }
            | Self::Ambiguous { .. }
            | Self::UnknownBranch(_)
            | Self::TooFar { .. }
            | Self::Fork { .. }
            | Self::SeveralRows { .. }
            | Self::NotAnUpgrade(_)
            | Self::NotApplied(_)
            | Self::NotADowngrade(_)
            | Self::OffBranch { .. }
            | Self::NoChildOnBranch { .. }
            | Self::NotARange(_)
            | Self::RelativeWithoutDatabase(_) => {
                "`pgmarch history` lists the revisions, `pgmarch status` shows which the database is at".into()
            }
        }
    }
}
