//! The session of one step, for statements of our own beside those of its text.

use std::time::Duration;

use super::error::ApplyError;
use super::executor::Run;
use super::monitor::Target;
use super::script::Script;
use crate::connect::{Answer, Failure};
use crate::plan::Step;
use crate::revision::Id;
use crate::sql::{Message, Sql};

/// A step, and the session that it runs on.
pub(super) struct StepSession<'s, 'r> {
    pub(super) run: &'s Run<'r>,
    pub(super) step: &'s Step<'s>,
    /// The backend of the session, where it has to be one and the same.
    pub(super) pid: Option<i32>,
}

impl<'s> StepSession<'s, '_> {
    pub(super) fn id(&self) -> &'s Id {
        &self.step.revision.id
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.unwrap_or_default()
    }

    pub(super) fn patience(&self) -> Duration {
        self.run.config.run_lock_timeout
    }

    pub(super) fn occupied(&self, who: String) -> ApplyError {
        ApplyError::Occupied { revision: self.id().clone(), who }
    }

    /// Asks what takes no time.
    pub(super) async fn ask(&self, message: &Message) -> Result<Vec<Answer>, ApplyError> {
        match self.run.session.ask(message).await {
            Ok(answers) => Ok(answers),
            Err(failure) => Err(self.refused(failure).await),
        }
    }

    /// Runs a statement of our own by itself, for as long as it takes.
    pub(super) async fn alone(&self, statement: Sql, target: Target) -> Result<Vec<Answer>, ApplyError> {
        match self.run.watch.over(self.id().as_str(), target, self.run.session.run(&Message::as_it_is(statement))).await {
            Ok(answers) => Ok(answers),
            Err(failure) => Err(self.refused(failure).await),
        }
    }

    /// What the server's no to something of ours means.
    pub(super) async fn refused(&self, failure: Failure) -> ApplyError {
        let nothing = Script::begin();
        self.run.explain(&nothing, self.step, failure, 0).await
    }
}
