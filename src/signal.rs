//! SIGTERM and SIGINT, caught from the first moment: a process with PID 1 that installed no handler would ignore them.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// A signal that asks the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: the orchestrator's request.
    Terminate,
}

impl Signal {
    /// Its name, as `kill -l` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Installs the handlers now; the future that comes back ends with the first signal.
pub fn catch() -> io::Result<impl Future<Output = Signal>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        }
    })
}
