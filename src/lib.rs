//! pgmarch brings a PostgreSQL database to the revision that a deployment needs, and lets what depends on it start
//! only then.
//!
//! ```text
//! environment ─► Config ─► Graph ─► Pool ─► (nothing pending? exit 0) ─► RunLock ─► Plan ─► Applied ─► exit code
//! ```
//!
//! That line is [`runner`]; everything else belongs to one of its nouns. A Rust program embeds pgmarch as a [`Runner`].
//!
//! # Layout, in reading order
//!
//! - [`cli`]: what a person may type.
//! - [`config`]: environment → raw settings → [`config::Config`].
//! - [`environment`]: the variables that pgmarch reads besides those of libpq.
//! - [`exit`]: exit codes; what an error explains about itself: [`exit::Explain`].
//! - [`facts`]: what is known about a failure, as values: revision, SQLSTATE, place, the session in the way.
//! - [`error`]: the top error, which collects those of all modules.
//! - [`interruption`]: what a signal ended.
//! - [`commands`]: one file per verb, each composing what follows.
//! - [`shared_text`]: a text that is shared instead of copied.
//! - [`sql`](mod@sql): SQL as a type: quoted names and values, and messages whose names mean the same under any search path.
//! - [`revision`]: files → [`revision::graph::Graph`]; statements, and the names people type for revisions. Knows no database.
//! - [`pg_connect`], a library of its own in `crates/pg-connect`: where and how to connect, TLS, the login. Knows no migrations.
//! - [`session`]: the pool, one session that sends messages; [`session::wait`]: which refusals are waited for.
//! - [`lock`]: the run lock: polled, named, its loss noticed.
//! - [`ledger`]: the version table and the ledger: the only place that knows the tables in the database.
//! - [`alembic`]: Alembic's output and its files into revisions. Pure.
//! - [`position`]: where the database stands, seen from this image: behind, there, ahead. Pure.
//! - [`ancestry`]: which revisions below the version rows are applied: those that were below when it happened. Pure.
//! - [`checksum`]: the files of applied revisions against what the ledger kept of them. Pure.
//! - [`plan`]: (graph, version rows, target) → [`plan::Plan`]. Pure.
//! - [`apply`]: a plan into an applied one: one fenced message per revision.
//! - [`runner`]: the core loop as a type, which programs can embed: wait, read, plan, lock, apply.
//! - [`host`]: what a run takes from the program around it: observers, time, random numbers.
//! - [`model`]: a schema as plain data: read, compared, written as SQL, proven in scratch databases.
//! - `lint`: what may hurt in a revision. Pure.
//! - [`report`]: every line a person or a machine reads.
//! - [`progress`]: the bar at the foot of a terminal.
//! - [`sidecar`]: probes and metrics over HTTP, and a folder that changes.
//! - [`counters`]: counts of waits and retries.
//! - [`words`]: text that messages of several modules share.
//! - [`escape`]: control characters of foreign text, made visible.
//! - [`code_frame`]: a place in a file, and its line with carets under what is meant.
//! - [`backoff`]: pauses between tries.
//! - [`signal`]: SIGTERM and SIGINT.

pub mod alembic;
pub mod ancestry;
pub mod apply;
pub mod backoff;
pub mod checksum;
pub mod cli;
pub mod code_frame;
pub mod commands;
pub mod config;
pub mod counters;
pub mod environment;
pub mod error;
pub mod escape;
pub mod exit;
pub mod facts;
pub mod host;
pub mod interruption;
pub mod ledger;
mod lint;
pub mod lock;
pub mod model;
pub mod plan;
pub mod position;
pub mod progress;
pub mod report;
pub mod revision;
pub mod runner;
pub mod session;
pub mod shared_text;
pub mod sidecar;
pub mod signal;
pub mod sql;
pub mod words;

pub use runner::{Goal, Runner};

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use commands::context::Context;
use config::{LogFormat, Reporting};
use error::Error;
use exit::{Exit, Explain as _, Retry};
use host::Host;
use interruption::{Ended, ProcessError};
use progress::Terminal;
use report::run_log::RunLog;
use session::Cancels;
use signal::Signal;
pub(crate) use sql::sql;

/// The whole program: words and environment in, exit code out.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    run(words, Host::default())
}

/// The whole program, whose runs do not wait for others: their lock is one that no other run knows. For tests.
#[cfg(feature = "test-support")]
pub fn main_without_lock(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    run(words, Host::default().without_lock())
}

fn run(words: impl IntoIterator<Item = OsString>, host: Host) -> ExitCode {
    let cli = match cli::Cli::from_arguments(words.into_iter().collect()) {
        Ok(cli) => cli,
        Err(asked) => {
            // `--help` and `--version` come this way too, with code 0; clap prints each where it belongs.
            let code = u8::try_from(asked.exit_code()).unwrap_or(Exit::Usage.code());
            drop(asked.print());
            return code.into();
        }
    };
    let (reporting, outcome) = start(cli, host);
    match outcome {
        Ok(()) => Exit::Success.code().into(),
        Err(failure) => {
            report::failure::print(&failure, &reporting);
            failure.exit().code().into()
        }
    }
}

