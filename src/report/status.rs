//! The answer of `status`, as text and as JSON.

use std::fmt::Write;

use serde::Serialize;

/// One revision in the history.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Its id.
    pub revision: String,
    /// What it revises.
    pub parents: Vec<String>,
    /// Its message.
    pub message: String,
    /// `applied` or `pending`.
    pub state: &'static str,
    /// Whether the database is at it.
    pub current: bool,
    /// Whether nothing revises it.
    pub head: bool,
    /// When it was applied, in UTC, as far as the ledger knows.
    pub applied_at: Option<String>,
    /// How long that took, in seconds.
    pub seconds: Option<f64>,
}

/// Where a database is. The JSON of `status --json` is this object.
#[derive(Debug, Serialize)]
pub struct Status {
    /// `user@host:port/database`, never a password.
    pub connection: String,
    /// The server's version.
    pub server: String,
    /// The version table.
    pub version_table: String,
    /// The version rows.
    pub current: Vec<String>,
    /// The heads of the files.
    pub heads: Vec<String>,
    /// Branch labels.
    pub branches: Vec<String>,
    /// The target asked for.
    pub target: String,
    /// What an upgrade to the target would apply, in order.
    pub pending: Vec<String>,
    /// Whether nothing is pending.
    pub at_target: bool,
    /// All revisions, in an applicable order.
    pub history: Vec<Entry>,
}

impl Status {
    /// For a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let list = |ids: &[String], none: &str| if ids.is_empty() { none.to_owned() } else { ids.join(", ") };
        for (name, value) in [
            ("connection", self.connection.clone()),
            ("server", format!("PostgreSQL {}", self.server)),
            ("current", list(&self.current, "base (nothing applied)")),
            ("head", list(&self.heads, "none")),
        ] {
            let _ = writeln!(text, "{name:<11} {value}");
        }
        if !self.branches.is_empty() {
            let _ = writeln!(text, "{:<11} {}", "branches", self.branches.join(", "));
        }
        let _ = writeln!(
            text,
            "{:<11} {}",
            "pending",
            if self.pending.is_empty() { "none".to_owned() } else { format!("{}: {}", self.pending.len(), self.pending.join(", ")) }
        );
        let _ = writeln!(text, "\nhistory (oldest first)");
        let width = self.history.iter().map(|entry| entry.revision.chars().count()).max().unwrap_or(0);
        for entry in &self.history {
            let mark = if entry.current { "→" } else { " " };
            let when = match (&entry.applied_at, entry.seconds) {
                (Some(at), Some(seconds)) => {
                    format!("applied {at}, {}", super::seconds(std::time::Duration::from_secs_f64(seconds.max(0.0))))
                }
                _ => entry.state.to_owned(),
            };
            let head = if entry.head { " (head)" } else { "" };
            let _ = writeln!(text, " {mark} {:<width$}  {}{head}  [{when}]", entry.revision, entry.message);
        }
        let _ = writeln!(text, "\nnext: {}", if self.at_target { "nothing to do" } else { "pgmarch upgrade" });
        text
    }
}
