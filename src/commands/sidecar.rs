//! `sidecar`: upgrades, then serves probes and metrics, checks the database regularly, and watches the folder of revisions.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::{info, warn};

use super::context::Context;
use super::database_status::{DatabaseStatus, fixed_target, read_status};
use super::error::CommandError;
use super::files::{in_background, load_graph, try_load_graph};
use crate::config::{Changes, Snapshots};
use crate::error::Error;
use crate::exit::{Exit, Explain as _};
use crate::report::failure;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::runner::{Goal, RunOutcome};
use crate::sidecar::status::{Condition, SharedStatus};
use crate::sidecar::{fingerprint, http};
use crate::words::{chain, count};

/// The timeout of a check's wait for the server.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// The lower limit of that timeout where checks are frequent.
const LEAST_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs until a signal. A failure before the end of the first upgrade ends it with the exit code of `upgrade`.
pub async fn run(context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let files = fingerprint_of(&config.migrations).await?;
    let graph = load_graph(config).await?;
    context.runner.notify_unread_folders(&graph);
    let target = fixed_target(&config.target, &graph)?;
    let cannot_listen = |source| Error::Command(CommandError::Listen { address: config.listen, source });
    let listener = TcpListener::bind(config.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    info!(%address, "answering /livez, /readyz, /status and /metrics on {address}");
    let status = SharedStatus::new(config.target.clone(), context.counters.clone());
    let stay = async {
        let mut sidecar = Sidecar { context, target, graph, files, unsound: None, due: false, status: &status };
        sidecar.first_upgrade().await?;
        loop {
            sidecar.check_database().await;
            tokio::time::sleep(config.check_every).await;
            sidecar.check_folder().await?;
            sidecar.apply_change().await;
        }
    };
    tokio::select! {
        outcome = stay => outcome,
        never = http::serve(listener, &status) => match never {},
    }
}

/// The fingerprint of the folder now.
async fn fingerprint_of(folder: &Path) -> Result<fingerprint::FolderFingerprint, Error> {
    let folder = folder.to_owned();
    in_background(move || fingerprint::FolderFingerprint::of(&folder)).await
}

/// The sidecar's state between checks.
struct Sidecar<'w> {
    context: &'w Context,
    target: RevisionName,
    /// The last valid graph.
    graph: Graph,
    /// The fingerprint of the folder that was last read.
    files: fingerprint::FolderFingerprint,
    /// Why the folder's present content can't be used.
    unsound: Option<Error>,
    /// Whether a change of the folder is still to be applied.
    due: bool,
    status: &'w SharedStatus,
}

impl Sidecar<'_> {
    async fn first_upgrade(&mut self) -> Result<(), Error> {
        let reached = self.upgrade().await?;
        self.status.record_upgrade(Exit::Success, &reached.done);
        Ok(())
    }

    /// Saves a snapshot unless that is switched off: a sidecar does not exit, so no application waits for it.
    async fn upgrade(&self) -> Result<RunOutcome, Error> {
        let snapshots = self.context.config.snapshot.unwrap_or(Snapshots::On);
        self.context.runner.apply_and_snapshot(&self.graph, &Goal::Upgrade(self.target.clone()), snapshots).await
    }

    /// Checks over a new connection, so that a changed password or server is noticed as by any new client.
    async fn check_database(&mut self) {
        let outcome = match &self.unsound {
            Some(error) => Err((Condition::of(error), failure::summary(error))),
            None => self.read_database().await.map_err(|error| (Condition::of(&error), failure::summary(&error))),
        };
        let was = self.status.condition();
        match outcome {
            Ok(found) => {
                let condition = if found.is_at_target() { Condition::Ready } else { Condition::Behind };
                let reason = (condition == Condition::Behind)
                    .then(|| format!("{} pending: {}", count(found.pending.len(), "revision"), found.pending.join(", ")));
                if condition != was {
                    match &reason {
                        None => info!("ready: at {}", found.at()),
                        Some(reason) => warn!("not ready: at {}, {reason}", found.at()),
                    }
                }
                self.status.record_check(condition, reason, Some((found.current, found.pending)));
            }
            Err((condition, reason)) => {
                if condition != was {
                    warn!("not ready: {reason}");
                }
                self.status.record_check(condition, Some(reason), None);
            }
        }
    }

    async fn read_database(&self) -> Result<DatabaseStatus, Error> {
        let config = &self.context.config;
        let pool = self.context.pool()?;
        // Where checks are rare, a short outage such as a failover does not make the sidecar unready.
        let timeout = CHECK_TIMEOUT.min(config.check_every).max(LEAST_CHECK_TIMEOUT);
        let session = self.context.runner.connect_within(&pool, timeout).await?;
        read_status(session, &self.graph, &self.target, self.context).await
    }

    /// Loads a changed folder. A valid one replaces the graph; the faults of an invalid one are kept for the status until it
    /// changes again.
    async fn check_folder(&mut self) -> Result<(), Error> {
        let folder = &self.context.config.migrations;
        let files = fingerprint_of(folder).await?;
        if files == self.files {
            return Ok(());
        }
        self.files = files;
        let loaded = try_load_graph(folder).await?.map_err(Error::from);
        match loaded.and_then(|graph| fixed_target(&self.context.config.target, &graph).map(|target| (graph, target))) {
            Ok((graph, target)) => {
                info!("{} changed: {} now", folder.display(), count(graph.len(), "revision"));
                (self.graph, self.target, self.unsound) = (graph, target, None);
                self.due = true;
            }
            Err(error) => self.unsound = Some(error),
        }
        self.status.record_folder_change();
        Ok(())
    }

    /// Applies a changed folder once. A failure that may go away by itself is retried; after any other it waits for the next
    /// change.
    async fn apply_change(&mut self) {
        if !self.due || self.unsound.is_some() || self.context.config.changes == Changes::Report {
            return;
        }
        self.status.start_upgrade();
        match self.upgrade().await {
            Ok(reached) => {
                self.due = false;
                self.status.record_upgrade(Exit::Success, &reached.done);
            }
            Err(error) => {
                let exit = error.exit();
                self.due = matches!(exit, Exit::Unreachable | Exit::Locked);
                warn!(exit = exit.code(), "the change was not applied: {}", failure::summary(&error));
                let done = if let Error::Apply(stopped) = &error { stopped.done.as_slice() } else { &[] };
                self.status.record_upgrade(exit, done);
                self.status.record_check(Condition::of(&error), Some(chain(&error)), None);
            }
        }
    }
}
