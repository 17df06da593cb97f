//! Connecting: from a [`ConnectTarget`] to an open connection, host by host, address by address, encrypted or not, in the order
//! of libpq (PostgreSQL manual, 34.1.1.3).

mod attempt;
mod handle;
pub(crate) mod resolve;
mod retry;
pub(crate) mod verdict;

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Config, Connection, SimpleQueryMessage};
use tracing::debug;

use attempt::{TimeLimit, endpoint, explain, limited, limited_but_for_files};
pub use handle::ConnectionHandle;
use handle::{HandleState, drive};
pub use resolve::ResolveError;
use resolve::resolve;
pub use verdict::{ConnectRefusal, RetryVerdict};

use crate::error::ConnectError;
use crate::protocol::AuthPolicy;
use crate::stream::{Address, Encryption, EndpointError, PgStream, PreTls, TlsFilesCell};
use crate::target::{ConnectTarget, TargetHost, TargetSessionAttrs};
use crate::tls::TlsMode;

/// A connection that is logged in.
pub struct OpenConnection {
    /// Sends statements.
    pub client: Client,
    /// Must be driven ([`ConnectionHandle::drive`]) for the client to work.
    pub connection: Connection<PgStream, PgStream>,
    /// Cancels and terminates.
    pub handle: ConnectionHandle,
}

/// What a program decides about a connection besides its settings.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions<'o> {
    /// The `application_name`, unless the settings have one.
    pub application_name: &'o str,
    /// How long each address may take, unless `connect_timeout` is set.
    pub timeout: Duration,
    /// When all attempts end, if there is such a time: the error then tells what the last of them waited for.
    pub deadline: Option<Instant>,
    /// Called for each notice of the server during the login.
    pub on_notice: fn(&DbError),
}

/// `connect_timeout=0` means no timeout. A connection that replaces a lost one has no deadline of its own, so this one applies.
const UNLIMITED: Duration = Duration::from_secs(300);

/// What all hosts and addresses of one call to [`connect`] share.
struct Try<'t> {
    target: &'t ConnectTarget,
    options: ConnectOptions<'t>,
    tls_files: Arc<TlsFilesCell>,
}

/// Tries the hosts until one accepts the login and is of the kind that `target_session_attrs` asks for.
pub async fn connect(target: &ConnectTarget, options: ConnectOptions<'_>) -> Result<OpenConnection, ConnectError> {
    let this = Try { target, options, tls_files: Arc::default() };
    let mut failed = Vec::new();
    let rounds: &[TargetSessionAttrs] = if target.wanted == TargetSessionAttrs::PreferStandby {
        &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any]
    } else {
        std::slice::from_ref(&target.wanted)
    };
    for wanted in rounds {
        failed.clear();
        for host in shuffled(&target.hosts, target.shuffled) {
            if !failed.is_empty() && options.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
            match connect_host(&this, host, *wanted).await {
                Ok(connected) => return Ok(connected),
                // As in libpq: after a refusal, such as of the password, the next host is not tried.
                Err(error) if error.retry_verdict() != RetryVerdict::Wait => return Err(among(target, host, failed, error)),
                Err(error) => failed.push((host.label(), error)),
            }
        }
    }
    match failed.pop() {
        Some((_, only)) if failed.is_empty() => Err(only),
        Some(last) => {
            failed.push(last);
            Err(ConnectError::Hosts(failed))
        }
        None => Err(ConnectError::NoAttempt("there is no host".to_owned())),
    }
}

/// Adds the name of the host to its error, if there are several hosts.
fn among(target: &ConnectTarget, host: &TargetHost, mut failed: Vec<(String, ConnectError)>, error: ConnectError) -> ConnectError {
    if target.hosts.len() == 1 {
        return error;
    }
    failed.push((host.label(), error));
    ConnectError::Hosts(failed)
}

