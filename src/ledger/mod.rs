//! The only place that knows the tables in the database: the version table and the ledger.

mod fence;
pub mod names;
mod offline;
mod phrase;
pub mod progress;
mod record;
mod recorded;
mod snapshot;

use std::collections::HashMap;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use crate::backoff::Pace;
use crate::config::Config;
use crate::connect::{Answer, Failure, Session};
use crate::revision::seal::Seal;
use crate::revision::statement::split;
use names::{Ident, Qualified, literal};

pub use fence::is_moved;
pub use phrase::Phrases;
pub use progress::Unfinished;
pub use recorded::{Entry, Kept, Recorded, decimal};
pub use snapshot::Snapshot;

/// What one read of the database says.
#[derive(Debug)]
pub struct State {
    /// The server and who we are there.
    pub server: Server,
    /// The version rows, as they stand there.
    pub rows: Vec<String>,
    /// What the last run sealed, unless something was done since.
    pub seal: Option<Seal>,
    /// What the ledger has of each revision, as far as every run must know it; empty after a mere glance.
    pub recorded: HashMap<String, Kept>,
    /// Revisions of `transaction:false` that were begun and not finished; none after a mere glance.
    pub unfinished: Vec<Unfinished>,
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
    /// The server did not flush in time what others had committed.
    #[error("the database is at the target, but what brought it there is not yet safe on the server's disk")]
    Volatile,
    /// A server that pgmarch does not know.
    #[error("the server answered in an unexpected way ({0}); is it PostgreSQL 13 or newer?")]
    Unexpected(&'static str),
}

/// How much of the state is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// All of it: a right that is missing is an error.
    Everything,
    /// The version rows; of the ledger only what the role may read, as most of the time nobody needs it to know where the database is.
    WhatTheRoleMaySee,
}

/// Looks where the database is, in one message; nothing created, nothing locked. Of what the ledger recorded only the
/// seal is read: [`State::complete`] reads the rest.
pub async fn look(session: &Session, config: &Config) -> Result<State, ReadError> {
    ask(session, config, Ask::Everything).await
}

/// Reads all of the state for who only looks: a ledger that the role may not read is one that it knows nothing of.
pub async fn glance(session: &Session, config: &Config) -> Result<State, ReadError> {
    let mut state = ask(session, config, Ask::WhatTheRoleMaySee).await?;
    state.complete(session, config).await?;
    Ok(state)
}

async fn ask(session: &Session, config: &Config, ask: Ask) -> Result<State, ReadError> {
    let mut answers = session.ask(&read_sql(config, ask)).await?;
    // The last answer is that to COMMIT.
    let lines = answers.len().checked_sub(2).map(|last| answers.swap_remove(last)).unwrap_or_default();
    let mut rows = Vec::new();
    let mut seal = None;
    let mut server = None;
    for line in lines {
        let [columns @ .., word] = <[Option<String>; 9]>::try_from(line).map_err(|_| ReadError::Unexpected("server row"))?;
        server = Some(columns);
        let Some(word) = word else { continue };
        match (word.strip_prefix('v'), word.strip_prefix('s')) {
            (Some(row), _) => rows.push(row.to_owned()),
            (_, Some(text)) => seal = Seal::read(text),
            _ => return Err(ReadError::Unexpected("a word")),
        }
    }
    rows.sort();
    let [number, database, role, schema, read_only, version_schema, has_ledger, version] =
        server.ok_or(ReadError::Unexpected("no server row"))?;
    let role = role.unwrap_or_default();
    let place = match (&config.version_table.schema, version_schema.as_deref().or(schema.as_deref())) {
        (Some(schema), _) => schema.clone(),
        (None, Some(schema)) => Ident::parse(schema).ok_or(ReadError::Unexpected("schema"))?,
        (None, None) => return Err(ReadError::NoSchema { role }),
    };
    let server = Server {
        number: number.and_then(|number| number.parse().ok()).ok_or(ReadError::Unexpected("version"))?,
        version: version.unwrap_or_default(),
        database: database.unwrap_or_default(),
        role,
        read_only: read_only.as_deref() == Some("t"),
        backend: Backend::default(),
    };
    let ledger = Ledger {
        version_table: Qualified { schema: place, name: config.version_table.name.clone() },
        schema: config.ledger_schema.clone(),
        has_version_table: version_schema.is_some(),
        has_ledger: has_ledger.as_deref() == Some("t"),
    };
    Ok(State { server, rows, seal, recorded: HashMap::new(), unfinished: Vec::new(), ledger })
}

