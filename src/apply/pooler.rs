//! Whether a pooler in transaction mode stands between us and the server, where a revision needs a session of its own.

use std::time::Duration;

use tracing::debug;

use super::error::ApplyError;
use super::executor::Run;
use crate::connect::Answer;
use crate::revision::Id;
use crate::sql::{Message, Sql};

/// Which backend answers.
pub(super) const BACKEND: &str = "SELECT pg_backend_pid()";
/// How long a question in search of a pooler may take.
const PROBE: Duration = Duration::from_secs(2);
/// How many questions: each would find a pooler in transaction mode unless its other clients chanced to be in between.
const ROUNDS: usize = 12;

/// The one value of the last answer.
pub(super) fn value(answers: Vec<Answer>) -> Option<String> {
    answers.into_iter().next_back()?.into_iter().next()?.into_iter().next()?
}

impl Run<'_> {
    /// A pooler in transaction mode gives each message to whichever server is free: told by two connections that meet on
    /// one backend, or one that changes backends.
    pub(super) async fn check_session(&self, revision: &Id) -> Result<(), ApplyError> {
        let lost = |failure| ApplyError::Lost(revision.clone(), failure);
        let mine = || async { self.session.ask(&Message::of(Sql::of(BACKEND))).await.map_err(lost).map(value) };
        let first = mine().await?;
        let Ok(other) = self.watch.pool().session(PROBE).await else {
            debug!(target: "pgmarch::apply::stepwise", "no third connection to look for a pooler with");
            return if mine().await? == first { Ok(()) } else { Err(ApplyError::Pooler(revision.clone())) };
        };
        let occupy = Message::behind([Sql::of("BEGIN")], [Sql::of(BACKEND)]);
        for _ in 0..ROUNDS {
            let Ok(Ok(answer)) = tokio::time::timeout(PROBE, other.run(&occupy)).await else {
                // It waits for a server that the pool, in session mode, has given to us.
                other.close();
                return if mine().await? == first { Ok(()) } else { Err(ApplyError::Pooler(revision.clone())) };
            };
            let theirs = value(answer);
            // Of a pool of two, the lock has one and the other connection now the second: the answer waits for it, and comes
            // from that backend. An answer that is merely late says nothing.
            let now = tokio::time::timeout(PROBE, mine()).await;
            drop(tokio::time::timeout(PROBE, other.run(&Message::rollback())).await);
            let now = match now {
                Ok(now) => now?,
                Err(_) => mine().await?,
            };
            if now != first || theirs == first {
                other.close();
                return Err(ApplyError::Pooler(revision.clone()));
            }
        }
        self.watch.lend(other);
        Ok(())
    }
}
