//! What a run of the program came to.

use std::fmt::{self, Display};
use std::process::ExitStatus;
use std::time::Duration;

/// How a run ended. Each expectation that is not met shows the whole run.
pub(crate) struct Outcome {
    /// The time from its start to its end.
    pub(crate) took: Duration,
    /// All it answered.
    pub(crate) stdout: String,
    /// All it logged.
    pub(crate) stderr: String,
    pub(super) status: ExitStatus,
    pub(super) command: String,
}

impl Outcome {
    /// Its exit code, unless a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Expects an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Outcome {
        self.expect(|run| run.code() == Some(code), format!("should exit {code}"))
    }

    /// Expects an answer that contains a text.
    #[track_caller]
    pub(crate) fn stdout_contains(self, text: &str) -> Outcome {
        self.expect(|run| run.stdout.contains(text), format!("stdout should contain {text:?}"))
    }

    /// Expects an answer without a text.
    #[track_caller]
    pub(crate) fn stdout_lacks(self, text: &str) -> Outcome {
        self.expect(|run| !run.stdout.contains(text), format!("stdout should not contain {text:?}"))
    }

    /// Expects exactly this answer.
    #[track_caller]
    pub(crate) fn stdout_is(self, text: &str) -> Outcome {
        self.expect(|run| run.stdout == text, format!("stdout should be {text:?}"))
    }

    /// Expects a log that contains a text.
    #[track_caller]
    pub(crate) fn stderr_contains(self, text: &str) -> Outcome {
        self.expect(|run| run.stderr.contains(text), format!("stderr should contain {text:?}"))
    }

    /// Expects a log without a text.
    #[track_caller]
    pub(crate) fn stderr_lacks(self, text: &str) -> Outcome {
        self.expect(|run| !run.stderr.contains(text), format!("stderr should not contain {text:?}"))
    }

    /// Expects an end before a time has passed.
    #[track_caller]
    pub(crate) fn within(self, time: Duration) -> Outcome {
        self.expect(|run| run.took <= time, format!("should take {time:?} at most"))
    }

    /// The answer as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout should be JSON: {error}\n{self}"))
    }

    /// The last line of its log, which after a failure is the next step.
    pub(crate) fn last_line(&self) -> &str {
        self.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default()
    }

    #[track_caller]
    fn expect(self, met: impl Fn(&Outcome) -> bool, expectation: String) -> Outcome {
        assert!(met(&self), "{expectation}\n{self}");
        self
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = format!("{} after {:?}", self.status, self.took);
        write_story(f, &self.command, &state, &self.stdout, &self.stderr)
    }
}

/// A run as its failed expectations show it.
pub(super) fn write_story(f: &mut fmt::Formatter<'_>, command: &str, state: &str, stdout: &str, stderr: &str) -> fmt::Result {
    writeln!(f, "$ {command}\n[{state}]\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
}
