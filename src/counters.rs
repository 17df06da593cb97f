//! Counts of what the runs of a program met on their way: waits and retries, for the sidecar's metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::host::{Event, Observer, Wait};

/// Counts waits and retries. An observer of runs.
#[derive(Debug, Default)]
pub struct Counters {
    server_waits: WaitCounter,
    lock_waits: WaitCounter,
    reconnects: AtomicU64,
    lock_retries: AtomicU64,
}

#[derive(Debug, Default)]
struct WaitCounter {
    waits: AtomicU64,
    milliseconds: AtomicU64,
}

impl Observer for Counters {
    fn observe(&self, event: &Event<'_>) {
        if let Event::WaitEnded { wait, waited } = event {
            let counter = self.counter(*wait);
            counter.waits.fetch_add(1, Ordering::Relaxed);
            counter.milliseconds.fetch_add(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        } else if let Event::RunRestarted { .. } = event {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        } else if let Event::RevisionBlocked { .. } = event {
            self.lock_retries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counters {
    fn counter(&self, wait: Wait) -> &WaitCounter {
        match wait {
            Wait::Server => &self.server_waits,
            Wait::Lock => &self.lock_waits,
        }
    }

    /// How many waits there were, and how many seconds they took together.
    pub fn waits(&self, wait: Wait) -> (u64, f64) {
        let counter = self.counter(wait);
        let milliseconds = counter.milliseconds.load(Ordering::Relaxed);
        (counter.waits.load(Ordering::Relaxed), Duration::from_millis(milliseconds).as_secs_f64())
    }

    /// How often a run started over because its connection was lost.
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// How often a revision was tried again because other sessions held locks.
    pub fn lock_retries(&self) -> u64 {
        self.lock_retries.load(Ordering::Relaxed)
    }
}
