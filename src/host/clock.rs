//! Time and randomness, as a run takes them from its host.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// A sleep that a clock has begun.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a run gets the time, its sleeps and its random numbers. A simulation has a clock of its own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now. It never goes back.
    fn now(&self) -> Instant;

    /// Ends when the clock reaches `deadline`.
    fn sleep_until(&self, deadline: Instant) -> Sleep;

    /// A random number: for jitter, and for tokens that no other run has.
    fn random(&self) -> u64;
}

/// The clock of tokio's runtime, and random numbers of the operating system.
#[derive(Debug, Default)]
pub struct SystemClock {
    calls: AtomicU64,
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(deadline))
    }

    fn random(&self) -> u64 {
        // Each `RandomState` has keys that the operating system chose for this thread.
        RandomState::new().hash_one((std::process::id(), self.calls.fetch_add(1, Ordering::Relaxed)))
    }
}
