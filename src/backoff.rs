//! How long to wait between tries: exponential, with jitter, by the `backoff` crate, which only this module sees.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// Pauses that double from a first to a longest one, each up to half shorter or longer so that replicas spread out.
/// It knows no deadline: that is the clock's, kept by whoever waits.
#[derive(Debug)]
pub struct Pace {
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Pace {
    /// Pauses from `first`, doubling up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let pauses = ExponentialBackoffBuilder::new()
            .with_initial_interval(first)
            .with_max_interval(longest)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_elapsed_time(None)
            .build();
        Self { pauses, longest }
    }

    /// The next pause, longer than the one before.
    pub fn pause(&mut self) -> Duration {
        // Without a limit of elapsed time there is always a next one.
        self.pauses.next_backoff().unwrap_or(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_with_jitter() {
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_millis(500));
        let mut middle = 50.0;
        for _ in 0..10 {
            let pause = pace.pause().as_secs_f64() * 1000.0;
            assert!(pause >= middle * 0.5 - 1.0 && pause <= middle * 1.5 + 1.0, "{pause} around {middle}");
            middle = f64::min(middle * 2.0, 500.0);
        }
    }
}
