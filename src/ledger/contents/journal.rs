//! The journal: one row for each run of a revision, append-only.

use std::collections::HashMap;

use crate::ledger::error::ReadError;
use crate::ledger::handle::Ledger;
use crate::revision::Id;
use crate::session::Session;
use crate::sql;
use crate::sql::Literal;

/// The column `revision` of a stamp that leaves no version row, and of a reset.
pub(crate) const BASE: &str = "base";

/// A row of the journal.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct JournalEntry {
    /// `upgrade`, `downgrade`, `stamp`, `repair`; `assume`: applied by another tool, or below what was stamped; `skip`: never
    /// applied, as `repair` accepted; `reset`: the schema was dropped and created again.
    pub(crate) direction: String,
    /// `done`, `failed`, `started` or `noted`.
    pub(crate) outcome: String,
    /// When it began, in UTC.
    pub(crate) started: Option<String>,
    /// How long it took, in seconds.
    pub(crate) seconds: Option<f64>,
    /// The role.
    pub(crate) role: Option<String>,
    /// The host that pgmarch ran on.
    pub(crate) host: Option<String>,
    /// The version of pgmarch.
    pub(crate) pgmarch: Option<String>,
    /// Details, such as what failed.
    pub(crate) detail: Option<String>,
}

/// The last upgrade to a revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastUpgrade {
    /// When it was done, in UTC.
    pub(crate) finished: Option<String>,
    /// How long it took, in seconds.
    pub(crate) seconds: Option<f64>,
}

impl Ledger {
    /// The last upgrade to each revision, by its id.
    pub(crate) async fn last_upgrades(&self, session: &Session) -> Result<HashMap<String, LastUpgrade>, ReadError> {
        let mut found = HashMap::new();
        if !self.has_ledger {
            return Ok(found);
        }
        let query = sql!(
            "SELECT DISTINCT ON (revision) revision, to_char(finished AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM finished - started) \
             FROM {ledger}.journal WHERE version_table = {key} AND direction = 'upgrade' AND outcome = 'done' ORDER BY revision, id DESC",
            ledger = self.schema,
            key = self.key()
        );
        let take = |_, row: &[Option<&str>]| {
            if let [Some(revision), finished, seconds] = row {
                let upgrade = LastUpgrade { finished: finished.map(str::to_owned), seconds: seconds.and_then(parse_numeric) };
                found.insert((*revision).to_owned(), upgrade);
            }
        };
        self.ask_rows(session, &self.reading(&["journal"], [query]), take).await?;
        Ok(found)
    }

    /// The journal of one revision, oldest first.
    pub(crate) async fn read_journal(&self, session: &Session, revision: &Id) -> Result<Vec<JournalEntry>, ReadError> {
        let mut entries = Vec::new();
        if !self.has_ledger {
            return Ok(entries);
        }
        let query = sql!(
            "SELECT direction, outcome, to_char(started AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM finished - started), \
             role, client_host, pgmarch, detail FROM {ledger}.journal WHERE version_table = {key} AND revision = {revision} ORDER BY id",
            ledger = self.schema,
            key = self.key(),
            revision = Literal(revision.as_str())
        );
        let entry = |row: &[Option<&str>]| {
            let [direction, outcome, started, seconds, role, host, pgmarch, detail] =
                <&[Option<&str>; 8]>::try_from(row).ok()?.map(|value| value.map(str::to_owned));
            let seconds = seconds.and_then(|seconds| parse_numeric(&seconds));
            let (direction, outcome) = (direction.unwrap_or_default(), outcome.unwrap_or_default());
            Some(JournalEntry { direction, outcome, started, seconds, role, host, pgmarch, detail })
        };
        self.ask_rows(session, &self.reading(&["journal"], [query]), |_, row| entries.extend(entry(row))).await?;
        Ok(entries)
    }
}

/// Parses a `numeric`, as the server prints it; `NaN` and `Infinity` are no durations.
pub(crate) fn parse_numeric(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
