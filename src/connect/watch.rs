//! What the server says, seen on its way to the driver: how it asks for a proof of who we are, and that no message is
//! larger than anything a server has to say to us.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;

use super::fault::ConninfoError;

/// Before a session is ready the server has little to say: one message, and all of them, in bytes.
const GREETING_MESSAGE: usize = 64 << 10;
const GREETING: usize = 256 << 10;
/// Afterwards: one message, the rows of one answer that is kept, and all reports of changed settings, in bytes.
const MESSAGE: usize = 16 << 20;
const ANSWER: usize = 16 << 20;
const REPORTS: usize = 1 << 20;
/// What a row takes in memory beside its values, about.
const ROW: usize = 80;

/// A way to prove who we are, in the words of `require_auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The password itself.
    Password,
    /// Its MD5 hash.
    Md5,
    /// GSSAPI.
    Gss,
    /// SSPI.
    Sspi,
    /// SCRAM-SHA-256, with or without channel binding.
    Scram,
    /// OAuth.
    Oauth,
    /// None was asked for.
    Nothing,
}

impl Method {
    const WORDS: [(&'static str, Self); 7] = [
        ("password", Self::Password),
        ("md5", Self::Md5),
        ("gss", Self::Gss),
        ("sspi", Self::Sspi),
        ("scram-sha-256", Self::Scram),
        ("oauth", Self::Oauth),
        ("none", Self::Nothing),
    ];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS.iter().find(|(_, method)| method == self).map_or("", |(word, _)| word))
    }
}

/// `require_auth`: what the server may ask for; empty is anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods {
    listed: Vec<Method>,
    /// The list says what it may not ask for.
    negated: bool,
}

impl Methods {
    /// Reads `scram-sha-256,none` or `!password,!md5`.
    pub fn parse(text: &str) -> Result<Self, ConninfoError> {
        let mut methods = Self::default();
        for (number, word) in text.split(',').enumerate().filter(|_| !text.is_empty()) {
            let negated = word.starts_with('!');
            let found = Method::WORDS.iter().find(|(known, _)| *known == word.trim_start_matches('!'));
            match found {
                Some((_, method)) if number == 0 || negated == methods.negated => methods.listed.push(*method),
                _ => {
                    return Err(ConninfoError::Value {
                        keyword: "require_auth",
                        value: text.to_owned(),
                        expected: "write password, md5, gss, sspi, scram-sha-256, oauth or none, comma separated, all or none of them with `!`",
                    });
                }
            }
            methods.negated = negated;
        }
        Ok(methods)
    }

    fn allow(&self, method: Method) -> bool {
        self.listed.is_empty() || self.listed.contains(&method) != self.negated
    }
}

/// Why a connection ends that the server would have gone on with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum Breach {
    #[error("the server asks for authentication by {0}, which require_auth does not allow")]
    Method(Method),
    #[error("the server asks for authentication by {0}, which pgmarch does not speak; change pg_hba.conf")]
    Unspoken(Method),
    #[error("the server asks for a password, and none is given")]
    NoPassword,
    #[error("the server does not bind the authentication to the TLS connection, which channel_binding=require wants")]
    Unbound,
    #[error("the server sent {0}, which no PostgreSQL does; look at what answers there")]
    Nonsense(&'static str),
    #[error("the server's answer to a query of pgmarch is larger than {} MiB, which no PostgreSQL sends; look at what answers there", ANSWER >> 20)]
    Flood,
}

/// What we may answer to the server's first question.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `require_auth`.
    pub methods: Methods,
    /// Whether a password is at hand.
    pub has_password: bool,
    /// `channel_binding=require`.
    pub bound: bool,
}

/// How many messages are under way whose rows are discarded as they arrive: those hold a revision's text, whose queries may
/// return any number of rows. Shared by a connection and its session.
#[derive(Clone, Debug, Default)]
pub struct Discarding(Arc<AtomicUsize>);

impl Discarding {
    /// Counts one, until the guard is dropped.
    pub fn begin(&self) -> DiscardingGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        DiscardingGuard(self.0.clone())
    }

    fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A message whose rows are discarded, while it is under way.
#[derive(Debug)]
pub struct DiscardingGuard(Arc<AtomicUsize>);

impl Drop for DiscardingGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was asked yet.
    Unasked,
    /// Before the first `ReadyForQuery`.
    Greeting,
    /// A session.
    Ready,
}

/// Sees every byte from the server once, in order.
pub struct Watch {
    policy: Policy,
    phase: Phase,
    /// Type and length of the message that is coming.
    header: Vec<u8>,
    /// Its first bytes: all of them in a greeting.
    start: Vec<u8>,
    /// How many of its bytes are still to come.
    left: usize,
    greeting: usize,
    answer: usize,
    reports: usize,
    /// Columns of the rows that are coming.
    columns: Option<[u8; 2]>,
    discarding: Discarding,
}

