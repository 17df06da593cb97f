//! What a session has seen is safe on the server's disk: what must be so before success is reported on another run's commits.

use std::time::Duration;

use tokio::time::Instant;

use super::{ReadError, first};
use crate::backoff::Pace;
use crate::connect::{Answer, Failure, Session};
use crate::sql;
use crate::sql::{Message, Sql};

/// An asynchronous commit is flushed within three times `wal_writer_delay` (manual, 30.4).
const LOSS_WINDOW: u32 = 3;
/// The greatest `wal_writer_delay` there is (manual, 20.5.1), for a server that does not say its own.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// Returns when all that this session has seen is safe on the server's disk. Commits of a run but its last are asynchronous, and
/// another tool's may be: who takes another's word that the target is reached must know that a crash won't take it back.
pub async fn wait_until_durable(session: &Session, deadline: Instant) -> Result<(), ReadError> {
    let written = match session.ask(&Message::of(Sql::of(include_str!("written.sql")))).await {
        Ok(answers) => one(answers),
        Err(failure) => return without_positions(session, failure).await,
    };
    let Some(written) = written.and_then(|written| written.parse::<u128>().ok()) else { return Ok(()) };
    let is_flushed = Message::of(sql!("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn >= {written}", written = written));
    let mut pace = Pace::new(Duration::from_millis(5), Duration::from_millis(100));
    loop {
        let flushed = match session.ask(&is_flushed).await {
            Ok(answers) => one(answers),
            Err(failure) => return without_positions(session, failure).await,
        };
        if flushed.as_deref() == Some("t") {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ReadError::Volatile);
        }
        tokio::time::sleep(pace.pause()).await;
    }
}

/// A server that refuses to say how far its log is written, as Amazon Aurora does, or a role that may not ask: by the time that
/// PostgreSQL documents for the loss of asynchronous commits, all of them are flushed.
async fn without_positions(session: &Session, failure: Failure) -> Result<(), ReadError> {
    if failure.source.as_db_error().is_none() || failure.is_lost() {
        return Err(failure.into());
    }
    let delay = Message::of(Sql::of("SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay' AND unit = 'ms'"));
    let delay = one(session.ask(&delay).await?).and_then(|delay| delay.parse().ok()).map_or(LONGEST_DELAY, Duration::from_millis);
    let window = delay * LOSS_WINDOW;
    tracing::info!("waiting {} for other runs' commits to be flushed: the server does not say how far it is", crate::words::rough(window));
    tokio::time::sleep(window).await;
    Ok(())
}

fn one(answers: Vec<Answer>) -> Option<String> {
    answers.into_iter().next().and_then(|rows| rows.into_iter().next()).and_then(first)
}
