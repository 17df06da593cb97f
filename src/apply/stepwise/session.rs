//! The session of one step, for pgmarch's statements besides those of the step's text.

use std::time::Duration;

use crate::apply::error::ApplyError;
use crate::apply::executor::Executor;
use crate::apply::monitor::MonitoredBackend;
use crate::apply::segments::SegmentedMessage;
use crate::facts::Blocker;
use crate::plan::Step;
use crate::revision::Id;
use crate::session::{Failure, StatementResult};
use crate::sql::{Message, Sql};

/// A step, and the session that it runs on.
pub(super) struct StepSession<'s, 'r> {
    pub(super) executor: &'s Executor<'r>,
    pub(super) step: &'s Step<'s>,
    /// The backend of the session, where all statements must run on the same one.
    pub(super) pid: Option<i32>,
}

impl<'s> StepSession<'s, '_> {
    pub(super) fn id(&self) -> &'s Id {
        &self.step.revision.id
    }

    /// How long to wait for another session.
    pub(super) fn timeout(&self) -> Duration {
        self.executor.config.run_lock_timeout
    }

    /// Another session, which works on this revision, or on the table of an index, was waited for in vain.
    pub(super) fn busy(&self, session: Blocker, index: Option<&str>) -> ApplyError {
        ApplyError::Busy { revision: self.id().clone(), session: Box::new(session), index: index.map(str::to_owned) }
    }

    /// Sends a query that takes no time.
    pub(super) async fn ask(&self, message: &Message) -> Result<Vec<StatementResult>, ApplyError> {
        match self.executor.session.ask(message).await {
            Ok(answers) => Ok(answers),
            Err(failure) => Err(self.diagnose_own(failure).await),
        }
    }

    /// Runs a statement outside of transactions, for as long as it takes.
    pub(super) async fn run_statement(&self, statement: Sql) -> Result<Vec<StatementResult>, ApplyError> {
        match self.supervise(self.backend(), self.executor.session.run(&Message::verbatim(statement))).await {
            Ok(answers) => Ok(answers),
            Err(failure) => Err(self.diagnose_own(failure).await),
        }
    }

    /// Waits for `work`, and monitors the backend that does it.
    pub(super) async fn supervise<T>(
        &self,
        backend: MonitoredBackend,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.executor.monitor.supervise(self.id().as_str(), backend, work).await
    }

    /// The backend of the session.
    pub(super) fn backend(&self) -> MonitoredBackend {
        MonitoredBackend::Pid(self.pid.unwrap_or_default())
    }

    /// Diagnoses the failure of a statement of pgmarch.
    pub(super) async fn diagnose_own(&self, failure: Failure) -> ApplyError {
        self.executor.diagnose(&SegmentedMessage::begin(), self.step, failure, 0).await
    }
}
