//! The run lock: an advisory lock in a transaction on a connection of its own. It is polled, so that no session waits inside a
//! statement; and it ends with its connection, so it can't be left behind.

mod error;
mod heartbeat;
mod queries;

use std::time::Duration;

use pg_connect::ConnectError;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tracing::debug;

use crate::backoff::Pace;
use crate::facts::Blocker;
use crate::host::{Event, EventThrottle, Host, LockWait, Wait};
use crate::ledger::State;
use crate::session::other_session;
use crate::session::{Failure, Pool, QUERY_TIMEOUT, Session, StatementResult};
use crate::sql::{Message, Sql};
use crate::words::chain;

pub use error::LockError;
pub use heartbeat::Heartbeat;

/// The lock, held by an idle transaction that has no snapshot and so delays no other session. Its holder may apply a plan.
#[derive(Debug)]
pub struct RunLock {
    session: Session,
    /// Its backend.
    pid: i32,
    key: i64,
    /// For the connections besides it: the worker's and the monitor's.
    pool: Pool,
    host: Host,
    heartbeat: Heartbeat,
}

/// Whether the lock is still needed.
pub trait Need: Send {
    /// Whether the lock is not needed any more.
    fn is_over(&mut self, session: &Session) -> impl Future<Output = bool> + Send;
}

/// The lock is always needed.
struct AlwaysNeeded;

impl Need for AlwaysNeeded {
    async fn is_over(&mut self, _: &Session) -> bool {
        false
    }
}

/// The interval between checks that the lock's connection is still open.
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// The timeout of one attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that stays open only polls `pg_locks` before it tries to take the lock again, whether or not that shows
/// the lock as free: another run may have done the work.
const STAY: Duration = Duration::from_secs(1);
/// The timeout of the answer to a heartbeat. Without messages the server ends the lock's transaction after a minute (`queries::LEASE`).
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);
/// The timeout of a release: the end of the connection releases the lock too.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);
/// A pooler without a free server connection, or a server that hangs, is reported after this long.
const REPORT_AFTER: Duration = Duration::from_secs(2);

impl RunLock {
    /// Tries until this run has the lock or `timeout` is over. Between attempts it disconnects, unless over half of the server's
    /// connections are free: the few connections of a pooler, or of a server, are left to the run that has the lock. Otherwise it
    /// stays connected, as a login costs the server more than the attempt.
    pub async fn acquire(pool: &Pool, state: &State, timeout: Duration, host: &Host) -> Result<Self, LockError> {
        loop {
            if let Some(lock) = Self::acquire_unless(pool, state, timeout, host, &mut AlwaysNeeded).await? {
                return Ok(lock);
            }
        }
    }

    /// The same, but asks `need` at each attempt: of many runs that wait, all but one find their work done, and don't have to
    /// take the lock one after the other to find that out.
    pub async fn acquire_unless(
        pool: &Pool,
        state: &State,
        timeout: Duration,
        host: &Host,
        need: &mut impl Need,
    ) -> Result<Option<Self>, LockError> {
        let started = host.now();
        let mut throttle = EventThrottle::default();
        let outcome = Self::poll(pool, state, timeout, host, need, &mut throttle).await;
        if throttle.has_told() {
            host.notify(&Event::WaitEnded { wait: Wait::Lock, waited: host.elapsed(started) });
        }
        outcome
    }

