//! Bookkeeping alone, without a revision's text: a stamp, a repair, a mended way down.

use super::script::{BEGIN, settings};
use crate::config::Config;
use crate::connect::{Failure, Session};
use crate::ledger::{Server, session_settings};

/// Runs statements of the ledger's as one message and one transaction.
pub async fn note(session: &Session, config: &Config, server: &Server, statements: Vec<String>) -> Result<(), Failure> {
    let mut all = vec![BEGIN.to_owned()];
    all.extend(settings(config, server.number));
    all.extend(session_settings(config));
    all.extend(statements);
    all.push("COMMIT".to_owned());
    let outcome = session.run(&all.join(";\n")).await.map(drop);
    if outcome.is_err() {
        // The connection may be gone; then so is the transaction.
        drop(session.run("ROLLBACK").await);
    }
    outcome
}
