//! One file per verb, each composing the rest in a few lines.

pub mod check;
pub mod create;
pub mod status;
pub mod upgrade;

use std::fmt::Write as _;
use std::io::Write as _;

use clap::Parser as _;
use serde::Serialize;
use tokio::time::Instant;

use crate::cli::{Cli, Command};
use crate::config::{Config, Environment, SETTINGS};
use crate::connect::{Cancels, Pool};
use crate::exit::{Changed, EXIT_CODES, Error};
use crate::ledger::State;
use crate::revision::graph::{Graph, Node};

/// What every verb has at hand.
#[derive(Debug)]
pub struct Context {
    /// The settings.
    pub config: Config,
    /// Where they came from: secrets are read from it anew for each connection.
    pub environment: Environment,
    /// Ways to cancel what runs, for whoever catches a signal.
    pub cancels: Cancels,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Cancels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancels").finish_non_exhaustive()
    }
}

impl Context {
    /// A pool that has not connected yet.
    fn pool(&self) -> Result<Pool, Error> {
        Pool::new(self.environment.clone(), self.cancels.clone())
            .map_err(|error| Error::Wait(crate::connect::wait::WaitError::Settings(error)))
    }

    /// When waiting for the server ends, from now.
    fn wait_deadline(&self) -> Instant {
        Instant::now() + self.config.wait_timeout
    }
}

/// Runs the verb that was typed, or the one that the settings name.
pub async fn run(command: Option<Command>, context: &Context) -> Result<(), Error> {
    let command = match command {
        Some(command) => command,
        None => configured(&context.config)?,
    };
    match command {
        Command::Upgrade(words) => upgrade::run(&words, context).await,
        Command::Status(words) => status::run(&words, context).await,
        Command::Create(words) => create::run(&words, context),
        Command::Check(words) => check::run(&words, context).await,
    }
}

/// `PGMARCH_COMMAND`, read as if it had been typed.
fn configured(config: &Config) -> Result<Command, Error> {
    let words = std::iter::once("pgmarch").chain(config.command.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|error| Error::Command(error.to_string().lines().next().unwrap_or("").to_owned()))?;
    Ok(cli.command.unwrap_or_else(|| Command::Upgrade(crate::cli::Upgrade::default())))
}

/// Writes an answer to standard output: text, or one JSON object.
fn answer(text: &str) -> Result<(), Error> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has read enough (`pgmarch status | head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(Error::Output),
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| Error::Output(error.into()))
}

/// The nodes of the version rows; rows that no file has are an error.
fn position(graph: &Graph, state: &State, config: &Config) -> Result<Vec<Node>, Error> {
    let unknown: Vec<&str> = state.rows.iter().map(String::as_str).filter(|row| graph.node(row).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Error::UnknownRows { rows: unknown.join(", "), folder: config.migrations.clone() });
    }
    Ok(state.rows.iter().filter_map(|row| graph.node(row)).collect())
}

/// Compares the files of applied revisions with what the ledger recorded; comments and layout don't count.
async fn verify(graph: &Graph, rows: &[Node], state: &State, session: &crate::connect::Session) -> Result<(), Error> {
    let applied = graph.reach(rows, Graph::below);
    let differs = |node: &Node| {
        let revision = graph.revision(*node);
        state.recorded.get(revision.id.as_str()).is_some_and(|exact| *exact != revision.exact())
    };
    let suspects: Vec<&str> = applied.nodes().filter(differs).map(|node| graph.id(node).as_str()).collect();
    if suspects.is_empty() {
        return Ok(());
    }
    let mut changed = Vec::new();
    for row in state.ledger.texts(session, &suspects).await.map_err(crate::ledger::ReadError::Server)? {
        let Ok([Some(id), Some(semantic), Some(text)]) = <[Option<String>; 3]>::try_from(row) else { continue };
        let Some(revision) = graph.node(&id).map(|node| graph.revision(node)) else { continue };
        if revision.semantic(&revision.up) == semantic {
            tracing::debug!("{} differs from what was applied in comments, layout or its way down alone", revision.path.display());
            continue;
        }
        let diff = similar::TextDiff::from_lines(&text, &revision.text).unified_diff().context_radius(2).to_string();
        changed.push(Changed { path: revision.path.clone(), diff });
    }
    if changed.is_empty() { Ok(()) } else { Err(Error::Changed(changed)) }
}

/// The end of `--help`: settings and exit codes, from the tables that the code itself uses.
pub fn settings_help() -> String {
    let mut text = String::from("Settings, from the environment; each also as NAME_FILE, the file that holds the value:\n");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
        let _ = writeln!(text, "  {:<27} {}{default}", setting.name, setting.meaning);
    }
    text += "\nExit codes:\n";
    for (code, meaning, _) in EXIT_CODES {
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text
}
