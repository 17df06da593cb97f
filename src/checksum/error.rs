//! Errors about files that have changed since they were applied.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::escape;
use crate::exit::{Exit, Explain};
use crate::facts::{FailureFacts, place};
use crate::revision::Id;

/// A revision whose file has a different `up` section from the one that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its id.
    pub(crate) id: Id,
    /// The file.
    pub(crate) path: PathBuf,
    /// A text diff from the applied text to the file.
    pub(crate) diff: String,
}

/// A revision that had different parents or dependencies when it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedRevision {
    /// Its id.
    pub(crate) id: Id,
    /// The file.
    pub(crate) path: PathBuf,
    /// Parents and dependencies when it was applied.
    pub(crate) recorded: String,
    /// Parents and dependencies by its file.
    pub(crate) now: String,
}

impl fmt::Display for MovedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} was applied on {}, now it depends on {}", self.path.display(), self.id, self.recorded, self.now)
    }
}

/// A revision whose file is unchanged, but is parsed into statements different from those that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReparsedFile {
    /// Its id.
    pub(crate) id: Id,
    /// The file.
    pub(crate) path: PathBuf,
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

/// Why an upgrade stops: the files of applied revisions have changed.
#[derive(Debug, Error)]
pub enum ChecksumError {
    /// Their `up` sections have changed.
    #[error("{} applied: {}", if .0.len() == 1 { "a revision was changed after it was" } else { "revisions were changed after they were" }, .0.iter().map(|changed| changed.path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Changed(Vec<ChangedFile>),
    /// Their files are unchanged, but a different version of pgmarch found different statements in them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Reparsed(Vec<ReparsedFile>),
    /// Their parents or dependencies have changed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Moved(Vec<MovedRevision>),
}

impl ChecksumError {
    /// The ids of the revisions.
    pub(crate) fn ids(&self) -> Vec<String> {
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
            Self::Changed(_) => format!(
                "restore the applied text (the lines with `-`) and write the change as a new revision; or, if the file is right and the database already is as it says, accept it: {}",
                self.ids().iter().map(|id| format!("`pgmarch repair {id}`")).collect::<Vec<_>>().join(", ")
            )
            .into(),
            Self::Reparsed(_) => format!(
                "compare the database with the up section of the file, and correct by hand what differs; then accept it with `pgmarch repair {first}`"
            )
            .into(),
            Self::Moved(_) => format!(
                "to run what was inserted below {first}, restore `revises` of {first} (without headers: the file names) and add the new revision at the end; or accept the new order with `pgmarch repair {first}`: what was inserted is then never run on this database"
            )
            .into(),
        }
    }

    fn facts(&self) -> FailureFacts {
        let path = match self {
            Self::Changed(changed) => changed.first().map(|changed| &changed.path),
            Self::Reparsed(reparsed) => reparsed.first().map(|reparsed| &reparsed.path),
            Self::Moved(moved) => moved.first().map(|moved| &moved.path),
        };
        let diff = match self {
            Self::Changed(changed) => Some(changed.iter().map(|changed| diff_text(&changed.path, &changed.diff)).collect()),
            Self::Reparsed(_) | Self::Moved(_) => None,
        };
        FailureFacts { revision: self.ids().into_iter().next(), place: path.map(|path| place(path, None)), diff, ..FailureFacts::default() }
    }

    fn faults(&self) -> Vec<String> {
        match self {
            Self::Changed(_) => Vec::new(),
            Self::Reparsed(reparsed) => reparsed.iter().map(ToString::to_string).collect(),
            Self::Moved(moved) => moved.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A text diff from what was applied to a file; each of its lines begins with its own sign.
pub(crate) fn diff_text(path: &Path, diff: &str) -> String {
    format!("--- applied\n+++ {}\n{}", escape::line(path.display()), escape::lines(diff, 0))
}
