//! The facts of a failure, as values: what a machine reads, and what a message is made of.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::error::DbError;

use crate::code_frame::CodeFrame;
use crate::words::rough;

/// What is known about a failure besides its message. Text, log line and termination message print the same facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureFacts {
    /// The revision it is about; of several, the first.
    pub revision: Option<String>,
    /// The server's error code.
    pub sqlstate: Option<String>,
    /// `FILE:LINE:COLUMN`, or `FILE` where no line is known.
    pub place: Option<String>,
    /// The server's DETAIL.
    pub detail: Option<String>,
    /// The server's HINT.
    pub hint: Option<String>,
    /// The server's CONTEXT.
    pub context: Option<String>,
    /// The lines of the files, with carets.
    pub excerpt: Vec<CodeFrame>,
    /// The session that was in the way; of several, the first.
    pub blocker: Option<Blocker>,
    /// The difference between the applied text and the file.
    pub diff: Option<String>,
    /// What was committed before, and how long each took.
    pub applied: Vec<(String, Duration)>,
}

impl FailureFacts {
    /// The facts of a server's error.
    pub fn of_server(error: &DbError) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            sqlstate: Some(error.code().code().to_owned()),
            detail: text(error.detail()),
            hint: text(error.hint()),
            context: text(error.where_()),
            ..Self::default()
        }
    }

    /// The facts of an error of the driver, or of an error that it caused: those of the server's error, if there is one.
    pub fn of_source(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(server) = error.downcast_ref::<DbError>() {
                return Self::of_server(server);
            }
            next = error.source();
        }
        Self::default()
    }

    /// The same, about a revision.
    pub fn about(self, revision: impl ToString) -> Self {
        Self { revision: Some(revision.to_string()), ..self }
    }
}

/// A file and a position in it, as a place is written.
pub fn place(path: &Path, position: Option<crate::revision::LineColumn>) -> String {
    match position {
        Some(position) => format!("{}:{}:{}", path.display(), position.line, position.column),
        None => path.display().to_string(),
    }
}

/// A session that holds a lock that another one waits for. What is `None` is hidden from the role, or unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocker {
    /// Its process id; 0 for a prepared transaction, which has none (manual, 9.27).
    pub pid: i32,
    /// Its role.
    pub role: Option<String>,
    /// Its `application_name`, or what kind of process it is.
    pub application: Option<String>,
    /// The address of its client, or a local socket.
    pub address: Option<String>,
    /// How long its transaction has been open, or its connection if it is in none.
    pub age: Option<Duration>,
    /// Its state and its statement, shortened.
    pub query: Option<String>,
}

impl Blocker {
    /// The statement that ends the session.
    pub fn terminate_command(&self) -> Option<String> {
        (self.pid != 0).then(|| format!("SELECT pg_terminate_backend({})", self.pid))
    }
}

/// `pid 123 (role app, application psql, from 10.0.0.1, since 5m, active: UPDATE …)`.
impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("a prepared transaction (pg_prepared_xacts)");
        }
        let parts = [
            self.role.as_ref().map(|role| format!("role {role}")),
            self.application.as_ref().map(|application| format!("application {application}")),
            self.address.as_ref().map(|address| format!("from {address}")),
            self.age.map(|age| format!("since {}", rough(age))),
            self.query.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        write!(f, "pid {}", self.pid)?;
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocker_is_described_by_what_is_known() {
        let known = Blocker {
            pid: 7,
            role: Some("app".into()),
            application: Some("psql".into()),
            age: Some(Duration::from_secs(90)),
            ..Blocker::default()
        };
        assert_eq!(known.to_string(), "pid 7 (role app, application psql, since 1m 30s)");
        assert_eq!(known.terminate_command().as_deref(), Some("SELECT pg_terminate_backend(7)"));
        assert_eq!(Blocker { pid: 8, ..Blocker::default() }.to_string(), "pid 8");
        assert_eq!(Blocker::default().terminate_command(), None, "a prepared transaction has no process");
    }
}
