//! Revisions as they were applied: what they were applied on, and their texts.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::ledger::error::ReadError;
use crate::ledger::handle::Ledger;
use crate::revision::checksum::TextDigest;
use crate::revision::format::marker::TextOrigin;
use crate::revision::format::parse_text;
use crate::revision::{Id, Revision, Section, SectionMode};
use crate::session::Session;
use crate::shared_text::SharedText;
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
    /// Its branch label.
    pub(crate) branch: Option<String>,
    /// Its message.
    pub(crate) message: String,
    /// When it was written, as its header says.
    pub(crate) created: Option<String>,
    /// Whether it was marked breaking.
    pub(crate) breaking: bool,
    /// Exact checksum.
    pub(crate) exact: String,
    /// Semantic checksum of its `up` section.
    pub(crate) semantic: String,
    /// Its whole text, if it was read: it may be large.
    pub(crate) text: Option<SharedText>,
}

impl AppliedRevision {
    /// The revision with its recorded parents. Of a text that was not read, or that this version can't read, only the headers
    /// remain: enough to know that the database is ahead, not to downgrade it.
    pub(crate) fn to_revision(&self) -> Revision {
        let path = Path::new("ledger").join(&self.file);
        let (id, parents, depends_on) = (self.id.clone(), self.parents.clone(), self.depends_on.clone());
        let parsed = self.text.clone().and_then(|text| parse_text(TextOrigin::Ledger, &path, text).ok());
        match parsed {
            Some(parsed) => Revision { id, parents, depends_on, ..parsed.revision },
            None => Revision {
                id,
                parents,
                depends_on,
                branch: self.branch.clone(),
                message: self.message.clone(),
                created: self.created.clone(),
                breaking: self.breaking,
                irreversible: false,
                up: Section::new(0..0, SectionMode::Transaction),
                down: None,
                path,
                exact: TextDigest::parse(&self.exact).unwrap_or_else(|| TextDigest::of(self.text.as_deref().unwrap_or_default())),
                text: self.text.clone().unwrap_or_default(),
                blanked: None,
            },
        }
    }

    fn from_row(row: &[Option<&str>]) -> Option<Self> {
        let [revision, file, parents, depends_on, branch, message, created, breaking, exact, semantic] =
            *<&[Option<&str>; 10]>::try_from(row).ok()?;
        let ids = |text: Option<&str>| -> Vec<Id> { text.unwrap_or_default().split(',').filter_map(|id| Id::parse(id).ok()).collect() };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some(Self {
            id: Id::parse(revision?).ok()?,
            file: text(file),
            parents: ids(parents),
            depends_on: ids(depends_on),
            branch: branch.map(str::to_owned),
            message: text(message),
            created: created.map(str::to_owned),
            breaking: breaking == Some("t"),
            exact: text(exact),
            semantic: text(semantic),
            text: None,
        })
    }
}

/// How many bytes of a text are read at once.
const PART: usize = 256 << 10;

impl Ledger {
    /// What the ledger has of these revisions, without their texts.
    pub(crate) async fn applied_revisions(&self, session: &Session, revisions: &[&str]) -> Result<Vec<AppliedRevision>, ReadError> {
        let mut found = Vec::new();
        if !self.has_ledger || revisions.is_empty() {
            return Ok(found);
        }
        // Not `= ANY (array)`, which PostgreSQL 13 compares with each row one by one.
        let query = sql!(
            "SELECT revision, file, array_to_string(parents, ','), array_to_string(depends_on, ','), branch, message, created, breaking, exact, semantic \
             FROM {ledger}.revision WHERE version_table = {key} AND revision IN (SELECT unnest({revisions}))",
            ledger = self.schema,
            key = self.key(),
            revisions = revisions.iter().copied().collect::<TextArray<'_>>()
        );
        self.ask_rows(session, &self.reading(&["revision"], [query]), |_, row| found.extend(AppliedRevision::from_row(row))).await?;
        Ok(found)
    }

