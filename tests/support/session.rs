//! A connection of the test's own to a database.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::TIMEOUT;

/// Values as text, NULL as `NULL`.
pub(crate) type Rows = Vec<Vec<String>>;

/// An open connection, for what must stay open: a transaction, a lock, a setting.
pub(crate) struct Session {
    client: Option<Client>,
    connection: Option<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
}

impl Session {
    /// Connects, as `test` in `pg_stat_activity`.
    #[track_caller]
    pub(crate) fn open(url: &str) -> Session {
        match Session::try_open(url) {
            Ok(session) => session,
            Err(error) => panic!("connect to {url}: {}", explain(&error)),
        }
    }

    /// Connects if the server lets us.
    pub(crate) fn try_open(url: &str) -> Result<Session, tokio_postgres::Error> {
        let runtime = runtime();
        let mut config: tokio_postgres::Config = url.parse()?;
        config.application_name("test").connect_timeout(TIMEOUT);
        let (client, connection) = runtime.block_on(config.connect(NoTls))?;
        // The next statement shows how a connection ended.
        let connection = runtime.spawn(async { drop(connection.await) });
        Ok(Session { client: Some(client), connection: Some(connection), runtime })
    }

    /// The rows of a statement.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Rows {
        match self.try_query(sql) {
            Ok(rows) => rows,
            Err(error) => panic!("{sql}\n{}", explain(&error)),
        }
    }

    /// The one value of a statement as text.
    #[track_caller]
    pub(crate) fn one(&self, sql: &str) -> String {
        let rows = self.query(sql);
        match rows.as_slice() {
            [row] if row.len() == 1 => row[0].clone(),
            _ => panic!("{sql}\nshould have one value, not {rows:?}"),
        }
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        self.query(sql);
    }

    /// The SQLSTATE with which the server refuses a statement that must fail.
    #[track_caller]
    pub(crate) fn refusal(&self, sql: &str) -> String {
        match self.try_query(sql) {
            Ok(rows) => panic!("{sql}\nshould fail, but gave {rows:?}"),
            Err(error) => error.code().unwrap_or_else(|| panic!("{sql}\n{}", explain(&error))).code().to_string(),
        }
    }

    /// Prepares a statement, which the server parses and does not execute.
    pub(crate) fn prepare(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client().prepare(sql)).map(drop)
    }

    /// The process id of its backend.
    #[track_caller]
    pub(crate) fn pid(&self) -> String {
        self.one("SELECT pg_backend_pid()")
    }

    /// How many statements of a message completed, or why not all did.
    pub(crate) fn completed(&self, sql: &str) -> Result<usize, tokio_postgres::Error> {
        let messages = self.runtime.block_on(self.client().simple_query(sql))?;
        Ok(messages.iter().filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_))).count())
    }

    /// Runs a statement that is expected to block, while the test continues.
    pub(crate) fn start(self, sql: &str) -> Pending {
        let sql = sql.to_string();
        Pending(thread::spawn(move || {
            let result = self.try_query(&sql).map_err(|error| format!("{sql}\n{}", explain(&error)));
            (self, result)
        }))
    }

    /// Asks again and again until the one value is as expected.
    #[track_caller]
    pub(crate) fn eventually(&self, sql: &str, expected: &str) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let value = self.one(sql);
            if value == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}\nis still {value:?}, not {expected:?}, after {TIMEOUT:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What sends a cancel request for its statement under way.
    pub(crate) fn canceller(&self) -> impl FnOnce() + use<> {
        let token = self.client().cancel_token();
        move || runtime().block_on(token.cancel_query(NoTls)).expect("send a cancel request")
    }

    /// The rows of a statement, or why there are none.
    pub(crate) fn try_query(&self, sql: &str) -> Result<Rows, tokio_postgres::Error> {
        let messages = self.runtime.block_on(self.client().simple_query(sql))?;
        Ok(messages.iter().filter_map(row).collect())
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("an open session")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without a client the connection sends `Terminate` and ends.
        drop(self.client.take());
        if let Some(connection) = self.connection.take() {
            self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), connection).await.ok() });
        }
    }
}

/// A statement under way.
pub(crate) struct Pending(JoinHandle<(Session, Result<Rows, String>)>);

impl Pending {
    /// Whether it has ended, well or not.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for its success and returns the session.
    #[track_caller]
    pub(crate) fn finish(self) -> Session {
        let (session, result) = self.0.join().expect("a session's thread");
        if let Err(error) = result {
            panic!("{error}");
        }
        session
    }

    /// Waits for its failure and returns what the server said.
    #[track_caller]
    pub(crate) fn failure(self) -> String {
        match self.0.join().expect("a session's thread").1 {
            Ok(rows) => panic!("the statement should have failed, but gave {rows:?}"),
            Err(error) => error,
        }
    }
}

fn row(message: &SimpleQueryMessage) -> Option<Vec<String>> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    Some((0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_string()).collect())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime for a session")
}

fn explain(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refused) => format!("{}: {}", refused.code().code(), refused.message()),
        None => format!("{error:?}"),
    }
}
