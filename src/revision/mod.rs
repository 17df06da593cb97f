//! Revisions: migration files and their ids. No module here knows a database.
//!
//! - [`Revision`]: one revision as plain data.
//! - `format`: pgmarch's own file format, read and written.
//! - `folder`: a folder's files, read and hashed.
//! - `graph`: revisions joined by `revises` and `depends-on`.
//! - `name`: the names that users type for revisions.
//! - `statement`: SQL text as tokens and statements.
//! - `id`, `next_id`: ids, and the id of the next revision.
//! - `line`, `checksum`, `applied_digest`: places in a text, checksums of one, and the digest of all applied revisions.
//! - `fault`: what can be wrong with revisions.

pub(crate) mod applied_digest;
pub mod checksum;
pub mod fault;
pub(crate) mod folder;
pub mod format;
pub mod graph;
pub(crate) mod id;
pub(crate) mod line;
pub mod name;
pub(crate) mod next_id;
pub mod statement;

use std::ops::Range;
use std::path::PathBuf;

use checksum::{TextDigest, semantic_checksum};
pub use fault::{Fault, FileProblem};
pub use id::{Id, join_ids};
pub use line::LineColumn;
pub use statement::RefusedStatement;

use crate::shared_text::SharedText;

/// Whether `up` or `down` sections run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `upgrade`.
    Up,
    /// `downgrade`.
    Down,
}

impl Direction {
    /// The verb of this direction, as the journal has it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Up => "upgrade",
            Self::Down => "downgrade",
        }
    }
}

/// How a section is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionMode {
    /// In one transaction together with its rows in the version table and the ledger (the default).
    Transaction,
    /// Statement by statement: `transaction:false`.
    Stepwise,
}

/// The `up` or `down` section of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The byte range of its SQL in [`Revision::text`].
    pub range: Range<usize>,
    /// How it is run.
    pub mode: SectionMode,
    /// Whether it has no statement: then there is nothing to do.
    pub is_empty: bool,
    /// Whether `BEGIN` and `COMMIT` around it are ignored. They are outside of `range`.
    pub has_outer_transaction: bool,
    /// Words of its marker that are no option of pgmarch's, each with its byte in [`Revision::text`].
    pub unknown_options: Vec<(usize, String)>,
    /// The statements that can't run in a transaction, if it runs in one.
    pub refused: Vec<RefusedStatement>,
}

impl Section {
    /// A section without anything special.
    pub(crate) fn new(range: Range<usize>, mode: SectionMode) -> Self {
        Self { range, mode, is_empty: false, has_outer_transaction: false, unknown_options: Vec::new(), refused: Vec::new() }
    }
}

/// One revision: a migration file, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its id in the graph and in the version table.
    pub id: Id,
    /// Its parents (Alembic's `down_revision`). None: it starts a branch. Several: it is a merge.
    pub parents: Vec<Id>,
    /// Revisions that must be applied first without being parents (Alembic's `depends_on`).
    pub depends_on: Vec<Id>,
    /// Its branch label, usable in a target: `billing@head`.
    pub branch: Option<String>,
    /// A description in one line.
    pub message: String,
    /// When it was written, as its header says.
    pub created: Option<String>,
    /// Whether an application of an earlier release can't run on this schema.
    pub breaking: bool,
    /// Whether there is deliberately no `down` section.
    pub irreversible: bool,
    /// The `up` section.
    pub up: Section,
    /// The `down` section; `None`: irreversible.
    pub down: Option<Section>,
    /// The file that it was read from.
    pub path: PathBuf,
    /// The digest of the whole text; line ends make no difference.
    pub exact: TextDigest,
    /// The text of the whole file, without a byte order mark. It is what is executed and what the ledger records. Of a revision of
    /// the ledger without a file it is empty, unless it is needed.
    pub text: SharedText,
    /// The same with blanks instead of the lines that only psql needs, if there are any between statements: what is executed then.
    pub(crate) blanked: Option<SharedText>,
}

impl Revision {
    /// Whether its text was read.
    pub fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// The SQL of a section of this revision.
    pub fn sql(&self, section: &Section) -> &str {
        &self.executed_text()[section.range.clone()]
    }

    /// The text of the whole file as it is executed: without the lines that only psql needs.
    pub(crate) fn executed_text(&self) -> &SharedText {
        self.blanked.as_ref().unwrap_or(&self.text)
    }

    /// All revisions that must be applied before this one: parents and dependencies.
    pub fn prerequisites(&self) -> impl Iterator<Item = &Id> {
        self.parents.iter().chain(&self.depends_on)
    }

    /// The checksum of the whole text; line ends make no difference.
    pub fn exact_checksum(&self) -> String {
        self.exact.to_string()
    }

    /// The checksum of the tokens of a section; comments and white space make no difference.
    pub fn semantic_checksum(&self, section: &Section) -> String {
        semantic_checksum(self.sql(section))
    }

    /// The file's name, without its folder.
    pub fn file_name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
    }
}

/// A revision as a parser of any format returns it.
#[derive(Debug)]
pub struct ParsedRevision {
    /// The revision. If its file does not name its parents, it has none yet: the graph sets them.
    pub revision: Revision,
    /// Whether its file names its parents (the `revises` header).
    pub has_revises: bool,
}