    /// The same with their texts. Each is passed to `take` before the next one is read, so that one text is in memory at a time.
    pub(crate) async fn applied_texts(
        &self,
        session: &Session,
        revisions: &[&str],
        mut take: impl FnMut(AppliedRevision),
    ) -> Result<(), ReadError> {
        let found = self.applied_revisions(session, revisions).await?;
        let ids: HashSet<String> = found.iter().map(|found| found.id.to_string()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut found: HashMap<String, AppliedRevision> = found.into_iter().map(|found| (found.id.to_string(), found)).collect();
        // The texts of revisions in parts, those of one revision one after the other: a text may be larger than an answer should
        // be. It is taken apart as bytes, as characters would be counted from its beginning for each part; OFFSET 0 keeps it
        // from being read again for each part, and the parts of one revision together.
        let query = sql!(
            include_str!("texts.sql"),
            ledger = self.schema,
            key = self.key(),
            revisions = ids.iter().map(String::as_str).collect::<TextArray<'_>>(),
            size = PART,
        );
        let mut bytes = Vec::new();
        let mut is_complete = true;
        self.ask_rows(session, &self.reading(&["revision"], [query]), |_, row| {
            let done = TextRow::parse(row).and_then(|row| row.append_to(&mut bytes));
            match done {
                Some((revision, true)) => match (String::from_utf8(std::mem::take(&mut bytes)), found.remove(revision)) {
                    (Ok(text), Some(applied)) => take(AppliedRevision { text: Some(text.into()), ..applied }),
                    _ => is_complete = false,
                },
                Some((_, false)) => {}
                None => is_complete = false,
            }
        })
        .await?;
        if is_complete { Ok(()) } else { Err(ReadError::Unexpected("the text of a revision")) }
    }

    /// One of them.
    pub(crate) async fn applied_text(&self, session: &Session, revision: &str) -> Result<Option<AppliedRevision>, ReadError> {
        let mut found = None;
        self.applied_texts(session, &[revision], |applied| found = Some(applied)).await?;
        Ok(found)
    }
}

/// A row of `texts.sql`: a part of a text.
struct TextRow<'r> {
    revision: &'r str,
    /// The length of the whole text, in bytes.
    length: usize,
    /// Where the part begins.
    start: usize,
    /// The part: bytes above 127 as `\\ooo`, and `\\` as `\\\\`.
    part: &'r str,
}

impl<'r> TextRow<'r> {
    fn parse(row: &[Option<&'r str>]) -> Option<Self> {
        let [Some(revision), Some(length), Some(start), Some(part)] = *row else { return None };
        Some(Self { revision, length: length.parse().ok()?, start: start.parse().ok()?, part })
    }

    /// Appends the part to those before it; returns the revision, and whether its text is complete now.
    fn append_to(&self, bytes: &mut Vec<u8>) -> Option<(&'r str, bool)> {
        if self.start != bytes.len() {
            return None;
        }
        if bytes.is_empty() {
            bytes.reserve_exact(self.length);
        }
        let mut rest = self.part;
        while let Some((plain, escaped)) = rest.split_once('\\') {
            bytes.extend_from_slice(plain.as_bytes());
            let length = if escaped.starts_with('\\') { 1 } else { 3 };
            let (digits, behind) = escaped.split_at_checked(length)?;
            bytes.push(if length == 1 { b'\\' } else { u8::from_str_radix(digits, 8).ok()? });
            rest = behind;
        }
        bytes.extend_from_slice(rest.as_bytes());
        Some((self.revision, bytes.len() == self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_put_together() {
        let mut bytes = Vec::new();
        let mut append = |start: &str, part: &str| {
            let row = [Some("1"), Some("8"), Some(start), Some(part)];
            TextRow::parse(&row).and_then(|row| row.append_to(&mut bytes)).map(|(_, is_complete)| is_complete)
        };
        assert_eq!(append("0", "a\\\\b\\303"), Some(false));
        assert_eq!(append("5", "gap"), None);
        assert_eq!(append("4", "\\244\n'\\\\"), Some(true));
        assert_eq!(append("8", "\\30"), None);
        assert_eq!(String::from_utf8(bytes).as_deref(), Ok("a\\bä\n'\\"));
    }
}
