//! What can be wrong with a folder of revisions.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::line::LineColumn;
use crate::exit::{Exit, Explain};
use crate::facts::{FailureFacts, place};

/// A fault of the revisions: the file, the place in it, and the problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file or folder.
    pub path: PathBuf,
    /// The line and column, if the fault has a place.
    pub place: Option<LineColumn>,
    /// What is wrong and what to do.
    pub problem: FileProblem,
}

/// All faults of the revisions, which are no graph.
#[derive(Debug, Error)]
#[error("the revisions are unsound")]
pub struct UnsoundRevisions(pub Vec<Fault>);

impl Explain for UnsoundRevisions {
    fn exit(&self) -> Exit {
        match self.0.as_slice() {
            // A folder that isn't there is the deployment's mistake, not an author's.
            [Fault { problem: FileProblem::NoFolder, .. }] => Exit::Usage,
            _ => Exit::Unsound,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self.0.as_slice() {
            [Fault { path, problem: FileProblem::NoFolder | FileProblem::NoRevisions, .. }] => {
                let path = path.display();
                format!("`pgmarch init` writes a first migration into {path}; if the migrations are elsewhere, set PGMARCH_MIGRATIONS to their folder").into()
            }
            [Fault { problem: FileProblem::RevisionsInSubfolder(subfolder), .. }] => format!("set PGMARCH_MIGRATIONS={subfolder}").into(),
            _ => "fix the files above; nothing was connected to, nothing was changed".into(),
        }
    }

    fn faults(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    fn facts(&self) -> FailureFacts {
        FailureFacts { place: self.0.first().map(|fault| place(&fault.path, fault.place)), ..FailureFacts::default() }
    }
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

/// Every problem that a folder of revisions can have. The message says what is wrong and what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum FileProblem {
    #[error(
        "the folder does not exist; mount the migrations there, set PGMARCH_MIGRATIONS to their folder, or create it with `pgmarch init`"
    )]
    NoFolder,
    #[error("can't be read: {0}; give the user that runs pgmarch read access")]
    Unreadable(String),
    #[error("can't be read: {0}; put a plain file there, or take it out of the folder")]
    NotReadable(String),
    #[error("can't be read: {0}, and run again")]
    Stalled(String),
    #[error("the folder holds no .sql file; `pgmarch init` writes a first migration, `pgmarch create --manual MESSAGE` one with a message")]
    NoRevisions,
    #[error("the folder holds no .sql file, but its subfolder {0} does, and subfolders are not read; set PGMARCH_MIGRATIONS={0}")]
    RevisionsInSubfolder(String),
    #[error(
        "can't be read: it is a folder; only the .sql files directly in the folder of revisions are read, so rename it to a name without `.sql`, and move its files up"
    )]
    IsFolder,
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
    #[error("unknown header `{found}`{}; known are revision, revises, depends-on, branch, message, created, breaking, irreversible; a remark with a colon belongs below `-- migrate:up`", did_you_mean(.nearest))]
    UnknownHeader { found: String, nearest: Option<String> },
    #[error("the header `{0}` stands twice; keep one")]
    RepeatedHeader(String),
    #[error("`{header}` is `{value}`; write `true` or `false`")]
    NotBoolean { header: &'static str, value: String },
    #[error("`irreversible: true`, but there is a `-- migrate:down` section with statements; remove one of them")]
    ReversibleAfterAll,
    #[error("the branch label `{0}` must be letters, digits, `_`, `-` or `.`, and not an id's name")]
    BadBranch(String),
    #[error("unknown marker `{found}`{}; known are `-- migrate:up` and `-- migrate:down`", did_you_mean(.nearest))]
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
    #[error("unknown option `{found}`{}; known are `transaction:false` and `transaction:true`", did_you_mean(.nearest))]
    UnknownOption { found: String, nearest: Option<String> },
    #[error("`transaction:true` and `transaction:false` in one marker; keep one")]
    BothTransactionOptions,
    #[error("a second `{0}`; a file holds one revision, move the other into a file of its own")]
    RepeatedMarker(&'static str),
    #[error("`-- migrate:down` stands before `-- migrate:up`; put the way up first")]
    DownFirst,
    #[error("there is no `-- migrate:up` line; put it before the SQL that goes up")]
    NoUp,
    #[error("SQL before `-- migrate:up`; move it below that line")]
    EarlySql,
    #[error("`{0}` in a revision: pgmarch begins and commits for it; remove the line, or split the file into several revisions")]
    TransactionControl(String),
    #[error("`{0}` in a `transaction:false` section, whose statements are committed one by one; remove the line, or `transaction:false`")]
    StepwiseTransactionControl(String),
    #[error(
        "`BEGIN {0}`: pgmarch begins the transaction itself, and it is always READ COMMITTED and READ WRITE; remove these options if the SQL does not need them, else write what it needs with explicit locks (`LOCK TABLE`)"
    )]
    TransactionOptions(String),
    #[error("`ROLLBACK` at the end of the section would undo all of it; end it with `COMMIT`, or remove `BEGIN` and `ROLLBACK`")]
    RolledBack,
    #[error(
        "`{what}` can't run in a transaction, and this section runs in one; write `{marker} transaction:false`, in a revision of its own if other statements need the transaction"
    )]
    NotInTransaction { what: &'static str, marker: &'static str },
    #[error(
        "`COPY … FROM STDIN` and its rows need psql; write the rows as `INSERT … VALUES` (`pg_dump --rows-per-insert=1000` writes them so), or load them with `\\copy` in psql"
    )]
    CopyFromStdin,
    #[error("`COPY … TO STDOUT` sends rows to psql, and pgmarch discards what a migration returns; remove the statement")]
    CopyToStdout,
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
    #[error(
        "the id `{id}` is also that of {other}: two people chose the same one. Keep it for the file that is applied, or was merged, first; {renumber}"
    )]
    DuplicateId { id: String, other: String, renumber: String },
    #[error("revises `{parent}`, which no file has{}; add the missing file or fix the header", did_you_mean(.nearest))]
    MissingParent { parent: String, nearest: Option<String> },
    #[error("depends on `{dependency}`, which no file has{}; add the missing file or fix the header", did_you_mean(.nearest))]
    MissingDependency { dependency: String, nearest: Option<String> },
    #[error("the revisions stand on each other in a circle: {0}; change `revises` or `depends-on` of one of them")]
    Cycle(String),
    #[error("has no `revises` header, but {other} before it has one; add the header, such as `-- revises: {parent}`")]
    MixedChain { other: String, parent: String },
    #[error("there is also a folder `schema`; the model is one of them, remove the other")]
    TwoModels,
    #[error("the branch label `{label}` is also that of {other}; rename one")]
    DuplicateBranch { label: String, other: String },
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default()
}
