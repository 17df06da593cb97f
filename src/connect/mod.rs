//! Where and how to connect, the pool, one session.

pub mod account;
pub mod conninfo;
pub mod fault;
pub mod keyword;
pub mod leave;
pub mod link;
pub mod login;
mod paper;
pub mod passfile;
pub mod service;
pub mod spelling;
pub mod target;
pub mod tls;
pub mod wait;
pub mod watch;

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, ObjectId, PoolError, RecyclingMethod};
use futures_util::StreamExt;
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{Client, Config, SimpleQueryMessage, SimpleQueryStream};
use tracing::{debug, info, warn};

use crate::environment::Environment;
use crate::sql::Message;
use crate::words::chain;
use conninfo::Conninfo;
use fault::{ConninfoError, SettingsError};
use link::{Link, LinkError, Ready};
use login::{Cancel, Connected};
use target::Target;
use watch::{Breach, DiscardingGuard};

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
    /// Held by whoever has what follows to himself.
    turn: tokio::sync::Mutex<()>,
    /// Where the next connection goes, decided anew for each, and how long one address may take.
    next: Mutex<Option<(Target, Duration)>>,
    /// Why there was none: the pool itself passes on nothing but the driver's errors.
    failed: Mutex<Option<ConnectError>>,
    /// To cancel what runs on the connection made last, until its session takes it.
    made: Mutex<Option<Cancel>>,
    /// The same for each connection of the pool.
    open: Mutex<HashMap<ObjectId, Cancel>>,
    /// One for each connection made, to cancel what runs there.
    cancels: Cancels,
}

/// Ways to cancel whatever runs on the connections of a process.
#[derive(Clone, Default)]
pub struct Cancels {
    tokens: Arc<Mutex<Tokens>>,
    /// How many messages are under way.
    busy: Arc<AtomicUsize>,
    /// Whether nothing new is to be begun.
    stopping: Arc<AtomicBool>,
}

/// The token of each open connection, by a number.
#[derive(Default)]
struct Tokens {
    next: u64,
    open: HashMap<u64, Cancel>,
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
    fn enter(&self, token: Cancel) -> Entry {
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

    /// From now on nothing new is to be begun: what is short would slip through between two cancel requests.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn under_way(&self) -> UnderWay {
        self.busy.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.busy.clone())
    }

    /// Says goodbye on every connection, whatever the server still has to answer there, and waits, shortly, until that is sent.
    pub async fn leave(&self) {
        locked(&self.tokens).open.values().for_each(Cancel::leave);
        let left = async {
            while !locked(&self.tokens).open.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        drop(tokio::time::timeout(FAREWELL, left).await);
    }

    /// Asks the server to cancel what runs on every connection; says nothing of success, as the protocol doesn't.
    pub async fn cancel_all(&self) {
        let tokens: Vec<Cancel> = locked(&self.tokens).open.values().cloned().collect();
        let mut requests: Vec<_> = tokens.iter().map(|token| Box::pin(token.send())).collect();
        let all = poll_fn(|context| {
            requests.retain_mut(|request| {
                let outcome = request.as_mut().poll(context);
                if let Poll::Ready(Err(error)) = &outcome {
                    debug!(error = %chain(error), "cancel request not delivered");
                }
                outcome.is_pending()
            });
            if requests.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        all.await;
    }
}

/// A goodbye takes no longer than this: the end of the process says it as well.
const FAREWELL: Duration = Duration::from_millis(50);

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
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<SettingsError>),
    /// The way to the server: name, network, TLS.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The server said no, or stopped in the middle.
    #[error("connection failed")]
    Server(#[source] tokio_postgres::Error),
    /// A server, but not of the kind that is wanted.
    #[error("the server is not what target_session_attrs={0} wants")]
    Misfit(&'static str),
    /// Both ways that `sslmode` allows, one after the other.
    #[error("{}: {}; {}: {}", if *.encrypted_first { "with TLS" } else { "without TLS" }, chain(.first), if *.encrypted_first { "without TLS" } else { "with TLS" }, chain(.second))]
    Modes {
        /// Why the first did not do.
        first: Box<ConnectError>,
        /// Why the second did not either.
        second: Box<ConnectError>,
        /// Which was which.
        encrypted_first: bool,
    },
    /// Several hosts, in the order in which they were tried.
    #[error("{}", .0.iter().map(|(place, error)| format!("{place}: {}", chain(error))).collect::<Vec<_>>().join("; "))]
    Hosts(Vec<(String, ConnectError)>),
    /// Nobody answered in the time of one try.
    #[error("no answer within {}", crate::words::rough(*.0))]
    Silence(Duration),
    /// The pool itself, which should not happen.
    #[error("no connection: {0}")]
    Pool(String),
}

impl ConnectError {
    /// The server's own error code; of several hosts the last one's, which ended the tries.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Server(error) => error.code(),
            Self::Modes { first, second, .. } => first.code().or(second.code()),
            Self::Hosts(failed) => failed.last().and_then(|(_, error)| error.code()),
            Self::Settings(_) | Self::Link(_) | Self::Misfit(_) | Self::Silence(_) | Self::Pool(_) => None,
        }
    }
}

