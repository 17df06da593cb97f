//! Statements of a `transaction:false` step that may run in a transaction. Each has a transaction of its own; in a session that no
//! pooler shares, one message has several of these transactions. The server ignores what is behind one that fails.
//!
//! While the server works on one message, pgmarch reports what the message before it has committed, and renders the next one.

use std::ops::Range;

use super::batch::{Batch, MOST_BYTES, Unreported};
use super::execution::StepwiseExecution;
use crate::apply::error::ApplyError;
use crate::apply::pipeline::is_about_prepared;
use crate::apply::retries::LockRetries;
use crate::apply::segments::SegmentedMessage;
use crate::apply::session_context::{SettingScope, bookkeeping_settings, bookkeeping_settings_of_plain_session, step_settings};
use crate::apply::step_message::push_statement;
use crate::host::Event;
use crate::ledger::{StatementCache, StatementDone, is_verify_failure, set_role, split_last_row};
use crate::revision::statement::kind::StatementKind;
use crate::session::{Failure, StatementResult};
use crate::sql;
use crate::sql::{Flush, Message};

/// Preparing the record pays for at least so many statements.
const OFTEN: usize = 4;

impl StepwiseExecution<'_, '_> {
    /// Prepares what each statement from `next` on repeats.
    pub(super) async fn prepare_records(&mut self, next: usize) -> Result<(), ApplyError> {
        let executor = self.executor();
        let transactional = (next..self.statements.len()).filter(|number| self.is_transactional(*number));
        if !executor.stepwise_cache.is_enabled() || transactional.take(OFTEN).count() < OFTEN {
            return Ok(());
        }
        let prepared = executor.ledger.prepare_record_done(&executor.backend, &executor.stepwise_cache);
        if !prepared.is_empty() {
            self.session.ask(&Message::preceded_by(set_role(executor.config), prepared)).await?;
        }
        self.has_prepared = true;
        Ok(())
    }

    fn is_transactional(&self, number: usize) -> bool {
        !matches!(self.statements.kind(number), StatementKind::NonTransactional(_))
    }

    /// Runs the statement, and as many after it as may be sent with it: each in one transaction with the journal row that it is
    /// done, so that it happens once or not at all. Returns the number of the next statement.
    pub(super) async fn run_transactional(&mut self, first: usize) -> Result<usize, ApplyError> {
        let (id, executor) = (self.session.id(), self.executor());
        let host = &executor.host;
        let mut batch = self.next_batch(first);
        let mut retries = LockRetries::new(host, executor.config.retry_for);
        loop {
            let Batch { statements: Range { start: first, end }, message: mut sent, follows_message } = batch;
            let message = sent.take_message();
            let started = host.now();
            let failure = match self.run_while_rendering(&message, end).await {
                Ok(answers) => {
                    let took = host.elapsed(started);
                    self.remember(&answers);
                    self.batch_size.adapt(end - first, took);
                    self.unreported = Some(Unreported { statements: first..end, took });
                    return Ok(end);
                }
                Err(failure) => failure,
            };
            self.batch_ahead = None;
            let done = if failure.is_unreplicated() { end } else { first + sent.commits_before(&failure) };
            self.unreported = Some(Unreported { statements: first..done, took: host.elapsed(started) });
            self.report();
            if failure.is_lost() || failure.is_unreplicated() {
                return Err(executor.diagnose(&sent, self.session.step, failure, done).await);
            }
            let is_first = done == first;
            self.is_stale = !is_first;
            self.batch_size.reset();
            if failure.completed == 0 && end > first + 1 {
                // The server parses a message before it runs any of it: the statements before the one with the error are run alone.
                self.roll_back().await;
                return Ok(first);
            }
            if (!is_first || follows_message) && is_verify_failure(&failure) {
                // A function may have reset the setting that has the last row: what is read now settles it.
                return if self.restore(done).await? { Ok(done) } else { Err(ApplyError::Moved(failure)) };
            }
            if self.has_prepared && is_about_prepared(&failure) && sent.is_bookkeeping_failure(&failure) {
                // The revision deallocated the prepared statements.
                executor.stepwise_cache.disable();
                self.has_prepared = false;
                return if self.restore(done).await? { Ok(done) } else { Err(ApplyError::Moved(failure)) };
            }
            if !is_first {
                retries = LockRetries::new(host, executor.config.retry_for);
            }
            if !failure.is_retried() || !retries.has_time_left() {
                let note = self.note(done, Vec::new());
                return Err(self.record_failed(&sent, done, note, failure).await);
            }
            if !self.restore(done).await? {
                return Err(ApplyError::Moved(failure));
            }
            let happened = format!("its statement {} was rolled back", done + 1);
            retries.wait(id, &happened, &failure, &executor.monitor, self.statements.text(done)).await;
            batch = self.batch(done..done + 1, false);
        }
    }

