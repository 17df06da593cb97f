//! The run lock: an advisory lock in a transaction on a connection of its own, polled, so that nothing waits inside
//! a statement and nothing can strand it.

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::backoff::Pace;
use crate::connect::wait::Said;
use crate::connect::{ConnectError, Failure, Pool, Session};
use crate::ledger::State;
use crate::report::left;

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
}

/// The lock, held by an idle transaction that has no snapshot and so delays nobody. To have one is the leave to apply.
#[derive(Debug)]
pub struct Lock {
    session: Session,
}

/// How often a run looks whether the lock's connection still lives.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// One try to connect.
const PATIENCE: Duration = Duration::from_secs(5);

impl Lock {
    /// Tries until the lock is ours or `timeout` is over, and says who is in the way.
    pub async fn acquire(pool: &Pool, state: &State, timeout: Duration) -> Result<Self, LockError> {
        let session = pool.session(PATIENCE).await?;
        let key = state.ledger.version_table.lock_key();
        let attempt = attempt_sql(key, state.server.number);
        let deadline = Instant::now() + timeout;
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut said = Said::default();
        loop {
            let answers = session.run(&attempt).await?;
            if answers.last().is_some_and(|rows| rows.first().is_some_and(|row| row.first().is_some_and(|got| got.as_deref() == Some("t"))))
            {
                debug!(key, "run lock taken");
                return Ok(Self { session });
            }
            // Between tries the connection is free of any transaction: it holds no snapshot, and a pooler may lend its server on.
            let answers = session.run(&format!("ROLLBACK; {}", holder_sql(key))).await?;
            let holder = answers.last().and_then(|rows| rows.first()).and_then(|row| row.first().cloned().flatten());
            let holder = holder.unwrap_or_else(|| "a run that has just ended".to_owned());
            let now = Instant::now();
            if now >= deadline {
                return Err(LockError::Timeout { holder, waited: timeout });
            }
            if said.is_news(holder.split(", since").next().unwrap_or("")) {
                info!("waiting for another run to end: {holder}; {} left", left(deadline));
            }
            tokio::time::sleep(pace.pause().min(deadline - now)).await;
        }
    }

    /// Ends when the lock's connection is gone, and with it the lock.
    pub async fn lost(&self) {
        while !self.session.is_closed() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the transaction, and with it the lock.
    pub async fn release(self) {
        if let Err(error) = self.session.run("COMMIT").await {
            debug!(%error, "the run lock ended with its connection");
        }
    }
}

/// Opens the transaction that will hold the lock, safe from the timeouts that end idle ones.
fn attempt_sql(key: i64, server: u32) -> String {
    let transaction_timeout = if server >= 170_000 { "SET LOCAL transaction_timeout = 0;" } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0; {transaction_timeout} SELECT pg_try_advisory_xact_lock({key})"
    )
}

/// Who holds a 64-bit advisory lock: `pg_locks` shows it as two halves (manual, 54.12).
fn holder_sql(key: i64) -> String {
    let (high, low) = ((key >> 32) & 0xffff_ffff, key & 0xffff_ffff);
    format!(
        "SELECT format('pid %s, role %s, application %s, from %s, since %s', a.pid, coalesce(a.usename, '?'), \
         coalesce(nullif(a.application_name, ''), '?'), coalesce(host(a.client_addr), 'a local socket'), \
         coalesce(date_trunc('second', clock_timestamp() - a.xact_start)::text, '?')) \
         FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = {high}::oid AND l.objid = {low}::oid \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
}
