//! A third connection that polls `pg_stat_activity` during a long statement: its progress, which sessions block it, which
//! sessions it blocks, and whether the server still runs it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pg_connect::ConnectError;
use tracing::{debug, enabled};

use super::activity::{Activity, activity_query, list};
use crate::facts::Blocker;
use crate::host::{Event, EventThrottle, Host, Progress};
use crate::session::{Cause, Failure, Pool, Session, StatementResult};
use crate::sql;
use crate::sql::{Message, Sql};
use crate::words::chain;

/// A statement is polled for after this long, or sooner if its lock timeout is shorter.
const FIRST_POLL_AFTER: Duration = Duration::from_secs(2);
/// The interval between polls.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// The shortest interval, under a short lock timeout, until a poll has seen what blocks the statement.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// After this many consecutive polls that find nothing running, the statement's answer counts as lost.
const MISSES_UNTIL_GONE: u32 = 4;
/// The timeout of a poll, and of an attempt to connect for it.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);
/// Without the connection the run continues. The next attempt to connect comes after this long.
const RECONNECT_AFTER: Duration = Duration::from_secs(5);

/// The log target of other sessions' queries: `PGMARCH_LOG=info,pgmarch::queries=off` keeps them out.
const QUERIES: &str = "pgmarch::queries";

/// Which backend to poll.
#[derive(Clone, Copy, Debug)]
pub(super) enum MonitoredBackend {
    /// The one that holds the run's token: it runs a transaction of the run, whichever backend a pooler has given it.
    TokenHolder,
    /// The one with this pid: a statement on a session of the run's own.
    Pid(i32),
}

/// An expression by which a transaction holds the run's token until it ends: an advisory lock that no other session takes.
pub(super) fn take_token(token: i64) -> Sql {
    sql!("pg_catalog.pg_try_advisory_xact_lock_shared('{token}'::pg_catalog.int8)", token = token)
}

