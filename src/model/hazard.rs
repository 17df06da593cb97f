//! What a statement may do to data, or to other sessions.

use std::fmt;

use serde::Serialize;

/// One danger, and the sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hazard {
    /// Its name.
    pub kind: Danger,
    /// What happens.
    pub text: String,
}

/// Kinds of danger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Rows or values are lost, and the down migration can't restore them.
    DataLoss,
    /// The table is rewritten while no other session can read it.
    Rewrite,
    /// The whole table is read while other sessions wait.
    Scan,
    /// Other sessions wait while an index or a view is built.
    Lock,
    /// It fails if existing rows do not fit.
    MayFail,
    /// Roles may do more or less than before with what exists, or with what will be created.
    AuthorizationChange,
    /// A constraint or a unique index is missing until a later statement that runs on its own, or a later revision.
    ProtectionGap,
}

impl Danger {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataLoss => "data loss",
            Self::Rewrite => "rewrite",
            Self::Scan => "scan",
            Self::Lock => "lock",
            Self::MayFail => "may fail",
            Self::AuthorizationChange => "authorization change",
            Self::ProtectionGap => "protection gap",
        }
    }
}

impl Hazard {
    /// A danger and its sentence.
    pub fn new(kind: Danger, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}
