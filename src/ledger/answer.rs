//! Reads the rows of an answer.

use crate::session::StatementResult;

/// The first column of a row.
pub(super) fn first_column(row: Vec<Option<String>>) -> Option<String> {
    row.into_iter().next().flatten()
}

/// The first column of the first row.
pub(super) fn single_value(answer: Option<StatementResult>) -> Option<String> {
    answer.unwrap_or_default().into_iter().next().and_then(first_column)
}
