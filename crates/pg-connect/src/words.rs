//! Text of messages: the causes of an error, durations, the nearest known word.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use tokio_postgres::error::DbError;

/// An error with its causes, once each: `connection failed: db error: FATAL: …` without what only says "see below".
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        if next.is_some_and(|source| is_introduction(error, source)) {
            continue;
        }
        parts.push(match error.downcast_ref::<DbError>() {
            Some(error) => database_error(error),
            None => error.to_string(),
        });
    }
    parts.dedup();
    parts.join(": ")
}

/// Whether an error's own text only introduces its source: a wrapper around the driver's error, or the driver's around the server's
/// error or that of the operating system. What the driver itself finds wrong with a message is an error of input and output too; there
/// its text says where.
fn is_introduction(error: &(dyn Error + 'static), source: &(dyn Error + 'static)) -> bool {
    if !error.is::<tokio_postgres::Error>() {
        return source.is::<tokio_postgres::Error>();
    }
    source.is::<DbError>() || source.downcast_ref::<std::io::Error>().is_some_and(|io| io.raw_os_error().is_some())
}

/// `FATAL: password authentication failed (28P01)`, with detail and hint.
fn database_error(error: &DbError) -> String {
    let mut text = format!("{}: {} ({})", error.severity(), error.message(), error.code().code());
    for (name, more) in [("detail", error.detail()), ("hint", error.hint())] {
        if let Some(more) = more {
            let _ = write!(text, "; {name}: {more}");
        }
    }
    text
}

/// What a control character in a text is and where, for a message that does not show the text.
pub fn control_character(text: &str, is_allowed: impl Fn(char) -> bool) -> Option<String> {
    let (number, found) = text.chars().enumerate().find(|(_, character)| character.is_control() && !is_allowed(*character))?;
    let name = match found {
        '\n' => "a newline".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        '\0' => "a NUL".to_owned(),
        other => format!("a control character (U+{:04X})", u32::from(other)),
    };
    let is_last = text.chars().skip(number).all(char::is_whitespace);
    let place = if is_last { "at its end".to_owned() } else { format!("as character {}", number + 1) };
    Some(format!("{name} {place}"))
}

/// A duration in whole seconds, for a wait in the past or the future.
pub fn rough(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs_f64().round() as u64)).to_string()
}

/// A time limit: `3s`, `100ms`.
pub fn limit(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // What is left of a deadline is shorter by what was done before.
    let step = match milliseconds {
        0..100 => 1,
        100..950 => 100,
        _ => 1000,
    };
    let rounded = milliseconds.saturating_add(step / 2) / step * step;
    humantime::format_duration(Duration::from_millis(rounded)).to_string()
}

/// The known word nearest to `found`, if one is near enough to have been meant.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let found = found.to_ascii_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&found, &word.to_ascii_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min()
        .map(|(_, word)| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_named_with_its_place() {
        let found = |text| control_character(text, |character| character == '\t');
        assert_eq!(found("app\n").as_deref(), Some("a newline at its end"));
        assert_eq!(found("a\u{7}pp").as_deref(), Some("a control character (U+0007) as character 2"));
        assert_eq!(found("app\r\nx").as_deref(), Some("a carriage return as character 4"));
        assert_eq!(found("a\tpp ü"), None);
    }

    #[test]
    fn the_nearest_word_must_be_near() {
        assert_eq!(nearest("revise", ["revises", "branch"]), Some("revises".into()));
        assert_eq!(nearest("zebra", ["revises", "branch"]), None);
    }
}
