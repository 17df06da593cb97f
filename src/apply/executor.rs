//! What all ways to run a plan share: the session, the context of each message, and how a transaction ends.

use std::time::Duration;

use tracing::debug;

use super::bookkeeping::run_bookkeeping_unmonitored;
use super::error::{ApplyError, CompletedStep};
use super::monitor::{MonitoredBackend, StatementMonitor};
use super::session_context::SessionContext;
use super::step_message::StepOptions;
use crate::config::Config;
use crate::host::{Event, Host};
use crate::ledger::{Backend, Ledger, Server, StatementCache, UnfinishedRevision};
use crate::plan::{Plan, Step, VersionRows};
use crate::revision::Direction;
use crate::revision::Id;
use crate::revision::applied_digest::AppliedDigest;
use crate::session::Session;
use crate::sql::{Flush, Message, Sql, discard};

/// A plan that is being executed.
pub(super) struct Executor<'r> {
    pub(super) ledger: Ledger,
    pub(super) config: &'r Config,
    pub(super) host: Host,
    pub(super) session: &'r Session,
    pub(super) server: Server,
    pub(super) backend: Backend,
    pub(super) unfinished: &'r [UnfinishedRevision],
    pub(super) direction: Direction,
    /// The version rows that the run begins with.
    pub(super) first: VersionRows,
    /// The last step of the run, and what is applied after it.
    pub(super) last: Option<Id>,
    pub(super) digest: Option<AppliedDigest>,
    /// A number that only this run has.
    pub(super) token: i64,
    /// The session's prepared bookkeeping statements.
    pub(super) statement_cache: StatementCache,
    /// The same for the statements of `transaction:false` revisions.
    pub(super) stepwise_cache: StatementCache,
    pub(super) monitor: StatementMonitor,
    pub(super) done: Vec<CompletedStep>,
}

impl Executor<'_> {
    /// What a closed connection means for the step in progress.
    pub(super) async fn diagnose_closed_connection(&self, plan: &Plan<'_>, silence: Duration) -> ApplyError {
        let step = plan.steps.get(self.done.len()).or(plan.steps.last());
        match (step, self.session.run(&Message::empty()).await) {
            (Some(step), Err(failure)) => ApplyError::Lost(step.revision.id.clone(), failure),
            _ => ApplyError::LockLost { silence },
        }
    }

    /// Never returns once this process was told to stop, so that no new message is sent before the process exits.
    pub(super) async fn wait_if_stopping(&self) {
        if self.session.is_stopping() {
            std::future::pending().await
        }
    }

    pub(super) fn notify_started(&self, revision: &Id) {
        self.host.notify(&Event::RevisionStarted { revision, direction: self.direction });
    }

    pub(super) fn record_committed(&mut self, done: CompletedStep) {
        self.host.notify(&Event::RevisionDone { revision: &done.id, direction: self.direction, duration: done.duration });
        self.ledger.mark_installed();
        self.done.push(done);
    }

    pub(super) fn step_options(&self, step: &Step<'_>, commit: Option<Flush>) -> StepOptions<'_> {
        StepOptions {
            direction: self.direction,
            commit,
            server: &self.server,
            backend: &self.backend,
            digest: self.digest_for(step),
            statement_cache: &self.statement_cache,
        }
    }

    /// The digest of the applied files, for the last step of the run.
    pub(super) fn digest_for(&self, step: &Step<'_>) -> Option<&AppliedDigest> {
        self.digest.as_ref().filter(|_| self.is_last(step))
    }

    /// Whether the whole run ends with this step.
    pub(super) fn is_last(&self, step: &Step<'_>) -> bool {
        self.last.as_ref() == Some(&step.revision.id)
    }

    pub(super) fn session_context<'m>(&self, revision: &'m Id) -> SessionContext<'m> {
        SessionContext { server: self.server.number, has_defaults: self.session.has_defaults(), token: self.token, revision }
    }

    /// What the monitor looks for: the session's backend, or the token that a transaction holds, whichever backend a pooler uses.
    pub(super) fn monitored_backend(&self) -> MonitoredBackend {
        if self.session.has_defaults() { MonitoredBackend::Pid(self.backend.pid) } else { MonitoredBackend::TokenHolder }
    }

    /// Ends a failed transaction and resets what it left in the session. Returns whether the connection is still usable.
    pub(super) async fn roll_back(&self) -> bool {
        self.end_transaction(discard(self.backend.discard())).await
    }

    pub(super) async fn end_transaction(&self, statements: impl IntoIterator<Item = Sql>) -> bool {
        let outcome = self.session.ask(&Message::preceded_by([Sql::of("ROLLBACK")], statements)).await;
        if let Err(error) = &outcome {
            debug!(target: "pgmarch::apply", %error, "no rollback: the connection is gone, and the transaction with it");
        }
        outcome.is_ok()
    }

    /// Records a failure in the journal, if there is one: a first run that fails leaves the database as it was.
    pub(super) async fn record_failure(&self, revision: &Id, detail: &str) {
        if !self.ledger.has_ledger {
            return;
        }
        let failed = self.ledger.record_failure(revision, self.direction, detail);
        if let Err(failure) = run_bookkeeping_unmonitored(self.session, self.config, failed).await {
            debug!(target: "pgmarch::apply", error = %crate::words::chain(&failure.source), "the failure is not in the journal");
        }
    }
}
