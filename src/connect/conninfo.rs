//! Where to connect, in libpq's words: URL, key=value string, variables (PostgreSQL manual, 34.1.1 and 34.15).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use crate::config::{ConfigFault, Environment, Secret};
use crate::revision::nearest;

/// Variables of the environment and the keyword that each fills.
pub const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSERVICE", "service"),
    ("PGSERVICEFILE", "servicefile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
];

/// libpq's keywords that pgmarch does what they say.
const HONOURED: [&str; 20] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "connect_timeout",
    "options",
    "application_name",
    "fallback_application_name",
    "client_encoding",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "target_session_attrs",
    "load_balance_hosts",
    "sslmode",
    "channel_binding",
];

/// libpq's keywords that pgmarch knows and can't do: an error by name, not silence.
const REFUSED: [&str; 27] = [
    "passfile",
    "require_auth",
    "sslnegotiation",
    "sslcompression",
    "sslcert",
    "sslkey",
    "sslkeylogfile",
    "sslpassword",
    "sslcertmode",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "min_protocol_version",
    "max_protocol_version",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "replication",
];

/// What is wrong with a connection string. No part of a value that may be secret is ever in it.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ConninfoError {
    #[error("neither a URL (postgres://USER@HOST:5432/DATABASE) nor a key=value string (host=HOST dbname=DATABASE)")]
    Form,
    #[error("the URL's scheme is `{0}`; write postgres:// or postgresql://")]
    Scheme(String),
    #[error("the URL has an `@` too many: inside a user or password write it as %40, or give the password as PGPASSWORD")]
    At,
    #[error("`%` must be followed by two hexadecimal digits; write a plain `%` as %25, or give the password as PGPASSWORD")]
    Percent,
    #[error("the value of `{0}` is not UTF-8 after percent-decoding")]
    NotUtf8(String),
    #[error("an IPv6 address needs its closing `]`")]
    Bracket,
    #[error("after keyword {0} there is no `=`; write keyword=value, and values with spaces in single quotes")]
    NoEquals(usize),
    #[error("a single quote is not closed")]
    Quote,
    #[error("`{found}` is not a keyword of libpq{}", .nearest.as_ref().map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default())]
    Keyword { found: String, nearest: Option<String> },
    #[error("`{0}` is a keyword of libpq that pgmarch does not honour; take it out")]
    Refused(String),
    #[error("`{keyword}` is `{value}`; {expected}")]
    Value { keyword: &'static str, value: String, expected: &'static str },
    #[error("there are {ports} ports for {hosts} hosts; give one for all or one for each")]
    Ports { ports: usize, hosts: usize },
    #[error("no user is named; put it in the URL or set PGUSER")]
    NoUser,
}

