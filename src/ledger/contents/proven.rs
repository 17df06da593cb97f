//! Which revisions the journal proves to be applied, by the last event that it has about each.

use std::collections::{BTreeSet, HashMap};

use super::checksum::AppliedChecksum;
use super::journal::BASE;
use crate::ledger::handle::Ledger;
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::graph::Graph;
use crate::session::StatementResult;
use crate::sql;
use crate::sql::Sql;

/// The last event that the journal has about a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastEvent {
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

/// The last event of each revision of one version table.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProvenRevisions {
    events: HashMap<String, LastEvent>,
    /// Whether the journal has any event of this version table.
    has_events: bool,
    /// The revision of the last downgrade, if nothing else is known to be applied and that downgrade did not reach base.
    above_unknown: Option<String>,
}

impl ProvenRevisions {
    /// From the answers to [`Ledger::proof_queries`], with the checksums.
    pub(in crate::ledger) fn from_answers(answers: &mut impl Iterator<Item = StatementResult>) -> (Self, HashMap<String, AppliedChecksum>) {
        let checksums = answers.next().unwrap_or_default().into_iter().filter_map(AppliedChecksum::from_row).collect();
        let proven = Self::from_rows(answers.next().unwrap_or_default(), &checksums);
        (proven, checksums)
    }

    /// From the rows of `proven.sql`.
    pub(super) fn from_rows(rows: StatementResult, checksums: &HashMap<String, AppliedChecksum>) -> Self {
        let mut proven = Self::default();
        for row in rows {
            let Ok([Some(revision), Some(direction), seal]) = <[Option<String>; 3]>::try_from(row) else { continue };
            proven.has_events = true;
            let event = match direction.as_str() {
                "stamp" if revision != BASE => LastEvent::Stamped,
                "assume" => LastEvent::Assumed,
                "skip" => LastEvent::Skipped,
                "upgrade" => LastEvent::Applied,
                "downgrade" => LastEvent::Undone,
                // A stamp of base, or a reset: nothing before it counts.
                _ => continue,
            };
            proven.above_unknown = None;
            if event == LastEvent::Undone {
                proven.undo(revision, seal.as_deref(), checksums);
            } else {
                proven.events.insert(revision, event);
            }
        }
        proven
    }

    /// A revision was undone, so nothing above it is applied either: another tool may have undone that before.
    fn undo(&mut self, revision: String, seal: Option<&str>, checksums: &HashMap<String, AppliedChecksum>) {
        let mut open = vec![revision.clone()];
        let mut undone = BTreeSet::new();
        while let Some(next) = open.pop() {
            let is_above = |id: &&String| checksums.get(*id).is_some_and(|checksum| checksum.applied_on.contains(&next));
            open.extend(self.events.keys().filter(is_above).filter(|id| !undone.contains(*id)).cloned().collect::<Vec<_>>());
            undone.insert(next);
        }
        let is_base = seal.is_some_and(AppliedDigest::is_of_base);
        for (id, event) in &mut self.events {
            if event.is_applied() && (is_base || undone.contains(id)) {
                *event = LastEvent::Undone;
            }
        }
        self.events.insert(revision.clone(), LastEvent::Undone);
        if !is_base && !self.events.values().any(|event| event.is_applied()) {
            self.above_unknown = Some(revision);
        }
    }

    /// The last event of a revision.
    pub(crate) fn last_event(&self, revision: &Id) -> Option<LastEvent> {
        self.events.get(revision.as_str()).copied()
    }

    /// Whether it proves that a revision is applied.
    pub(crate) fn is_applied(&self, revision: &Id) -> bool {
        self.last_event(revision).is_some_and(LastEvent::is_applied)
    }

    /// Whether the journal proves that no revision is applied.
    pub(crate) fn is_base(&self, checksums: &HashMap<String, AppliedChecksum>, graph: &Graph) -> bool {
        self.has_events && self.version_rows(checksums, graph).is_none()
    }

    /// Whether the journal has no event at all.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_events
    }

    /// The version rows that the journal leads to: applied revisions that no other applied revision depends on. `None` if no
    /// revision is applied; empty if some are, and it is unknown which.
    pub(crate) fn version_rows(&self, checksums: &HashMap<String, AppliedChecksum>, graph: &Graph) -> Option<Vec<String>> {
        let below_in_files = |id: &str| -> Option<Vec<String>> {
            graph.node(id).map(|node| graph.prerequisites(node).iter().map(|below| graph.id(*below).to_string()).collect())
        };
        let below = |id: &str| -> Option<Vec<String>> {
            checksums.get(id).map(|checksum| checksum.applied_on.clone()).or_else(|| below_in_files(id))
        };
        if let Some(undone) = &self.above_unknown {
            return match below(undone) {
                Some(below) if below.is_empty() => None,
                below => Some(below.unwrap_or_default()),
            };
        }
        // Revisions in the ledger without any event: the journal was truncated.
        let applied: BTreeSet<&str> = if self.has_events {
            self.events.iter().filter(|(_, event)| event.is_applied()).map(|(id, _)| id.as_str()).collect()
        } else {
            checksums.keys().map(String::as_str).collect()
        };
        let covered: BTreeSet<String> = applied.iter().flat_map(|id| below(id).unwrap_or_default()).collect();
        let rows: Vec<String> = applied.iter().filter(|id| !covered.contains(**id)).map(|id| (*id).to_owned()).collect();
        (!applied.is_empty()).then_some(rows)
    }
}

impl Ledger {
    /// A query for the rows of [`ProvenRevisions::from_rows`].
    pub(super) fn proven_query(&self) -> Sql {
        sql!(include_str!("proven.sql"), ledger = self.schema, key = self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;

    fn checksums(lines: &[(&str, &str)]) -> HashMap<String, AppliedChecksum> {
        let row = |(id, below): &(&str, &str)| vec![Some((*id).to_owned()), Some(String::new()), Some((*below).to_owned()), None];
        lines.iter().map(row).filter_map(AppliedChecksum::from_row).collect()
    }

    fn rows(journal: &[&str], recorded: &[(&str, &str)], files: &[&str]) -> Option<String> {
        let line = |line: &&str| {
            let mut words: Vec<Option<String>> = line.split(' ').map(|word| Some(word.to_owned())).collect();
            words.resize(3, None);
            words
        };
        let checksums = checksums(recorded);
        ProvenRevisions::from_rows(journal.iter().map(line).collect(), &checksums)
            .version_rows(&checksums, &graph(files))
            .map(|rows| rows.join(","))
    }

    const CHAIN: [(&str, &str); 3] = [("1", ""), ("2", "1"), ("3", "2")];

    #[test]
    fn the_last_event_of_each_revision_counts() {
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
    fn a_downgrade_below_all_recorded_revisions_distinguishes_base() {
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
