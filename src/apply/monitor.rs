//! A third connection that looks at a statement which takes its time: how far it is, who is in its way, in whose way it
//! is, and whether the server still runs it at all.

use std::cell::RefCell;
use std::fmt::Write;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{debug, enabled, info};

use crate::connect::wait::Said;
use crate::connect::{Answer, Cause, ConnectError, Failure, Pool, Session};
use crate::ledger::parse_numeric;
use crate::progress::Bar;
use crate::sql;
use crate::sql::{Message, Sql};
use crate::words::{chain, rough};

/// A statement is looked at after this long, or sooner if its lock timeout is shorter.
const AFTER: Duration = Duration::from_secs(2);
/// And then again and again.
const EVERY: Duration = Duration::from_secs(1);
/// So many looks in a row that find nothing running mean that its answer was lost on the way.
const MISSES: u32 = 4;
/// A look, or a try to connect for it, may take this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Without the connection the run goes on; the next try comes after this long.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The log target of other people's queries: `PGMARCH_LOG=info,pgmarch::queries=off` keeps them out.
const QUERIES: &str = "pgmarch::queries";

/// Which backend to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum MonitoredBackend {
    /// The one that holds the run's mark: a transaction of ours, wherever a pooler has put it.
    TokenHolder,
    /// The one of this pid: a statement by itself, on a session of ours.
    Pid(i32),
}

/// An expression that context a transaction for [`MonitoredBackend::TokenHolder`] until it ends, by a lock that nobody else takes.
pub(super) fn take_token(token: i64) -> Sql {
    sql!("pg_catalog.pg_try_advisory_xact_lock_shared('{token}'::pg_catalog.int8)", token = token)
}

/// The watcher of a run.
pub(super) struct StatementMonitor {
    pool: Pool,
    token: i64,
    server: u32,
    after: Duration,
    /// How long nothing but silence may come before the run gives up.
    give_up: Duration,
    /// Opened when it is first needed.
    session: RefCell<Option<Session>>,
    /// Who was in the way of the last statement when it was last looked at.
    blockers: RefCell<Option<String>>,
}

impl StatementMonitor {
    pub(super) fn new(pool: Pool, token: i64, server: u32, lock_timeout: Duration, give_up: Duration) -> Self {
        let after = if lock_timeout.is_zero() { AFTER } else { AFTER.min(lock_timeout / 2) };
        Self { pool, token, server, after, give_up, session: RefCell::default(), blockers: RefCell::default() }
    }

    /// Waits for `work`, and looks at it from time to time.
    pub(super) async fn supervise<T>(
        &self,
        name: &str,
        target: MonitoredBackend,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.blockers.take();
        self.supervise_after_failure(name, target, work).await
    }

    /// The same for what follows in the wake of a failure: who was in the way of that is not forgotten.
    pub(super) async fn supervise_after_failure<T>(
        &self,
        name: &str,
        target: MonitoredBackend,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        if let Ok(outcome) = timeout(self.after, &mut work).await {
            return outcome;
        }
        tokio::select! {
            biased;
            outcome = &mut work => outcome,
            cause = self.look(name, target) => Err(Failure { completed: 0, source: cause }),
        }
    }

    /// Where the watcher's connection comes from.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Gives the watcher a connection that was opened for something else.
    pub(super) fn lend(&self, session: Session) {
        self.session.replace(Some(session));
    }

    /// Who was in the way of the last statement, as far as that was seen.
    pub(super) fn blockers(&self) -> Option<String> {
        self.blockers.borrow().clone()
    }

