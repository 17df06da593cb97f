//! Databases that live as long as one command: made on the scratch server, dropped at its end, whatever the end is.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use tracing::{debug, info, warn};

use super::source::{Source, SourceError};
use crate::config::Config;
use crate::connect::conninfo::Conninfo;
use crate::connect::wait::{WaitError, for_server};
use crate::connect::{Cancels, ConnectError, Failure, Pool, Session};
use crate::environment::{Environment, EnvironmentError};
use crate::exit::{Exit, Explain};
use crate::model::Catalog;
use crate::model::read::{CatalogRowError, Scope, ViewedSearchPath, of_rows};
use crate::revision::statement::kind::affects_whole_server;
use crate::revision::statement::split;
use crate::revision::{Revision, Section, SectionMode};
use crate::sql;
use crate::sql::{Ident, Message, Sql};

/// Every scratch database begins so; the backend that made it, and when that backend started, follow.
const PREFIX: &str = "pgmarch_scratch_";
/// How long one try to connect may take on a server that has just answered.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why something can't be done in a scratch database.
#[derive(Debug, Error)]
pub enum ScratchError {
    /// The scratch server can't be reached.
    #[error("the scratch server")]
    Wait(#[source] WaitError),
    /// The role may not create databases.
    #[error("{role} may not create databases on {address}, and the comparison needs two for a moment")]
    NoRight {
        /// The role.
        role: String,
        /// The server.
        address: String,
    },
    /// A server said no, or is gone.
    #[error("a scratch database")]
    Server(#[from] Failure),
    /// What the catalog says makes no sense.
    #[error(transparent)]
    Unreadable(#[from] CatalogRowError),
    /// Texts that don't run.
    #[error("{}", .0.iter().map(SourceError::line).collect::<Vec<_>>().join("\n"))]
    Broken(Vec<SourceError>),
}

impl Explain for ScratchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Wait(error) => error.exit(),
            Self::Server(failure) if failure.is_lost() => Exit::Unreachable,
            Self::Broken(_) => Exit::Unsound,
            Self::NoRight { .. } | Self::Server(_) | Self::Unreadable(_) => Exit::Refused,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::NoRight { role, .. } => format!(
                "as an administrator run ALTER ROLE {role} CREATEDB; or set PGMARCH_SCRATCH_URL to a server where databases may be made"
            )
            .into(),
            Self::Broken(_) => "mend the statements above; nothing was written".into(),
            Self::Wait(error @ WaitError::Refused { .. }) => error.next_step(),
            Self::Wait(_) => "check PGMARCH_SCRATCH_URL, or without it the database's own settings".into(),
            Self::Server(_) | Self::Unreadable(_) => "look at the server's log; PGMARCH_SCRATCH_URL names another server".into(),
        }
    }
}

impl ScratchError {
    fn settings(error: ConnectError) -> Self {
        Self::Wait(WaitError::Settings(error))
    }
}

/// The scratch databases that a process has made and not yet dropped.
#[derive(Clone, Default)]
pub struct Leftovers(Arc<Mutex<CreatedDatabases>>);

/// The pool stays connected until the end: while its backend is there, no other run takes the databases for abandoned.
#[derive(Default)]
struct CreatedDatabases {
    pool: Option<Pool>,
    names: Vec<Ident>,
}

impl std::fmt::Debug for Leftovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leftovers").finish_non_exhaustive()
    }
}

