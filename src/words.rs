//! Text shared by the messages of several modules: causes of an error, durations, counts, the nearest known word. Imports the
//! library alone.

use std::borrow::Borrow;
use std::time::Duration;

pub(crate) use pg_connect::words::{chain, control_character, limit, nearest, rough};
use tokio::time::Instant;

/// The time until `deadline`, in whole seconds.
pub(crate) fn left(deadline: Instant) -> String {
    rough(deadline.saturating_duration_since(Instant::now()))
}

/// A number with its noun: `1 revision`, `2 revisions`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A duration: `13 ms`, `2.4 s`, `3m 20s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
    }
}

/// A text as one word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=');
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Version rows, for a message.
pub(crate) fn version<S: Borrow<str>>(rows: &[S]) -> String {
    if rows.is_empty() { "base".to_owned() } else { rows.join(", ") }
}