/// Monitors the statements of a run.
pub(super) struct StatementMonitor {
    pool: Pool,
    host: Host,
    token: i64,
    /// The server's version.
    server: u32,
    first_poll_after: Duration,
    /// How long polls may go unanswered before the run gives up.
    give_up_after: Duration,
    /// Opened when it is first needed.
    session: Mutex<Option<Session>>,
    /// The sessions that blocked the last statement, as of the last poll that saw any.
    blockers: Mutex<Vec<Blocker>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StatementMonitor {
    pub(super) fn new(pool: Pool, host: &Host, token: i64, server: u32, lock_timeout: Duration, give_up_after: Duration) -> Self {
        let first_poll_after = if lock_timeout.is_zero() { FIRST_POLL_AFTER } else { FIRST_POLL_AFTER.min(lock_timeout / 2) };
        let (session, blockers) = (Mutex::default(), Mutex::default());
        Self { pool, host: host.clone(), token, server, first_poll_after, give_up_after, session, blockers }
    }

    /// Waits for `work`, and polls meanwhile.
    pub(super) async fn supervise<T>(
        &self,
        name: &str,
        backend: MonitoredBackend,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        locked(&self.blockers).clear();
        self.supervise_after_failure(name, backend, work).await
    }

    /// The same for what follows a failure: the sessions that blocked the failed statement are kept.
    pub(super) async fn supervise_after_failure<T>(
        &self,
        name: &str,
        backend: MonitoredBackend,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        if self.first_poll_after < FIRST_POLL_AFTER {
            // A statement that gives up its wait for a lock sooner than that is gone before a connection is made.
            tokio::select! {
                biased;
                outcome = &mut work => return outcome,
                () = self.connect() => {}
            }
        }
        if let Ok(outcome) = self.host.timeout(self.first_poll_after, &mut work).await {
            return outcome;
        }
        tokio::select! {
            biased;
            outcome = &mut work => outcome,
            cause = self.poll_until_gone(name, backend) => Err(Failure { completed: 0, elapsed: Duration::ZERO, source: cause }),
        }
    }

    /// Where the monitor's connection comes from.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Gives the monitor a connection that was opened for something else.
    pub(super) fn use_session(&self, session: Session) {
        *locked(&self.session) = Some(session);
    }

    /// The sessions that blocked the last statement, as far as a poll saw them.
    pub(super) fn blockers(&self) -> Vec<Blocker> {
        locked(&self.blockers).clone()
    }

    /// The answer to a query about the statement that failed, on the monitor's connection; `None` without an answer.
    pub(super) async fn ask(&self, query: &Message) -> Option<Vec<StatementResult>> {
        self.answers(query).await.ok()
    }

    /// Opens the monitor's connection, so that the first poll takes no time to connect.
    async fn connect(&self) {
        if locked(&self.session).is_none()
            && let Ok(session) = self.pool.session(POLL_TIMEOUT).await
        {
            self.use_session(session);
        }
    }

    /// Polls until the statement can no longer be running.
    async fn poll_until_gone(&self, name: &str, backend: MonitoredBackend) -> Cause {
        let host = &self.host;
        let started = host.now() - self.first_poll_after;
        let query = activity_query(self.backend_sql(backend), self.server);
        let (mut throttle, mut misses, mut last_answer) = (EventThrottle::default(), 0, host.now());
        let mut progress = ProgressEvents { host, were_sent: false };
        loop {
            match self.poll(&query).await {
                Ok(activity) => {
                    last_answer = host.now();
                    // Polls that follow one another quickly may all come between the statement's end and its answer.
                    let counts = host.elapsed(started) >= FIRST_POLL_AFTER;
                    misses = if activity.is_running || !counts { 0 } else { misses + 1 };
                    if misses >= MISSES_UNTIL_GONE {
                        return Cause::Gone;
                    }
                    if activity.is_running {
                        let is_news = throttle.is_due(&activity.news_key(), host);
                        progress.send(self, name, &activity, host.elapsed(started), is_news);
                    }
                }
                Err(PollError::NoAnswer) if host.elapsed(last_answer) >= self.give_up_after => return Cause::Timeout(self.give_up_after),
                Err(PollError::NoAnswer) => {}
                Err(PollError::Refused(why)) => {
                    last_answer = host.now();
                    debug!(target: "pgmarch::apply::watch", "no connection to watch {name} with: {why}");
                    host.sleep(RECONNECT_AFTER).await;
                }
            }
            let is_early = host.elapsed(started) < FIRST_POLL_AFTER && locked(&self.blockers).is_empty();
            host.sleep(if is_early { self.first_poll_after.clamp(SHORTEST_PAUSE, POLL_EVERY) } else { POLL_EVERY }).await;
        }
    }

    async fn poll(&self, query: &Message) -> Result<Activity, PollError> {
        let activity = Activity::of(self.answers(query).await?.into_iter().next().unwrap_or_default());
        Ok(if enabled!(target: QUERIES, tracing::Level::INFO) { activity } else { activity.without_queries() })
    }

    async fn answers(&self, query: &Message) -> Result<Vec<StatementResult>, PollError> {
        // A proxy may have closed it meanwhile.
        let idle = locked(&self.session).take().filter(|session| !session.is_closed());
        let session = match idle {
            Some(session) => session,
            None => match self.pool.session(POLL_TIMEOUT).await {
                Ok(session) => session,
                Err(ConnectError::Timeout(_)) => return Err(PollError::NoAnswer),
                Err(error) => return Err(PollError::Refused(chain(&error))),
            },
        };
        match self.host.timeout(POLL_TIMEOUT, session.run(query)).await {
            Ok(Ok(answers)) => {
                self.use_session(session);
                Ok(answers)
            }
            Ok(Err(failure)) => {
                session.close();
                Err(PollError::Refused(chain(&failure.source)))
            }
            Err(_) => {
                session.close();
                Err(PollError::NoAnswer)
            }
        }
    }

    /// A subquery for the pid of the backend, if it runs a statement.
    fn backend_sql(&self, backend: MonitoredBackend) -> Sql {
        match backend {
            MonitoredBackend::Pid(pid) => {
                sql!("(SELECT pid FROM pg_stat_activity WHERE pid = {pid} AND (state LIKE 'idle%') IS NOT TRUE)", pid = pid)
            }
            MonitoredBackend::TokenHolder => {
                let (high, low) = ((self.token >> 32) & 0xffff_ffff, self.token & 0xffff_ffff);
                sql!(
                    "(SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND classid = {high}::oid AND objid = {low}::oid AND granted)",
                    high = high,
                    low = low
                )
            }
        }
    }
}

/// Why a poll saw nothing.
enum PollError {
    /// No answer.
    NoAnswer,
    /// No connection, or an error.
    Refused(String),
}

/// Progress events of one statement. The last of them is sent when this is dropped.
struct ProgressEvents<'h> {
    host: &'h Host,
    were_sent: bool,
}

impl ProgressEvents<'_> {
    fn send(&mut self, monitor: &StatementMonitor, name: &str, activity: &Activity, elapsed: Duration, is_news: bool) {
        let (waits_for, blocks) = (list(&activity.blockers), list(&activity.blocked));
        if !activity.blockers.is_empty() {
            locked(&monitor.blockers).clone_from(&activity.blockers);
        }
        self.were_sent = true;
        self.host.notify(&Event::StatementProgress(&Progress {
            name,
            elapsed,
            pid: activity.pid,
            phase: activity.phase.as_deref(),
            percent: activity.percent,
            waits_for: &waits_for,
            blocks: &blocks,
            is_news,
        }));
    }
}

impl Drop for ProgressEvents<'_> {
    fn drop(&mut self) {
        if self.were_sent {
            self.host.notify(&Event::StatementProgressEnded);
        }
    }
}
