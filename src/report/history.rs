//! The output of `history`: the graph, newest first.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::graph_drawing;
use crate::escape;

/// The state of a revision below an applied one that was never applied: it was added later.
pub(crate) const NOT_APPLIED: &str = "not applied";

/// One revision of a history.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HistoryEntry {
    /// Its id.
    pub revision: String,
    /// What it revises.
    pub parents: Vec<String>,
    /// What must be applied first without being a parent.
    pub depends_on: Vec<String>,
    /// Its branch label.
    pub branch: Option<String>,
    /// Its message.
    pub message: String,
    /// When it was written, as its file says.
    pub created: Option<String>,
    /// Whether an older program can't run on it.
    pub breaking: bool,
    /// Its file; `null` if only the ledger has it.
    pub file: Option<String>,
    /// `applied`, `pending`, or `not applied`: below an applied revision, and never run here; `null` without a database.
    pub state: Option<&'static str>,
    /// Of a `transaction:false` revision that was begun and not finished: which statements are done, and which one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
    /// Of one that was not applied, whether `repair` accepted that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
    /// Whether the database is at it.
    pub current: bool,
    /// Whether nothing revises it.
    pub head: bool,
    /// When it was last applied, in UTC, as far as the ledger knows.
    pub applied_at: Option<String>,
    /// How long that took, in seconds.
    pub seconds: Option<f64>,
}

impl HistoryEntry {
    /// Whether it is applied, when, how long it took.
    pub(crate) fn state_text(&self) -> String {
        if let Some(unfinished) = &self.unfinished {
            return unfinished.clone();
        }
        match (self.state, &self.applied_at, self.seconds) {
            (Some("applied"), Some(at), Some(seconds)) => {
                format!("applied {at}, {}", crate::words::seconds(Duration::from_secs_f64(seconds.max(0.0))))
            }
            (Some(NOT_APPLIED), ..) if self.accepted == Some(true) => "not applied here, accepted by repair".to_owned(),
            (Some(NOT_APPLIED), ..) => "not applied here".to_owned(),
            (Some(state), ..) => state.to_owned(),
            (None, ..) => String::new(),
        }
    }

    /// Its marks: `head, current, blue…`.
    fn marks(&self) -> String {
        let mut marks: Vec<String> = Vec::new();
        if self.current {
            marks.push("current".into());
        }
        if self.head {
            marks.push("head".into());
        }
        marks.extend(self.branch.as_ref().map(|branch| format!("branch {branch}")));
        if self.breaking {
            marks.push("breaking".into());
        }
        if !self.depends_on.is_empty() {
            marks.push(format!("depends on {}", self.depends_on.join(", ")));
        }
        if self.file.is_none() {
            marks.push("no file here".into());
        }
        if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) }
    }
}

/// The graph or a part of it. The JSON of `history --json` is this object.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryReport {
    /// The database, without its password; `null` where none is named.
    pub connection: Option<String>,
    /// The revisions, newest first.
    pub history: Vec<HistoryEntry>,
}

impl HistoryReport {
    /// As text, drawn as `git log --graph` does.
    pub(crate) fn text(&self) -> String {
        let keys: HashMap<&str, usize> = self.history.iter().enumerate().map(|(key, entry)| (entry.revision.as_str(), key)).collect();
        let rows: Vec<(usize, Vec<usize>, Vec<String>)> = self
            .history
            .iter()
            .enumerate()
            .map(|(key, entry)| {
                let below = entry.parents.iter().filter_map(|parent| keys.get(parent.as_str()).copied()).collect();
                let mut line = format!("{}{}  {}", entry.revision, entry.marks(), entry.message);
                let state = entry.state_text();
                if !state.is_empty() {
                    let _ = write!(line, "  [{state}]");
                }
                (key, below, vec![escape::line(line).to_string()])
            })
            .collect();
        graph_drawing::draw(&rows)
    }
}
