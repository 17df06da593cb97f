//! Rows that a migration changes without saying so.

use thiserror::Error;

/// What happened to rows in a scratch database.
#[derive(Debug, Error)]
pub enum RowError {
    /// A value is another one, or rows are missing.
    #[error("the {what} changes rows in a scratch database, and no statement has the hazard `data loss`: {}{table} had {before} and has {after}", .column.as_ref().map(|column| format!("column {column} of ")).unwrap_or_default())]
    Changed {
        /// `up migration`, `down migration`, or the `SQL` of `diff`.
        what: &'static str,
        /// The table.
        table: String,
        /// The column, without quotes; `None` if the number of rows is another.
        column: Option<String>,
        /// As it was.
        before: String,
        /// As it is.
        after: String,
    },
    /// A sequence gives a number that the column has already.
    #[error(
        "after the {what} the next INSERT fails in a scratch database: the sequence {sequence} gives {next}, and column {column} has values up to {furthest}"
    )]
    Collides {
        /// `up migration`, `down migration`, or the `SQL` of `diff`.
        what: &'static str,
        /// The column.
        column: String,
        /// The sequence.
        sequence: String,
        /// The next number.
        next: i128,
        /// The value that is furthest in the direction of the sequence.
        furthest: i128,
    },
}
