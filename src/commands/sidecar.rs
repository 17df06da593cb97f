//! `sidecar`: upgrade, then stay: answer probes, look again and again, and notice a folder that changes.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Context;
use super::error::CommandError;
use super::run::{Goal, Reached, persistently};
use super::standing::{Standing, fixed_target, look};
use crate::config::{Changes, Snapshots};
use crate::connect::wait::for_server;
use crate::error::Error;
use crate::exit::{Exit, Explain as _};
use crate::report::failure;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::sidecar::board::{Board, Condition};
use crate::sidecar::{folder, http};
use crate::words::{chain, count};

/// How long a look waits for a server.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long at least, however often looks are.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Stays until a signal comes. What fails before the first upgrade is done ends it, as it would end `upgrade`.
pub async fn run(context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let files = folder::Print::of(&config.migrations);
    let graph = Graph::load(&config.migrations)?;
    let target = fixed_target(&config.target, &graph)?;
    let unheard = |source| Error::Command(CommandError::Listen { address: config.listen, source });
    let listener = TcpListener::bind(config.listen).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    info!(%address, "answering /livez, /readyz, /status and /metrics on {address}");
    let board = Board::new(config.target.clone());
    let stay = async {
        let mut watch = Watch { context, target, graph, files, unsound: None, due: false, board: &board };
        watch.first_upgrade().await?;
        loop {
            watch.look_at_database().await;
            tokio::time::sleep(config.check_every).await;
            watch.look_at_folder();
            watch.apply_what_is_due().await;
        }
    };
    tokio::select! {
        outcome = stay => outcome,
        never = http::serve(listener, &board) => match never {},
    }
}

/// What is looked at, and what was last seen there.
struct Watch<'w> {
    context: &'w Context,
    target: RevisionName,
    /// The last sound one.
    graph: Graph,
    /// The folder that was last read.
    files: folder::Print,
    /// Why the folder as it is now can't be used.
    unsound: Option<Error>,
    /// Whether what was added to the folder is still to be applied.
    due: bool,
    board: &'w Board,
}

impl Watch<'_> {
    async fn first_upgrade(&mut self) -> Result<(), Error> {
        let reached = self.upgrade().await?;
        self.board.ran(Exit::Success, &reached.done);
        Ok(())
    }

    /// Whoever applied something saves a snapshot, unless it is switched off: a sidecar stays, so nobody waits for its exit.
    async fn upgrade(&self) -> Result<Reached, Error> {
        let snapshots = self.context.config.snapshot.unwrap_or(Snapshots::On);
        persistently(&self.graph, Goal::Up(&self.target, None), snapshots, self.context).await
    }

    /// One look over a connection of its own: a password that changed or a server that moved shows here as it would to a newcomer.
    async fn look_at_database(&mut self) {
        let outcome = match &self.unsound {
            Some(error) => Err((Condition::of(error), failure::summary(error))),
            None => self.standing().await.map_err(|error| (Condition::of(&error), failure::summary(&error))),
        };
        let was = self.board.condition();
        match outcome {
            Ok(standing) => {
                let condition = if standing.is_there() { Condition::Ready } else { Condition::Behind };
                let reason = (condition == Condition::Behind)
                    .then(|| format!("{} pending: {}", count(standing.pending.len(), "revision"), standing.pending.join(", ")));
                if condition != was {
                    match &reason {
                        None => info!("ready: at {}", standing.at()),
                        Some(reason) => warn!("not ready: at {}, {reason}", standing.at()),
                    }
                }
                self.board.saw(condition, reason, Some((standing.current, standing.pending)));
            }
            Err((condition, reason)) => {
                if condition != was {
                    warn!("not ready: {reason}");
                }
                self.board.saw(condition, Some(reason), None);
            }
        }
    }

    async fn standing(&self) -> Result<Standing, Error> {
        let config = &self.context.config;
        let pool = self.context.pool()?;
        // A short absence, such as a failover's first moments, need not unsettle whoever asks seldom.
        let patience = PATIENCE.min(config.check_every).max(LEAST_PATIENCE);
        let session = for_server(&pool, &config.wait_for, patience, Instant::now() + patience).await?;
        look(session, &self.graph, &self.target, config).await
    }

    /// A sound folder takes the place of the one before; an unsound one is said, once, and waits to be mended.
    fn look_at_folder(&mut self) {
        let folder = &self.context.config.migrations;
        let files = folder::Print::of(folder);
        if files == self.files {
            return;
        }
        self.files = files;
        let loaded = Graph::load(folder).map_err(Error::from);
        match loaded.and_then(|graph| fixed_target(&self.context.config.target, &graph).map(|target| (graph, target))) {
            Ok((graph, target)) => {
                info!("{} changed: {} now", folder.display(), count(graph.len(), "revision"));
                (self.graph, self.target, self.unsound) = (graph, target, None);
                self.due = true;
            }
            Err(error) => self.unsound = Some(error),
        }
        self.board.folder_changed();
    }

    /// Applies a changed folder once. A failure that only time mends is tried again; another waits for the next change.
    async fn apply_what_is_due(&mut self) {
        if !self.due || self.unsound.is_some() || self.context.config.changes == Changes::Report {
            return;
        }
        self.board.applies();
        match self.upgrade().await {
            Ok(reached) => {
                self.due = false;
                self.board.ran(Exit::Success, &reached.done);
            }
            Err(error) => {
                let exit = error.exit();
                self.due = matches!(exit, Exit::Unreachable | Exit::Locked);
                warn!(exit = exit.code(), "the change was not applied: {}", failure::summary(&error));
                let done = if let Error::Apply(stopped) = &error { stopped.done.as_slice() } else { &[] };
                self.board.ran(exit, done);
                self.board.saw(Condition::of(&error), Some(chain(&error)), None);
            }
        }
    }
}
