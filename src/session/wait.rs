//! Waiting for the server: which refusals are waited for, and until when.

use std::borrow::Cow;
use std::time::Duration;

use pg_connect::file::READ_TIMEOUT;
use pg_connect::{ConnectError, ConnectRefusal, RetryVerdict};
use thiserror::Error;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tracing::debug;

use super::{Pool, Session};
use crate::backoff::Pace;
use crate::exit::{Exit, Explain};
use crate::facts::FailureFacts;
use crate::host::{Event, EventThrottle, Host, Wait};
use crate::sql::Ident;
use crate::words::chain;

/// The timeout of one attempt; a server that is up answers in far less.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much later an attempt is given up that should have ended by itself: it may read files, which has a time limit of its own.
const ATTEMPT_GRACE: Duration = READ_TIMEOUT.saturating_add(Duration::from_secs(2));
/// The same cause is logged again after this long.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Why there is no session.
#[derive(Debug, Error)]
pub enum WaitError {
    /// The deadline passed; the last cause is the source.
    #[error("{address} {}", if .waited.is_zero() { "is not ready".to_owned() } else { format!("was not ready within {}", humantime::format_duration(*.waited)) })]
    Timeout {
        /// The database, without its password.
        address: String,
        /// `PGMARCH_WAIT_TIMEOUT`.
        waited: Duration,
        /// The last attempt's error.
        #[source]
        last: ConnectError,
    },
    /// The server refused the connection for a cause that does not go away by itself.
    #[error("{address} refused the connection")]
    Refused {
        /// The database, without its password.
        address: String,
        /// What to do.
        advice: &'static str,
        /// The server's error.
        #[source]
        cause: ConnectError,
    },
    /// The connection settings are missing or wrong.
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

    fn facts(&self) -> FailureFacts {
        FailureFacts::of_source(self)
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Timeout { last, waited, .. } => timeout_advice(last, waited.is_zero()),
            Self::Refused { address, cause, .. } if cause.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                return connect_grant(address).into();
            }
            Self::Refused { advice, .. } => advice,
            Self::Settings(_) => "fix the connection settings; `pgmarch --help` lists them",
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

/// What to do where the server was not ready in time, by the last cause.
fn timeout_advice(last: &ConnectError, at_once: bool) -> &'static str {
    // Of several hosts, the last one ended the attempts.
    let last = if let ConnectError::Hosts(hosts) = last { hosts.last().map_or(last, |(_, error)| error) } else { last };
    match (last, last.code().map(SqlState::code)) {
        (_, Some("53300")) => {
            "raise max_connections or the role's CONNECTION LIMIT, or close idle sessions: SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3; PGMARCH_WAIT_TIMEOUT waits longer"
        }
        (_, Some("57P03")) => {
            "the server is starting up, recovering or shutting down: wait longer with PGMARCH_WAIT_TIMEOUT, and read its log if that takes longer than usual"
        }
        (ConnectError::WrongServerKind(_), _) => {
            "add a host of that kind to the URL, or change target_session_attrs; PGMARCH_WAIT_TIMEOUT waits for a promotion"
        }
        (ConnectError::Resolve(_), _) => {
            "check the host name (PGMARCH_DATABASE_URL, PGHOST) and the name server, or wait longer with PGMARCH_WAIT_TIMEOUT"
        }
        (ConnectError::Timeout(_), _) => {
            "check host and port, the firewall (a dropped packet gets no answer) and any proxy in between; PGMARCH_WAIT_TIMEOUT waits longer"
        }
        _ if at_once => "start the server, or check host and port; PGMARCH_WAIT_TIMEOUT=60s waits for it",
        _ => "start the server, check host and port, or wait longer with PGMARCH_WAIT_TIMEOUT",
    }
}

/// The right that a login lacks, from `user@host:port/database`.
fn connect_grant(address: &str) -> String {
    let (user, place) = address.rsplit_once('@').unwrap_or(("", address));
    let database = place.rsplit_once('/').map_or(place, |(_, database)| database);
    match (Ident::parse(user), Ident::parse(database)) {
        (Some(user), Some(database)) => format!(
            "as a superuser, or as the owner of the database, run GRANT CONNECT ON DATABASE {database} TO {user}; PGMARCH_WAIT_FOR=rights waits for it"
        ),
        _ => advice(ConnectRefusal::Rights).to_owned(),
    }
}

/// What to do about a refusal.
fn advice(refusal: ConnectRefusal) -> &'static str {
    match refusal {
        ConnectRefusal::Password => {
            "check user and password (PGMARCH_DATABASE_URL, PGUSER, PGPASSWORD, PGPASSFILE) and pg_hba.conf; PGMARCH_WAIT_FOR=password waits for it"
        }
        ConnectRefusal::Database => {
            "create the database, or check its name in PGMARCH_DATABASE_URL; PGMARCH_WAIT_FOR=database waits for it"
        }
        ConnectRefusal::Rights => {
            "as a superuser or the owner of the database GRANT the role CONNECT on it; PGMARCH_WAIT_FOR=rights waits for it"
        }
        ConnectRefusal::Tls => {
            "check what PGSSLMODE requires, the host name in the URL, and that PGSSLROOTCERT is the authority of the server's certificate; PGMARCH_WAIT_FOR=tls waits for it"
        }
        ConnectRefusal::Other => "check the connection settings and the server's log",
    }
}

