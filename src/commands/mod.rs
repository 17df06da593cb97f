//! One file per verb, each composing the rest in a few lines.

pub mod check;
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
mod run;
pub mod run_error;
pub mod show;
pub mod sidecar;
mod sides;
mod snapshot;
pub mod stamp;
pub mod status;
pub mod upgrade;
pub mod wait;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use self::error::CommandError;
use crate::ancestry::{Ancestry, LateRevisions};
use crate::checksum::{self, ChecksumError, ChecksumVerdict};
use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::connect::{Cancels, Pool, Session};
use crate::environment::Environment;
use crate::error::Error;
use crate::escape;
use crate::ledger::lost::{self, SchemaReset};
use crate::ledger::{Access, LedgerContents, Level, ReadError, State, UntrustedRelation};
use crate::model::prove::scratch::Leftovers;
use crate::position::Position;
use crate::revision::Revision;
use crate::revision::folder::FolderDigest;
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
    /// A connection made while the files were read.
    pub early: Early,
    /// Scratch databases still to be dropped, whatever the end is.
    pub leftovers: Leftovers,
}

/// A session and what it saw first, with the pool it belongs to: for the first who needs one.
#[derive(Debug, Default)]
pub struct Early(RefCell<Option<(Pool, Session, State)>>);

impl Early {
    /// Pool and state, if what was seen shows that a folder is applied, all of it and durably: then nobody need understand
    /// its files, which were sound when they were applied, nor even keep them.
    fn at_head(&self, digest: &FolderDigest) -> Option<(Pool, State)> {
        let fits = |state: &State| state.seal.as_ref().is_some_and(|seal| seal.matches_folder(digest, &state.rows));
        let (pool, _, state) = self.0.borrow_mut().take_if(|(_, _, state)| fits(state))?;
        Some((pool, state))
    }
}

impl std::fmt::Debug for Cancels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancels").finish_non_exhaustive()
    }
}

/// How long the first look may take: a server that does not answer must not keep faults of the files from being told.
const EARLY: Duration = Duration::from_secs(1);

impl Context {
    /// A pool that has not connected yet.
    fn pool(&self) -> Result<Pool, Error> {
        Pool::new(self.environment.clone(), self.cancels.clone())
            .map_err(|error| Error::Wait(crate::connect::wait::WaitError::Settings(error)))
    }

    /// Reads the revisions' files for their digest and, as both take as long, meanwhile connects and looks where the database
    /// is. That touches nothing there. What it says, and even that it can't be reached, counts only if the files are sound;
    /// without a digest they are not, and the look is not waited for.
    async fn digest(&self) -> Option<FolderDigest> {
        let folder = self.config.migrations.clone();
        let reading = tokio::task::spawn_blocking(move || FolderDigest::of(&folder));
        let digest = async { reading.await.ok().flatten().ok_or(()) };
        let looking = async { Ok(tokio::time::timeout(EARLY, self.look()).await.ok().flatten()) };
        let (digest, early) = tokio::try_join!(digest, looking).ok()?;
        *self.early.0.borrow_mut() = early;
        Some(digest)
    }

    /// One try. Whoever needs the session makes another if there is none, and says what is in the way.
    async fn look(&self) -> Option<(Pool, Session, State)> {
        let pool = self.pool().ok()?;
        let session = pool.session(self.config.wait_timeout.min(EARLY)).await.ok()?;
        let state = State::load(&session, &self.config, Level::Rows(Access::Write)).await.ok()?;
        Some((pool, session, state))
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

/// Where the database stands: what has no file here is looked up in the ledger.
async fn locate<'g>(graph: &'g Graph, state: &State, session: &Session) -> Result<Position<'g>, Error> {
    let mut recorded = Vec::new();
    if state.rows.iter().any(|row| graph.node(row).is_none()) {
        let checksums = state.contents().into_iter().flat_map(|contents| contents.checksums.keys());
        let strangers: Vec<&str> = checksums.map(String::as_str).filter(|id| graph.node(id).is_none()).collect();
        recorded = state.ledger.applied_revisions(session, &strangers).await.map_err(ReadError::Server)?;
    }
    Ok(Position::resolve(graph, &state.rows, &recorded)?)
}

