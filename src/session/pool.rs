//! The pool: connections that are made on demand.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, ObjectId, PoolError, RecyclingMethod};
use pg_connect::stream::{PgStream, PreTls};
use pg_connect::{ConnectError, ConnectOptions, ConnectTarget, ConnectionHandle, Conninfo, Environment, OpenConnection, connect};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Config};
use tracing::{debug, info, warn};

use super::cancels::{Cancels, locked};
use super::handle::SessionHandle;
use super::{Session, application_name};

/// The most connections of one process: worker, lock, monitor.
const MOST_CONNECTIONS: usize = 3;

/// Connections made on demand, with the settings that the environment has at that moment. Clones share them.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    state: Arc<PoolState>,
    environment: Environment,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// The server's function that waits for synchronous standbys; it warns only when a commit does not wait for them (`syncrep.c`).
const WAIT_FOR_STANDBYS: &str = "SyncRepWaitForLSN";

/// What the pool and its connector share.
#[derive(Default)]
struct PoolState {
    /// Held while a session is opened, so that the fields below belong to one caller.
    turn: tokio::sync::Mutex<()>,
    /// The target of the next connection, decided again for each, and the timeout of one address.
    next: Mutex<Option<(ConnectTarget, Duration, Option<Instant>)>>,
    /// Why it could not be made: the pool itself passes on only the driver's errors.
    failed: Mutex<Option<ConnectError>>,
    /// The handle to the connection made last, until its session takes it.
    made: Mutex<Option<SessionHandle>>,
    /// The handle to each connection of the pool.
    open: Mutex<HashMap<ObjectId, SessionHandle>>,
    /// The open connections of the process.
    cancels: Cancels,
}

