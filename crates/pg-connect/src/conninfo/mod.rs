//! libpq's connection settings: a connection string, then a service file, then environment variables (PostgreSQL manual, 34.1.1,
//! 34.17 and 34.15). The first source that sets a keyword decides it.
//!
//! No crate reads them all: tokio-postgres' own `Config` parses a connection string, but has neither certificates, password files and
//! services nor `require_auth` and `requirepeer`; postgres-service reads service files, and pg-client-config those, a password file and
//! ten of the variables, into that same `Config`. None tells which source a wrong value comes from, or what libpq takes and it does not.

pub(crate) mod error;
mod foreign;
pub(crate) mod keyword;
mod parameter;
mod parse;
mod service;

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use keyword::{KEYWORDS, Keyword};

use crate::account::Account;
use crate::conninfo::error::{ConninfoError, SettingsError};
use crate::environment::{Environment, Program, Secret};
use parameter::{Parameter, SCHEMA, checked, current, known, taken};
use parse::Pair;

/// The folder of the system's service file unless `PGSYSCONFDIR` is set: that of Debian's libpq.
const SYSTEM_SETTINGS: &str = "/etc/postgresql-common";

/// Keywords and their values, from all sources.
#[derive(Clone, Debug, Default)]
pub struct Conninfo {
    values: BTreeMap<&'static str, Secret>,
    /// The home folder, which holds libpq's default files.
    home: Option<PathBuf>,
    /// The program that connects.
    program: Program,
    /// Parameters that were ignored because they only concern other drivers, each with its source.
    ignored: Vec<(String, &'static str)>,
}

impl Conninfo {
    /// Reads a URL or a key=value string. If a keyword occurs twice, the last one counts.
    pub fn parse(text: &str) -> Result<Self, ConninfoError> {
        let mut faults = Vec::new();
        let conninfo = Self::read("", text, Program::default(), &mut faults)?;
        faults.into_iter().next().map_or(Ok(conninfo), Err)
    }

    /// Reads what can be read; keywords that are not supported go to `faults`.
    fn read(source: &str, text: &str, program: Program, faults: &mut Vec<ConninfoError>) -> Result<Self, ConninfoError> {
        let mut conninfo = Self { program, ..Self::default() };
        for pair in parse::read(text)? {
            let pair = current(pair);
            match taken(&pair, program) {
                Ok(Parameter::Supported(keyword)) => drop(conninfo.values.insert(keyword, Secret::new(pair.value))),
                Ok(Parameter::Ignored(name)) => conninfo.ignored.push((source.to_owned(), name)),
                Err(fault) => faults.push(fault),
            }
        }
        Ok(conninfo)
    }

    /// Reads the environment and the files that it names, now; or all faults of the settings.
    pub fn resolve(environment: &Environment) -> Result<Self, Vec<SettingsError>> {
        let (conninfo, faults) = Self::gather(environment)?;
        if faults.is_empty() { Ok(conninfo) } else { Err(faults) }
    }

    /// The supported settings of the environment, and the faults of the others. An error means that a source can't be read at all,
    /// so that the settings are not known.
    pub fn gather(environment: &Environment) -> Result<(Self, Vec<SettingsError>), Vec<SettingsError>> {
        let mut conninfo = Self { program: environment.program(), ..Self::default() };
        let (mut unread, mut faults) = (Vec::new(), Vec::new());
        let mut found = false;
        for name in environment.program().connection_strings {
            let outcome = match environment.value(name) {
                Ok(None) => continue,
                Ok(Some(value)) => conninfo.take_string(name, value.reveal(), &mut faults),
                Err(fault) => Err(fault.into()),
            };
            unread.extend(outcome.err());
            found = true;
            break;
        }
        let mut variables = BTreeMap::new();
        for keyword in KEYWORDS.iter().filter(|keyword| !keyword.variable.is_empty()) {
            match environment.value(keyword.variable) {
                Ok(Some(value)) => drop(variables.insert(keyword.name, value)),
                Ok(None) => {}
                Err(fault) => unread.push(fault.into()),
            }
        }
        let account = LazyCell::new(Account::of_process);
        let home = environment.plain("HOME").map(str::to_owned).or_else(|| account.as_ref().map(|account| account.home.clone()));
        conninfo.home = home.filter(|home| !home.is_empty()).map(PathBuf::from);
        match conninfo.fill_from_service(environment, &variables, &mut faults) {
            Ok(named) => found |= named,
            Err(fault) => unread.push(fault),
        }
        for keyword in KEYWORDS {
            let Some(value) = variables.remove(keyword.name) else { continue };
            match known(keyword.name, conninfo.program).and_then(|name| checked(name, value.reveal())) {
                Ok(name) => {
                    found |= matches!(name, "host" | "hostaddr" | "dbname");
                    conninfo.values.entry(name).or_insert(value);
                }
                Err(fault) => faults.push(SettingsError::Conninfo { name: environment.source(keyword.variable), fault }),
            }
        }
        if !unread.is_empty() {
            unread.append(&mut faults);
            return Err(unread);
        }
        if !found {
            faults.push(SettingsError::NoDatabase { variables: environment.program().connection_strings });
            return Err(faults);
        }
        if let Some(wanted) = environment.plain("PGREQUIRESSL").filter(|wanted| wanted.starts_with('1')) {
            // libpq still reads this obsolete variable where `sslmode` is not set.
            let mode = current(Pair::new("requiressl", wanted.to_owned())).value;
            conninfo.values.entry("sslmode").or_insert(Secret::new(mode));
        }
        if conninfo.get("user").is_none()
            && let Some(name) = account.as_ref().map(|account| account.name.as_str()).or(environment.plain("USER"))
        {
            conninfo.values.insert("user", Secret::new(name.to_owned()));
        }
        Ok((conninfo, faults))
    }

