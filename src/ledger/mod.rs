//! The only place that knows the tables in the database: the version table and the ledger.

mod fence;
mod format;
mod offline;
mod phrase;
pub mod progress;
mod record;
mod recorded;
mod snapshot;
mod trust;

use std::collections::HashMap;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use crate::backoff::Pace;
use crate::config::Config;
use crate::connect::{Answer, Failure, Session};
use crate::revision::seal::Seal;
use crate::revision::statement::split;
use crate::sql;
use crate::sql::{Ident, Literal, Message, Qualified, Sql};
use trust::{Tables, Trust, problem};

pub use fence::is_moved;
pub use phrase::Phrases;
pub use progress::Unfinished;
pub use recorded::{Entry, Kept, Recorded, decimal};
pub use snapshot::Snapshot;
pub use trust::{Untrusted, is_untrusted};

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
    /// The owner of one of our tables whom a run that writes would not trust.
    pub untrusted: Option<Untrusted>,
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
    Untrusted(Untrusted),
    /// Something that is no relation has the name of one of our tables.
    #[error("{0} is a type, so a table of that name can't be created")]
    InTheWay(String),
    /// Row security hides rows of one of our tables from the role.
    #[error("row-level security is enabled on {relation} and applies to {role}, which would read it as if rows were missing")]
    RowSecurity {
        /// `SCHEMA.NAME`.
        relation: String,
        /// The role.
        role: String,
    },
    /// The ledger was made by a later pgmarch, for programs that know more than this one.
    #[error("the ledger in schema {schema} has format {format}, of pgmarch {program}; this is pgmarch {}, which can use formats up to {}", env!("CARGO_PKG_VERSION"), format::FORMAT)]
    Format {
        /// The ledger's schema.
        schema: String,
        /// Its format.
        format: String,
        /// The program that made it so.
        program: String,
    },
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
    ReadWhatIsAllowed,
}

/// Looks where the database is, in one message where our tables are plain ones of ours; nothing created, nothing locked. Of
/// what the ledger recorded only the seal is read: [`State::complete`] reads the rest.
pub async fn look(session: &Session, config: &Config, access: Access) -> Result<State, ReadError> {
    let mut seen = Seen::of(session.ask(&look_message(config, access, Closeness::Glance)).await?)?;
    let mut untrusted = None;
    if !seen.is_plain || (access == Access::Write && !seen.is_owned) {
        let mut answers = session.ask(&look_message(config, access, Closeness::Close)).await?;
        let problems = if answers.len() < 2 { Vec::new() } else { answers.remove(0) };
        for (problem, is_owner) in problems.into_iter().filter_map(problem) {
            if !is_owner || access == Access::Write {
                return Err(ReadError::Untrusted(problem));
            }
            untrusted.get_or_insert(problem);
        }
        seen = Seen::of(answers)?;
    }
    seen.state(config, access, untrusted)
}

/// Reads all of the state for who only looks: a ledger that the role may not read is one that it knows nothing of.
pub async fn glance(session: &Session, config: &Config) -> Result<State, ReadError> {
    read(session, config, Access::ReadWhatIsAllowed).await
}

/// The same for one who is about to write: with the backend that will do it.
pub async fn look_closely(session: &Session, config: &Config) -> Result<State, ReadError> {
    let mut state = look(session, config, Access::Write).await?;
    state.server.backend = state.ledger.backend(session).await?;
    Ok(state)
}

/// Reads the state and all that every verb may want of what the ledger recorded.
pub async fn read(session: &Session, config: &Config, access: Access) -> Result<State, ReadError> {
    let mut state = look(session, config, access).await?;
    state.complete(session).await?;
    Ok(state)
}

/// How a look makes sure that our tables can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closeness {
    /// They are plain tables, of ours or of the database's owner.
    Glance,
    /// By everything that could run code on them, and by whose that is.
    Close,
}

