//! The only place that knows the tables in the database: the version table and the ledger.

mod applied;
mod durable;
mod install;
mod locked;
pub mod lost;
mod offline;
mod state;
mod trust;
mod write;

use std::collections::HashMap;

use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::config::Config;
use crate::connect::{Answer, Failure, Session};
use crate::revision::applied_digest::AppliedDigest;
use crate::sql;
use crate::sql::{Deallocation, Ident, Literal, Message, QualifiedName, Sql};
use install::LedgerTable;
use trust::Trust;

pub use applied::{AppliedChecksum, AppliedRevision, BASE, JournalEntry, LastEvent, ProvenRevisions, decimal};
pub use durable::wait_until_durable;
pub use locked::Locked;
pub use state::{look, look_closely, read};
pub use trust::{UntrustedRelation, is_trust_failure, trusted_roles};
pub use write::progress::{self, UnfinishedRevision};
pub use write::{StatementCache, changed_detail, is_fence_failure, is_verify_failure, same_tables};

/// What one read of the database says.
#[derive(Debug)]
pub struct State {
    /// The server and who we are there.
    pub server: Server,
    /// The version rows, as they stand there.
    pub rows: Vec<String>,
    /// What the last run sealed, unless something was done since.
    pub seal: Option<AppliedDigest>,
    /// What the ledger has of each revision, as far as every run must know it; empty after a mere glance.
    pub recorded: HashMap<String, AppliedChecksum>,
    /// What the journal proves to be applied; nothing after a mere glance.
    pub proven: ProvenRevisions,
    /// Whether the ledger has been read: [`State::complete`].
    pub is_complete: bool,
    /// Revisions of `transaction:false` that were begun and not finished; none after a mere glance.
    pub unfinished: Vec<UnfinishedRevision>,
    /// The owner of one of our tables whom a run that writes would not trust.
    pub untrusted: Option<UntrustedRelation>,
    /// The tables, which of them exist.
    pub ledger: Ledger,
}

/// The server, as it says itself.
#[derive(Clone, Debug)]
pub struct Server {
    /// `server_version_num`: 150018.
    pub number: u32,
    /// `server_version`: 15.18.
    pub version: String,
    /// The database.
    pub database: String,
    /// The role.
    pub role: String,
    /// Whether nothing can be written: a standby, or `default_transaction_read_only`.
    pub read_only: bool,
    /// The session's own `search_path`, or that of the settings.
    pub search_path: String,
    /// The session's own `row_security`.
    pub row_security: String,
    /// The first schema of that path that exists: where a table without a schema is created.
    pub schema: Option<String>,
    /// The backend that serves us, as far as it was asked for.
    pub backend: Backend,
}

/// Why the database's state can't be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The server refused, or is gone.
    #[error("the state of the database can't be read")]
    Server(#[from] Failure),
    /// No schema to put tables in.
    #[error(
        "the search path of {role} names no schema that exists, so the version table has no place; set PGMARCH_SEARCH_PATH or PGMARCH_VERSION_TABLE=SCHEMA.NAME"
    )]
    NoSchema {
        /// The role.
        role: String,
    },
    /// One of our tables is not ours, or runs code of somebody who is not to be trusted.
    #[error("{0}")]
    Untrusted(UntrustedRelation),
    /// Something has the name of one of our tables that is to be created, or of its primary key.
    #[error("{kind} {name} already exists, so pgmarch can't create its own of that name")]
    InTheWay {
        /// A type, or a relation.
        kind: String,
        /// `SCHEMA.NAME`.
        name: String,
    },
    /// Row security hides rows of one of our tables from the role.
    #[error("row-level security is enabled on {relation} and applies to {role}, which would read it as if rows were missing")]
    RowSecurity {
        /// `SCHEMA.NAME`.
        relation: String,
        /// The role.
        role: String,
    },
    /// The ledger was made by a later pgmarch, for programs that know more than this one.
    #[error("the ledger in schema {schema} has format {format}, of pgmarch {program}; this is pgmarch {}, which can use formats up to {}", env!("CARGO_PKG_VERSION"), install::FORMAT)]
    Format {
        /// The ledger's schema.
        schema: String,
        /// Its format.
        format: String,
        /// The program that made it so.
        program: String,
    },
    /// Another session keeps everybody from reading one of our tables.
    #[error("{0}")]
    Locked(Locked),
    /// The server did not flush in time what others had committed.
    #[error("the database is at the target, but what brought it there is not yet safe on the server's disk")]
    Volatile,
    /// A server that pgmarch does not know.
    #[error("the server answered in an unexpected way ({0}); is it PostgreSQL 13 or newer?")]
    Unexpected(&'static str),
}

