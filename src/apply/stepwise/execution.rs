//! A `transaction:false` step that is being executed, and the journal rows about its statements.

use tracing::debug;

use super::batch::{Batch, BatchSize, Unreported};
use super::session::StepSession;
use super::statements::StepStatements;
use crate::apply::bookkeeping::write;
use crate::apply::error::ApplyError;
use crate::apply::executor::Executor;
use crate::apply::retries::LockRetries;
use crate::apply::segments::SegmentedMessage;
use crate::apply::step_message::bookkeeping_message;
use crate::host::Event;
use crate::ledger::{Stage, StatementNote, UnfinishedRevision, set_role};
use crate::plan::Step;
use crate::revision::checksum::semantic_checksum;
use crate::session::{Failure, StatementResult, application_name};
use crate::sql;
use crate::sql::{Message, Sql, deallocate};

/// One step being executed.
pub(super) struct StepwiseExecution<'s, 'r> {
    pub(super) session: StepSession<'s, 'r>,
    pub(super) statements: StepStatements<'s>,
    /// The last journal row about one of its statements. No other run may have written one since.
    journal_id: Option<i64>,
    /// The state of pgmarch's tables when that row was written, which a statement must not change; and the time.
    pub(super) tables: Option<String>,
    noted_at: Option<String>,
    retries: LockRetries,
    /// Whether the session has prepared the record of a statement that is done.
    pub(super) has_prepared: bool,
    pub(super) batch_size: BatchSize,
    /// Whether statements were committed since the last row was remembered.
    pub(super) is_stale: bool,
    /// The next message, rendered while the server works on the one before it.
    pub(super) batch_ahead: Option<Batch>,
    pub(super) unreported: Option<Unreported>,
}

impl<'s, 'r> StepwiseExecution<'s, 'r> {
    pub(super) fn new(executor: &'s Executor<'r>, step: &'s Step<'s>, was: Option<&UnfinishedRevision>) -> Self {
        Self {
            session: StepSession { executor, step, pid: None },
            statements: StepStatements::of(step.sql()),
            journal_id: was.map(|was| was.journal_id),
            tables: None,
            noted_at: None,
            retries: LockRetries::new(&executor.host, executor.config.retry_for),
            has_prepared: false,
            batch_size: BatchSize::default(),
            is_stale: false,
            batch_ahead: None,
            unreported: None,
        }
    }

    /// The executor of the plan.
    pub(super) fn executor(&self) -> &'s Executor<'r> {
        self.session.executor
    }

