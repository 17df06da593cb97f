//! The statements of pgmarch that check something: they fail by a cast of a constant text to a number, which needs no PL/pgSQL.

use tokio_postgres::error::{DbError, SqlState};

use crate::session::Failure;

/// Whether a statement failed in such a cast. The server quotes the value that can't be cast, untranslated, so `text` is
/// pgmarch's own and not a text of the server or of the driver.
pub(super) fn is_cast_failure(failure: &Failure, text: &str) -> bool {
    let is_ours = |error: &DbError| *error.code() == SqlState::INVALID_TEXT_REPRESENTATION && error.message().contains(text);
    failure.source.as_db_error().is_some_and(is_ours)
}
