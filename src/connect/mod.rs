//! Where and how to connect, the pool, one session.

pub mod conninfo;
pub mod wait;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, PoolError, RecyclingMethod};
use futures_util::StreamExt;
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, NoTls, SimpleQueryMessage};
use tracing::{debug, info, warn};

use crate::config::{ConfigFault, Environment};
use conninfo::Conninfo;

/// The most connections one process holds: worker, lock, watcher.
const MOST_CONNECTIONS: usize = 3;

/// Names this program to the server, in `application_name`, with what it is at: `pgmarch/VERSION REVISION host`. The
/// server keeps 63 bytes, and only ASCII.
pub fn application_name(revision: Option<&str>) -> String {
    let host = host_name();
    let words = [concat!("pgmarch/", env!("CARGO_PKG_VERSION")), revision.unwrap_or(""), host.as_str()];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(63).collect()
}

/// The name of this host (in Kubernetes the pod's), for the journal and for whoever meets our lock.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Connections made on demand, where the environment says at that moment. Clones share them.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    shared: Arc<Shared>,
    environment: Environment,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// What the pool's own connect function and we both see.
#[derive(Default)]
struct Shared {
    /// Where the next connection goes: resolved anew for each.
    target: Mutex<Config>,
    /// One for each connection made, to cancel what runs there.
    cancels: Cancels,
}

/// Ways to cancel whatever runs on the connections of a process.
#[derive(Clone, Default)]
pub struct Cancels {
    tokens: Arc<Mutex<Tokens>>,
    /// How many messages are under way.
    busy: Arc<AtomicUsize>,
}

/// The token of each open connection, by a number.
#[derive(Default)]
struct Tokens {
    next: u64,
    open: HashMap<u64, CancelToken>,
}

/// An open connection among the tokens, until dropped.
struct Entry {
    number: u64,
    tokens: Arc<Mutex<Tokens>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        locked(&self.tokens).open.remove(&self.number);
    }
}

impl Cancels {
    fn enter(&self, token: CancelToken) -> Entry {
        let mut tokens = locked(&self.tokens);
        tokens.next += 1;
        let number = tokens.next;
        tokens.open.insert(number, token);
        Entry { number, tokens: self.tokens.clone() }
    }

    /// Whether anything is under way that could be cancelled.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    fn under_way(&self) -> UnderWay {
        self.busy.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.busy.clone())
    }

    /// Asks the server to cancel what runs on every connection; says nothing of success, as the protocol doesn't.
    pub async fn cancel_all(&self) {
        let tokens: Vec<CancelToken> = locked(&self.tokens).open.values().cloned().collect();
        let all = tokens.iter().map(|token| token.cancel_query(NoTls));
        for outcome in futures_util::future::join_all(all).await {
            if let Err(error) = outcome {
                debug!(%error, "cancel request not delivered");
            }
        }
    }
}

/// A message under way, until dropped.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there is no session.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The settings don't say where to connect, or say it wrongly.
    #[error(transparent)]
    Settings(#[from] ConfigFault),
    /// The server, or the way to it, said no.
    #[error("connection failed")]
    Server(#[source] tokio_postgres::Error),
    /// Nobody answered in the time of one try.
    #[error("no answer within {}", crate::report::rough(*.0))]
    Silence(Duration),
    /// The pool itself, which should not happen.
    #[error("no connection: {0}")]
    Pool(String),
}

impl Pool {
    /// A pool that has not connected yet.
    pub fn new(environment: Environment, cancels: Cancels) -> Result<Self, ConnectError> {
        let shared = Arc::new(Shared { target: Mutex::default(), cancels });
        let manager =
            Manager::from_connect(Config::new(), Connector(shared.clone()), ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(MOST_CONNECTIONS)
            .build()
            .map_err(|error| ConnectError::Pool(error.to_string()))?;
        Ok(Self { inner, shared, environment })
    }

    /// A session: an idle one, or a new one to where the environment says now. One try, `patience` long.
    pub async fn session(&self, patience: Duration) -> Result<Session, ConnectError> {
        let conninfo = Conninfo::resolve(&self.environment)?;
        let mut target = conninfo.config().map_err(|source| ConfigFault::Conninfo { name: "connection settings".to_owned(), source })?;
        if target.get_application_name().is_none() {
            target.application_name(application_name(None));
        }
        let patience = target.get_connect_timeout().map_or(patience, |timeout| patience.min(*timeout));
        *locked(&self.shared.target) = target;
        match tokio::time::timeout(patience, self.inner.get()).await {
            Err(_) => Err(ConnectError::Silence(patience)),
            Ok(Err(PoolError::Backend(error))) => Err(ConnectError::Server(error)),
            Ok(Err(error)) => Err(ConnectError::Pool(error.to_string())),
            Ok(Ok(client)) => Ok(Session { client, cancels: self.shared.cancels.clone() }),
        }
    }

    /// How a person names the database that the environment says, never with its password.
    pub fn address(&self) -> String {
        Conninfo::resolve(&self.environment).map(|conninfo| conninfo.address()).unwrap_or_default()
    }
}

/// Connects for the pool, and drives each connection in a task of its own that logs the server's notices.
struct Connector(Arc<Shared>);

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Connector {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let target = locked(&self.0.target).clone();
        Box::pin(async move {
            let (client, mut connection) = target.connect(NoTls).await?;
            let entry = self.0.cancels.enter(client.cancel_token());
            let task = tokio::spawn(async move {
                let _open = entry;
                while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                    match message {
                        Ok(AsyncMessage::Notice(notice)) => log_notice(&notice),
                        Ok(_) => {}
                        Err(error) => {
                            debug!(error = %crate::report::chain(&error), "connection ended");
                            break;
                        }
                    }
                }
            });
            Ok((client, task))
        })
    }
}

