//! A failed command's error: as text on stderr, as a log line, and as Kubernetes' termination message.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use tracing::{error, warn};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::apply::{ApplyError, SqlFailure};
use crate::checksum::ChecksumError;
use crate::config::{LogFormat, Reporting};
use crate::error::Error;
use crate::escape;
use crate::exit::Explain as _;
use crate::model::prove::scratch::ScratchError;
use crate::model::prove::source::SourceError;
use crate::revision::line::{line_at, line_start};
use crate::revision::{Id, LineColumn};
use crate::words::{chain, seconds};

/// The most bytes that Kubernetes keeps of a termination message (its documentation, "Customizing the termination message").
const TERMINATION_BYTES: usize = 4096;

/// The termination message, and the fields of the log line.
#[derive(Debug, Serialize)]
struct FailureReport<'a> {
    exit: u8,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    applied: Vec<&'a str>,
    next: String,
}

/// Prints a failure to stderr, and to the termination log if there is one.
pub(crate) fn print(failure: &Error, reporting: &Reporting) {
    match reporting.format {
        LogFormat::Text => print_to_stderr(&text(failure)),
        LogFormat::Json => {
            let cause = cause(failure);
            let (revision, sqlstate, place) = (cause.revision, cause.sqlstate, cause.place.as_deref());
            error!(exit = cause.exit, revision, sqlstate, place, next = %cause.next, "{}", cause.error);
        }
    }
    if let Some(path) = &reporting.termination_log {
        write_termination(path, &cause(failure));
    }
}

/// If standard error is closed, the message is lost.
fn print_to_stderr(text: &str) {
    use std::io::Write as _;
    drop(std::io::stderr().write_all(text.as_bytes()));
}

fn write_termination(path: &Path, cause: &FailureReport<'_>) {
    let mut json = serde_json::to_string(cause).unwrap_or_default();
    if json.len() > TERMINATION_BYTES {
        let error: String = cause.error.chars().take(1000).collect();
        let next: String = cause.next.chars().take(500).collect();
        let short = FailureReport { error, next, applied: Vec::new(), place: cause.place.clone(), ..*cause };
        json = serde_json::to_string(&short).unwrap_or_default();
    }
    if let Err(problem) = std::fs::write(path, json + "\n") {
        warn!("the termination log {} can't be written: {problem}; set PGMARCH_TERMINATION_LOG to a file that can", path.display());
    }
}

fn cause(failure: &Error) -> FailureReport<'_> {
    let mut cause = FailureReport {
        exit: failure.exit().code(),
        error: summary(failure),
        revision: None,
        sqlstate: None,
        place: None,
        applied: Vec::new(),
        next: failure.next_step().into_owned(),
    };
    if let Error::Apply(stopped) = failure {
        cause.applied = stopped.done.iter().map(|done| done.id.as_str()).collect();
        cause.revision = stopped.error.revision().map(Id::as_str);
        cause.sqlstate = stopped.error.code();
    }
    cause.place =
        failed_revision(failure).and_then(|sql| sql.place().map(|place| format!("{}:{}:{}", sql.path.display(), place.line, place.column)));
    cause
}

/// One line, or one for each fault.
pub(crate) fn summary(failure: &Error) -> String {
    faults(failure).join("\n")
}

/// Each fault of a failure that is a list of them, otherwise the failure itself.
fn faults(failure: &Error) -> Vec<String> {
    let faults = failure.faults();
    if !faults.is_empty() {
        return faults;
    }
    let problem = match (failed_revision(failure), failure) {
        (Some(sql), _) => revision_failed(sql),
        (None, Error::Apply(stopped)) => chain(&stopped.error),
        (None, failure) => chain(failure),
    };
    vec![problem]
}

fn revision_failed(sql: &SqlFailure) -> String {
    let file = sql.path.display();
    let place = match sql.place() {
        Some(place) => format!("at {file}:{}:{}", place.line, place.column),
        None => format!("({file}, at COMMIT)"),
    };
    format!("revision {} failed {place}: {}", sql.revision, chain(&sql.error))
}

fn failed_revision(failure: &Error) -> Option<&SqlFailure> {
    let Error::Apply(stopped) = failure else { return None };
    if let ApplyError::Revision(sql) = &stopped.error { Some(sql) } else { None }
}

/// The indentation of the second and further lines of a message. A message may contain text of files or of the server, and no
/// line of that may look like one of pgmarch's, such as `next: …`.
const FURTHER_LINES: usize = 2;

/// The failure as text; the last line is the next step.
fn text(failure: &Error) -> String {
    let mut text = String::new();
    if let Error::Apply(stopped) = failure
        && !stopped.done.is_empty()
    {
        let done: Vec<String> = stopped.done.iter().map(|done| format!("{} ({})", done.id, seconds(done.duration))).collect();
        let _ = writeln!(text, "done before it stopped: {}", done.join(", "));
    }
    match (failed_revision(failure), broken(failure)) {
        (Some(sql), _) => text += &snippet(sql),
        (None, found) if !found.is_empty() => found.iter().for_each(|broken| text += &broken_snippet(broken)),
        (None, _) => {
            for fault in faults(failure) {
                let _ = writeln!(text, "error: {}", escape::lines(fault, FURTHER_LINES));
            }
        }
    }
    if let Error::Checksum(ChecksumError::Changed(changed)) = failure {
        for changed in changed {
            text += &diff(&changed.path, &changed.diff);
        }
    }
    let _ = writeln!(text, "next: {}", escape::line(failure.next_step()));
    text
}

/// A text diff from what was applied to a file; each of its lines begins with its own sign.
pub(crate) fn diff(path: &Path, diff: &str) -> String {
    format!("--- applied\n+++ {}\n{}", escape::line(path.display()), escape::lines(diff, 0))
}

