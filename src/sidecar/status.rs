//! The last known status, which probes and metrics read: no HTTP request reaches the database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::apply::CompletedStep;
use crate::counters::Counters;
use crate::error::Error;
use crate::exit::{Exit, Explain as _};

/// The sidecar's condition, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// An upgrade is under way.
    Upgrading,
    /// The database is at the target.
    Ready,
    /// Revisions are pending.
    Behind,
    /// The database is ahead by a breaking revision.
    Ahead,
    /// The server can't be reached.
    Unreachable,
    /// The server refuses the connection.
    Refused,
    /// Another run holds the lock.
    Locked,
    /// A revision failed.
    Failed,
    /// The folder or the settings are invalid.
    Unsound,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Upgrading,
        Self::Ready,
        Self::Behind,
        Self::Ahead,
        Self::Unreachable,
        Self::Refused,
        Self::Locked,
        Self::Failed,
        Self::Unsound,
    ];

    /// The condition that an error means.
    pub fn of(error: &Error) -> Self {
        match error.exit() {
            Exit::Success => Self::Ready,
            Exit::No => Self::Behind,
            Exit::Usage | Exit::Unsound => Self::Unsound,
            Exit::Unreachable | Exit::Signal(_) => Self::Unreachable,
            Exit::Locked => Self::Locked,
            Exit::Failed => Self::Failed,
            Exit::Ahead => Self::Ahead,
            Exit::Refused => Self::Refused,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Upgrading => "upgrading",
            Self::Ready => "ready",
            Self::Behind => "behind",
            Self::Ahead => "ahead",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Locked => "locked",
            Self::Failed => "failed",
            Self::Unsound => "unsound",
        }
    }
}

/// The whole status. `/status` is this object.
#[derive(Clone, Debug, Serialize)]
pub struct SidecarStatus {
    /// Whether the database is at the target.
    pub ready: bool,
    /// The condition.
    pub condition: Condition,
    /// Why it is not ready.
    pub reason: Option<String>,
    /// The target as it was named.
    pub target: String,
    /// The version rows, as they were last read.
    pub current: Vec<String>,
    /// What is pending, in order; `null` until the first check.
    pub pending: Option<Vec<String>>,
    /// When the database was last checked, in seconds since 1970.
    pub checked: Option<f64>,
    /// When the database was last seen at the target, in seconds since 1970.
    pub last_success: Option<f64>,
    /// Seconds that each revision took which this process applied.
    pub applied: BTreeMap<String, f64>,
    /// How often the folder of revisions changed.
    pub folder_changes: u64,
    /// How many checks there were, by condition.
    pub checks: BTreeMap<Condition, u64>,
    /// How many upgrades there were, by exit code.
    pub runs: BTreeMap<u8, u64>,
    /// This program's version.
    pub version: &'static str,
}

/// A status that clones share.
#[derive(Clone, Debug)]
pub struct SharedStatus {
    status: Arc<Mutex<SidecarStatus>>,
    counters: Arc<Counters>,
}

impl SharedStatus {
    /// The status before the first upgrade: nothing is known.
    pub fn new(target: String, counters: Arc<Counters>) -> Self {
        let snapshot = SidecarStatus {
            ready: false,
            condition: Condition::Upgrading,
            reason: Some(UPGRADING.to_owned()),
            target,
            current: Vec::new(),
            pending: None,
            checked: None,
            last_success: None,
            applied: BTreeMap::new(),
            folder_changes: 0,
            checks: BTreeMap::new(),
            runs: BTreeMap::new(),
            version: env!("CARGO_PKG_VERSION"),
        };
        Self { status: Arc::new(Mutex::new(snapshot)), counters }
    }

    /// Waits and retries of the runs.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A copy of the status.
    pub fn snapshot(&self) -> SidecarStatus {
        self.locked().clone()
    }

    /// The condition.
    pub fn condition(&self) -> Condition {
        self.locked().condition
    }

    /// Another upgrade begins.
    pub fn start_upgrade(&self) {
        self.set_condition(Condition::Upgrading, Some(UPGRADING.to_owned()));
    }

    /// An upgrade is over.
    pub fn record_upgrade(&self, exit: Exit, done: &[CompletedStep]) {
        let mut snapshot = self.locked();
        *snapshot.runs.entry(exit.code()).or_default() += 1;
        snapshot.applied.extend(done.iter().map(|done| (done.id.to_string(), done.duration.as_secs_f64())));
    }

    /// A check is over; `rows` are the version rows and what is pending, if they could be read.
    pub fn record_check(&self, condition: Condition, reason: Option<String>, rows: Option<(Vec<String>, Vec<String>)>) {
        self.set_condition(condition, reason);
        let mut snapshot = self.locked();
        let now = now();
        snapshot.checked = Some(now);
        *snapshot.checks.entry(condition).or_default() += 1;
        if condition == Condition::Ready {
            snapshot.last_success = Some(now);
        }
        if let Some((current, pending)) = rows {
            snapshot.current = current;
            snapshot.pending = Some(pending);
        }
    }

    /// The folder of revisions changed.
    pub fn record_folder_change(&self) {
        self.locked().folder_changes += 1;
    }

    fn set_condition(&self, condition: Condition, reason: Option<String>) {
        let mut snapshot = self.locked();
        snapshot.ready = condition == Condition::Ready;
        snapshot.condition = condition;
        snapshot.reason = reason;
    }

    fn locked(&self) -> MutexGuard<'_, SidecarStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UPGRADING: &str = "an upgrade is under way";

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
