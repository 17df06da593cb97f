//! The output of `status`, as text and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::history::HistoryEntry;
use crate::escape;

/// The status of a database. The JSON of `status --json` is this object.
#[derive(Debug, Serialize)]
pub(crate) struct StatusReport {
    /// `user@host:port/database`, never a password.
    pub connection: String,
    /// The server's version.
    pub server: String,
    /// The version table.
    pub version_table: String,
    /// Its owner or that of the ledger, if a run that writes would refuse it.
    pub untrusted_owner: Option<String>,
    /// The version rows.
    pub current: Vec<String>,
    /// The heads of the files.
    pub heads: Vec<String>,
    /// Branch labels.
    pub branches: Vec<BranchHeads>,
    /// The target asked for.
    pub target: String,
    /// What an upgrade to the target would apply, in order.
    pub pending: Vec<String>,
    /// Applied revisions that have no file here: the database is ahead.
    pub ahead: Vec<String>,
    /// Files that differ from what was applied: an upgrade refuses.
    pub changed: Vec<String>,
    /// Revisions below an applied one that were never applied here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_applied: Vec<String>,
    /// `transaction:false` revisions that were begun and not finished: which statements are done, and which one failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub half_applied: Vec<HalfApplied>,
    /// Whether there is no ledger, although revisions are applied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lacks_ledger: bool,
    /// Why an upgrade would refuse, if it would.
    pub refusal: Option<String>,
    /// What to do about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// Whether nothing is pending and an upgrade would not refuse.
    pub at_target: bool,
    /// All revisions, in an applicable order.
    pub history: Vec<HistoryEntry>,
}

/// A `transaction:false` revision that was begun and not finished.
#[derive(Debug, Serialize)]
pub(crate) struct HalfApplied {
    /// Its id.
    pub revision: String,
    /// `upgrade` or `downgrade`.
    pub direction: &'static str,
    /// How many statements are done for certain.
    pub done: usize,
    /// The statement that was begun last, from 1.
    pub statement: usize,
    /// The server's error, if it failed.
    pub error: Option<String>,
    /// All of it, as text.
    pub text: String,
}

/// A branch label and its revisions.
#[derive(Debug, Serialize)]
pub(crate) struct BranchHeads {
    /// The label.
    pub label: String,
    /// The revision that carries it.
    pub revision: String,
    /// The heads of that branch.
    pub heads: Vec<String>,
}

impl HalfApplied {
    /// The command that finishes it.
    fn direction_command(&self) -> String {
        if self.direction == "upgrade" { "upgrade".to_owned() } else { "downgrade -1".to_owned() }
    }
}

impl StatusReport {
    /// As text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let list = |ids: &[String], none: &str| if ids.is_empty() { none.to_owned() } else { ids.join(", ") };
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<11} {}", escape::lines(value, 12));
        };
        line("connection", &self.connection);
        line("server", &format!("PostgreSQL {}", self.server));
        if let Some(owner) = &self.untrusted_owner {
            line("owner", &format!("{owner}, whom an upgrade as this role would not trust (PGMARCH_TRUST_OWNER)"));
        }
        line("current", &list(&self.current, "base (nothing applied)"));
        line(if self.heads.len() == 1 { "head" } else { "heads" }, &list(&self.heads, "none"));
        for branch in &self.branches {
            line("branch", &format!("{} ({} to {})", branch.label, branch.revision, branch.heads.join(", ")));
        }
        let numbered = |ids: &[String]| if ids.is_empty() { "none".to_owned() } else { format!("{}: {}", ids.len(), shortened(ids)) };
        line("pending", &numbered(&self.pending));
        if !self.ahead.is_empty() {
            line("ahead", &format!("{} (no file here)", numbered(&self.ahead)));
        }
        if !self.changed.is_empty() {
            line("changed", &format!("{} (the file differs from what was applied)", numbered(&self.changed)));
        }
        if !self.not_applied.is_empty() {
            line("not applied", &format!("{} (below an applied revision, never run here)", numbered(&self.not_applied)));
        }
        for half in &self.half_applied {
            line("half done", &half.text);
        }
        if self.lacks_ledger {
            line(
                "ledger",
                "does not exist: another tool migrated this database, or the schema was dropped; the next run that applies something creates it",
            );
        }
        if let Some(refusal) = &self.refusal {
            line("refused", refusal);
        }
        let _ = writeln!(text, "\nhistory (oldest first)");
        let width = self.history.iter().map(|entry| entry.revision.chars().count()).max().unwrap_or(0);
        for entry in &self.history {
            let mark = if entry.current { "→" } else { " " };
            let head = if entry.head { " (head)" } else { "" };
            let file = if entry.file.is_none() { " (no file here)" } else { "" };
            let line = format!("{:<width$}  {}{head}{file}  [{}]", entry.revision, entry.message, entry.state_text());
            let _ = writeln!(text, " {mark} {}", escape::line(line));
        }
        let _ = write!(text, "\nnext: {}\n\ncommon commands\n{COMMANDS}", self.next());
        text
    }

    fn next(&self) -> String {
        if let Some(next) = &self.next_step {
            next.clone()
        } else if let Some(half) = self.half_applied.first() {
            format!("`pgmarch {}` continues with statement {} of {}", half.direction_command(), half.done + 1, half.revision)
        } else if self.at_target {
            "nothing to do".to_owned()
        } else {
            "pgmarch upgrade".to_owned()
        }
    }
}

const COMMANDS: &str = "  pgmarch upgrade                    apply what is pending
  pgmarch upgrade --sql              the same as a script, nothing is run
  pgmarch downgrade -1               undo the last revision
  pgmarch create --manual MESSAGE    write the next revision
  pgmarch history                    the graph, drawn
  pgmarch show REV                   one revision
";

/// The first and the last of many.
fn shortened(ids: &[String]) -> String {
    match ids {
        [first, second, third, .., last] if ids.len() > 12 => format!("{first}, {second}, {third} … {last}"),
        few => few.join(", "),
    }
}
