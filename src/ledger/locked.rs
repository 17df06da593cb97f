//! Another session's lock that keeps everybody from reading our tables.

use std::fmt;

use tokio_postgres::error::SqlState;

use super::ReadError;
use crate::connect::{Answer, Failure, Session};
use crate::sql;
use crate::sql::{Ident, Literal, Message, Sql};

/// Who holds it, as far as the server shows that to us.
#[derive(Debug)]
pub struct Locked {
    /// `SCHEMA.NAME`.
    relation: String,
    /// The backend.
    pid: String,
    /// Its role, program and address, and how long its transaction has run.
    who: String,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { relation, pid, who } = self;
        write!(f, "{} is locked against reading by pid {pid} ({})", crate::escape::line(relation), crate::escape::line(who))
    }
}

impl Locked {
    /// What to do about it.
    pub fn next(&self) -> String {
        format!("wait until that session is done, or end it with SELECT pg_terminate_backend({}); nothing was changed", self.pid)
    }
}

/// Asks our tables something; a lock that keeps everybody from reading them is named by who holds it.
pub(super) async fn ask(session: &Session, message: &Message, version_table: &Ident, ledger: &Ident) -> Result<Vec<Answer>, ReadError> {
    match session.ask(message).await {
        Ok(answers) => Ok(answers),
        Err(failure) => Err(explained(failure, session, version_table, ledger).await),
    }
}

/// Why they could not be read. The transaction that failed ends.
async fn explained(failure: Failure, session: &Session, version_table: &Ident, ledger: &Ident) -> ReadError {
    if failure.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return ReadError::Server(failure);
    }
    let holder = sql!(include_str!("locked.sql"), version_name = Literal(version_table.as_str()), ledger = Literal(ledger.as_str()));
    let found = session.ask(&Message::behind([Sql::of("ROLLBACK")], [holder])).await;
    let row = found.ok().and_then(|answers| answers.into_iter().next()).and_then(|rows| rows.into_iter().next());
    match row.map(<[Option<String>; 3]>::try_from) {
        Some(Ok([Some(relation), Some(pid), who])) => ReadError::Locked(Locked { relation, pid, who: who.unwrap_or_default() }),
        _ => ReadError::Server(failure),
    }
}
