//! One way to one server: a socket, encrypted or not, whose every byte from the server is watched.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Encrypted;

use super::account::Account;
use super::leave::Leave;
use super::target::Network;
use super::tls::{self, Client, PROTOCOL, Tls};
use super::watch::{Breach, Discarding, Policy, Watch};

/// Why there is no way.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The name means nothing, now.
    #[error("the host name {host} does not resolve")]
    Name {
        /// `host`.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// The network or the socket file.
    #[error(transparent)]
    Socket(io::Error),
    /// The server has no TLS, and the settings want it.
    #[error("the server does not speak TLS, which sslmode={0} wants; turn ssl on there, or write a weaker sslmode")]
    Unencrypted(&'static str),
    /// The server has trouble of its own (it could not start a process).
    #[error("the server failed before the TLS handshake; its log says why")]
    Trouble,
    /// Something else answers there.
    #[error("what answers there is not PostgreSQL, or not yet: it answered {0:#04x} to the offer of TLS")]
    Stranger(u8),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(String),
    /// The handshake succeeded, but not with PostgreSQL's protocol.
    #[error("the server did not confirm PostgreSQL's protocol in the TLS handshake; sslnegotiation=direct needs PostgreSQL 17 or newer")]
    Protocol,
    /// `sslcertmode=require`.
    #[error("the server did not ask for a client certificate, which sslcertmode=require wants")]
    NotAsked,
    /// `requirepeer`.
    #[error("the server runs as {found}, not as {wanted}, which requirepeer wants")]
    Peer {
        /// The account it runs as.
        found: String,
        /// `requirepeer`.
        wanted: String,
    },
    /// The server asked or said what it must not.
    #[error(transparent)]
    Breach(Breach),
}

/// Where to: an address, or the file of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Over the network.
    Network(SocketAddr),
    /// On this machine; an abstract name begins with NUL.
    Socket(PathBuf),
}

impl Place {
    /// The socket of a port in a folder, or with `@` of an abstract name.
    pub fn socket(folder: &str, port: u16) -> Self {
        let name = format!(".s.PGSQL.{port}");
        match folder.strip_prefix('@') {
            Some(name_space) => Self::Socket(PathBuf::from(format!("\0{name_space}/{name}"))),
            None => Self::Socket(Path::new(folder).join(name)),
        }
    }

    /// The address, if there is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(address.ip()),
            Self::Socket(_) => None,
        }
    }
}

/// Whether to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    Never,
    /// If the server can.
    Offered,
    /// Or not at all.
    Required,
}

/// How to get to one server.
#[derive(Clone, Debug)]
pub struct Way<'t> {
    /// Where it is.
    pub place: &'t Place,
    /// Its name, for its certificate.
    pub host: &'t str,
    /// Keepalives and the like.
    pub network: &'t Network,
    /// Settings about encryption.
    pub tls: &'t Tls,
    /// `requirepeer`.
    pub peer: Option<&'t str>,
}

enum Stream {
    Plain(TcpStream),
    Local(UnixStream),
    Encrypted(Box<Encrypted<TcpStream>>),
    /// To nobody: whatever is written is gone, and there is nothing to read.
    Closed,
}

/// An open way.
pub struct Link {
    stream: Stream,
    watch: Watch,
    leave: Leave,
    /// Whether bytes were given to it that are perhaps not a whole message yet.
    amid: bool,
}

impl Way<'_> {
    /// Opens it. `known` is the client of an earlier handshake with the same server.
    pub async fn open(
        &self,
        encryption: Encryption,
        policy: Policy,
        known: Option<&Client>,
    ) -> Result<(Link, Option<Client>), super::ConnectError> {
        let watch = Watch::new(policy);
        let address = match self.place {
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(LinkError::Socket)?;
                self.check_peer(&stream)?;
                return Ok((Link::of(Stream::Local(stream), watch), None));
            }
            Place::Network(address) => *address,
        };
        let mut stream = TcpStream::connect(address).await.map_err(LinkError::Socket)?;
        self.tune(&stream).map_err(LinkError::Socket)?;
        if encryption == Encryption::Never || !(self.tls.direct || self.offer(&mut stream, encryption).await?) {
            return Ok((Link::of(Stream::Plain(stream), watch), None));
        }
        let client = match known {
            Some(client) => client.clone(),
            None => self.tls.client(self.host, address.ip()).map_err(super::settings)?,
        };
        let connector = TlsConnector::from(client.config.clone());
        let stream = connector.connect(client.name.clone(), stream).await.map_err(|error| self.handshake_failed(error))?;
        if self.tls.direct && stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
            return Err(LinkError::Protocol.into());
        }
        if self.tls.certificates == tls::CertMode::Require && !client.was_asked() {
            return Err(LinkError::NotAsked.into());
        }
        Ok((Link::of(Stream::Encrypted(Box::new(stream)), watch), Some(client)))
    }

    /// Offers TLS as PostgreSQL's protocol has it (manual, 54.2.10), and says whether the server takes it.
    async fn offer(&self, stream: &mut TcpStream, encryption: Encryption) -> Result<bool, LinkError> {
        const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
        stream.write_all(&SSL_REQUEST).await.map_err(LinkError::Socket)?;
        // One byte alone: whatever else came with it would not be encrypted.
        match stream.read_u8().await.map_err(LinkError::Socket)? {
            b'S' => Ok(true),
            b'N' if encryption == Encryption::Required => Err(LinkError::Unencrypted(self.tls.mode.word())),
            b'N' => Ok(false),
            b'E' => Err(LinkError::Trouble),
            other => Err(LinkError::Stranger(other)),
        }
    }

    fn handshake_failed(&self, error: io::Error) -> LinkError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(fault) => LinkError::Handshake(self.tls.explain(fault, self.host)),
            None => LinkError::Socket(error),
        }
    }

    fn tune(&self, stream: &TcpStream) -> io::Result<()> {
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

    fn check_peer(&self, stream: &UnixStream) -> Result<(), LinkError> {
        let Some(wanted) = self.peer else { return Ok(()) };
        let uid = stream.peer_cred().map_err(LinkError::Socket)?.uid();
        let found = Account::of(uid).map_or(format!("user id {uid}"), |account| account.name);
        if found == wanted { Ok(()) } else { Err(LinkError::Peer { found, wanted: wanted.to_owned() }) }
    }
}

