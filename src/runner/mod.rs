//! The core loop as a type: brings a database to a revision, up or down, whatever happens to its connection on the way.
//!
//! A program that embeds pgmarch makes a [`Runner`] of settings, asks it for a [plan](Runner::plan) and has it
//! [applied](Runner::apply), inside its own tokio runtime. Nothing is printed, and no process-wide state is used: what happens
//! is told to [observers](crate::host::Observer), what goes wrong is returned as a typed error, which
//! [explains](crate::exit::Explain) itself.
//!
//! ```no_run
//! # async fn example() -> Result<(), pgmarch::error::Error> {
//! use pgmarch::host::Event;
//! use pgmarch::runner::{Goal, Runner};
//!
//! let settings = [("PGMARCH_DATABASE_URL", "postgres://app@localhost/app"), ("PGMARCH_MIGRATIONS", "migrations")];
//! let runner = Runner::from_settings(settings)?.with_observer(|event: &Event<'_>| {
//!     if let Event::RevisionDone { revision, duration, .. } = event {
//!         println!("{revision} in {duration:?}");
//!     }
//! });
//! let revisions = runner.load_revisions()?;
//! let head = Goal::upgrade("head")?;
//! let plan = runner.plan(&revisions, &head).await?;
//! println!("{} pending on {}", plan.steps.len(), plan.address);
//! let outcome = runner.apply(&revisions, &head).await?;
//! println!("at {}", outcome.current.join(", "));
//! # Ok(())
//! # }
//! ```

mod attempt;
pub mod error;
mod goal;
mod outcome;
mod prefetch;
mod records;
mod snapshot;
mod verified;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::apply::CompletedStep;
use crate::backoff::Pace;
use crate::config::decide::decide;
use crate::config::error::ConfigFault;
use crate::config::{Config, Snapshots};
use crate::connect::wait::{Said, WaitError, connect_until};
use crate::connect::{Cancels, Pool, Session};
use crate::environment::{Environment, PROGRAM};
use crate::error::Error;
use crate::exit::{Explain as _, Retry};
use crate::host::{Clock, Event, Host, Observer, Wait};
use crate::ledger::{self, Access, Level, State};
use crate::plan::Plan;
use crate::plan::downgrade::{skipped, to_undo};
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::words::chain;
use attempt::Attempts;
use error::RunError;
use prefetch::Prefetched;

pub use crate::apply::StoppedRun;
pub use goal::Goal;
pub use outcome::{PlannedRun, PlannedStep, RunOutcome};
pub(crate) use snapshot::catalog_scope;
pub(crate) use verified::{ancestry, check_ancestry, check_base, is_sealed, resolve_position, verify_checksums};

/// Brings one database to a revision.
#[derive(Debug)]
pub struct Runner {
    pub(crate) config: Arc<Config>,
    /// Where the settings came from: secrets are read from it again for each connection.
    pub(crate) environment: Environment,
    pub(crate) cancels: Cancels,
    pub(crate) host: Host,
    prefetched: Prefetched,
}

impl Runner {
    /// A runner with these settings, which has not connected yet.
    pub fn new(config: Arc<Config>, environment: Environment) -> Self {
        Self { config, environment, cancels: Cancels::default(), host: Host::default(), prefetched: Prefetched::default() }
    }

    /// A runner with settings named as environment variables: `PGMARCH_DATABASE_URL`, `PGMARCH_MIGRATIONS` and so on. The
    /// environment of the process is not read.
    pub fn from_settings<N: Into<OsString>, V: Into<OsString>>(settings: impl IntoIterator<Item = (N, V)>) -> Result<Self, Error> {
        let settings = settings.into_iter().map(|(name, value)| (name.into(), value.into()));
        let environment = Environment::new(PROGRAM, settings)
            .map_err(|faults| Error::from(faults.into_iter().map(ConfigFault::from).collect::<Vec<_>>()))?;
        let config = decide(&environment).1?;
        Ok(Self::new(Arc::new(config), environment))
    }

