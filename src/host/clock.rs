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

#[cfg(test)]
pub(crate) mod fake {
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use super::*;

    /// A clock on which a sleep takes no time, and whose random numbers are all the same.
    #[derive(Debug)]
    pub(crate) struct FakeClock {
        now: Mutex<Instant>,
        random: u64,
    }

    impl FakeClock {
        pub(crate) fn new(random: u64) -> Self {
            Self { now: Mutex::new(Instant::now()), random }
        }

        pub(crate) fn elapsed(&self, since: Instant) -> Duration {
            self.now() - since
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Instant {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn sleep_until(&self, deadline: Instant) -> Sleep {
            let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = deadline.max(*now);
            Box::pin(std::future::ready(()))
        }

        fn random(&self) -> u64 {
            self.random
        }
    }
}