async fn connect_host(this: &Try<'_>, host: &TargetHost, wanted: TargetSessionAttrs) -> Result<OpenConnection, ConnectError> {
    let Try { target, options, tls_files } = this;
    let each = match target.network.connect_timeout {
        Some(Duration::ZERO) => UNLIMITED,
        Some(timeout) => timeout,
        None => options.timeout,
    };
    let limit = TimeLimit { each, deadline: options.deadline };
    let mut last = None;
    for address in addresses(host, target.shuffled, limit.now()).await? {
        let timeout = limit.now();
        if last.is_some() && timeout.is_zero() {
            break;
        }
        let error = match limited_but_for_files(timeout, tls_files, connect_address(this, host, &address)).await {
            Ok(mut connected) => {
                let is_wanted = limited(limit.now(), is_wanted_kind(&mut connected, wanted, options.on_notice)).await?;
                return if is_wanted { Ok(connected) } else { Err(ConnectError::WrongServerKind(wanted.word())) };
            }
            Err(error) => error,
        };
        // Another address of this host is tried only if this one could not be reached.
        if !matches!(error, ConnectError::Endpoint(EndpointError::Socket(_)) | ConnectError::Timeout(_)) {
            return Err(error);
        }
        last = Some(error);
    }
    Err(last.unwrap_or_else(|| ConnectError::NoAttempt(format!("{} has no address", host.label()))))
}

/// Resolves the addresses of a host.
async fn addresses(host: &TargetHost, shuffle: bool, timeout: Duration) -> Result<Vec<Address>, ResolveError> {
    if host.is_socket() {
        return Ok(vec![Address::socket(&host.name, host.port)]);
    }
    if let Some(address) = host.address {
        return Ok(vec![Address::Network(SocketAddr::new(address, host.port))]);
    }
    let found = resolve(&host.name, host.port, timeout).await?;
    Ok(shuffled(&found, shuffle).into_iter().map(|address| Address::Network(*address)).collect())
}

