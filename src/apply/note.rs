//! Bookkeeping alone, without a revision's text: a stamp, a repair, a mended way down.

use crate::config::Config;
use crate::connect::{Failure, Session};
use crate::ledger::session_settings;

/// Runs statements of the ledger's as one message and one transaction.
pub async fn note(session: &Session, config: &Config, statements: Vec<String>) -> Result<(), Failure> {
    let mut all = vec!["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE".to_owned()];
    all.push(format!("SET LOCAL lock_timeout = {}", config.lock_timeout.as_millis()));
    all.push("SET LOCAL statement_timeout = 0".to_owned());
    all.extend(session_settings(config));
    all.extend(statements);
    all.push("COMMIT".to_owned());
    let outcome = session.ask(&all.join(";\n")).await.map(drop);
    if outcome.is_err() {
        // The connection may be gone; then so is the transaction.
        drop(session.ask("ROLLBACK").await);
    }
    outcome
}
