//! Sessions: connections to the database that pgmarch sends its messages on.

mod application;
mod cancels;
mod failure;
mod failure_cause;
mod handle;
pub(crate) mod other_session;
mod pool;
pub(crate) mod settings;
pub mod wait;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::StreamExt;
use pg_connect::protocol::{DiscardGuard, StreamGuard};
use pg_connect::stream::{LARGEST_QUERY, QueryPiece};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream};
use tracing::debug;

pub use application::{application_name, host_name};
pub use cancels::Cancels;
use cancels::{BusyGuard, locked};
pub use failure::{Cause, Failure, is_lost};
pub(crate) use failure::{IDLE_ADVICE, is_suspicious, suspicion};
pub use failure_cause::FailureCause;
use handle::SessionHandle;
pub use pool::Pool;

use crate::sql::{Message, Sql};
use crate::words::chain;

/// A session: a connection on which whole simple-query messages are sent (PostgreSQL manual, 54.2.2.1).
pub struct Session {
    client: Object,
    /// Cancels and terminates.
    handle: SessionHandle,
    has_defaults: bool,
    cancels: Cancels,
    /// When the last answer was complete.
    answered: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

/// The timeout of a query that takes no time. Nothing else notices a network path that drops packets without closing the
/// connection, because a proxy on it continues to acknowledge.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of the answer to a query that was cancelled after [`QUERY_TIMEOUT`].
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// A message of this size, in bytes, is written to the socket without a copy of it.
const LARGE_MESSAGE: usize = 1 << 20;

/// The rows of one statement, as text; NULL is `None`.
pub type StatementResult = Vec<Vec<Option<String>>>;

impl Session {
    /// Sends a message and waits for its answer: the rows of each of its statements, in order.
    pub async fn run(&self, message: &Message) -> Result<Vec<StatementResult>, Failure> {
        self.send(message).await?.answers().await
    }

    /// Sends a message and hands each row of the caller's statements to `take` as it arrives, with the number of its statement from 0.
    /// The answer as a whole is never in memory, so it may be larger than that of [`Self::run`]; limits are those of
    /// [`pg_connect::protocol::ProtocolError::RowTooLarge`] and [`StreamTooLarge`](pg_connect::protocol::ProtocolError::StreamTooLarge).
    pub async fn stream(&self, message: &Message, take: impl FnMut(usize, &[Option<&str>])) -> Result<(), Failure> {
        let streaming = self.handle.connection.stream_rows();
        self.send(message).await?.rows(take, streaming).await
    }

    /// Sends a message without waiting for its answer. Messages are answered in the order in which they are sent; one runs even
    /// if the previous one failed.
    pub async fn send(&self, message: &Message) -> Result<Sent<'_>, Failure> {
        let busy = self.cancels.begin_message();
        let discarding = message.discards_rows().then(|| self.handle.connection.discard_rows());
        let sql = message.sql();
        if sql.len() > LARGEST_QUERY {
            return Err(Failure { completed: 0, elapsed: Duration::ZERO, source: Cause::MessageTooLarge { bytes: sql.len() } });
        }
        let sent = if sql.len() >= LARGE_MESSAGE {
            self.client.simple_query_raw(self.handle.connection.large_query(query_pieces(sql))).await
        } else {
            self.client.simple_query_raw(&sql.text()).await
        };
        let sent_at = Instant::now();
        let stream = sent.map_err(|source| Failure { completed: 0, elapsed: Duration::ZERO, source: self.cause(source) })?;
        Ok(Sent {
            sent_at,
            stream: Box::pin(stream),
            margins: message.surrounding_answers(),
            discards: message.discards_rows(),
            session: self,
            last_traffic: Instant::now(),
            busy,
            _discarding: discarding,
        })
    }

    /// Runs a query that takes no time: without an answer within [`QUERY_TIMEOUT`] it is cancelled and the connection is closed.
    pub async fn ask(&self, message: &Message) -> Result<Vec<StatementResult>, Failure> {
        self.within(QUERY_TIMEOUT, CANCEL_TIMEOUT, self.run(message)).await
    }

