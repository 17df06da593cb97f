//! What to do about a server's error in the text of a revision, by its cause: one file for each cause that has more to say than
//! its SQLSTATE. What it names (objects, owners, settings, queries) is asked of the server after the transaction has ended.

mod data;
mod encoding;
mod interruption;
mod privilege;
mod resource;
mod transaction_mode;

use tokio_postgres::error::DbError;

use super::executor::Executor;
use crate::facts::Blocker;
use crate::plan::Step;
use crate::session::other_session::lock_advice;
use crate::session::{Failure, FailureCause, StatementResult};
use crate::sql::Message;

pub(super) use encoding::unrepresentable;

/// A failure, and what is known of its surroundings.
pub(super) struct FailedStatement<'f> {
    pub(super) failure: &'f Failure,
    pub(super) error: &'f DbError,
    pub(super) step: &'f Step<'f>,
    /// The statement that failed; empty if it is not known.
    pub(super) statement: &'f str,
    /// The text of the section up to its end.
    pub(super) text: &'f str,
    /// The sessions that were in the way.
    pub(super) blockers: &'f [Blocker],
}

impl Executor<'_> {
    /// What to do about it; `None`: fix the file.
    pub(super) async fn advise(&self, failed: &FailedStatement<'_>) -> Option<String> {
        let code = failed.error.code();
        match FailureCause::of(code) {
            _ if is_raised(failed.error) && FailureCause::of(code) != FailureCause::Statement => {
                Some(format!("the revision's own code raised SQLSTATE {} (RAISE): do what its message says", code.code()))
            }
            FailureCause::Lock => Some(lock_advice(failed.blockers)),
            FailureCause::Resource => Some(resource::advice(failed.error)),
            FailureCause::Interrupted => Some(self.interruption_advice(failed).await),
            FailureCause::Privilege => Some(self.privilege_advice(failed).await),
            FailureCause::Data => self.data_advice(failed).await,
            FailureCause::Statement => transaction_mode::advice(failed.error, failed.statement),
        }
    }

    /// The first answer to a query about a failure; nothing if the server does not answer it: advice is not worth another failure.
    async fn look_up(&self, query: &Message) -> StatementResult {
        let own = self.session.ask(query).await.ok();
        let answers = match own {
            Some(answers) => Some(answers),
            None => self.monitor.ask(query).await,
        };
        answers.and_then(|answers| answers.into_iter().next()).unwrap_or_default()
    }
}

/// Whether PL/pgSQL's `RAISE` reported the error: the server names the function of its source that did, in no language.
fn is_raised(error: &DbError) -> bool {
    error.routine() == Some("exec_stmt_raise")
}

/// A text as a string constant.
fn constant(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
