//! The files of the TLS settings, read when a server first accepts TLS.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ConnectError, unusable};
use crate::tls::{TlsFiles, TlsSettings};

/// What the files of the TLS settings hold, once a server has accepted TLS. One for each try to connect: its hosts, its addresses and
/// the cancel requests for its connection share it, so that each file is read once.
#[derive(Debug, Default)]
pub struct TlsFilesCell {
    files: OnceLock<TlsFiles>,
    is_reading: AtomicBool,
}

impl TlsFilesCell {
    /// The files; read now, in a thread for blocking work, if they were not before.
    pub(super) async fn read(&self, tls: &TlsSettings) -> Result<TlsFiles, ConnectError> {
        if let Some(files) = self.files.get() {
            return Ok(files.clone());
        }
        let tls = tls.clone();
        self.is_reading.store(true, Ordering::Relaxed);
        let read = tokio::task::spawn_blocking(move || tls.read_files()).await;
        self.is_reading.store(false, Ordering::Relaxed);
        let files = read.map_err(|error| ConnectError::NoAttempt(error.to_string()))?.map_err(unusable)?;
        Ok(self.files.get_or_init(|| files).clone())
    }

    /// Whether the files are being read, which has a time limit of its own.
    pub(crate) fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::Relaxed)
    }
}
