//! From a [`Target`] to a session's connection: host by host, address by address, encrypted or not, as libpq goes through
//! them (PostgreSQL manual, 34.1.1.3).

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Connection, SimpleQueryMessage};
use tracing::debug;

use super::ConnectError;
use super::leave::Leave;
use super::link::{Encryption, Lent, Link, LinkError, Place, Ready, Way};
use super::paper::Paper;
use super::target::{Host, Login, Target, Wanted};
use super::tls::{self, Mode};
use super::wait::{Verdict, verdict};
use super::watch::{Breach, Discarding, DiscardingGuard, Policy};

/// A connection that serves.
pub struct Connected {
    /// For statements.
    pub client: Client,
    /// To be driven, for anything to happen.
    pub connection: Connection<Link, Link>,
    /// For what runs on it.
    pub cancel: Cancel,
}

/// The way back to the server that a connection has, to cancel what runs there: same address, encrypted likewise.
#[derive(Clone)]
pub struct Cancel(Arc<Back>);

struct Back {
    token: CancelToken,
    target: Target,
    host: String,
    place: Place,
    tls: Option<tls::Client>,
    /// Why we ended the connection, if we did.
    breach: OnceLock<Breach>,
    leave: Leave,
    discarding: Discarding,
    /// Whether the server said that a commit did not wait for its synchronous standbys.
    unreplicated: AtomicBool,
}

impl Cancel {
    /// Asks the server, and returns when it has heard it.
    pub async fn send(&self) -> Result<(), ConnectError> {
        limited(CANCEL, self.request()).await
    }

    /// Drives the connection to its end.
    pub async fn drive(&self, mut connection: Connection<Link, Link>) {
        let unreplicated = || self.0.unreplicated.store(true, Ordering::Relaxed);
        if let Some(error) = drive(&mut connection, unreplicated).await {
            debug!(error = %crate::words::chain(&error), "connection ended");
            if let Some(breach) = inner::<Breach>(&error) {
                // The connection is dropped after this, so whoever waits on it finds the reason.
                drop(self.0.breach.set(breach.clone()));
            }
        }
    }

    /// The process id that it names. The driver shows it nowhere but in a cancel request, so this writes one on paper.
    pub async fn pid(&self) -> Option<i32> {
        let mut request = Paper::default();
        self.0.token.cancel_query_raw(&mut request, Ready).await.ok()?;
        // Its length, its code, and then the process id (manual, 55.7).
        Some(i32::from_be_bytes(request.written.get(8..12)?.try_into().ok()?))
    }

    /// From now on until the guard is dropped, rows may be as many as a revision's queries return.
    pub fn discard_rows(&self) -> DiscardingGuard {
        self.0.discarding.begin()
    }

    /// Whether the server has warned, since this was last asked, that a commit did not wait for its synchronous standbys.
    pub fn take_unreplicated(&self) -> bool {
        self.0.unreplicated.swap(false, Ordering::Relaxed)
    }

    /// Has the connection say goodbye.
    pub fn leave(&self) {
        self.0.leave.now();
    }

    /// Whether it is a socket of this machine's.
    pub fn is_local(&self) -> bool {
        matches!(self.0.place, Place::Socket(_))
    }

    /// Why we ended the connection, if we did.
    pub fn breach(&self) -> Option<&Breach> {
        self.0.breach.get()
    }

    async fn request(&self) -> Result<(), ConnectError> {
        let back = &*self.0;
        let encryption = if back.tls.is_some() { Encryption::Required } else { Encryption::Never };
        let way = way(&back.target, &back.host, &back.place);
        let (mut link, _) = way.open(encryption, Policy::default(), back.tls.as_ref()).await?;
        back.token.cancel_query_raw(Lent(&mut link), Ready).await.map_err(|error| explained(error, &back.target, &back.host))?;
        // As libpq does it: a server that meets a closed socket might not read the request at all.
        drop(tokio::time::timeout(FAREWELL, tokio::io::copy(&mut link, &mut tokio::io::sink())).await);
        Ok(())
    }
}

fn way<'t>(target: &'t Target, host: &'t str, place: &'t Place) -> Way<'t> {
    Way { place, host, network: &target.network, tls: &target.tls, peer: target.peer.as_deref() }
}

/// `connect_timeout=0` is as long as whoever waits has patience, but a connection made in the middle of a run has no such limit.
const UNLIMITED: Duration = Duration::from_secs(300);
/// A cancel request that is not there by then is of no use any more.
const CANCEL: Duration = Duration::from_secs(5);
/// How long to wait for the server to close a connection that it has read a cancel request from.
const FAREWELL: Duration = Duration::from_secs(2);

