//! Waiting for the server: what is worth waiting for, and until when.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tracing::{debug, info};

use super::{ConnectError, Pool, Session};
use crate::backoff::Pace;
use crate::report::{chain, left};
use crate::tally::{self, Wait};

/// How long one try may take; a server that is up answers in far less.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same cause is said again after this long.
const REMIND_AFTER: Duration = Duration::from_secs(10);

/// Why there is no server to talk to.
#[derive(Debug, Error)]
pub enum WaitError {
    /// The deadline passed; the last cause is the source.
    #[error("{address} was not ready within {}", humantime::format_duration(*.waited))]
    Timeout {
        /// The database, without its password.
        address: String,
        /// `PGMARCH_WAIT_TIMEOUT`.
        waited: Duration,
        /// What the last try met.
        #[source]
        last: ConnectError,
    },
    /// The server said something that waiting won't change.
    #[error("{address} refused the connection")]
    Refused {
        /// The database, without its password.
        address: String,
        /// What to do.
        advice: &'static str,
        /// What it said.
        #[source]
        cause: ConnectError,
    },
    /// The settings don't say where to connect.
    #[error(transparent)]
    Settings(ConnectError),
}

/// What a failed try means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass: try again.
    Wait,
    /// It won't pass by itself, and why somebody has to act.
    Refused(Refusal),
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Password, user or `pg_hba.conf`.
    Password,
    /// No such database.
    Database,
    /// The role lacks a right.
    Rights,
    /// Anything else that the server or TLS said for good.
    Other,
}

impl Refusal {
    fn advice(self) -> &'static str {
        match self {
            Self::Password => {
                "check user and password (PGMARCH_DATABASE_URL, PGUSER, PGPASSWORD) and pg_hba.conf; PGMARCH_WAIT_FOR=password waits for it"
            }
            Self::Database => "create the database, or check its name in PGMARCH_DATABASE_URL; PGMARCH_WAIT_FOR=database waits for it",
            Self::Rights => "GRANT the role what the message names; PGMARCH_WAIT_FOR=rights waits for it",
            Self::Other => "check the connection settings and the server's log",
        }
    }
}

/// `PGMARCH_WAIT_FOR`: refusals that are waited for as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Widen {
    kinds: Vec<Refusal>,
    codes: Vec<String>,
    all: bool,
}

impl Widen {
    /// Reads `password, database, rights, all` or SQLSTATEs; gives back the word that is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut widen = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "password" => widen.kinds.push(Refusal::Password),
                "database" => widen.kinds.push(Refusal::Database),
                "rights" => widen.kinds.push(Refusal::Rights),
                "all" => widen.all = true,
                code if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) => {
                    widen.codes.push(code.to_owned())
                }
                other => return Err(other.to_owned()),
            }
        }
        Ok(widen)
    }

    fn covers(&self, refusal: Refusal, code: Option<&str>) -> bool {
        self.all || self.kinds.contains(&refusal) || code.is_some_and(|code| self.codes.iter().any(|known| known == code))
    }
}

/// What a server's error code (PostgreSQL manual, appendix A) means for one who waits.
pub fn verdict_on_code(code: &str) -> Verdict {
    match code {
        // invalid_authorization_specification, invalid_password
        "28000" | "28P01" => Verdict::Refused(Refusal::Password),
        // invalid_catalog_name
        "3D000" => Verdict::Refused(Refusal::Database),
        // insufficient_privilege
        "42501" => Verdict::Refused(Refusal::Rights),
        // starting up, shutting down, crashed, too many connections, out of memory or disk, the pooler's own trouble (08P01)
        _ if ["57P", "53", "08", "25006"].iter().any(|class| code.starts_with(class)) => Verdict::Wait,
        _ => Verdict::Refused(Refusal::Other),
    }
}

/// What an operating system's error on the way to the server means.
pub fn verdict_on_io(kind: ErrorKind) -> Verdict {
    // Only a socket file that we may not open does not mend itself; names that don't resolve have no kind of their own.
    if kind == ErrorKind::PermissionDenied { Verdict::Refused(Refusal::Rights) } else { Verdict::Wait }
}