impl Watch {
    /// Before the server's first message.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            phase: Phase::Unasked,
            header: Vec::with_capacity(5),
            start: Vec::new(),
            left: 0,
            greeting: 0,
            answer: 0,
            reports: 0,
            columns: None,
            discarding: Discarding::default(),
        }
    }

    /// To be told of messages whose rows are discarded.
    pub fn discarding(&self) -> &Discarding {
        &self.discarding
    }

    /// Looks at what came; an error ends the connection before the driver sees any of it.
    pub fn see(&mut self, mut bytes: &[u8]) -> Result<(), Breach> {
        while !bytes.is_empty() {
            if self.header.len() < 5 {
                let (now, rest) = bytes.split_at(bytes.len().min(5 - self.header.len()));
                self.header.extend_from_slice(now);
                bytes = rest;
                if self.header.len() == 5 {
                    self.begin()?;
                }
            } else {
                let (now, rest) = bytes.split_at(bytes.len().min(self.left));
                let wanted = if self.phase == Phase::Ready { 2 } else { GREETING_MESSAGE };
                self.start.extend_from_slice(&now[..now.len().min(wanted - self.start.len().min(wanted))]);
                self.left -= now.len();
                bytes = rest;
            }
            if self.header.len() == 5 && self.left == 0 {
                self.end()?;
                self.header.clear();
                self.start.clear();
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Breach> {
        let [tag, length @ ..] = self.header.as_slice() else { return Ok(()) };
        let length = <[u8; 4]>::try_from(length).map_or(0, u32::from_be_bytes);
        let length = usize::try_from(length).unwrap_or(usize::MAX).checked_sub(4).ok_or(Breach::Nonsense("a message without a length"))?;
        self.left = length;
        if self.phase != Phase::Ready {
            self.greeting = self.greeting.saturating_add(length);
            if length > GREETING_MESSAGE || self.greeting > GREETING {
                return Err(Breach::Nonsense("a greeting that does not end"));
            }
            return Ok(());
        }
        match tag {
            b'D' if self.discarding.is_under_way() => {}
            b'D' | b'd' => {
                self.answer = self.answer.saturating_add(length + ROW);
                if self.answer > ANSWER {
                    return Err(Breach::Flood);
                }
            }
            b'S' => {
                self.reports = self.reports.saturating_add(length);
                if self.reports > REPORTS {
                    return Err(Breach::Nonsense("reports of settings without an end"));
                }
            }
            _ if length > MESSAGE => return Err(Breach::Nonsense("a message larger than any there is")),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Breach> {
        let start = self.start.first_chunk::<2>().copied();
        match (self.phase, self.header.first()) {
            (Phase::Unasked, Some(b'R')) => {
                self.phase = Phase::Greeting;
                return self.asked();
            }
            (_, Some(b'Z')) => {
                self.phase = Phase::Ready;
                self.answer = 0;
            }
            (Phase::Ready, Some(b'T')) => self.columns = start,
            // The driver counts on it.
            (Phase::Ready, Some(b'D')) if self.columns != start => return Err(Breach::Nonsense("a row with other columns than it said")),
            _ => {}
        }
        Ok(())
    }

    /// The server's first question, which decides how we log in.
    fn asked(&self) -> Result<(), Breach> {
        let (code, rest) = self.start.split_first_chunk::<4>().ok_or(Breach::Nonsense("half a question"))?;
        let binding = rest.split(|byte| *byte == 0).any(|mechanism| mechanism == b"SCRAM-SHA-256-PLUS");
        let method = match u32::from_be_bytes(*code) {
            0 => Method::Nothing,
            3 => Method::Password,
            5 => Method::Md5,
            7 | 8 => Method::Gss,
            9 => Method::Sspi,
            10 if rest.starts_with(b"OAUTHBEARER\0") => Method::Oauth,
            10 => Method::Scram,
            _ => return Err(Breach::Nonsense("a question that is none")),
        };
        if !self.policy.methods.allow(method) {
            return Err(Breach::Method(method));
        }
        if matches!(method, Method::Gss | Method::Sspi | Method::Oauth) {
            return Err(Breach::Unspoken(method));
        }
        if self.policy.bound && !binding {
            return Err(Breach::Unbound);
        }
        if method != Method::Nothing && !self.policy.has_password {
            return Err(Breach::NoPassword);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("small").to_be_bytes();
        [&[tag], length.as_slice(), body].concat()
    }

    fn question(code: u32, rest: &[u8]) -> Vec<u8> {
        message(b'R', &[&code.to_be_bytes(), rest].concat())
    }

    fn asked(require: &str, has_password: bool, bound: bool, question: &[u8]) -> Result<(), Breach> {
        Watch::new(Policy { methods: Methods::parse(require).expect(require), has_password, bound }).see(question)
    }

    const SCRAM: &[u8] = b"SCRAM-SHA-256\0\0";
    const BOTH: &[u8] = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";

    #[test]
    fn a_question_is_answered_only_if_it_may_be() {
        for (require, code, rest, expected) in [
            ("", 3, b"".as_slice(), Ok(())),
            ("", 5, b"salt", Ok(())),
            ("scram-sha-256", 3, b"", Err(Breach::Method(Method::Password))),
            ("!password,!md5", 5, b"salt", Err(Breach::Method(Method::Md5))),
            ("!password,!md5", 10, SCRAM, Ok(())),
            ("scram-sha-256", 0, b"", Err(Breach::Method(Method::Nothing))),
            ("none", 0, b"", Ok(())),
            ("", 7, b"", Err(Breach::Unspoken(Method::Gss))),
            ("", 10, b"OAUTHBEARER\0\0", Err(Breach::Unspoken(Method::Oauth))),
            ("", 99, b"", Err(Breach::Nonsense("a question that is none"))),
        ] {
            assert_eq!(asked(require, true, false, &question(code, rest)), expected, "{require} {code}");
        }
        assert_eq!(asked("", false, false, &question(10, SCRAM)), Err(Breach::NoPassword));
        assert_eq!(asked("", false, false, &question(0, b"")), Ok(()));
        assert_eq!(asked("", true, true, &question(10, SCRAM)), Err(Breach::Unbound));
        assert_eq!(asked("", true, true, &question(10, BOTH)), Ok(()));
        assert_eq!(asked("", true, true, &question(0, b"")), Err(Breach::Unbound));
        assert!(Methods::parse("md5,!none").is_err() && Methods::parse("kerberos").is_err());
    }

    #[test]
    fn nothing_grows_without_an_end() {
        let ready = [question(0, b""), message(b'Z', b"I")].concat();
        let mut watch = Watch::new(Policy::default());
        assert!(watch.see(&[b"N".as_slice(), &100_000_u32.to_be_bytes()].concat()).is_err());
        let mut watch = Watch::new(Policy::default());
        let notices = message(b'N', &[0; 60_000]);
        assert!((0..10).any(|_| watch.see(&notices).is_err()));
        let mut watch = Watch::new(Policy::default());
        watch.see(&ready).expect("a session");
        watch.see(&message(b'T', &[0, 1, 9])).expect("a column");
        let row = message(b'D', &[&[0, 1], vec![0; 1 << 20].as_slice()].concat());
        for _ in 0..15 {
            watch.see(&row).expect("a large answer");
        }
        assert_eq!(watch.see(&row), Err(Breach::Flood));
        let mut watch = Watch::new(Policy::default());
        watch.see(&ready).expect("a session");
        let guard = watch.discarding().begin();
        watch.see(&message(b'T', &[0, 1, 9])).expect("a column");
        for _ in 0..20 {
            watch.see(&row).expect("rows that nobody keeps");
        }
        drop(guard);
        for _ in 0..15 {
            watch.see(&row).expect("a large answer");
        }
        assert_eq!(watch.see(&row), Err(Breach::Flood));
        let mut watch = Watch::new(Policy::default());
        watch.see(&ready).expect("a session");
        watch.see(&message(b'T', &[0, 1, 9])).expect("a column");
        assert!(watch.see(&message(b'D', &[0, 2])).is_err());
    }

    proptest! {
        #[test]
        fn it_sees_the_same_however_the_bytes_are_cut(bytes in proptest::collection::vec(any::<u8>(), 0..300), cuts in proptest::collection::vec(1usize..40, 1..20)) {
            let greeting = [question(0, b""), message(b'Z', b"I")].concat();
            for prefix in [Vec::new(), greeting] {
                let all = [prefix, bytes.clone()].concat();
                let whole = Watch::new(Policy::default()).see(&all);
                let mut watch = Watch::new(Policy::default());
                let (mut rest, mut outcome, mut cuts) = (all.as_slice(), Ok(()), cuts.iter().cycle());
                while !rest.is_empty() && outcome.is_ok() {
                    let (now, later) = rest.split_at(rest.len().min(*cuts.next().expect("endless")));
                    outcome = watch.see(now);
                    rest = later;
                }
                prop_assert_eq!(whole, outcome);
            }
        }
    }
}