/// A fault that shows only when a connection is made.
fn settings(fault: ConninfoError) -> ConnectError {
    ConnectError::Settings(vec![target::in_settings(fault)])
}

impl Pool {
    /// A pool that has not connected yet.
    pub fn new(environment: Environment, cancels: Cancels) -> Result<Self, ConnectError> {
        let shared = Arc::new(Shared { cancels, ..Shared::default() });
        let manager =
            Manager::from_connect(Config::new(), Connector(shared.clone()), ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(MOST_CONNECTIONS)
            .build()
            .map_err(|error| ConnectError::Pool(error.to_string()))?;
        Ok(Self { inner, shared, environment })
    }

    /// A session: an idle one, or a new one to where the environment says now. One try: each address may take `patience`,
    /// or what `connect_timeout` says.
    pub async fn session(&self, patience: Duration) -> Result<Session, ConnectError> {
        self.session_with(patience, None).await
    }

    /// The same; a new one begins with these settings, as `options` has them (manual, 34.1.2), and `RESET ALL` comes back to
    /// them. [`Session::has_defaults`] says whether it does.
    pub async fn session_with(&self, patience: Duration, defaults: Option<&str>) -> Result<Session, ConnectError> {
        let mut target = Target::of(&self.environment).map_err(ConnectError::Settings)?;
        if let Some(defaults) = defaults {
            let own = target.login.options.take();
            target.login.options = Some(own.into_iter().chain([defaults.to_owned()]).collect::<Vec<_>>().join(" "));
        }
        let _turn = self.shared.turn.lock().await;
        *locked(&self.shared.next) = Some((target, patience));
        match self.inner.get().await {
            Ok(client) => {
                let mut open = locked(&self.shared.open);
                let made = locked(&self.shared.made).take();
                let has_defaults = defaults.is_some() && made.is_some();
                if let Some(cancel) = made {
                    open.insert(Object::id(&client), cancel);
                }
                let cancel = open.get(&Object::id(&client)).cloned();
                Ok(Session { client, cancel, has_defaults, cancels: self.shared.cancels.clone() })
            }
            Err(PoolError::Backend(error)) => Err(locked(&self.shared.failed).take().unwrap_or(ConnectError::Server(error))),
            Err(error) => Err(ConnectError::Pool(error.to_string())),
        }
    }

    /// How a person names the database that was connected to last, or that the environment says, never with its password.
    pub fn address(&self) -> String {
        let last = locked(&self.shared.next).as_ref().map(|(target, _)| target.address.clone());
        last.unwrap_or_else(|| Conninfo::resolve(&self.environment).map(|conninfo| conninfo.address()).unwrap_or_default())
    }
}

/// Connects for the pool.
struct Connector(Arc<Shared>);

type ForPool = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Connector {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = ForPool> + Send + '_>> {
        let next = locked(&self.0.next).clone();
        Box::pin(async move {
            let outcome = match next {
                Some((target, patience)) => login::connect(&target, &application_name(None), patience).await,
                None => Err(ConnectError::Pool("nothing is decided".to_owned())),
            };
            match outcome {
                Ok(Connected { client, connection, cancel }) => {
                    let entry = self.0.cancels.enter(cancel.clone());
                    *locked(&self.0.made) = Some(cancel.clone());
                    let goodbye = Goodbye(cancel.clone());
                    tokio::spawn(async move {
                        let _open = entry;
                        cancel.drive(connection).await;
                    });
                    // The pool aborts this with the client that it drops, and so ends the connection in good manner.
                    let until_dropped = async move {
                        let _goodbye = goodbye;
                        std::future::pending().await
                    };
                    Ok((client, tokio::spawn(until_dropped)))
                }
                Err(error) => {
                    *locked(&self.0.failed) = Some(error);
                    stand_in().await
                }
            }
        })
    }
}

