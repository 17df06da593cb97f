//! One file per verb, each composing the rest in a few lines.

pub mod check;
mod compare_inputs;
pub mod create;
pub mod database_status;
mod database_view;
pub mod diff;
pub mod downgrade;
mod drift;
pub mod error;
pub mod history;
pub mod import;
pub mod lint;
pub mod merge;
mod offline;
pub mod repair;
pub mod show;
pub mod sidecar;
pub mod stamp;
pub mod status;
pub mod upgrade;
pub mod wait;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tokio::time::Instant;

use self::error::CommandError;
use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::connect::{Cancels, Pool, Session};
use crate::counters::Counters;
use crate::environment::Environment;
use crate::error::Error;
use crate::escape;
use crate::host::Host;
use crate::ledger::{Access, Level, ReadError, State, UntrustedRelation};
use crate::model::prove::scratch::Leftovers;
use crate::runner::Runner;

/// What every verb has at hand.
#[derive(Debug)]
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    /// Where they came from: secrets are read from it again for each connection.
    pub environment: Environment,
    /// Ways to cancel what runs, for whoever catches a signal.
    pub cancels: Cancels,
    /// Connects, plans and applies.
    pub(crate) runner: Runner,
    /// Counts of the runner's waits and retries.
    pub(crate) counters: Arc<Counters>,
    /// Scratch databases still to be dropped, whatever the end is.
    pub leftovers: Leftovers,
    /// Whether the owner of a table who is not trusted was reported.
    reported_owner: AtomicBool,
}

impl Context {
    /// Everything with these settings; the runs tell `host` what happens.
    pub fn new(config: Config, environment: Environment, host: Host) -> Self {
        let (config, counters) = (Arc::new(config), Arc::new(Counters::default()));
        let runner = Runner::new(config.clone(), environment.clone()).with_host(host.with_observer(counters.clone()));
        let cancels = runner.cancels().clone();
        Self { config, environment, cancels, runner, counters, leftovers: Leftovers::default(), reported_owner: AtomicBool::new(false) }
    }

    /// A pool that has not connected yet.
    fn pool(&self) -> Result<Pool, Error> {
        self.runner.pool()
    }

    /// When waiting for the server ends, from now.
    fn wait_deadline(&self) -> Instant {
        self.runner.wait_deadline()
    }
}

impl std::fmt::Debug for Cancels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancels").finish_non_exhaustive()
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
        Command::Downgrade(words) => downgrade::run(&words, context).await,
        Command::History(words) => history::run(&words, context).await,
        Command::Show(words) => show::run(&words, context).await,
        Command::Import(words) => import::run(&words, context),
        Command::Merge(words) => merge::run(&words, context),
        Command::Stamp(words) => stamp::run(&words, context).await,
        Command::Repair(words) => repair::run(&words, context).await,
        Command::Create(words) => create::run(&words, context).await,
        Command::Check(words) => check::run(&words, context).await,
        Command::Wait(words) => wait::run(&words, context).await,
        Command::Sidecar => sidecar::run(context).await,
        Command::Diff(words) => diff::run(&words, context).await,
        Command::Lint(words) => lint::run(&words, context).await,
    }
}

/// `PGMARCH_COMMAND`, read as if it had been typed.
fn configured(config: &Config) -> Result<Command, Error> {
    let words = std::iter::once("pgmarch").chain(config.command.iter().map(String::as_str)).map(OsString::from);
    let cli = Cli::from_arguments(words.collect())
        .map_err(|error| CommandError::Words(error.to_string().lines().next().unwrap_or("").to_owned()))?;
    Ok(cli.command.unwrap_or_else(|| Command::Upgrade(crate::cli::UpgradeArgs::default())))
}

/// Writes an answer to standard output: text, SQL, or one JSON object. On a terminal the control characters that are left in
/// it, such as those of a revision's own text, are escaped; in a pipe or a file that text must stay what it is.
fn answer(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout();
    let outcome = if stdout.is_terminal() {
        stdout.write_all(escape::lines(text, 0).to_string().as_bytes())
    } else {
        stdout.write_all(text.as_bytes())
    };
    match outcome {
        // Whoever reads has read enough (`pgmarch status | head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| CommandError::Output(error).into()),
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| CommandError::Output(error.into()).into())
}

/// A range belongs to `--sql`: a run starts from where the database is.
fn no_range(typed: &str) -> Result<(), Error> {
    match typed.split_once(':') {
        None => Ok(()),
        Some((_, to)) => Err(Error::Command(CommandError::Usage {
            problem: format!("`{typed}` is a range: a run starts from where the database is; write `{to}`, or add --sql for a script"),
            advice: "nothing was done",
        })),
    }
}

/// Reads the state for a command that only reads. Reports an owner whom a run that writes would not trust, once.
async fn read(session: &Session, context: &Context, access: Access) -> Result<State, ReadError> {
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

/// The version rows, for a message.
fn rows(rows: &[String]) -> String {
    crate::words::version(rows)
}
