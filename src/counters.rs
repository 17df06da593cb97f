//! Counts of what this process met on its way: waits and retries, for the sidecar's metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What may have to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A server that is not ready.
    Server,
    /// Another run that holds the lock.
    Lock,
}

/// Why something was done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryCounter {
    /// The connection was lost, so the run started over.
    Connection,
    /// A revision met another session's lock and was rolled back.
    Lock,
}

/// One for the process, as its metrics are: whoever waits need not be told who counts.
static WAITS: [Count; 2] = [const { Count::new() }; 2];
static RETRIES: [Count; 2] = [const { Count::new() }; 2];

struct Count {
    times: AtomicU64,
    milliseconds: AtomicU64,
}

impl Count {
    const fn new() -> Self {
        Self { times: AtomicU64::new(0), milliseconds: AtomicU64::new(0) }
    }

    fn add(&self, time: Duration) {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.milliseconds.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Adds a wait that is over, however it ended.
pub fn waited(wait: Wait, time: Duration) {
    WAITS[wait as usize].add(time);
}

/// Adds a retry.
pub fn retried(retry: RetryCounter) {
    RETRIES[retry as usize].add(Duration::ZERO);
}

/// How many waits there were, and how many seconds they took together.
pub fn waits(wait: Wait) -> (u64, f64) {
    let count = &WAITS[wait as usize];
    (count.times.load(Ordering::Relaxed), Duration::from_millis(count.milliseconds.load(Ordering::Relaxed)).as_secs_f64())
}

/// How many retries there were.
pub fn retries(retry: RetryCounter) -> u64 {
    RETRIES[retry as usize].times.load(Ordering::Relaxed)
}
