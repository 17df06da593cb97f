//! Whether a failed attempt to connect may succeed later.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::str::Utf8Error;

use super::verdict::{ConnectRefusal, RetryVerdict};
use crate::error::ConnectError;
use crate::protocol::{ProtocolError, ServerEvent};
use crate::stream::EndpointError;

/// The verdict on a server's error code (PostgreSQL manual, appendix A).
fn of_code(code: &str) -> RetryVerdict {
    match code {
        // invalid_authorization_specification, invalid_password
        "28000" | "28P01" => RetryVerdict::Refused(ConnectRefusal::Password),
        // invalid_catalog_name
        "3D000" => RetryVerdict::Refused(ConnectRefusal::Database),
        // insufficient_privilege
        "42501" => RetryVerdict::Refused(ConnectRefusal::Rights),
        // starting up, shutting down, crashed, too many connections, out of memory or disk, the pooler's own trouble (08P01)
        _ if ["57P", "53", "08", "25006"].iter().any(|class| code.starts_with(class)) => RetryVerdict::Wait,
        _ => RetryVerdict::Refused(ConnectRefusal::Other),
    }
}

/// The verdict on an operating system's error.
fn of_io(kind: ErrorKind) -> RetryVerdict {
    // A socket file that this process may not open stays so.
    if kind == ErrorKind::PermissionDenied { RetryVerdict::Refused(ConnectRefusal::Rights) } else { RetryVerdict::Wait }
}

impl ConnectError {
    /// Whether another attempt may succeed.
    pub fn retry_verdict(&self) -> RetryVerdict {
        match self {
            Self::Settings(_) | Self::NoAttempt(_) => RetryVerdict::Refused(ConnectRefusal::Other),
            // Host names that don't resolve may do so later: names of services come and go.
            Self::Resolve(_) | Self::Timeout(_) | Self::WrongServerKind(_) => RetryVerdict::Wait,
            Self::Endpoint(error) => error.retry_verdict(),
            Self::Server { verdict, .. } => *verdict,
            // If both attempts were refused, the second one may be refused because it is the wrong kind of attempt.
            Self::Modes { first, second, .. } => match second.retry_verdict() {
                RetryVerdict::Wait => RetryVerdict::Wait,
                RetryVerdict::Refused(_) => first.retry_verdict(),
            },
            // The hosts before the last one could not be reached.
            Self::Hosts(failed) => failed.last().map_or(RetryVerdict::Wait, |(_, error)| error.retry_verdict()),
        }
    }

    /// The driver's error, after the server sent `last`.
    pub(super) fn of_driver(source: tokio_postgres::Error, last: ServerEvent) -> Self {
        let verdict = of_driver(&source, last);
        Self::Server { source, verdict }
    }
}

impl From<tokio_postgres::Error> for ConnectError {
    /// An error of a query after the login. If the connection breaks, the driver calls it closed; any other error without a code is
    /// about an answer that it can't read.
    fn from(source: tokio_postgres::Error) -> Self {
        let verdict = match source.code() {
            Some(code) => of_code(code.code()),
            None if source.is_closed() => RetryVerdict::Wait,
            None => RetryVerdict::Refused(ConnectRefusal::Other),
        };
        Self::Server { source, verdict }
    }
}

impl EndpointError {
    /// Whether another attempt may succeed.
    pub fn retry_verdict(&self) -> RetryVerdict {
        match self {
            Self::Socket(error) => of_io(error.kind()),
            Self::ServerStartup => RetryVerdict::Wait,
            Self::Unencrypted(_) | Self::Handshake(_) | Self::NoAlpn | Self::NotAsked => RetryVerdict::Refused(ConnectRefusal::Tls),
            Self::Protocol(
                ProtocolError::DisallowedAuth(_)
                | ProtocolError::UnsupportedAuth { .. }
                | ProtocolError::NoPassword
                | ProtocolError::NoChannelBinding,
            ) => RetryVerdict::Refused(ConnectRefusal::Password),
            Self::NotPostgres(_)
            | Self::Peer { .. }
            | Self::Protocol(
                ProtocolError::Violation(_)
                | ProtocolError::AnswerTooLarge { .. }
                | ProtocolError::RowTooLarge { .. }
                | ProtocolError::StreamTooLarge { .. },
            ) => RetryVerdict::Refused(ConnectRefusal::Other),
        }
    }
}

