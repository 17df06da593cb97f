//! The run lock: an advisory lock in a transaction on a connection of its own, polled, so that nothing waits inside
//! a statement and nothing can strand it.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tracing::{debug, info};

use crate::backoff::Pace;
use crate::connect::wait::{Said, Verdict, verdict};
use crate::connect::{Answer, ConnectError, Failure, Pool, SILENCE, Session};
use crate::counters::{self, Wait};
use crate::exit::{Exit, Explain, Retry};
use crate::ledger::State;
use crate::sql;
use crate::sql::{Message, Sql};
use crate::words::{chain, left};

/// Why the lock is not ours.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another runner kept it all the time.
    #[error("another run holds the lock: {holder}; not released within {}", humantime::format_duration(*.waited))]
    Timeout {
        /// Who, from `pg_stat_activity`.
        holder: String,
        /// `PGMARCH_RUN_LOCK_TIMEOUT`.
        waited: Duration,
    },
    /// No connection for it.
    #[error("no connection for the run lock")]
    Connect(#[from] ConnectError),
    /// The server refused a statement about it, or is gone.
    #[error("the run lock can't be taken")]
    Server(#[from] Failure),
    /// The lock's connection went while the run got ready.
    #[error("the connection that held the run lock was lost before anything was applied")]
    Lost,
    /// The second connection reached another server than the lock's: the hosts of the URL are in the middle of a change.
    #[error("the run lock and the next connection are on different servers")]
    DifferentServers,
    /// No second connection, or none that answers.
    #[error("no answer on a connection for the run within {}", crate::words::rough(*.waited))]
    NoSecondConnection {
        /// How long was waited.
        waited: Duration,
        /// What the last try met; `None` where nothing came at all.
        #[source]
        cause: Option<ConnectError>,
    },
}

impl Explain for LockError {
    fn exit(&self) -> Exit {
        match self {
            Self::Timeout { .. } | Self::Lost | Self::DifferentServers => Exit::Locked,
            Self::NoSecondConnection { .. } => Exit::Unreachable,
            Self::Connect(ConnectError::Settings(_)) => Exit::Usage,
            Self::Connect(error) if verdict(error) == Verdict::Wait => Exit::Unreachable,
            Self::Server(failure) if failure.is_lost() => Exit::Locked,
            Self::Connect(_) | Self::Server(_) => Exit::Refused,
        }
    }

    fn retry(&self) -> Retry {
        let is_worthwhile = match self {
            Self::Server(failure) => failure.is_lost(),
            Self::Connect(error) => verdict(error) == Verdict::Wait,
            Self::Lost | Self::DifferentServers => true,
            Self::Timeout { .. } | Self::NoSecondConnection { .. } => false,
        };
        if is_worthwhile { Retry::Reconnect } else { Retry::Never }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Timeout { .. } => "wait for that run, or end it with SELECT pg_terminate_backend(PID); PGMARCH_RUN_LOCK_TIMEOUT waits longer",
            Self::NoSecondConnection { .. } => "a run needs two connections at once, and a third to watch: give the pooler a pool size of at least 2, or connect past it (PGMARCH_DATABASE_URL); nothing was changed",
            Self::Connect(_) | Self::Server(_) | Self::Lost | Self::DifferentServers => "look at the server's log; nothing was changed, a new run starts afresh",
        }
        .into()
    }
}

/// The lock, held by an idle transaction that has no snapshot and so delays nobody. To have one is the leave to apply.
#[derive(Debug)]
pub struct Lock {
    session: Session,
    /// Its backend.
    pid: i32,
    key: i64,
    /// For the connections beside it: the worker's and the watcher's.
    pool: Pool,
}

