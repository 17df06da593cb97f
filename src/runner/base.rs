//! The runner itself: settings, host, and its connections to the server.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use pg_connect::Environment;
use tokio::time::Instant;

use super::prefetched::Prefetched;
use crate::config::Config;
use crate::config::decide::decide;
use crate::config::error::ConfigFault;
use crate::environment::PROGRAM;
use crate::error::Error;
use crate::host::{Clock, Event, Host, Observer};
use crate::revision::graph::Graph;
use crate::session::wait::{WaitError, for_server};
use crate::session::{Cancels, Pool, Session};

/// Brings one database to a revision, with the settings and the host of its program.
#[derive(Debug)]
pub struct Runner {
    pub(crate) config: Arc<Config>,
    /// Where the settings came from: secrets are read from it again for each connection.
    pub(crate) environment: Environment,
    pub(crate) cancels: Cancels,
    pub(crate) host: Host,
    pub(super) prefetched: Prefetched,
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

    /// The same with another host.
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

    /// The open connections, for a program that is told to stop: they cancel what runs on the server.
    pub fn cancels(&self) -> &Cancels {
        &self.cancels
    }

    /// Reads the revisions of `PGMARCH_MIGRATIONS`. That may take time: asynchronous code calls it in a thread for blocking work.
    pub fn load_revisions(&self) -> Result<Graph, Error> {
        let graph = Graph::load(&self.config.migrations)?;
        self.notify_unread_folders(&graph);
        Ok(graph)
    }

    /// Tells which subfolders have `.sql` files that were not read.
    pub(crate) fn notify_unread_folders(&self, graph: &Graph) {
        let folder = &self.config.migrations;
        graph.unread_folders().iter().for_each(|path| self.host.notify(&Event::SubfolderIgnored { path, folder }));
    }

    /// A pool that has not connected yet.
    pub(crate) fn pool(&self) -> Result<Pool, Error> {
        Pool::new(self.environment.clone(), self.cancels.clone()).map_err(|error| Error::Wait(WaitError::Settings(error)))
    }

    /// A session on a server that is ready, by `deadline`.
    pub(crate) async fn connect(&self, pool: &Pool, deadline: Instant) -> Result<Session, WaitError> {
        for_server(pool, &self.config.wait_for, self.config.wait_timeout, deadline, &self.host).await
    }

    /// The same, within `timeout` from now.
    pub(crate) async fn connect_within(&self, pool: &Pool, timeout: Duration) -> Result<Session, WaitError> {
        for_server(pool, &self.config.wait_for, timeout, self.host.deadline(timeout), &self.host).await
    }

    /// When waiting for the server ends, from now.
    pub(crate) fn wait_deadline(&self) -> Instant {
        self.host.deadline(self.config.wait_timeout)
    }
}
