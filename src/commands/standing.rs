//! Where a database stands, seen from a target: one read by a role that may do little else, for those who only wait or watch.

use std::time::Duration;

use tokio::time::Instant;

use super::error::CommandError;
use super::{check_ancestry, check_base, is_sealed, locate};
use crate::config::Config;
use crate::connect::Session;
use crate::error::Error;
use crate::ledger::{self, Access};
use crate::plan::Plan;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;

/// What one look at a database showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version rows.
    pub current: Vec<String>,
    /// What an upgrade to the target would apply, in order; none when the database is there, or compatibly ahead.
    pub pending: Vec<String>,
}

impl Standing {
    /// Whether nothing is pending.
    pub fn is_there(&self) -> bool {
        self.pending.is_empty()
    }

    /// The version rows for a person.
    pub fn at(&self) -> String {
        super::rows(&self.current)
    }
}

/// A name that means the same revision wherever the database is: the only kind that can be waited for.
pub fn fixed_target(typed: &str, graph: &Graph) -> Result<RevisionName, Error> {
    let target = RevisionName::parse(typed)?;
    if target.is_relative() {
        return Err(Error::Command(CommandError::RelativeTarget(typed.to_owned())));
    }
    target.targets(graph, &[])?;
    Ok(target)
}

/// How long a look waits for what others committed to be safe on the server's disk: its WAL writer takes less than a second.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);

/// Looks once, over a session that the caller got, and gives the connection back or ends it.
pub async fn look(session: Session, graph: &Graph, target: &RevisionName, config: &Config) -> Result<Standing, Error> {
    let mut state = super::read(&session, config, Access::ReadPermitted).await?;
    check_base(graph, &mut state, &session, config).await?;
    let position = locate(graph, &state, &session).await?;
    let targets = position.targets(target)?;
    position.check_ahead(&targets, config.ahead)?;
    check_ancestry(&position, &state)?;
    let plan = Plan::upgrade(&position.graph, &position.rows, &targets);
    if plan.is_empty() && !is_sealed(graph, &state) {
        ledger::wait_until_durable(&session, Instant::now() + FLUSHED_WITHIN).await?;
    }
    Ok(Standing { pending: plan.steps.iter().map(|step| step.revision.id.to_string()).collect(), current: state.rows })
}
