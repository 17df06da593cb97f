//! Bookkeeping alone, without a revision's text: a stamp, a repair, a down migration that was changed in its file.

use crate::config::Config;
use crate::connect::{Failure, Session};
use crate::ledger::set_role;
use crate::sql;
use crate::sql::{Message, Sql};

/// Runs statements of the ledger's as one message and one transaction.
pub async fn note(session: &Session, config: &Config, statements: Vec<Sql>) -> Result<(), Failure> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    let timeouts = [
        sql!("SET LOCAL lock_timeout = {milliseconds}", milliseconds = config.lock_timeout.as_millis()),
        Sql::of("SET LOCAL statement_timeout = 0"),
    ];
    let outcome = session.ask(&Message::transaction(BEGIN, timeouts.into_iter().chain(set_role(config)), [], statements)).await;
    if outcome.is_err() {
        // The connection may be gone; then so is the transaction.
        drop(session.ask(&Message::rollback()).await);
    }
    outcome.map(drop)
}
