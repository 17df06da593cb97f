//! PostgreSQL's protocol, as far as the library itself reads it: authentication requests and the sizes of messages.

mod auth;
mod discarding;
mod guard;
mod last_event;

pub use auth::{AuthMethod, AuthMethods, AuthPolicy};
pub use discarding::{DiscardCounter, DiscardGuard, StreamCounter, StreamGuard};
pub use guard::{ProtocolError, ProtocolGuard};
pub(crate) use last_event::{LastServerEvent, ServerEvent};
