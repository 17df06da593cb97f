//! What the ledger kept: revisions as they were run, and the journal of what was done to them.

use std::path::Path;

use crate::connect::{Answer, Failure, Session};
use crate::ledger::Ledger;
use crate::ledger::write::id;
use crate::revision::format::marker::TextOrigin;
use crate::revision::format::parse_as;
use crate::revision::{Id, Revision, Section, SectionMode};
use crate::sql;
use crate::sql::TextArray;

/// What every run must know of a revision in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedChecksum {
    /// Exact checksum.
    pub exact: String,
    /// Parents and dependencies it was applied on, comma separated.
    pub below: String,
    /// Semantic checksum of its `up` section, as the program that applied it read it.
    pub semantic: String,
}

impl AppliedChecksum {
    /// The ids of what it was applied on.
    pub fn below(&self) -> impl Iterator<Item = &str> {
        self.below.split(',').filter(|id| !id.is_empty())
    }
}

/// A revision as the ledger has it, whether or not there is a file for it here.
#[derive(Clone, Debug)]
pub struct AppliedRevision {
    /// Its id.
    pub id: Id,
    /// The name of the file it came from.
    pub file: String,
    /// Its parents when it was applied.
    pub parents: Vec<Id>,
    /// Its dependencies when it was applied.
    pub depends_on: Vec<Id>,
    /// Its message.
    pub message: String,
    /// Whether it was marked breaking.
    pub breaking: bool,
    /// Semantic checksum of its way up.
    pub semantic: String,
    /// Its whole text.
    pub text: String,
}

impl AppliedRevision {
    /// The revision itself, its parents as recorded. Of a text that this version can't read, only the place in the
    /// graph is left: enough to know that the database is ahead, not to undo it.
    pub fn revision(&self) -> Revision {
        let path = Path::new("ledger").join(&self.file);
        let (parents, depends_on) = (self.parents.clone(), self.depends_on.clone());
        match parse_as(TextOrigin::Ledger, &path, self.text.clone().into_bytes()) {
            Ok(parsed) => Revision { id: self.id.clone(), parents, depends_on, ..parsed.revision },
            Err(_) => Revision {
                id: self.id.clone(),
                parents,
                depends_on,
                branch: None,
                message: self.message.clone(),
                created: None,
                breaking: self.breaking,
                up: Section { range: 0..0, mode: SectionMode::Transaction },
                down: None,
                path,
                text: self.text.clone(),
            },
        }
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct JournalEntry {
    /// `upgrade`, `downgrade`, `stamp`, `repair`; `assume`: applied by another tool, or below what was stamped; `skip`: never
    /// applied, as `repair` accepted; `reset`: the schema was dropped and created again.
    pub direction: String,
    /// `done`, `failed`, `started` or `noted`.
    pub outcome: String,
    /// When it began, in UTC.
    pub started: Option<String>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// The role.
    pub role: Option<String>,
    /// The host that pgmarch ran on.
    pub host: Option<String>,
    /// The version of pgmarch.
    pub pgmarch: Option<String>,
    /// More, such as what failed.
    pub detail: Option<String>,
}

impl Ledger {
    /// What the ledger has of these revisions.
    pub async fn applied_revisions(&self, session: &Session, revisions: &[&str]) -> Result<Vec<AppliedRevision>, Failure> {
        if !self.has_ledger || revisions.is_empty() {
            return Ok(Vec::new());
        }
        let query = sql!(
            "SELECT revision, file, array_to_string(parents, ','), array_to_string(depends_on, ','), message, breaking, semantic, text \
             FROM {ledger}.revision WHERE version_table = {key} AND revision = ANY ({revisions})",
            ledger = self.schema,
            key = self.key(),
            revisions = revisions.iter().copied().collect::<TextArray<'_>>()
        );
        let rows = session.ask(&self.reading(&["revision"], [query])).await?.into_iter().next().unwrap_or_default();
        Ok(rows.into_iter().filter_map(recorded).collect())
    }

    /// The journal of one revision, oldest first.
    pub async fn read_journal(&self, session: &Session, revision: &Id) -> Result<Vec<JournalEntry>, Failure> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let query = sql!(
            "SELECT direction, outcome, to_char(started AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM finished - started), \
             role, client_host, pgmarch, detail FROM {ledger}.journal WHERE version_table = {key} AND revision = {revision} ORDER BY id",
            ledger = self.schema,
            key = self.key(),
            revision = id(revision)
        );
        let rows: Answer = session.ask(&self.reading(&["journal"], [query])).await?.into_iter().next().unwrap_or_default();
        let entry = |row: Vec<Option<String>>| {
            let [direction, outcome, started, seconds, role, host, pgmarch, detail] = <[Option<String>; 8]>::try_from(row).ok()?;
            let seconds = seconds.and_then(|seconds| decimal(&seconds));
            let (direction, outcome) = (direction.unwrap_or_default(), outcome.unwrap_or_default());
            Some(JournalEntry { direction, outcome, started, seconds, role, host, pgmarch, detail })
        };
        Ok(rows.into_iter().filter_map(entry).collect())
    }
}

/// A number with a fraction, as the server prints it. serde_json, which is here for other things, reads it too; the tables
/// of `f64::from_str` are 15 kB.
pub fn decimal(text: &str) -> Option<f64> {
    serde_json::from_str(text).ok()
}

fn recorded(row: Vec<Option<String>>) -> Option<AppliedRevision> {
    let [revision, file, parents, depends_on, message, breaking, semantic, text] = <[Option<String>; 8]>::try_from(row).ok()?;
    let ids = |text: Option<String>| -> Vec<Id> { text.unwrap_or_default().split(',').filter_map(|id| Id::parse(id).ok()).collect() };
    Some(AppliedRevision {
        id: Id::parse(&revision?).ok()?,
        file: file.unwrap_or_default(),
        parents: ids(parents),
        depends_on: ids(depends_on),
        message: message.unwrap_or_default(),
        breaking: breaking.as_deref() == Some("t"),
        semantic: semantic.unwrap_or_default(),
        text: text.unwrap_or_default(),
    })
}
