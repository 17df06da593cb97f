//! `SET TRANSACTION` in a revision, whose transaction has statements of pgmarch before and after it.

use tokio_postgres::error::DbError;

use crate::revision::statement::session_setting::sets_transaction;

/// What to do about a `SET TRANSACTION` that the server refused.
pub(super) fn advice(error: &DbError, statement: &str) -> Option<String> {
    if error.code().code() != "25001" || !sets_transaction(statement) {
        return None;
    }
    let upper = statement.to_ascii_uppercase();
    Some(if upper.contains("SNAPSHOT") || upper.contains("DEFERRABLE") {
        "remove SNAPSHOT and DEFERRABLE from this statement: pgmarch's own statements come before it in the same transaction, and they take its snapshot".to_owned()
    } else {
        "move this statement to the beginning of its section, where pgmarch opens the transaction with the isolation level that it sets (under PGMARCH_TRANSACTION=run: to the beginning of the first revision)".to_owned()
    })
}