    /// Starts with the connection string in the variable `name`.
    fn take_string(&mut self, name: &str, text: &str, faults: &mut Vec<SettingsError>) -> Result<(), SettingsError> {
        let of = |fault| SettingsError::Conninfo { name: name.to_owned(), fault };
        let mut found = Vec::new();
        *self = Self::read(name, text, self.program, &mut found).map_err(of)?;
        faults.extend(found.into_iter().map(of));
        Ok(())
    }

    /// Adds the settings of the service, if one is named; returns whether one is.
    fn fill_from_service(
        &mut self,
        environment: &Environment,
        variables: &BTreeMap<&str, Secret>,
        faults: &mut Vec<SettingsError>,
    ) -> Result<bool, SettingsError> {
        let setting = |keyword: &str| self.get(keyword).or(variables.get(keyword).map(Secret::reveal)).map(str::to_owned);
        let Some(name) = setting("service") else { return Ok(false) };
        let named = setting("servicefile").map(PathBuf::from);
        let system = Path::new(environment.plain("PGSYSCONFDIR").unwrap_or(SYSTEM_SETTINGS)).join("pg_service.conf");
        let own = self.home.as_ref().filter(|_| named.is_none()).map(|home| home.join(".pg_service.conf"));
        let others: Vec<PathBuf> = own.into_iter().chain([system]).collect();
        let of = |fault| SettingsError::Conninfo { name: format!("service {name}"), fault };
        for pair in service::look_up(&name, named.as_deref(), &others, self.program.name).map_err(of)? {
            match taken(&pair, self.program) {
                Ok(Parameter::Supported(keyword)) => drop(self.values.entry(keyword).or_insert(Secret::new(pair.value))),
                Ok(Parameter::Ignored(ignored)) => self.ignored.push((format!("service {name}"), ignored)),
                Err(fault) => faults.push(of(fault)),
            }
        }
        Ok(true)
    }

    /// The program that connects.
    pub fn program(&self) -> Program {
        self.program
    }

    /// The same settings with another database.
    pub fn with_database(mut self, name: &str) -> Self {
        self.values.insert("dbname", Secret::new(name.to_owned()));
        self
    }

    /// The settings as a key=value string, which may contain a password.
    pub fn text(&self) -> Secret {
        let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
        Secret::new(
            self.values.iter().map(|(keyword, value)| format!("{keyword}='{}'", quoted(value.reveal()))).collect::<Vec<_>>().join(" "),
        )
    }

    /// A value that is set and not empty: an empty one stands for the default.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword).map(Secret::reveal).filter(|value| !value.is_empty())
    }

    /// `schema`, Prisma's parameter for the search path. The program that connects sets it, because a pooler may refuse it in
    /// `options`.
    pub fn schema(&self) -> Option<&str> {
        self.get(SCHEMA)
    }