impl Pool {
    /// Creates a pool that has not connected yet.
    pub fn new(environment: Environment, cancels: Cancels) -> Result<Self, ConnectError> {
        let state = Arc::new(PoolState { cancels, ..PoolState::default() });
        let manager =
            Manager::from_connect(Config::new(), PoolConnector(state.clone()), ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(MOST_CONNECTIONS)
            .build()
            .map_err(|error| ConnectError::NoAttempt(error.to_string()))?;
        Ok(Self { inner, state, environment })
    }

    /// A session: an idle one, or a new one with the current settings of the environment. One attempt: each address may take
    /// `timeout`, unless `connect_timeout` is set.
    pub async fn session(&self, timeout: Duration) -> Result<Session, ConnectError> {
        self.session_with(timeout, None).await
    }

    /// The same by `deadline`, for settings that were read before.
    pub(super) async fn session_by(&self, target: ConnectTarget, timeout: Duration, deadline: Instant) -> Result<Session, ConnectError> {
        self.open(target, timeout, Some(deadline), false).await
    }

    /// Reads the settings and the files that they name, in a thread for blocking work. The time that a file may take is not part of a
    /// connection's.
    pub(super) async fn read_target(&self) -> Result<ConnectTarget, ConnectError> {
        let environment = self.environment.clone();
        match tokio::task::spawn_blocking(move || ConnectTarget::of(&environment)).await {
            Ok(target) => target.map_err(ConnectError::Settings),
            Err(error) => Err(ConnectError::NoAttempt(error.to_string())),
        }
    }

    /// The same; a new session starts with the settings `defaults`, in the syntax of `options` (PostgreSQL manual, 34.1.2), to which
    /// `RESET ALL` returns. [`Session::has_defaults`] tells whether it is a new one.
    pub async fn session_with(&self, timeout: Duration, defaults: Option<&str>) -> Result<Session, ConnectError> {
        let mut target = self.read_target().await?;
        if let Some(defaults) = defaults {
            let own = target.login.options.take();
            target.login.options = Some(own.into_iter().chain([defaults.to_owned()]).collect::<Vec<_>>().join(" "));
        }
        self.open(target, timeout, None, defaults.is_some()).await
    }

    async fn open(
        &self,
        target: ConnectTarget,
        timeout: Duration,
        deadline: Option<Instant>,
        has_defaults: bool,
    ) -> Result<Session, ConnectError> {
        let _turn = self.state.turn.lock().await;
        *locked(&self.state.next) = Some((target, timeout, deadline));
        match self.inner.get().await {
            Ok(client) => {
                let mut open = locked(&self.state.open);
                let made = locked(&self.state.made).take();
                let has_defaults = has_defaults && made.is_some();
                if let Some(handle) = made {
                    open.insert(Object::id(&client), handle);
                }
                let handle = open.get(&Object::id(&client)).cloned();
                Ok(Session { client, handle, has_defaults, cancels: self.state.cancels.clone(), answered: Mutex::default() })
            }
            Err(PoolError::Backend(error)) => Err(locked(&self.state.failed).take().unwrap_or_else(|| error.into())),
            Err(error) => Err(ConnectError::NoAttempt(error.to_string())),
        }
    }

    /// The database for messages: the one connected to last, or that of the environment; never with its password.
    pub fn address(&self) -> String {
        let last = locked(&self.state.next).as_ref().map(|(target, ..)| target.address.clone());
        last.unwrap_or_else(|| Conninfo::resolve(&self.environment).map(|conninfo| conninfo.address()).unwrap_or_default())
    }
}

/// Makes the connections of the pool.
struct PoolConnector(Arc<PoolState>);

type ForPool = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for PoolConnector {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = ForPool> + Send + '_>> {
        let next = locked(&self.0.next).clone();
        Box::pin(async move {
            let outcome = match next {
                Some((target, timeout, deadline)) => {
                    let application_name = application_name(None);
                    let options = ConnectOptions { application_name: &application_name, timeout, deadline, on_notice: log_notice };
                    connect(&target, options).await
                }
                None => Err(ConnectError::NoAttempt("nothing is decided".to_owned())),
            };
            match outcome {
                Ok(OpenConnection { client, connection, handle }) => {
                    let entry = self.0.cancels.enter(handle.clone());
                    let unreplicated = Arc::new(AtomicBool::new(false));
                    *locked(&self.0.made) = Some(SessionHandle { connection: handle.clone(), unreplicated: unreplicated.clone() });
                    let terminate = TerminateOnDrop(handle.clone());
                    tokio::spawn(async move {
                        let _open = entry;
                        let on_notice = |notice: &DbError| {
                            if notice.routine() == Some(WAIT_FOR_STANDBYS) {
                                unreplicated.store(true, Ordering::Relaxed);
                            }
                            log_notice(notice);
                        };
                        handle.drive(connection, on_notice).await;
                    });
                    // The pool aborts this task when it drops the client, which sends `Terminate`.
                    let until_dropped = async move {
                        let _terminate = terminate;
                        std::future::pending().await
                    };
                    Ok((client, tokio::spawn(until_dropped)))
                }
                Err(error) => {
                    *locked(&self.0.failed) = Some(error);
                    closed_connection().await
                }
            }
        })
    }
}

/// Terminates a connection when dropped.
struct TerminateOnDrop(ConnectionHandle);

impl Drop for TerminateOnDrop {
    fn drop(&mut self) {
        self.0.terminate();
    }
}

/// An error for the pool, which takes only those of the driver, and these can't be constructed: a closed stream has one.
async fn closed_connection() -> ForPool {
    let (client, _) = Config::new().user("nobody").ssl_mode(SslMode::Disable).connect_raw(PgStream::closed(), PreTls).await?;
    Ok((client, tokio::spawn(async {})))
}

/// Logs a notice of the server.
fn log_notice(notice: &DbError) {
    let (severity, message) = (notice.severity(), notice.message());
    let detail = notice.detail().or(notice.hint()).map(|more| format!(" ({more})")).unwrap_or_default();
    match severity {
        // The `ROLLBACK` that pgmarch sends after a message that failed as a whole, when there is no transaction.
        _ if *notice.code() == SqlState::NO_ACTIVE_SQL_TRANSACTION => debug!(target: "pgmarch::server", "{severity}: {message}"),
        "WARNING" => warn!(target: "pgmarch::server", "{severity}: {message}{detail}"),
        "DEBUG" | "DEBUG1" | "DEBUG2" | "DEBUG3" | "DEBUG4" | "DEBUG5" => {
            debug!(target: "pgmarch::server", "{severity}: {message}{detail}")
        }
        _ => info!(target: "pgmarch::server", "{severity}: {message}{detail}"),
    }
}
