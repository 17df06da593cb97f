//! A table lock of another session that keeps all others from reading our tables.

use std::fmt;

/// The holder of such a lock, as far as the server shows it to our role.
#[derive(Debug)]
pub struct Locked {
    /// `SCHEMA.NAME`.
    pub(super) relation: String,
    /// The backend.
    pub(super) pid: String,
    /// Its role, program and address, and how long its transaction has run.
    pub(super) who: String,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { relation, pid, who } = self;
        write!(f, "{} is locked against reading by pid {pid} ({})", crate::escape::line(relation), crate::escape::line(who))
    }
}

impl Locked {
    /// What to do about it, in one line.
    pub(super) fn next_step(&self) -> String {
        format!("wait until that session is done, or end it with SELECT pg_terminate_backend({}); then run again", self.pid)
    }
}