impl Leftovers {
    fn list(&self) -> std::sync::MutexGuard<'_, CreatedDatabases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops them all; called once, at the very end, whatever the end is. What can't be dropped is named.
    pub async fn sweep(&self, timeout: Duration) {
        let CreatedDatabases { pool, mut names } = std::mem::take(&mut *self.list());
        let Some(pool) = pool.filter(|_| !names.is_empty()) else { return };
        let swept = tokio::time::timeout(timeout, async {
            let session = pool.session(timeout).await.map_err(|error| crate::words::chain(&error))?;
            while let Some(name) = names.last() {
                match drop_database(&session, name).await {
                    Ok(()) => drop(names.pop()),
                    // A request to cancel what a signal interrupted may reach the server only now.
                    Err(failure) if failure.code() == Some(&SqlState::QUERY_CANCELED) => {}
                    Err(failure) => return Err(crate::words::chain(&failure)),
                }
            }
            Ok::<(), String>(())
        });
        let why = match swept.await {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(_) => "the server did not answer in time".to_owned(),
        };
        let names: Vec<&str> = names.iter().map(Ident::as_str).collect();
        warn!("scratch databases are left: {} ({why}); the next run drops them", names.join(", "));
    }
}

async fn drop_database(session: &Session, name: &Ident) -> Result<(), Failure> {
    session.run(&Message::verbatim(Sql::of("SET client_min_messages = warning"))).await?;
    session.run(&Message::verbatim(sql!("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name = *name))).await.map(drop)
}

/// The scratch server, with a session that makes databases there.
#[derive(Debug)]
pub struct ScratchServer {
    session: Session,
    environment: Environment,
    cancels: Cancels,
    leftovers: Leftovers,
    address: String,
    /// `server_version_num`.
    pub server: u32,
    role: String,
    prefix: String,
    options: Sql,
    /// How the revisions see names: from the settings, or what a session has there.
    pub search_path: ViewedSearchPath,
}

/// The session's own search path, for [`ABOUT`], which runs under another.
const PATH: &str = "SELECT pg_catalog.set_config('pgmarch.search_path', pg_catalog.current_setting('search_path'), true)";

const ABOUT: &str = "SELECT current_setting('server_version_num'), current_user, pg_backend_pid(), \
    (SELECT (extract(epoch FROM backend_start) * 1000000)::int8 FROM pg_stat_get_activity(pg_backend_pid())), \
    (SELECT format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database WHERE datname = current_database()), \
    current_setting('pgmarch.search_path')";

/// Scratch databases of ours whose backend is gone. Whoever may create databases could give another one such a name.
const ABANDONED: &str = "SELECT datname FROM pg_database d CROSS JOIN LATERAL regexp_match(d.datname, '^pgmarch_scratch_([0-9]+)_([0-9]+)_') m \
    WHERE m IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid::text = m[1] \
    AND coalesce((extract(epoch FROM a.backend_start) * 1000000)::int8::text, m[2]) = m[2]) \
    AND d.datdba = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)";

impl ScratchServer {
    /// Connects to the scratch server, and drops what a killed run left there.
    pub async fn open(environment: &Environment, config: &Config, cancels: &Cancels, leftovers: &Leftovers) -> Result<Self, ScratchError> {
        let fault = |fault: EnvironmentError| ScratchError::settings(ConnectError::Settings(vec![fault.into()]));
        let environment = match environment.value("PGMARCH_SCRATCH_URL").map_err(fault)? {
            Some(url) => environment.with("PGMARCH_DATABASE_URL", url),
            None => environment.clone(),
        };
        let pool = Pool::new(environment.clone(), cancels.clone()).map_err(ScratchError::settings)?;
        let deadline = Instant::now() + config.wait_timeout;
        let session = for_server(&pool, &config.wait_for, config.wait_timeout, deadline).await.map_err(ScratchError::Wait)?;
        let about = Message::preceded_by([Sql::of(PATH)], [Sql::of(ABOUT)]);
        let mut about = session.run(&about).await?.into_iter().flatten().flatten();
        let mut next = || about.next().flatten().unwrap_or_default();
        let (server, role, pid, start, options, path) = (next(), next(), next(), next(), next(), next());
        let scratch_server = Self {
            session,
            address: pool.address(),
            environment,
            cancels: cancels.clone(),
            leftovers: leftovers.clone(),
            server: server.parse().unwrap_or(0),
            role,
            prefix: format!("{PREFIX}{pid}_{start}_"),
            options: Sql::from_catalog(options),
            search_path: config.search_path.clone().map_or(ViewedSearchPath::Session(path), ViewedSearchPath::Settings),
        };
        leftovers.list().pool = Some(pool);
        scratch_server.drop_abandoned().await?;
        Ok(scratch_server)
    }

    async fn drop_abandoned(&self) -> Result<(), ScratchError> {
        let abandoned = self.session.run(&Message::of(Sql::of(ABANDONED))).await?;
        for name in abandoned.into_iter().flatten().flatten().flatten().filter_map(|name| Ident::parse(&name)) {
            match drop_database(&self.session, &name).await {
                Ok(()) => info!("dropped the scratch database {}, left by a run that was killed", name.as_str()),
                Err(failure) => warn!(
                    "the scratch database {} is left by a run that was killed, and can't be dropped: {}",
                    name.as_str(),
                    crate::words::chain(&failure)
                ),
            }
        }
        Ok(())
    }

    /// A new, empty database.
    pub async fn database(&self, what: &str, scope: Scope) -> Result<Scratch, ScratchError> {
        let Some(name) = Ident::parse(&format!("{}{what}", self.prefix)) else {
            return Err(ScratchError::settings(ConnectError::Pool("no name for a scratch database".to_owned())));
        };
        debug!("making the scratch database {}", name.as_str());
        // Listed before it exists: a signal may come while the server makes it.
        self.leftovers.list().names.push(name.clone());
        // Nobody else may come in, to create what the revisions would then call: not even in the moment before that is said.
        let create =
            sql!("CREATE DATABASE {name} TEMPLATE template0 ALLOW_CONNECTIONS false {options}", name = name, options = self.options);
        self.session.run(&Message::verbatim(create)).await.map_err(|failure| match failure.code() {
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                ScratchError::NoRight { role: self.role.clone(), address: self.address.clone() }
            }
            _ => ScratchError::Server(failure),
        })?;
        let close = sql!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;\nALTER DATABASE {name} ALLOW_CONNECTIONS true", name = name);
        self.session.run(&Message::verbatim(close)).await?;
        let fault = |faults| ScratchError::settings(ConnectError::Settings(faults));
        let place = Conninfo::resolve(&self.environment).map_err(fault)?.with_database(name.as_str());
        let pool =
            Pool::new(self.environment.with("PGMARCH_DATABASE_URL", place.text()), self.cancels.clone()).map_err(ScratchError::settings)?;
        let session = pool.session(CONNECT_TIMEOUT).await.map_err(ScratchError::settings)?;
        Ok(Scratch { session, scope: Scope { server: self.server, ..scope }, name, _pool: pool })
    }
}

/// A database that nobody else knows.
#[derive(Debug)]
pub struct Scratch {
    session: Session,
    scope: Scope,
    name: Ident,
    /// It keeps the connection.
    _pool: Pool,
}

/// What a statement that failed says.
#[derive(Debug)]
pub struct ScratchRefusal {
    /// Which statement, from 0.
    pub number: usize,
    /// What the server said.
    pub message: String,
}

impl Scratch {
    /// Reads the catalog.
    pub async fn read(&self) -> Result<Catalog, ScratchError> {
        read(&self.session, &self.scope).await
    }

    /// Makes it what revisions find in the database that they are run on: with schemas that are there without them, and with
    /// rights to create objects for the role of the settings, which owns neither database.
    pub async fn furnish(&self, schemas: &[Ident]) -> Result<(), ScratchError> {
        let mut statements = Vec::new();
        if let Some(role) = &self.scope.role {
            statements.push(sql!("GRANT ALL ON DATABASE {name} TO {role}", name = self.name, role = *role));
            // Before, everybody may create objects there.
            if self.scope.server >= 150_000 {
                statements.push(sql!("GRANT ALL ON SCHEMA public TO {role}", role = *role));
            }
        }
        for schema in schemas {
            let owner = self.scope.role.as_ref().map(|role| sql!(" AUTHORIZATION {role}", role = *role)).unwrap_or_default();
            statements.push(sql!("CREATE SCHEMA {schema}{owner}", schema = *schema, owner = owner));
        }
        if !statements.is_empty() {
            self.session.run(&Message::verbatim(Sql::join(statements, ";\n"))).await?;
        }
        Ok(())
    }

    /// Runs a section of a revision as an upgrade would, without its bookkeeping.
    pub async fn run_section(&self, revision: &Revision, section: &Section) -> Result<(), ScratchError> {
        let source = Source {
            what: format!("revision {}", revision.id),
            path: revision.path.clone(),
            text: revision.text.clone(),
            range: section.range.clone(),
        };
        let broken = match section.mode {
            SectionMode::Transaction => self.whole(&source).await?,
            SectionMode::Stepwise => self.each(&source).await?.into_iter().next(),
        };
        // As in an upgrade, nothing that it left in the session reaches the next one.
        self.control("DISCARD ALL").await?;
        broken.map_or(Ok(()), |broken| Err(ScratchError::Broken(vec![broken])))
    }

    /// Runs the model; if it doesn't run as a whole, statement by statement, to find all that is wrong with it.
    pub async fn load(&self, model: &[Source]) -> Result<(), ScratchError> {
        let mut broken = Vec::new();
        for source in model {
            if split(source.sql()).statements.is_empty() {
                continue;
            }
            if self.whole(source).await?.is_some() {
                broken.extend(self.each(source).await?);
            }
        }
        if broken.is_empty() { Ok(()) } else { Err(ScratchError::Broken(broken)) }
    }

    /// All in one transaction; what failed, if anything did.
    async fn whole(&self, source: &Source) -> Result<Option<SourceError>, ScratchError> {
        let opening = self.opening();
        let before = opening.as_str().chars().count();
        let statements = split(opening.as_str()).statements.len();
        let message = sql!("{opening}{text}\n;\nCOMMIT;\nRESET ALL", opening = opening, text = Sql::from_file(source.contained()));
        match self.session.run(&Message::discarding_rows(message, 0)).await {
            Ok(_) => Ok(None),
            Err(failure) => {
                self.control("ROLLBACK").await?;
                self.broken(source, failure, before, statements, None).map(Some)
            }
        }
    }

    /// Each statement on its own; every one that failed.
    async fn each(&self, source: &Source) -> Result<Vec<SourceError>, ScratchError> {
        let mut broken = Vec::new();
        self.control("RESET ALL").await?;
        self.session.run(&Message::verbatim(self.settings(false))).await?;
        for statement in split(source.sql()).statements {
            let sql = &source.sql()[statement.range.clone()];
            if affects_whole_server(sql) {
                continue;
            }
            if let Err(failure) = self.session.run(&Message::discarding_rows(Sql::from_file(sql), 0)).await {
                broken.push(self.broken(source, failure, 0, 0, Some(statement.range))?);
            }
        }
        self.control("RESET ROLE").await?;
        self.control("RESET ALL").await?;
        Ok(broken)
    }

    /// Role and search path of what runs.
    fn settings(&self, is_local: bool) -> Sql {
        let local = Sql::of(if is_local { "LOCAL " } else { "" });
        let role = self.scope.role.as_ref().map(|role| sql!("SET {local}ROLE {role};\n", local = local, role = *role));
        sql!("{role}{path};\n", role = role.unwrap_or_default(), path = self.scope.search_path.set(is_local))
    }

    /// The beginning of a transaction with them.
    fn opening(&self) -> Sql {
        sql!("BEGIN;\n{settings}", settings = self.settings(true))
    }

    /// One statement that names nothing.
    async fn control(&self, statement: &'static str) -> Result<(), Failure> {
        self.session.run(&Message::verbatim(Sql::of(statement))).await.map(drop)
    }

    /// Where in its file a statement failed.
    fn broken(
        &self,
        source: &Source,
        failure: Failure,
        before: usize,
        statements: usize,
        statement: Option<Range<usize>>,
    ) -> Result<SourceError, ScratchError> {
        let Some(error) = failure.source.as_db_error() else { return Err(ScratchError::Server(failure)) };
        let sql = source.sql();
        let base = statement.as_ref().map_or(0, |range| range.start);
        let own = || {
            statement
                .clone()
                .or_else(|| split(sql).statements.get(failure.completed.checked_sub(statements)?).map(|found| found.range.clone()))
        };
        let range = match position(error).and_then(|position| position.checked_sub(before)) {
            Some(characters) => {
                let start = sql[base..].char_indices().nth(characters).map_or(sql.len(), |(byte, _)| base + byte);
                let length = sql[start..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(sql.len() - start);
                let one = sql[start..].chars().next().map_or(0, char::len_utf8);
                Some(start..start + length.max(one))
            }
            None => own(),
        };
        let more = [("detail", error.detail()), ("hint", error.hint()), ("context", error.where_())];
        Ok(SourceError {
            what: source.what.clone(),
            path: source.path.clone(),
            text: source.text.clone(),
            range: range.map(|range| range.start + source.range.start..range.end + source.range.start),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            more: more.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned()))).collect(),
        })
    }

    /// Runs statements that pgmarch wrote: in one transaction, or each on its own.
    pub async fn run(&self, mode: SectionMode, statements: &[String]) -> Result<Result<(), ScratchRefusal>, ScratchError> {
        let refusal = |failure: Failure, number: usize| match failure.source.as_db_error() {
            Some(error) => Ok(Err(ScratchRefusal { number, message: format!("{} ({})", error.message(), error.code().code()) })),
            None => Err(ScratchError::Server(failure)),
        };
        match mode {
            SectionMode::Transaction => {
                let opening = self.opening();
                let before = split(opening.as_str()).statements.len();
                let statements = Sql::from_catalog(statements.join(";\n"));
                let message = sql!("{opening}{statements};\nCOMMIT", opening = opening, statements = statements);
                match self.session.run(&Message::verbatim(message)).await {
                    Ok(_) => Ok(Ok(())),
                    Err(failure) => {
                        let number = failure.completed.saturating_sub(before);
                        self.control("ROLLBACK").await?;
                        refusal(failure, number)
                    }
                }
            }
            SectionMode::Stepwise => {
                self.session.run(&Message::verbatim(self.settings(false))).await?;
                for (number, statement) in statements.iter().enumerate() {
                    if let Err(failure) = self.session.run(&Message::verbatim(Sql::from_catalog(statement.as_str()))).await {
                        return refusal(failure, number);
                    }
                }
                self.control("RESET ROLE").await?;
                self.control("RESET ALL").await?;
                Ok(Ok(()))
            }
        }
    }
}

/// Reads the catalog of any database: one message.
pub async fn read(session: &Session, scope: &Scope) -> Result<Catalog, ScratchError> {
    let answers = session.run(&scope.message()).await?;
    Ok(of_rows(answers.iter().flatten().filter_map(|row| row.first()?.as_deref()))?)
}

/// A server's version: 150018.
pub async fn server_number(session: &Session) -> Result<u32, ScratchError> {
    let answers = session.run(&Message::of(Sql::of("SELECT current_setting('server_version_num')"))).await?;
    let number = answers.into_iter().flatten().flatten().flatten().next();
    Ok(number.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Where in its message the server saw the error, in characters from 0.
fn position(error: &DbError) -> Option<usize> {
    match error.position() {
        Some(ErrorPosition::Original(position)) => (*position as usize).checked_sub(1),
        Some(ErrorPosition::Internal { .. }) | None => None,
    }
}