/// Keywords and values, from wherever they come; the first source that names a keyword wins.
#[derive(Clone, Debug, Default)]
pub struct Conninfo(BTreeMap<&'static str, Secret>);

impl Conninfo {
    /// Reads a URL or a key=value string.
    pub fn parse(text: &str) -> Result<Self, ConninfoError> {
        let text = text.trim();
        let pairs = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['=', ' ', '\'']) => url(scheme, rest)?,
            _ if text.contains('=') => key_values(text)?,
            _ => return Err(ConninfoError::Form),
        };
        let mut conninfo = Self::default();
        for (keyword, value) in pairs {
            let keyword = known(&keyword)?;
            if keyword == "dbname" && (value.contains("://") || value.contains('=')) {
                return Err(ConninfoError::Value {
                    keyword,
                    value: "another connection string".to_owned(),
                    expected: "write the name alone",
                });
            }
            conninfo.0.insert(keyword, Secret::new(value));
        }
        Ok(conninfo)
    }

    /// What the environment says now: the URL, and what it leaves open from libpq's variables.
    pub fn resolve(environment: &Environment) -> Result<Self, ConfigFault> {
        let mut conninfo = Self::default();
        let mut found = false;
        for name in ["PGMARCH_DATABASE_URL", "DATABASE_URL"] {
            if let Some(value) = environment.value(name)? {
                conninfo = Self::parse(value.reveal()).map_err(|source| ConfigFault::Conninfo { name: name.to_owned(), source })?;
                found = true;
                break;
            }
        }
        for (name, keyword) in VARIABLES {
            let Some(value) = environment.value(name)? else { continue };
            let keyword = known(keyword)
                .map_err(|_| ConfigFault::Conninfo { name: (*name).to_owned(), source: ConninfoError::Refused((*name).to_owned()) })?;
            found |= matches!(keyword, "host" | "hostaddr" | "dbname");
            conninfo.0.entry(keyword).or_insert(value);
        }
        if !found {
            return Err(ConfigFault::NoDatabase);
        }
        if let (None, Some(user)) = (conninfo.0.get("user"), environment.value("USER")?) {
            conninfo.0.insert("user", user);
        }
        Ok(conninfo)
    }

    /// As the driver takes it, everything checked.
    pub fn config(&self) -> Result<Config, ConninfoError> {
        let mut config = Config::new();
        let user = self.get("user").ok_or(ConninfoError::NoUser)?;
        config.user(user).dbname(self.get("dbname").unwrap_or(user));
        if let Some(password) = self.get("password") {
            config.password(password);
        }
        self.hosts(&mut config)?;
        if let Some(options) = self.get("options") {
            config.options(options);
        }
        if let Some(name) = self.get("application_name").or(self.get("fallback_application_name")) {
            config.application_name(name);
        }
        self.network(&mut config)?;
        config.ssl_mode(self.choice(
            "sslmode",
            &[("disable", SslMode::Disable), ("allow", SslMode::Disable), ("prefer", SslMode::Prefer)],
            "disable, allow and prefer are known; this build makes no encrypted connection",
            SslMode::Prefer,
        )?);
        config.channel_binding(self.choice(
            "channel_binding",
            &[("disable", ChannelBinding::Disable), ("prefer", ChannelBinding::Prefer), ("require", ChannelBinding::Require)],
            "write disable, prefer or require",
            ChannelBinding::Prefer,
        )?);
        config.target_session_attrs(self.choice(
            "target_session_attrs",
            &[("any", TargetSessionAttrs::Any), ("read-write", TargetSessionAttrs::ReadWrite), ("read-only", TargetSessionAttrs::ReadOnly)],
            "write any, read-write or read-only",
            TargetSessionAttrs::Any,
        )?);
        config.load_balance_hosts(self.choice(
            "load_balance_hosts",
            &[("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)],
            "write disable or random",
            LoadBalanceHosts::Disable,
        )?);
        self.choice(
            "client_encoding",
            &[("UTF8", ()), ("utf8", ()), ("UTF-8", ()), ("utf-8", ()), ("auto", ())],
            "pgmarch speaks UTF8",
            (),
        )?;
        Ok(config)
    }

    /// How a person names this database: `user@host:port/dbname`, never the password.
    pub fn address(&self) -> String {
        let hosts = self.get("host").or(self.get("hostaddr")).unwrap_or("localhost");
        let user = self.get("user").unwrap_or("");
        format!("{user}@{hosts}:{}/{}", self.get("port").unwrap_or("5432"), self.get("dbname").unwrap_or(user))
    }

    fn get(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).map(Secret::reveal).filter(|value| !value.is_empty())
    }

    fn hosts(&self, config: &mut Config) -> Result<(), ConninfoError> {
        let list = |keyword: &str| -> Vec<&str> { self.get(keyword).map(|value| value.split(',').collect()).unwrap_or_default() };
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = hosts.len().max(addresses.len()).max(1);
        if ports.len() > 1 && ports.len() != count {
            return Err(ConninfoError::Ports { ports: ports.len(), hosts: count });
        }
        if hosts.is_empty() && addresses.is_empty() {
            config.host(default_host());
        }
        for host in hosts {
            config.host(if host.is_empty() { default_host() } else { host });
        }
        for address in addresses {
            let parsed: IpAddr = address.parse().map_err(|_| ConninfoError::Value {
                keyword: "hostaddr",
                value: address.to_owned(),
                expected: "write an IP address; a name goes into host",
            })?;
            config.hostaddr(parsed);
        }
        for port in ports {
            let parsed = if port.is_empty() { Ok(5432) } else { port.parse() };
            match parsed {
                Ok(number) if number > 0 => config.port(number),
                _ => {
                    return Err(ConninfoError::Value {
                        keyword: "port",
                        value: port.to_owned(),
                        expected: "write a number from 1 to 65535",
                    });
                }
            };
        }
        Ok(())
    }

    fn network(&self, config: &mut Config) -> Result<(), ConninfoError> {
        // A lost network must not look like a slow statement: found out within half a minute.
        config.keepalives(self.number("keepalives")?.unwrap_or(1) != 0);
        config.keepalives_idle(Duration::from_secs(self.number("keepalives_idle")?.filter(|idle| *idle > 0).unwrap_or(10)));
        config.keepalives_interval(Duration::from_secs(self.number("keepalives_interval")?.filter(|interval| *interval > 0).unwrap_or(5)));
        config.keepalives_retries(self.number("keepalives_count")?.filter(|count| *count > 0).unwrap_or(3));
        config.tcp_user_timeout(Duration::from_millis(self.number("tcp_user_timeout")?.unwrap_or(25_000)));
        if let Some(seconds) = self.number::<u64>("connect_timeout")?.filter(|seconds| *seconds > 0) {
            config.connect_timeout(Duration::from_secs(seconds));
        }
        Ok(())
    }

    fn number<T: std::str::FromStr>(&self, keyword: &'static str) -> Result<Option<T>, ConninfoError> {
        let Some(value) = self.get(keyword) else { return Ok(None) };
        let invalid = |_| ConninfoError::Value { keyword, value: value.to_owned(), expected: "write a whole number" };
        value.trim().parse().map(Some).map_err(invalid)
    }

    fn choice<T: Copy>(
        &self,
        keyword: &'static str,
        choices: &[(&str, T)],
        expected: &'static str,
        default: T,
    ) -> Result<T, ConninfoError> {
        let Some(value) = self.get(keyword) else { return Ok(default) };
        let invalid = || ConninfoError::Value { keyword, value: value.to_owned(), expected };
        choices.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice).ok_or_else(invalid)
    }
}

