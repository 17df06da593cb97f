//! Every line a person or a machine reads: logs, answers, failures, the termination message.

pub mod check;
pub mod difference;
pub mod escape;
pub mod failure;
pub mod history;
pub mod lanes;
pub mod log;
pub mod show;
pub mod status;

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

/// An error with its causes, once each: `connection failed: db error: FATAL: …` without what only says "see below".
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = match error.downcast_ref::<tokio_postgres::error::DbError>() {
            Some(error) => database_error(error),
            None => error.to_string(),
        };
        // The driver's outer words repeat or announce what follows.
        if !matches!(text.as_str(), "db error" | "error communicating with the server" | "error connecting to server" | "connection failed")
            || error.source().is_none()
        {
            parts.push(text);
        }
        next = error.source();
    }
    parts.dedup();
    parts.join(": ")
}

/// `FATAL: password authentication failed (28P01)`, with detail and hint.
fn database_error(error: &tokio_postgres::error::DbError) -> String {
    let mut text = format!("{}: {} ({})", error.severity(), error.message(), error.code().code());
    for (name, more) in [("detail", error.detail()), ("hint", error.hint())] {
        if let Some(more) = more {
            let _ = write!(text, "; {name}: {more}");
        }
    }
    text
}

/// A duration in whole seconds, for what was or will be waited.
pub fn rough(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs_f64().round() as u64)).to_string()
}

/// How long is left until `deadline`, in whole seconds.
pub fn left(deadline: Instant) -> String {
    rough(deadline.saturating_duration_since(Instant::now()))
}

/// A number of things: `1 revision`, `2 revisions`.
pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A duration for people: `13 ms`, `2.4 s`, `3m 20s`.
pub fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
    }
}

/// Version rows, for a message.
pub fn version(rows: &[String]) -> String {
    if rows.is_empty() { "base".to_owned() } else { rows.join(", ") }
}
