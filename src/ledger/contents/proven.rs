//! Which revisions the journal proves to be applied, by the last event that it has about each.

use std::collections::{BTreeSet, HashMap};

use super::checksum::AppliedChecksum;
use super::journal::BASE;
use crate::ledger::handle::Ledger;
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::graph::Graph;
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

/// A row of `proven.sql`: the last event of one revision.
#[derive(Debug)]
struct EventRow {
    revision: String,
    event: LastEvent,
    /// Whether it was a downgrade to base.
    is_base: bool,
}

/// The rows of `proven.sql`, oldest first, as they arrive.
#[derive(Debug, Default)]
pub(in crate::ledger) struct EventRows {
    rows: Vec<EventRow>,
    /// Whether there was any row.
    has_events: bool,
}

impl EventRows {
    /// Takes the next row.
    pub(in crate::ledger) fn push(&mut self, row: &[Option<&str>]) {
        let [Some(revision), Some(direction), seal] = row else { return };
        self.has_events = true;
        let event = match *direction {
            "stamp" if *revision != BASE => LastEvent::Stamped,
            "assume" => LastEvent::Assumed,
            "skip" => LastEvent::Skipped,
            "upgrade" => LastEvent::Applied,
            "downgrade" => LastEvent::Undone,
            // A stamp of base, or a reset: nothing before it counts.
            _ => return,
        };
        let is_base = event == LastEvent::Undone && seal.is_some_and(AppliedDigest::is_of_base);
        self.rows.push(EventRow { revision: (*revision).to_owned(), event, is_base });
    }

    /// What they prove. A revision that was undone proves that nothing above it is applied either, of what happened before: another
    /// tool may have undone that.
    pub(in crate::ledger) fn prove(self, checksums: &HashMap<String, AppliedChecksum>) -> ProvenRevisions {
        let undone_below = self.undone_below(checksums);
        let base = self.rows.iter().rposition(|row| row.is_base);
        let last_undone = self.rows.last().filter(|row| row.event == LastEvent::Undone && !row.is_base).map(|row| row.revision.clone());
        let judge = |(place, row): (usize, EventRow)| {
            let is_undone = row.event.is_applied() && (undone_below[place] > Some(place) || base > Some(place));
            (row.revision, if is_undone { LastEvent::Undone } else { row.event })
        };
        let events: HashMap<String, LastEvent> = self.rows.into_iter().enumerate().map(judge).collect();
        let above_unknown = last_undone.filter(|_| !events.values().any(|event| event.is_applied()));
        ProvenRevisions { events, has_events: self.has_events, above_unknown }
    }

    /// For each row, the place of the last downgrade among the revisions below it.
    fn undone_below(&self, checksums: &HashMap<String, AppliedChecksum>) -> Vec<Option<usize>> {
        let places: HashMap<&str, usize> = self.rows.iter().enumerate().map(|(place, row)| (row.revision.as_str(), place)).collect();
        let below = |place: usize| {
            let checksum = checksums.get(&self.rows[place].revision);
            checksum.into_iter().flat_map(|checksum| &checksum.applied_on).filter_map(|id| places.get(id.as_str()).copied())
        };
        let mut found = vec![None; self.rows.len()];
        let mut is_entered = vec![false; self.rows.len()];
        for start in 0..self.rows.len() {
            // Each revision after those below it, without recursion: a chain may be long.
            let mut open = vec![start];
            while let Some(place) = open.last().copied() {
                let is_first_visit = !std::mem::replace(&mut is_entered[place], true);
                let before = open.len();
                open.extend(below(place).filter(|below| is_first_visit && !is_entered[*below]));
                if open.len() > before {
                    continue;
                }
                open.pop();
                // What happened later than a downgrade stops it: it was applied again.
                let reaching = |below: usize| {
                    let own = (self.rows[below].event == LastEvent::Undone).then_some(below);
                    own.max(found[below].filter(|undone| *undone > below))
                };
                found[place] = below(place).filter_map(reaching).max();
            }
        }
        found
    }
}

impl ProvenRevisions {
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
    /// A query for the rows of [`EventRows`].
    pub(super) fn proven_query(&self) -> Sql {
        // What the journal says last of each revision, oldest first: whether it is applied, and how that is known. A stamp or a
        // reset sets all of it, so nothing before the last of them counts; the lines of one stamp share the time it started at.
        sql!(include_str!("proven.sql"), ledger = self.schema, key = self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;

    fn checksums(lines: &[(&str, &str)]) -> HashMap<String, AppliedChecksum> {
        lines.iter().filter_map(|(id, below)| AppliedChecksum::from_row(&[Some(id), Some(""), Some(below), None])).collect()
    }

    fn rows(journal: &[&str], recorded: &[(&str, &str)], files: &[&str]) -> Option<String> {
        let checksums = checksums(recorded);
        let mut events = EventRows::default();
        for line in journal {
            let mut words: Vec<Option<&str>> = line.split(' ').map(Some).collect();
            words.resize(3, None);
            events.push(&words);
        }
        events.prove(&checksums).version_rows(&checksums, &graph(files)).map(|rows| rows.join(","))
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
    fn a_revision_that_was_applied_again_keeps_what_is_above_it() {
        let four = [("1", ""), ("2", "1"), ("3", "2"), ("4", "3")];
        assert_eq!(rows(&["1 upgrade", "4 upgrade", "2 downgrade", "3 upgrade"], &four, &["1"]).as_deref(), Some("1,4"));
        assert_eq!(rows(&["1 upgrade", "3 upgrade", "4 upgrade", "2 downgrade"], &four, &["1"]).as_deref(), Some("1"));
        // A ledger with a circle, which nothing writes.
        assert_eq!(rows(&["1 upgrade", "2 upgrade"], &[("1", "2"), ("2", "1")], &["1"]).as_deref(), Some(""));
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
