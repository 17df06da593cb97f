//! A failure for machines: the fields of its log line, and Kubernetes' termination message.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use pg_connect::file::watched_within;
use rustix::fs::OFlags;
use serde::Serialize;
use tracing::warn;

use crate::config::TerminationLog;
use crate::escape;
use crate::exit::Exit;
use crate::facts::{Blocker, FailureFacts};
use crate::words::limit;

/// The most bytes that Kubernetes keeps of a termination message (its documentation, "Customizing the termination message").
const TERMINATION_BYTES: usize = 4096;
/// How long writing it may take: whoever sent a signal may kill the process soon.
const TERMINATION_TIMEOUT: Duration = Duration::from_secs(1);
/// What is cut ends with this.
const CUT: &str = "…";

/// A failure as one JSON object.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FailureReport {
    exit: u8,
    /// Not in a log line, which has it as its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker: Option<BlockerReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    applied: Vec<String>,
    next: String,
}

/// The session in the way.
#[derive(Clone, Debug, Serialize)]
struct BlockerReport {
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// The same, as text.
    text: String,
}

impl BlockerReport {
    fn new(blocker: Blocker) -> Self {
        let text = blocker.to_string();
        let Blocker { pid, role, application, address, age, query } = blocker;
        Self { pid, role, application, address, age_seconds: age.map(|age| age.as_secs()), query, text }
    }
}

impl FailureReport {
    /// From a failure's message, facts and next step.
    pub(crate) fn new(exit: Exit, error: String, facts: FailureFacts, next: Cow<'_, str>) -> Self {
        let FailureFacts { revision, sqlstate, place, detail, hint, context, excerpt, blocker, diff, applied } = facts;
        let (exit, blocker, error) = (exit.code(), blocker.map(BlockerReport::new), Some(error));
        let applied = applied.into_iter().map(|(id, _)| id).collect();
        let excerpt = (!excerpt.is_empty()).then(|| excerpt.iter().map(ToString::to_string).collect());
        Self { exit, error, revision, sqlstate, place, blocker, detail, hint, context, excerpt, diff, applied, next: next.into_owned() }
    }

    /// The fields of a log line: `"exit":6,…`.
    pub(crate) fn log_fields(&self) -> String {
        let object = Self { error: None, ..self.clone() }.json();
        object.trim_start_matches('{').strip_suffix('}').unwrap_or_default().to_owned()
    }