/// The same for one who is about to write: with the backend that will do it.
pub async fn look_closely(session: &Session, config: &Config) -> Result<State, ReadError> {
    let mut state = look(session, config).await?;
    state.server.backend = Backend::of(session).await?;
    Ok(state)
}

/// Reads the state and all that every verb may want of what the ledger recorded.
pub async fn read(session: &Session, config: &Config) -> Result<State, ReadError> {
    let mut state = look(session, config).await?;
    state.complete(session, config).await?;
    Ok(state)
}

impl State {
    /// Reads what the ledger recorded of each revision, and what was begun and not finished.
    pub async fn complete(&mut self, session: &Session, config: &Config) -> Result<(), ReadError> {
        if !self.ledger.has_ledger {
            return Ok(());
        }
        let sql = include_str!("complete.sql").replace("{ledger}", &self.ledger.schema.to_string()).replace("{key}", &self.ledger.key());
        let mut answers = session.ask(&(opening(config) + &sql)).await?.into_iter();
        // Last comes COMMIT, and before it these two.
        let skipped = answers.len().checked_sub(3).ok_or(ReadError::Unexpected("too few answers"))?;
        self.recorded = answers.nth(skipped).unwrap_or_default().into_iter().filter_map(kept).collect();
        let unfinished = answers.next().unwrap_or_default().into_iter().map(Unfinished::read).collect::<Option<_>>();
        self.unfinished = unfinished.ok_or(ReadError::Unexpected("unfinished revisions"))?;
        Ok(())
    }
}

/// Returns when all that this session has seen is safe on the server's disk. Commits of a run but its last are
/// asynchronous: who takes another's word that the target is reached must know that a crash won't take it back.
pub async fn durable(session: &Session, deadline: Instant) -> Result<(), ReadError> {
    let one = |answers: Vec<Answer>| answers.into_iter().next().and_then(|rows| rows.into_iter().next()).and_then(first);
    let Some(written) = one(session.ask(include_str!("written.sql")).await?) else { return Ok(()) };
    let mut pace = Pace::new(Duration::from_millis(5), Duration::from_millis(100));
    loop {
        let flushed = one(session.ask(&format!("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn >= {written}")).await?);
        if flushed.as_deref() == Some("t") {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ReadError::Volatile);
        }
        tokio::time::sleep(pace.pause()).await;
    }
}

fn first(row: Vec<Option<String>>) -> Option<String> {
    row.into_iter().next().flatten()
}

fn kept(row: Vec<Option<String>>) -> Option<(String, Kept)> {
    match <[Option<String>; 3]>::try_from(row) {
        Ok([Some(revision), Some(exact), below]) => Some((revision, Kept { exact, below: below.unwrap_or_default() })),
        _ => None,
    }
}

/// The beginning of a message that reads.
fn opening(config: &Config) -> String {
    let mut sql = String::from("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n");
    for setting in session_settings(config) {
        sql += &setting;
        sql += ";\n";
    }
    sql
}