/// What the state is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To write afterwards: every table's owner must be trusted, and a right that is missing is an error.
    Write,
    /// To read alone: a plain table of an owner who is not trusted is read all the same.
    Read,
    /// To read the version rows; of the ledger only what the role may read, as most of the time nobody needs it to know where
    /// the database is.
    ReadPermitted,
}

impl State {
    /// Reads what the ledger recorded of each revision, and what was begun and not finished; and for who is about to write,
    /// whether this program may.
    pub async fn complete(&mut self, session: &Session) -> Result<(), ReadError> {
        if !self.ledger.has_ledger {
            self.is_complete = true;
            return Ok(());
        }
        let obstacles = if self.ledger.trust.access == Access::Write { self.ledger.obstacles() } else { Vec::new() };
        let unfinished = sql!(include_str!("state/unfinished.sql"), ledger = self.ledger.schema, key = self.ledger.key());
        let statements = [self.ledger.kept_revisions(), unfinished, self.ledger.proven()].into_iter().chain(obstacles);
        let reading = self.ledger.reading(&["revision", "journal"], statements);
        let mut answers = locked::ask(session, &reading, &self.ledger.version_table.name, &self.ledger.schema).await?.into_iter();
        self.recorded = answers.next().unwrap_or_default().into_iter().filter_map(kept).collect();
        let unfinished = answers.next().unwrap_or_default().into_iter().map(UnfinishedRevision::read).collect::<Option<_>>();
        self.unfinished = unfinished.ok_or(ReadError::Unexpected("unfinished revisions"))?;
        self.proven = ProvenRevisions::of(answers.next().unwrap_or_default(), &self.recorded);
        self.is_complete = true;
        self.ledger.refuse(answers)
    }
}

fn first(row: Vec<Option<String>>) -> Option<String> {
    row.into_iter().next().flatten()
}

fn kept(row: Vec<Option<String>>) -> Option<(String, AppliedChecksum)> {
    match <[Option<String>; 4]>::try_from(row) {
        Ok([Some(revision), Some(exact), below, semantic]) => {
            Some((revision, AppliedChecksum { exact, below: below.unwrap_or_default(), semantic: semantic.unwrap_or_default() }))
        }
        _ => None,
    }
}

/// Whether a message failed in a cast that only our own text could fail in.
fn says(failure: &Failure, text: &str) -> bool {
    let said =
        |error: &tokio_postgres::error::DbError| *error.code() == SqlState::INVALID_TEXT_REPRESENTATION && error.message().contains(text);
    failure.source.as_db_error().is_some_and(said)
}

/// A read of our tables waits only for who locks them against all readers: a `TRUNCATE`, a `VACUUM FULL`, a `LOCK TABLE`. That is
/// reported before an answer counts as lost ([`crate::connect::SILENCE`]).
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout TO '5s'";

/// Role and search path for what runs on behalf of the settings, until the end of the transaction.
pub fn session_settings(config: &Config) -> Vec<Sql> {
    set_role(config).into_iter().chain(set_path(config)).collect()
}

/// The search path of the settings, until the end of the transaction.
fn set_path(config: &Config) -> Option<Sql> {
    config.search_path.as_ref().map(|path| sql!("SET LOCAL search_path TO {path}", path = *path))
}

/// The role of the settings, until the end of the transaction.
pub fn set_role(config: &Config) -> Option<Sql> {
    sql::set_role(config.role.as_ref())
}

/// The tables of one project in one database, and how they are kept.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Where the version table is, or will be.
    pub version_table: QualifiedName,
    /// The ledger's schema.
    pub schema: Ident,
    /// Whether the version table exists.
    pub has_version_table: bool,
    /// Whether the ledger can be read: it exists, and we may.
    pub has_ledger: bool,
    /// Which of the ledger's tables do not exist.
    missing: Vec<LedgerTable>,
    /// Whether the role may create those that are missing in a ledger that exists.
    may_extend: bool,
    /// Whether its format can be read.
    has_format: bool,
    /// OwnTables that the ledger can do without, and does, as their owner is not trusted.
    unusable: Vec<&'static str>,
    /// The role of the settings.
    role: Option<Ident>,
    trust: Trust,
}

