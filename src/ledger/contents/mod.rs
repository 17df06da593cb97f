//! What the ledger has: the texts of applied revisions, and the journal of what was done.
//!
//! # Layout
//!
//! - [`LedgerContents`], in this file: what one query reads of both tables.
//! - [`checksum`]: what every run compares with the files.
//! - [`proven`]: which revisions the journal proves to be applied.
//! - [`unfinished`]: `transaction:false` revisions that were begun and not finished.
//! - [`applied`]: whole revisions as they were applied.
//! - [`journal`]: the journal of one revision.

mod applied;
mod checksum;
mod journal;
mod proven;
mod unfinished;

use std::collections::HashMap;

use super::access::Access;
use super::error::ReadError;
use super::handle::Ledger;
use crate::session::{Session, StatementResult};
use crate::sql;
use crate::sql::Sql;

pub(crate) use applied::AppliedRevision;
pub(crate) use checksum::AppliedChecksum;
pub(crate) use journal::{BASE, parse_numeric};
pub(crate) use journal::{JournalEntry, LastUpgrade};
use proven::EventRows;
pub(crate) use proven::{LastEvent, ProvenRevisions};
pub(crate) use unfinished::{Stage, StatementNote, UnfinishedRevision};

/// What the ledger has about one version table; nothing if there is no ledger.
#[derive(Debug, Default)]
pub(crate) struct LedgerContents {
    /// The checksums of each revision that was ever applied, by its id.
    pub(crate) checksums: HashMap<String, AppliedChecksum>,
    /// Which revisions the journal proves to be applied.
    pub(crate) proven: ProvenRevisions,
    /// `transaction:false` revisions that were begun and not finished.
    pub(crate) unfinished: Vec<UnfinishedRevision>,
}

/// The answers to [`Ledger::proof_queries`], row by row: there may be a hundred thousand revisions.
#[derive(Debug, Default)]
pub(in crate::ledger) struct ProofRows {
    /// The checksums of each revision that was ever applied, by its id.
    checksums: HashMap<String, AppliedChecksum>,
    events: EventRows,
}

impl ProofRows {
    /// A row of the first query.
    pub(in crate::ledger) fn push_checksum(&mut self, row: &[Option<&str>]) {
        self.checksums.extend(AppliedChecksum::from_row(row));
    }

    /// A row of the second query.
    pub(in crate::ledger) fn push_event(&mut self, row: &[Option<&str>]) {
        self.events.push(row);
    }

    /// What they prove, and the checksums.
    pub(in crate::ledger) fn prove(self) -> (ProvenRevisions, HashMap<String, AppliedChecksum>) {
        (self.events.prove(&self.checksums), self.checksums)
    }
}

impl Ledger {
    /// Reads all of it, in one message; nothing is asked if there is no ledger. For [`Access::Write`] it fails if this program may
    /// not write to the ledger.
    pub(super) async fn read_contents(&self, session: &Session) -> Result<LedgerContents, ReadError> {
        if !self.has_ledger {
            return Ok(LedgerContents::default());
        }
        let obstacles = if self.trust.access == Access::Write { self.obstacles() } else { Vec::new() };
        let mut obstacle_answers = vec![StatementResult::new(); obstacles.len()];
        let unfinished_query = sql!(include_str!("unfinished.sql"), ledger = self.schema, key = self.key());
        let [checksums, proven] = self.proof_queries();
        let reading = self.reading(&["revision", "journal"], [checksums, unfinished_query, proven].into_iter().chain(obstacles));
        let (mut proof, mut unfinished) = (ProofRows::default(), Vec::new());
        self.ask_rows(session, &reading, |statement, row| match statement {
            0 => proof.push_checksum(row),
            1 => unfinished.push(UnfinishedRevision::from_row(row)),
            2 => proof.push_event(row),
            _ => obstacle_answers[statement - 3].push(row.iter().map(|value| value.map(str::to_owned)).collect()),
        })
        .await?;
        let unfinished = unfinished.into_iter().collect::<Option<_>>().ok_or(ReadError::Unexpected("unfinished revisions"))?;
        self.refuse_obstacles(obstacle_answers)?;
        let (proven, checksums) = proof.prove();
        Ok(LedgerContents { checksums, proven, unfinished })
    }

    /// Queries for what proves which revisions are applied: [`ProofRows`].
    pub(super) fn proof_queries(&self) -> [Sql; 2] {
        [self.checksums_query(), self.proven_query()]
    }

    /// The schemas of the other version tables that share this ledger and exist: their revisions create objects there.
    pub(crate) async fn schemas_of_others(&self, session: &Session) -> Result<Vec<String>, ReadError> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        // The schemas of other version tables that share the ledger, those that exist.
        let query = sql!(include_str!("others.sql"), ledger = self.schema, key = self.key());
        let answers = session.run(&self.reading(&["revision"], [query])).await?;
        Ok(answers.into_iter().flatten().flatten().flatten().collect())
    }
}
