//! A throttle for repeated events.

use std::time::Duration;

use tokio::time::Instant;

use super::handle::Host;

/// The same cause is reported again after this long.
const REMIND_AFTER: Duration = Duration::from_secs(10);

/// Remembers the cause of a wait that was last reported, so that a wait is reported when its cause changes, and now and then.
#[derive(Debug, Default)]
pub(crate) struct EventThrottle {
    last: Option<(String, Instant)>,
}

impl EventThrottle {
    /// Whether to report `cause` now; if so, remembers it.
    pub(crate) fn is_due(&mut self, cause: &str, host: &Host) -> bool {
        let now = host.now();
        let is_due = self.last.as_ref().is_none_or(|(last, at)| last != cause || now.saturating_duration_since(*at) >= REMIND_AFTER);
        if is_due {
            self.last = Some((cause.to_owned(), now));
        }
        is_due
    }

    /// Whether anything was reported.
    pub(crate) fn has_told(&self) -> bool {
        self.last.is_some()
    }
}