    /// Parameters of other drivers that are ignored, each with its source: a variable or a service.
    pub fn ignored(&self) -> &[(String, &'static str)] {
        &self.ignored
    }

    /// The path of one of libpq's files in the home folder, such as `.pgpass`.
    pub fn home_file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(name))
    }

    /// Every keyword that is set, with its value.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        self.values.iter().map(|(keyword, value)| (*keyword, value))
    }

    /// The database for messages: `user@host:port/dbname`, several hosts separated by commas, never the password.
    pub fn address(&self) -> String {
        let hosts = self.get("host").or(self.get("hostaddr")).unwrap_or("localhost");
        let ports: Vec<&str> = self.get("port").unwrap_or("").split(',').collect();
        let place = |(number, host): (usize, &str)| {
            let (host, port) =
                (if host.is_empty() { "localhost" } else { host }, ports.get(number).or(ports.first()).copied().unwrap_or(""));
            format!("{host}:{}", if port.is_empty() { "5432" } else { port })
        };
        let places: Vec<String> = hosts.split(',').enumerate().map(place).collect();
        let user = self.get("user").unwrap_or("");
        format!("{user}@{}/{}", places.join(","), self.get("dbname").unwrap_or(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let conninfo = Conninfo::parse(text).expect(text);
        conninfo.values().map(|(keyword, value)| format!("{keyword}={}", value.reveal())).collect::<Vec<_>>().join(" ")
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
            ("postgres://h/d?password=", "dbname=d host=h password="),
            ("postgres://h/d?ssl=true&options=-c%20a=b", "dbname=d host=h options=-c a=b sslmode=require"),
            ("postgres://,/", "host=, port=,"),
            ("postgres://h/d?pgbouncer=true&connection_limit=1&schema=My%20App&pool_max_conns=9", "dbname=d host=h schema=My App"),
            ("postgres://h/d?ssl=verify-full", "dbname=d host=h sslmode=verify-full"),
        ] {
            assert_eq!(read(text), expected);
        }
    }

    #[test]
    fn key_value_strings_are_read_as_libpq_reads_them() {
        assert_eq!(read("host = h  dbname=d password='a b\\'c' user=u\\ v"), "dbname=d host=h password=a b'c user=u v");
        assert_eq!(read("password=a\u{a0}b requiressl=1 host=x host=y"), "host=y password=a\u{a0}b sslmode=require");
    }

    #[test]
    fn an_address_has_every_host_and_no_password() {
        for (text, expected) in [
            ("postgres://u:p@a:1,b:2/d", "u@a:1,b:2/d"),
            ("host=a,b port=3 user=u", "u@a:3,b:3/u"),
            ("hostaddr=::1 user=u dbname=d", "u@::1:5432/d"),
        ] {
            assert_eq!(Conninfo::parse(text).expect(text).address(), expected);
        }
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
            "postgres://u:hunter2/d",
            "postgres://u:hunt?er2@h/d",
            "postgres://u:hunt?hunter2=1@h/d",
            "postgres://h/d?foo=hunter2",
            "sslpassword=hunter2",
            "dbname=postgres://u:hunter2@h",
            "dbname='password=hunter2'",
            "aHVudGVyMg-hunter2==",
            "postgres://u:12?hunter2=1@h/d",
            "postgres://u:12/3?hunter2=1@h/d",
            "host=h password=x hunter2=y",
            "host=h password=x y=1 hunter2=y",
            "host='hunter2\n'",
            "postgres://u:hunter2%0A@h/d",
            "postgres://u:hunter2%00@h/d",
            "postgres://h/d?ssl=hunter2",
        ] {
            let shown = Conninfo::parse(text).expect_err(text).to_string();
            assert!(!shown.contains("hunter2") && !shown.contains("er2@"), "{text}: {shown}");
        }
    }

    #[test]
    fn a_keyword_that_is_not_honoured_is_named_with_what_to_do() {
        for keyword in KEYWORDS.iter().filter(|keyword| !keyword.refused.is_empty()) {
            let shown = Conninfo::parse(&format!("host=h {}=x", keyword.name)).expect_err(keyword.name).to_string();
            assert!(
                shown.contains(&format!("`{}`", keyword.name)) && shown.ends_with(&keyword.refused.replace("{program}", "this program")),
                "{shown}"
            );
        }
        let shown = Conninfo::parse("hots=h").expect_err("a typing mistake").to_string();
        assert_eq!(shown, "`hots` is not a keyword of libpq (did you mean `host`?)");
    }

    #[test]
    fn a_parameter_that_is_unknown_or_unsafe_to_ignore_is_refused_by_name() {
        for (text, expected) in [
            ("postgres://h/d?frobnicate=1", "`frobnicate` is not a keyword of libpq; take it out"),
            ("host=h frobnicate=1", "`frobnicate` is not a keyword of libpq; take it out"),
            ("postgres://u@h/d?conection_limit=1", "(did you mean `connection_limit`?)"),
            ("postgres://h/d?sslaccept=accept_invalid_certs", "`sslaccept` is another driver's parameter: write sslmode=verify-full"),
            ("postgres://h/d?search_path=app", "`search_path` is another driver's parameter: write options=-c%20search_path=SCHEMA"),
            ("postgres://h/d?ssl=1", "`ssl` is neither true nor a mode of libpq; write sslmode=disable"),
            ("postgres://h/d?user=me%0A", "`user` has a newline at its end; take it out"),
            ("host='a\tb'", "`host` has a tab as character 2"),
            ("postgres://h/d?dbname=%00", "the value of `dbname` has a NUL"),
        ] {
            let shown = Conninfo::parse(text).expect_err(text).to_string();
            assert!(shown.contains(expected), "{text}: {shown}");
        }
        assert!(Conninfo::parse("host=h options='-c a=b\n'").is_ok(), "the server splits options at white space");
    }

    #[test]
    fn a_string_comes_before_the_service_and_the_service_before_variables() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("services");
        std::fs::write(&file, "[mine]\nport=2\ndbname=service\napplication_name=service\n").expect("written");
        let path = file.to_str().expect("UTF-8");
        let variables = [
            ("DATABASE_URL", "postgres://h/?service=mine&application_name=string"),
            ("PGSERVICEFILE", path),
            ("PGHOST", "other"),
            ("PGPORT", "3"),
            ("PGUSER", "u"),
            ("PGPASSWORD", "p"),
        ];
        let environment = Environment::new(Program::default(), variables.map(|(name, value)| (name.into(), value.into()))).expect("UTF-8");
        let conninfo = Conninfo::resolve(&environment).expect("sound");
        assert_eq!(conninfo.address(), "u@h:2/service");
        assert_eq!((conninfo.get("password"), conninfo.get("application_name")), (Some("p"), Some("string")));
    }
}
