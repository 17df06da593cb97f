//! The parts of a target.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use crate::environment::Secret;
use crate::protocol::AuthMethods;

/// A host of the target.
#[derive(Clone, Debug)]
pub struct TargetHost {
    /// `host`: a name, an address, or the folder of a socket; empty if only `hostaddr` is given.
    pub name: String,
    /// `hostaddr`: the address, so that the name is not resolved.
    pub address: Option<IpAddr>,
    /// `port`.
    pub port: u16,
    /// The password of the settings, or of the password file for this host.
    pub password: Option<Secret>,
}

impl TargetHost {
    /// Whether it is a Unix socket: a folder, or an abstract name that begins with `@`.
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.name.starts_with(['/', '@'])
    }

    /// For messages: `host:port`.
    pub fn label(&self) -> String {
        match self.address {
            Some(address) if self.name.is_empty() => format!("{address}:{}", self.port),
            _ => format!("{}:{}", self.name, self.port),
        }
    }
}

/// User, database, and how the login may be authenticated.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// `user`.
    pub user: String,
    /// `dbname`, else the user's name.
    pub database: String,
    /// `options`.
    pub options: Option<String>,
    /// `application_name`, else `fallback_application_name`.
    pub application: Option<String>,
    /// `channel_binding`.
    pub binding: ChannelBinding,
    /// `require_auth`.
    pub methods: AuthMethods,
    /// The password file, whether or not it exists.
    pub password_file: Option<PathBuf>,
}

/// `keepalives`, `keepalives_*`, `tcp_user_timeout`, `connect_timeout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// `keepalives=0`: none.
    pub keepalives: bool,
    /// `keepalives_idle`.
    pub idle: Duration,
    /// `keepalives_interval`.
    pub interval: Duration,
    /// `keepalives_count`.
    pub count: u32,
    /// `tcp_user_timeout`; zero is the system's.
    pub user_timeout: Duration,
    /// `connect_timeout` for each address; zero is as long as the whole wait.
    pub connect_timeout: Option<Duration>,
}

/// `target_session_attrs`: the kind of server to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetSessionAttrs {
    /// Any server.
    Any,
    /// Sessions are read-write by default.
    ReadWrite,
    /// Sessions are read-only by default.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// In recovery, if one of the hosts is; otherwise any server.
    PreferStandby,
}

impl TargetSessionAttrs {
    /// libpq's words.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("any", Self::Any),
        ("read-write", Self::ReadWrite),
        ("read-only", Self::ReadOnly),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("prefer-standby", Self::PreferStandby),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, wanted)| *wanted == self).map_or("", |(word, _)| word)
    }
}

/// Defaults that are stricter than libpq's: a lost network must not look like a slow statement, so it is noticed within half a
/// minute.
pub(super) const NETWORK: NetworkSettings = NetworkSettings {
    keepalives: true,
    idle: Duration::from_secs(10),
    interval: Duration::from_secs(5),
    count: 3,
    user_timeout: Duration::from_secs(25),
    connect_timeout: None,
};
