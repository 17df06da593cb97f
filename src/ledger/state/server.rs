//! The server, and the backend that serves the session.

use crate::ledger::error::ReadError;
use crate::ledger::handle::Ledger;
use crate::session::Session;
use crate::sql;
use crate::sql::{Deallocation, Literal, Sql};

/// The server and the session, as the server reports them.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `server_version_num`: 150018.
    pub(crate) number: u32,
    /// `server_version`: 15.18.
    pub(crate) version: String,
    /// The database.
    pub(crate) database: String,
    /// The role.
    pub(crate) role: String,
    /// Whether the server is read-only: a standby, or `default_transaction_read_only`.
    pub(crate) read_only: bool,
    /// `search_path`: of the settings, or the session's own.
    pub(crate) search_path: String,
    /// `row_security` of the session.
    pub(crate) row_security: String,
    /// `current_schema()`: where a table without a schema is created.
    pub(crate) schema: Option<String>,
}

/// The backend that serves the session. It is read once: the query for its start time takes longer than the rest of a journal
/// row. The default is an unknown backend, behind a pooler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backend {
    /// Its process id.
    pub(crate) pid: i32,
    start: Option<String>,
    /// Whether the connection has no pooler in between. A pooler may reuse a server connection whose answers to a disconnected
    /// client are still to come, and pass them to the next client: it gets one message at a time.
    pub(crate) is_direct: bool,
    /// Whether the role may use PL/pgSQL.
    pub(crate) has_plpgsql: bool,
}

impl Backend {
    /// Which prepared statements of its session can be discarded.
    pub(crate) fn discard(&self) -> Deallocation {
        match (self.has_plpgsql, self.is_direct) {
            (true, _) => Deallocation::OfOthers,
            (false, true) => Deallocation::All,
            (false, false) => Deallocation::Nothing,
        }
    }

    /// An expression for when it started; NULL if a pooler passes the statement to a different backend.
    pub(in crate::ledger) fn start_sql(&self) -> Sql {
        match &self.start {
            Some(start) => {
                sql!("CASE WHEN pg_backend_pid() = {pid} THEN {start}::timestamptz END", pid = self.pid, start = Literal(start))
            }
            None => Sql::of("NULL"),
        }
    }
}

/// An expression for when the backend of the session started: together with its pid, that identifies it.
pub(in crate::ledger) const BACKEND_START: &str = "(SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))";

impl Ledger {
    /// Reads the backend of the session, and fails if this program may not write to the tables.
    pub(super) async fn read_backend(&self, session: &Session) -> Result<Backend, ReadError> {
        let backend = sql!(
            "SELECT pg_backend_pid(), to_json({start}) #>> '{}', EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql' AND has_language_privilege(oid, 'USAGE'))",
            start = Sql::of(BACKEND_START)
        );
        let mut answers = session.ask(&self.reading(&[], [backend].into_iter().chain(self.obstacles()))).await?.into_iter();
        let row = answers.next().and_then(|rows| rows.into_iter().next());
        self.refuse_obstacles(answers)?;
        let Some(Ok([Some(pid), start, has_plpgsql])) = row.map(<[Option<String>; 3]>::try_from) else { return Ok(Backend::default()) };
        let pid = pid.parse().unwrap_or_default();
        Ok(Backend { pid, start, is_direct: session.is_direct(pid).await, has_plpgsql: has_plpgsql.as_deref() == Some("t") })
    }
}
