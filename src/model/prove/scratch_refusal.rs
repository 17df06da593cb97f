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
    /// Its SQLSTATE.
    code: SqlState,
}

impl ScratchRefusal {
    /// From the failure of a message, unless it is not the server that refused it.
    pub(super) fn of(failure: Failure, number: usize) -> Result<Self, Failure> {
        match failure.source.as_db_error() {
            Some(error) => {
                let message = format!("{} ({})", error.message(), error.code().code());
                Ok(Self { number, message, code: error.code().clone() })
            }
            None => Err(failure),
        }
    }

    /// The same among statements of which so many come first.
    pub(super) fn after(self, earlier: usize) -> Self {
        Self { number: earlier + self.number, ..self }
    }

    /// Whether the server's lock table was full (53200).
    pub(super) fn is_out_of_locks(&self) -> bool {
        self.code == SqlState::OUT_OF_MEMORY
    }
}
