//! What the server sent last. The driver's errors do not tell a failed authentication from a message that can't be read, so an
//! error is judged by the message that the driver was reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What the server sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
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

/// The last event of a stream, shared with the login that the stream is given away by.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastEvent(Arc<AtomicU8>);

impl LastEvent {
    const EVENTS: [Event; 5] = [Event::Other, Event::SaslRequest, Event::SaslExchange, Event::ErrorResponse, Event::Ended];

    /// The last event.
    pub(crate) fn get(&self) -> Event {
        Self::EVENTS.get(usize::from(self.0.load(Ordering::Relaxed))).copied().unwrap_or(Event::Other)
    }

    /// Notes a message; `code` is the first number of an authentication request.
    pub(crate) fn set_message(&self, tag: u8, code: Option<u32>) {
        let event = match (tag, code) {
            (b'R', Some(10)) => Event::SaslRequest,
            (b'R', Some(11 | 12)) => Event::SaslExchange,
            (b'E', _) => Event::ErrorResponse,
            _ => Event::Other,
        };
        self.set(event);
    }

    /// Notes that the connection was closed or failed.
    pub(crate) fn set_ended(&self) {
        self.set(Event::Ended);
    }

    fn set(&self, event: Event) {
        let number = Self::EVENTS.iter().position(|known| *known == event).and_then(|number| u8::try_from(number).ok());
        self.0.store(number.unwrap_or(0), Ordering::Relaxed);
    }
}
