//! The last event of a stream. The driver's errors do not distinguish a failed authentication from a message that can't be read,
//! so an error is judged by the message that the driver was reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What the server sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerEvent {
    /// Any other message, or none.
    Other,
    /// `AuthenticationSASL`: a list of mechanisms.
    SaslRequest,
    /// `AuthenticationSASLContinue` or `AuthenticationSASLFinal`: the server's part of a SCRAM exchange.
    SaslExchange,
    /// `ErrorResponse`.
    ErrorResponse,
    /// Nothing more: the connection was closed or failed.
    Ended,
}

/// The last event of a stream, shared with the login, which gives the stream away.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastServerEvent(Arc<AtomicU8>);

impl LastServerEvent {
    const EVENTS: [ServerEvent; 5] =
        [ServerEvent::Other, ServerEvent::SaslRequest, ServerEvent::SaslExchange, ServerEvent::ErrorResponse, ServerEvent::Ended];

    /// The last event.
    pub(crate) fn get(&self) -> ServerEvent {
        Self::EVENTS.get(usize::from(self.0.load(Ordering::Relaxed))).copied().unwrap_or(ServerEvent::Other)
    }

    /// Notes a message; `code` is the first number of an authentication request.
    pub(crate) fn set_message(&self, tag: u8, code: Option<u32>) {
        let event = match (tag, code) {
            (b'R', Some(10)) => ServerEvent::SaslRequest,
            (b'R', Some(11 | 12)) => ServerEvent::SaslExchange,
            (b'E', _) => ServerEvent::ErrorResponse,
            _ => ServerEvent::Other,
        };
        self.set(event);
    }

    /// Notes that the connection was closed or failed.
    pub(crate) fn set_ended(&self) {
        self.set(ServerEvent::Ended);
    }

    fn set(&self, event: ServerEvent) {
        let number = Self::EVENTS.iter().position(|known| *known == event).and_then(|number| u8::try_from(number).ok());
        self.0.store(number.unwrap_or(0), Ordering::Relaxed);
    }
}
