//! `PGMARCH_TRANSACTION=run`: all steps of a plan in one transaction.

use super::error::{ApplyError, CompletedStep};
use super::executor::Executor;
use super::retries::LockRetries;
use super::segments::SegmentedMessage;
use super::step_message::{closing_message, step_duration, step_message};
use crate::plan::{Plan, Step};
use crate::revision::SectionMode;
use crate::session::Failure;

/// A failed transaction of several steps: the step that failed, or its end.
struct FailedTransaction<'p> {
    script: SegmentedMessage,
    step: &'p Step<'p>,
    is_end: bool,
    failure: Failure,
}

impl Executor<'_> {
    /// All steps in one transaction: nothing is committed until the COMMIT at the end. A transaction that fails only because of
    /// other sessions' locks is rolled back, and run again from its beginning.
    pub(super) async fn run_in_one_transaction(&mut self, plan: &Plan<'_>) -> Result<(), ApplyError> {
        if let Some(step) = plan.steps.iter().find(|step| step.mode() == SectionMode::Stepwise) {
            return Err(ApplyError::StepwiseInRun(step.revision.id.clone()));
        }
        let mut retries = LockRetries::new(&self.host, self.config.retry_for);
        loop {
            let FailedTransaction { script, step, is_end, failure } = match self.try_in_one_transaction(plan).await {
                Ok(done) => {
                    for done in done {
                        self.record_committed(done);
                    }
                    return Ok(());
                }
                Err(failed) => *failed,
            };
            if failure.is_retried() && retries.has_time_left() {
                self.roll_back().await;
                retries.wait(&step.revision.id, "the run was rolled back", &failure, &self.monitor, step.sql()).await;
                continue;
            }
            let mut error = self.diagnose(&script, step, failure, 0).await;
            if let (true, ApplyError::OwnTables(changed)) = (is_end, &mut error) {
                changed.deferred = plan.steps.iter().map(|step| step.revision.id.clone()).collect();
            }
            return Err(error);
        }
    }

    async fn try_in_one_transaction<'p>(&self, plan: &'p Plan<'p>) -> Result<Vec<CompletedStep>, Box<FailedTransaction<'p>>> {
        let Some(last) = plan.steps.last() else { return Ok(Vec::new()) };
        let failed = |script, step, is_end| move |failure| Box::new(FailedTransaction { script, step, is_end, failure });
        let mut done = Vec::new();
        // BEGIN succeeded before anything that follows it, so no text can run outside of the transaction.
        let mut opening = SegmentedMessage::begin_for(plan.steps.first().map_or("", Step::sql));
        let message = opening.take_message();
        self.session.ask(&message).await.map_err(failed(opening, last, false))?;
        // Tables that the first step creates are visible to the later ones of this transaction; other sessions see them after the
        // COMMIT.
        let mut ledger = self.ledger.clone();
        for step in &plan.steps {
            self.wait_if_stopping().await;
            let id = &step.revision.id;
            self.notify_started(id);
            let mut script = step_message(step, &self.step_options(step, None), &ledger, self.config, &self.session_context(id));
            let message = script.take_message();
            let outcome = self.monitor.supervise(id.as_str(), self.monitored_backend(), self.session.run(&message)).await;
            done.push(CompletedStep { id: id.clone(), duration: step_duration(&outcome.map_err(failed(script, step, false))?) });
            ledger.mark_installed();
        }
        self.wait_if_stopping().await;
        let mut closing = closing_message(&last.after, &self.server, &self.backend, &ledger, self.config);
        let message = closing.take_message();
        let outcome = self.monitor.supervise(last.revision.id.as_str(), self.monitored_backend(), self.session.run(&message)).await;
        outcome.map_err(failed(closing, last, true))?;
        Ok(done)
    }
}