    /// Writes the termination message. A file that does not answer in time does not keep the process from exiting.
    pub(crate) fn write_termination(self, log: &TerminationLog) {
        let TerminationLog { path, is_named } = log.clone();
        let text = self.bounded_json(TERMINATION_BYTES - 1) + "\n";
        let write = move || {
            // A pipe without a reader is an error at once.
            let mut options = OpenOptions::new();
            options.write(true).create(is_named).truncate(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
            match options.open(&path) {
                Ok(mut file) => file.write_all(text.as_bytes()).map_err(|problem| problem.to_string()),
                Err(problem) if !is_named && problem.kind() == ErrorKind::NotFound => Ok(()),
                Err(problem) => Err(problem.to_string()),
            }
        };
        let stalled = || format!("no answer within {}", limit(TERMINATION_TIMEOUT));
        let written = watched_within(TERMINATION_TIMEOUT, &log.path, move |_| write()).unwrap_or_else(|_| Err(stalled()));
        if let Err(problem) = written {
            warn!("the termination log {} can't be written: {problem}; set PGMARCH_TERMINATION_LOG to a file that can", log.path.display());
        }
    }

    fn json(&self) -> String {
        escape::json(&serde_json::to_string(self).unwrap_or_default())
    }

    /// At most `most` bytes. What helps least to understand the failure is left out first; a text that is left with some room is cut.
    fn bounded_json(mut self, most: usize) -> String {
        if self.json().len() > most {
            self.context = None;
        }
        self.cut(most, |report| report.diff.as_mut());
        if self.json().len() > most {
            self.applied.clear();
        }
        self.cut(most, |report| report.excerpt.as_mut());
        self.cut(most, |report| report.blocker.as_mut().and_then(|blocker| blocker.query.as_mut()));
        self.cut(most, |report| report.hint.as_mut());
        self.cut(most, |report| report.detail.as_mut());
        self.cut(most, |report| report.error.as_mut());
        self.cut(most, |report| report.blocker.as_mut().map(|blocker| &mut blocker.text));
        self.cut(most, |report| Some(&mut report.next));
        self.cut(most, |report| report.place.as_mut());
        self.json()
    }

    /// Cuts a text to the longest with which the whole has at most `most` bytes.
    fn cut(&mut self, most: usize, text: impl Fn(&mut Self) -> Option<&mut String>) {
        let is_too_long = |report: &Self| report.json().len() > most;
        if !is_too_long(self) {
            return;
        }
        let Some(whole) = text(self).map(std::mem::take) else { return };
        let (mut fits, mut too_long) = (0, whole.len().min(most));
        while too_long - fits > 1 {
            let middle = usize::midpoint(fits, too_long);
            let start = &whole[..whole.floor_char_boundary(middle)];
            if let Some(text) = text(self) {
                *text = format!("{start}{CUT}");
            }
            if is_too_long(self) { too_long = middle } else { fits = middle }
        }
        let start = &whole[..whole.floor_char_boundary(fits)];
        if let Some(text) = text(self) {
            *text = if start.is_empty() { CUT.to_owned() } else { format!("{start}{CUT}") };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::code_frame::CodeFrame;

    fn report(length: usize) -> FailureReport {
        let text = || Some("ä\n\"\u{1b}".repeat(length));
        let blocker = Blocker { pid: 7, role: text(), query: Some("SELECT".into()), ..Blocker::default() };
        let facts = FailureFacts {
            revision: Some("002".into()),
            sqlstate: Some("55P03".into()),
            place: Some("002_b.sql:2:1".into()),
            detail: text(),
            hint: text(),
            context: text(),
            excerpt: vec![CodeFrame::new(Path::new("002_b.sql"), "ä\"\u{1b}", &(0..2)); length],
            blocker: (length < 100).then_some(blocker),
            diff: text(),
            applied: vec![("001".into(), std::time::Duration::ZERO); length],
        };
        FailureReport::new(Exit::Locked, format!("it failed{}", text().unwrap_or_default()), facts, "run again".into())
    }

    #[test]
    fn a_short_report_is_complete() {
        let report = report(3);
        assert_eq!(report.clone().bounded_json(TERMINATION_BYTES), report.json());
        let fields: Value = serde_json::from_str(&format!("{{{}}}", report.log_fields())).expect("JSON");
        assert_eq!((&fields["exit"], &fields["blocker"]["pid"], &fields["error"]), (&5.into(), &7.into(), &Value::Null));
    }

    #[test]
    fn a_long_report_keeps_what_matters_and_stays_json() {
        for length in [10, 50, 90, 200, 1000, 10_000] {
            for most in [200, 400, 1000, 4095] {
                let json = report(length).bounded_json(most);
                let value: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
                assert_eq!((&value["exit"], &value["revision"]), (&5.into(), &"002".into()));
                if length > 100 || most == 4095 {
                    assert!(json.len() <= most, "{} of {most} bytes", json.len());
                    assert!(value["error"].as_str().is_some_and(|error| most < 4000 || error.starts_with("it failed")), "{json}");
                    assert_eq!(value["next"], "run again");
                }
            }
        }
    }

    #[test]
    fn a_termination_log_that_is_not_named_is_written_only_where_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let write = |is_named| {
            report(1).write_termination(&TerminationLog { path: path.clone(), is_named });
            std::fs::read_to_string(&path).unwrap_or_default().len()
        };
        assert_eq!(write(false), 0);
        assert!(!path.exists() && write(true) > 0);
        std::fs::write(&path, "").expect("emptied");
        assert!(write(false) > 0);
    }

    #[test]
    fn the_difference_gets_the_room_that_remains() {
        let facts = FailureFacts { diff: Some("-old\n+new\n".repeat(1000)), ..FailureFacts::default() };
        let json = FailureReport::new(Exit::Unsound, "changed".into(), facts, "repair it".into()).bounded_json(4095);
        assert!((4080..=4095).contains(&json.len()), "{} bytes", json.len());
    }
}