/// Where the database stands, and what was found out about it on the way.
struct Settled<'g> {
    position: Position<'g>,
    /// Revisions whose down migration was changed in their files.
    changed_down: Vec<Revision>,
    /// The version table's schema was dropped and created again since the ledger was last written.
    reset: Option<SchemaReset>,
}

/// Where the database stands, the files of what is applied being what was applied. What the ledger recorded is read only if
/// these very files were not yet found to fit it, or if the version table says base.
async fn settle<'g>(graph: &'g Graph, state: &mut State, session: &Session, config: &Config) -> Result<Settled<'g>, Error> {
    let reset = check_base(graph, state, session, config).await?;
    if is_sealed(graph, state) {
        return Ok(Settled { position: locate(graph, state, session).await?, changed_down: Vec::new(), reset });
    }
    state.load_contents(session).await?;
    let state = &*state;
    let position = locate(graph, state, session).await?;
    let unread = LedgerContents::default();
    let checksums = &state.contents().unwrap_or(&unread).checksums;
    let moved = checksum::moved_revisions(&position.graph, &position.rows, checksums);
    if !moved.is_empty() {
        return Err(Error::Checksum(ChecksumError::Moved(moved)));
    }
    check_ancestry(&position, state)?;
    let suspects = checksum::differing_revisions(&position.graph, &position.rows, checksums);
    if suspects.is_empty() {
        return Ok(Settled { position, changed_down: Vec::new(), reset });
    }
    let recorded = state.ledger.applied_revisions(session, &suspects).await.map_err(ReadError::Server)?;
    let ChecksumVerdict { changed, reparsed, changed_down } = checksum::compare_texts(&position.graph, &recorded);
    if !changed.is_empty() {
        return Err(Error::Checksum(ChecksumError::Changed(changed)));
    }
    if !reparsed.is_empty() {
        return Err(Error::Checksum(ChecksumError::Reparsed(reparsed)));
    }
    tracing::debug!("{} differ from what was applied, in comments, layout or the way down alone", suspects.join(", "));
    let changed_down = changed_down.into_iter().cloned().collect();
    Ok(Settled { position, changed_down, reset })
}

/// Refuses a version table that says base where the ledger knows better.
async fn check_base(graph: &Graph, state: &mut State, session: &Session, config: &Config) -> Result<Option<SchemaReset>, Error> {
    lost::check_base(session, config, state, graph).await?.map_err(Error::Lost)
}

/// Which revisions below the version rows are applied, as far as the ledger was read.
fn ancestry(position: &Position<'_>, state: &State) -> Ancestry {
    let unread = LedgerContents::default();
    Ancestry::of(&position.graph, &position.rows, state.contents().unwrap_or(&unread))
}

/// Refuses a database below whose version rows are revisions that were never run there, unless that was accepted.
fn check_ancestry(position: &Position<'_>, state: &State) -> Result<(), Error> {
    let late = ancestry(position, state).late_revisions(&position.graph);
    if late.is_empty() { Ok(()) } else { Err(Error::Late(LateRevisions(late))) }
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

/// Whether the last run found these very files to fit the ledger and committed synchronously, and nothing was done since.
fn is_sealed(graph: &Graph, state: &State) -> bool {
    let rows: Option<Vec<Node>> = state.rows.iter().map(|row| graph.node(row)).collect();
    rows.is_some_and(|rows| state.seal.as_ref().is_some_and(|seal| seal.matches(graph, &rows)))
}

/// Reads the state for a command that only reads. Of an owner whom a run that writes would not trust it says so, once.
async fn read(session: &Session, config: &Config, access: Access) -> Result<State, ReadError> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let state = State::load(session, config, Level::Full(access)).await?;
    if let Some(UntrustedRelation { relation, role, .. }) = &state.untrusted
        && !TOLD.swap(true, Ordering::Relaxed)
    {
        tracing::info!(
            "{relation} is owned by {role}, whom a run that writes as {} would not trust; reading it nevertheless (PGMARCH_TRUST_OWNER={role} says that it may be trusted)",
            state.server.role
        );
    }
    Ok(state)
}

fn tell_done(pool: &Pool, rows: &[String]) {
    tracing::info!("nothing to do on {}: at {}", pool.address(), self::rows(rows));
}

/// The version rows, for a message.
fn rows(rows: &[String]) -> String {
    crate::words::version(rows)
}
