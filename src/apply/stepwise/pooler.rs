//! Whether a pooler in transaction mode is between pgmarch and the server, where a revision needs a session of its own.

use std::time::Duration;

use tracing::debug;

use crate::apply::error::ApplyError;
use crate::apply::executor::Executor;
use crate::revision::Id;
use crate::session::StatementResult;
use crate::sql::{Message, Sql};

/// Which backend answers.
pub(super) const BACKEND_PID: &str = "SELECT pg_backend_pid()";
/// The timeout of one query that looks for a pooler.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of queries: each finds a pooler in transaction mode unless its other clients happen to run in between.
const PROBES: usize = 12;

/// The one value of the last answer.
pub(super) fn single_value(answers: Vec<StatementResult>) -> Option<String> {
    answers.into_iter().next_back()?.into_iter().next()?.into_iter().next()?
}

impl Executor<'_> {
    /// Detects a pooler in transaction mode, which gives each message to any free server connection: two connections reach the
    /// same backend, or one connection changes backends.
    pub(in crate::apply) async fn refuse_transaction_pooler(&self, revision: &Id) -> Result<(), ApplyError> {
        let lost = |failure| ApplyError::Lost(revision.clone(), failure);
        let own_pid = || async { self.session.ask(&Message::of(Sql::of(BACKEND_PID))).await.map_err(lost).map(single_value) };
        let first = own_pid().await?;
        let Ok(other) = self.monitor.pool().session(PROBE_TIMEOUT).await else {
            debug!(target: "pgmarch::apply::stepwise", "no third connection to look for a pooler with");
            return if own_pid().await? == first { Ok(()) } else { Err(ApplyError::TransactionPooler(revision.clone())) };
        };
        let occupy = Message::preceded_by([Sql::of("BEGIN")], [Sql::of(BACKEND_PID)]);
        for _ in 0..PROBES {
            let Ok(Ok(answer)) = self.host.timeout(PROBE_TIMEOUT, other.run(&occupy)).await else {
                // The query waits for a server connection that the pool, in session mode, has given to pgmarch.
                other.close();
                return if own_pid().await? == first { Ok(()) } else { Err(ApplyError::TransactionPooler(revision.clone())) };
            };
            let other_pid = single_value(answer);
            // In a pool of two, the lock has one server connection and the other connection now has the second: the answer waits
            // for it, and comes from that backend. An answer that is merely late proves nothing.
            let now = self.host.timeout(PROBE_TIMEOUT, own_pid()).await;
            drop(self.host.timeout(PROBE_TIMEOUT, other.run(&Message::rollback())).await);
            let now = match now {
                Ok(now) => now?,
                Err(_) => own_pid().await?,
            };
            if now != first || other_pid == first {
                other.close();
                return Err(ApplyError::TransactionPooler(revision.clone()));
            }
        }
        self.monitor.use_session(other);
        Ok(())
    }
}