/// The one row of `read.sql`, and the words behind it.
struct Seen {
    number: u32,
    version: String,
    database: String,
    role: String,
    read_only: bool,
    search_path: String,
    row_security: String,
    /// Where the version table is, and where it would be created.
    version_schema: Option<String>,
    place: Option<String>,
    tables: Vec<String>,
    journal_is_readable: bool,
    has_format: bool,
    may_extend: bool,
    is_plain: bool,
    is_owned: bool,
    owners: Vec<String>,
    hidden: Option<String>,
    in_the_way: Option<String>,
    rows: Vec<String>,
    seal: Option<Seal>,
}

impl Seen {
    fn of(mut answers: Vec<Answer>) -> Result<Self, ReadError> {
        let lines = answers.pop().unwrap_or_default();
        let mut rows = Vec::new();
        let mut seal = None;
        let mut server = None;
        for line in lines {
            let [columns @ .., word] = <[Option<String>; 19]>::try_from(line).map_err(|_| ReadError::Unexpected("server row"))?;
            server = Some(columns);
            let Some(word) = word else { continue };
            match (word.strip_prefix('v'), word.strip_prefix('s')) {
                (Some(row), _) => rows.push(row.to_owned()),
                (_, Some(text)) => seal = Seal::read(text),
                _ => return Err(ReadError::Unexpected("a word")),
            }
        }
        rows.sort();
        let [
            number,
            database,
            role,
            place,
            read_only,
            version,
            search_path,
            row_security,
            version_schema,
            tables,
            journal_is_readable,
            has_format,
            may_extend,
            is_plain,
            is_owned,
            owners,
            hidden,
            in_the_way,
        ] = server.ok_or(ReadError::Unexpected("no server row"))?;
        let is = |value: Option<String>| value.as_deref() == Some("t");
        Ok(Self {
            number: number.and_then(|number| number.parse().ok()).ok_or(ReadError::Unexpected("version"))?,
            version: version.unwrap_or_default(),
            database: database.unwrap_or_default(),
            role: role.unwrap_or_default(),
            read_only: is(read_only),
            search_path: search_path.unwrap_or_default(),
            row_security: row_security.unwrap_or_default(),
            version_schema,
            place: place.filter(|place| !place.is_empty()),
            tables: tables.unwrap_or_default().split(',').filter(|table| !table.is_empty()).map(str::to_owned).collect(),
            journal_is_readable: is(journal_is_readable),
            has_format: is(has_format),
            may_extend: is(may_extend),
            is_plain: is(is_plain),
            is_owned: is(is_owned),
            owners: owners.and_then(|owners| serde_json::from_str(&owners).ok()).unwrap_or_default(),
            hidden,
            in_the_way,
            rows,
            seal,
        })
    }

