//! Everything that an attempt to connect needs, decided and checked from a [`Conninfo`].

mod passfile;
#[cfg(test)]
mod properties;
mod settings;
mod settings_reader;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::config::ChannelBinding;
use tracing::info;

use passfile::PasswordFile;
pub use settings::{LoginSettings, NetworkSettings, TargetHost, TargetSessionAttrs};
use settings_reader::SettingsReader;

use crate::conninfo::Conninfo;
use crate::conninfo::error::{ConninfoError, SettingsError, in_settings};
use crate::environment::{Environment, Secret};
use crate::tls::TlsSettings;

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct ConnectTarget {
    /// For messages: `user@host:port/dbname`, never with the password.
    pub address: String,
    /// The hosts in the order of the settings; at least one.
    pub hosts: Vec<TargetHost>,
    /// The login.
    pub login: LoginSettings,
    /// Keepalives and timeouts of the socket.
    pub network: NetworkSettings,
    /// TLS settings.
    pub tls: TlsSettings,
    /// `target_session_attrs`.
    pub wanted: TargetSessionAttrs,
    /// `load_balance_hosts=random`.
    pub shuffled: bool,
    /// `requirepeer`: the account that a local server must run as.
    pub peer: Option<String>,
    /// The program's name, for messages.
    pub program: &'static str,
}

impl ConnectTarget {
    /// Reads the environment and the files that it names, now; or all faults of the settings.
    pub fn of(environment: &Environment) -> Result<Self, Vec<SettingsError>> {
        let (conninfo, target) = Self::check(&environment.for_one_try())?;
        log_ignored(&conninfo);
        Ok(target.with_passwords(&conninfo))
    }

    /// The same without the password file.
    pub fn check(environment: &Environment) -> Result<(Conninfo, Self), Vec<SettingsError>> {
        let (conninfo, mut faults) = Conninfo::gather(environment)?;
        match Self::decide(&conninfo) {
            Ok(target) if faults.is_empty() => return Ok((conninfo, target)),
            Ok(_) => {}
            Err(found) => faults.extend(found.into_iter().map(in_settings)),
        }
        Err(faults)
    }

    /// Decides everything but the password of a password file; or all faults of the settings.
    pub fn decide(conninfo: &Conninfo) -> Result<Self, Vec<ConninfoError>> {
        let mut read = SettingsReader { conninfo, faults: Vec::new() };
        let user = conninfo.get("user").unwrap_or_default();
        if user.is_empty() {
            read.faults.push(ConninfoError::NoUser);
        }
        read.check_fixed_keywords();
        let target = Self {
            address: conninfo.address(),
            hosts: read.hosts(),
            login: LoginSettings {
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
                methods: read.auth_methods(),
                password_file: conninfo.get("passfile").map(PathBuf::from).or(conninfo.home_file(".pgpass")),
            },
            network: read.network(),
            tls: read.tls(),
            wanted: read.choice(
                "target_session_attrs",
                &TargetSessionAttrs::WORDS,
                "write any, read-write, read-only, primary, standby or prefer-standby",
                TargetSessionAttrs::Any,
            ),
            shuffled: read.choice("load_balance_hosts", &[("disable", false), ("random", true)], "write disable or random", false),
            peer: conninfo.get("requirepeer").map(str::to_owned),
            program: conninfo.program().name,
        };
        if read.faults.is_empty() { Ok(target) } else { Err(read.faults) }
    }

    /// Gives each host the password of the settings, or the one that the password file has for it.
    fn with_passwords(mut self, conninfo: &Conninfo) -> Self {
        let given = conninfo.get("password");
        let file = if given.is_some() { None } else { self.login.password_file.as_deref().and_then(PasswordFile::read) };
        for host in &mut self.hosts {
            let name = host.address.filter(|_| host.name.is_empty()).map(|address| address.to_string());
            let name = name.as_deref().unwrap_or(&host.name);
            let in_file = || file.as_ref().and_then(|file| file.password(name, host.port, &self.login.database, &self.login.user));
            let password = given.map(|password| Secret::new(password.to_owned())).or_else(in_file);
            host.password = password.filter(|password| !password.reveal().is_empty());
        }
        self
    }
}

/// Names the parameters that are ignored because they only concern other drivers, once in the life of the process.
fn log_ignored(conninfo: &Conninfo) {
    static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut by_source: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (source, name) in conninfo.ignored() {
        by_source.entry(source).or_default().push(format!("`{name}`"));
    }
    for (source, names) in by_source {
        let line = format!("{source}: ignoring {}, which only other drivers need", names.join(", "));
        if LOGGED.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
            info!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::settings::NETWORK;
    use super::*;
    use crate::environment::Program;
    use crate::tls::TlsMode;

    fn decide(text: &str) -> Result<ConnectTarget, Vec<ConninfoError>> {
        ConnectTarget::decide(&Conninfo::parse(text).expect(text))
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
            ("host=h user=u keepalives_idle=40000", "`keepalives_idle` is `40000`; write a whole number up to 32767"),
            ("host=h user=u keepalives_count=128", "keepalives_count"),
            ("host=h user=u connect_timeout=99999999999", "write a whole number up to 2147483647"),
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
    fn all_faults_are_reported_at_once() {
        let variables = [
            ("DATABASE_URL", "host=h,i user=u port=1,x krbsrvname=k nonsence=1 sslmode=on hostt=j"),
            ("PGCONNECT_TIMEOUT", "soon"),
            ("PGSSLCRLDIR", "/crl"),
        ];
        let environment = Environment::new(Program::default(), variables.map(|(name, value)| (name.into(), value.into()))).expect("UTF-8");
        let found: Vec<String> = ConnectTarget::of(&environment).expect_err("faults").iter().map(ToString::to_string).collect();
        let expected = ["`krbsrvname`", "`nonsence`", "did you mean `host`", "PGSSLCRLDIR", "`port`", "`connect_timeout`", "`sslmode`"];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn each_host_has_its_address_and_port() {
        let target = decide("user=u host=a,/run,,d hostaddr=127.0.0.1,,::1, port=1,,3,").expect("sound");
        let places: Vec<(String, Option<String>, bool)> =
            target.hosts.iter().map(|host| (host.label(), host.address.map(|address| address.to_string()), host.is_socket())).collect();
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
        assert_eq!((target.network, target.tls.mode, target.wanted), (NETWORK, TlsMode::Prefer, TargetSessionAttrs::Any));
        assert_eq!(target.login.database, "u");
        let target = decide("host=h user=u sslrootcert=builtin tcp_user_timeout=0 connect_timeout=-1").expect("sound");
        assert_eq!((target.tls.mode, target.network.user_timeout), (TlsMode::VerifyFull, Duration::ZERO));
        assert_eq!(target.network.connect_timeout, Some(Duration::ZERO));
    }
}
