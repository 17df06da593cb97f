//! The backend of an interrupted earlier run: waited for while it works, terminated once it is idle.

use std::time::Duration;

use super::session::StepSession;
use crate::apply::error::ApplyError;
use crate::facts::Blocker;
use crate::host::{Event, EventThrottle};
use crate::ledger::UnfinishedRevision;
use crate::session::other_session::{description, parse};
use crate::sql;
use crate::sql::{Literal, Message, Sql};

/// An idle backend of an earlier run is terminated after this long: it runs nothing that could be lost.
const END_IDLE_AFTER: &str = "2 seconds";
/// The interval between checks.
const POLL_EVERY: Duration = Duration::from_millis(200);

impl StepSession<'_, '_> {
    /// Waits for a backend that was left with a statement. While it works, it may still complete the statement; once it is idle,
    /// it is terminated.
    pub(super) async fn wait_for_earlier_backend(&self, was: &UnfinishedRevision) -> Result<(), ApplyError> {
        let backend = sql!(
            "FROM pg_stat_activity a WHERE a.pid = {pid} AND a.pid <> pg_backend_pid() AND a.application_name = {application} \
             AND (a.backend_start IS NULL OR (extract(epoch FROM a.backend_start) * 1000000)::bigint = {start})",
            pid = was.pid,
            application = Literal(&was.note.application),
            start = was.backend_start
        );
        let query = Message::of(sql!(
            "SELECT {session}, coalesce(a.state <> 'active' AND clock_timestamp() - a.state_change > {idle}, false) {backend}",
            session = description(Sql::of("a.pid")),
            idle = Literal(END_IDLE_AFTER),
            backend = backend
        ));
        // A role with the right to write to the journal could name any backend there: only one of pgmarch's, of the same login,
        // is terminated.
        let terminate = Message::of(sql!(
            "SELECT pg_terminate_backend(a.pid) {backend} AND a.usename = session_user AND starts_with(a.application_name, 'pgmarch/')",
            backend = backend
        ));
        let host = &self.executor.host;
        let deadline = host.deadline(self.timeout());
        let mut throttle = EventThrottle::default();
        loop {
            let answers = self.ask(&query).await?;
            let Some([who, idle]) = answers.first().and_then(|rows| rows.first()).map(Vec::as_slice) else { return Ok(()) };
            let found = who.as_deref().and_then(parse).unwrap_or_else(|| Blocker { pid: was.pid, ..Blocker::default() });
            if host.now() >= deadline {
                return Err(self.busy(found, None));
            }
            if idle.as_deref() == Some("t") {
                host.notify(&Event::EarlierBackendTerminated { backend: &found.to_string() });
                self.ask(&terminate).await?;
            } else if throttle.is_due("an earlier backend", host) {
                host.notify(&Event::WaitingForEarlierBackend { backend: &found.to_string(), remaining: host.remaining(deadline) });
            }
            host.sleep(POLL_EVERY).await;
        }
    }
}
