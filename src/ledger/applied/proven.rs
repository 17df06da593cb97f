//! Which revisions the ledger proves to be applied: what the journal says last of each.

use std::collections::{BTreeSet, HashMap};

use crate::connect::{Answer, host_name};
use crate::ledger::write::PROGRAM;
use crate::ledger::{AppliedChecksum, BACKEND_START, Ledger};
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::graph::Graph;
use crate::sql;
use crate::sql::{Literal, Sql, TextArray};

/// What the journal says last of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastEvent {
    /// pgmarch applied it.
    Applied,
    /// pgmarch undid it.
    Undone,
    /// A stamp named it. What was below it then is not recorded: pgmarch 0.1 recorded the version rows alone.
    Stamped,
    /// It was below a version row when a stamp set that row, or when pgmarch first wrote to a database that another tool had
    /// migrated.
    Assumed,
    /// It came in below an applied revision, and `repair` accepted that it is never run here.
    Skipped,
}

impl LastEvent {
    /// Whether the revision is applied.
    fn is_applied(self) -> bool {
        matches!(self, Self::Applied | Self::Stamped | Self::Assumed)
    }
}

/// What the journal says of all revisions of one version table.
#[derive(Clone, Debug, Default)]
pub struct ProvenRevisions {
    words: HashMap<String, LastEvent>,
    /// Whether it says anything at all.
    has_lines: bool,
    /// The last revision that was undone, where nothing else is known to be applied and base was not reached.
    above_unknown: Option<String>,
}

impl ProvenRevisions {
    /// From the rows of `proven.sql`.
    pub(in crate::ledger) fn of(rows: Answer, kept: &HashMap<String, AppliedChecksum>) -> Self {
        let mut proven = Self::default();
        for row in rows {
            let Ok([Some(revision), Some(direction), seal]) = <[Option<String>; 3]>::try_from(row) else { continue };
            proven.has_lines = true;
            let word = match direction.as_str() {
                "stamp" if revision != BASE => LastEvent::Stamped,
                "assume" => LastEvent::Assumed,
                "skip" => LastEvent::Skipped,
                "upgrade" => LastEvent::Applied,
                "downgrade" => LastEvent::Undone,
                // A stamp of base, or a reset: nothing before it counts.
                _ => continue,
            };
            proven.above_unknown = None;
            if word == LastEvent::Undone {
                proven.undo(revision, seal.as_deref(), kept);
            } else {
                proven.words.insert(revision, word);
            }
        }
        proven
    }

    /// A revision was undone, so nothing above it is applied either: another tool may have undone that before.
    fn undo(&mut self, revision: String, seal: Option<&str>, kept: &HashMap<String, AppliedChecksum>) {
        let mut open = vec![revision.clone()];
        let mut undone = BTreeSet::new();
        while let Some(next) = open.pop() {
            let is_above = |id: &&String| kept.get(*id).is_some_and(|kept| kept.below().any(|below| below == next));
            open.extend(self.words.keys().filter(is_above).filter(|id| !undone.contains(*id)).cloned().collect::<Vec<_>>());
            undone.insert(next);
        }
        let is_base = seal.is_some_and(AppliedDigest::is_of_base);
        for (id, word) in &mut self.words {
            if word.is_applied() && (is_base || undone.contains(id)) {
                *word = LastEvent::Undone;
            }
        }
        self.words.insert(revision.clone(), LastEvent::Undone);
        if !is_base && !self.words.values().any(|word| word.is_applied()) {
            self.above_unknown = Some(revision);
        }
    }

    /// What it says last of a revision.
    pub fn word(&self, revision: &Id) -> Option<LastEvent> {
        self.words.get(revision.as_str()).copied()
    }

    /// Whether it proves that a revision is applied.
    pub fn is_applied(&self, revision: &Id) -> bool {
        self.word(revision).is_some_and(LastEvent::is_applied)
    }

    /// Whether it says that nothing is applied.
    pub fn is_base(&self, kept: &HashMap<String, AppliedChecksum>, graph: &Graph) -> bool {
        self.has_lines && self.rows(kept, graph).is_none()
    }

    /// Whether it has nothing at all.
    pub fn is_silent(&self) -> bool {
        !self.has_lines
    }

    /// The applied revisions that no applied revision is above, if anything is applied. They are none where something is applied
    /// and nothing tells what.
    pub fn rows(&self, kept: &HashMap<String, AppliedChecksum>, graph: &Graph) -> Option<Vec<String>> {
        let below_in_files = |id: &str| -> Option<Vec<String>> {
            graph.node(id).map(|node| graph.prerequisites(node).iter().map(|below| graph.id(*below).to_string()).collect())
        };
        let below = |id: &str| -> Option<Vec<String>> {
            kept.get(id).map(|kept| kept.below().map(str::to_owned).collect()).or_else(|| below_in_files(id))
        };
        if let Some(undone) = &self.above_unknown {
            return match below(undone) {
                Some(below) if below.is_empty() => None,
                below => Some(below.unwrap_or_default()),
            };
        }
        // A journal without a line on any of the revisions that are kept was cut short.
        let applied: BTreeSet<&str> = if self.has_lines {
            self.words.iter().filter(|(_, word)| word.is_applied()).map(|(id, _)| id.as_str()).collect()
        } else {
            kept.keys().map(String::as_str).collect()
        };
        let covered: BTreeSet<String> = applied.iter().flat_map(|id| below(id).unwrap_or_default()).collect();
        let rows: Vec<String> = applied.iter().filter(|id| !covered.contains(**id)).map(|id| (*id).to_owned()).collect();
        (!applied.is_empty()).then_some(rows)
    }
}