/// The verdict on an error of the driver. It has no kind in the driver's interface: its source and what the server sent last tell
/// whether the server refused, the authentication failed, a message could not be read, or the connection broke.
fn of_driver(error: &tokio_postgres::Error, last: ServerEvent) -> RetryVerdict {
    const MALFORMED: RetryVerdict = RetryVerdict::Refused(ConnectRefusal::Other);
    if let Some(code) = error.code() {
        return of_code(code.code());
    }
    let Some(source) = error.source() else {
        // Closed, which no server does to refuse a login; or a message that the driver did not expect.
        return if error.is_closed() { RetryVerdict::Wait } else { MALFORMED };
    };
    let Some(io) = source.downcast_ref::<io::Error>() else {
        // Only the authentication has a cause that is neither the server's nor the system's: no mechanism, or no channel binding.
        return RetryVerdict::Refused(ConnectRefusal::Password);
    };
    if io.kind() == ErrorKind::InvalidData {
        return MALFORMED;
    }
    match last {
        ServerEvent::Ended => of_io(io.kind()),
        // The server's part of the exchange proves that it does not know the password.
        ServerEvent::SaslExchange => RetryVerdict::Refused(ConnectRefusal::Password),
        ServerEvent::SaslRequest | ServerEvent::ErrorResponse => MALFORMED,
        ServerEvent::Other if io.get_ref().is_some_and(|inner| inner.is::<Utf8Error>()) => MALFORMED,
        ServerEvent::Other => of_io(io.kind()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::login::resolve::ResolveError;

    #[test]
    fn each_code_is_worth_waiting_for_or_not() {
        use ConnectRefusal::{Database, Other, Password, Rights};
        use RetryVerdict::{Refused, Wait};
        for (code, what, expected) in [
            ("57P03", "the database system is starting up", Wait),
            ("57P01", "terminating connection due to administrator command", Wait),
            ("57P02", "crash of another server process", Wait),
            ("53300", "sorry, too many clients already", Wait),
            ("53200", "out of memory", Wait),
            ("53100", "disk full", Wait),
            ("08006", "connection failure", Wait),
            ("08P01", "a pooler can't reach its server", Wait),
            ("25006", "read-only", Wait),
            ("28P01", "password authentication failed", Refused(Password)),
            ("28000", "no pg_hba.conf entry", Refused(Password)),
            ("3D000", "database does not exist", Refused(Database)),
            ("42501", "permission denied for database", Refused(Rights)),
            ("55000", "database is not accepting connections", Refused(Other)),
            ("0A000", "unsupported frontend protocol", Refused(Other)),
            ("22023", "invalid parameter in options", Refused(Other)),
        ] {
            assert_eq!(of_code(code), expected, "{code} {what}");
        }
    }

    #[test]
    fn each_way_not_to_reach_a_host_is_worth_waiting_for() {
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionAborted,
            ErrorKind::NotFound,
            ErrorKind::TimedOut,
            ErrorKind::UnexpectedEof,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::Other,
        ] {
            assert_eq!(of_io(kind), RetryVerdict::Wait, "{kind}");
        }
        assert_eq!(of_io(ErrorKind::PermissionDenied), RetryVerdict::Refused(ConnectRefusal::Rights));
    }

    #[test]
    fn each_failure_of_tls_and_of_the_login_is_final_or_not() {
        use ConnectRefusal::{Other, Password, Rights, Tls};
        use RetryVerdict::{Refused, Wait};
        let io = |kind: ErrorKind| std::io::Error::from(kind);
        for (error, expected) in [
            (EndpointError::Socket(io(ErrorKind::ConnectionRefused)), Wait),
            (EndpointError::Socket(io(ErrorKind::UnexpectedEof)), Wait),
            (EndpointError::Socket(io(ErrorKind::PermissionDenied)), Refused(Rights)),
            (EndpointError::ServerStartup, Wait),
            (EndpointError::Unencrypted("require"), Refused(Tls)),
            (EndpointError::Handshake("expired".into()), Refused(Tls)),
            (EndpointError::NoAlpn, Refused(Tls)),
            (EndpointError::NotAsked, Refused(Tls)),
            (EndpointError::NotPostgres(b'H'), Refused(Other)),
            (EndpointError::Peer { found: "a".into(), wanted: "b".into() }, Refused(Other)),
            (EndpointError::Protocol(ProtocolError::NoPassword), Refused(Password)),
            (EndpointError::Protocol(ProtocolError::NoChannelBinding), Refused(Password)),
            (EndpointError::Protocol(ProtocolError::Violation("x")), Refused(Other)),
            (EndpointError::Protocol(ProtocolError::AnswerTooLarge { program: "p" }), Refused(Other)),
        ] {
            let shown = error.to_string();
            assert_eq!(ConnectError::Endpoint(error).retry_verdict(), expected, "{shown}");
        }
        let no_answer = ResolveError::NoAnswer { host: "h".into(), within: Duration::ZERO };
        let unknown = ResolveError::Unknown { host: "h".into(), lookup: io(ErrorKind::Other) };
        assert_eq!([no_answer, unknown].map(|error| ConnectError::Resolve(error).retry_verdict()), [Wait, Wait]);
        assert_eq!(ConnectError::WrongServerKind("standby").retry_verdict(), Wait);
        assert_eq!(ConnectError::Timeout(Duration::ZERO).retry_verdict(), Wait);
    }

    #[test]
    fn of_several_failures_the_decisive_one_counts() {
        let refused = || ConnectError::Endpoint(EndpointError::Unencrypted("require"));
        let passing = || ConnectError::WrongServerKind("primary");
        let modes = |first, second| ConnectError::Modes { first: Box::new(first), second: Box::new(second), encrypted_first: true };
        assert_eq!(modes(passing(), refused()).retry_verdict(), RetryVerdict::Wait);
        assert_eq!(modes(refused(), passing()).retry_verdict(), RetryVerdict::Wait);
        assert_eq!(modes(refused(), refused()).retry_verdict(), RetryVerdict::Refused(ConnectRefusal::Tls));
        let hosts = |first, last| ConnectError::Hosts(vec![("a:1".into(), first), ("b:2".into(), last)]);
        assert_eq!(hosts(passing(), refused()).retry_verdict(), RetryVerdict::Refused(ConnectRefusal::Tls));
        assert_eq!(hosts(passing(), passing()).retry_verdict(), RetryVerdict::Wait);
        assert!(hosts(passing(), refused()).to_string().starts_with("a:1: the server is not what"));
    }
}
