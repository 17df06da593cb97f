//! A statement of a `transaction:false` step that may run in a transaction.

use super::execution::StepwiseExecution;
use crate::apply::error::ApplyError;
use crate::apply::retries::LockRetries;
use crate::apply::session_context::{SettingScope, step_settings};
use crate::apply::step_message::statement_message;
use crate::ledger::Stage;
use crate::sql;

impl StepwiseExecution<'_, '_> {
    /// Runs a statement in one transaction with the journal row that it is done, so that it happens once or not at all.
    pub(super) async fn run_transactional(&mut self, number: usize) -> Result<(), ApplyError> {
        let (id, executor) = (self.session.id(), self.executor());
        let context = executor.session_context(id);
        let mut ahead = Vec::new();
        if self.session.pid.is_none() {
            ahead.push(step_settings(executor.config, &context, SettingScope::Transaction));
            ahead.extend(crate::ledger::session_settings(executor.config));
        } else if !context.has_defaults {
            ahead.push(sql!("SELECT {token}", token = context.take_token()));
        }
        let note = self.note(number, Vec::new());
        let mut retries = LockRetries::new(&executor.host, executor.config.retry_for);
        loop {
            let record = self.record(Stage::Finished, number, &note, None);
            let check = vec![executor.ledger.verify_unchanged_since(&self.session.step.before, self.tables.as_deref())];
            let mut sent = statement_message(ahead.clone(), self.user_statement(number), executor.config, check, record);
            let message = sent.take_message();
            match self.session.supervise(executor.monitored_backend(), executor.session.run(&message)).await {
                Ok(answers) => {
                    self.remember(&answers);
                    return Ok(());
                }
                Err(failure) if failure.met_a_lock() && retries.has_time_left() => {
                    self.roll_back().await;
                    let happened = format!("its statement {} was rolled back", number + 1);
                    retries.wait(id, &happened, &failure, &executor.monitor).await;
                }
                Err(failure) => return Err(self.record_failed(&sent, number, note, failure).await),
            }
        }
    }
}