/// Has a connection say goodbye when dropped.
struct Goodbye(Cancel);

impl Drop for Goodbye {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The driver's errors can't be made: a connection to nobody has one.
async fn stand_in() -> ForPool {
    let (client, _) = Config::new().user("nobody").ssl_mode(SslMode::Disable).connect_raw(Link::closed(), Ready).await?;
    Ok((client, tokio::spawn(async {})))
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
    /// To cancel what runs here.
    cancel: Option<Cancel>,
    has_defaults: bool,
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
/// How long the answer to a question may take that was cancelled because it took longer than [`SILENCE`].
const CANCELLED_WITHIN: Duration = Duration::from_secs(1);

/// The rows that one statement returned, as text; NULL is `None`.
pub type Answer = Vec<Vec<Option<String>>>;

/// A message that failed, and how many of its statements had completed when it did.
#[derive(Debug, Error)]
#[error("{}", if matches!(.source, Cause::Unreplicated) { "the transaction is committed".to_owned() } else { format!("the server refused a message after {completed} statements") })]
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
    #[error("{0}")]
    Said(#[from] tokio_postgres::Error),
    /// No answer to something that takes no time.
    #[error("no answer within {}", crate::words::rough(*.0))]
    Silence(Duration),
    /// We ended the connection, for what the server said.
    #[error(transparent)]
    Broken(Breach),
    /// The server committed, and was kept from waiting for its synchronous standbys.
    #[error(
        "the server committed without waiting for its synchronous standbys: the commit is on this server alone until they have it, and lost if it fails before"
    )]
    Unreplicated,
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
            // The session is closed then, so nothing more comes of it.
            Cause::Silence(_) | Cause::Gone => true,
            // A second time would end in the same way.
            Cause::Broken(_) | Cause::Unreplicated => false,
        }
    }

    /// The server's own error code.
    pub fn code(&self) -> Option<&SqlState> {
        if let Cause::Said(error) = &self.source { error.code() } else { None }
    }

    /// Another session's lock was in the way, or a deadlock or a serialization failure: the same text may pass later.
    pub fn met_a_lock(&self) -> bool {
        self.code().is_some_and(|code| {
            [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code)
        })
    }

    /// Whether the server committed, but on itself alone.
    pub fn is_unreplicated(&self) -> bool {
        matches!(self.source, Cause::Unreplicated)
    }
}

impl Session {
    /// Sends a message; the rows of each of its statements in order.
    pub async fn run(&self, message: &Message) -> Result<Vec<Answer>, Failure> {
        self.send(message).await?.answers().await
    }