fn read_sql(config: &Config, ask: Ask) -> String {
    let table = &config.version_table;
    let version_table = match &table.schema {
        Some(schema) => format!("{schema}.{}", table.name),
        None => table.name.to_string(),
    };
    let journal_name = literal(&format!("{}.journal", config.ledger_schema));
    let journal = match ask {
        Ask::Everything => format!("to_regclass({journal_name})"),
        Ask::WhatTheRoleMaySee => include_str!("readable.sql")
            .trim_end()
            .replace("{ledger}", &literal(&config.ledger_schema.to_string()))
            .replace("{revision}", &literal(&format!("{}.revision", config.ledger_schema)))
            .replace("{journal}", &journal_name),
    };
    opening(config)
        + &include_str!("read.sql")
            .replace("{version_table}", &literal(&version_table))
            .replace("{dot_version_name}", &literal(&format!(".{}", table.name.as_str())))
            .replace("{journal_name}", &journal_name)
            .replace("{journal}", &journal)
}

/// Role and search path for what runs on behalf of the settings, until the end of the transaction.
pub fn session_settings(config: &Config) -> Vec<String> {
    let role = config.role.as_ref().map(|role| format!("SET LOCAL ROLE {role}"));
    let path = config.search_path.as_ref().map(|path| format!("SET LOCAL search_path TO {path}"));
    role.into_iter().chain(path).collect()
}

/// The tables of one project in one database, and how they are kept.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Where the version table is, or will be.
    pub version_table: Qualified,
    /// The ledger's schema.
    pub schema: Ident,
    /// Whether the version table exists.
    pub has_version_table: bool,
    /// Whether the ledger's tables exist.
    pub has_ledger: bool,
}

impl Ledger {
    /// Statements that make the tables that are missing; Alembic's version table is made as Alembic makes it.
    pub fn install(&self) -> Vec<String> {
        let mut statements = Vec::new();
        if !self.has_version_table {
            let constraint =
                Ident::parse(&format!("{}_pkc", self.version_table.name.as_str())).unwrap_or_else(|| self.version_table.name.clone());
            let table = &self.version_table;
            statements.push(format!(
                "CREATE TABLE {table} (version_num varchar(32) NOT NULL, CONSTRAINT {constraint} PRIMARY KEY (version_num))"
            ));
        }
        if !self.has_ledger {
            let schema = literal(
                &include_str!("schema.sql")
                    .replace("{ledger}", &self.schema.to_string())
                    .replace("{ledger_text}", &literal(self.schema.as_str())),
            );
            let sql = include_str!("install.sql").replace("{ledger}", &self.schema.to_string()).replace("{schema}", &schema);
            statements.extend(split(&sql).statements.into_iter().map(|statement| sql[statement.range].to_owned()));
        }
        statements
    }

    /// A query for when each revision was last applied and how long it took, newest last.
    pub async fn history(&self, session: &Session) -> Result<Answer, Failure> {
        if !self.has_ledger {
            return Ok(Answer::new());
        }
        let sql = format!(
            "SELECT DISTINCT ON (revision) revision, to_char(finished AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM finished - started) \
             FROM {}.journal WHERE version_table = {} AND direction = 'upgrade' AND outcome = 'done' ORDER BY revision, id DESC",
            self.schema,
            self.key()
        );
        Ok(session.ask(&sql).await?.into_iter().next().unwrap_or_default())
    }

    fn key(&self) -> String {
        literal(&self.version_table.plain())
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
}

impl Backend {
    async fn of(session: &Session) -> Result<Self, Failure> {
        let sql = format!("SELECT pg_backend_pid(), to_json({BACKEND_START}) #>> '{{}}'");
        let row = session.ask(&sql).await?.into_iter().next().and_then(|rows| rows.into_iter().next());
        let Some(Ok([Some(pid), start])) = row.map(<[Option<String>; 2]>::try_from) else { return Ok(Self::default()) };
        let pid = pid.parse().unwrap_or_default();
        Ok(Self { pid, start, is_direct: session.is_direct(pid).await })
    }

    /// When it started, as SQL; behind a pooler it may be another's turn, of which we don't know.
    fn start(&self) -> String {
        match &self.start {
            Some(start) => format!("CASE WHEN pg_backend_pid() = {} THEN '{start}'::timestamptz END", self.pid),
            None => "NULL".to_owned(),
        }
    }
}

/// When the backend that serves us started: with its pid, who ran something.
const BACKEND_START: &str = "(SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))";
