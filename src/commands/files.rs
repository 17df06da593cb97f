//! Files, read in a thread for blocking work: probes, signals and connections are answered meanwhile.

use std::path::Path;

use crate::config::Config;
use crate::error::Error;
use crate::interruption::ProcessError;
use crate::revision::Fault;
use crate::revision::graph::Graph;

/// Does work on files elsewhere.
pub(super) async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(|error| ProcessError::System { what: "files were not read", source: error.into() }.into())
}

/// The graph of the revisions, or all faults of the folder.
pub(super) async fn load_graph(config: &Config) -> Result<Graph, Error> {
    Ok(try_load_graph(&config.migrations).await??)
}

/// The same, for a command that decides what to do about faults.
pub(super) async fn try_load_graph(folder: &Path) -> Result<Result<Graph, Vec<Fault>>, Error> {
    let folder = folder.to_owned();
    in_background(move || Graph::load(&folder)).await
}
