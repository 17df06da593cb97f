//! One address of a server, and how to open a stream to it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::error::EndpointError;
use super::files_cell::TlsFilesCell;
use super::{PgStream, Transport};
use crate::account::Account;
use crate::error::{ConnectError, unusable};
use crate::protocol::{AuthPolicy, ProtocolGuard};
use crate::target::NetworkSettings;
use crate::tls::{CertMode, PROTOCOL, TlsSettings};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Network(SocketAddr),
    /// The path of a Unix socket; an abstract name begins with NUL.
    Socket(PathBuf),
}

impl Address {
    /// The Unix socket of a port in a folder; a folder that begins with `@` is an abstract name.
    pub fn socket(folder: &str, port: u16) -> Self {
        let name = format!(".s.PGSQL.{port}");
        match folder.strip_prefix('@') {
            Some(name_space) => Self::Socket(PathBuf::from(format!("\0{name_space}/{name}"))),
            None => Self::Socket(Path::new(folder).join(name)),
        }
    }

    /// The IP address, unless it is a Unix socket.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(address.ip()),
            Self::Socket(_) => None,
        }
    }
}

/// Whether the stream is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// No TLS.
    Never,
    /// TLS if the server speaks it.
    Offered,
    /// TLS, or no connection.
    Required,
}

/// An address and the settings that a stream to it is opened with.
#[derive(Clone, Debug)]
pub struct Endpoint<'t> {
    /// Where the server listens.
    pub address: &'t Address,
    /// The host name, which the server's certificate is checked for.
    pub host: &'t str,
    /// Keepalives and timeouts of the socket.
    pub network: &'t NetworkSettings,
    /// TLS settings.
    pub tls: &'t TlsSettings,
    /// What their files hold, from when a server first accepts TLS.
    pub files: &'t TlsFilesCell,
    /// `requirepeer`.
    pub peer: Option<&'t str>,
}

impl Endpoint<'_> {
    /// Opens a stream.
    pub async fn open(&self, encryption: Encryption, policy: AuthPolicy) -> Result<PgStream, ConnectError> {
        let guard = ProtocolGuard::new(policy);
        let address = match self.address {
            Address::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(EndpointError::Socket)?;
                self.check_peer(&stream).await?;
                return Ok(PgStream::of(Transport::Local(stream), guard));
            }
            Address::Network(address) => *address,
        };
        let mut stream = TcpStream::connect(address).await.map_err(EndpointError::Socket)?;
        self.configure_socket(&stream).map_err(EndpointError::Socket)?;
        if encryption == Encryption::Never || !(self.tls.direct || self.request_tls(&mut stream, encryption).await?) {
            return Ok(PgStream::of(Transport::Plain(stream), guard));
        }
        let files = self.files.read(self.tls).await?;
        let client = self.tls.client(&files, self.host, address.ip()).map_err(unusable)?;
        let connector = TlsConnector::from(client.config.clone());
        let stream = connector.connect(client.name.clone(), stream).await.map_err(|error| self.handshake_failed(error))?;
        if self.tls.direct && stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
            return Err(EndpointError::NoAlpn.into());
        }
        if self.tls.certificates == CertMode::Require && !client.was_certificate_requested() {
            return Err(EndpointError::NotAsked.into());
        }
        Ok(PgStream::of(Transport::Encrypted(Box::new(stream)), guard))
    }

    /// Sends `SSLRequest` (PostgreSQL manual, 54.2.10); returns whether the server accepts TLS.
    async fn request_tls(&self, stream: &mut TcpStream, encryption: Encryption) -> Result<bool, EndpointError> {
        const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
        stream.write_all(&SSL_REQUEST).await.map_err(EndpointError::Socket)?;
        // The answer is one byte. Nothing more is read: further bytes would not be encrypted (a man in the middle could inject them).
        match stream.read_u8().await.map_err(EndpointError::Socket)? {
            b'S' => Ok(true),
            b'N' if encryption == Encryption::Required => Err(EndpointError::Unencrypted(self.tls.mode.word())),
            b'N' => Ok(false),
            b'E' => Err(EndpointError::ServerStartup),
            other => Err(EndpointError::NotPostgres(other)),
        }
    }

    fn handshake_failed(&self, error: io::Error) -> EndpointError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(fault) => EndpointError::Handshake(self.tls.explain(fault, self.host)),
            None => EndpointError::Socket(error),
        }
    }

    fn configure_socket(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if !self.network.user_timeout.is_zero() {
            socket.set_tcp_user_timeout(Some(self.network.user_timeout))?;
        }
        if self.network.keepalives {
            let keepalive = TcpKeepalive::new().with_time(self.network.idle).with_interval(self.network.interval);
            socket.set_tcp_keepalive(&keepalive.with_retries(self.network.count))?;
        }
        Ok(())
    }

    async fn check_peer(&self, stream: &UnixStream) -> Result<(), EndpointError> {
        let Some(wanted) = self.peer else { return Ok(()) };
        let uid = stream.peer_cred().map_err(EndpointError::Socket)?.uid();
        let account = tokio::task::spawn_blocking(move || Account::of(uid)).await.ok().flatten();
        let found = account.map_or(format!("user id {uid}"), |account| account.name);
        if found == wanted { Ok(()) } else { Err(EndpointError::Peer { found, wanted: wanted.to_owned() }) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conninfo::Conninfo;
    use crate::target::ConnectTarget;

    #[test]
    fn a_connection_watches_the_network_as_the_settings_say() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = Address::Network(listener.local_addr().expect("an address"));
        let opened = |settings: &str| {
            let conninfo = Conninfo::parse(&format!("host=h user=u {settings}")).expect(settings);
            let target = ConnectTarget::decide(&conninfo).expect(settings);
            let files = TlsFilesCell::default();
            let (network, tls) = (&target.network, &target.tls);
            let endpoint = Endpoint { address: &address, host: "h", network, tls, files: &files, peer: None };
            let opened = runtime.block_on(endpoint.open(Encryption::Never, AuthPolicy::default()));
            let Ok(PgStream { transport: Transport::Plain(stream), .. }) = opened else { panic!("not open") };
            stream
        };
        let seconds = Duration::from_secs;
        let watched = |stream: &TcpStream| {
            let socket = SockRef::from(stream);
            assert!(socket.keepalive().expect("a flag"));
            let (idle, interval) = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval());
            (idle.expect("idle"), interval.expect("interval"), socket.tcp_keepalive_retries().expect("count"))
        };
        let stream = opened("keepalives_idle=42 keepalives_interval=6 keepalives_count=4 tcp_user_timeout=7000");
        assert_eq!(watched(&stream), (seconds(42), seconds(6), 4));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("a time"), Some(seconds(7)));
        let stream = opened("");
        assert_eq!(watched(&stream), (seconds(10), seconds(5), 3));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("a time"), Some(seconds(25)));
        let stream = opened("keepalives=0 tcp_user_timeout=0");
        assert!(!SockRef::from(&stream).keepalive().expect("a flag"));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("a time"), None);
    }
}
