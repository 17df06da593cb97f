//! What every command gets: settings, runner, and what is cleaned up at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pg_connect::Environment;
use tokio::time::Instant;

use crate::config::Config;
use crate::counters::Counters;
use crate::error::Error;
use crate::host::Host;
use crate::ledger::{Access, Level, ReadError, State, UntrustedRelation};
use crate::model::prove::scratch_server::Leftovers;
use crate::model::read::shared::SharedObjects;
use crate::runner::Runner;
use crate::session::wait::WaitError;
use crate::session::{Cancels, Pool, Session};

/// What every command gets.
#[derive(Debug)]
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    /// Where they came from: secrets are read from it again for each connection.
    pub environment: Environment,
    /// The open connections, for a signal handler: they cancel what runs on the server.
    pub cancels: Cancels,
    /// Connects, plans and applies.
    pub(crate) runner: Runner,
    /// Counts of the runner's waits and retries.
    pub(crate) counters: Arc<Counters>,
    /// Scratch databases that are dropped when the process ends.
    pub leftovers: Leftovers,
    /// What the catalogs that are read have in common.
    pub(super) shared: SharedObjects,
    /// Whether a table's owner that is not trusted was reported.
    reported_owner: AtomicBool,
}

impl Context {
    /// Everything with these settings; `host` observes the runs.
    pub fn new(config: Config, environment: Environment, host: Host) -> Self {
        let (config, counters) = (Arc::new(config), Arc::new(Counters::default()));
        let runner = Runner::new(config.clone(), environment.clone()).with_host(host.with_observer(counters.clone()));
        let cancels = runner.cancels().clone();
        Self {
            config,
            environment,
            cancels,
            runner,
            counters,
            leftovers: Leftovers::default(),
            shared: SharedObjects::default(),
            reported_owner: AtomicBool::new(false),
        }
    }

    /// A pool that has not connected yet.
    pub(super) fn pool(&self) -> Result<Pool, Error> {
        self.runner.pool()
    }

    /// A session for a command that shows something: it waits for the server only if `PGMARCH_WAIT_TIMEOUT` is set.
    pub(super) async fn connect_to_show(&self, pool: &Pool) -> Result<Session, WaitError> {
        let timeout = if self.config.waits_by_setting { self.config.wait_timeout } else { Duration::ZERO };
        self.runner.connect_within(pool, timeout).await
    }

    /// When waiting for the server ends, from now.
    pub(super) fn wait_deadline(&self) -> Instant {
        self.runner.wait_deadline()
    }
}

/// Reads the state for a command that only reads. Reports, once, an owner that a run that writes would not trust.
pub(super) async fn read_state(session: &Session, context: &Context, access: Access) -> Result<State, ReadError> {
    let state = State::load(session, &context.config, Level::Full(access)).await?;
    if let Some(UntrustedRelation { relation, role, .. }) = &state.untrusted
        && !context.reported_owner.swap(true, Ordering::Relaxed)
    {
        tracing::info!(
            "{relation} is owned by {role}, whom a run that writes as {} would not trust; reading it nevertheless (PGMARCH_TRUST_OWNER={role} says that it may be trusted)",
            state.server.role
        );
    }
    Ok(state)
}
