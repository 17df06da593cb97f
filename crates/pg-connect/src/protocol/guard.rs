//! Every byte from the server, checked before the driver sees it: authentication requests against the settings, and the sizes of
//! messages against what a server may send.

use thiserror::Error;

use super::auth::{AuthMethod, AuthPolicy};
use super::discarding::{DiscardCounter, StreamCounter};
use super::last_event::LastServerEvent;

/// Limits before the first `ReadyForQuery`, in bytes: one message, and all of them.
const STARTUP_MESSAGE: usize = 64 << 10;
const STARTUP: usize = 256 << 10;
/// Limits after it, in bytes: one message, the rows of one answer that is kept, and all `ParameterStatus` messages.
const MESSAGE: usize = 16 << 20;
const ANSWER: usize = 16 << 20;
const REPORTS: usize = 1 << 20;
/// Limits of an answer whose rows are handed over as they arrive: one row, which is in memory as a whole, and all of them.
const STREAMED_ROW: usize = 256 << 20;
const STREAMED_ANSWER: usize = 4 << 30;
/// About how much memory a row takes besides its values.
const ROW: usize = 80;

/// Why the client ends a connection: what the server sent is not allowed by the settings or by the protocol.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ProtocolError {
    #[error("the server asks for authentication by {0}, which require_auth does not allow")]
    DisallowedAuth(AuthMethod),
    #[error("the server asks for authentication by {method}, which {program} does not speak; change pg_hba.conf")]
    UnsupportedAuth { method: AuthMethod, program: &'static str },
    #[error("the server asks for a password, and none is given")]
    NoPassword,
    #[error("the server does not bind the authentication to the TLS connection, which channel_binding=require wants")]
    NoChannelBinding,
    #[error("the server sent {0}, which no PostgreSQL does; look at what answers there")]
    Violation(&'static str),
    #[error("the server's answer to a query of {program} is larger than {} MiB, which no PostgreSQL sends; look at what answers there", ANSWER >> 20)]
    AnswerTooLarge { program: &'static str },
    #[error(
        "a row of the server's answer to a query of {program} is larger than {} MiB, the most that {program} reads of one object; make that object smaller (a function's body, a comment, a migration file), or look at what answers there",
        STREAMED_ROW >> 20
    )]
    RowTooLarge { program: &'static str },
    #[error(
        "the server's answer to a query of {program} is larger than {} GiB, the most that {program} reads of one schema or history; read fewer schemas at once, or look at what answers there",
        STREAMED_ANSWER >> 30
    )]
    StreamTooLarge { program: &'static str },
}

/// The phase of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProtocolState {
    /// Before the first authentication request.
    Connecting,
    /// Before `AuthenticationOk`.
    Authenticating,
    /// Before the first `ReadyForQuery`.
    Startup,
    /// A session.
    Session,
}

/// Checks every byte from the server, once and in order.
pub struct ProtocolGuard {
    policy: AuthPolicy,
    state: ProtocolState,
    /// Type and length of the message that is being received.
    header: Vec<u8>,
    /// Its first bytes; before the first `ReadyForQuery`, all of them.
    start: Vec<u8>,
    /// How many of its bytes are still to be received.
    remaining: usize,
    startup: usize,
    answer: usize,
    reports: usize,
    /// The number of columns that the last `RowDescription` announced.
    columns: Option<[u8; 2]>,
    discarding: DiscardCounter,
    streaming: StreamCounter,
    last_event: LastServerEvent,
}

impl ProtocolGuard {
    /// Before the server's first message.
    pub fn new(policy: AuthPolicy) -> Self {
        Self {
            policy,
            state: ProtocolState::Connecting,
            header: Vec::with_capacity(5),
            start: Vec::new(),
            remaining: 0,
            startup: 0,
            answer: 0,
            reports: 0,
            columns: None,
            discarding: DiscardCounter::default(),
            streaming: StreamCounter::default(),
            last_event: LastServerEvent::default(),
        }
    }

    /// Counts the messages whose rows are discarded.
    pub fn discard_counter(&self) -> &DiscardCounter {
        &self.discarding
    }

