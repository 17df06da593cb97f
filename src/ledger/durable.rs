//! Waits for the WAL of other runs' commits to be flushed, before success is reported on what they committed.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::single_value;
use super::error::ReadError;
use crate::backoff::Pace;
use crate::host::{Event, Host};
use crate::session::{Failure, Session};
use crate::sql;
use crate::sql::{Message, Sql};

/// An asynchronous commit is flushed within three times `wal_writer_delay` (manual, 30.4).
const LOSS_WINDOW: u32 = 3;
/// The greatest `wal_writer_delay` (manual, 20.5.1), for a server that does not report its own.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// Returns when all commits that this session has seen are on the server's disk. All commits of a run but its last are
/// asynchronous, and another tool's may be: a crash could undo them.
pub(crate) async fn wait_until_durable(session: &Session, host: &Host, deadline: Instant) -> Result<(), ReadError> {
    // Up to where everything that this session has seen is written ahead, in bytes from the log's beginning; nothing on a
    // standby, where nothing is seen that its primary has not flushed. The next record's position can stand behind the
    // header of a page that holds nothing yet, of 24 bytes, or 40 in the first page of a file: a header alone is not
    // flushed, and a position within it never reached.
    let written = match session.ask(&Message::of(Sql::of(include_str!("written.sql")))).await {
        Ok(answers) => single_value(answers.into_iter().next()),
        Err(failure) => return wait_without_positions(session, host, failure).await,
    };
    let Some(written) = written.and_then(|written| written.parse::<u128>().ok()) else { return Ok(()) };
    let is_flushed = Message::of(sql!("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn >= {written}", written = written));
    let mut pace = Pace::new(Duration::from_millis(5), Duration::from_millis(100));
    loop {
        let flushed = match session.ask(&is_flushed).await {
            Ok(answers) => single_value(answers.into_iter().next()),
            Err(failure) => return wait_without_positions(session, host, failure).await,
        };
        if flushed.as_deref() == Some("t") {
            return Ok(());
        }
        if host.now() >= deadline {
            return Err(ReadError::NotDurable);
        }
        host.sleep(host.next_pause(&mut pace)).await;
    }
}

/// The wait on a server that does not report how far its WAL is flushed, as Amazon Aurora, or not to this role: the time after
/// which, as PostgreSQL documents, no asynchronous commit can be lost.
async fn wait_without_positions(session: &Session, host: &Host, failure: Failure) -> Result<(), ReadError> {
    if failure.source.as_db_error().is_none() || failure.is_lost() {
        return Err(failure.into());
    }
    let delay = Message::of(Sql::of("SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay' AND unit = 'ms'"));
    let delay = single_value(session.ask(&delay).await?.into_iter().next())
        .and_then(|delay| delay.parse().ok())
        .map_or(LONGEST_DELAY, Duration::from_millis);
    let window = delay * LOSS_WINDOW;
    host.notify(&Event::WaitingForFlush { duration: window });
    host.sleep(window).await;
    Ok(())
}
