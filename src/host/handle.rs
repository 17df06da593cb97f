//! Clock and observers, as a run is given them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::{Clock, SystemClock};
use super::event::Event;
use super::observer::Observer;
use crate::backoff::Pace;

/// A clock and observers. Clones share them.
#[derive(Clone)]
pub struct Host {
    clock: Arc<dyn Clock>,
    observers: Vec<Arc<dyn Observer>>,
    #[cfg(feature = "test-support")]
    is_without_lock: bool,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("clock", &self.clock).field("observers", &self.observers.len()).finish()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            observers: Vec::new(),
            #[cfg(feature = "test-support")]
            is_without_lock: false,
        }
    }
}

/// A deadline that passed before something ended.
#[derive(Debug)]
pub(crate) struct Elapsed;

impl Host {
    /// The same observers with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same with one more observer.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    pub(crate) fn notify(&self, event: &Event<'_>) {
        self.observers.iter().for_each(|observer| observer.observe(event));
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The deadline of a wait that begins now. It is at most 30 years away, which no run lives to see: clocks hold no time at all.
    pub(crate) fn deadline(&self, timeout: Duration) -> Instant {
        const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
        self.now() + timeout.min(FAR)
    }

    /// How much time is left until `deadline`.
    pub(crate) fn remaining(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.now())
    }

    pub(crate) fn elapsed(&self, since: Instant) -> Duration {
        self.now().saturating_duration_since(since)
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.clock.sleep_until(self.deadline(duration)).await;
    }

    /// Waits for `work` until `deadline`.
    pub(crate) async fn timeout_at<T>(&self, deadline: Instant, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::select! {
            biased;
            outcome = work => Ok(outcome),
            () = self.clock.sleep_until(deadline) => Err(Elapsed),
        }
    }

    /// Waits for `work`, but not longer than `duration`.
    pub(crate) async fn timeout<T>(&self, duration: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        self.timeout_at(self.deadline(duration), work).await
    }

    /// The next pause between tries, with jitter.
    pub(crate) fn next_pause(&self, pace: &mut Pace) -> Duration {
        pace.next_pause(self.clock.random())
    }

    /// The same, whose runs take a lock that no other run knows, so that tests can show that nothing depends on it.
    #[cfg(feature = "test-support")]
    #[must_use]
    pub fn without_lock(mut self) -> Self {
        self.is_without_lock = true;
        self
    }

    /// The key of the run lock.
    pub(crate) fn lock_key(&self, key: i64) -> i64 {
        #[cfg(feature = "test-support")]
        if self.is_without_lock {
            return self.token();
        }
        key
    }

    /// A random number of this run.
    pub(crate) fn token(&self) -> i64 {
        self.clock.random().cast_signed()
    }
}
