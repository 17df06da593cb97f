//! Empty messages on the lock's connection, which show both sides, and what is between them, that the other is still there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The interval, unless a proxy closes the connection sooner. Empty messages take no snapshot, so they delay no other session.
const USUAL: Duration = Duration::from_secs(3);
/// The shortest interval.
const SHORTEST: Duration = Duration::from_millis(250);

/// The interval of the heartbeat, learned from the connections that were closed without it. Clones share it.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    milliseconds: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { milliseconds: Arc::new(AtomicU64::new(u64::try_from(USUAL.as_millis()).unwrap_or(u64::MAX))) }
    }
}

impl Heartbeat {
    /// The time from one message to the next.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }

    /// A connection was closed after so long a silence: from now on there is a message in half of that time.
    pub(crate) fn learn(&self, silence: Duration) {
        let interval = (silence / 2).clamp(SHORTEST, USUAL);
        self.milliseconds.fetch_min(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_only_becomes_shorter() {
        let heartbeat = Heartbeat::default();
        let after = |silence| {
            heartbeat.learn(silence);
            heartbeat.interval()
        };
        assert_eq!(after(Duration::from_secs(60)), USUAL);
        assert_eq!(after(Duration::from_secs(1)), Duration::from_millis(500));
        assert_eq!(after(Duration::from_secs(4)), Duration::from_millis(500));
        assert_eq!(after(Duration::ZERO), SHORTEST);
    }
}
