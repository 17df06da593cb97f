//! Why a file can't be read.

use std::io::{self, ErrorKind};
use std::time::Duration;

use thiserror::Error;

use crate::words::limit;

/// How long a file may take: much longer than a file system that works, and long enough for a command that writes to a pipe.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a file can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    /// The operating system's error.
    #[error("{reason}")]
    System {
        /// Its kind.
        kind: ErrorKind,
        /// Its text.
        reason: String,
    },
    /// It is larger than it may be.
    #[error("larger than {}", size(*.0))]
    TooLarge(u64),
    /// It is something else: a folder, a device, a socket.
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// A pipe has no end.
    #[error("it is a pipe that nothing wrote to and closed within {}: look at the command that writes to it", limit(READ_TIMEOUT))]
    OpenPipe,
    /// A read that does not end.
    #[error("no answer within {}: look at the mount that it is on", limit(READ_TIMEOUT))]
    Stalled,
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
}

impl FileError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::System { kind: ErrorKind::NotFound | ErrorKind::NotADirectory, .. })
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::System { kind: error.kind(), reason: error.to_string() }
    }
}

/// A size for messages.
fn size(bytes: u64) -> String {
    match (bytes >> 30, bytes >> 20) {
        (0, 0) => format!("{bytes} bytes"),
        (0, mebibytes) => format!("{mebibytes} MiB"),
        (gibibytes, _) => format!("{gibibytes} GiB"),
    }
}
