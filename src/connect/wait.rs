//! Waiting for the server: what is worth waiting for, and until when.

use std::borrow::Cow;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tracing::{debug, info};

use super::link::LinkError;
use super::watch::Breach;
use super::{ConnectError, Pool, Session};
use crate::backoff::Pace;
use crate::exit::{Exit, Explain};
use crate::words::{chain, left};

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

impl Explain for WaitError {
    fn exit(&self) -> Exit {
        match self {
            Self::Timeout { .. } => Exit::Unreachable,
            Self::Refused { .. } => Exit::Refused,
            Self::Settings(_) => Exit::Usage,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Timeout { .. } => "start the server, check host and port, or wait longer with PGMARCH_WAIT_TIMEOUT",
            Self::Refused { advice, .. } => advice,
            Self::Settings(_) => "mend the connection settings; `pgmarch --help` lists them",
        }
        .into()
    }

    fn faults(&self) -> Vec<String> {
        match self {
            Self::Settings(ConnectError::Settings(faults)) => faults.iter().map(ToString::to_string).collect(),
            Self::Settings(_) | Self::Timeout { .. } | Self::Refused { .. } => Vec::new(),
        }
    }
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
    /// Certificates, versions, or no TLS at all.
    Tls,
    /// Anything else that the server said for good.
    Other,
}