/// Goes through the hosts until one serves. Each address has `patience`, unless `connect_timeout` says otherwise.
pub async fn connect(target: &Target, application: &str, patience: Duration) -> Result<Connected, ConnectError> {
    let mut failed = Vec::new();
    let rounds: &[Wanted] =
        if target.wanted == Wanted::PreferStandby { &[Wanted::Standby, Wanted::Any] } else { std::slice::from_ref(&target.wanted) };
    for wanted in rounds {
        failed.clear();
        for host in shuffled(&target.hosts, target.shuffled) {
            match connect_host(target, host, *wanted, application, patience).await {
                Ok(connected) => return Ok(connected),
                // As in libpq: what this host refuses for good, such as the password, the next one is not asked for.
                Err(error) if verdict(&error) != Verdict::Wait => return Err(among(target, host, failed, error)),
                Err(error) => failed.push((host.place(), error)),
            }
        }
    }
    match failed.pop() {
        Some((_, only)) if failed.is_empty() => Err(only),
        Some(last) => {
            failed.push(last);
            Err(ConnectError::Hosts(failed))
        }
        None => Err(ConnectError::Pool("there is no host".to_owned())),
    }
}

/// Names the host that refused us, if it is one of several.
fn among(target: &Target, host: &Host, mut failed: Vec<(String, ConnectError)>, error: ConnectError) -> ConnectError {
    if target.hosts.len() == 1 {
        return error;
    }
    failed.push((host.place(), error));
    ConnectError::Hosts(failed)
}

async fn connect_host(
    target: &Target,
    host: &Host,
    wanted: Wanted,
    application: &str,
    patience: Duration,
) -> Result<Connected, ConnectError> {
    let patience = match target.network.connect_timeout {
        Some(Duration::ZERO) => UNLIMITED,
        Some(timeout) => timeout,
        None => patience,
    };
    let mut last = ConnectError::Silence(patience);
    for place in limited(patience, async { places(host, target.shuffled).await.map_err(ConnectError::from) }).await? {
        let error = match limited(patience, connect_place(target, host, &place, application)).await {
            Ok(mut connected) => {
                let fits = limited(patience, fits(&mut connected, wanted)).await?;
                return if fits { Ok(connected) } else { Err(ConnectError::Misfit(wanted.word())) };
            }
            Err(error) => error,
        };
        // Whether another address of this host is worth a try: only if this one could not be reached.
        if !matches!(error, ConnectError::Link(LinkError::Socket(_)) | ConnectError::Silence(_)) {
            return Err(error);
        }
        last = error;
    }
    Err(last)
}

async fn limited<T>(patience: Duration, work: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
    tokio::time::timeout(patience, work).await.unwrap_or(Err(ConnectError::Silence(patience)))
}

/// The addresses of a host, now.
async fn places(host: &Host, shuffle: bool) -> Result<Vec<Place>, LinkError> {
    if host.is_socket() {
        return Ok(vec![Place::socket(&host.name, host.port)]);
    }
    if let Some(address) = host.address {
        return Ok(vec![Place::Network(SocketAddr::new(address, host.port))]);
    }
    let unknown = |source| LinkError::Name { host: host.name.clone(), source };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host.name.as_str(), host.port)).await.map_err(unknown)?.collect();
    if found.is_empty() {
        return Err(unknown(std::io::Error::other("it has no address")));
    }
    Ok(shuffled(&found, shuffle).into_iter().map(|address| Place::Network(*address)).collect())
}

