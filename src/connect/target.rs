//! Everything that a try to connect needs, decided and checked from a [`Conninfo`].

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::conninfo::Conninfo;
use super::fault::{ConninfoError, SettingsError};
use super::passfile;
use super::tls::{CertMode, Mode, Roots, Tls, Version};
use super::watch::Methods;
use crate::environment::{Environment, Secret};

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Target {
    /// How a person names it, never with its password.
    pub address: String,
    /// In the order of the settings; at least one.
    pub hosts: Vec<Host>,
    /// Who logs in, and where to.
    pub login: Login,
    /// How a connection notices that the other side is gone.
    pub network: Network,
    /// Encryption.
    pub tls: Tls,
    /// What the server must be.
    pub wanted: Wanted,
    /// `load_balance_hosts=random`.
    pub shuffled: bool,
    /// `requirepeer`: the account that a local server must run as.
    pub peer: Option<String>,
}

/// One of the hosts.
#[derive(Clone, Debug)]
pub struct Host {
    /// `host`: a name, an address, or the folder of a socket; empty if only `hostaddr` is given.
    pub name: String,
    /// `hostaddr`: where to connect without a look-up.
    pub address: Option<IpAddr>,
    /// `port`.
    pub port: u16,
    /// From the settings, or for this host from the password file.
    pub password: Option<Secret>,
}

impl Host {
    /// Whether it is a socket of this machine: a folder, or with `@` an abstract name.
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.name.starts_with(['/', '@'])
    }

    /// How a person names it.
    pub fn place(&self) -> String {
        match self.address {
            Some(address) if self.name.is_empty() => format!("{address}:{}", self.port),
            _ => format!("{}:{}", self.name, self.port),
        }
    }
}

/// Who logs in, where to, and how that may be proven.
#[derive(Clone, Debug)]
pub struct Login {
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
    pub methods: Methods,
    /// Where a password could have come from, for who is asked for one.
    pub password_file: Option<PathBuf>,
}

/// `keepalives`, `keepalives_*`, `tcp_user_timeout`, `connect_timeout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
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

/// `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever answers.
    Any,
    /// Sessions may write there by default.
    ReadWrite,
    /// Sessions may not write there by default.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// In recovery, if one of the hosts is; else whatever answers.
    PreferStandby,
}

impl Wanted {
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

/// A lost network must not look like a slow statement: found out within half a minute.
const NETWORK: Network = Network {
    keepalives: true,
    idle: Duration::from_secs(10),
    interval: Duration::from_secs(5),
    count: 3,
    user_timeout: Duration::from_secs(25),
    connect_timeout: None,
};

impl Target {
    /// Where the environment and the files it names say to connect now; or all that is wrong with them.
    pub fn of(environment: &Environment) -> Result<Self, Vec<SettingsError>> {
        let (conninfo, target) = Self::check(environment)?;
        Ok(target.with_passwords(&conninfo))
    }

    /// The same but for the password file.
    pub fn check(environment: &Environment) -> Result<(Conninfo, Self), Vec<SettingsError>> {
        let (conninfo, mut faults) = Conninfo::gather(environment)?;
        match Self::decide(&conninfo) {
            Ok(target) if faults.is_empty() => return Ok((conninfo, target)),
            Ok(_) => {}
            Err(found) => faults.extend(found.into_iter().map(in_settings)),
        }
        Err(faults)
    }

    /// Decides everything but passwords from a file, or says all that is wrong.
    pub fn decide(conninfo: &Conninfo) -> Result<Self, Vec<ConninfoError>> {
        let mut read = Reader { conninfo, faults: Vec::new() };
        let user = conninfo.get("user").unwrap_or_default();
        if user.is_empty() {
            read.faults.push(ConninfoError::NoUser);
        }
        read.check_what_is_fixed();
        let target = Self {
            address: conninfo.address(),
            hosts: read.hosts(),
            login: Login {
                user: user.to_owned(),
                database: conninfo.get("dbname").unwrap_or(user).to_owned(),
                options: conninfo.get("options").map(str::to_owned),
                application: conninfo.get("application_name").or(conninfo.get("fallback_application_name")).map(str::to_owned),
                binding: read.choice(
                    "channel_binding",
                    &[("disable", ChannelBinding::Disable), ("prefer", ChannelBinding::Prefer), ("require", ChannelBinding::Require)],
                    "write disable, prefer or require",
                    ChannelBinding::Prefer,
                ),
                methods: read.methods(),
                password_file: conninfo.get("passfile").map(PathBuf::from).or(conninfo.home_file(".pgpass")),
            },
            network: read.network(),
            tls: read.tls(),
            wanted: read.choice(
                "target_session_attrs",
                &Wanted::WORDS,
                "write any, read-write, read-only, primary, standby or prefer-standby",
                Wanted::Any,
            ),
            shuffled: read.choice("load_balance_hosts", &[("disable", false), ("random", true)], "write disable or random", false),
            peer: conninfo.get("requirepeer").map(str::to_owned),
        };
        if read.faults.is_empty() { Ok(target) } else { Err(read.faults) }
    }