    /// Sends a message and leaves its answer for later. Messages are answered in the order in which they are sent, and one
    /// runs even if the one before it failed.
    pub async fn send(&self, message: &Message) -> Result<Sent<'_>, Failure> {
        let under_way = self.cancels.under_way();
        let discarding = self.cancel.as_ref().filter(|_| message.discards_rows()).map(Cancel::discard_rows);
        let sent = self.client.simple_query_raw(message.text()).await;
        let stream = sent.map_err(|source| Failure { completed: 0, source: self.cause(source) })?;
        Ok(Sent {
            stream: Box::pin(stream),
            margins: message.surrounding_answers(),
            discards: message.discards_rows(),
            session: self,
            under_way,
            _discarding: discarding,
        })
    }

    /// The same for what takes no time: without an answer in [`SILENCE`] it is cancelled, and the connection is closed.
    pub async fn ask(&self, message: &Message) -> Result<Vec<Answer>, Failure> {
        self.within(SILENCE, CANCELLED_WITHIN, self.run(message)).await
    }

    /// The same for a write of ours that waits for other sessions' locks for `patience`: without an answer it is cancelled, and
    /// what the server says to that tells whether it was done. If that does not come either, nobody knows
    /// ([`Failure::is_lost`]).
    pub async fn write(&self, message: &Message, patience: Duration) -> Result<Vec<Answer>, Failure> {
        self.within(patience.saturating_add(SILENCE), SILENCE, self.run(message)).await
    }

    /// Waits for an answer; once `patience` is over it cancels what runs, and waits for what becomes of that for `confirmed`.
    async fn within<T>(
        &self,
        patience: Duration,
        confirmed: Duration,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut answer = std::pin::pin!(answer);
        if let Ok(outcome) = timeout(patience, &mut answer).await {
            return outcome;
        }
        let (_, outcome) = tokio::join!(timeout(confirmed, self.cancel()), timeout(confirmed, &mut answer));
        outcome.unwrap_or_else(|_| {
            self.leave();
            Err(Failure { completed: 0, source: Cause::Silence(patience) })
        })
    }

    /// Closes the connection, whatever the server still has to answer.
    pub fn leave(&self) {
        if let Some(cancel) = &self.cancel {
            cancel.leave();
        }
    }

    /// Whether the backend that answers, of this process id, is the one that the login was with, as cancel requests name it: a
    /// pooler gives a number of its own making.
    pub async fn is_direct(&self, pid: i32) -> bool {
        match &self.cancel {
            Some(cancel) => cancel.pid().await == Some(pid),
            None => false,
        }
    }

    /// Whether it began with the settings that were asked for ([`Pool::session_with`]).
    pub fn has_defaults(&self) -> bool {
        self.has_defaults
    }

    /// Whether it goes through a socket of this machine's, where a server that answers into the void has that in its log.
    pub fn is_local(&self) -> bool {
        self.cancel.as_ref().is_some_and(Cancel::is_local)
    }

    /// Closes the connection now, instead of leaving it to the pool: the next session is a new one, perhaps to another server.
    pub fn close(self) {
        drop(Object::take(self.client));
    }

    /// Why a message failed: the driver knows of a connection that we ended only that it is closed.
    fn cause(&self, said: tokio_postgres::Error) -> Cause {
        match self.cancel.as_ref().and_then(Cancel::breach) {
            Some(breach) if said.is_closed() => Cause::Broken(breach.clone()),
            _ => Cause::Said(said),
        }
    }

    /// Whether this process was told to stop, so that nothing new is to be begun.
    pub fn is_stopping(&self) -> bool {
        self.cancels.stopping.load(Ordering::Relaxed)
    }

    /// Whether the connection is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks the server, over a connection of its own, to cancel what runs here.
    pub async fn cancel(&self) {
        if let Some(cancel) = &self.cancel
            && let Err(error) = cancel.send().await
        {
            debug!(error = %chain(&error), "cancel request not delivered");
        }
    }
}

/// A message on its way, or its answer. Dropping it takes nothing back.
pub struct Sent<'s> {
    session: &'s Session,
    stream: Pin<Box<SimpleQueryStream>>,
    /// How many answers come before and behind those that were asked for.
    margins: (usize, usize),
    /// Whether rows are discarded, as [`Message::discarding_rows`] says.
    discards: bool,
    under_way: UnderWay,
    _discarding: Option<DiscardingGuard>,
}

impl Sent<'_> {
    /// Waits for the answer: the rows of each of its statements in order.
    pub async fn answers(mut self) -> Result<Vec<Answer>, Failure> {
        let (before, behind) = self.margins;
        let mut answers = VecDeque::new();
        let mut answer = Answer::new();
        let mut completed = 0;
        while let Some(message) = self.stream.next().await {
            match message {
                Ok(SimpleQueryMessage::Row(_)) if self.discards && !answer.is_empty() => {}
                Ok(SimpleQueryMessage::Row(row)) => answer.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()),
                Ok(SimpleQueryMessage::CommandComplete(_)) => {
                    completed += 1;
                    answers.push_back(std::mem::take(&mut answer));
                    if self.discards && answers.len() > behind + 1 {
                        answers.pop_front();
                    }
                }
                Ok(_) => {}
                Err(source) => return Err(Failure { completed, source: self.session.cause(source) }),
            }
        }
        drop(self.under_way);
        // Of several messages under way only the last one's commit waits for standbys, so the warning is that one's.
        if self.session.cancel.as_ref().is_some_and(Cancel::take_unreplicated) {
            return Err(Failure { completed, source: Cause::Unreplicated });
        }
        answers.truncate(answers.len().saturating_sub(behind));
        answers.drain(..before.min(answers.len()));
        Ok(answers.into())
    }
}

/// Whether an error means that the connection is gone: its socket is closed, or the server ended the session, which it says with
/// FATAL or PANIC. An ERROR never does, whatever its SQLSTATE: `dblink` reports a server of its own with 08001, and `RAISE` may
/// take any (manual, 55.7 and 20.8.2).
pub fn is_lost(error: &tokio_postgres::Error) -> bool {
    if error.is_closed() {
        return true;
    }
    match error.as_db_error() {
        Some(said) => match said.parsed_severity() {
            Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
            // A pooler may leave out what is not translated.
            None => ["FATAL", "PANIC"].contains(&said.severity()),
        },
        None => std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>()),
    }
}