    /// Looks until the statement can't be running any more.
    async fn look(&self, name: &str, target: MonitoredBackend) -> Cause {
        let started = Instant::now() - self.after;
        let message = self.message(target);
        let (mut said, mut misses, mut heard) = (Said::default(), 0, Instant::now());
        let mut bar = None;
        loop {
            match self.see(&message).await {
                Ok(view) => {
                    heard = Instant::now();
                    misses = if view.running { 0 } else { misses + 1 };
                    if misses >= MISSES {
                        return Cause::Gone;
                    }
                    if view.running {
                        self.tell(name, &view, started, &mut said, &mut bar);
                    }
                }
                Err(Blind::Silent) if heard.elapsed() >= self.give_up => return Cause::Silence(self.give_up),
                Err(Blind::Silent) => {}
                Err(Blind::Refused(why)) => {
                    heard = Instant::now();
                    debug!(target: "pgmarch::apply::watch", "no connection to watch {name} with: {why}");
                    tokio::time::sleep(TRY_AGAIN).await;
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn see(&self, message: &Message) -> Result<View, Blind> {
        let session = match self.session.take() {
            Some(session) => session,
            None => match self.pool.session(PATIENCE).await {
                Ok(session) => session,
                Err(ConnectError::Silence(_)) => return Err(Blind::Silent),
                Err(error) => return Err(Blind::Refused(chain(&error))),
            },
        };
        match timeout(PATIENCE, session.run(message)).await {
            Ok(Ok(answers)) => {
                self.session.replace(Some(session));
                Ok(View::of(answers.into_iter().next().unwrap_or_default()))
            }
            Ok(Err(failure)) => {
                session.close();
                Err(Blind::Refused(chain(&failure.source)))
            }
            Err(_) => {
                session.close();
                Err(Blind::Silent)
            }
        }
    }

    fn tell(&self, name: &str, view: &View, started: Instant, said: &mut Said, bar: &mut Option<Bar>) {
        let queries = enabled!(target: QUERIES, tracing::Level::INFO);
        let blockers = view.list("blocker", queries);
        let blocked = view.list("blocked", queries);
        self.blockers.replace((!blockers.is_empty()).then(|| blockers.clone()));
        let elapsed = started.elapsed();
        let mut text = format!("{name} has run for {}", rough(elapsed));
        if let Some(phase) = &view.phase {
            let _ = write!(text, ", {phase}");
        }
        if let Some(percent) = view.percent {
            let _ = write!(text, " {percent:.0} %");
        }
        if !blockers.is_empty() {
            let _ = write!(text, "; waits for {blockers}");
        }
        if !blocked.is_empty() {
            let _ = write!(text, "; in the way of {blocked}");
        }
        if Bar::is_wanted() {
            bar.get_or_insert_with(Bar::new).show(&text, view.percent);
        }
        if said.is_news(&view.gist()) && !(Bar::is_wanted() && blockers.is_empty() && blocked.is_empty()) {
            let (phase, percent) = (view.phase.as_deref(), view.percent);
            let (waits_for, blocks) = ((!blockers.is_empty()).then_some(blockers), (!blocked.is_empty()).then_some(blocked));
            info!(target: "pgmarch::apply::watch", revision = name, seconds = elapsed.as_secs(), pid = view.pid, phase, percent, waits_for, blocks, "{text}");
        }
    }

    fn message(&self, target: MonitoredBackend) -> Message {
        let us = match target {
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
        };
        let copy = Sql::of(if self.server >= 140_000 {
            "UNION ALL SELECT command, 'copying', bytes_processed, bytes_total FROM pg_stat_progress_copy WHERE pid = (SELECT pid FROM us)"
        } else {
            ""
        });
        Message::of(sql!(include_str!("watch.sql"), us = us, copy = copy))
    }
}

/// Why nothing was seen.
enum Blind {
    /// No answer.
    Silent,
    /// An answer that was no.
    Refused(String),
}

/// What one look saw.
#[derive(Debug, Default)]
struct View {
    running: bool,
    pid: Option<i64>,
    phase: Option<String>,
    percent: Option<f64>,
    others: Vec<Other>,
}

/// Somebody in our way, or in whose way we are.
#[derive(Debug)]
struct Other {
    what: String,
    who: String,
    query: String,
    pid: String,
}

impl View {
    fn of(rows: Answer) -> Self {
        let mut view = Self::default();
        for row in rows {
            let Ok([what, pid, a, b, c, age, query]) = <[Option<String>; 7]>::try_from(row) else { continue };
            if what.as_deref() == Some("us") {
                view.running = true;
                view.pid = pid.and_then(|pid| pid.parse().ok());
                view.phase = b.map(|phase| format!("{}: {phase}", a.unwrap_or_default()));
                view.percent = c.and_then(|percent| parse_numeric(&percent));
                continue;
            }
            let pid = pid.unwrap_or_default();
            let age = age.and_then(|age| age.parse().ok()).map(|age| rough(Duration::from_secs(age)));
            let text = |part: Option<String>| part.unwrap_or_else(|| "?".to_owned());
            let who = match pid.as_str() {
                // A prepared transaction has no process (manual, 9.27).
                "0" => "a prepared transaction (pg_prepared_xacts)".to_owned(),
                _ => format!("pid {pid} (role {}, {}, from {}, since {}", text(a), text(b), text(c), text(age)),
            };
            view.others.push(Other { what: what.unwrap_or_default(), who, query: query.unwrap_or_default(), pid });
        }
        view
    }

    fn list(&self, what: &str, queries: bool) -> String {
        let each = self.others.iter().filter(|other| other.what == what).map(|other| match (other.pid.as_str(), queries) {
            ("0", _) => other.who.clone(),
            (_, true) => format!("{}, {})", other.who, other.query),
            (_, false) => format!("{})", other.who),
        });
        each.collect::<Vec<_>>().join(" and ")
    }

    /// What a change of is news: not the percentage, not the time.
    fn gist(&self) -> String {
        let others: Vec<String> = self.others.iter().map(|other| format!("{} {}", other.what, other.pid)).collect();
        format!("{:?} {others:?}", self.phase)
    }
}