impl Link {
    fn of(stream: Stream, watch: Watch) -> Self {
        Self { stream, watch, leave: Leave::default(), amid: false }
    }

    /// A way that somebody else has opened, as tests do.
    pub fn over(stream: UnixStream, policy: Policy) -> Self {
        Self::of(Stream::Local(stream), Watch::new(policy))
    }

    /// A way to nobody.
    pub fn closed() -> Self {
        Self::of(Stream::Closed, Watch::new(Policy::default()))
    }

    /// To be told of messages whose rows are discarded.
    pub fn discarding(&self) -> Discarding {
        self.watch.discarding().clone()
    }

    /// To end it with.
    pub fn leave(&self) -> Leave {
        self.leave.clone()
    }

    /// Says goodbye and closes our side, as far as that goes at once: the end is the same without it.
    fn bid_farewell(&mut self, context: &mut Context<'_>) {
        if !self.amid && self.stream.poll_write(context, &Leave::TERMINATE).is_ready() {
            let _flushed = self.stream.poll_flush(context);
        }
        let _closed = self.stream.poll_shutdown(context);
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Encrypted(_))
    }

    /// The version of TLS, if any.
    pub fn version(&self) -> Option<&'static str> {
        match &self.stream {
            Stream::Encrypted(stream) => stream.get_ref().1.protocol_version().and_then(|version| version.as_str()),
            Stream::Plain(_) | Stream::Local(_) | Stream::Closed => None,
        }
    }
}

impl Stream {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Local(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Local(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Closed => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Local(stream) => Pin::new(stream).poll_flush(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(context),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Local(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.leave.is_wanted(context.waker()) {
            self.bid_farewell(context);
            // To the driver, the server is gone.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let link = &mut *self;
        let outcome = link.stream.poll_read(context, buffer);
        match link.watch.see(&buffer.filled()[before..]) {
            Ok(()) => outcome,
            Err(breach) => Poll::Ready(Err(io::Error::other(breach))),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.amid = true;
        self.stream.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.stream.poll_flush(context);
        self.amid &= !matches!(outcome, Poll::Ready(Ok(())));
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(context)
    }
}

impl TlsStream for Link {
    fn channel_binding(&self) -> ChannelBinding {
        let digest = match &self.stream {
            Stream::Encrypted(stream) => stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).and_then(tls::end_point),
            Stream::Plain(_) | Stream::Local(_) | Stream::Closed => None,
        };
        digest.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// A link lent to the driver, to be read to its end afterwards.
pub struct Lent<'l>(pub &'l mut Link);

impl AsyncRead for Lent<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Lent<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    /// It is the server that closes a cancel request's connection, once it has passed the request on. PgBouncer 1.18 ends
    /// itself (bad client state) when such a client leaves before.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Lent<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

/// To the driver, every link is one that has its TLS behind it: then it asks for the channel binding and does nothing else.
pub struct Ready;

impl<S: TlsStream + Unpin> TlsConnect<S> for Ready {
    type Stream = S;
    type Error = io::Error;
    type Future = std::future::Ready<Result<S, io::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connect::conninfo::Conninfo;
    use crate::connect::target::Target;

    #[test]
    fn a_connection_watches_the_network_as_the_settings_say() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let place = Place::Network(listener.local_addr().expect("an address"));
        let opened = |settings: &str| {
            let conninfo = Conninfo::parse(&format!("host=h user=u {settings}")).expect(settings);
            let target = Target::decide(&conninfo).expect(settings);
            let way = Way { place: &place, host: "h", network: &target.network, tls: &target.tls, peer: None };
            let opened = runtime.block_on(way.open(Encryption::Never, Policy::default(), None));
            let Ok((Link { stream: Stream::Plain(stream), .. }, None)) = opened else { panic!("not open") };
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
