//! Settings, decided and checked: [`Config`]. [`settings`] reads them from the environment, [`decide`](mod@decide) checks them, value by
//! value in `decider`.

pub mod decide;
mod decider;
pub mod error;
#[cfg(test)]
mod properties;
pub mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::session::wait::RetryableRefusals;
use crate::sql::{Ident, SearchPath, ServerTimeout, TableName};

/// One transaction for each revision, or for all of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// Each revision commits on its own.
    Revision,
    /// All pending revisions commit together.
    Run,
}

/// What to do about a database that is ahead of these files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Continue with a warning, unless one of the revisions is breaking.
    Allow,
    /// Stop.
    Refuse,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Every setting, decided and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of the revisions.
    pub migrations: PathBuf,
    /// The words of `PGMARCH_COMMAND`.
    pub command: Vec<String>,
    /// The target, not yet resolved.
    pub target: String,
    /// How long to wait for the server.
    pub wait_timeout: Duration,
    /// Whether that was set. Commands that only show something wait only then.
    pub waits_by_setting: bool,
    /// How log lines and results are written.
    pub log_format: LogFormat,
    /// Refusals that are waited for as well.
    pub wait_for: RetryableRefusals,
    /// How long to wait for the run lock.
    pub run_lock_timeout: Duration,
    /// `lock_timeout` of the revisions.
    pub lock_timeout: ServerTimeout,
    /// `statement_timeout` of the revisions.
    pub statement_timeout: ServerTimeout,
    /// How long to try again after a lost connection or a lock timeout.
    pub retry_for: Duration,
    /// What commits together.
    pub transaction: Transaction,
    /// The version table; without a schema, the one on the search path.
    pub version_table: TableName,
    /// The ledger's schema.
    pub ledger_schema: Ident,
    /// The role that revisions run as, and that owns what they create.
    pub role: Option<Ident>,
    /// The search path of the revisions, as SQL takes it.
    pub search_path: Option<SearchPath>,
    /// A shell command that fills a scratch database with the model.
    pub model_command: Option<String>,
    /// How long that may run; never zero.
    pub model_timeout: Duration,
    /// What the model can express; by default its source decides.
    pub model_scope: Option<ModelScope>,
    /// Whether a run saves a snapshot of the catalog; by default the command decides.
    pub snapshot: Option<Snapshots>,
    /// Further roles that may own pgmarch's tables and the code on them, beside those that have such rights anyway.
    pub trust_owner: Vec<Ident>,
    /// What to do about a database that is ahead.
    pub ahead: Ahead,
    /// Whether a downgrade is confirmed.
    pub confirmed: bool,
    /// Whether `check` reports each revision without a down migration.
    pub require_down: bool,
    /// The address that the sidecar listens on.
    pub listen: SocketAddr,
    /// The interval of the sidecar's checks; never zero.
    pub check_every: Duration,
    /// What the sidecar does when the folder changes.
    pub changes: Changes,
}

/// What a model can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelScope {
    /// Everything: what it lacks is dropped.
    All,
    /// What an ORM expresses; of the rest, what it lacks is left alone.
    Orm,
}

impl ModelScope {
    /// The words for both.
    pub const WORDS: [(&str, Self); 2] = [("all", Self::All), ("orm", Self::Orm)];
}

/// Whether a run that changed something saves a snapshot of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// A snapshot is saved.
    On,
    /// No snapshot is saved: nothing is written but the version table and the journal.
    Off,
}

/// What the sidecar does with revisions that are added while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// They are reported as pending.
    Report,
    /// They are applied.
    Apply,
}

/// The settings of logs and failures, decided even if other settings are wrong.
#[derive(Clone, Debug)]
pub struct Reporting {
    /// Level and modules, as `tracing_subscriber` takes them.
    pub filter: tracing_subscriber::filter::Targets,
    /// The format of log lines.
    pub format: LogFormat,
    /// The file for Kubernetes' termination message.
    pub termination_log: TerminationLog,
}

/// The file for Kubernetes' termination message.
#[derive(Clone, Debug)]
pub struct TerminationLog {
    /// Where.
    pub path: PathBuf,
    /// Whether the settings name it; else it is the place where Kubernetes has it, and is written only if it is there.
    pub is_named: bool,
}