    /// The end of a message that begins with a statement. A statement that may reset the session's settings begins one, and so
    /// does the one after a statement that has no transaction.
    fn end_of_batch(&self, first: usize) -> usize {
        if !self.has_session_of_its_own() {
            return first + 1;
        }
        let mut bytes = self.statements.text(first).len();
        let goes_on = |number: &usize| {
            bytes += self.statements.text(*number).len();
            *self.statements.kind(*number) == StatementKind::Transactional && bytes < MOST_BYTES
        };
        let more = (first + 1..self.statements.len()).take(self.batch_size.get() - 1).take_while(goes_on).count();
        first + 1 + more
    }

    /// Sends a message, and waits for its answer; meanwhile reports what was committed before, and renders the message that begins
    /// with statement `next`.
    async fn run_while_rendering(&mut self, message: &Message, next: usize) -> Result<Vec<StatementResult>, Failure> {
        let session = self.executor().session;
        let sent = session.send(message).await?;
        // The task that writes to the connection gets its turn.
        tokio::task::yield_now().await;
        self.report();
        if self.has_session_of_its_own() && next < self.statements.len() && self.is_transactional(next) {
            self.batch_ahead = Some(self.batch(next..self.end_of_batch(next), true));
        }
        self.session.supervise(self.executor().monitored_backend(), sent.answers()).await
    }

    /// The message that begins with a statement: the one that was rendered ahead, unless statements take longer since.
    fn next_batch(&mut self, first: usize) -> Batch {
        let fits = |batch: &Batch| batch.statements.start == first && batch.statements.len() <= self.batch_size.get();
        match self.batch_ahead.take().filter(fits) {
            Some(batch) => batch,
            None => self.batch(first..self.end_of_batch(first), false),
        }
    }

    /// Whether what one message has set is there for the next.
    fn has_session_of_its_own(&self) -> bool {
        self.session.pid.is_some() && self.executor().backend.is_direct
    }

    fn batch(&mut self, statements: Range<usize>, follows_message: bool) -> Batch {
        let (id, executor) = (self.session.id(), self.executor());
        let (config, context) = (executor.config, executor.session_context(id));
        let mut ahead = Vec::new();
        if self.session.pid.is_none() {
            ahead.push(step_settings(config, &context, SettingScope::Transaction));
            ahead.extend(crate::ledger::session_settings(config));
        } else if !context.has_defaults {
            ahead.push(sql!("SELECT {token}", token = context.take_token()));
        }
        let is_plain = self.has_session_of_its_own() && self.statements.are_all_transactional() && executor.ledger.has_plain_tables();
        let settings = if is_plain { bookkeeping_settings_of_plain_session(config) } else { bookkeeping_settings(config) };
        let in_full = StatementCache::default();
        let tables = self.tables.clone();
        let (identities, last_row) = tables.as_deref().and_then(split_last_row).unwrap_or_default();
        let mut message = SegmentedMessage::default();
        for number in statements.clone() {
            let note = self.note(number, Vec::new());
            let done = StatementDone {
                step: self.session.step,
                direction: executor.direction,
                statement: number + 1,
                note: &note,
                identities,
                last_row: (number == statements.start && !follows_message).then_some(last_row),
                backend: &executor.backend,
            };
            let mut record = executor.ledger.record_done(&done, if self.has_prepared { &executor.stepwise_cache } else { &in_full });
            let is_last = number + 1 == statements.end;
            if is_last {
                record.push(executor.ledger.last_statement_record(id));
            }
            let flush = if is_last { Flush::Now } else { Flush::Later };
            push_statement(&mut message, ahead.clone(), self.statements.user_statement(number), settings.clone(), &record, flush);
        }
        Batch { statements, message, follows_message }
    }

    /// Ends the transaction of a failed try, after the statements up to `done` were committed. Returns whether the last row is
    /// still this run's.
    async fn restore(&mut self, done: usize) -> Result<bool, ApplyError> {
        let is_ours = self.reload_if_stale(done).await?;
        self.roll_back().await;
        Ok(is_ours)
    }

    /// Reports what was committed and is not yet reported.
    pub(super) fn report(&mut self) {
        let Some(Unreported { statements, took }) = self.unreported.take() else { return };
        let (revision, count) = (self.session.id(), self.statements.len());
        let duration = took / u32::try_from(statements.len()).unwrap_or(u32::MAX).max(1);
        for number in statements {
            self.executor().host.notify(&Event::StatementDone { revision, statement: number + 1, count, duration });
        }
    }
}
