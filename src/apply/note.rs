//! Bookkeeping alone, without a revision's text: a stamp, a repair, a down migration that was changed in its file.

use crate::config::Config;
use crate::connect::{Answer, Failure, Session};
use crate::ledger::set_role;
use crate::sql;
use crate::sql::{Message, Sql};

/// Runs statements of the ledger's as one message and one transaction, safe on the server's disk when this returns. They wait
/// for other sessions' locks as long as `PGMARCH_LOCK_TIMEOUT` says. [`Failure::is_lost`] means that nobody knows whether
/// they were done; any other failure that they were not, unless it is [`Failure::is_unreplicated`].
pub async fn note(session: &Session, config: &Config, statements: Vec<Sql>) -> Result<(), Failure> {
    let timeouts = [
        sql!("SET LOCAL lock_timeout = {milliseconds}", milliseconds = config.lock_timeout.as_millis()),
        Sql::of("SET LOCAL statement_timeout = 0"),
    ];
    let outcome = write(session, config, &Message::writing(timeouts.into_iter().chain(set_role(config)), statements)).await;
    if outcome.is_err() {
        // The connection may be gone; then so is the transaction.
        drop(session.ask(&Message::rollback()).await);
    }
    outcome.map(drop)
}

/// Sends a write of ours, and waits for other sessions' locks as long as `PGMARCH_LOCK_TIMEOUT` says.
pub(super) async fn write(session: &Session, config: &Config, message: &Message) -> Result<Vec<Answer>, Failure> {
    if config.lock_timeout.is_zero() { session.run(message).await } else { session.write(message, config.lock_timeout).await }
}