/// All items; in random order if `shuffle` is set.
fn shuffled<T>(all: &[T], shuffle: bool) -> Vec<&T> {
    let mut all: Vec<&T> = all.iter().collect();
    if shuffle {
        // The standard library's hash keys are random, which is enough to spread connections.
        let random = RandomState::new();
        for last in (1..all.len()).rev() {
            let other = random.hash_one(last) % (last as u64 + 1);
            all.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
    all
}

/// Connects to one address, with and without TLS in the order of `sslmode`.
async fn connect_address(this: &Try<'_>, host: &TargetHost, address: &Address) -> Result<OpenConnection, ConnectError> {
    let mode = this.target.tls.mode;
    let (first, second) = match (mode, address) {
        (_, Address::Socket(_)) | (TlsMode::Disable, _) => (Encryption::Never, None),
        (TlsMode::Allow, _) => (Encryption::Never, Some(Encryption::Offered)),
        (TlsMode::Prefer, _) => (Encryption::Offered, Some(Encryption::Never)),
        (TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull, _) => (Encryption::Required, None),
    };
    let (error, was_encrypted) = match attempt(this, host, address, first).await {
        Ok(connected) => return Ok(connected),
        Err(error) => error,
    };
    let Some(second) = second.filter(|second| is_worth_another(&error, *second, was_encrypted)) else { return Err(error) };
    debug!("sslmode={}: trying again {}", mode.word(), if second == Encryption::Never { "without TLS" } else { "with TLS" });
    match attempt(this, host, address, second).await {
        Ok(connected) => Ok(connected),
        Err((again, _)) => {
            Err(ConnectError::Modes { first: Box::new(error), second: Box::new(again), encrypted_first: second == Encryption::Never })
        }
    }
}

/// As in libpq, the second attempt is made when TLS failed or the server refused the login, not when the server is unreachable.
fn is_worth_another(error: &ConnectError, second: Encryption, was_encrypted: bool) -> bool {
    if let ConnectError::Server { source: error, .. } = error {
        let refused = error.code().is_some_and(|code| *code != SqlState::CANNOT_CONNECT_NOW);
        return refused && (second != Encryption::Never || was_encrypted);
    }
    let failed = matches!(error, ConnectError::Endpoint(EndpointError::Handshake(_) | EndpointError::NoAlpn | EndpointError::NotAsked));
    failed && second == Encryption::Never && !was_encrypted
}

/// One attempt; an error comes with whether the login was encrypted.
async fn attempt(
    this: &Try<'_>,
    host: &TargetHost,
    address: &Address,
    encryption: Encryption,
) -> Result<OpenConnection, (ConnectError, bool)> {
    let Try { target, options, tls_files } = this;
    let opened = endpoint(target, tls_files, &host.name, address).open(encryption, auth_policy(target, host)).await;
    let stream = opened.map_err(|error| (error, false))?;
    if let Some(version) = stream.tls_version() {
        debug!("encrypted by {version}");
    }
    let (is_encrypted, terminate) = (stream.is_encrypted(), stream.terminate());
    let (discarding, streaming) = (stream.discard_counter(), stream.stream_counter());
    let outbox = stream.outbox();
    let last = stream.last_event();
    let config = driver_config(target, host, options.application_name);
    let connected = config.connect_raw(stream, PreTls).await;
    let (client, connection) = connected.map_err(|error| (explain(error, last.get(), target, &host.name), is_encrypted))?;
    let handle = ConnectionHandle::new(HandleState {
        token: client.cancel_token(),
        target: (*target).clone(),
        host: host.name.clone(),
        address: address.clone(),
        is_encrypted,
        tls_files: tls_files.clone(),
        violation: OnceLock::new(),
        terminate,
        discarding,
        streaming,
        outbox,
    });
    Ok(OpenConnection { client, connection, handle })
}

/// The authentication requests that the settings allow to answer.
fn auth_policy(target: &ConnectTarget, host: &TargetHost) -> AuthPolicy {
    AuthPolicy {
        methods: target.login.methods.clone(),
        has_password: host.password.is_some(),
        bound: target.login.binding == ChannelBinding::Require,
        program: target.program,
    }
}

/// The login as the driver's settings. For the driver, the encryption is already done.
fn driver_config(target: &ConnectTarget, host: &TargetHost, application_name: &str) -> Config {
    let login = &target.login;
    let mut config = Config::new();
    config.user(&login.user).dbname(&login.database).channel_binding(login.binding);
    config.application_name(login.application.as_deref().unwrap_or(application_name));
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    if let Some(password) = &host.password {
        config.password(password.reveal());
    }
    if let Some(options) = &login.options {
        config.options(options);
    }
    config
}

/// Whether the server is of the kind that `target_session_attrs` asks for.
async fn is_wanted_kind(connected: &mut OpenConnection, wanted: TargetSessionAttrs, on_notice: fn(&DbError)) -> Result<bool, ConnectError> {
    const SERVER_KIND: &str = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    if wanted == TargetSessionAttrs::Any {
        return Ok(true);
    }
    let messages = tokio::select! {
        biased;
        answer = connected.client.simple_query(SERVER_KIND) => answer.map_err(ConnectError::from)?,
        _ = drive(&mut connected.connection, on_notice) => return Err(EndpointError::Socket(std::io::ErrorKind::UnexpectedEof.into()).into()),
    };
    let row = messages.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    let (recovery, read_only) = match row {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (None, None),
    };
    Ok(match wanted {
        TargetSessionAttrs::Any => true,
        TargetSessionAttrs::ReadWrite => read_only == Some("off"),
        TargetSessionAttrs::ReadOnly => read_only == Some("on"),
        TargetSessionAttrs::Primary => recovery == Some("f"),
        TargetSessionAttrs::Standby | TargetSessionAttrs::PreferStandby => recovery == Some("t"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_keeps_every_item_and_reaches_every_order() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let order: Vec<u8> = shuffled(&[1, 2, 3], true).into_iter().copied().collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 3]);
            seen.insert(order);
        }
        assert_eq!(seen.len(), 6);
        assert_eq!(shuffled(&[1, 2, 3], false), [&1, &2, &3]);
    }
}
