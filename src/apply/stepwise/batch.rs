//! Statements, each in a transaction of its own, that are sent in one message, and how many they are.

use std::ops::Range;
use std::time::Duration;

use crate::apply::segments::SegmentedMessage;

/// A message takes about this long. The answer comes only at its end, and so does what is logged about its statements.
const TARGET: Duration = Duration::from_millis(100);
/// The most statements of a message.
const MOST: usize = 128;
/// No further statement is added to a message that has this many bytes of statements.
pub(super) const MOST_BYTES: usize = 256 * 1024;
/// The most by which a message has more statements than the one before.
const GROWTH: usize = 4;

/// A message with several statements, by their numbers.
pub(super) struct Batch {
    pub(super) statements: Range<usize>,
    pub(super) message: SegmentedMessage,
    /// Whether the last row is the one that the message before this one has written.
    pub(super) follows_message: bool,
}

/// Statements that were committed and are not yet reported, and how long they took.
pub(super) struct Unreported {
    pub(super) statements: Range<usize>,
    pub(super) took: Duration,
}

/// The number of statements of the next message: one at first, more while they take little time.
pub(super) struct BatchSize(usize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(1)
    }
}

impl BatchSize {
    pub(super) fn get(&self) -> usize {
        self.0
    }

    /// Adapts to how long so many statements took.
    pub(super) fn adapt(&mut self, statements: usize, took: Duration) {
        let each = took.as_nanos() / (statements as u128).max(1);
        let fitting = usize::try_from(TARGET.as_nanos() / each.max(1)).unwrap_or(MOST);
        self.0 = fitting.clamp(1, MOST).min(self.0.saturating_mul(GROWTH));
    }

    /// After a failure statements are sent one by one.
    pub(super) fn reset(&mut self) {
        self.0 = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_statements_are_sent_together_and_slow_ones_alone() {
        let mut size = BatchSize::default();
        let mut sizes = vec![];
        for _ in 0..5 {
            sizes.push(size.get());
            size.adapt(size.get(), Duration::from_micros(200) * u32::try_from(size.get()).expect("a small number"));
        }
        assert_eq!(sizes, [1, 4, 16, 64, 128]);
        size.adapt(128, Duration::from_secs(30));
        assert_eq!(size.get(), 1);
        size.adapt(1, Duration::from_millis(40));
        assert_eq!(size.get(), 2);
    }
}