/// All of them, in another order at each call if that is wanted.
fn shuffled<T>(all: &[T], shuffle: bool) -> Vec<&T> {
    let mut all: Vec<&T> = all.iter().collect();
    if shuffle {
        // The standard library draws its hash keys at random: enough to spread connections.
        let dice = RandomState::new();
        for last in (1..all.len()).rev() {
            let other = dice.hash_one(last) % (last as u64 + 1);
            all.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
    all
}

/// One address, in the ways that `sslmode` allows one after the other.
async fn connect_place(target: &Target, host: &Host, place: &Place, application: &str) -> Result<Connected, ConnectError> {
    let (first, second) = match (target.tls.mode, place) {
        (_, Place::Socket(_)) | (Mode::Disable, _) => (Encryption::Never, None),
        (Mode::Allow, _) => (Encryption::Never, Some(Encryption::Offered)),
        (Mode::Prefer, _) => (Encryption::Offered, Some(Encryption::Never)),
        (Mode::Require | Mode::VerifyCa | Mode::VerifyFull, _) => (Encryption::Required, None),
    };
    let error = match attempt(target, host, place, first, application).await {
        Ok(connected) => return Ok(connected),
        Err(error) => error,
    };
    let (error, was_encrypted) = error;
    let Some(second) = second.filter(|second| is_worth_another(&error, *second, was_encrypted)) else { return Err(error) };
    debug!("sslmode={}: trying again {}", target.tls.mode.word(), if second == Encryption::Never { "without TLS" } else { "with TLS" });
    match attempt(target, host, place, second, application).await {
        Ok(connected) => Ok(connected),
        Err((again, _)) => {
            Err(ConnectError::Modes { first: Box::new(error), second: Box::new(again), encrypted_first: second == Encryption::Never })
        }
    }
}

/// As in libpq, the other way is tried when TLS failed, or when the server refused the login; not for a server that is not there.
fn is_worth_another(error: &ConnectError, second: Encryption, was_encrypted: bool) -> bool {
    if let ConnectError::Server(error) = error {
        let refused = error.code().is_some_and(|code| *code != SqlState::CANNOT_CONNECT_NOW);
        return refused && (second != Encryption::Never || was_encrypted);
    }
    let failed = matches!(error, ConnectError::Link(LinkError::Handshake(_) | LinkError::Protocol | LinkError::NotAsked));
    failed && second == Encryption::Never && !was_encrypted
}

/// One connection in one way; with a failure, whether the login was encrypted.
async fn attempt(
    target: &Target,
    host: &Host,
    place: &Place,
    encryption: Encryption,
    application: &str,
) -> Result<Connected, (ConnectError, bool)> {
    let policy = policy(&target.login, host);
    let (link, tls) = way(target, &host.name, place).open(encryption, policy, None).await.map_err(|error| (error, false))?;
    if let Some(version) = link.version() {
        debug!("encrypted by {version}");
    }
    let (encrypted, leave, discarding) = (link.is_encrypted(), link.leave(), link.discarding());
    let config = config(&target.login, host, application);
    let (client, connection) = config.connect_raw(link, Ready).await.map_err(|error| (explained(error, target, &host.name), encrypted))?;
    let back = Back {
        token: client.cancel_token(),
        target: target.clone(),
        host: host.name.clone(),
        place: place.clone(),
        tls,
        breach: OnceLock::new(),
        leave,
        discarding,
        unreplicated: AtomicBool::new(false),
    };
    Ok(Connected { client, connection, cancel: Cancel(Arc::new(back)) })
}

/// What we may answer to a server's question for a proof.
pub fn policy(login: &Login, host: &Host) -> Policy {
    Policy { methods: login.methods.clone(), has_password: host.password.is_some(), bound: login.binding == ChannelBinding::Require }
}

/// A login as the driver takes it; the encryption is behind it.
pub fn config(login: &Login, host: &Host, application: &str) -> Config {
    let mut config = Config::new();
    config.user(&login.user).dbname(&login.database).channel_binding(login.binding);
    config.application_name(login.application.as_deref().unwrap_or(application));
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    if let Some(password) = &host.password {
        config.password(password.reveal());
    }
    if let Some(options) = &login.options {
        config.options(options);
    }
    config
}

/// Drives a connection to its end, and logs the server's notices; the error that it ended with, if any. `unreplicated` is
/// called when the server warns that a commit stopped waiting for its synchronous standbys: the driver passes that on before
/// the answer to the message that committed.
async fn drive(connection: &mut Connection<Link, Link>, unreplicated: impl Fn()) -> Option<tokio_postgres::Error> {
    /// The function of the server that waits for synchronous standbys; it warns in no other case (`syncrep.c`).
    const WAIT_FOR_STANDBYS: &str = "SyncRepWaitForLSN";
    loop {
        match poll_fn(|context| connection.poll_message(context)).await? {
            Ok(AsyncMessage::Notice(notice)) => {
                if notice.routine() == Some(WAIT_FOR_STANDBYS) {
                    unreplicated();
                }
                super::log_notice(&notice);
            }
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
}

/// A failure of the driver, with what only we know of it.
fn explained(error: tokio_postgres::Error, target: &Target, host: &str) -> ConnectError {
    if let Some(breach) = inner::<Breach>(&error) {
        return LinkError::Breach(breach.clone()).into();
    }
    match inner::<rustls::Error>(&error) {
        Some(fault) => LinkError::Handshake(target.tls.explain(fault, host)).into(),
        None => ConnectError::Server(error),
    }
}

/// What an operating system's error was made of.
fn inner<T: std::error::Error + 'static>(error: &tokio_postgres::Error) -> Option<&T> {
    let io = std::error::Error::source(error)?.downcast_ref::<std::io::Error>()?;
    io.get_ref()?.downcast_ref::<T>()
}

/// Whether the server is what `target_session_attrs` wants.
async fn fits(connected: &mut Connected, wanted: Wanted) -> Result<bool, ConnectError> {
    const QUESTION: &str = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    if wanted == Wanted::Any {
        return Ok(true);
    }
    let messages = tokio::select! {
        biased;
        answer = connected.client.simple_query(QUESTION) => answer.map_err(ConnectError::Server)?,
        _ = drive(&mut connected.connection, || {}) => return Err(LinkError::Socket(std::io::ErrorKind::UnexpectedEof.into()).into()),
    };
    let row = messages.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    let (recovery, read_only) = row.map_or((None, None), |row| (row.get(0), row.get(1)));
    Ok(match wanted {
        Wanted::Any => true,
        Wanted::ReadWrite => read_only == Some("off"),
        Wanted::ReadOnly => read_only == Some("on"),
        Wanted::Primary => recovery == Some("f"),
        Wanted::Standby | Wanted::PreferStandby => recovery == Some("t"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_loses_nobody_and_reaches_every_order() {
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
