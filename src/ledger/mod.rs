//! The only place that knows the tables in the database: the version table and the ledger.

pub mod names;
mod offline;
pub mod progress;
mod recorded;

use std::collections::HashMap;

use thiserror::Error;

use crate::config::Config;
use crate::connect::{Answer, Failure, Session, host_name};
use crate::plan::{Direction, Rows, Step};
use crate::revision::statement::split;
use crate::revision::{Id, Revision};
use names::{Ident, Qualified, array, literal, nullable};

pub use progress::Unfinished;
pub use recorded::{Entry, Kept, Recorded};

/// Our own SQLSTATE: the version table is not where the plan says. No class of PostgreSQL's begins with `PG`.
pub const MOVED: &str = "PGM01";

/// What one read of the database says.
#[derive(Debug)]
pub struct State {
    /// The server and who we are there.
    pub server: Server,
    /// The version rows, as they stand there.
    pub rows: Vec<String>,
    /// What the ledger has of each revision, as far as every run must know it.
    pub recorded: HashMap<String, Kept>,
    /// Revisions of `transaction:false` that were begun and not finished.
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

/// Reads the state: one message, nothing created, nothing locked.
pub async fn read(session: &Session, config: &Config) -> Result<State, ReadError> {
    ask(session, config, Ask::Everything).await
}

/// The same for who only looks: a ledger that the role may not read is one that it knows nothing of.
pub async fn glance(session: &Session, config: &Config) -> Result<State, ReadError> {
    ask(session, config, Ask::WhatTheRoleMaySee).await
}

async fn ask(session: &Session, config: &Config, ask: Ask) -> Result<State, ReadError> {
    let mut answers = session.ask(&read_sql(config, ask)).await?.into_iter();
    // The unfinished and recorded rows, the version rows and the server's row come last but one, two, three and five.
    let skipped = answers.len().checked_sub(6).ok_or(ReadError::Unexpected("too few answers"))?;
    let server = answers.nth(skipped).and_then(|rows| rows.into_iter().next()).ok_or(ReadError::Unexpected("no server row"))?;
    let mut answers = answers.skip(1);
    let rows = answers.next().unwrap_or_default().into_iter().filter_map(first).collect();
    let recorded = answers.next().unwrap_or_default().into_iter().filter_map(kept).collect();
    let unfinished = answers.next().unwrap_or_default().into_iter().map(Unfinished::read).collect::<Option<_>>();
    let unfinished = unfinished.ok_or(ReadError::Unexpected("unfinished revisions"))?;
    let [number, database, role, schema, read_only, version_schema, has_ledger, version] =
        <[Option<String>; 8]>::try_from(server).map_err(|_| ReadError::Unexpected("server row"))?;
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
    };
    let ledger = Ledger {
        version_table: Qualified { schema: place, name: config.version_table.name.clone() },
        schema: config.ledger_schema.clone(),
        has_version_table: version_schema.is_some(),
        has_ledger: has_ledger.as_deref() == Some("t"),
    };
    Ok(State { server, rows, recorded, unfinished, ledger })
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

fn read_sql(config: &Config, ask: Ask) -> String {
    let mut sql = String::from("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n");
    for setting in session_settings(config) {
        sql += &setting;
        sql += ";\n";
    }
    let name = literal(config.version_table.name.as_str());
    let version_schema = match &config.version_table.schema {
        Some(schema) => format!(
            "(SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = {name} AND n.nspname = {})",
            literal(schema.as_str())
        ),
        None => format!(
            "(SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = {name} AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid))"
        ),
    };
    let place = match &config.version_table.schema {
        Some(schema) => literal(schema.as_str()),
        None => "coalesce(place, current_schema())".to_owned(),
    };
    let readable = match ask {
        Ask::Everything => "",
        Ask::WhatTheRoleMaySee => "AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')",
    };
    let fill = |template: &str| {
        template
            .replace("{readable}", readable)
            .replace("{version_schema}", &version_schema)
            .replace("{version_name}", &name)
            .replace("{place}", &place)
            .replace("{ledger}", &literal(config.ledger_schema.as_str()))
    };
    let cursors = literal(&fill(include_str!("cursors.sql")));
    sql + &fill(include_str!("read.sql")).replace("{cursors}", &cursors)
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

    /// One statement that moves the version rows from `before` to `after`, or raises [`MOVED`] if they are not there.
    /// The table is locked against other writers first: two runners without any other lock still can't both pass.
    pub fn fence(&self, before: &Rows, after: &Rows) -> String {
        self.fence_and(before, after, "")
    }

    /// The same with another check while the table is locked.
    fn fence_and(&self, before: &Rows, after: &Rows, check: &str) -> String {
        let table = &self.version_table;
        let gone: Vec<&Id> = before.difference(after).collect();
        let new: Vec<&Id> = after.difference(before).collect();
        let mut moves = String::new();
        let updated = gone.len().min(new.len());
        for (from, to) in gone.iter().zip(&new) {
            moves += &format!("UPDATE {table} SET version_num = '{to}' WHERE version_num = '{from}';\n");
        }
        for from in &gone[updated..] {
            moves += &format!("DELETE FROM {table} WHERE version_num = '{from}';\n");
        }
        for to in &new[updated..] {
            moves += &format!("INSERT INTO {table} (version_num) VALUES ('{to}');\n");
        }
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

    /// Statements that write down a step that was run in this transaction. The last returns its duration in seconds.
    pub fn record(&self, step: &Step<'_>, direction: Direction) -> Vec<String> {
        let mut statements = Vec::new();
        if direction == Direction::Up {
            statements.push(self.keep(step.revision));
        }
        statements.push(format!("{} RETURNING extract(epoch FROM duration)", self.done(step, direction, "statement_timestamp()")));
        statements
    }

    /// One statement: this step was done, beginning when an expression says.
    fn done(&self, step: &Step<'_>, direction: Direction, started: &str) -> String {
        format!(
            "INSERT INTO {}.journal (version_table, revision, direction, outcome, started, finished, client_host, backend_start, pgmarch) \
             VALUES ({}, '{}', '{}', 'done', {started}, clock_timestamp(), {}, {BACKEND_START}, '{}')",
            self.schema,
            self.key(),
            step.revision.id,
            direction.verb(),
            literal(&host_name()),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// One statement that keeps a revision's text, instead of what the ledger had of it before.
    pub fn keep(&self, revision: &Revision) -> String {
        let columns = "file, parents, depends_on, branch, message, created, breaking, text, exact, semantic";
        let excluded: Vec<String> = columns.split(", ").map(|column| format!("EXCLUDED.{column}")).collect();
        format!(
            "INSERT INTO {}.revision (version_table, revision, {columns}) VALUES ({}, '{}', {}, {}, {}, {}, {}, {}, {}, {}, '{}', '{}') \
             ON CONFLICT (version_table, revision) DO UPDATE SET ({columns}, recorded) = ({}, now())",
            self.schema,
            self.key(),
            revision.id,
            literal(revision.file_name()),
            array(revision.parents.iter().map(Id::as_str)),
            array(revision.depends_on.iter().map(Id::as_str)),
            nullable(revision.branch.as_deref()),
            literal(&revision.message),
            nullable(revision.created.as_deref()),
            revision.breaking,
            literal(&revision.text),
            revision.exact(),
            revision.semantic(&revision.up),
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
            "SELECT DISTINCT ON (revision) revision, to_char(finished AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM duration) \
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

/// When the backend that serves us started: with its pid, who ran something.
const BACKEND_START: &str = "(SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))";
