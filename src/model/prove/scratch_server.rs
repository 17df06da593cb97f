//! The scratch server: where scratch databases are created, and dropped when the command ends, however it ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pg_connect::{ConnectError, Environment, Secret};
use tokio_postgres::error::SqlState;
use tracing::{debug, info, warn};

use super::model_command;
use super::scratch::{Scratch, ScratchError};
use crate::config::Config;
use crate::host::Host;
use crate::model::read::{Scope, ViewedSearchPath};
use crate::session::settings::{environment_for, read_conninfo, read_target};
use crate::session::wait::for_server;
use crate::session::{Cancels, Failure, Pool, Session};
use crate::sql;
use crate::sql::{Ident, Message, Sql};

/// The names of scratch databases: this, then the pid of the backend that created it, and when that backend started.
const PREFIX: &str = "pgmarch_scratch_";
/// How long one try to connect may take on a server that has just answered.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The scratch databases that this process has created and not yet dropped.
#[derive(Clone, Default)]
pub struct Leftovers(Arc<Mutex<CreatedDatabases>>);

/// The pool stays connected until the process ends: other runs drop scratch databases whose backend is gone.
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

    /// Drops them all; called once, when the process ends. Logs those that can't be dropped.
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

/// The scratch server, with a session that creates databases there.
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
    /// The search path of the revisions: that of the settings, or of a session there.
    pub search_path: ViewedSearchPath,
}

/// The session's own search path, for [`ABOUT`], which runs under another.
const PATH: &str = "SELECT pg_catalog.set_config('pgmarch.search_path', pg_catalog.current_setting('search_path'), true)";

const ABOUT: &str = "SELECT current_setting('server_version_num'), current_user, pg_backend_pid(), \
    (SELECT (extract(epoch FROM backend_start) * 1000000)::int8 FROM pg_stat_get_activity(pg_backend_pid())), \
    (SELECT format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database WHERE datname = current_database()), \
    current_setting('pgmarch.search_path')";

/// Scratch databases of this role whose backend is gone. A role that may create databases could give one of its own such a name.
const ABANDONED: &str = "SELECT datname FROM pg_database d CROSS JOIN LATERAL regexp_match(d.datname, '^pgmarch_scratch_([0-9]+)_([0-9]+)_') m \
    WHERE m IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid::text = m[1] \
    AND coalesce((extract(epoch FROM a.backend_start) * 1000000)::int8::text, m[2]) = m[2]) \
    AND d.datdba = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)";

impl ScratchServer {
    /// Connects to the scratch server, and drops what a killed run left there.
    pub async fn open(
        environment: &Environment,
        config: &Config,
        cancels: &Cancels,
        leftovers: &Leftovers,
        host: &Host,
    ) -> Result<Self, ScratchError> {
        let environment = environment_for(environment, "PGMARCH_SCRATCH_URL").await.map_err(ScratchError::settings)?;
        let pool = Pool::new(environment.clone(), cancels.clone()).map_err(ScratchError::settings)?;
        let deadline = host.deadline(config.wait_timeout);
        let session = for_server(&pool, &config.wait_for, config.wait_timeout, deadline, host).await.map_err(ScratchError::Wait)?;
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

    /// A scratch database that a command may fill, and where it finds it: a URL with the password. The command connects by itself, and
    /// finds what a revision finds: the search path of the settings, with its schemas, and the role.
    pub async fn database_for_command(&self, what: &str, scope: Scope) -> Result<(Scratch, Secret), ScratchError> {
        let (role, path) = (scope.role.clone(), scope.search_path.clone());
        let scratch = self.database(what, scope).await?;
        let name = &scratch.name;
        let mut statements: Vec<Sql> =
            role.iter().map(|role| sql!("ALTER DATABASE {name} SET role TO {role}", name = *name, role = *role)).collect();
        let mut missing = Vec::new();
        if let ViewedSearchPath::Settings(path) = &path {
            statements.push(sql!("ALTER DATABASE {name} SET search_path TO {path}", name = *name, path = *path));
            let exists = |schema: &&Ident| matches!(schema.as_str(), "public" | "$user") || schema.as_str().starts_with("pg_");
            missing.extend(path.schemas().iter().filter(|schema| !exists(schema)).cloned());
        }
        scratch.furnish(&missing).await?;
        if !statements.is_empty() {
            self.session.run(&Message::verbatim(Sql::join(statements, ";\n"))).await?;
        }
        let conninfo = read_conninfo(&self.environment).await.map_err(ScratchError::settings)?.with_database(scratch.name.as_str());
        let environment = self.environment.with("PGMARCH_DATABASE_URL", conninfo.text());
        let target = read_target(&environment).await.map_err(ScratchError::settings)?;
        let url = model_command::url(&conninfo, &target);
        Ok((scratch, url))
    }

    /// A new, empty database.
    pub async fn database(&self, what: &str, scope: Scope) -> Result<Scratch, ScratchError> {
        let Some(name) = Ident::parse(&format!("{}{what}", self.prefix)) else {
            return Err(ScratchError::settings(ConnectError::NoAttempt("no name for a scratch database".to_owned())));
        };
        debug!("making the scratch database {}", name.as_str());
        // Listed before it exists: a signal may come while the server creates it.
        self.leftovers.list().names.push(name.clone());
        // No other session may connect, and create functions that the revisions would call: not even before CONNECT is revoked.
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
        let place = read_conninfo(&self.environment).await.map_err(ScratchError::settings)?.with_database(name.as_str());
        let pool =
            Pool::new(self.environment.with("PGMARCH_DATABASE_URL", place.text()), self.cancels.clone()).map_err(ScratchError::settings)?;
        let session = pool.session(CONNECT_TIMEOUT).await.map_err(ScratchError::settings)?;
        Ok(Scratch::new(session, Scope { server: self.server, ..scope }, name, pool))
    }
}