/// How often a run looks whether the lock's connection still lives.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// One try to connect.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who stays connected only looks for so long whether the lock is free, before it tries to take it again: what it came for
/// may be done though the lock is not free.
const STAY: Duration = Duration::from_secs(1);
/// An empty message this often shows both sides that the other is there. It takes no snapshot, so it delays nobody.
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// An answer to it may take this long, and the server gives the lock up after [`LEASE`] without one.
const BEAT_PATIENCE: Duration = Duration::from_secs(30);
/// `idle_in_transaction_session_timeout` of the lock's transaction: nothing else ends a lock whose network went silent.
const LEASE: Duration = Duration::from_secs(60);
/// Giving the lock back is a courtesy too: the end of the connection does it as well.
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether this process takes a lock that nobody else knows.
static OFF: AtomicBool = AtomicBool::new(false);

/// Makes the lock of this process useless, so that tests can show that nothing depends on it. The program never calls it.
pub fn switch_off() {
    OFF.store(true, Ordering::Relaxed);
}

impl Lock {
    /// Tries until the lock is ours or `timeout` is over, and says who is in the way. Between tries it is not even
    /// connected, unless the server has plenty of room: a pooler's few connections, or a server's, are left to the run that
    /// has the lock. Where there is room, to log in again for each try would take the server longer than the try.
    pub async fn acquire(pool: &Pool, state: &State, timeout: Duration) -> Result<Self, LockError> {
        loop {
            if let Some(lock) = Self::acquire_unless(pool, state, timeout, async |_| false).await? {
                return Ok(lock);
            }
        }
    }

    /// The same, but looks again and again whether the lock is still needed: of many that wait, all but one find their work
    /// done, and need not get in one after the other to see that.
    pub async fn acquire_unless(
        pool: &Pool,
        state: &State,
        timeout: Duration,
        needless: impl AsyncFnMut(&Session) -> bool,
    ) -> Result<Option<Self>, LockError> {
        let started = Instant::now();
        let mut said = Said::default();
        let outcome = Self::poll(pool, state, timeout, needless, &mut said).await;
        if said.anything() {
            counters::waited(Wait::Lock, started.elapsed());
        }
        outcome
    }