    /// Each host has the password that is set, or its own from the password file as it is now.
    fn with_passwords(mut self, conninfo: &Conninfo) -> Self {
        for host in &mut self.hosts {
            host.password = match (conninfo.get("password"), &self.login.password_file) {
                (Some(password), _) => Some(Secret::new(password.to_owned())),
                (None, Some(file)) => {
                    let name = host.address.filter(|_| host.name.is_empty()).map(|address| address.to_string());
                    let name = name.as_deref().unwrap_or(&host.name);
                    passfile::password(file, name, host.port, &self.login.database, &self.login.user)
                }
                (None, None) => None,
            }
            .filter(|password| !password.reveal().is_empty());
        }
        self
    }
}

/// A fault of a value, wherever the value comes from.
pub(super) fn in_settings(fault: ConninfoError) -> SettingsError {
    SettingsError::Conninfo { name: "connection settings".to_owned(), fault }
}

/// Reads values as their keywords want them, and collects what is wrong with them.
struct Reader<'c> {
    conninfo: &'c Conninfo,
    faults: Vec<ConninfoError>,
}

impl Reader<'_> {
    fn hosts(&mut self) -> Vec<Host> {
        let conninfo = self.conninfo;
        let list = |keyword: &str| -> Vec<&str> { conninfo.get(keyword).map(|value| value.split(',').collect()).unwrap_or_default() };
        let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = names.len().max(addresses.len()).max(1);
        if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
            self.faults.push(ConninfoError::Addresses { addresses: addresses.len(), hosts: names.len() });
        }
        if ports.len() > 1 && ports.len() != count {
            self.faults.push(ConninfoError::Ports { ports: ports.len(), hosts: count });
        }
        let host = |number: usize| {
            let port = match ports.get(number).or(ports.first()).map_or("", |port| port.trim()) {
                "" => 5432,
                port => port.parse().ok().filter(|port| *port > 0).ok_or(ConninfoError::Port)?,
            };
            let address = match addresses.get(number).copied().unwrap_or("") {
                "" => None,
                address => Some(IpAddr::from_str(address).map_err(|_| ConninfoError::Value {
                    keyword: "hostaddr",
                    value: address.to_owned(),
                    expected: "write an IP address; a name goes into host",
                })?),
            };
            let name = match (names.get(number).copied().unwrap_or(""), address) {
                ("", None) => default_host(port),
                (name, _) => name.to_owned(),
            };
            Ok(Host { name, address, port, password: None })
        };
        (0..count).filter_map(|number| host(number).map_err(|fault| self.faults.push(fault)).ok()).collect()
    }

    fn methods(&mut self) -> Methods {
        Methods::parse(self.conninfo.get("require_auth").unwrap_or("")).unwrap_or_else(|fault| {
            self.faults.push(fault);
            Methods::default()
        })
    }

    fn network(&mut self) -> Network {
        let mut positive = |keyword, otherwise| match self.number(keyword).and_then(|seconds| u64::try_from(seconds).ok()) {
            None | Some(0) => otherwise,
            Some(seconds) => Duration::from_secs(seconds),
        };
        let (idle, interval) = (positive("keepalives_idle", NETWORK.idle), positive("keepalives_interval", NETWORK.interval));
        let count = self.number("keepalives_count").and_then(|count| u32::try_from(count).ok());
        Network {
            keepalives: self.number("keepalives").unwrap_or(1) != 0,
            idle,
            interval,
            count: count.filter(|count| *count > 0).unwrap_or(NETWORK.count),
            user_timeout: match self.number("tcp_user_timeout") {
                Some(milliseconds) => Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)),
                None => NETWORK.user_timeout,
            },
            connect_timeout: match self.number("connect_timeout") {
                Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
                None => NETWORK.connect_timeout,
            },
        }
    }

    fn tls(&mut self) -> Tls {
        let conninfo = self.conninfo;
        let file = |keyword: &str, default: &str| match conninfo.get(keyword) {
            Some(path) => Some((PathBuf::from(path), true)),
            None => conninfo.home_file(&format!(".postgresql/{default}")).map(|path| (path, false)),
        };
        let roots = match conninfo.get("sslrootcert") {
            Some("system") => Roots::System,
            Some("builtin") => Roots::Builtin,
            _ => file("sslrootcert", "root.crt").map_or(Roots::Unknown, |(path, named)| Roots::File { path, named }),
        };
        let public = matches!(roots, Roots::System | Roots::Builtin);
        let default = if public { Mode::VerifyFull } else { Mode::Prefer };
        let before = self.faults.len();
        let mode = self.choice("sslmode", &Mode::WORDS, "write disable, allow, prefer, require, verify-ca or verify-full", default);
        let is_known = self.faults.len() == before;
        if public && mode != Mode::VerifyFull {
            // Anybody can have a certificate by a public authority: only the name tells the server from others.
            let (setting, instead) = ("public roots (sslrootcert)", "sslmode=verify-full");
            self.faults.push(ConninfoError::Weak { mode: mode.word(), setting, instead });
        }
        let direct = self.choice("sslnegotiation", &[("postgres", false), ("direct", true)], "write postgres or direct", false);
        if direct && is_known && matches!(mode, Mode::Disable | Mode::Allow | Mode::Prefer) {
            let (setting, instead) = ("sslnegotiation=direct", "sslmode=require or stronger");
            self.faults.push(ConninfoError::Weak { mode: mode.word(), setting, instead });
        }
        let versions = "write TLSv1.2 or TLSv1.3";
        let tls = Tls {
            mode,
            direct,
            roots,
            certificate: file("sslcert", "postgresql.crt"),
            key: file("sslkey", "postgresql.key").map(|(path, _)| path),
            certificates: self.choice(
                "sslcertmode",
                &[("disable", CertMode::Disable), ("allow", CertMode::Allow), ("require", CertMode::Require)],
                "write disable, allow or require",
                CertMode::Allow,
            ),
            revoked: file("sslcrl", "root.crl"),
            sni: self.choice("sslsni", &[("0", false), ("1", true)], "write 0 or 1", true),
            oldest: self.choice(
                "ssl_min_protocol_version",
                &[("TLSv1", Version::Tls12), ("TLSv1.1", Version::Tls12), ("TLSv1.2", Version::Tls12), ("TLSv1.3", Version::Tls13)],
                versions,
                Version::Tls12,
            ),
            newest: self.choice(
                "ssl_max_protocol_version",
                &[("TLSv1.2", Version::Tls12), ("TLSv1.3", Version::Tls13)],
                versions,
                Version::Tls13,
            ),
        };
        if tls.oldest == Version::Tls13 && tls.newest == Version::Tls12 {
            self.faults.push(ConninfoError::Value {
                keyword: "ssl_min_protocol_version",
                value: "TLSv1.3".to_owned(),
                expected: "that is above ssl_max_protocol_version",
            });
        }
        tls
    }

    /// Keywords whose one meaning is what pgmarch does anyway.
    fn check_what_is_fixed(&mut self) {
        let mut fixed = |keyword, words: &[&str], expected| {
            let words: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
            self.choice(keyword, &words, expected, ());
        };
        fixed("client_encoding", &["UTF8", "utf8", "UTF-8", "utf-8", "unicode", "UNICODE", "auto"], "pgmarch speaks UTF8");
        fixed("gssencmode", &["disable", "prefer"], "pgmarch speaks no GSSAPI; write disable");
        fixed("sslcompression", &["0"], "pgmarch never compresses; write 0");
        fixed("replication", &["0", "false", "off", "no", "n", "f"], "pgmarch needs an ordinary connection; take it out");
        fixed("min_protocol_version", &["3.0"], "pgmarch speaks version 3.0 of the protocol");
        fixed("max_protocol_version", &["3.0", "3.2", "latest"], "write 3.0, 3.2 or latest");
    }

    fn number(&mut self, keyword: &'static str) -> Option<i32> {
        let value = self.conninfo.get(keyword)?;
        let number = value.trim().parse().ok();
        if number.is_none() {
            self.faults.push(ConninfoError::Value { keyword, value: value.to_owned(), expected: "write a whole number" });
        }
        number
    }

    fn choice<T: Copy>(&mut self, keyword: &'static str, choices: &[(&str, T)], expected: &'static str, default: T) -> T {
        let Some(value) = self.conninfo.get(keyword) else { return default };
        match choices.iter().find(|(word, _)| *word == value) {
            Some((_, choice)) => *choice,
            None => {
                self.faults.push(ConninfoError::Value { keyword, value: value.to_owned(), expected });
                default
            }
        }
    }
}

