//! Revisions as plain data: what a file says, before any database is asked.

pub mod applied_digest;
pub mod folder;
pub mod format;
pub mod graph;
pub mod line;
pub mod name;
pub mod statement;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use graph::Graph;
use line::{line_start, lines, normalized};
pub use statement::Statement;

/// The longest id that `alembic_version.version_num varchar(32)` holds, in characters.
pub const LONGEST_ID: usize = 32;

/// A revision's id: 1 to 32 letters, digits, `_`, `-` or `.`, so it needs no quoting anywhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// Checks `text` and makes it an id.
    pub fn parse(text: &str) -> Result<Self, FileProblem> {
        let length = text.chars().count();
        if length > LONGEST_ID {
            return Err(FileProblem::LongId { id: text.to_owned(), length });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() || !text.chars().all(allowed) || RESERVED.contains(&text) {
            return Err(FileProblem::BadId(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Words that mean something else where an id may stand.
const RESERVED: [&str; 3] = ["head", "heads", "base"];

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Ids joined for a message: `a, b`; `base` for none.
pub fn join_ids<'a>(ids: impl IntoIterator<Item = &'a Id>) -> String {
    let ids: Vec<&str> = ids.into_iter().map(Id::as_str).collect();
    if ids.is_empty() { "base".to_owned() } else { ids.join(", ") }
}

/// Which sections of revisions run.
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

/// How a section's text is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionMode {
    /// In one transaction with its bookkeeping (the default).
    Transaction,
    /// Statement by statement, each on its own: `transaction:false`.
    Stepwise,
}

/// The part of a revision's text that goes one way, up or down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where its SQL stands in [`Revision::text`], in bytes.
    pub range: Range<usize>,
    /// How it is run.
    pub mode: SectionMode,
}

/// One revision file, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its name in the graph and in the version table.
    pub id: Id,
    /// The revisions it was written on top of; none starts a branch, several make a merge.
    pub parents: Vec<Id>,
    /// Revisions that must be applied first without being parents.
    pub depends_on: Vec<Id>,
    /// A label, usable as a target: `billing@head`.
    pub branch: Option<String>,
    /// One line for people.
    pub message: String,
    /// When it was written, as its author wrote it.
    pub created: Option<String>,
    /// An older program can't run on this schema.
    pub breaking: bool,
    /// The way up.
    pub up: Section,
    /// The way down; `None` is irreversible.
    pub down: Option<Section>,
    /// The file it was read from, for messages.
    pub path: PathBuf,
    /// The file's whole text, byte for byte but a byte order mark: what is executed, and what the ledger keeps.
    pub text: String,
}

impl Revision {
    /// The SQL of a section of this revision.
    pub fn sql(&self, section: &Section) -> &str {
        &self.text[section.range.clone()]
    }

    /// All revisions this one stands on: parents and dependencies.
    pub fn prerequisites(&self) -> impl Iterator<Item = &Id> {
        self.parents.iter().chain(&self.depends_on)
    }

    /// SHA-256 of the whole text, line ends normalised, in hexadecimal.
    pub fn exact_checksum(&self) -> String {
        hex(&Sha256::digest(normalized(&self.text).as_bytes()))
    }

    /// SHA-256 of the tokens of a section: comments and white space don't count.
    pub fn semantic_checksum(&self, section: &Section) -> String {
        statement::semantic_checksum(self.sql(section))
    }

    /// The file's name for messages and for the ledger.
    pub fn file_name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// A line and column of a file, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl LineColumn {
    /// The place of byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let start = line_start(text, before.len());
        Self { line: lines(&text[..start]).count() + 1, column: before[start..].chars().count() + 1 }
    }
}

/// Something wrong with the revisions: which file, where in it, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file or folder.
    pub path: PathBuf,
    /// Where in the file, if the fault has a place.
    pub place: Option<LineColumn>,
    /// What is wrong and what to do.
    pub problem: FileProblem,
}

impl Fault {
    pub(crate) fn at(path: &Path, place: LineColumn, problem: FileProblem) -> Self {
        Self { path: path.to_owned(), place: Some(place), problem }
    }