    /// Counts the messages whose rows are handed over as they arrive.
    pub fn stream_counter(&self) -> &StreamCounter {
        &self.streaming
    }

    /// What the server sent last.
    pub(crate) fn last_event(&self) -> &LastServerEvent {
        &self.last_event
    }

    /// How many bytes may be read at once. Until the authentication is done, a read ends where a message ends, so that the last event
    /// is the message that the driver is reading: a server sends the end of a SCRAM exchange together with all that follows it.
    pub(crate) fn read_limit(&self) -> Option<usize> {
        match self.state {
            ProtocolState::Connecting | ProtocolState::Authenticating => {
                Some(if self.header.len() < 5 { 5 - self.header.len() } else { self.remaining })
            }
            ProtocolState::Startup | ProtocolState::Session => None,
        }
    }

    /// Checks the bytes that were received. An error ends the connection before the driver sees them.
    pub fn check(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            if self.header.len() < 5 {
                let (now, rest) = bytes.split_at(bytes.len().min(5 - self.header.len()));
                self.header.extend_from_slice(now);
                bytes = rest;
                if self.header.len() == 5 {
                    self.begin_message()?;
                }
            } else {
                let (now, rest) = bytes.split_at(bytes.len().min(self.remaining));
                let wanted = if self.state == ProtocolState::Session { 2 } else { STARTUP_MESSAGE };
                self.start.extend_from_slice(&now[..now.len().min(wanted - self.start.len().min(wanted))]);
                self.remaining -= now.len();
                bytes = rest;
            }
            if self.header.len() == 5 && self.remaining == 0 {
                self.end_message()?;
                self.header.clear();
                self.start.clear();
            }
        }
        Ok(())
    }

    fn begin_message(&mut self) -> Result<(), ProtocolError> {
        let [tag, length @ ..] = self.header.as_slice() else { return Ok(()) };
        let length = <[u8; 4]>::try_from(length).map_or(0, u32::from_be_bytes);
        let length =
            usize::try_from(length).unwrap_or(usize::MAX).checked_sub(4).ok_or(ProtocolError::Violation("a message without a length"))?;
        self.remaining = length;
        if self.state != ProtocolState::Session {
            self.startup = self.startup.saturating_add(length);
            if length > STARTUP_MESSAGE || self.startup > STARTUP {
                return Err(ProtocolError::Violation("a greeting that does not end"));
            }
            return Ok(());
        }
        match tag {
            b'D' if self.discarding.any() => {}
            b'D' | b'd' => {
                self.answer = self.answer.saturating_add(length + ROW);
                return self.check_answer(length);
            }
            b'S' => {
                self.reports = self.reports.saturating_add(length);
                if self.reports > REPORTS {
                    return Err(ProtocolError::Violation("reports of settings without an end"));
                }
            }
            _ if length > MESSAGE => return Err(ProtocolError::Violation("a message larger than any there is")),
            _ => {}
        }
        Ok(())
    }

    /// Checks the size of an answer that has grown by a row of this length.
    fn check_answer(&self, length: usize) -> Result<(), ProtocolError> {
        let program = self.policy.program;
        match self.streaming.any() {
            true if length > STREAMED_ROW => Err(ProtocolError::RowTooLarge { program }),
            true if self.answer > STREAMED_ANSWER => Err(ProtocolError::StreamTooLarge { program }),
            false if self.answer > ANSWER => Err(ProtocolError::AnswerTooLarge { program }),
            _ => Ok(()),
        }
    }

    fn end_message(&mut self) -> Result<(), ProtocolError> {
        let code = self.start.first_chunk::<4>().map(|code| u32::from_be_bytes(*code));
        self.last_event.set_message(self.header.first().copied().unwrap_or_default(), code);
        let start = self.start.first_chunk::<2>().copied();
        match (self.state, self.header.first()) {
            (ProtocolState::Connecting, Some(b'R')) => {
                self.state = if code == Some(0) { ProtocolState::Startup } else { ProtocolState::Authenticating };
                return self.check_auth_request();
            }
            (ProtocolState::Authenticating, Some(b'R')) if code == Some(0) => self.state = ProtocolState::Startup,
            (_, Some(b'Z')) => {
                self.state = ProtocolState::Session;
                self.answer = 0;
            }
            (ProtocolState::Session, Some(b'T')) => self.columns = start,
            // The driver relies on it, and would panic.
            (ProtocolState::Session, Some(b'D')) if self.columns != start => {
                return Err(ProtocolError::Violation("a row with other columns than it said"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks the first authentication request.
    fn check_auth_request(&self) -> Result<(), ProtocolError> {
        let (code, rest) = self.start.split_first_chunk::<4>().ok_or(ProtocolError::Violation("half a question"))?;
        let binding = rest.split(|byte| *byte == 0).any(|mechanism| mechanism == b"SCRAM-SHA-256-PLUS");
        let method = match u32::from_be_bytes(*code) {
            0 => AuthMethod::Nothing,
            3 => AuthMethod::Password,
            5 => AuthMethod::Md5,
            7 | 8 => AuthMethod::Gss,
            9 => AuthMethod::Sspi,
            10 if rest.starts_with(b"OAUTHBEARER\0") => AuthMethod::Oauth,
            10 => AuthMethod::Scram,
            _ => return Err(ProtocolError::Violation("a question that is none")),
        };
        if !self.policy.methods.allow(method) {
            return Err(ProtocolError::DisallowedAuth(method));
        }
        if matches!(method, AuthMethod::Gss | AuthMethod::Sspi | AuthMethod::Oauth) {
            return Err(ProtocolError::UnsupportedAuth { method, program: self.policy.program });
        }
        if self.policy.bound && !binding {
            return Err(ProtocolError::NoChannelBinding);
        }
        if method != AuthMethod::Nothing && !self.policy.has_password {
            return Err(ProtocolError::NoPassword);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::AuthMethods;

    const PROGRAM: &str = "this program";

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("small").to_be_bytes();
        [&[tag], length.as_slice(), body].concat()
    }

    fn auth_request(code: u32, rest: &[u8]) -> Vec<u8> {
        message(b'R', &[&code.to_be_bytes(), rest].concat())
    }

    fn check_request(require: &str, has_password: bool, bound: bool, auth_request: &[u8]) -> Result<(), ProtocolError> {
        ProtocolGuard::new(AuthPolicy { methods: AuthMethods::parse(require).expect(require), has_password, bound, program: PROGRAM })
            .check(auth_request)
    }

    const SCRAM: &[u8] = b"SCRAM-SHA-256\0\0";
    const BOTH: &[u8] = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";

    #[test]
    fn an_authentication_request_is_answered_only_if_the_settings_allow_it() {
        for (require, code, rest, expected) in [
            ("", 3, b"".as_slice(), Ok(())),
            ("", 5, b"salt", Ok(())),
            ("scram-sha-256", 3, b"", Err(ProtocolError::DisallowedAuth(AuthMethod::Password))),
            ("!password,!md5", 5, b"salt", Err(ProtocolError::DisallowedAuth(AuthMethod::Md5))),
            ("!password,!md5", 10, SCRAM, Ok(())),
            ("scram-sha-256", 0, b"", Err(ProtocolError::DisallowedAuth(AuthMethod::Nothing))),
            ("none", 0, b"", Ok(())),
            ("", 7, b"", Err(ProtocolError::UnsupportedAuth { method: AuthMethod::Gss, program: PROGRAM })),
            ("", 10, b"OAUTHBEARER\0\0", Err(ProtocolError::UnsupportedAuth { method: AuthMethod::Oauth, program: PROGRAM })),
            ("", 99, b"", Err(ProtocolError::Violation("a question that is none"))),
        ] {
            assert_eq!(check_request(require, true, false, &auth_request(code, rest)), expected, "{require} {code}");
        }
        assert_eq!(check_request("", false, false, &auth_request(10, SCRAM)), Err(ProtocolError::NoPassword));
        assert_eq!(check_request("", false, false, &auth_request(0, b"")), Ok(()));
        assert_eq!(check_request("", true, true, &auth_request(10, SCRAM)), Err(ProtocolError::NoChannelBinding));
        assert_eq!(check_request("", true, true, &auth_request(10, BOTH)), Ok(()));
        assert_eq!(check_request("", true, true, &auth_request(0, b"")), Err(ProtocolError::NoChannelBinding));
        assert!(AuthMethods::parse("md5,!none").is_err() && AuthMethods::parse("kerberos").is_err());
    }

    #[test]
    fn nothing_grows_without_an_end() {
        let ready = [auth_request(0, b""), message(b'Z', b"I")].concat();
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        assert!(guard.check(&[b"N".as_slice(), &100_000_u32.to_be_bytes()].concat()).is_err());
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        let notices = message(b'N', &[0; 60_000]);
        assert!((0..10).any(|_| guard.check(&notices).is_err()));
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        guard.check(&ready).expect("a session");
        guard.check(&message(b'T', &[0, 1, 9])).expect("a column");
        let row = message(b'D', &[&[0, 1], vec![0; 1 << 20].as_slice()].concat());
        for _ in 0..15 {
            guard.check(&row).expect("a large answer");
        }
        assert_eq!(guard.check(&row), Err(ProtocolError::AnswerTooLarge { program: PROGRAM }));
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        guard.check(&ready).expect("a session");
        let discarded = guard.discard_counter().begin();
        guard.check(&message(b'T', &[0, 1, 9])).expect("a column");
        for _ in 0..20 {
            guard.check(&row).expect("rows that nobody keeps");
        }
        drop(discarded);
        for _ in 0..15 {
            guard.check(&row).expect("a large answer");
        }
        assert_eq!(guard.check(&row), Err(ProtocolError::AnswerTooLarge { program: PROGRAM }));
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        guard.check(&ready).expect("a session");
        let streamed = guard.stream_counter().begin();
        guard.check(&message(b'T', &[0, 1, 9])).expect("a column");
        for _ in 0..20 {
            guard.check(&row).expect("rows that are handed over as they arrive");
        }
        let header = |length: usize| [b"D".as_slice(), &u32::try_from(length).expect("small").to_be_bytes()].concat();
        assert_eq!(guard.check(&header(STREAMED_ROW + 5)), Err(ProtocolError::RowTooLarge { program: PROGRAM }));
        drop(streamed);
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        guard.check(&ready).expect("a session");
        let _streamed = guard.stream_counter().begin();
        guard.check(&message(b'T', &[0, 1, 9])).expect("a column");
        let answer = (0..=STREAMED_ANSWER >> 20).find_map(|_| guard.check(&row).err());
        assert_eq!(answer, Some(ProtocolError::StreamTooLarge { program: PROGRAM }));
        let mut guard = ProtocolGuard::new(AuthPolicy::default());
        guard.check(&ready).expect("a session");
        guard.check(&message(b'T', &[0, 1, 9])).expect("a column");
        assert!(guard.check(&message(b'D', &[0, 2])).is_err());
    }

    proptest! {
        #[test]
        fn it_sees_the_same_however_the_bytes_are_cut(bytes in proptest::collection::vec(any::<u8>(), 0..300), cuts in proptest::collection::vec(1usize..40, 1..20)) {
            let greeting = [auth_request(0, b""), message(b'Z', b"I")].concat();
            for prefix in [Vec::new(), greeting] {
                let all = [prefix, bytes.clone()].concat();
                let whole = ProtocolGuard::new(AuthPolicy::default()).check(&all);
                let mut guard = ProtocolGuard::new(AuthPolicy::default());
                let (mut rest, mut outcome, mut cuts) = (all.as_slice(), Ok(()), cuts.iter().cycle());
                while !rest.is_empty() && outcome.is_ok() {
                    let (now, later) = rest.split_at(rest.len().min(*cuts.next().expect("endless")));
                    outcome = guard.check(now);
                    rest = later;
                }
                prop_assert_eq!(whole, outcome);
            }
        }
    }
}