impl Refusal {
    fn advice(self) -> &'static str {
        match self {
            Self::Password => {
                "check user and password (PGMARCH_DATABASE_URL, PGUSER, PGPASSWORD, PGPASSFILE) and pg_hba.conf; PGMARCH_WAIT_FOR=password waits for it"
            }
            Self::Database => "create the database, or check its name in PGMARCH_DATABASE_URL; PGMARCH_WAIT_FOR=database waits for it",
            Self::Rights => "GRANT the role what the message names; PGMARCH_WAIT_FOR=rights waits for it",
            Self::Tls => {
                "check certificates on both sides and the settings that the message names (PGSSLMODE, PGSSLROOTCERT…); PGMARCH_WAIT_FOR=tls waits for it"
            }
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
    /// Reads `password, database, rights, tls, all` or SQLSTATEs; gives back the word that is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut widen = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "password" => widen.kinds.push(Refusal::Password),
                "database" => widen.kinds.push(Refusal::Database),
                "rights" => widen.kinds.push(Refusal::Rights),
                "tls" => widen.kinds.push(Refusal::Tls),
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

/// What any failed try means.
pub fn verdict(error: &ConnectError) -> Verdict {
    match error {
        ConnectError::Settings(_) | ConnectError::Pool(_) => Verdict::Refused(Refusal::Other),
        ConnectError::Silence(_) | ConnectError::Misfit(_) => Verdict::Wait,
        ConnectError::Link(error) => verdict_on_link(error),
        ConnectError::Server(error) => verdict_on_driver(error),
        // With both ways refused the second one's reason may be that it is the wrong way; one that may pass counts.
        ConnectError::Modes { first, second, .. } => {
            if verdict(second) == Verdict::Wait {
                Verdict::Wait
            } else {
                verdict(first)
            }
        }
        // The hosts before the last one could not be reached.
        ConnectError::Hosts(failed) => failed.last().map_or(Verdict::Wait, |(_, error)| verdict(error)),
    }
}

/// What a failure on the way to the server means.
pub fn verdict_on_link(error: &LinkError) -> Verdict {
    match error {
        LinkError::Socket(error) => verdict_on_io(error.kind()),
        LinkError::Name { .. } | LinkError::Trouble => Verdict::Wait,
        LinkError::Unencrypted(_) | LinkError::Handshake(_) | LinkError::Protocol | LinkError::NotAsked => Verdict::Refused(Refusal::Tls),
        LinkError::Breach(Breach::Method(_) | Breach::Unspoken(_) | Breach::NoPassword | Breach::Unbound) => {
            Verdict::Refused(Refusal::Password)
        }
        LinkError::Stranger(_) | LinkError::Peer { .. } | LinkError::Breach(Breach::Nonsense(_) | Breach::Flood) => {
            Verdict::Refused(Refusal::Other)
        }
    }
}

fn verdict_on_driver(error: &tokio_postgres::Error) -> Verdict {
    if let Some(code) = error.code() {
        return verdict_on_code(code.code());
    }
    let Some(source) = error.source() else {
        // The server closed the connection; or it sent a message that has no place there.
        return if error.is_closed() { Verdict::Wait } else { Verdict::Refused(Refusal::Other) };
    };
    match source.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        // The driver itself ended the exchange of a login by SCRAM.
        None | Some(ErrorKind::InvalidInput) => Verdict::Refused(Refusal::Password),
        // TLS says so of what it can't decrypt.
        Some(ErrorKind::InvalidData) => Verdict::Refused(Refusal::Other),
        // Cut in the middle; nobody closes a connection to say no.
        Some(kind) => verdict_on_io(kind),
    }
}

/// A session on a server that is ready, by `deadline`. Says why it waits when the cause changes.
pub async fn for_server(pool: &Pool, widen: &Widen, timeout: Duration, deadline: Instant) -> Result<Session, WaitError> {
    connect_until(pool, widen, timeout, deadline, &mut Said::default()).await
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Dependents start half of it later than they could have; a server that starts refuses a try in less than a millisecond.
const LONGEST_PAUSE: Duration = Duration::from_millis(90);

/// The same; `said` knows afterwards whether there was a wait.
pub async fn connect_until(
    pool: &Pool,
    widen: &Widen,
    timeout: Duration,
    deadline: Instant,
    said: &mut Said,
) -> Result<Session, WaitError> {
    let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let patience = PATIENCE.min(deadline.saturating_duration_since(Instant::now())).max(Duration::from_millis(100));
        let last_chance = deadline.max(Instant::now() + patience);
        let error = match tokio::time::timeout_at(last_chance, pool.session(patience)).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error @ ConnectError::Settings(_))) => return Err(WaitError::Settings(error)),
            Ok(Err(error)) => error,
            Err(_) => ConnectError::Silence(timeout),
        };
        if let Verdict::Refused(refusal) = verdict(&error)
            && !widen.covers(refusal, error.code().map(|code| code.code()))
        {
            return Err(WaitError::Refused { address: pool.address(), advice: refusal.advice(), cause: error });
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
    fn each_failure_of_tls_and_of_the_login_is_final_or_not() {
        use Refusal::{Other, Password, Rights, Tls};
        use Verdict::{Refused, Wait};
        let io = |kind: ErrorKind| std::io::Error::from(kind);
        for (error, expected) in [
            (LinkError::Socket(io(ErrorKind::ConnectionRefused)), Wait),
            (LinkError::Socket(io(ErrorKind::UnexpectedEof)), Wait),
            (LinkError::Socket(io(ErrorKind::PermissionDenied)), Refused(Rights)),
            (LinkError::Name { host: "h".into(), source: io(ErrorKind::Other) }, Wait),
            (LinkError::Trouble, Wait),
            (LinkError::Unencrypted("require"), Refused(Tls)),
            (LinkError::Handshake("expired".into()), Refused(Tls)),
            (LinkError::Protocol, Refused(Tls)),
            (LinkError::NotAsked, Refused(Tls)),
            (LinkError::Stranger(b'H'), Refused(Other)),
            (LinkError::Peer { found: "a".into(), wanted: "b".into() }, Refused(Other)),
            (LinkError::Breach(Breach::NoPassword), Refused(Password)),
            (LinkError::Breach(Breach::Unbound), Refused(Password)),
            (LinkError::Breach(Breach::Nonsense("x")), Refused(Other)),
            (LinkError::Breach(Breach::Flood), Refused(Other)),
        ] {
            let shown = error.to_string();
            assert_eq!(verdict(&ConnectError::Link(error)), expected, "{shown}");
        }
        assert_eq!(verdict(&ConnectError::Misfit("standby")), Wait);
        assert_eq!(verdict(&ConnectError::Silence(Duration::ZERO)), Wait);
    }

    #[test]
    fn of_several_failures_the_decisive_one_counts() {
        let refused = || ConnectError::Link(LinkError::Unencrypted("require"));
        let passing = || ConnectError::Misfit("primary");
        let modes = |first, second| ConnectError::Modes { first: Box::new(first), second: Box::new(second), encrypted_first: true };
        assert_eq!(verdict(&modes(passing(), refused())), Verdict::Wait);
        assert_eq!(verdict(&modes(refused(), passing())), Verdict::Wait);
        assert_eq!(verdict(&modes(refused(), refused())), Verdict::Refused(Refusal::Tls));
        let hosts = |first, last| ConnectError::Hosts(vec![("a:1".into(), first), ("b:2".into(), last)]);
        assert_eq!(verdict(&hosts(passing(), refused())), Verdict::Refused(Refusal::Tls));
        assert_eq!(verdict(&hosts(passing(), passing())), Verdict::Wait);
        assert!(hosts(passing(), refused()).to_string().starts_with("a:1: the server is not what"));
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