    async fn poll(
        pool: &Pool,
        state: &State,
        timeout: Duration,
        host: &Host,
        need: &mut impl Need,
        throttle: &mut EventThrottle,
    ) -> Result<Option<Self>, LockError> {
        let key = host.lock_key(state.ledger.run_lock_key());
        let try_lock = queries::try_lock(key, state.server.number);
        let holder = queries::holder(key);
        let deadline = host.deadline(timeout);
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut open_session = None;
        loop {
            let was_open = open_session.is_some();
            let session = match open_session.take() {
                Some(session) => Ok(session),
                None => pool.session(CONNECT_TIMEOUT).await,
            };
            let session = match session {
                // All runs that stay connected see the lock free at the same time.
                Ok(session) if was_open && need.is_over(&session).await => return Ok(None),
                Ok(session) => session,
                // Other runs that wait have all connections, each for a moment.
                Err(error) if is_crowded(&error) && host.now() < deadline => {
                    if throttle.is_due("crowded", host) {
                        let reason = LockWait::Connection(&chain(&error));
                        host.notify(&Event::WaitingForLock { reason, remaining: host.remaining(deadline) });
                    }
                    host.sleep(host.next_pause(&mut pace)).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(answers) = ask(&session, &try_lock, deadline, host, throttle).await? else {
                session.close();
                continue;
            };
            if let Some([got, pid]) = answers.last().and_then(|rows| rows.first()).map(Vec::as_slice)
                && got.as_deref() == Some("t")
            {
                debug!(key, pid, "run lock taken");
                return Ok(Some(Self {
                    session,
                    pid: parse_pid(pid.as_deref()),
                    key,
                    pool: pool.clone(),
                    host: host.clone(),
                    heartbeat: Heartbeat::default(),
                }));
            }
            let answers = ask(&session, &holder, deadline, host, throttle).await?.unwrap_or_default();
            if !was_open && need.is_over(&session).await {
                return Ok(None);
            }
            let [holder, pid, has_room] = answers.into_iter().next_back().and_then(single_row).unwrap_or_default();
            let holder = holder.as_deref().and_then(other_session::parse).map(|holder| Blocker { query: None, ..holder });
            let now = host.now();
            if now >= deadline {
                return Err(LockError::Timeout { holder, waited: timeout });
            }
            if throttle.is_due(&holder.as_ref().map_or(0, |holder| holder.pid).to_string(), host) {
                let reason = LockWait::Holder(&error::name(holder.as_ref()));
                host.notify(&Event::WaitingForLock { reason, remaining: host.remaining(deadline) });
            }
            if has_room.as_deref() == Some("t") && session.is_direct(parse_pid(pid.as_deref())).await {
                if wait_until_released(&session, key, deadline.min(now + STAY), host).await.is_ok() {
                    open_session = Some(session);
                } else {
                    session.close();
                }
            } else {
                session.close();
                host.sleep(host.next_pause(&mut pace).min(deadline - now)).await;
            }
        }
    }

    /// A second connection to the same server, for the work under the lock. It begins with the startup options `options`, if
    /// there are any, if no pooler that might reject them is in between, and if the server accepts them.
    pub async fn worker(&self, timeout: Duration, options: Option<&str>) -> Result<Session, LockError> {
        let host = &self.host;
        let deadline = host.deadline(timeout);
        let is_direct = self.session.is_direct(self.pid).await;
        let mut options = options.filter(|_| is_direct);
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_millis(500));
        let mut throttle = EventThrottle::default();
        loop {
            let connecting = async {
                let session = self.pool.session_with(CONNECT_TIMEOUT, options).await?;
                // A pooler accepts every connection, and makes the first query wait.
                let answer = ask(&session, &queries::is_visible(self.pid, self.key), deadline, host, &mut throttle).await?;
                Ok((session, answer))
            };
            let outcome = tokio::select! {
                outcome = connecting => outcome,
                silence = self.lost() => return Err(LockError::Lost { silence }),
            };
            let error = match outcome {
                Ok((session, Some(answer))) if answer.last().is_some_and(|rows| !rows.is_empty()) => return Ok(session),
                Ok((session, None)) => {
                    session.close();
                    continue;
                }
                // With several hosts, this one may not be the one that has the lock.
                Ok(_) => return Err(LockError::DifferentServers),
                Err(error) => error,
            };
            options = None;
            let now = host.now();
            let LockError::Connect(cause) = error else { return Err(error) };
            if now >= deadline || matches!(cause, ConnectError::Settings(_)) {
                return Err(LockError::NoSecondConnection { waited: timeout, cause: Some(cause) });
            }
            let text = chain(&cause);
            if throttle.is_due(&text, host) {
                host.notify(&Event::WaitingForLock { reason: LockWait::SecondConnection(&text), remaining: host.remaining(deadline) });
            }
            host.sleep(host.next_pause(&mut pace).min(deadline - now)).await;
        }
    }

    /// Connections of the same run.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The clock and observers of the same run.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The same with the interval that earlier connections of the run have taught.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Ends when the lock's connection is gone, and with it the lock. Returns how long nothing had come over it.
    pub async fn lost(&self) -> Duration {
        let host = &self.host;
        let mut last_traffic = host.now();
        while !self.session.is_closed() {
            host.sleep(CHECK_EVERY).await;
            if host.elapsed(last_traffic) < self.heartbeat.interval() {
                continue;
            }
            let outcome = host.timeout(HEARTBEAT_TIMEOUT, self.session.run(&Message::empty())).await;
            if !matches!(outcome, Ok(Ok(_))) {
                break;
            }
            last_traffic = host.now();
        }
        let silence = host.elapsed(last_traffic);
        self.heartbeat.learn(silence);
        silence
    }

    /// Ends the transaction, and with it the lock.
    pub async fn release(self) {
        match self.host.timeout(RELEASE_TIMEOUT, self.session.run(&Message::verbatim(Sql::of("COMMIT")))).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!(%error, "the run lock ended with its connection"),
            Err(_) => debug!("no answer to the release of the run lock; it ends with its connection"),
        }
    }
}

/// Returns when the lock is not held, or at `until`.
async fn wait_until_released(session: &Session, key: i64, until: Instant, host: &Host) -> Result<(), Failure> {
    let is_held = queries::is_held(key);
    let mut pace = Pace::new(Duration::from_millis(25), Duration::from_millis(50));
    loop {
        host.sleep(host.next_pause(&mut pace).min(host.remaining(until))).await;
        if host.now() >= until || session.ask(&is_held).await?.iter().all(Vec::is_empty) {
            return Ok(());
        }
    }
}

/// The process id of a backend; 0 stands for none.
fn parse_pid(pid: Option<&str>) -> i32 {
    pid.and_then(|pid| pid.parse().ok()).unwrap_or(0)
}

/// The only row of an answer.
fn single_row<const COLUMNS: usize>(answer: StatementResult) -> Option<[Option<String>; COLUMNS]> {
    answer.into_iter().next()?.try_into().ok()
}

/// Whether the server has no free connection now.
fn is_crowded(error: &ConnectError) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// Sends a query that takes no time. Without an answer it notifies observers and continues to wait: a pooler without a free
/// connection answers as soon as it has one. `None` after [`QUERY_TIMEOUT`]: then a new connection may be answered sooner.
async fn ask(
    session: &Session,
    message: &Message,
    deadline: Instant,
    host: &Host,
    throttle: &mut EventThrottle,
) -> Result<Option<Vec<StatementResult>>, LockError> {
    let mut asking = std::pin::pin!(session.run(message));
    let started = host.now();
    loop {
        if let Ok(outcome) = host.timeout(REPORT_AFTER, &mut asking).await {
            return Ok(Some(outcome?));
        }
        if host.now() >= deadline {
            return Err(LockError::NoSecondConnection { waited: host.elapsed(started), cause: None });
        }
        if throttle.is_due("no answer", host) {
            host.notify(&Event::WaitingForLock { reason: LockWait::Answer, remaining: host.remaining(deadline) });
        }
        if host.elapsed(started) >= QUERY_TIMEOUT {
            return Ok(None);
        }
    }
}