impl Ledger {
    /// A message that reads tables of the ledger, if they are as they were when they were looked at. They are locked before
    /// the transaction's snapshot is taken, so that it shows what is locked.
    pub(crate) fn reading(&self, tables: &[&'static str], statements: impl IntoIterator<Item = Sql>) -> Message {
        let locks = self.lock_ledger(tables, "ACCESS SHARE");
        let ahead = [Sql::of(LOCK_TIMEOUT)].into_iter().chain(sql::set_role(self.role.as_ref())).chain(locks);
        Message::reading(ahead, [self.checked(self.trust.access, tables)], statements)
    }

    /// A query for when each revision was last applied and how long it took, newest last.
    pub async fn last_upgrades(&self, session: &Session) -> Result<Answer, Failure> {
        if !self.has_ledger {
            return Ok(Answer::new());
        }
        let history = sql!(
            "SELECT DISTINCT ON (revision) revision, to_char(finished AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM finished - started) \
             FROM {ledger}.journal WHERE version_table = {key} AND direction = 'upgrade' AND outcome = 'done' ORDER BY revision, id DESC",
            ledger = self.schema,
            key = self.key()
        );
        Ok(session.ask(&self.reading(&["journal"], [history])).await?.into_iter().next().unwrap_or_default())
    }

    /// Whether a table of the ledger exists, and is trusted.
    pub(crate) fn has_table(&self, name: &str) -> bool {
        !self.unusable.contains(&name) && !self.missing.iter().any(|table| table.name == name)
    }

    /// The schemas of the other version tables that share this ledger and exist: their revisions create objects there.
    pub async fn schemas_of_others(&self, session: &Session) -> Result<Vec<String>, ReadError> {
        if !self.has_ledger {
            return Ok(Vec::new());
        }
        let query = sql!(include_str!("others.sql"), ledger = self.schema, key = self.key());
        let answers = session.run(&self.reading(&["revision"], [query])).await?;
        Ok(answers.into_iter().flatten().flatten().flatten().collect())
    }

    /// A query for what every run must know of each revision.
    fn kept_revisions(&self) -> Sql {
        sql!(
            "SELECT revision, exact, array_to_string(parents || depends_on, ','), semantic FROM {ledger}.revision WHERE version_table = {key}",
            ledger = self.schema,
            key = self.key()
        )
    }

    /// The value of `version_table` in the ledger.
    pub(crate) fn key(&self) -> Sql {
        sql!("{key}", key = Literal(&self.version_table.plain()))
    }

    /// Asks for the backend that serves us, and whether this program may write to the tables.
    async fn backend(&self, session: &Session) -> Result<Backend, ReadError> {
        let backend = sql!(
            "SELECT pg_backend_pid(), to_json({start}) #>> '{}', EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql' AND has_language_privilege(oid, 'USAGE'))",
            start = Sql::of(BACKEND_START)
        );
        let mut answers = session.ask(&self.reading(&[], [backend].into_iter().chain(self.obstacles()))).await?.into_iter();
        let row = answers.next().and_then(|rows| rows.into_iter().next());
        self.refuse(answers)?;
        let Some(Ok([Some(pid), start, has_plpgsql])) = row.map(<[Option<String>; 3]>::try_from) else { return Ok(Backend::default()) };
        let pid = pid.parse().unwrap_or_default();
        Ok(Backend { pid, start, is_direct: session.is_direct(pid).await, has_plpgsql: has_plpgsql.as_deref() == Some("t") })
    }
}

/// The backend that serves us, asked for once: to ask for its start costs more than all the rest of a journal line.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// Its process.
    pub pid: i32,
    start: Option<String>,
    /// Whether nobody but bytes stands between it and us. A pooler may take a connection for free that has still to
    /// answer a client who went away, and give those answers to the next one: it gets one message at a time.
    pub is_direct: bool,
    /// Whether the role may use PL/pgSQL.
    pub has_plpgsql: bool,
}

impl Backend {
    /// Which prepared statements of its session can be discarded.
    pub fn discard(&self) -> Deallocation {
        match (self.has_plpgsql, self.is_direct) {
            (true, _) => Deallocation::OfOthers,
            (false, true) => Deallocation::All,
            (false, false) => Deallocation::Nothing,
        }
    }

    /// When it started, as SQL; behind a pooler it may be another's turn, of which we don't know.
    fn start(&self) -> Sql {
        match &self.start {
            Some(start) => {
                sql!("CASE WHEN pg_backend_pid() = {pid} THEN {start}::timestamptz END", pid = self.pid, start = Literal(start))
            }
            None => Sql::of("NULL"),
        }
    }
}

/// When the backend that serves us started: with its pid, who ran something.
const BACKEND_START: &str = "(SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))";