    /// Runs a query whose rows are handed over as they arrive, as in [`Self::stream`]: it is cancelled, and the connection closed, if
    /// the server sends nothing for `timeout`.
    pub async fn ask_rows(
        &self,
        timeout: Duration,
        message: &Message,
        mut take: impl FnMut(usize, &[Option<&str>]),
    ) -> Result<(), Failure> {
        let last_row = Mutex::new(Instant::now());
        let mut answer = std::pin::pin!(self.stream(message, |statement, row| {
            *locked(&last_row) = Instant::now();
            take(statement, row);
        }));
        loop {
            let deadline = *locked(&last_row) + timeout;
            match timeout_at(deadline, &mut answer).await {
                Ok(outcome) => return outcome,
                Err(_) if *locked(&last_row) + timeout > deadline => {}
                Err(_) => return self.within(Duration::ZERO, CANCEL_TIMEOUT, answer).await,
            }
        }
    }

    /// Runs a write to pgmarch's own tables, which waits for other sessions' locks for `lock_timeout`: without an answer it is
    /// cancelled, and the answer to that tells whether it was done. Without that answer, the outcome is unknown
    /// ([`Failure::is_lost`]).
    pub async fn write(&self, message: &Message, lock_timeout: Duration) -> Result<Vec<StatementResult>, Failure> {
        self.within(lock_timeout.saturating_add(QUERY_TIMEOUT), QUERY_TIMEOUT, self.run(message)).await
    }

    /// Waits for an answer within `limit`; then cancels the message, and waits `cancel_limit` for the answer to that.
    async fn within<T>(
        &self,
        limit: Duration,
        cancel_limit: Duration,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut answer = std::pin::pin!(answer);
        if let Ok(outcome) = timeout(limit, &mut answer).await {
            return outcome;
        }
        let (_, outcome) = tokio::join!(timeout(cancel_limit, self.cancel()), timeout(cancel_limit, &mut answer));
        outcome.unwrap_or_else(|_| {
            self.terminate();
            Err(Failure { completed: 0, elapsed: limit, source: Cause::Timeout(limit) })
        })
    }

    /// Sends `Terminate` and closes the connection, whatever the server still has to answer.
    pub fn terminate(&self) {
        self.handle.connection.terminate();
    }

    /// Whether the backend of this process id, which answers, is the one that cancel requests name: a pooler sends a process id of
    /// its own.
    pub async fn is_direct(&self, pid: i32) -> bool {
        self.handle.connection.backend_pid().await == Some(pid)
    }

    /// Whether it started with the settings of [`Pool::session_with`].
    pub fn has_defaults(&self) -> bool {
        self.has_defaults
    }

    /// Whether it is a Unix socket, where the server logs an answer that it can't send.
    pub fn is_local(&self) -> bool {
        self.handle.connection.is_local()
    }

    /// Closes the connection instead of returning it to the pool: the next session is a new one, perhaps to another server.
    pub fn close(self) {
        drop(Object::take(self.client));
    }

    /// Whether the client has not closed the connection itself, because of a violation of the protocol.
    fn is_unbroken(&self) -> bool {
        self.handle.connection.violation().is_none()
    }

    /// Why a message failed. The driver only knows that the connection is closed, even if the client ended it.
    fn cause(&self, error: tokio_postgres::Error) -> Cause {
        match self.handle.connection.violation() {
            Some(violation) if error.is_closed() => Cause::Protocol(violation.clone()),
            _ => Cause::Driver(error),
        }
    }

    /// Whether this process was told to stop, so that no new message may be sent.
    pub fn is_stopping(&self) -> bool {
        self.cancels.is_stopping()
    }

    /// Whether the connection is known to be closed.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends a cancel request for this session, over a connection of its own.
    pub async fn cancel(&self) {
        if let Err(error) = self.handle.connection.cancel().await {
            debug!(error = %chain(&error), "cancel request not delivered");
        }
    }
}

/// The pieces of a large query.
fn query_pieces(sql: &Sql) -> impl Iterator<Item = QueryPiece> {
    sql.clone().into_parts().into_iter().map(|part| QueryPiece { text: part.text.memory().clone(), range: part.range })
}