/// Where libpq looks by default, Debian's and PostgreSQL's own: the folder with a server's socket; without any, this host.
fn default_host(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let found = ["/var/run/postgresql", "/tmp"].into_iter().find(|folder| Path::new(folder).join(&socket).exists());
    found.unwrap_or("localhost").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(text: &str) -> Result<Target, Vec<ConninfoError>> {
        Target::decide(&Conninfo::parse(text).expect(text))
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (text, word) in [
            ("host=h user=u port=0", "port"),
            ("host=h user=u port=x", "port"),
            ("hostaddr=name user=u", "hostaddr"),
            ("host=a,b,c user=u port=1,2", "2 ports for 3 hosts"),
            ("host=a,b hostaddr=::1 user=u", "1 values of hostaddr for 2 of host"),
            ("host=h user=u connect_timeout=soon", "connect_timeout"),
            ("host=h user=u target_session_attrs=x", "target_session_attrs"),
            ("host=h user=u sslmode=on", "sslmode"),
            ("host=h user=u sslrootcert=system sslmode=require", "too weak beside public roots"),
            ("host=h user=u sslnegotiation=direct", "sslmode=prefer is too weak beside sslnegotiation=direct"),
            ("host=h user=u ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "above ssl_max_protocol_version"),
            ("host=h user=u ssl_max_protocol_version=TLSv1.1", "ssl_max_protocol_version"),
            ("host=h user=u gssencmode=require", "gssencmode"),
            ("host=h user=u client_encoding=LATIN1", "client_encoding"),
            ("host=h user=u replication=database", "replication"),
            ("host=h user=u sslcompression=1", "sslcompression"),
            ("host=h user=u require_auth=md5,!none", "require_auth"),
            ("host=h", "no user"),
        ] {
            let [fault] = &decide(text).expect_err(text)[..] else { panic!("{text}") };
            assert!(fault.to_string().contains(word), "{text}: {fault}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let variables = [
            ("DATABASE_URL", "host=h,i user=u port=1,x krbsrvname=k nonsence=1 sslmode=on hostt=j"),
            ("PGCONNECT_TIMEOUT", "soon"),
            ("PGSSLCRLDIR", "/crl"),
        ];
        let environment =
            Environment::new(crate::environment::PROGRAM, variables.map(|(name, value)| (name.into(), value.into()))).expect("UTF-8");
        let found: Vec<String> = Target::of(&environment).expect_err("faults").iter().map(ToString::to_string).collect();
        let expected =
            ["`krbsrvname`", "no keyword of libpq", "did you mean `host`", "PGSSLCRLDIR", "`port`", "`connect_timeout`", "`sslmode`"];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn each_host_has_its_address_and_port() {
        let target = decide("user=u host=a,/run,,d hostaddr=127.0.0.1,,::1, port=1,,3,").expect("sound");
        let places: Vec<(String, Option<String>, bool)> =
            target.hosts.iter().map(|host| (host.place(), host.address.map(|address| address.to_string()), host.is_socket())).collect();
        let place = |place: &str, address: Option<&str>, socket| (place.to_owned(), address.map(str::to_owned), socket);
        let expected = [
            place("a:1", Some("127.0.0.1"), false),
            place("/run:5432", None, true),
            place("::1:3", Some("::1"), false),
            place("d:5432", None, false),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn what_is_not_said_is_libpqs_default_with_a_watchful_network() {
        let target = decide("host=h user=u keepalives_idle=-1").expect("sound");
        assert_eq!((target.network, target.tls.mode, target.wanted), (NETWORK, Mode::Prefer, Wanted::Any));
        assert_eq!(target.login.database, "u");
        let target = decide("host=h user=u sslrootcert=builtin tcp_user_timeout=0 connect_timeout=-1").expect("sound");
        assert_eq!((target.tls.mode, target.network.user_timeout), (Mode::VerifyFull, Duration::ZERO));
        assert_eq!(target.network.connect_timeout, Some(Duration::ZERO));
    }
}
