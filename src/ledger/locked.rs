//! A table lock of another session that keeps all others from reading our tables.

use std::fmt;

use crate::facts::Blocker;
use crate::session::other_session::lock_advice;

/// The holder of such a lock, as far as the server shows it to our role.
#[derive(Debug)]
pub struct Locked {
    /// `SCHEMA.NAME`.
    pub(super) relation: String,
    /// The session.
    pub(super) session: Blocker,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { relation, session } = self;
        write!(f, "{} is locked against reading by {}", crate::escape::line(relation), crate::escape::line(session))
    }
}

impl Locked {
    /// What to do about it, in one line.
    pub(super) fn next_step(&self) -> String {
        format!("{}; then run again", lock_advice(std::slice::from_ref(&self.session)))
    }
}
