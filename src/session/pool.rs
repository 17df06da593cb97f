//! The pool: connections that are made on demand. deadpool-postgres decides who has one, who waits for one, and which is used again; this
//! module alone knows it. What it does not provide for:
//!
//! - Each new connection has settings, a time limit and a deadline of its own, and its error is a [`ConnectError`]. The pool passes
//!   neither on, but calls its connector in the task of whoever asks for a connection. So the order is a value of that task, and has
//!   room for what came of it.
//! - A connection ends with `Terminate`, whatever the server still has to answer. The pool drops a client by aborting a task, so the
//!   task that it is given only waits for that; another drives the connection, and ends by itself.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, ObjectId, RecyclingMethod};
use pg_connect::{ConnectError, ConnectOptions, ConnectTarget, ConnectionHandle, Environment, OpenConnection, connect};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Config};
use tracing::{debug, info, warn};

use super::cancels::{Cancels, locked};
use super::handle::SessionHandle;
use super::settings::read_target;
use super::{Session, application_name};

/// The most connections of one process: worker, lock, monitor.
const MOST_CONNECTIONS: usize = 3;

/// Connections made on demand, with the settings that the environment has at that moment. Clones share them.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    environment: Environment,
    cancels: Cancels,
    /// The database of the settings that were read last, for messages.
    address: Arc<Mutex<String>>,
    /// The handle to each open connection of the pool.
    open: Arc<Mutex<HashMap<ObjectId, SessionHandle>>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A session that is asked for, and the connection that is made if none is idle.
struct SessionOrder {
    target: ConnectTarget,
    timeout: Duration,
    deadline: Option<Instant>,
    /// None: no connection was made, because one was idle or the pool failed.
    made: Mutex<Option<Result<SessionHandle, ConnectError>>>,
}

tokio::task_local! {
    /// The order of the task that asks the pool for a connection.
    static ORDER: Arc<SessionOrder>;
}

/// The server's function that waits for synchronous standbys; it warns only when a commit does not wait for them (`syncrep.c`).
const WAIT_FOR_STANDBYS: &str = "SyncRepWaitForLSN";

impl Pool {
    /// Creates a pool that has not connected yet.
    pub fn new(environment: Environment, cancels: Cancels) -> Result<Self, ConnectError> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(Config::new(), Connector { cancels: cancels.clone() }, config);
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(MOST_CONNECTIONS)
            .build()
            .map_err(|error| ConnectError::NoAttempt(error.to_string()))?;
        Ok(Self { inner, environment, cancels, address: Arc::default(), open: Arc::default() })
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

    /// Reads the settings and the files that they name.
    pub(super) async fn read_target(&self) -> Result<ConnectTarget, ConnectError> {
        let target = read_target(&self.environment).await?;
        locked(&self.address).clone_from(&target.address);
        Ok(target)
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
        let order = Arc::new(SessionOrder { target, timeout, deadline, made: Mutex::default() });
        let lent = ORDER.scope(order.clone(), self.inner.get()).await;
        let made = locked(&order.made).take().transpose()?;
        let client = lent.map_err(|error| ConnectError::NoAttempt(error.to_string()))?;
        let has_defaults = has_defaults && made.is_some();
        let mut open = locked(&self.open);
        open.retain(|_, handle| !handle.driver.is_finished());
        open.extend(made.map(|handle| (Object::id(&client), handle)));
        let handle = open.get(&Object::id(&client)).cloned();
        let handle = handle.ok_or_else(|| ConnectError::NoAttempt("the pool's connection has just ended".to_owned()))?;
        Ok(Session { client, handle, has_defaults, cancels: self.cancels.clone(), answered: Mutex::default() })
    }

    /// The database for messages: that of the settings that were read last; never with its password.
    pub fn address(&self) -> String {
        locked(&self.address).clone()
    }
}

/// Makes the connections of the pool.
struct Connector {
    cancels: Cancels,
}

type ForPool = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Connector {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = ForPool> + Send + '_>> {
        let order = ORDER.get();
        Box::pin(async move {
            let application_name = application_name(None);
            let SessionOrder { target, timeout, deadline, made } = &*order;
            let options =
                ConnectOptions { application_name: &application_name, timeout: *timeout, deadline: *deadline, on_notice: log_notice };
            match connect(target, options).await {
                Ok(connection) => {
                    let (client, handle) = self.drive(connection);
                    let terminate = TerminateOnDrop(handle.connection.clone());
                    *locked(made) = Some(Ok(handle));
                    let until_aborted = async move {
                        let _terminate = terminate;
                        std::future::pending().await
                    };
                    Ok((client, tokio::spawn(until_aborted)))
                }
                Err(error) => {
                    *locked(made) = Some(Err(error));
                    Err(stand_in())
                }
            }
        })
    }
}

impl Connector {
    /// Drives a connection until it ends, and lists it among the open ones meanwhile.
    fn drive(&self, OpenConnection { client, connection, handle }: OpenConnection) -> (Client, SessionHandle) {
        let entry = self.cancels.enter(handle.clone());
        let unreplicated = Arc::new(AtomicBool::new(false));
        let (noticed, driven) = (unreplicated.clone(), handle.clone());
        let driver = tokio::spawn(async move {
            let _open = entry;
            let on_notice = |notice: &DbError| {
                if notice.routine() == Some(WAIT_FOR_STANDBYS) {
                    noticed.store(true, Ordering::Relaxed);
                }
                log_notice(notice);
            };
            driven.drive(connection, on_notice).await;
        });
        (client, SessionHandle { connection: handle, unreplicated, driver: driver.abort_handle() })
    }
}

/// The error that the pool gets for one that it does not know. It takes those of the driver only, which nobody else can construct: this
/// one is that of a connection string.
fn stand_in() -> tokio_postgres::Error {
    "unknown=".parse::<Config>().expect_err("an unknown keyword")
}

/// Terminates a connection when dropped.
struct TerminateOnDrop(ConnectionHandle);

impl Drop for TerminateOnDrop {
    fn drop(&mut self) {
        self.0.terminate();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_is_that_of_the_attempt() {
        let variables = [("DATABASE_URL".into(), "postgres://u@127.0.0.1:1/d".into())];
        let environment = Environment::new(crate::environment::PROGRAM, variables).expect("UTF-8");
        let pool = Pool::new(environment, Cancels::default()).expect("a pool");
        for _ in 0..=MOST_CONNECTIONS {
            let error = pool.session(Duration::from_secs(60)).await.expect_err("no server");
            assert!(matches!(error, ConnectError::Endpoint(_)), "{error}");
        }
        assert_eq!(pool.address(), "u@127.0.0.1:1/d");
    }
}