fn log_notice(notice: &tokio_postgres::error::DbError) {
    let (severity, message) = (notice.severity(), notice.message());
    let detail = notice.detail().or(notice.hint()).map(|more| format!(" ({more})")).unwrap_or_default();
    match severity {
        // Our own ROLLBACK after a message that failed as a whole: there was nothing to roll back.
        _ if *notice.code() == SqlState::NO_ACTIVE_SQL_TRANSACTION => debug!(target: "pgmarch::server", "{severity}: {message}"),
        "WARNING" => warn!(target: "pgmarch::server", "{severity}: {message}{detail}"),
        "DEBUG" | "DEBUG1" | "DEBUG2" | "DEBUG3" | "DEBUG4" | "DEBUG5" => {
            debug!(target: "pgmarch::server", "{severity}: {message}{detail}")
        }
        _ => info!(target: "pgmarch::server", "{severity}: {message}{detail}"),
    }
}

/// One connection, spoken to in whole simple-query messages (PostgreSQL manual, 54.2.2.1).
pub struct Session {
    client: Object,
    cancels: Cancels,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

/// How long the answer to a question that takes no time may be on its way. A path that goes silent without breaking is
/// noticed by nothing else: its other end goes on acknowledging.
pub const SILENCE: Duration = Duration::from_secs(10);

/// The rows that one statement returned, as text; NULL is `None`.
pub type Answer = Vec<Vec<Option<String>>>;

/// A message that failed, and how many of its statements had completed when it did.
#[derive(Debug, Error)]
#[error("the server refused a message after {completed} statements")]
pub struct Failure {
    /// Statements of the message that were complete; those of a failed transaction are undone nevertheless.
    pub completed: usize,
    /// What the server or the connection said, or didn't.
    #[source]
    pub source: Cause,
}

/// Why a message failed.
#[derive(Debug, Error)]
pub enum Cause {
    /// What the server or the connection said.
    #[error(transparent)]
    Said(#[from] tokio_postgres::Error),
    /// No answer to something that takes no time.
    #[error("no answer within {}", crate::report::rough(*.0))]
    Silence(Duration),
    /// Another connection saw that the server no longer runs it, but no answer came.
    #[error("the server ended the statement, but its answer never came")]
    Gone,
}

impl Cause {
    /// The server's error, if it is one.
    pub fn as_db_error(&self) -> Option<&tokio_postgres::error::DbError> {
        if let Self::Said(error) = self { error.as_db_error() } else { None }
    }
}

impl Failure {
    /// Whether the connection is gone, so that nobody knows what became of the message.
    pub fn is_lost(&self) -> bool {
        match &self.source {
            Cause::Said(error) => is_lost(error),
            Cause::Silence(_) | Cause::Gone => true,
        }
    }

    /// The server's own error code.
    pub fn code(&self) -> Option<&SqlState> {
        if let Cause::Said(error) = &self.source { error.code() } else { None }
    }

    /// A message that got no answer.
    pub fn silence(patience: Duration) -> Self {
        Self { completed: 0, source: Cause::Silence(patience) }
    }
}

impl Session {
    /// Sends `sql` as one message; the rows of each of its statements in order.
    pub async fn run(&self, sql: &str) -> Result<Vec<Answer>, Failure> {
        let _under_way = self.cancels.under_way();
        let mut answers = Vec::new();
        let mut answer = Answer::new();
        let stream = match self.client.simple_query_raw(sql).await {
            Ok(stream) => stream,
            Err(source) => return Err(Failure { completed: 0, source: source.into() }),
        };
        let mut stream = std::pin::pin!(stream);
        while let Some(message) = stream.next().await {
            match message {
                Ok(SimpleQueryMessage::Row(row)) => answer.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()),
                Ok(SimpleQueryMessage::CommandComplete(_)) => answers.push(std::mem::take(&mut answer)),
                Ok(_) => {}
                Err(source) => return Err(Failure { completed: answers.len(), source: source.into() }),
            }
        }
        Ok(answers)
    }

    /// The same for what takes no time: without an answer in [`SILENCE`] the connection counts as lost.
    pub async fn ask(&self, sql: &str) -> Result<Vec<Answer>, Failure> {
        tokio::time::timeout(SILENCE, self.run(sql)).await.unwrap_or_else(|_| Err(Failure::silence(SILENCE)))
    }

    /// Closes the connection now, instead of leaving it to the pool.
    pub fn close(self) {
        drop(Object::take(self.client));
    }

    /// Whether the connection is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends the connection instead of giving it back: the next session is a new one, perhaps to another server.
    pub fn discard(self) {
        drop(Object::take(self.client));
    }

    /// Asks the server, over a connection of its own, to cancel what runs here.
    pub async fn cancel(&self) {
        if let Err(error) = self.client.cancel_token().cancel_query(NoTls).await {
            debug!(%error, "cancel request not delivered");
        }
    }
}

/// Whether an error means that the connection is gone: closed, cut, or ended by the server.
pub fn is_lost(error: &tokio_postgres::Error) -> bool {
    if error.is_closed() {
        return true;
    }
    match error.code() {
        Some(code) => {
            code.code().starts_with("08")
                || [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW, SqlState::DATABASE_DROPPED]
                    .contains(code)
                || code.code() == "57P05"
        }
        None => std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>()),
    }
}