    async fn poll(
        pool: &Pool,
        state: &State,
        timeout: Duration,
        mut needless: impl AsyncFnMut(&Session) -> bool,
        said: &mut Said,
    ) -> Result<Option<Self>, LockError> {
        let key = if OFF.load(Ordering::Relaxed) {
            RandomState::new().hash_one(std::process::id()).cast_signed()
        } else {
            state.ledger.run_lock_key()
        };
        let attempt = attempt(key, state.server.number);
        let holder = Message::preceded_by([Sql::of("ROLLBACK")], [holder_sql(key)]);
        let deadline = Instant::now() + timeout;
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut kept = None;
        loop {
            let stayed = kept.is_some();
            let session = match kept.take() {
                Some(session) => Ok(session),
                None => pool.session(PATIENCE).await,
            };
            let session = match session {
                // All who stay see the lock free at the same time.
                Ok(session) if stayed && needless(&session).await => return Ok(None),
                Ok(session) => session,
                // Others who wait have all connections, for a moment each.
                Err(error) if is_crowded(&error) && Instant::now() < deadline => {
                    if said.is_news("crowded") {
                        info!("waiting for a connection to take the run lock: {}; {} left", chain(&error), left(deadline));
                    }
                    tokio::time::sleep(pace.pause()).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(answers) = patiently(&session, &attempt, deadline, said).await? else {
                session.close();
                continue;
            };
            if let Some([got, pid]) = answers.last().and_then(|rows| rows.first()).map(Vec::as_slice)
                && got.as_deref() == Some("t")
            {
                debug!(key, pid, "run lock taken");
                return Ok(Some(Self { session, pid: number(pid.as_deref()), key, pool: pool.clone() }));
            }
            let answers = patiently(&session, &holder, deadline, said).await?.unwrap_or_default();
            if !stayed && needless(&session).await {
                return Ok(None);
            }
            let [holder, pid, has_room] = answers.into_iter().next_back().and_then(only).unwrap_or_default();
            let holder = holder.unwrap_or_else(|| "a run that has just ended".to_owned());
            let now = Instant::now();
            if now >= deadline {
                return Err(LockError::Timeout { holder, waited: timeout });
            }
            if said.is_news(holder.split(", since").next().unwrap_or("")) {
                info!("waiting for another run to end: {holder}; {} left", left(deadline));
            }
            if has_room.as_deref() == Some("t") && session.is_direct(number(pid.as_deref())).await {
                if released(&session, key, deadline.min(now + STAY)).await.is_ok() {
                    kept = Some(session);
                } else {
                    session.close();
                }
            } else {
                session.close();
                tokio::time::sleep(pace.pause().min(deadline - now)).await;
            }
        }
    }

    /// A second connection to the same server, for the work under the lock. It begins with `defaults`, if there
    /// are any, nothing stands between us and the server that might not know them, and the server takes them.
    pub async fn worker(&self, patience: Duration, defaults: Option<&str>) -> Result<Session, LockError> {
        let deadline = Instant::now() + patience;
        let is_direct = self.session.is_direct(self.pid).await;
        let mut defaults = defaults.filter(|_| is_direct);
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_millis(500));
        let mut said = Said::default();
        loop {
            let connecting = async {
                let session = self.pool.session_with(PATIENCE, defaults).await?;
                // A pooler lets everybody in, and makes the first question wait.
                let answer = patiently(&session, &seen(self.pid, self.key), deadline, &mut said).await?;
                Ok((session, answer))
            };
            let outcome = tokio::select! {
                outcome = connecting => outcome,
                () = self.lost() => return Err(LockError::Lost),
            };
            let error = match outcome {
                Ok((session, Some(answer))) if answer.last().is_some_and(|rows| !rows.is_empty()) => return Ok(session),
                Ok((session, None)) => {
                    session.close();
                    continue;
                }
                // Several hosts, and this is another one than that of the lock.
                Ok(_) => return Err(LockError::DifferentServers),
                Err(error) => error,
            };
            defaults = None;
            let now = Instant::now();
            let LockError::Connect(cause) = error else { return Err(error) };
            if now >= deadline || matches!(cause, ConnectError::Settings(_)) {
                return Err(LockError::NoSecondConnection { waited: patience, cause: Some(cause) });
            }
            if said.is_news(&chain(&cause)) {
                info!("waiting for a second connection beside the run lock's: {}; {} left", chain(&cause), left(deadline));
            }
            tokio::time::sleep(pace.pause().min(deadline - now)).await;
        }
    }

    /// Connections of the same run.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Ends when the lock's connection is gone, and with it the lock.
    pub async fn lost(&self) {
        let mut beat = Instant::now() + BEAT_EVERY;
        while !self.session.is_closed() {
            tokio::time::sleep(LOOK_EVERY).await;
            if Instant::now() < beat {
                continue;
            }
            match tokio::time::timeout(BEAT_PATIENCE, self.session.run(&Message::empty())).await {
                Ok(Ok(_)) => beat = Instant::now() + BEAT_EVERY,
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// Ends the transaction, and with it the lock.
    pub async fn release(self) {
        match tokio::time::timeout(RELEASE_PATIENCE, self.session.run(&Message::verbatim(Sql::of("COMMIT")))).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!(%error, "the run lock ended with its connection"),
            Err(_) => debug!("no answer to the release of the run lock; it ends with its connection"),
        }
    }
}

/// Returns when nobody holds the lock, or at `until`.
async fn released(session: &Session, key: i64, until: Instant) -> Result<(), Failure> {
    let held = Message::of(sql!("SELECT 1 FROM pg_locks WHERE granted AND {is_key}", is_key = is_key_sql(key)));
    let mut pace = Pace::new(Duration::from_millis(25), Duration::from_millis(50));
    loop {
        tokio::time::sleep(pace.pause().min(until.saturating_duration_since(Instant::now()))).await;
        if Instant::now() >= until || session.ask(&held).await?.iter().all(Vec::is_empty) {
            return Ok(());
        }
    }
}

/// The process id of a backend; 0 is none's.
fn number(pid: Option<&str>) -> i32 {
    pid.and_then(|pid| pid.parse().ok()).unwrap_or(0)
}

/// The only row of an answer.
fn only<const COLUMNS: usize>(answer: Answer) -> Option<[Option<String>; COLUMNS]> {
    answer.into_iter().next()?.try_into().ok()
}

/// Whether the server has no connection left for us now.
fn is_crowded(error: &ConnectError) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// Sends what takes no time. Where no answer comes, says so and goes on waiting: a pooler without a free connection
/// answers as soon as it has one. `None` after [`SILENCE`]: then a new connection may fare better.
async fn patiently(session: &Session, message: &Message, deadline: Instant, said: &mut Said) -> Result<Option<Vec<Answer>>, LockError> {
    let mut asking = std::pin::pin!(session.run(message));
    let started = Instant::now();
    loop {
        if let Ok(outcome) = tokio::time::timeout(ANSWERS_WITHIN, &mut asking).await {
            return Ok(Some(outcome?));
        }
        if Instant::now() >= deadline {
            return Err(LockError::NoSecondConnection { waited: started.elapsed(), cause: None });
        }
        if said.is_news("no answer") {
            info!("waiting for an answer: the server is busy, or a pooler has no free connection for us; {} left", left(deadline));
        }
        if started.elapsed() >= SILENCE {
            return Ok(None);
        }
    }
}

/// A pooler that has no connection to give, or a server that hangs, is told of after this long.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Opens the transaction that will hold the lock, safe from the timeouts that end idle ones.
fn attempt(key: i64, server: u32) -> Message {
    let settings = [
        sql!("SET LOCAL idle_in_transaction_session_timeout = {milliseconds}", milliseconds = LEASE.as_millis()),
        Sql::of("SET LOCAL statement_timeout = 0"),
    ];
    let transaction_timeout = (server >= 170_000).then(|| Sql::of("SET LOCAL transaction_timeout = 0"));
    let ahead = [Sql::of("BEGIN ISOLATION LEVEL READ COMMITTED")].into_iter().chain(settings).chain(transaction_timeout);
    Message::preceded_by(ahead, [sql!("SELECT pg_try_advisory_xact_lock({key}), pg_backend_pid()", key = key)])
}

/// Whether the lock that another connection holds is to be seen from this one.
fn seen(pid: i32, key: i64) -> Message {
    Message::of(sql!("SELECT 1 FROM pg_locks WHERE pid = {pid} AND granted AND {is_key}", pid = pid, is_key = is_key_sql(key)))
}

/// `pg_locks` shows a 64-bit advisory lock of this database as two halves (manual, 54.12).
fn is_key_sql(key: i64) -> Sql {
    let (high, low) = ((key >> 32) & 0xffff_ffff, key & 0xffff_ffff);
    sql!(
        "locktype = 'advisory' AND objsubid = 1 AND classid = {high}::oid AND objid = {low}::oid \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        high = high,
        low = low
    )
}

/// Who holds a 64-bit advisory lock; which backend says so; and whether over half of the server's connections are free.
fn holder_sql(key: i64) -> Sql {
    sql!(
        "SELECT (SELECT format('pid %s, role %s, application %s, from %s, since %s', a.pid, coalesce(a.usename, '?'), \
         coalesce(nullif(a.application_name, ''), '?'), coalesce(host(a.client_addr), 'a local socket'), \
         coalesce(date_trunc('second', clock_timestamp() - a.xact_start)::text, '?')) \
         FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.granted AND {is_key} LIMIT 1), pg_backend_pid(), \
         (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL) * 2 < current_setting('max_connections')::int",
        is_key = is_key_sql(key)
    )
}