/// What failed in a scratch database.
fn broken(failure: &Error) -> &[SourceError] {
    if let Error::Scratch(ScratchError::Broken(found)) = failure { found } else { &[] }
}

fn broken_snippet(broken: &SourceError) -> String {
    let message = escape::lines(&broken.message, FURTHER_LINES);
    let mut text = format!("error: {} does not run in a scratch database: {message} (SQLSTATE {})\n", broken.what, broken.code);
    for (name, more) in &broken.more {
        let _ = writeln!(text, "{name}: {}", escape::lines(more, FURTHER_LINES));
    }
    match (&broken.range, broken.place()) {
        (Some(range), Some(place)) => text += &code_frame(&broken.path, &broken.text, range, place),
        _ => {
            let _ = writeln!(text, "  --> {}", escape::line(broken.path.display()));
        }
    }
    text
}

/// The server's error, then `file:line:column`, the line and a caret.
fn snippet(failure: &SqlFailure) -> String {
    let error = &failure.error;
    let message = escape::lines(error.message(), FURTHER_LINES);
    let mut text = format!("error: revision {} failed: {message} (SQLSTATE {})\n", failure.revision, error.code().code());
    for (name, more) in [("detail", error.detail()), ("hint", error.hint()), ("context", error.where_())] {
        if let Some(more) = more {
            let _ = writeln!(text, "{name}: {}", escape::lines(more, FURTHER_LINES));
        }
    }
    let (Some(range), Some(place)) = (&failure.range, failure.place()) else {
        let _ = writeln!(text, "  --> {} (at COMMIT: a deferred constraint or trigger)", escape::line(failure.path.display()));
        return text;
    };
    text += &code_frame(&failure.path, &failure.text, range, place);
    text
}

/// A line of a file, its control characters but tabs escaped, with carets under `range`.
pub(crate) fn code_frame(path: &Path, whole: &str, range: &std::ops::Range<usize>, place: LineColumn) -> String {
    // Only the affected line: other lines may hold secrets.
    let start = line_start(whole, range.start);
    let end = line_at(whole, start).range.end.max(range.start);
    let line = &whole[start..end];
    let span = range.start - start..range.end.min(end) - start;
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let (line, span) = excerpt(line, span);
    let [before, meant, after] =
        [&line[..span.start], &line[span.clone()], &line[span.end..]].map(|part| escape::lines(part, 0).to_string());
    // Tabs stay tabs and wide characters take two columns, so that the carets are aligned.
    let indent: String = before.chars().map(|c| if c == '\t' { "\t".to_owned() } else { " ".repeat(c.width().unwrap_or(0)) }).collect();
    let carets = "^".repeat(meant.width().max(1));
    let (file, LineColumn { line, column }) = (escape::line(path.display()), place);
    format!("{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {before}{meant}{after}\n{margin} | {indent}{carets}\n")
}

/// How many characters of a long line are shown before and after the start of the range.
const AROUND: usize = 60;

/// The part of a line around the span, and the span in it.
fn excerpt(line: &str, span: std::ops::Range<usize>) -> (String, std::ops::Range<usize>) {
    let (before, after) = line.split_at(span.start);
    let cut = before.char_indices().rev().nth(AROUND).map(|(start, c)| start + c.len_utf8());
    let end = after.char_indices().nth(AROUND).map_or(after.len(), |(end, _)| end);
    let before = cut.map_or(before.to_owned(), |cut| format!("…{}", &before[cut..]));
    let rest = if end < after.len() { "…" } else { "" };
    let span = before.len()..before.len() + span.len().min(end);
    (format!("{before}{}{rest}", &after[..end]), span)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::session::wait::WaitError;

    #[test]
    fn the_caret_is_below_the_range() {
        let shown = |text: &str, range| code_frame(Path::new("a.sql"), text, &range, crate::revision::LineColumn::of(text, range.start));
        assert_eq!(shown("a;\n\tb 表 c;", 10..11), " --> a.sql:2:6\n  |\n2 | \tb 表 c;\n  | \t     ^\n");
        // Escapes are longer than the characters that they replace.
        let escaped = "2 | '\\u{1b}\\u{202e}' c\\u{8};\n  |                  ^^^^^^\n";
        assert_eq!(shown("a;\n'\u{1b}\u{202e}' c\u{8};", 10..12), format!(" --> a.sql:2:6\n  |\n{escaped}"));
        // Up to the end of the line, and of the text.
        assert_eq!(shown("ab\ncd", 1..5), " --> a.sql:1:2\n  |\n1 | ab\n  |  ^\n");
        assert_eq!(shown("x\r\nab\rcd", 4..8), " --> a.sql:2:2\n  |\n2 | ab\n  |  ^\n");
        assert_eq!(shown("ab", 2..2), " --> a.sql:1:3\n  |\n1 | ab\n  |   ^\n");
        let long = format!("{}x{}", "ü".repeat(500), "ä".repeat(500));
        let around = [format!("…{}x{}…", "ü".repeat(60), "ä".repeat(59)), format!("{}^", " ".repeat(61))];
        assert_eq!(shown(&long, 1000..1001), format!(" --> a.sql:1:501\n  |\n1 | {}\n  | {}\n", around[0], around[1]));
    }

    #[test]
    fn a_cause_is_named_once() {
        let last = pg_connect::ConnectError::Timeout(std::time::Duration::from_secs(5));
        let failure = Error::Wait(WaitError::Timeout { address: "u@h:5432/d".into(), waited: std::time::Duration::from_secs(60), last });
        assert!(failure.source().is_some());
        let text = text(&failure);
        assert!(text.starts_with("error: u@h:5432/d was not ready within 1m: no answer within 5s\nnext: "), "{text}");
    }
}
