//! A failed command's error: as text on stderr, as a log line, and as Kubernetes' termination message. All three print the same
//! facts ([`crate::exit::Explain::facts`]).

use std::fmt::Write;

use console::Term;

use super::failure_report::FailureReport;
use super::log;
use crate::apply::{ApplyError, SqlFailure};
use crate::config::{LogFormat, Reporting};
use crate::error::Error;
use crate::escape;
use crate::exit::Explain as _;
use crate::facts::{FailureFacts, place};
use crate::model::prove::scratch::ScratchError;
use crate::model::prove::source::SourceError;
use crate::words::{chain, seconds};

/// Prints a failure to stderr, and to the termination log if there is one.
pub(crate) fn print(failure: &Error, reporting: &Reporting) {
    let report = || FailureReport::new(failure.exit(), summary(failure), failure.facts(), failure.next_step());
    match reporting.format {
        LogFormat::Text => print_to_stderr(&text(failure, &Term::stderr())),
        LogFormat::Json => log::print_failure(&summary(failure), &report()),
    }
    report().write_termination(&reporting.termination_log);
}

/// If standard error is closed, the message is lost.
fn print_to_stderr(text: &str) {
    use std::io::Write as _;
    drop(std::io::stderr().write_all(text.as_bytes()));
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
    let place = match sql.place() {
        Some(_) => format!("at {}", place(&sql.path, sql.place())),
        None => format!("({}, at COMMIT)", sql.path.display()),
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

/// The failure as text, for an output; the last line is the next step.
fn text(failure: &Error, output: &Term) -> String {
    let facts = failure.facts();
    let mut text = String::new();
    if !facts.applied.is_empty() {
        let applied: Vec<String> = facts.applied.iter().map(|(id, took)| format!("{id} ({})", seconds(*took))).collect();
        let _ = writeln!(text, "done before it stopped: {}", applied.join(", "));
    }
    match (failed_revision(failure), broken(failure)) {
        (Some(sql), _) => {
            let message = escape::lines(sql.error.message(), FURTHER_LINES);
            let _ = writeln!(text, "error: revision {} failed: {message} (SQLSTATE {})", sql.revision, sql.error.code().code());
            text += &further_facts(&facts, "", output);
            if facts.excerpt.is_empty() {
                let _ = writeln!(text, "  --> {} (at COMMIT: a deferred constraint or trigger)", escape::line(sql.path.display()));
            }
        }
        (None, found) if !found.is_empty() => found.iter().for_each(|broken| text += &broken_text(broken, output)),
        (None, _) => {
            let faults = faults(failure);
            for fault in &faults {
                let _ = writeln!(text, "error: {}", escape::lines(fault, FURTHER_LINES));
            }
            text += &further_facts(&facts, &faults.join("\n"), output);
        }
    }
    let _ = writeln!(text, "next: {}", escape::line(failure.next_step()));
    text
}

/// The facts that `message`, which was printed before, does not have, each with its name.
fn further_facts(facts: &FailureFacts, message: &str, output: &Term) -> String {
    let mut text = String::new();
    for (name, value) in [("detail", &facts.detail), ("hint", &facts.hint), ("context", &facts.context)] {
        if let Some(value) = value.as_ref().filter(|value| !message.contains(value.as_str())) {
            let _ = writeln!(text, "{name}: {}", escape::lines(value, FURTHER_LINES));
        }
    }
    if let Some(blocker) = facts.blocker.as_ref().filter(|blocker| !message.contains(&format!("pid {}", blocker.pid))) {
        let _ = writeln!(text, "blocker: {}", escape::lines(blocker, FURTHER_LINES));
    }
    // Both are escaped where they are made.
    text.extend(facts.excerpt.iter().map(|frame| frame.render_for(output)));
    text.extend(facts.diff.clone());
    text
}

/// What failed in a scratch database.
fn broken(failure: &Error) -> &[SourceError] {
    if let Error::Scratch(ScratchError::Broken(found)) = failure { found } else { &[] }
}

fn broken_text(broken: &SourceError, output: &Term) -> String {
    let message = escape::lines(&broken.message, FURTHER_LINES);
    let text = format!("error: {} does not run in a scratch database: {message} (SQLSTATE {})\n", broken.what, broken.code);
    text + &further_facts(&broken.facts(), "", output)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::session::wait::WaitError;

    #[test]
    fn a_cause_is_named_once() {
        let last = pg_connect::ConnectError::Timeout(std::time::Duration::from_secs(5));
        let failure = Error::Wait(WaitError::Timeout { address: "u@h:5432/d".into(), waited: std::time::Duration::from_secs(60), last });
        assert!(failure.source().is_some());
        let text = text(&failure, &Term::stderr());
        assert!(text.starts_with("error: u@h:5432/d was not ready within 1m: no answer within 5s\nnext: "), "{text}");
    }
}
