//! The program that embeds a run: where the run gets its time and random numbers, and who observes it.

mod clock;
mod event;
mod handle;
mod observer;
mod throttle;

#[cfg(test)]
pub(crate) use clock::fake::FakeClock;
pub use clock::{Clock, Sleep, SystemClock};
pub use event::{Event, LockWait, Progress, Wait};
pub use handle::Host;
pub use observer::Observer;
pub(crate) use throttle::EventThrottle;