/// `PGMARCH_WAIT_FOR`: refusals that are waited for as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryableRefusals {
    kinds: Vec<ConnectRefusal>,
    codes: Vec<String>,
    all: bool,
}

impl RetryableRefusals {
    /// Reads `password, database, rights, tls, all` or SQLSTATEs; an error is the word that is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut refusals = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "password" => refusals.kinds.push(ConnectRefusal::Password),
                "database" => refusals.kinds.push(ConnectRefusal::Database),
                "rights" => refusals.kinds.push(ConnectRefusal::Rights),
                "tls" => refusals.kinds.push(ConnectRefusal::Tls),
                "all" => refusals.all = true,
                code if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) => {
                    refusals.codes.push(code.to_owned())
                }
                other => return Err(other.to_owned()),
            }
        }
        Ok(refusals)
    }

    fn covers(&self, refusal: ConnectRefusal, code: Option<&str>) -> bool {
        self.all || self.kinds.contains(&refusal) || code.is_some_and(|code| self.codes.iter().any(|known| known == code))
    }
}

/// A session on a server that is ready, by `deadline`. Notifies observers of the cause of the wait when it changes.
pub(crate) async fn for_server(
    pool: &Pool,
    retryable: &RetryableRefusals,
    timeout: Duration,
    deadline: Instant,
    host: &Host,
) -> Result<Session, WaitError> {
    let started = host.now();
    let mut throttle = EventThrottle::default();
    let outcome = connect_until(pool, retryable, timeout, deadline, host, &mut throttle).await;
    if throttle.has_told() {
        host.notify(&Event::WaitEnded { wait: Wait::Server, waited: host.elapsed(started) });
    }
    outcome
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// On average, dependents start half of this later than possible. A server that is starting refuses an attempt within a
/// millisecond.
const LONGEST_PAUSE: Duration = Duration::from_millis(90);

async fn connect_until(
    pool: &Pool,
    retryable: &RetryableRefusals,
    timeout: Duration,
    deadline: Instant,
    host: &Host,
    throttle: &mut EventThrottle,
) -> Result<Session, WaitError> {
    let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let target = pool.read_target().await.map_err(WaitError::Settings)?;
        // A single attempt gets the time that it needs.
        let least = if timeout.is_zero() { ATTEMPT_TIMEOUT } else { Duration::from_millis(100) };
        let attempt = ATTEMPT_TIMEOUT.min(host.remaining(deadline)).max(least);
        let last_chance = deadline.max(host.now() + attempt);
        // The attempt ends by itself, and then knows what it was waiting for.
        let session = host.timeout_at(last_chance + ATTEMPT_GRACE, pool.session_by(target, attempt, last_chance)).await;
        let error = match session {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error @ ConnectError::Settings(_))) => return Err(WaitError::Settings(error)),
            Ok(Err(error)) => error,
            Err(_) => ConnectError::Timeout(attempt),
        };
        if let RetryVerdict::Refused(refusal) = error.retry_verdict()
            && !retryable.covers(refusal, error.code().map(|code| code.code()))
        {
            return Err(WaitError::Refused { address: pool.address(), advice: advice(refusal), cause: error });
        }
        let now = host.now();
        if now >= deadline {
            return Err(WaitError::Timeout { address: pool.address(), waited: timeout, last: error });
        }
        let cause = chain(&error);
        if throttle.is_due(&cause, host) {
            host.notify(&Event::WaitingForServer { address: &pool.address(), cause: &cause, remaining: host.remaining(deadline) });
        } else {
            debug!(target: "pgmarch::connect::wait", "not ready yet: {cause}");
        }
        host.sleep(host.next_pause(&mut pace).min(deadline - now)).await;
    }
}

/// Logs the cause of a wait when it changes, and now and then.
#[derive(Debug, Default)]
pub struct LogThrottle {
    cause: Option<String>,
    at: Option<Instant>,
}

impl LogThrottle {
    /// Whether to log `cause` now; if so, it counts as logged.
    pub fn should_log(&mut self, cause: &str) -> bool {
        let is_due = self.cause.as_deref() != Some(cause) || self.at.is_none_or(|at| at.elapsed() >= LOG_AGAIN_AFTER);
        if is_due {
            self.cause = Some(cause.to_owned());
            self.at = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_widened_by_kind_and_code() {
        let retryable = RetryableRefusals::parse("password, 55000").expect("words");
        assert!(retryable.covers(ConnectRefusal::Password, Some("28P01")));
        assert!(retryable.covers(ConnectRefusal::Other, Some("55000")));
        assert!(!retryable.covers(ConnectRefusal::Database, Some("3D000")));
        assert!(RetryableRefusals::parse("all").expect("all").covers(ConnectRefusal::Other, None));
        assert_eq!(RetryableRefusals::parse("password,nonsense"), Err("nonsense".to_owned()));
    }
}
