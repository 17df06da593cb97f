//! What a run records in the ledger before it applies anything.

use tracing::debug;

use super::base::Runner;
use crate::ancestry::Ancestry;
use crate::apply::{BookkeepingError, run_bookkeeping};
use crate::error::Error;
use crate::host::Event;
use crate::ledger::State;
use crate::ledger::lost::SchemaReset;
use crate::lock::RunLock;
use crate::position::Position;
use crate::revision::Revision;
use crate::session::Session;
use crate::sql::Sql;
use crate::words::{chain, version};

/// The session that records, and the lock that it needs.
pub(super) struct Recorder<'r> {
    pub(super) runner: &'r Runner,
    pub(super) session: &'r Session,
    pub(super) lock: &'r RunLock,
}

impl Recorder<'_> {
    async fn record(&self, state: &State, statements: Vec<Sql>) -> Result<(), BookkeepingError> {
        run_bookkeeping(self.session, self.lock, state.server.number, &self.runner.config, statements).await
    }

    /// Records down migrations that were changed in their files. The run continues if the role may not write that.
    pub(super) async fn record_changed_down(&self, changed_down: &[Revision], state: &State) {
        for revision in changed_down {
            let statements = state.ledger.accept_file(revision, "the down migration was fixed in its file");
            let problem = self.record(state, statements).await.err().map(|failure| chain(&failure));
            self.runner.host.notify(&Event::DownMigrationRecorded { revision: &revision.id, problem: problem.as_deref() });
        }
    }

    /// The version table's schema was dropped and created again, so no revision is applied, nor half applied.
    pub(super) async fn record_reset(&self, reset: &SchemaReset, state: &mut State) -> Result<(), Error> {
        let description = reset.to_string();
        self.runner.host.notify(&Event::SchemaReset { description: &description });
        let mut statements = state.ledger.record_schema_reset(&description);
        statements.extend(state.ledger.record_all_progress_reset(state));
        self.record(state, statements).await.map_err(Error::Note)?;
        state.clear_unfinished();
        Ok(())
    }

    /// Records what another tool has applied, by the version table and the files as they are now. A file that is added below it
    /// later was not applied. Nothing is recorded if the version rows have moved since they were read. The run continues on
    /// failure: what follows fails for the same reason, and that error is more specific.
    pub(super) async fn record_ancestry(&self, position: &Position<'_>, ancestry: &Ancestry, state: &mut State) {
        let unrecorded: Vec<&str> = ancestry.unrecorded.iter().map(|node| position.graph.id(*node).as_str()).collect();
        if unrecorded.is_empty() {
            return;
        }
        if !state.ledger.has_ledger && !state.rows.is_empty() {
            let (schema, version) = (state.ledger.schema.as_str(), version(&state.rows));
            self.runner.host.notify(&Event::LedgerMissing { schema, version: &version });
        }
        let detail = format!("applied by another tool: the version table was at {}", version(&state.rows));
        let mut statements = state.ledger.install();
        statements.extend(state.ledger.fence_note(&state.rows));
        statements.extend(state.ledger.record_assumed(&unrecorded, &detail));
        match self.record(state, statements).await {
            Ok(()) => state.ledger.mark_installed(),
            Err(failure) => {
                debug!(target: "pgmarch::commands::run", "what another tool applied is not in the ledger: {}", chain(&failure));
            }
        }
    }
}
