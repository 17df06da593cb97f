//! An emitted statement that failed in a scratch database.

use tokio_postgres::error::SqlState;

use crate::session::Failure;

/// A statement that failed.
#[derive(Debug)]
pub struct ScratchRefusal {
    /// Which statement, from 0.
    pub number: usize,
    /// The server's message.
    pub message: String,
    /// The constraint that the server names.
    pub constraint: Option<String>,
    /// The column that the server names.
    pub column: Option<String>,
    /// Its SQLSTATE.
    code: SqlState,
}

impl ScratchRefusal {
    /// From the failure of a message, unless it is not the server that refused it.
    pub(super) fn of(failure: Failure, number: usize) -> Result<Self, Failure> {
        match failure.source.as_db_error() {
            Some(error) => {
                let message = format!("{} ({})", error.message(), error.code().code());
                let named = |name: Option<&str>| name.map(str::to_owned);
                let (constraint, column) = (named(error.constraint()), named(error.column()));
                Ok(Self { number, message, constraint, column, code: error.code().clone() })
            }
            None => Err(failure),
        }
    }

    /// The same among statements of which so many come first.
    pub(super) fn after(self, earlier: usize) -> Self {
        Self { number: earlier + self.number, ..self }
    }

    /// Whether rows are the reason: a value that does not fit (class 22), or a constraint that rows do not satisfy (class 23).
    pub(super) fn is_about_rows(&self) -> bool {
        self.code.code().starts_with("22") || self.code.code().starts_with("23")
    }

    /// Whether a value does not fit its type (class 22).
    pub(super) fn is_about_values(&self) -> bool {
        self.code.code().starts_with("22")
    }

    /// Whether a row does not satisfy a check, or fits no partition (23514).
    pub(super) fn is_check(&self) -> bool {
        self.code == SqlState::CHECK_VIOLATION
    }

    /// Whether two rows are equal where they must not be (23505, 23P01).
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self.code, SqlState::UNIQUE_VIOLATION | SqlState::EXCLUSION_VIOLATION)
    }

    /// Whether the server's lock table was full (53200).
    pub(super) fn is_out_of_locks(&self) -> bool {
        self.code == SqlState::OUT_OF_MEMORY
    }
}
