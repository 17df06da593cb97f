//! A `transaction:false` step, statement by statement. A statement that may run in a transaction is committed together with the
//! journal row that it is done. Any other is recorded as started before it runs and as finished after. A run that finds one
//! started first makes sure that its backend is gone, and then checks whether the statement was done.

mod batch;
mod earlier_backend;
mod execution;
mod invalid_index;
mod non_transactional;
mod pooler;
mod resume;
mod session;
mod statements;
mod transactional;

use super::session_context::{SettingScope, step_settings};
use super::step_message::step_duration;
use crate::apply::error::{ApplyError, CompletedStep};
use crate::apply::executor::Executor;
use crate::host::Event;
use crate::ledger::UnfinishedRevision;
use crate::ledger::{Stage, returning_duration};
use crate::plan::Step;
use crate::revision::statement::kind::StatementKind;
use crate::sql;
use crate::sql::{Message, Sql, discard};
use execution::StepwiseExecution;
use pooler::{BACKEND_PID, single_value};

pub(super) use resume::{check_text, needs_session};
pub(in crate::apply) use statements::StepStatements;

impl Executor<'_> {
    /// Runs a step statement by statement, from the first that is not done.
    pub(super) async fn run_stepwise(&self, step: &Step<'_>) -> Result<CompletedStep, ApplyError> {
        let id = &step.revision.id;
        let was = self.unfinished.iter().find(|was| was.revision == id.as_str() && was.direction == self.direction);
        let mut execution = StepwiseExecution::new(self, step, was);
        self.notify_started(id);
        execution.begin().await?;
        let count = execution.statements.len();
        let mut next = 0;
        if let Some(was) = was {
            check_text(step, was)?;
            next = was.done();
            let statement = (next + 1).min(count);
            self.host.notify(&Event::RevisionResumed { revision: id, unfinished: &was.to_string(), statement });
            if was.stage == Stage::Started {
                execution.session.wait_for_earlier_backend(was).await?;
            }
        }
        // A session of its own needs the settings only once.
        if needs_session(step) || self.backend.is_direct {
            execution.prepare_session(next).await?;
        }
        execution.prepare_records(next).await?;
        while next < count {
            if self.session.is_stopping() {
                execution.report();
            }
            self.wait_if_stopping().await;
            let resumed = was.filter(|was| was.stage == Stage::Started && was.statement == next + 1);
            next = execution.run_statements(next, resumed).await?;
        }
        execution.report();
        self.wait_if_stopping().await;
        let answers = execution.run_bookkeeping(returning_duration(execution.record_all_done())).await?;
        let resets = ["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"].map(Sql::of);
        execution.session.ask(&Message::preceded_by(resets, discard(self.backend.discard()))).await?;
        Ok(CompletedStep { id: id.clone(), duration: step_duration(&answers) })
    }
}

impl StepwiseExecution<'_, '_> {
    /// Restores the session settings that the revision has set before statement `next`.
    async fn prepare_session(&mut self, next: usize) -> Result<(), ApplyError> {
        let config = self.executor().config;
        let settings = [
            step_settings(config, &self.executor().session_context(self.session.id()), SettingScope::Session),
            Sql::of("SET default_transaction_isolation TO 'read committed'"),
            Sql::of("SET default_transaction_read_only TO off"),
        ];
        let role = config.role.as_ref().map(|role| sql!("SET ROLE {role}", role = *role));
        let path = config.search_path.as_ref().map(|path| sql!("SET search_path TO {path}", path = *path));
        self.session.ask(&Message::verbatim(Sql::join(settings.into_iter().chain(role).chain(path), ";\n"))).await?;
        self.session.pid = single_value(self.session.ask(&Message::of(Sql::of(BACKEND_PID))).await?).and_then(|pid| pid.parse().ok());
        for number in 0..next {
            if *self.statements.kind(number) == StatementKind::Setting {
                self.session.ask(&Message::verbatim(Sql::from_file(self.text(number)))).await?;
            }
        }
        Ok(())
    }

    /// Runs one statement, or several; returns the number of the next.
    async fn run_statements(&mut self, number: usize, resumed: Option<&UnfinishedRevision>) -> Result<usize, ApplyError> {
        let StatementKind::NonTransactional(kind) = self.statements.kind(number) else { return self.run_transactional(number).await };
        let (host, kind) = (&self.executor().host, kind.clone());
        self.report();
        let started = host.now();
        self.run_non_transactional(number, &kind, resumed).await?;
        let (revision, count, duration) = (self.session.id(), self.statements.len(), host.elapsed(started));
        host.notify(&Event::StatementDone { revision, statement: number + 1, count, duration });
        Ok(number + 1)
    }
}
