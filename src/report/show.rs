//! The output of `show`: one revision.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::history::HistoryEntry;
use crate::escape;
use crate::shared_text::SharedText;

/// One revision. The JSON of `show --json` is this object.
#[derive(Debug, Serialize)]
pub(crate) struct ShowReport {
    /// Its entry in `history`.
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// Whether it has a down section.
    pub reversible: bool,
    /// The text of its file; without a file here, the text in the ledger.
    pub text: SharedText,
    /// SHA-256 of that text.
    pub exact: String,
    /// SHA-256 of the tokens of its up section.
    pub semantic: String,
    /// The text diff from the applied text to the file, if they differ.
    pub changed: Option<String>,
    /// Its journal, oldest first.
    pub journal: Vec<crate::ledger::JournalEntry>,
}

impl ShowReport {
    /// What is printed ahead of the revision's own text.
    fn head(&self) -> String {
        let entry = &self.entry;
        let list = |ids: &[String]| if ids.is_empty() { "base".to_owned() } else { ids.join(", ") };
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<11} {}", escape::line(value));
        };
        line("revision", &entry.revision);
        line("revises", &list(&entry.parents));
        if !entry.depends_on.is_empty() {
            line("depends on", &entry.depends_on.join(", "));
        }
        if let Some(branch) = &entry.branch {
            line("branch", branch);
        }
        line("message", &entry.message);
        if let Some(created) = &entry.created {
            line("created", created);
        }
        if entry.breaking {
            line("breaking", "yes: an older program can't run on it");
        }
        if !self.reversible {
            line("undo", "impossible: no `-- migrate:down` section");
        }
        line("file", entry.file.as_deref().unwrap_or("none here; the text below is the ledger's"));
        let state = entry.state_text();
        if !state.is_empty() {
            line("state", &if entry.current { format!("{state} (current)") } else { state });
        }
        line("checksum", &format!("exact {}, semantic {}", short(&self.exact), short(&self.semantic)));
        if !self.journal.is_empty() {
            text += "\njournal\n";
            for run in &self.journal {
                let seconds =
                    run.seconds.map(|seconds| format!(" in {}", crate::words::seconds(Duration::from_secs_f64(seconds.max(0.0)))));
                let line = format!(
                    "{}  {} {}{}, {} on {}, pgmarch {}{}",
                    run.started.as_deref().unwrap_or("?"),
                    run.direction,
                    run.outcome,
                    seconds.unwrap_or_default(),
                    run.role.as_deref().unwrap_or("?"),
                    run.host.as_deref().filter(|host| !host.is_empty()).unwrap_or("?"),
                    run.pgmarch.as_deref().unwrap_or("?"),
                    run.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default(),
                );
                let _ = writeln!(text, "  {}", escape::line(line));
            }
        }
        if let Some(changed) = &self.changed {
            let _ = write!(text, "\nchanged since it was applied\n{}", escape::lines(changed, 0));
        }
        text.push('\n');
        text
    }

    /// As text, in parts: the text of the revision is printed unchanged, and may be large.
    pub(crate) fn parts(&self) -> [Cow<'_, str>; 3] {
        [self.head().into(), (&*self.text).into(), if self.text.ends_with('\n') { "" } else { "\n" }.into()]
    }
}

fn short(checksum: &str) -> &str {
    checksum.get(..16).unwrap_or(checksum)
}