fn known(keyword: &str) -> Result<&'static str, ConninfoError> {
    if let Some(known) = HONOURED.iter().find(|known| **known == keyword) {
        return Ok(known);
    }
    if REFUSED.contains(&keyword) {
        return Err(ConninfoError::Refused(keyword.to_owned()));
    }
    Err(ConninfoError::Keyword { found: keyword.to_owned(), nearest: nearest(keyword, HONOURED) })
}

/// libpq's own default: the socket folder that exists, else this host.
fn default_host() -> &'static str {
    ["/var/run/postgresql", "/tmp"].into_iter().find(|folder| Path::new(folder).join(".s.PGSQL.5432").exists()).unwrap_or("localhost")
}

/// `[user[:password]@][host[:port][,…]][/dbname][?keyword=value&…]`, percent-encoded.
fn url(scheme: &str, rest: &str) -> Result<Vec<(String, String)>, ConninfoError> {
    // SQLAlchemy's `dialect+driver`: the driver is its own affair.
    if !matches!(scheme.split_once('+').map_or(scheme, |(dialect, _)| dialect), "postgres" | "postgresql") {
        return Err(ConninfoError::Scheme(scheme.chars().take(20).collect()));
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    if userinfo.contains('@') || dbname.contains('@') {
        return Err(ConninfoError::At);
    }
    let mut pairs = Vec::new();
    let mut add = |keyword: &str, value: &str| -> Result<(), ConninfoError> {
        if !value.is_empty() {
            pairs.push((keyword.to_owned(), decode(keyword, value)?));
        }
        Ok(())
    };
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    add("user", user)?;
    add("password", password)?;
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(bracketed) => {
                let (address, after) = bracketed.split_once(']').ok_or(ConninfoError::Bracket)?;
                (address, after.strip_prefix(':').unwrap_or(after))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(name);
        ports.push(port);
    }
    if names.iter().any(|name| !name.is_empty()) {
        add("host", &names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        add("port", &ports.join(","))?;
    }
    add("dbname", dbname)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or(ConninfoError::NoEquals(1))?;
        match (decode(keyword, keyword)?.as_str(), value) {
            // asyncpg's name for sslmode, and JDBC's for `require`, both of which libpq's URL users meet.
            ("ssl", "true") => add("sslmode", "require")?,
            ("ssl", _) => add("sslmode", value)?,
            (keyword, _) => add(keyword, value)?,
        }
    }
    Ok(pairs)
}

fn decode(keyword: &str, text: &str) -> Result<String, ConninfoError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let [high, low, after @ ..] = after else { return Err(ConninfoError::Percent) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(ConninfoError::Percent);
        let value = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| ConninfoError::Percent)?;
        if value == 0 {
            return Err(ConninfoError::Percent);
        }
        bytes.push(value);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| ConninfoError::NotUtf8(keyword.to_owned()))
}

