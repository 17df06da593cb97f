//! Revisions as they were applied: their text, and what they were applied on.

use std::path::Path;

use crate::ledger::handle::Ledger;
use crate::revision::format::marker::TextOrigin;
use crate::revision::format::parse_from;
use crate::revision::{Id, Revision, Section, SectionMode};
use crate::session::{Failure, Session};
use crate::sql;
use crate::sql::TextArray;

/// A revision as the ledger has it, whether or not there is a file for it here.
#[derive(Clone, Debug)]
pub(crate) struct AppliedRevision {
    /// Its id.
    pub(crate) id: Id,
    /// The name of the file it came from.
    pub(crate) file: String,
    /// Its parents when it was applied.
    pub(crate) parents: Vec<Id>,
    /// Its dependencies when it was applied.
    pub(crate) depends_on: Vec<Id>,
    /// Its message.
    pub(crate) message: String,
    /// Whether it was marked breaking.
    pub(crate) breaking: bool,
    /// Semantic checksum of its `up` section.
    pub(crate) semantic: String,
    /// Its whole text.
    pub(crate) text: String,
}

impl AppliedRevision {
    /// The revision with its recorded parents. Of a text that this version can't read, only the place in the graph remains:
    /// enough to know that the database is ahead, not to downgrade it.
    pub(crate) fn to_revision(&self) -> Revision {
        let path = Path::new("ledger").join(&self.file);
        let (parents, depends_on) = (self.parents.clone(), self.depends_on.clone());
        match parse_from(TextOrigin::Ledger, &path, self.text.clone().into_bytes()) {
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
                text: self.text.as_str().into(),
            },
        }
    }

    fn from_row(row: Vec<Option<String>>) -> Option<Self> {
        let [revision, file, parents, depends_on, message, breaking, semantic, text] = <[Option<String>; 8]>::try_from(row).ok()?;
        let ids = |text: Option<String>| -> Vec<Id> { text.unwrap_or_default().split(',').filter_map(|id| Id::parse(id).ok()).collect() };
        Some(Self {
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
}

impl Ledger {
    /// What the ledger has of these revisions.
    pub(crate) async fn applied_revisions(&self, session: &Session, revisions: &[&str]) -> Result<Vec<AppliedRevision>, Failure> {
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
        Ok(rows.into_iter().filter_map(AppliedRevision::from_row).collect())
    }
}