    pub(crate) fn of(path: &Path, problem: FileProblem) -> Self {
        Self { path: path.to_owned(), place: None, problem }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(LineColumn { line, column }) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

/// All that can be wrong with a folder of revisions.
#[derive(Clone, Debug, Error, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum FileProblem {
    #[error("the folder does not exist; mount the revisions there or set PGMARCH_MIGRATIONS to their folder")]
    NoFolder,
    #[error("can't be read: {0}; give the user that runs pgmarch read access")]
    Unreadable(String),
    #[error("the folder holds no revision; add a file NNN_slug.sql with a `-- migrate:up` section")]
    NoRevisions,
    #[error("the file is not UTF-8: byte {byte} is not valid; save it as UTF-8")]
    NotUtf8 { byte: usize },
    #[error("the name ends in `{0}`, so it would not be read; rename it to end in `.sql`")]
    Extension(String),
    #[error(
        "`{0}` can't be an id: use letters, digits, `_`, `-` and `.`, and not `head`, `heads` or `base`; set it with `-- revision:` or rename the file"
    )]
    BadId(String),
    #[error(
        "the id `{id}` has {length} characters, the version table holds 32; shorten the name before the first `_`, or set `-- revision:`"
    )]
    LongId { id: String, length: usize },
    #[error("unknown header `{found}`{}; known are revision, revises, depends-on, branch, message, created, breaking; a remark with a colon belongs below `-- migrate:up`", meant(.nearest))]
    UnknownHeader { found: String, nearest: Option<String> },
    #[error("the header `{0}` stands twice; keep one")]
    RepeatedHeader(String),
    #[error("`breaking` is `{0}`; write `true` or `false`")]
    BadBreaking(String),
    #[error("the branch label `{0}` must be letters, digits, `_`, `-` or `.`, and not an id's name")]
    BadBranch(String),
    #[error("unknown marker `{found}`{}; known are `-- migrate:up` and `-- migrate:down`", meant(.nearest))]
    UnknownMarker { found: String, nearest: Option<String> },
    #[error(
        "`{found}` looks like a marker and is none; write `{write}` at the start of a line of its own, or, if it is a remark, word it without `migrate:`"
    )]
    NearMarker { found: String, write: String },
    #[error("`{found}` is a marker of another tool, which pgmarch does not read; write `{write}`")]
    ForeignMarker { found: String, write: String },
    #[error("`{0}` is a marker of another tool; remove the line: a function body needs no marker")]
    NeedlessMarker(String),
    #[error("`-- migrate:when` (a gate) is not supported by this version of pgmarch; remove the section, or use a version that has gates")]
    NoGates,
    #[error("unknown option `{found}`{}; known are `transaction:false` and `transaction:true`", meant(.nearest))]
    UnknownOption { found: String, nearest: Option<String> },
    #[error("a second `{0}`; a file holds one revision, move the other into a file of its own")]
    RepeatedMarker(&'static str),
    #[error("`-- migrate:down` stands before `-- migrate:up`; put the way up first")]
    DownFirst,
    #[error("there is no `-- migrate:up` line; put it before the SQL that goes up")]
    NoUp,
    #[error("SQL before `-- migrate:up`; move it below that line")]
    EarlySql,
    #[error("the `{0}` section holds no statement; write one, or `SELECT 1;` where a revision only joins others")]
    EmptySection(&'static str),
    #[error("`{0}` in a revision: pgmarch begins and commits for it; remove the line, or split the file into several revisions")]
    TransactionControl(String),
    #[error("`{0}` needs psql's own data stream; write the rows as INSERT … VALUES")]
    CopyStdin(String),
    #[error("`{0}` is a psql command, not SQL; only SQL can stand in a revision")]
    MetaCommand(String),
    #[error("this {0} is never closed; close it, or what follows is swallowed")]
    Unterminated(&'static str),
    #[error(
        "the function body that `BEGIN ATOMIC` opens here has no end; end each of its statements with `;` and write `END` behind the last `;`"
    )]
    OpenBody,
    #[error("a dollar quote directly behind a number, which not all versions of PostgreSQL read as one; put a blank between them")]
    QuoteAtNumber,
    #[error("the file holds a NUL byte, which PostgreSQL can't take; remove it")]
    Nul,
    #[error("the id `{id}` is also that of {other}; give one of them another id")]
    DuplicateId { id: String, other: String },
    #[error("revises `{parent}`, which no file has{}; add the missing file or mend the header", meant(.nearest))]
    MissingParent { parent: String, nearest: Option<String> },
    #[error("depends on `{dependency}`, which no file has{}; add the missing file or mend the header", meant(.nearest))]
    MissingDependency { dependency: String, nearest: Option<String> },
    #[error("the revisions stand on each other in a circle: {0}; change `revises` or `depends-on` of one of them")]
    Cycle(String),
    #[error("has no `revises` header, but {other} has one; give all of them one (`-- revises: base` on the first), or none")]
    MixedChain { other: String },
    #[error("there is also a folder `schema`; the model is one of them, remove the other")]
    TwoModels,
    #[error("the branch label `{label}` is also that of {other}; rename one")]
    DuplicateBranch { label: String, other: String },
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_up_to_32_plain_characters() {
        assert!(Id::parse("001").is_ok());
        assert!(Id::parse(&"a".repeat(32)).is_ok());
        assert!(matches!(Id::parse(&"a".repeat(33)), Err(FileProblem::LongId { length: 33, .. })));
        for bad in ["", "a b", "a'b", "ü", "head", "base", "a@b", "a+1"] {
            assert!(matches!(Id::parse(bad), Err(FileProblem::BadId(_))), "{bad}");
        }
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(LineColumn::of("a\nüüx", 6), LineColumn { line: 2, column: 3 });
        assert_eq!(LineColumn::of("", 0), LineColumn { line: 1, column: 1 });
    }
}
