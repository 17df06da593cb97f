//! The only place that knows the tables in the database: the version table and the ledger.

pub mod names;
mod offline;
mod phrase;
pub mod progress;
mod recorded;
mod snapshot;

use std::collections::HashMap;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use crate::backoff::Pace;
use crate::config::Config;
use crate::connect::{Answer, Failure, Session, host_name};
use crate::plan::{Direction, Rows, Step};
use crate::revision::seal::Seal;
use crate::revision::statement::split;
use crate::revision::{Id, Revision, list};
use names::{Ident, Qualified, array, literal, nullable};
use phrase::Phrase;

pub use phrase::Phrases;
pub use progress::Unfinished;
pub use recorded::{Entry, Kept, Recorded, decimal};
pub use snapshot::Snapshot;

/// Our own SQLSTATE: the version table is not where the plan says. No class of PostgreSQL's begins with `PG`.
const MOVED: &str = "PGM01";
/// What the fence of a revision in one transaction says instead.
const ELSEWHERE: &str = "the version table is not where the plan starts";

/// Whether a message failed at its fence.
pub fn is_moved(failure: &Failure) -> bool {
    failure.source.as_db_error().is_some_and(|error| {
        error.code().code() == MOVED || *error.code() == SqlState::INVALID_TEXT_REPRESENTATION && error.message().contains(ELSEWHERE)
    })
}

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

    /// Statements that move the version rows from `before` to `after`, or fail ([`is_moved`]) if they are not there.
    /// Two runners without any other lock still can't both pass.
    ///
    /// It is in plain SQL, with a cast that fails: a block in PL/pgSQL is compiled anew
    /// for each revision, which would take as long as all the rest of the bookkeeping.
    pub fn quick_fence(&self, before: &Rows, after: &Rows, phrases: &Phrases) -> Vec<String> {
        let table = &self.version_table;
        if let (Some(from), Some(to), 1, 1) = (before.first(), after.first(), before.len(), after.len())
            && from != to
        {
            return phrases.say(FENCE, &[from, to].map(|id| format!("'{id}'")), |v| self.step_along(&v[0], &v[1]));
        }
        // Locked against other writers first: what is found stays so.
        let found = "array_agg(version_num::text ORDER BY version_num COLLATE \"C\")";
        let check = format!(
            "SELECT CASE WHEN coalesce({found}, '{{}}') = {} THEN 0 \
             ELSE ('{ELSEWHERE}: expected {}, found ' || coalesce(array_to_string({found}, ', '), 'base'))::integer END FROM {table}",
            array(before.iter().map(Id::as_str)),
            list(before)
        );
        let mut statements = vec![format!("LOCK TABLE {table} IN EXCLUSIVE MODE"), check];
        statements.extend(self.moves(before, after));
        statements
    }

    /// One statement that moves the only version row. Of two that try, the second waits for the row's lock, and then
    /// does not find it (manual, 13.2.1): a lock on the whole table is not needed.
    fn step_along(&self, from: &str, to: &str) -> String {
        let table = &self.version_table;
        format!(
            "WITH moved AS (UPDATE {table} SET version_num = {to} WHERE version_num = {from} RETURNING 1) \
             SELECT CASE WHEN EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM {table} WHERE version_num <> {from}) THEN 0 \
             ELSE ('{ELSEWHERE}: expected ' || {from} || ', found ' || coalesce((SELECT string_agg(version_num, ', ' ORDER BY version_num COLLATE \"C\") FROM {table}), 'base'))::integer END"
        )
    }

    /// What turns the version rows from `before` into `after`.
    fn moves(&self, before: &Rows, after: &Rows) -> Vec<String> {
        let table = &self.version_table;
        let gone: Vec<&Id> = before.difference(after).collect();
        let new: Vec<&Id> = after.difference(before).collect();
        let both = gone.iter().zip(&new);
        let mut moves: Vec<String> =
            both.map(|(from, to)| format!("UPDATE {table} SET version_num = '{to}' WHERE version_num = '{from}'")).collect();
        let updated = moves.len();
        moves.extend(gone[updated..].iter().map(|from| format!("DELETE FROM {table} WHERE version_num = '{from}'")));
        moves.extend(new[updated..].iter().map(|to| format!("INSERT INTO {table} (version_num) VALUES ('{to}')")));
        moves
    }

    /// The same as one statement, which raises `MOVED`: for scripts that people read and run.
    pub fn fence(&self, before: &Rows, after: &Rows) -> String {
        self.fence_and(before, after, "")
    }

    /// One statement that moves the version rows from `before` to `after`, or raises `MOVED` if they are not there,
    /// with another check while the table is locked.
    fn fence_and(&self, before: &Rows, after: &Rows, check: &str) -> String {
        let moves: String = self.moves(before, after).into_iter().map(|statement| statement + ";\n").collect();
        let expected: Vec<&str> = before.iter().map(Id::as_str).collect();
        self.guarded(&expected, &format!("{check}{moves}"))
    }

    /// The same for rows that may be anything, such as those of another tool: they all go, and `after` comes.
    pub fn put(&self, before: &[String], after: &Rows) -> String {
        let table = &self.version_table;
        let mut moves = format!("DELETE FROM {table};\n");
        for row in after {
            moves += &format!("INSERT INTO {table} (version_num) VALUES ('{row}');\n");
        }
        let expected: Vec<&str> = before.iter().map(String::as_str).collect();
        self.guarded(&expected, &moves)
    }

    /// `moves`, if the rows are as expected and nobody else writes them.
    fn guarded(&self, expected: &[&str], moves: &str) -> String {
        let table = &self.version_table;
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let named = if expected.is_empty() { "base".to_owned() } else { expected.join(", ") };
        let named = literal(&format!("expected {named}, found "));
        let expected = array(expected);
        let body = format!(
            "DECLARE found text[];\nBEGIN\nLOCK TABLE {table} IN EXCLUSIVE MODE;\n\
             SELECT coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), '{{}}') INTO found FROM {table};\n\
             IF found <> {expected} THEN\n\
             RAISE EXCEPTION USING ERRCODE = '{MOVED}', MESSAGE = 'the version table is not where the plan starts', DETAIL = {named} || coalesce(nullif(array_to_string(found, ', '), ''), 'base');\n\
             END IF;\n{moves}END"
        );
        format!("DO {}", literal(&body))
    }

    /// Statements that write down a step that was run in this transaction, and the seal if it is the last of its run.
    /// The last of them returns its duration in seconds.
    pub fn record(&self, step: &Step<'_>, direction: Direction, backend: &Backend, seal: Option<&Seal>, phrases: &Phrases) -> Vec<String> {
        let mut statements = Vec::new();
        if direction == Direction::Up {
            statements = phrases.say(KEEP, &kept_values(step.revision), |values| self.kept(values));
        }
        let done = |values: &[String]| {
            let done = self.done(values, "statement_timestamp()", &backend.start());
            format!("{done} RETURNING extract(epoch FROM finished - started)")
        };
        statements.extend(phrases.say(DONE, &done_values(step, direction, seal), done));
        statements
    }

    /// One statement: a step was done, beginning when an expression says, on the backend whose start another says. The
    /// values are those of [`done_values`].
    fn done(&self, values: &[String], started: &str, backend_start: &str) -> String {
        format!(
            "INSERT INTO {}.journal (version_table, revision, direction, sealed, outcome, started, finished, client_host, backend_start, pgmarch) \
             VALUES ({}, {}, 'done', {started}, clock_timestamp(), {}, {backend_start}, '{}')",
            self.schema,
            self.key(),
            values.join(", "),
            literal(&host_name()),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// One statement that keeps a revision's text, instead of what the ledger had of it before.
    pub fn keep(&self, revision: &Revision) -> String {
        self.kept(&kept_values(revision))
    }

    /// The same, of the values of [`kept_values`].
    fn kept(&self, values: &[String]) -> String {
        let columns = "file, parents, depends_on, branch, message, created, breaking, text, exact, semantic";
        let excluded: Vec<String> = columns.split(", ").map(|column| format!("EXCLUDED.{column}")).collect();
        format!(
            "INSERT INTO {}.revision (version_table, revision, {columns}) VALUES ({}, {}) \
             ON CONFLICT (version_table, revision) DO UPDATE SET ({columns}, recorded) = ({}, now())",
            self.schema,
            self.key(),
            values.join(", "),
            excluded.join(", "),
        )
    }

    /// One statement that writes down that a revision failed, after its transaction is gone.
    pub fn record_failure(&self, revision: &Id, direction: Direction, detail: &str) -> String {
        format!(
            "INSERT INTO {}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch, detail) \
             VALUES ({}, '{revision}', '{}', 'failed', statement_timestamp(), clock_timestamp(), {}, {BACKEND_START}, '{}', {})",
            self.schema,
            self.key(),
            direction.verb(),
            literal(&host_name()),
            env!("CARGO_PKG_VERSION"),
            literal(detail),
        )
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

/// Moves the only version row: from, to.
const FENCE: Phrase = Phrase { name: "pgmarch: fence", types: &["text", "text"] };
/// Keeps a revision: the values of [`kept_values`].
const KEEP: Phrase = Phrase {
    name: "pgmarch: keep",
    types: &["text", "text", "text[]", "text[]", "text", "text", "text", "boolean", "text", "text", "text"],
};
/// Journals a step: the values of [`done_values`].
const DONE: Phrase = Phrase { name: "pgmarch: done", types: &["text", "text", "text"] };

/// A revision as constants: its id, then the columns as [`Ledger::kept`] names them.
fn kept_values(revision: &Revision) -> [String; 11] {
    [
        format!("'{}'", revision.id),
        literal(revision.file_name()),
        array(revision.parents.iter().map(Id::as_str)),
        array(revision.depends_on.iter().map(Id::as_str)),
        nullable(revision.branch.as_deref()),
        literal(&revision.message),
        nullable(revision.created.as_deref()),
        revision.breaking.to_string(),
        literal(&revision.text),
        format!("'{}'", revision.exact()),
        format!("'{}'", revision.semantic(&revision.up)),
    ]
}

/// What tells one step in the journal from another, as constants: revision, direction, seal.
fn done_values(step: &Step<'_>, direction: Direction, seal: Option<&Seal>) -> [String; 3] {
    let seal = nullable(seal.map(ToString::to_string).as_deref());
    [format!("'{}'", step.revision.id), format!("'{}'", direction.verb()), seal]
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
        let (answers, greeted) = tokio::join!(session.ask(&sql), session.greeted_pid());
        let row = answers?.into_iter().next().and_then(|rows| rows.into_iter().next());
        let Some(Ok([Some(pid), start])) = row.map(<[Option<String>; 2]>::try_from) else { return Ok(Self::default()) };
        let pid = pid.parse().unwrap_or_default();
        Ok(Self { pid, start, is_direct: greeted == Some(pid) })
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