    fn state(self, config: &Config, access: Access, untrusted: Option<Untrusted>) -> Result<State, ReadError> {
        if let Some(relation) = self.hidden {
            return Err(ReadError::RowSecurity { relation, role: self.role });
        }
        let place = match (&config.version_table.schema, self.version_schema.as_deref().or(self.place.as_deref())) {
            (Some(schema), _) => schema.clone(),
            (None, Some(schema)) => Ident::parse(schema).ok_or(ReadError::Unexpected("schema"))?,
            (None, None) => return Err(ReadError::NoSchema { role: self.role }),
        };
        if let Some(name) = self.in_the_way {
            return Err(ReadError::InTheWay(name));
        }
        let has = |table: &str| self.tables.iter().any(|found| found == table);
        let server = Server {
            number: self.number,
            version: self.version,
            database: self.database,
            role: self.role,
            read_only: self.read_only,
            search_path: self.search_path,
            row_security: self.row_security,
            backend: Backend::default(),
        };
        let ledger = Ledger {
            version_table: Qualified { schema: place, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: self.version_schema.is_some(),
            has_ledger: self.journal_is_readable,
            missing: TABLES.into_iter().filter(|table| !has(table.name)).collect(),
            may_extend: self.may_extend,
            has_format: self.has_format,
            role: config.role.clone(),
            trust: Trust {
                access,
                is_plain: self.is_plain,
                is_owned: self.is_owned || untrusted.is_some(),
                owners: self.owners,
                settings: config.trust_owner.clone(),
            },
        };
        Ok(State { server, rows: self.rows, seal: self.seal, recorded: HashMap::new(), unfinished: Vec::new(), untrusted, ledger })
    }
}

impl State {
    /// Reads what the ledger recorded of each revision, and what was begun and not finished; and whether somebody owns our
    /// tables whom a run that writes would not trust, if that is not known yet.
    pub async fn complete(&mut self, session: &Session) -> Result<(), ReadError> {
        let owners = (!self.ledger.trust.is_owned).then(|| self.ledger.tables().problems());
        self.ledger.trust.is_owned = true;
        if !self.ledger.has_ledger {
            if owners.is_some() {
                let answers = session.ask(&self.ledger.reading(owners)).await?;
                self.untrusted = answers.into_iter().flatten().find_map(|row| problem(row).map(|(problem, _)| problem));
            }
            return Ok(());
        }
        let (ledger, key) = (&self.ledger.schema, self.ledger.key());
        let recorded = sql!(
            "SELECT revision, exact, array_to_string(parents || depends_on, ','), semantic FROM {ledger}.revision WHERE version_table = {key}",
            ledger = *ledger,
            key = key
        );
        let unfinished = sql!(include_str!("unfinished.sql"), ledger = *ledger, key = key);
        let mut answers = session.ask(&self.ledger.reading([recorded, unfinished].into_iter().chain(owners))).await?.into_iter();
        self.recorded = answers.next().unwrap_or_default().into_iter().filter_map(kept).collect();
        let unfinished = answers.next().unwrap_or_default().into_iter().map(Unfinished::read).collect::<Option<_>>();
        self.unfinished = unfinished.ok_or(ReadError::Unexpected("unfinished revisions"))?;
        let owner = answers.next().unwrap_or_default().into_iter().find_map(|row| problem(row).map(|(problem, _)| problem));
        self.untrusted = self.untrusted.take().or(owner);
        Ok(())
    }
}

/// Returns when all that this session has seen is safe on the server's disk. Commits of a run but its last are
/// asynchronous: who takes another's word that the target is reached must know that a crash won't take it back.
pub async fn durable(session: &Session, deadline: Instant) -> Result<(), ReadError> {
    let one = |answers: Vec<Answer>| answers.into_iter().next().and_then(|rows| rows.into_iter().next()).and_then(first);
    let written = one(session.ask(&Message::of(Sql::of(include_str!("written.sql")))).await?);
    let Some(written) = written.and_then(|written| written.parse::<u128>().ok()) else { return Ok(()) };
    let is_flushed = Message::of(sql!("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn >= {written}", written = written));
    let mut pace = Pace::new(Duration::from_millis(5), Duration::from_millis(100));
    loop {
        if one(session.ask(&is_flushed).await?).as_deref() == Some("t") {
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
    match <[Option<String>; 4]>::try_from(row) {
        Ok([Some(revision), Some(exact), below, semantic]) => {
            Some((revision, Kept { exact, below: below.unwrap_or_default(), semantic: semantic.unwrap_or_default() }))
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

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

fn look_message(config: &Config, access: Access, closeness: Closeness) -> Message {
    let table = &config.version_table;
    let typed = match &table.schema {
        Some(schema) => format!("{schema}.{}", table.name),
        None => table.name.to_string(),
    };
    let ledger = Literal(config.ledger_schema.as_str());
    let tables = Tables {
        version: Sql::of("current_setting('pgmarch.version_table')::oid"),
        ledger: &config.ledger_schema,
        owners: &config.trust_owner,
    };
    let trusted = match (closeness, access) {
        (Closeness::Glance, Access::Write) => Sql::of("ours.plain AND ours.owned"),
        (Closeness::Glance, Access::Read | Access::ReadWhatIsAllowed) => Sql::of("ours.plain"),
        (Closeness::Close, Access::Write) => Sql::of("NOT EXISTS (SELECT FROM problem WHERE what IS NOT NULL)"),
        (Closeness::Close, Access::Read | Access::ReadWhatIsAllowed) => {
            Sql::of("NOT EXISTS (SELECT FROM problem WHERE what IS NOT NULL AND NOT is_owner)")
        }
    };
    let is_close = closeness == Closeness::Close;
    let read = sql!(
        include_str!("read.sql"),
        problems = if is_close { tables.close_look() } else { Sql::default() },
        ledger = ledger,
        journal_is_readable = match access {
            Access::Write | Access::Read => Sql::of("coalesce('journal' = ANY (ours.tables) AND 'revision' = ANY (ours.tables), false)"),
            Access::ReadWhatIsAllowed => sql!(include_str!("readable.sql"), ledger = ledger),
        },
        plain = tables.plain(),
        relations = tables.relations(),
        version = tables.version,
        version_name = Literal(table.name.as_str()),
        version_place = match &table.schema {
            Some(schema) => sql!("{schema}", schema = Literal(schema.as_str())),
            None => Sql::of("current_setting('pgmarch.schema')"),
        },
        trusted = trusted,
    );
    let ahead = session_settings(config).into_iter().chain([sql!(include_str!("session.sql"), version_table = Literal(&typed))]);
    Message::transaction(READ, ahead, [], is_close.then(|| tables.problems()).into_iter().chain([read]))
}

/// Role and search path for what runs on behalf of the settings, until the end of the transaction.
pub fn session_settings(config: &Config) -> Vec<Sql> {
    let path = config.search_path.as_ref().map(|path| sql!("SET LOCAL search_path TO {path}", path = *path));
    set_role(config).into_iter().chain(path).collect()
}

/// The role of the settings, until the end of the transaction.
pub fn set_role(config: &Config) -> Option<Sql> {
    config.role.as_ref().map(|role| sql!("SET LOCAL ROLE {role}", role = *role))
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
    /// Whether the ledger can be read: it exists, and we may.
    pub has_ledger: bool,
    /// Which of the ledger's tables do not exist.
    missing: Vec<Table>,
    /// Whether the role may create those that are missing in a ledger that exists.
    may_extend: bool,
    /// Whether its format can be read.
    has_format: bool,
    /// The role of the settings.
    role: Option<Ident>,
    trust: Trust,
}

/// A table of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Table {
    name: &'static str,
    /// What creates it.
    sql: &'static str,
    /// Whether a ledger without it is none.
    is_essential: bool,
}

/// The tables of the ledger. What a later version adds is not essential: a role that may not create it goes on without.
const TABLES: [Table; 4] = [
    Table { name: "revision", sql: include_str!("install/revision.sql"), is_essential: true },
    Table { name: "journal", sql: include_str!("install/journal.sql"), is_essential: true },
    Table { name: "catalog", sql: include_str!("install/catalog.sql"), is_essential: false },
    Table { name: "format", sql: include_str!("install/format.sql"), is_essential: false },
];

impl Ledger {
    /// Statements that create the tables that are missing; Alembic's version table is created as Alembic does it.
    pub fn install(&self) -> Vec<Sql> {
        let mut statements = Vec::new();
        if !self.has_version_table {
            statements.push(self.create_version_table());
        }
        if self.is_to_be_created() {
            // Projects with version tables of their own share a ledger, and have run locks of their own.
            statements.push(sql!("SELECT pg_advisory_xact_lock({key})", key = format::lock_key(&self.schema)));
            statements.push(self.create_schema());
            statements.extend(self.missing.iter().flat_map(|table| self.create(table)));
        }
        statements
    }

    /// Whether all that is missing of the ledger is to be created.
    fn is_to_be_created(&self) -> bool {
        self.missing.iter().any(|table| table.is_essential || self.may_extend)
    }

    fn create_version_table(&self) -> Sql {
        let name = &self.version_table.name;
        let constraint = Ident::parse(&format!("{}_pkc", name.as_str())).unwrap_or_else(|| name.clone());
        sql!(
            "CREATE TABLE {table} (version_num varchar(32) NOT NULL, CONSTRAINT {constraint} PRIMARY KEY (version_num))",
            table = self.version_table,
            constraint = constraint
        )
    }

    fn create_schema(&self) -> Sql {
        let block = sql!(include_str!("install/schema.sql"), ledger = self.schema, ledger_text = Literal(self.schema.as_str()));
        sql!("DO {block}", block = Literal(block.as_str()))
    }

    fn create(&self, table: &Table) -> Vec<Sql> {
        let template = table.sql;
        let fill = |range: std::ops::Range<usize>| {
            sql!(
                &template[range],
                ledger = self.schema,
                format = format::FORMAT,
                oldest = format::OLDEST,
                program = Literal(env!("CARGO_PKG_VERSION"))
            )
        };
        split(template).statements.into_iter().map(|statement| fill(statement.range)).collect()
    }

    /// Whatever was missing was created in a transaction that is committed.
    pub fn installed(&mut self) {
        self.has_version_table = true;
        self.has_ledger = true;
        if self.is_to_be_created() {
            self.missing.clear();
        }
    }

    /// A message that reads from the ledger, if it is as it was when it was looked at.
    fn reading(&self, statements: impl IntoIterator<Item = Sql>) -> Message {
        let role = self.role.as_ref().map(|role| sql!("SET LOCAL ROLE {role}", role = *role));
        Message::transaction(READ, role, [self.checked(self.trust.access)], statements)
    }

    /// A query for when each revision was last applied and how long it took, newest last.
    pub async fn history(&self, session: &Session) -> Result<Answer, Failure> {
        if !self.has_ledger {
            return Ok(Answer::new());
        }
        let history = sql!(
            "SELECT DISTINCT ON (revision) revision, to_char(finished AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM finished - started) \
             FROM {ledger}.journal WHERE version_table = {key} AND direction = 'upgrade' AND outcome = 'done' ORDER BY revision, id DESC",
            ledger = self.schema,
            key = self.key()
        );
        Ok(session.ask(&self.reading([history])).await?.into_iter().next().unwrap_or_default())
    }

    /// The value of `version_table` in the ledger.
    fn key(&self) -> Sql {
        sql!("{key}", key = Literal(&self.version_table.plain()))
    }

    /// Asks for the backend that serves us, and whether this program may write to the ledger.
    async fn backend(&self, session: &Session) -> Result<Backend, ReadError> {
        let backend = sql!("SELECT pg_backend_pid(), to_json({start}) #>> '{}'", start = Sql::of(BACKEND_START));
        let format = self.has_format.then(|| self.read_format());
        let mut answers = session.ask(&self.reading([backend].into_iter().chain(format))).await?.into_iter();
        let row = answers.next().and_then(|rows| rows.into_iter().next());
        if let Some(Ok([Some(format), Some(program)])) = answers.next().and_then(|rows| rows.into_iter().next()).map(<[_; 2]>::try_from) {
            return Err(ReadError::Format { schema: self.schema.as_str().to_owned(), format, program });
        }
        let Some(Ok([Some(pid), start])) = row.map(<[Option<String>; 2]>::try_from) else { return Ok(Backend::default()) };
        let pid = pid.parse().unwrap_or_default();
        Ok(Backend { pid, start, is_direct: session.is_direct(pid).await })
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
