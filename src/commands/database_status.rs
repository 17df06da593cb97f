//! A database's version rows against a target: read with the least rights, for `wait` and the sidecar.

use std::time::Duration;

use super::context::Context;
use super::error::CommandError;

use crate::error::Error;
use crate::ledger::{self, Access};
use crate::plan::Plan;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::runner::{LedgerTexts, check_ancestry, check_base, is_sealed, resolve_position};
use crate::session::Session;

/// What one read of the database found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseStatus {
    /// The version rows.
    pub current: Vec<String>,
    /// What an upgrade to the target would apply, in order; none if the database is at the target, or ahead by revisions that are not breaking.
    pub pending: Vec<String>,
}

impl DatabaseStatus {
    /// Whether nothing is pending.
    pub fn is_at_target(&self) -> bool {
        self.pending.is_empty()
    }

    /// The version rows, for a message.
    pub fn at(&self) -> String {
        crate::words::version(&self.current)
    }
}

/// Parses a target that means the same revision whatever is applied: only such a target can be waited for.
pub fn fixed_target(typed: &str, graph: &Graph) -> Result<RevisionName, Error> {
    let target = RevisionName::parse(typed)?;
    if target.is_relative() {
        return Err(Error::Command(CommandError::RelativeTarget(typed.to_owned())));
    }
    target.targets(graph, &[])?;
    Ok(target)
}

/// How long a read waits until the server has flushed other sessions' commits: its WAL writer takes less than a second.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads once, over the caller's session, and returns the connection to the pool or closes it.
pub async fn read_status(session: Session, graph: &Graph, target: &RevisionName, context: &Context) -> Result<DatabaseStatus, Error> {
    let config = &context.config;
    let mut state = super::context::read_state(&session, context, Access::ReadPermitted).await?;
    check_base(graph, &mut state, &session, config).await?;
    let position = resolve_position(graph, &state, &session, LedgerTexts::None).await?;
    let targets = position.targets(target)?;
    position.check_ahead(&targets, config.ahead)?;
    check_ancestry(&position, &state)?;
    let plan = Plan::upgrade(&position.graph, &position.rows, &targets);
    let host = &context.runner.host;
    if plan.is_empty() && !is_sealed(graph, &state) {
        ledger::wait_until_durable(&session, host, host.now() + FLUSH_TIMEOUT).await?;
    }
    Ok(DatabaseStatus { pending: plan.steps.iter().map(|step| step.revision.id.to_string()).collect(), current: state.rows })
}
