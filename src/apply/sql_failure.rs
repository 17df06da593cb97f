//! A statement of a revision that failed: where it is, why, and what to do.

use tokio_postgres::error::DbError;

use crate::code_frame::CodeFrame;
use crate::facts::{Blocker, FailureFacts, place};
use crate::revision::{Direction, Id, LineColumn, SectionMode};
use crate::shared_text::SharedText;

/// A server's error in the text of a revision, and where that is.
#[derive(Debug)]
pub struct SqlFailure {
    /// The revision.
    pub revision: Id,
    /// Upgrade or downgrade.
    pub direction: Direction,
    /// The file, for messages.
    pub path: std::path::PathBuf,
    /// The file's text.
    pub text: SharedText,
    /// Where in the text, in bytes; `None` where the server's error has no place (a deferred constraint at commit).
    pub range: Option<std::ops::Range<usize>>,
    /// The server's error.
    pub error: DbError,
    /// The sessions that were in the way.
    pub blockers: Vec<Blocker>,
    /// What to do about it, if it is something else than to fix the file.
    pub advice: Option<String>,
    /// Statements before it that are committed; only `transaction:false` has any.
    pub kept: usize,
    /// How it was run.
    pub mode: SectionMode,
}

impl SqlFailure {
    /// What to do about it, in one line.
    pub fn next(&self) -> String {
        let file = self.path.display();
        let code = self.error.code().code();
        match (self.mode, self.kept, &self.advice) {
            (SectionMode::Transaction, _, Some(advice)) | (SectionMode::Stepwise, 0, Some(advice)) => {
                format!("{advice}; then run again: nothing of it was applied")
            }
            (SectionMode::Stepwise, kept, Some(advice)) => {
                format!("{advice}; then run again, which continues with statement {}: statements up to {kept} are done and stay", kept + 1)
            }
            (SectionMode::Transaction, _, None) if ["25001", "2D000"].contains(&code) => {
                format!(
                    "this statement can't run in a transaction: write `transaction:false` behind `-- migrate:{}` in {file}, or give it a revision of its own that has it; nothing of it was applied",
                    if self.direction == Direction::Up { "up" } else { "down" }
                )
            }
            (SectionMode::Transaction, _, None) if code == "55P04" => {
                format!(
                    "a new value of an enum can be used only once it is committed: in {file}, move the use of it to a revision of its own; nothing of it was applied"
                )
            }
            (SectionMode::Transaction, _, None) | (SectionMode::Stepwise, 0, None) => {
                format!("fix {file} and run again: nothing of it was applied")
            }
            (SectionMode::Stepwise, kept, None) => format!(
                "fix {file} from statement {} on and run again: statements up to {kept} are done and stay; or undo them by hand and start over with `pgmarch repair {}`",
                kept + 1,
                self.revision
            ),
        }
    }

    /// What is known about it.
    pub fn facts(&self) -> FailureFacts {
        FailureFacts {
            place: Some(place(&self.path, self.place())),
            blocker: self.blockers.first().cloned(),
            excerpt: self.range.iter().map(|range| CodeFrame::new(&self.path, &self.text, range)).collect(),
            ..FailureFacts::of_server(&self.error)
        }
        .about(&self.revision)
    }

    /// Line and column, if there is a place.
    pub fn place(&self) -> Option<LineColumn> {
        self.range.as_ref().map(|range| LineColumn::of(&self.text, range.start))
    }
}