/// `keyword = value keyword='quoted \' value' …`
fn key_values(text: &str) -> Result<Vec<(String, String)>, ConninfoError> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').ok_or(ConninfoError::NoEquals(pairs.len() + 1))?;
        let keyword = keyword.trim();
        if keyword.is_empty() || keyword.contains(char::is_whitespace) {
            return Err(ConninfoError::NoEquals(pairs.len() + 1));
        }
        let mut characters = after.trim_start().chars();
        let quoted = characters.as_str().starts_with('\'');
        if quoted {
            characters.next();
        }
        let mut value = String::new();
        loop {
            match characters.next() {
                Some('\\') => value.extend(characters.next()),
                Some('\'') if quoted => break,
                None if quoted => return Err(ConninfoError::Quote),
                None => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
            }
        }
        pairs.push((keyword.to_owned(), value));
        rest = characters.as_str().trim_start();
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let conninfo = Conninfo::parse(text).expect(text);
        conninfo.0.iter().map(|(keyword, value)| format!("{keyword}={}", value.reveal())).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        for (text, expected) in [
            (
                "postgresql+asyncpg://marchproxy:pw@postgres:5432/marchproxy",
                "dbname=marchproxy host=postgres password=pw port=5432 user=marchproxy",
            ),
            ("postgres://u:p%40%3A%2F%25@h/d", "dbname=d host=h password=p@:/% user=u"),
            ("postgres://u@[::1]:5433/d", "dbname=d host=::1 port=5433 user=u"),
            ("postgres://%2Fvar%2Frun/d?user=u", "dbname=d host=/var/run user=u"),
            ("postgres:///d?host=/tmp&port=1&connect_timeout=3", "connect_timeout=3 dbname=d host=/tmp port=1"),
            ("postgres://a:1,b:2/d", "dbname=d host=a,b port=1,2"),
            ("postgres://a:b:c@h", "host=h password=b:c user=a"),
        ] {
            assert_eq!(read(text), expected);
        }
    }

    #[test]
    fn key_value_strings_are_read_as_libpq_reads_them() {
        assert_eq!(read("host = h  dbname=d password='a b\\'c' user=u\\ v"), "dbname=d host=h password=a b'c user=u v");
    }

    #[test]
    fn faults_never_show_the_value() {
        for text in [
            "hunter2",
            "mysql://u:hunter2@h/d",
            "postgres://u:hunt@er2@h/d",
            "postgres://u:%zz@h",
            "host=h password='hunter2",
            "postgres://[::1:hunter2/d",
            "host=h hunter2",
            "postgres://h/d?foo=hunter2",
            "sslcrl=hunter2",
        ] {
            let shown = Conninfo::parse(text).expect_err(text).to_string();
            assert!(!shown.contains("hunter2") && !shown.contains("er2@"), "{text}: {shown}");
        }
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (text, word) in [
            ("host=h user=u port=0", "port"),
            ("hostaddr=name user=u", "hostaddr"),
            ("host=a,b,c user=u port=1,2", "2 ports for 3 hosts"),
            ("host=h user=u connect_timeout=soon", "connect_timeout"),
            ("host=h user=u target_session_attrs=x", "target_session_attrs"),
            ("host=h", "no user"),
        ] {
            let shown = Conninfo::parse(text).expect("readable").config().expect_err(text).to_string();
            assert!(shown.contains(word), "{text}: {shown}");
        }
    }

    #[test]
    fn variables_fill_what_the_url_leaves_open() {
        let variables = [("DATABASE_URL", "postgres://h/d"), ("PGHOST", "other"), ("PGUSER", "u"), ("PGPASSWORD", "p")];
        let environment = Environment::new(variables.map(|(name, value)| (name.into(), value.into()))).expect("UTF-8");
        let conninfo = Conninfo::resolve(&environment).expect("sound");
        assert_eq!(conninfo.address(), "u@h:5432/d");
        assert_eq!(conninfo.get("password"), Some("p"));
    }
}