/// A message in flight. Dropping it does not cancel it.
pub struct Sent<'s> {
    session: &'s Session,
    /// When something was last sent or received.
    last_traffic: Instant,
    stream: Pin<Box<SimpleQueryStream>>,
    /// How many results come before and after those of the caller's statements.
    margins: (usize, usize),
    /// Whether rows are discarded, as [`Message::discarding_rows`] says.
    discards: bool,
    busy: BusyGuard,
    sent_at: Instant,
    _discarding: Option<DiscardGuard>,
}

impl Sent<'_> {
    /// Waits for the answer: the rows of each of its statements, in order.
    pub async fn answers(mut self) -> Result<Vec<StatementResult>, Failure> {
        let (before, behind) = self.margins;
        let mut answers = VecDeque::new();
        let mut answer = StatementResult::new();
        let mut completed = 0;
        while let Some(message) = self.stream.next().await {
            let silence = std::mem::replace(&mut self.last_traffic, Instant::now()).elapsed();
            match message {
                Ok(SimpleQueryMessage::Row(_)) if self.discards && !answer.is_empty() => {}
                Ok(SimpleQueryMessage::Row(row)) => {
                    let values = Self::values(&row).map_err(|source| self.failure(completed, self.session.cause(source)))?;
                    answer.push(values.into_iter().map(|value| value.map(str::to_owned)).collect());
                }
                Ok(SimpleQueryMessage::CommandComplete(_)) => {
                    completed += 1;
                    answers.push_back(std::mem::take(&mut answer));
                    if self.discards && answers.len() > behind + 1 {
                        answers.pop_front();
                    }
                }
                Ok(_) => {}
                Err(source)
                    if is_lost(&source) && source.as_db_error().is_none() && is_suspicious(silence) && self.session.is_unbroken() =>
                {
                    return Err(self.failure(completed, Cause::Silent(silence, source)));
                }
                Err(source) => return Err(self.failure(completed, self.session.cause(source))),
            }
        }
        self.end(completed)?;
        answers.truncate(answers.len().saturating_sub(behind));
        answers.drain(..before.min(answers.len()));
        Ok(answers.into())
    }

    /// Hands over the rows of the caller's statements as they arrive.
    async fn rows(mut self, mut take: impl FnMut(usize, &[Option<&str>]), _streaming: StreamGuard) -> Result<(), Failure> {
        let mut completed = 0_usize;
        while let Some(message) = self.stream.next().await {
            match message {
                Ok(SimpleQueryMessage::Row(row)) => {
                    let Some(statement) = completed.checked_sub(self.margins.0) else { continue };
                    take(statement, &Self::values(&row).map_err(|source| self.failure(completed, self.session.cause(source)))?);
                }
                Ok(SimpleQueryMessage::CommandComplete(_)) => completed += 1,
                Ok(_) => {}
                Err(source) => return Err(self.failure(completed, self.session.cause(source))),
            }
        }
        self.end(completed)
    }

    fn values(row: &SimpleQueryRow) -> Result<Vec<Option<&str>>, tokio_postgres::Error> {
        (0..row.len()).map(|column| row.try_get(column)).collect()
    }

    /// The failure of the message: messages are answered in turn, so the server has worked on it since the answer before it.
    fn failure(&self, completed: usize, source: Cause) -> Failure {
        let before = locked(&self.session.answered).replace(Instant::now());
        let elapsed = before.map_or(self.sent_at, |before| before.max(self.sent_at)).elapsed();
        Failure { completed, elapsed, source }
    }

    /// The answer is complete.
    fn end(self, completed: usize) -> Result<(), Failure> {
        // Of several messages in flight, only the commit of the last one waits for standbys, so the warning belongs to it.
        if self.session.handle.unreplicated.swap(false, Ordering::Relaxed) {
            return Err(self.failure(completed, Cause::Unreplicated));
        }
        *locked(&self.session.answered) = Some(Instant::now());
        drop(self.busy);
        Ok(())
    }
}