/// What the journal calls a stamp that leaves no version row.
pub const BASE: &str = "base";

impl Ledger {
    /// A query for the rows of [`ProvenRevisions::of`].
    pub(in crate::ledger) fn proven(&self) -> Sql {
        sql!(include_str!("proven.sql"), ledger = self.schema, key = self.key())
    }

    /// Statements that write down revisions that are applied, as another tool or a stamp says: the version table had a row at or
    /// above each of them.
    pub fn record_assumed(&self, revisions: &[&str], detail: &str) -> Vec<Sql> {
        self.record_notes("assume", revisions, detail)
    }

    /// Statements that write down revisions that are not applied and never will be, as `repair` was told.
    pub fn record_skipped(&self, revisions: &[&str], detail: &str) -> Vec<Sql> {
        self.record_notes("skip", revisions, detail)
    }

    /// Statements that write down that the version table's schema was reset: nothing is applied.
    pub fn record_reset(&self, detail: &str) -> Vec<Sql> {
        self.record_notes("reset", &[BASE], detail)
    }

    /// Statements that write a line of the journal for each revision.
    fn record_notes(&self, direction: &'static str, revisions: &[&str], detail: &str) -> Vec<Sql> {
        if revisions.is_empty() {
            return Vec::new();
        }
        let lines = sql!(
            "INSERT INTO {ledger}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch, detail) \
             SELECT {key}, line.revision, '{direction}', 'noted', statement_timestamp(), clock_timestamp(), {host}, {backend_start}, {program}, {detail} \
             FROM unnest({revisions}) WITH ORDINALITY line (revision, place) ORDER BY line.place",
            ledger = self.schema,
            key = self.key(),
            direction = Sql::of(direction),
            host = Literal(&host_name()),
            backend_start = Sql::of(BACKEND_START),
            program = PROGRAM,
            detail = Literal(detail),
            revisions = revisions.iter().copied().collect::<TextArray<'_>>(),
        );
        self.secure(None, &["journal"]).into_iter().chain([lines]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;

    fn kept(lines: &[(&str, &str)]) -> HashMap<String, AppliedChecksum> {
        let kept = |below: &str| AppliedChecksum { exact: String::new(), below: below.to_owned(), semantic: String::new() };
        lines.iter().map(|(id, below)| ((*id).to_owned(), kept(below))).collect()
    }

    fn rows(journal: &[&str], recorded: &[(&str, &str)], files: &[&str]) -> Option<String> {
        let line = |line: &&str| {
            let mut words: Vec<Option<String>> = line.split(' ').map(|word| Some(word.to_owned())).collect();
            words.resize(3, None);
            words
        };
        let kept = kept(recorded);
        ProvenRevisions::of(journal.iter().map(line).collect(), &kept).rows(&kept, &graph(files)).map(|rows| rows.join(","))
    }

    const CHAIN: [(&str, &str); 3] = [("1", ""), ("2", "1"), ("3", "2")];

    #[test]
    fn the_last_word_on_each_revision_counts() {
        let up = ["1 upgrade", "2 upgrade"];
        assert_eq!(rows(&up, &CHAIN, &["1", "2"]).as_deref(), Some("2"));
        assert_eq!(rows(&["1 upgrade", "2 downgrade"], &CHAIN, &["1"]).as_deref(), Some("1"));
        assert_eq!(rows(&["2 downgrade", "1 downgrade"], &CHAIN, &["1", "2"]), None);
        assert_eq!(rows(&["base stamp"], &CHAIN, &["1", "2"]), None);
        assert_eq!(rows(&["base reset", "1 upgrade"], &CHAIN, &["1", "2"]).as_deref(), Some("1"));
        assert_eq!(rows(&["2 stamp", "1 assume", "2 assume"], &[], &["1", "2"]).as_deref(), Some("2"));
        assert_eq!(rows(&["3 upgrade", "2 skip", "1 upgrade"], &CHAIN, &["1", "2", "3"]).as_deref(), Some("1,3"));
        assert_eq!(rows(&[], &[], &["1"]), None);
    }

    #[test]
    fn what_is_above_an_undone_revision_is_undone() {
        // Another tool undid 3.
        assert_eq!(rows(&["1 upgrade", "3 upgrade", "2 downgrade"], &CHAIN, &["1", "2", "3"]).as_deref(), Some("1"));
    }

    #[test]
    fn a_downgrade_below_all_that_is_recorded_tells_base_from_more() {
        // 3 was the first that pgmarch undid, of a chain that another tool had applied.
        assert_eq!(rows(&["3 downgrade abc"], &[], &["1", "2", "3"]).as_deref(), Some("2"));
        assert_eq!(rows(&["3 downgrade abc"], &[], &["1"]).as_deref(), Some(""), "nothing tells what");
        assert_eq!(rows(&["1 downgrade"], &[], &["1"]), None);
        let nothing = AppliedDigest::of(&graph(&["1"]), &[]).to_string();
        assert_eq!(rows(&["9 upgrade", &format!("3 downgrade {nothing}")], &[], &["1"]), None);
    }

    #[test]
    fn revisions_without_a_journal_were_applied_once() {
        assert_eq!(rows(&[], &CHAIN, &["1"]).as_deref(), Some("3"));
    }
}