    /// The same in another host.
    #[must_use]
    pub fn with_host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// The same with one more observer.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Observer + 'static) -> Self {
        self.host = self.host.with_observer(Arc::new(observer));
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.host = self.host.with_clock(clock);
        self
    }

    /// Ways to cancel what runs on the server, for a program that is told to stop.
    pub fn cancels(&self) -> &Cancels {
        &self.cancels
    }

    /// Reads the revisions of `PGMARCH_MIGRATIONS`.
    pub fn load_revisions(&self) -> Result<Graph, Error> {
        Ok(Graph::load(&self.config.migrations)?)
    }

    /// What a run would do now. Waits for the server, and changes nothing there.
    pub async fn plan(&self, revisions: &Graph, goal: &Goal) -> Result<PlannedRun, Error> {
        let pool = self.pool()?;
        let session = self.connect(&pool, self.wait_deadline()).await?;
        let mut state = State::load(&session, &self.config, Level::Rows(Access::Write)).await?;
        let position = verify_checksums(revisions, &mut state, &session, &self.config).await?.position;
        let plan = self.plan_at(goal, None, &position, &state)?;
        Ok(PlannedRun::new(pool.address(), state.rows.clone(), &plan))
    }

    /// What a downgrade would undo now, and the goal that undoes exactly that. Waits for the server, and changes nothing there.
    pub async fn plan_downgrade(&self, revisions: &Graph, target: &RevisionName) -> Result<(PlannedRun, Goal), Error> {
        let pool = self.pool()?;
        let session = self.connect(&pool, self.wait_deadline()).await?;
        let mut state = State::load(&session, &self.config, Level::Full(Access::Write)).await?;
        let position = verify_checksums(revisions, &mut state, &session, &self.config).await?.position;
        let unapplied = ancestry(&position, &state).unapplied;
        let to_undo = to_undo(&position.graph, &position.rows, target, &unapplied)?;
        let plan = Plan::downgrade(&position.graph, &position.rows, &to_undo, &unapplied)?;
        if plan.is_empty() {
            ledger::wait_until_durable(&session, self.wait_deadline()).await?;
        }
        let mut planned = PlannedRun::new(pool.address(), state.rows.clone(), &plan);
        planned.not_applied = skipped(&position.graph, &to_undo, &unapplied).map(|node| position.graph.id(node).clone()).collect();
        Ok((planned, Goal::Undo(to_undo)))
    }

    /// Waits for the server, takes the run lock and brings the database to the goal. A lost connection is answered by another
    /// attempt from the start, with a new plan, for as long as `PGMARCH_RETRY_FOR` says: nothing is ever sent twice.
    ///
    /// To stop it early, drop the future, or [cancel](Self::cancels) what runs on the server first.
    pub async fn apply(&self, revisions: &Graph, goal: &Goal) -> Result<RunOutcome, Error> {
        self.apply_and_snapshot(revisions, goal, self.config.snapshot.unwrap_or(Snapshots::Off)).await
    }

    pub(crate) async fn apply_and_snapshot(&self, graph: &Graph, goal: &Goal, snapshots: Snapshots) -> Result<RunOutcome, Error> {
        let timeout = self.config.retry_for;
        let host = &self.host;
        let mut attempts = Attempts { runner: self, graph, goal, snapshots, pinned: None, done: Vec::new() };
        let mut first_failure: Option<Instant> = None;
        let mut pace = Pace::new(Duration::from_millis(100), Duration::from_secs(2));
        loop {
            let error = match attempts.attempt().await {
                Ok(current) => return Ok(RunOutcome { done: attempts.done, current }),
                Err(error) => error,
            };
            if !error.retry().is_worthwhile() {
                return Err(with_earlier_steps(error, attempts.done));
            }
            let deadline = *first_failure.get_or_insert_with(|| host.now()) + timeout;
            if host.now() >= deadline {
                return Err(if timeout.is_zero() || error.retry() == Retry::WhenUnlocked {
                    error
                } else {
                    Error::Run(RunError::RetriesExhausted { timeout, last: Box::new(error) })
                });
            }
            host.notify(&Event::RunRestarted { cause: &chain(&error), remaining: host.remaining(deadline) });
            host.sleep(host.next_pause(&mut pace)).await;
        }
    }

    /// A pool that has not connected yet.
    pub(crate) fn pool(&self) -> Result<Pool, Error> {
        Pool::new(self.environment.clone(), self.cancels.clone()).map_err(|error| Error::Wait(WaitError::Settings(error)))
    }

    /// A session on a server that is ready, by `deadline`.
    pub(crate) async fn connect(&self, pool: &Pool, deadline: Instant) -> Result<Session, WaitError> {
        self.connect_within(pool, self.config.wait_timeout, deadline).await
    }

    /// The same; `timeout` is the time until `deadline`, for messages.
    pub(crate) async fn connect_within(&self, pool: &Pool, timeout: Duration, deadline: Instant) -> Result<Session, WaitError> {
        let started = self.host.now();
        let mut throttle = Said::default();
        let outcome = connect_until(pool, &self.config.wait_for, timeout, deadline, &mut throttle).await;
        if throttle.anything() {
            self.host.notify(&Event::WaitEnded { wait: Wait::Server, waited: self.host.elapsed(started) });
        }
        outcome
    }

    /// When waiting for the server ends, from now.
    pub(crate) fn wait_deadline(&self) -> Instant {
        self.host.now() + self.config.wait_timeout
    }
}

/// The error of a run, with what its earlier attempts had committed.
fn with_earlier_steps(mut error: Error, mut earlier: Vec<CompletedStep>) -> Error {
    if let Error::Apply(stopped) = &mut error {
        earlier.append(&mut stopped.done);
        stopped.done = earlier;
    }
    error
}
