//! How long to wait between tries: exponential, by the `backoff` crate, which only this module sees, with jitter.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// Pauses that double from a first to a longest one, each up to half shorter or longer so that replicas spread out.
/// It has no deadline: the caller keeps that.
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
            // The jitter is ours: a simulation chooses the random numbers.
            .with_randomization_factor(0.0)
            .with_max_elapsed_time(None)
            .build();
        Self { pauses, longest }
    }

    /// The next pause, longer than the one before. All of its jitter comes from `random`.
    pub fn next_pause(&mut self, random: u64) -> Duration {
        // Without a limit of elapsed time there is always a next one.
        let pause = self.pauses.next_backoff().unwrap_or(self.longest);
        pause.mul_f64(0.5 + random as f64 / u64::MAX as f64)
    }

    /// The next pause, with jitter from the operating system's random numbers.
    pub fn pause(&mut self) -> Duration {
        self.next_pause(RandomState::new().hash_one(self.longest))
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
