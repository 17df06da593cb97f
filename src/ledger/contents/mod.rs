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
pub(crate) use journal::JournalEntry;
pub(crate) use journal::{BASE, parse_numeric};
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

impl LedgerContents {
    /// From the first answers to [`Ledger::contents_queries`].
    pub(super) fn from_answers(answers: &mut impl Iterator<Item = StatementResult>) -> Result<Self, ReadError> {
        let checksums = answers.next().unwrap_or_default().into_iter().filter_map(AppliedChecksum::from_row).collect();
        let unfinished = answers.next().unwrap_or_default().into_iter().map(UnfinishedRevision::from_row).collect::<Option<_>>();
        let unfinished = unfinished.ok_or(ReadError::Unexpected("unfinished revisions"))?;
        let proven = ProvenRevisions::from_rows(answers.next().unwrap_or_default(), &checksums);
        Ok(Self { checksums, proven, unfinished })
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
        let reading = self.reading(&["revision", "journal"], self.contents_queries().into_iter().chain(obstacles));
        let mut answers = self.ask(session, &reading).await?.into_iter();
        let contents = LedgerContents::from_answers(&mut answers)?;
        self.refuse_obstacles(answers)?;
        Ok(contents)
    }

    fn contents_queries(&self) -> [Sql; 3] {
        let unfinished = sql!(include_str!("unfinished.sql"), ledger = self.schema, key = self.key());
        [self.checksums_query(), unfinished, self.proven_query()]
    }

    /// Queries for what proves which revisions are applied: [`ProvenRevisions::from_answers`].
    pub(super) fn proof_queries(&self) -> [Sql; 2] {
        [self.checksums_query(), self.proven_query()]
    }

    /// The schemas of the other version tables that share this ledger and exist: their revisions create objects there.
    pub(crate) async fn schemas_of_others(&self, session: &Session) -> Result<Vec<String>, ReadError> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let query = sql!(include_str!("others.sql"), ledger = self.schema, key = self.key());
        let answers = session.run(&self.reading(&["revision"], [query])).await?;
        Ok(answers.into_iter().flatten().flatten().flatten().collect())
    }
}