/// The runs' events are logged, and shown as a progress bar on a terminal.
fn observed(host: Host, reporting: &Reporting, terminal: &Terminal) -> Host {
    let bar = if reporting.format == LogFormat::Text { terminal.progress_bar() } else { None };
    let host = host.with_observer(Arc::new(RunLog { has_bar: bar.is_some() }));
    match bar {
        Some(bar) => host.with_observer(Arc::new(bar)),
        None => host,
    }
}

/// Decides the settings and runs the command, both until a signal comes; with how to report the outcome.
fn start(cli: cli::Cli, host: Host) -> (Reporting, Result<(), Error>) {
    let system = |what| move |source| Error::from(ProcessError::System { what, source });
    let environment = pg_connect::Environment::of_process(environment::PROGRAM)
        .map_err(|faults| faults.into_iter().map(config::error::ConfigFault::from).collect::<Vec<_>>());
    // Until the files that hold settings are read, and if they can't be.
    let reporting = config::decide::reporting(environment.as_ref().unwrap_or(&pg_connect::Environment::default()));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return (reporting, Err(system("no runtime")(error))),
    };
    let (reporting, outcome) = runtime.block_on(async {
        let mut signals = match signal::catch() {
            Ok(signals) => std::pin::pin!(signals),
            Err(error) => return (reporting, Err(system("no signal handlers")(error))),
        };
        let (environment, decided) = match environment {
            Ok(environment) => (environment.clone(), tokio::task::spawn_blocking(move || config::decide::decide(&environment))),
            Err(faults) => return logged(reporting, Err(faults.into())),
        };
        let decided = tokio::select! {
            decided = decided => decided,
            signal = &mut signals => {
                let interrupted = ProcessError::Interrupted { signal, ended: Ended::Cancelled };
                return logged(reporting, Err(interrupted.into()));
            }
        };
        let (reporting, config) = match decided {
            Ok((reporting, Ok(config))) => (reporting, config),
            Ok((reporting, Err(faults))) => return logged(reporting, Err(faults.into())),
            Err(error) => return logged(reporting, Err(system("the settings were not read")(std::io::Error::other(error)))),
        };
        let terminal = Terminal::default();
        report::log::start(&reporting, terminal.clone());
        let context = Context::new(config, environment, observed(host, &reporting, &terminal));
        let outcome = interruptible(commands::run(cli.command, &context), signals, &context.cancels).await;
        let timeout = if matches!(outcome, Err(Error::Process(ProcessError::Interrupted { .. }))) { SWEEP_AFTER_SIGNAL } else { SWEEP };
        context.leftovers.sweep(timeout).await;
        context.cancels.terminate_all().await;
        (reporting, outcome)
    });
    // A name lookup or a file that hangs in its thread must not keep the process from exiting.
    runtime.shutdown_background();
    (reporting, outcome)
}

/// The outcome of a run that ends before its command, with the log started.
fn logged(reporting: Reporting, outcome: Result<(), Error>) -> (Reporting, Result<(), Error>) {
    report::log::start(&reporting, Terminal::default());
    (reporting, outcome)
}

/// How long a cancelled statement has to end; the whole exit takes less than a second.
const GRACE: Duration = Duration::from_millis(700);
/// How long the server has to drop the scratch databases of this run, each of which waits for a checkpoint; there are none unless
/// schemas were compared.
const SWEEP: Duration = Duration::from_secs(60);
/// The same after a signal: its sender typically waits ten seconds before it kills.
const SWEEP_AFTER_SIGNAL: Duration = Duration::from_secs(8);
/// A cancel request that arrives between two statements cancels neither: it is sent again this often.
const CANCEL_EVERY: Duration = Duration::from_millis(50);

/// Runs a command until it ends or a signal comes; then cancels what runs on the server and waits for a short time until that has
/// ended.
async fn interruptible(
    command: impl Future<Output = Result<(), Error>>,
    signals: impl Future<Output = Signal>,
    cancels: &Cancels,
) -> Result<(), Error> {
    let mut command = std::pin::pin!(command);
    let signal = tokio::select! {
        outcome = &mut command => return outcome,
        signal = signals => signal,
    };
    tracing::warn!("{} received: cancelling what is under way", signal.name());
    cancels.stop();
    let deadline = Instant::now() + GRACE;
    while cancels.is_busy() {
        // A request that is being sent is not given up for another: over a slow network, and through TLS, it takes longer.
        let mut request = std::pin::pin!(async {
            cancels.cancel_all().await;
            tokio::time::sleep(CANCEL_EVERY).await;
        });
        tokio::select! {
            outcome = &mut command => {
                // Its effect is awaited too: a pooler may still be passing it on.
                drop(tokio::time::timeout_at(deadline, request).await);
                match outcome {
                    // It succeeded before the cancel request arrived.
                    Ok(()) => return Ok(()),
                    Err(error) if error.retry() == Retry::Committed => {
                        return Err(ProcessError::Interrupted { signal, ended: Ended::Unreplicated(Box::new(error)) }.into());
                    }
                    Err(_) => return Err(ProcessError::Interrupted { signal, ended: Ended::Cancelled }.into()),
                }
            }
            () = &mut request => {}
            () = tokio::time::sleep_until(deadline) => break,
        }
    }
    let ended = if cancels.is_busy() { Ended::Unknown } else { Ended::Cancelled };
    Err(ProcessError::Interrupted { signal, ended }.into())
}
