//! `transaction:false` revisions that were begun and not finished: the last row of the journal about each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::revision::Direction;

/// How far a statement came, by its last journal row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was about to be sent; only the database shows whether it was executed.
    Started,
    /// It is done.
    Finished,
    /// It failed.
    Failed,
}

impl Stage {
    /// The value of the column `outcome`.
    pub(in crate::ledger) fn outcome(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// What a run records about a statement for the run that continues after it, which may be another version of pgmarch; the journal
/// column `progress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct StatementNote {
    /// Semantic checksum of the statements before this one.
    pub(crate) before: String,
    /// Semantic checksum of this one.
    pub(crate) own: String,
    /// The application name under which it was sent.
    #[serde(default)]
    pub(crate) application: String,
    /// For an index build: the indexes that its table had before, by their OIDs.
    #[serde(default)]
    pub(crate) indexes: Vec<u32>,
}

/// A `transaction:false` revision that was begun and not finished.
#[derive(Clone, Debug)]
pub struct UnfinishedRevision {
    /// The id of the revision.
    pub(crate) revision: String,
    /// Upgrade or downgrade.
    pub(crate) direction: Direction,
    /// What that row has about the statement.
    pub(crate) stage: Stage,
    /// The statement, from 1.
    pub(crate) statement: usize,
    /// The id of that journal row. The run that continues expects it to be the last one still.
    pub(crate) journal_id: i64,
    /// The process id of the backend that ran it.
    pub(crate) pid: i32,
    /// When that backend started, in microseconds since 1970.
    pub(crate) backend_start: i64,
    /// The host of the run that sent it.
    pub(crate) host: String,
    /// What that run recorded for the next one.
    pub(crate) note: StatementNote,
    /// The server's error message, if it failed.
    pub(crate) detail: Option<String>,
}

impl UnfinishedRevision {
    /// From a row of `unfinished.sql`.
    pub(super) fn from_row(row: &[Option<&str>]) -> Option<Self> {
        let [revision, direction, stage, statement, journal_id, pid, start, host, note, detail] =
            *<&[Option<&str>; 10]>::try_from(row).ok()?;
        let stage = [Stage::Started, Stage::Finished, Stage::Failed].into_iter().find(|known| Some(known.outcome()) == stage)?;
        Some(Self {
            revision: revision?.to_owned(),
            direction: if direction? == Direction::Up.verb() { Direction::Up } else { Direction::Down },
            stage,
            statement: statement?.parse().ok()?,
            journal_id: journal_id?.parse().ok()?,
            pid: pid?.parse().ok()?,
            backend_start: start.and_then(|start| start.parse().ok()).unwrap_or(0),
            host: host.unwrap_or_default().to_owned(),
            note: note.and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default(),
            detail: detail.map(str::to_owned),
        })
    }

    /// How many of its statements are certainly done.
    pub(crate) fn done(&self) -> usize {
        match self.stage {
            Stage::Finished => self.statement,
            Stage::Started | Stage::Failed => self.statement.saturating_sub(1),
        }
    }
}

impl UnfinishedRevision {
    /// The same without the revision: `half applied: statements 1 to 2 are done, …`.
    pub(crate) fn state(&self) -> String {
        let text = self.to_string();
        text.split_once(" is ").map_or(text.clone(), |(_, state)| state.to_owned())
    }
}

/// `revision 003 is half applied: statements 1 to 2 are done, statement 3 failed (23505: …)`.
impl fmt::Display for UnfinishedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let participle = match self.direction {
            Direction::Up => "applied",
            Direction::Down => "undone",
        };
        if let (0, Stage::Failed) = (self.done(), self.stage) {
            let why = self.detail.as_deref().unwrap_or("no reason noted");
            return write!(
                f,
                "revision {} failed in statement {}, before any of it was {participle} ({why})",
                self.revision, self.statement
            );
        }
        write!(f, "revision {} is half {participle}: ", self.revision)?;
        match self.done() {
            0 => f.write_str("no statement is done for certain")?,
            1 => f.write_str("statement 1 is done")?,
            done => write!(f, "statements 1 to {done} are done")?,
        }
        match self.stage {
            Stage::Finished => Ok(()),
            Stage::Started => write!(f, ", statement {} was started by pid {} for {}", self.statement, self.pid, self.host),
            Stage::Failed => write!(f, ", statement {} failed ({})", self.statement, self.detail.as_deref().unwrap_or("no reason noted")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_another_version_is_read() {
        let read = |json: &str| serde_json::from_str::<StatementNote>(json).expect("a note");
        let note = StatementNote { before: "a".to_owned(), own: "b".to_owned(), ..StatementNote::default() };
        assert_eq!(read(r#"{"before": "a", "own": "b"}"#), note);
        assert_eq!(read(r#"{"before": "a", "own": "b", "application": "", "indexes": [], "later": 1}"#), note);
    }
}
