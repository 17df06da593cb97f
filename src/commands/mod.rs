//! One file per command, each composing the rest in a few lines.

pub mod check;
mod compare_inputs;
pub mod context;
pub mod create;
pub mod database_status;
mod database_view;
pub mod diff;
pub mod downgrade;
mod drift;
mod dry_run;
pub mod error;
mod files;
pub mod history;
pub mod import;
pub mod init;
mod invalid_indexes;
pub mod lint;
pub mod merge;
mod offline;
mod output;
pub mod repair;
pub mod show;
pub mod sidecar;
pub mod stamp;
pub mod status;
pub mod upgrade;
pub mod wait;

use std::ffi::OsString;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::error::Error;
use context::Context;
use error::CommandError;

/// Runs the command of the arguments, or the one of `PGMARCH_COMMAND`.
pub async fn run(command: Option<Command>, context: &Context) -> Result<(), Error> {
    let command = match command {
        Some(command) => command,
        None => configured_command(&context.config)?,
    };
    match command {
        Command::Upgrade(words) => upgrade::run(&words, context).await,
        Command::Status(words) => status::run(&words, context).await,
        Command::Downgrade(words) => downgrade::run(&words, context).await,
        Command::History(words) => history::run(&words, context).await,
        Command::Show(words) => show::run(&words, context).await,
        Command::Import(words) => import::run(&words, context).await,
        Command::Merge(words) => merge::run(&words, context).await,
        Command::Init(words) => init::run(&words, context).await,
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

/// `PGMARCH_COMMAND`, parsed like arguments.
fn configured_command(config: &Config) -> Result<Command, Error> {
    let words = std::iter::once("pgmarch").chain(config.command.iter().map(String::as_str)).map(OsString::from);
    let cli = Cli::from_arguments(words.collect())
        .map_err(|error| CommandError::Words(error.to_string().lines().next().unwrap_or("").to_owned()))?;
    Ok(cli.command.unwrap_or_else(|| Command::Upgrade(crate::cli::UpgradeArgs::default())))
}
