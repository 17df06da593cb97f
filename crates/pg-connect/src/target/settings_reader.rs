//! Values of keywords, checked.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::settings::{NETWORK, NetworkSettings, TargetHost};
use crate::conninfo::Conninfo;
use crate::conninfo::error::{ConninfoError, for_program};
use crate::file;
use crate::protocol::AuthMethods;
use crate::tls::{CertMode, TlsMode, TlsSettings, TlsVersion, TrustRoots};

/// Reads the values of keywords, and collects the faults of all of them.
pub(super) struct SettingsReader<'c> {
    pub(super) conninfo: &'c Conninfo,
    pub(super) faults: Vec<ConninfoError>,
}

impl SettingsReader<'_> {
    pub(super) fn hosts(&mut self) -> Vec<TargetHost> {
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
                    expected: "write an IP address; a name goes into host".into(),
                })?),
            };
            let name = match (names.get(number).copied().unwrap_or(""), address) {
                ("", None) => default_host(port),
                (name, _) => name.to_owned(),
            };
            Ok(TargetHost { name, address, port, password: None })
        };
        (0..count).filter_map(|number| host(number).map_err(|fault| self.faults.push(fault)).ok()).collect()
    }

    pub(super) fn auth_methods(&mut self) -> AuthMethods {
        AuthMethods::parse(self.conninfo.get("require_auth").unwrap_or("")).unwrap_or_else(|fault| {
            self.faults.push(fault);
            AuthMethods::default()
        })
    }

    pub(super) fn network(&mut self) -> NetworkSettings {
        // Linux accepts no more (`tcp.h`: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT).
        const LONGEST_KEEPALIVE: i32 = 32767;
        const MOST_KEEPALIVES: i32 = 127;
        let mut positive =
            |keyword, otherwise| match self.number(keyword, LONGEST_KEEPALIVE).and_then(|seconds| u64::try_from(seconds).ok()) {
                None | Some(0) => otherwise,
                Some(seconds) => Duration::from_secs(seconds),
            };
        let (idle, interval) = (positive("keepalives_idle", NETWORK.idle), positive("keepalives_interval", NETWORK.interval));
        let count = self.number("keepalives_count", MOST_KEEPALIVES).and_then(|count| u32::try_from(count).ok());
        NetworkSettings {
            keepalives: self.number("keepalives", i32::MAX).unwrap_or(1) != 0,
            idle,
            interval,
            count: count.filter(|count| *count > 0).unwrap_or(NETWORK.count),
            user_timeout: match self.number("tcp_user_timeout", i32::MAX) {
                Some(milliseconds) => Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)),
                None => NETWORK.user_timeout,
            },
            connect_timeout: match self.number("connect_timeout", i32::MAX) {
                Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
                None => NETWORK.connect_timeout,
            },
        }
    }

    pub(super) fn tls(&mut self) -> TlsSettings {
        let conninfo = self.conninfo;
        let file = |keyword: &str, default: &str| match conninfo.get(keyword) {
            Some(path) => Some((PathBuf::from(path), true)),
            None => conninfo.home_file(&format!(".postgresql/{default}")).map(|path| (path, false)),
        };
        let roots = match conninfo.get("sslrootcert") {
            Some("system") => TrustRoots::System,
            Some("builtin") => TrustRoots::Builtin,
            _ => file("sslrootcert", "root.crt").map_or(TrustRoots::Unknown, |(path, named)| TrustRoots::File { path, named }),
        };
        let public = matches!(roots, TrustRoots::System | TrustRoots::Builtin);
        let default = if public { TlsMode::VerifyFull } else { TlsMode::Prefer };
        let before = self.faults.len();
        let mode = self.choice("sslmode", &TlsMode::WORDS, "write disable, allow, prefer, require, verify-ca or verify-full", default);
        let is_known = self.faults.len() == before;
        if public && mode != TlsMode::VerifyFull {
            // Public authorities issue certificates to everyone: only the host name identifies the server.
            let (setting, instead) = ("public roots (sslrootcert)", "sslmode=verify-full");
            self.faults.push(ConninfoError::Weak { mode: mode.word(), setting, instead });
        }
        let direct = self.choice("sslnegotiation", &[("postgres", false), ("direct", true)], "write postgres or direct", false);
        if direct && is_known && matches!(mode, TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer) {
            let (setting, instead) = ("sslnegotiation=direct", "sslmode=require or stronger");
            self.faults.push(ConninfoError::Weak { mode: mode.word(), setting, instead });
        }
        let versions = "write TLSv1.2 or TLSv1.3";
        let tls = TlsSettings {
            program: conninfo.program().name,
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
                &[
                    ("TLSv1", TlsVersion::Tls12),
                    ("TLSv1.1", TlsVersion::Tls12),
                    ("TLSv1.2", TlsVersion::Tls12),
                    ("TLSv1.3", TlsVersion::Tls13),
                ],
                versions,
                TlsVersion::Tls12,
            ),
            newest: self.choice(
                "ssl_max_protocol_version",
                &[("TLSv1.2", TlsVersion::Tls12), ("TLSv1.3", TlsVersion::Tls13)],
                versions,
                TlsVersion::Tls13,
            ),
        };
        if tls.oldest == TlsVersion::Tls13 && tls.newest == TlsVersion::Tls12 {
            self.faults.push(ConninfoError::Value {
                keyword: "ssl_min_protocol_version",
                value: "TLSv1.3".to_owned(),
                expected: "that is above ssl_max_protocol_version".into(),
            });
        }
        tls
    }

    /// Keywords that support one behavior only.
    pub(super) fn check_fixed_keywords(&mut self) {
        let mut fixed = |keyword, words: &[&str], expected| {
            let words: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
            self.choice(keyword, &words, expected, ());
        };
        fixed("client_encoding", &["UTF8", "utf8", "UTF-8", "utf-8", "unicode", "UNICODE", "auto"], "{program} speaks UTF8");
        fixed("gssencmode", &["disable", "prefer"], "{program} speaks no GSSAPI; write disable");
        fixed("sslcompression", &["0"], "{program} never compresses; write 0");
        fixed("replication", &["0", "false", "off", "no", "n", "f"], "{program} needs an ordinary connection; take it out");
        fixed("min_protocol_version", &["3.0"], "{program} speaks version 3.0 of the protocol");
        fixed("max_protocol_version", &["3.0", "3.2", "latest"], "write 3.0, 3.2 or latest");
    }

    fn number(&mut self, keyword: &'static str, greatest: i32) -> Option<i32> {
        let value = self.conninfo.get(keyword)?;
        let number = value.trim().parse().ok().filter(|number| *number <= greatest);
        if number.is_none() {
            let expected = format!("write a whole number up to {greatest}").into();
            self.faults.push(ConninfoError::Value { keyword, value: value.to_owned(), expected });
        }
        number
    }

    pub(super) fn choice<T: Copy>(&mut self, keyword: &'static str, choices: &[(&str, T)], expected: &'static str, default: T) -> T {
        let Some(value) = self.conninfo.get(keyword) else { return default };
        match choices.iter().find(|(word, _)| *word == value) {
            Some((_, choice)) => *choice,
            None => {
                let expected = for_program(expected, self.conninfo.program().name);
                self.faults.push(ConninfoError::Value { keyword, value: value.to_owned(), expected });
                default
            }
        }
    }
}

/// libpq's default host: a folder with a server's socket, Debian's or PostgreSQL's own; without one, `localhost`.
fn default_host(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let found = ["/var/run/postgresql", "/tmp"].into_iter().find(|folder| file::exists(&Path::new(folder).join(&socket)));
    found.unwrap_or("localhost").to_owned()
}