    pub(super) fn text(&self, number: usize) -> &'s str {
        self.statements.text(number)
    }

    /// Creates the tables of the journal, if they are missing; makes sure that no other run continues the step, and remembers what
    /// the tables are like.
    pub(super) async fn begin(&mut self) -> Result<(), ApplyError> {
        let executor = self.executor();
        let missing = executor.ledger.install();
        if !missing.is_empty() {
            self.run_bookkeeping(missing).await?;
        }
        let mut fence = executor.ledger.fence_statement(&self.session.step.before, self.session.id(), self.journal_id);
        fence.push(executor.ledger.tables_and_time());
        let answers = self.run_bookkeeping(fence).await?;
        let row = answers.last().and_then(|rows| rows.first()).map(Vec::as_slice);
        if let Some([tables, time]) = row {
            self.tables.clone_from(tables);
            self.noted_at.clone_from(time);
        }
        Ok(())
    }

    /// Runs a transaction of pgmarch's about this step; runs it again if it fails only because of other sessions' locks.
    pub(super) async fn run_bookkeeping(&mut self, statements: Vec<Sql>) -> Result<Vec<StatementResult>, ApplyError> {
        let executor = self.executor();
        loop {
            let context = executor.session_context(self.session.id());
            let token = (!context.has_defaults).then(|| sql!("SELECT {token}", token = context.take_token()));
            let mut sent = bookkeeping_message(executor.config, token.into_iter().chain(statements.clone()).collect());
            let message = sent.take_message();
            let writing = write(executor.session, executor.config, &message);
            match self.session.supervise(executor.monitored_backend(), writing).await {
                Ok(answers) => return Ok(answers),
                Err(failure) if failure.is_retried() && self.retries.has_time_left() => {
                    executor.roll_back().await;
                    self.retries
                        .wait(self.session.id(), "its note was rolled back", &failure, &executor.monitor, &executor.own_tables())
                        .await;
                }
                Err(failure) => return Err(executor.diagnose(&sent, self.session.step, failure, 0).await),
            }
        }
    }

    /// What the next run must know about a statement.
    pub(super) fn note(&mut self, number: usize, indexes: Vec<u32>) -> StatementNote {
        StatementNote {
            before: self.statements.checksum_before(number),
            own: semantic_checksum(self.text(number)),
            application: application_name(Some(self.session.id().as_str())),
            indexes,
        }
    }

    /// The statements that write a journal row about a statement, and return it.
    pub(super) fn record(&self, stage: Stage, number: usize, note: &StatementNote, detail: Option<&str>) -> Vec<Sql> {
        let (ledger, direction) = (&self.executor().ledger, self.executor().direction);
        let fence = ledger.fence_statement(&self.session.step.before, self.session.id(), self.journal_id);
        let row = ledger.record_statement(self.session.id(), direction, stage, number + 1, note, detail);
        fence.into_iter().chain([row, ledger.last_statement_record(self.session.id())]).collect()
    }

    /// Remembers the row that was just written: the last answer before COMMIT. Returns the backend that wrote it.
    pub(super) fn remember(&mut self, answers: &[StatementResult]) -> Option<i32> {
        let row = answers.last().and_then(|rows| rows.first())?;
        let [journal_id, pid, tables, noted_at, _] = <&[Option<String>; 5]>::try_from(row.as_slice()).ok()?;
        self.is_stale = false;
        self.journal_id = journal_id.as_deref().and_then(|id| id.parse().ok());
        self.tables.clone_from(tables);
        self.noted_at.clone_from(noted_at);
        pid.as_deref().and_then(|pid| pid.parse().ok())
    }

    /// Reads the row that the last committed statement has written, if that was not yet remembered. Returns whether it is the last
    /// row still, so that no other run continues the step.
    pub(super) async fn reload_if_stale(&mut self, done: usize) -> Result<bool, ApplyError> {
        if !self.is_stale {
            return Ok(true);
        }
        let executor = self.executor();
        let last = executor.ledger.last_statement_record(self.session.id());
        let message = Message::preceded_by([Sql::of("ROLLBACK")].into_iter().chain(set_role(executor.config)), [last]);
        let answers = self.session.ask(&message).await?;
        let statement = answers.last().and_then(|rows| rows.first()?.last()?.as_deref()?.parse().ok());
        Ok(self.remember(&answers) == Some(executor.backend.pid) && statement == Some(done))
    }

    pub(super) async fn record_finished(&mut self, number: usize, indexes: Vec<u32>) -> Result<(), ApplyError> {
        let note = self.note(number, indexes);
        let answers = self.run_bookkeeping(self.record(Stage::Finished, number, &note, None)).await?;
        self.remember(&answers);
        Ok(())
    }

    /// Diagnoses the failure of a statement that is not tried again, and records it, if that is possible.
    pub(super) async fn record_failed(
        &mut self,
        sent: &SegmentedMessage,
        number: usize,
        note: StatementNote,
        failure: Failure,
    ) -> ApplyError {
        let detail = failure.source.as_db_error().map(|error| format!("{}: {}", error.code().code(), error.message()));
        let error = self.executor().diagnose(sent, self.session.step, failure, number).await;
        let detail = if let ApplyError::OwnTables(changed) = &error { Some(changed.detail.clone()) } else { detail };
        if matches!(error, ApplyError::Revision(_) | ApplyError::OwnTables(_)) {
            let recorded = match self.reload_if_stale(number).await {
                Ok(_) => self.run_bookkeeping(self.record(Stage::Failed, number, &note, detail.as_deref())).await,
                Err(error) => Err(error),
            };
            match recorded {
                Ok(answers) => {
                    self.remember(&answers);
                }
                Err(problem) => {
                    self.executor().host.notify(&Event::NotInJournal { statement: None, cause: &crate::words::chain(&problem) });
                }
            }
        }
        error
    }

    /// Returns the statements that write the last journal row and move the version row.
    pub(super) fn record_all_done(&self) -> Vec<Sql> {
        let (executor, step) = (self.executor(), self.session.step);
        let mut statements = executor.ledger.fence_last_statement(step, executor.direction, self.journal_id);
        statements.extend(executor.ledger.record_statements_done(step, executor.direction, executor.digest_for(step)));
        statements
    }

    /// Ends the transaction of a failed try, and deallocates what it prepared, which would be in the way of the next.
    pub(super) async fn roll_back(&self) {
        let deallocate = self.executor().backend.has_plpgsql.then(|| deallocate(self.noted_at.as_deref()));
        self.executor().end_transaction(deallocate).await;
    }

    /// Deallocates what a failed statement outside of transactions prepared.
    pub(super) async fn deallocate_prepared(&self) {
        if !self.executor().backend.has_plpgsql {
            return;
        }
        let deallocate = sql::Message::of(deallocate(self.noted_at.as_deref()));
        if let Err(failure) = self.executor().session.ask(&deallocate).await {
            debug!(target: "pgmarch::apply::stepwise", error = %crate::words::chain(&failure.source), "prepared statements of the failed try are left");
        }
    }
}