fn verdict(error: &ConnectError) -> Verdict {
    match error {
        ConnectError::Settings(_) | ConnectError::Pool(_) => Verdict::Refused(Refusal::Other),
        ConnectError::Silence(_) => Verdict::Wait,
        ConnectError::Server(error) => {
            if let Some(code) = error.code() {
                return verdict_on_code(code.code());
            }
            let mut cause: Option<&(dyn Error + 'static)> = error.source();
            while let Some(error) = cause {
                if let Some(io) = error.downcast_ref::<std::io::Error>() {
                    // The driver's words for a host that does not fit `target_session_attrs`: a standby, to be promoted perhaps.
                    let unfit = io.to_string().contains("does not allow writes") || io.to_string().contains("is not read only");
                    return if unfit { Verdict::Wait } else { verdict_on_io(io.kind()) };
                }
                cause = error.source();
            }
            let said = error.to_string();
            match said.as_str() {
                // Driver errors without a source: closed in the middle, or no host fit `target_session_attrs`.
                _ if error.is_closed()
                    || said.contains("connecting")
                    || said.contains("timeout")
                    || said.contains("server does not allow") =>
                {
                    Verdict::Wait
                }
                _ if said.contains("authentication") || said.contains("password") => Verdict::Refused(Refusal::Password),
                _ => Verdict::Refused(Refusal::Other),
            }
        }
    }
}

/// A session on a server that is ready, by `deadline`. Says why it waits when the cause changes.
pub async fn for_server(pool: &Pool, widen: &Widen, timeout: Duration, deadline: Instant) -> Result<Session, WaitError> {
    let started = Instant::now();
    let mut said = Said::default();
    let outcome = persistently(pool, widen, timeout, deadline, &mut said).await;
    if said.anything() {
        tally::waited(Wait::Server, started.elapsed());
    }
    outcome
}

async fn persistently(pool: &Pool, widen: &Widen, timeout: Duration, deadline: Instant, said: &mut Said) -> Result<Session, WaitError> {
    let mut pace = Pace::new(Duration::from_millis(50), Duration::from_millis(500));
    loop {
        let patience = PATIENCE.min(deadline.saturating_duration_since(Instant::now())).max(Duration::from_millis(100));
        let error = match pool.session(patience).await {
            Ok(session) => return Ok(session),
            Err(error @ ConnectError::Settings(_)) => return Err(WaitError::Settings(error)),
            Err(error) => error,
        };
        if let Verdict::Refused(refusal) = verdict(&error) {
            let code = if let ConnectError::Server(error) = &error { error.code().map(|code| code.code()) } else { None };
            if !widen.covers(refusal, code) {
                return Err(WaitError::Refused { address: pool.address(), advice: refusal.advice(), cause: error });
            }
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(WaitError::Timeout { address: pool.address(), waited: timeout, last: error });
        }
        said.waiting(&pool.address(), &chain(&error), deadline);
        tokio::time::sleep(pace.pause().min(deadline - now)).await;
    }
}

/// Remembers what was said, so that a wait speaks when its cause changes and now and then.
#[derive(Debug, Default)]
pub struct Said {
    cause: Option<String>,
    at: Option<Instant>,
}

impl Said {
    /// Whether `cause` is worth saying now; if so, takes it as said.
    pub fn is_news(&mut self, cause: &str) -> bool {
        let news = self.cause.as_deref() != Some(cause) || self.at.is_none_or(|at| at.elapsed() >= REMIND_AFTER);
        if news {
            self.cause = Some(cause.to_owned());
            self.at = Some(Instant::now());
        }
        news
    }

    /// Whether there was anything to say, so that there was a wait.
    pub fn anything(&self) -> bool {
        self.cause.is_some()
    }

    fn waiting(&mut self, address: &str, cause: &str, deadline: Instant) {
        if self.is_news(cause) {
            info!(%address, "waiting for the server: {cause}; {} left", left(deadline));
        } else {
            debug!("not ready yet: {cause}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_worth_waiting_for_or_not() {
        use Refusal::{Database, Other, Password, Rights};
        use Verdict::{Refused, Wait};
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
            assert_eq!(verdict_on_code(code), expected, "{code} {what}");
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
            assert_eq!(verdict_on_io(kind), Verdict::Wait, "{kind}");
        }
        assert_eq!(verdict_on_io(ErrorKind::PermissionDenied), Verdict::Refused(Refusal::Rights));
    }

    #[test]
    fn the_list_can_be_widened_by_kind_and_code() {
        let widen = Widen::parse("password, 55000").expect("words");
        assert!(widen.covers(Refusal::Password, Some("28P01")));
        assert!(widen.covers(Refusal::Other, Some("55000")));
        assert!(!widen.covers(Refusal::Database, Some("3D000")));
        assert!(Widen::parse("all").expect("all").covers(Refusal::Other, None));
        assert_eq!(Widen::parse("password,nonsense"), Err("nonsense".to_owned()));
    }
}
