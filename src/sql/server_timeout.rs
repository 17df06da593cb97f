//! A timeout that goes to PostgreSQL, which counts whole milliseconds.

use std::fmt;
use std::time::Duration;

/// The value of `lock_timeout` or `statement_timeout`: off, or 1 to 2,147,483,647 milliseconds, which is all that the server can
/// store (PostgreSQL manual, 19.1.1: such settings are 32-bit integers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerTimeout(u32);

impl ServerTimeout {
    /// No timeout.
    pub const OFF: Self = Self(0);
    const LONGEST: u32 = i32::MAX.cast_unsigned();

    /// This duration exactly; `None` if the server can't store it: a part of a millisecond, or more than 2,147,483,647 of them. Zero is
    /// off.
    pub fn exactly(duration: Duration) -> Option<Self> {
        let milliseconds = u32::try_from(duration.as_millis()).ok().filter(|milliseconds| *milliseconds <= Self::LONGEST)?;
        (Duration::from_millis(milliseconds.into()) == duration).then_some(Self(milliseconds))
    }

    /// A limit of this program's own, which is never off: rounded down, and at least one millisecond.
    pub(crate) fn limit(duration: Duration) -> Self {
        let milliseconds = u32::try_from(duration.as_millis()).unwrap_or(Self::LONGEST);
        Self(milliseconds.clamp(1, Self::LONGEST))
    }

    /// Whether there is no timeout.
    pub fn is_off(self) -> bool {
        self.0 == 0
    }

    /// The same as a duration; zero is off.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

/// The milliseconds, as `SET` takes them without a unit.
impl fmt::Display for ServerTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_can_store_is_exact() {
        let milliseconds = |number| ServerTimeout::exactly(Duration::from_millis(number)).map(|timeout| timeout.to_string());
        assert_eq!(ServerTimeout::exactly(Duration::ZERO), Some(ServerTimeout::OFF));
        assert_eq!(milliseconds(1).as_deref(), Some("1"));
        assert_eq!(milliseconds(2_147_483_647).as_deref(), Some("2147483647"));
        assert_eq!(milliseconds(2_147_483_648), None);
        for duration in [Duration::from_micros(500), Duration::from_micros(1500), Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(ServerTimeout::exactly(duration), None, "{duration:?}");
        }
    }

    #[test]
    fn a_limit_is_never_off() {
        for (duration, expected) in [(Duration::ZERO, 1), (Duration::from_secs(2), 2000), (Duration::MAX, i32::MAX.cast_unsigned())] {
            assert_eq!(ServerTimeout::limit(duration), ServerTimeout(expected));
        }
    }
}
