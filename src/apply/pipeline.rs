//! Several revisions in flight at once: the next message is sent before the answer to the previous one, so that a slow link costs
//! one round trip for a window of revisions instead of one for each.
//!
//! The fence makes that safe: a revision whose predecessor failed finds a different version row, or an aborted transaction, and
//! changes nothing. Answers are awaited in order, and each failure belongs to its own message. A pooler gets one message at a
//! time ([`crate::ledger::Backend::is_direct`] explains why).

use std::collections::VecDeque;

use tokio_postgres::error::SqlState;
use tracing::debug;

use super::error::{ApplyError, CompletedStep};
use super::executor::Executor;
use super::retries::LockRetries;
use super::segments::SegmentedMessage;
use super::step_message::{step_duration, step_message};
use crate::plan::Step;
use crate::session::{Failure, Sent};
use crate::sql::Flush;

/// The most messages in flight: with a round trip of 20 ms, and 1 ms for each message on the server, some 20 keep it busy.
const MOST: usize = 64;
/// No further message is sent while this many bytes are in flight.
const MOST_BYTES: usize = 256 * 1024;

/// A revision that was sent and not yet answered.
struct InFlight<'s> {
    place: usize,
    bytes: usize,
    script: SegmentedMessage,
    sent: Sent<'s>,
}

impl<'r> Executor<'r> {
    /// Runs the steps, each in a transaction of its own. A step that fails only because of other sessions' locks is rolled back,
    /// and sent again with all that follow it: those can't have run.
    pub(super) async fn run_pipelined(&mut self, steps: &[Step<'_>]) -> Result<(), ApplyError> {
        let mut window: VecDeque<InFlight<'_>> = VecDeque::new();
        let mut next = 0;
        let mut retries: Option<LockRetries> = None;
        loop {
            while next < steps.len() && self.has_room(&window) && !self.session.is_stopping() {
                window.push_back(self.send(steps, next).await?);
                next += 1;
            }
            let Some(InFlight { place, script, sent, .. }) = window.pop_front() else {
                return if next == steps.len() { Ok(()) } else { std::future::pending().await };
            };
            let step = &steps[place];
            let id = &step.revision.id;
            let failure = match self.monitor.supervise(id.as_str(), self.monitored_backend(), sent.answers()).await {
                Ok(answers) => {
                    retries = None;
                    self.record_committed(CompletedStep { id: id.clone(), duration: step_duration(&answers) });
                    continue;
                }
                Err(failure) => failure,
            };
            let unexpected_successes = if failure.is_lost() { 0 } else { self.unexpected_successes(steps, &mut window).await? };
            if unexpected_successes > 0 {
                // Another session without the run lock did this step in the meantime, so that the next ones passed their fences:
                // a new plan is needed.
                self.roll_back().await;
                return Err(ApplyError::Moved(failure));
            }
            if self.statement_cache.disable() && is_about_prepared(&failure) && script.is_bookkeeping_failure(&failure) {
                // The revision deallocated the prepared statements: rendered in full, the step either succeeds or fails for a
                // cause of its own.
                debug!(target: "pgmarch::apply::window", error = %crate::words::chain(&failure.source), "saying the bookkeeping in full");
                self.roll_back().await;
                next = place;
                continue;
            }
            let retries = retries.get_or_insert_with(|| LockRetries::new(&self.host, self.config.retry_for));
            if !failure.is_retried() || !retries.has_time_left() {
                return Err(self.diagnose(&script, step, failure, 0).await);
            }
            self.roll_back().await;
            retries.wait(id, "was rolled back", &failure, &self.monitor, step.sql()).await;
            next = place;
        }
    }

    /// Awaits what was sent after a failed message, and returns how much of it succeeded. The connection may still be lost.
    async fn unexpected_successes(&self, steps: &[Step<'_>], window: &mut VecDeque<InFlight<'_>>) -> Result<usize, ApplyError> {
        let mut unexpected_successes = 0;
        for InFlight { place, sent, .. } in window.drain(..) {
            let id = &steps[place].revision.id;
            match self.monitor.supervise_after_failure(id.as_str(), self.monitored_backend(), sent.answers()).await {
                Ok(_) => unexpected_successes += 1,
                Err(failure) if failure.is_lost() => return Err(ApplyError::Lost(id.clone(), failure)),
                Err(_) => {}
            }
        }
        Ok(unexpected_successes)
    }

    async fn send(&self, steps: &[Step<'_>], place: usize) -> Result<InFlight<'r>, ApplyError> {
        let step = &steps[place];
        let mut ledger = self.ledger.clone();
        // The messages sent before this one have created the tables, or it changes nothing.
        if place > 0 {
            ledger.mark_installed();
        }
        let flush = if self.is_last(step) { Flush::Now } else { Flush::Later };
        let mut script =
            step_message(step, &self.step_options(step, Some(flush)), &ledger, self.config, &self.session_context(&step.revision.id));
        let message = script.take_message();
        match self.session.send(&message).await {
            Ok(sent) => {
                self.notify_started(&step.revision.id);
                Ok(InFlight { place, bytes: message.sql().len(), script, sent })
            }
            Err(failure) => Err(self.diagnose(&script, step, failure, 0).await),
        }
    }

    fn has_room(&self, window: &VecDeque<InFlight<'_>>) -> bool {
        let most = if self.backend.is_direct { MOST } else { 1 };
        window.is_empty() || window.len() < most && window.iter().map(|in_flight| in_flight.bytes).sum::<usize>() < MOST_BYTES
    }
}

/// A prepared statement of pgmarch's is missing, or no longer valid.
pub(super) fn is_about_prepared(failure: &Failure) -> bool {
    failure.code().is_some_and(|code| {
        [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT, SqlState::FEATURE_NOT_SUPPORTED].contains(code)
    })
}
