//! Settings: what the environment says (`Raw`, by `envy`), then what it means ([`Config`]), decided and checked once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::connect::fault::SettingsError;
use crate::connect::target::Target;
use crate::connect::wait::Widen;
use crate::environment::{Environment, EnvironmentError};
use crate::exit::{Exit, Explain};
use crate::sql::{Ident, SearchPath, TableName};
use crate::words::nearest;

/// One setting: its name, its default as the docs print it, and its meaning.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable; with `_FILE` appended, the file that holds the value.
    pub name: &'static str,
    /// The default in words; empty where there is none.
    pub default: &'static str,
    /// One line.
    pub meaning: &'static str,
}

/// One table for the raw settings, their names and their documentation.
macro_rules! settings {
    ($($field:ident, $name:literal, $default:literal, $meaning:literal;)*) => {
        /// What the environment says, before anything is decided.
        #[derive(Debug)]
        #[allow(dead_code, reason = "the connection settings are read anew at each try, by connect::conninfo")]
        struct Raw { $($field: Option<String>,)* }

        impl From<BTreeMap<String, String>> for Raw {
            fn from(mut found: BTreeMap<String, String>) -> Self {
                Self { $($field: found.remove(stringify!($field)),)* }
            }
        }

        /// Every `PGMARCH_` setting, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting { name: $name, default: $default, meaning: $meaning },)*];
    };
}

settings! {
    database_url, "PGMARCH_DATABASE_URL", "", "where to connect: a libpq URL or key=value string; then DATABASE_URL, then PGHOST…";
    migrations, "PGMARCH_MIGRATIONS", "/migrations, else ./migrations", "folder of revisions";
    command, "PGMARCH_COMMAND", "upgrade", "the verb, with its words, when no argument is given";
    target, "PGMARCH_TARGET", "head", "the revision to be at";
    wait_timeout, "PGMARCH_WAIT_TIMEOUT", "60s", "how long to wait for the server";
    wait_for, "PGMARCH_WAIT_FOR", "", "refusals to wait for as well: password, database, rights, tls, all, or SQLSTATEs, comma separated";
    run_lock_timeout, "PGMARCH_RUN_LOCK_TIMEOUT", "10m", "how long to wait for another runner";
    lock_timeout, "PGMARCH_LOCK_TIMEOUT", "5s", "how long a statement of a revision waits for a lock";
    statement_timeout, "PGMARCH_STATEMENT_TIMEOUT", "0", "how long a statement of a revision may run";
    retry_for, "PGMARCH_RETRY_FOR", "5m", "how long to try again after a lost connection or a lock timeout";
    transaction, "PGMARCH_TRANSACTION", "revision", "one transaction for each revision, or for the whole run: revision, run";
    version_table, "PGMARCH_VERSION_TABLE", "alembic_version", "table that says where the database is, [SCHEMA.]NAME";
    ledger_schema, "PGMARCH_LEDGER_SCHEMA", "pgmarch", "schema of the ledger";
    role, "PGMARCH_ROLE", "", "role to SET ROLE to, for revisions and bookkeeping";
    model_url, "PGMARCH_MODEL_URL", "", "a database that holds the model, instead of schema.sql: what an ORM made";
    scratch_url, "PGMARCH_SCRATCH_URL", "", "where create, check and diff may make databases for a moment; default: the same server";
    search_path, "PGMARCH_SEARCH_PATH", "", "search path of the revisions";
    snapshot, "PGMARCH_SNAPSHOT", "on in sidecar, off in other commands", "whether a run that changed something saves a snapshot of the catalog for check: on, off";
    trust_owner, "PGMARCH_TRUST_OWNER", "", "further roles that may own the version table, the ledger and the code on them, comma separated";
    ahead, "PGMARCH_AHEAD", "allow", "a database ahead of these files: allow (unless by a breaking revision), refuse";
    confirm, "PGMARCH_CONFIRM", "", "yes: downgrade without asking";
    listen, "PGMARCH_LISTEN", "0.0.0.0:8080", "sidecar: where probes and metrics are answered, ADDRESS:PORT";
    check_every, "PGMARCH_CHECK_EVERY", "30s", "sidecar: how often database and folder are looked at";
    apply_changes, "PGMARCH_APPLY_CHANGES", "false", "sidecar: whether revisions that are added to the folder are applied: true, false";
    log, "PGMARCH_LOG", "info", "what to log: off, error, warn, info, debug, trace, or MODULE=LEVEL, comma separated";
    log_format, "PGMARCH_LOG_FORMAT", "auto", "text, json, or auto: text on a terminal, JSON lines elsewhere";
    termination_log, "PGMARCH_TERMINATION_LOG", "/dev/termination-log where it exists", "file for the cause of a failure, as short JSON";
}

/// One thing wrong with the settings. Values that may be secret are never part of it.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ConfigFault {
    #[error("{found} is not a setting{}; `pgmarch --help` lists them", .nearest.as_ref().map(|name| format!(" (did you mean {name}?)")).unwrap_or_default())]
    Unknown { found: String, nearest: Option<String> },
    #[error("{name} is `{value}`, which is no duration; write 500ms, 30s, 5m, 1h, or 0 for off")]
    Duration { name: &'static str, value: String },
    #[error("{name} is `{value}`; write {expected}")]
    Choice { name: &'static str, value: String, expected: &'static str },
    #[error(
        "{name} is `{value}`, which can't be a name in PostgreSQL: it must be 1 to 63 bytes without a NUL, and a version table at most SCHEMA.NAME"
    )]
    Name { name: &'static str, value: String },
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Connection(#[from] SettingsError),
}

/// All faults of the settings.
#[derive(Debug, Error)]
#[error("the settings are wrong")]
pub struct ConfigError(pub Vec<ConfigFault>);

impl Explain for ConfigError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn next_step(&self) -> Cow<'static, str> {
        "mend the settings above; `pgmarch --help` lists them with their defaults".into()
    }

    fn faults(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// One transaction for each revision, or for all of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// Each revision commits on its own.
    Revision,
    /// All pending revisions commit together.
    Run,
}

/// What to do about a database that is ahead of these files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Carry on with a warning, unless a breaking revision is in between.
    Allow,
    /// Stop.
    Refuse,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Every setting, decided and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the revisions are.
    pub migrations: PathBuf,
    /// The words of `PGMARCH_COMMAND`.
    pub command: Vec<String>,
    /// The name of the revision to be at, not yet looked up.
    pub target: String,
    /// How long to wait for the server.
    pub wait_timeout: Duration,
    /// Refusals that are waited for as well.
    pub wait_for: Widen,
    /// How long to wait for another runner.
    pub run_lock_timeout: Duration,
    /// `lock_timeout` of the revisions; zero is off.
    pub lock_timeout: Duration,
    /// `statement_timeout` of the revisions; zero is off.
    pub statement_timeout: Duration,
    /// How long to try again after a lost connection or a lock timeout.
    pub retry_for: Duration,
    /// What commits together.
    pub transaction: Transaction,
    /// The version table; without a schema, the one on the search path.
    pub version_table: TableName,
    /// The ledger's schema.
    pub ledger_schema: Ident,
    /// The role that owns what revisions make.
    pub role: Option<Ident>,
    /// The search path of the revisions, as SQL takes it.
    pub search_path: Option<SearchPath>,
    /// Whether a run saves a snapshot of the catalog; by default the command decides.
    pub snapshot: Option<Snapshots>,
    /// Roles that may own our tables, and the code on them, beside those that could do harm anyway.
    pub trust_owner: Vec<Ident>,
    /// What to do about a database that is ahead.
    pub ahead: Ahead,
    /// Whether a downgrade needs no more asking.
    pub confirmed: bool,
    /// Where the sidecar answers.
    pub listen: SocketAddr,
    /// How often the sidecar looks; never zero.
    pub check_every: Duration,
    /// What the sidecar does about a folder that changes.
    pub changes: Changes,
}

/// Whether a run that changed something saves a snapshot of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// It does.
    On,
    /// It does not: nothing is written but the version table and the journal.
    Off,
}

/// What becomes of revisions that are added while the sidecar stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// They are reported as pending.
    Report,
    /// They are applied.
    Apply,
}

/// What is needed to report anything, known even if the other settings are wrong.
#[derive(Clone, Debug)]
pub struct Reporting {
    /// Level and modules, as `tracing_subscriber` takes them.
    pub filter: tracing_subscriber::filter::Targets,
    /// How log lines look.
    pub format: LogFormat,
    /// Where the cause of a failure is written for Kubernetes.
    pub termination_log: Option<PathBuf>,
}

/// Where Kubernetes looks for a container's last words (its documentation, "Determine the Reason for Pod Failure").
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Collects faults while values are decided, so that all are reported at once.
#[derive(Default)]
struct Decide(Vec<ConfigFault>);

impl Decide {
    fn duration(&mut self, name: &'static str, value: Option<String>, default: Duration) -> Duration {
        let Some(value) = value else { return default };
        match value.trim() {
            "0" => Duration::ZERO,
            text => humantime::parse_duration(text).unwrap_or_else(|_| {
                self.0.push(ConfigFault::Duration { name, value });
                default
            }),
        }
    }

    fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        value: Option<String>,
        expected: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(value) = value else { return default };
        match choices.iter().find(|(word, _)| *word == value.trim()) {
            Some((_, choice)) => *choice,
            None => {
                self.0.push(ConfigFault::Choice { name, value, expected });
                default
            }
        }
    }

    fn listen(&mut self, value: Option<String>) -> SocketAddr {
        let default = SocketAddr::from(([0, 0, 0, 0], 8080));
        let Some(value) = value else { return default };
        value.trim().parse().unwrap_or_else(|_| {
            self.0.push(ConfigFault::Choice {
                name: "PGMARCH_LISTEN",
                value,
                expected: "an IP address and a port, such as 0.0.0.0:8080 or [::]:8080",
            });
            default
        })
    }

    /// To look never would leave the probes with an answer of long ago.
    fn check_every(&mut self, value: Option<String>) -> Duration {
        let default = Duration::from_secs(30);
        let written = value.clone();
        let decided = self.duration("PGMARCH_CHECK_EVERY", value, default);
        if decided.is_zero() {
            let value = written.unwrap_or_default();
            self.0.push(ConfigFault::Choice { name: "PGMARCH_CHECK_EVERY", value, expected: "a duration above zero, such as 30s" });
        }
        decided
    }

    fn name<T>(&mut self, name: &'static str, value: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = value?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.0.push(ConfigFault::Name { name, value });
        }
        parsed
    }
}

/// Decides every setting; or says all that is wrong with them. Reporting is decided in any case.
pub fn decide(environment: &Environment) -> (Reporting, Result<Config, Vec<ConfigFault>>) {
    let (raw, mut faults) = raw(environment);
    let mut decide = Decide::default();
    let reporting = decide.reporting(&raw);
    let seconds = Duration::from_secs;
    let config = Config {
        migrations: raw.migrations.map(PathBuf::from).unwrap_or_else(default_migrations),
        command: raw.command.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        target: raw.target.unwrap_or_else(|| "head".to_owned()),
        wait_timeout: decide.duration("PGMARCH_WAIT_TIMEOUT", raw.wait_timeout, seconds(60)),
        wait_for: Widen::parse(raw.wait_for.as_deref().unwrap_or("")).unwrap_or_else(|value| {
            let expected = "password, database, rights, tls, all, or SQLSTATEs of five characters, comma separated";
            decide.0.push(ConfigFault::Choice { name: "PGMARCH_WAIT_FOR", value, expected });
            Widen::default()
        }),
        run_lock_timeout: decide.duration("PGMARCH_RUN_LOCK_TIMEOUT", raw.run_lock_timeout, seconds(600)),
        lock_timeout: decide.duration("PGMARCH_LOCK_TIMEOUT", raw.lock_timeout, seconds(5)),
        statement_timeout: decide.duration("PGMARCH_STATEMENT_TIMEOUT", raw.statement_timeout, Duration::ZERO),
        retry_for: decide.duration("PGMARCH_RETRY_FOR", raw.retry_for, seconds(300)),
        transaction: decide.choice(
            "PGMARCH_TRANSACTION",
            raw.transaction,
            "revision or run",
            &[("revision", Transaction::Revision), ("run", Transaction::Run)],
            Transaction::Revision,
        ),
        version_table: decide.name("PGMARCH_VERSION_TABLE", raw.version_table, TableName::parse).unwrap_or_default(),
        ledger_schema: decide.name("PGMARCH_LEDGER_SCHEMA", raw.ledger_schema, Ident::parse).unwrap_or_else(Ident::pgmarch),
        role: decide.name("PGMARCH_ROLE", raw.role, Ident::parse),
        search_path: decide.name("PGMARCH_SEARCH_PATH", raw.search_path, SearchPath::parse),
        snapshot: decide.choice(
            "PGMARCH_SNAPSHOT",
            raw.snapshot,
            "on or off",
            &[("on", Some(Snapshots::On)), ("off", Some(Snapshots::Off))],
            None,
        ),
        trust_owner: decide.name("PGMARCH_TRUST_OWNER", raw.trust_owner, Ident::parse_list).unwrap_or_default(),
        ahead: decide.choice(
            "PGMARCH_AHEAD",
            raw.ahead,
            "allow or refuse",
            &[("allow", Ahead::Allow), ("refuse", Ahead::Refuse)],
            Ahead::Allow,
        ),
        confirmed: decide.choice("PGMARCH_CONFIRM", raw.confirm, "yes, or leave it out", &[("yes", true)], false),
        listen: decide.listen(raw.listen),
        check_every: decide.check_every(raw.check_every),
        changes: decide.choice(
            "PGMARCH_APPLY_CHANGES",
            raw.apply_changes,
            "true or false",
            &[("true", Changes::Apply), ("false", Changes::Report)],
            Changes::Report,
        ),
    };
    faults.append(&mut decide.0);
    faults.extend(of_connections(environment, !faults.is_empty()));
    (reporting, if faults.is_empty() { Ok(config) } else { Err(faults) })
}

/// What is wrong with where to connect. Much needs no database, and should not fail for a `DATABASE_URL` that is another
/// program's: unless the setting is ours, it is looked at only by whoever connects, or when something is to be mended anyway.
fn of_connections(environment: &Environment, anyway: bool) -> Vec<ConfigFault> {
    let mut faults: Vec<ConfigFault> = Vec::new();
    for name in ["PGMARCH_DATABASE_URL", "PGMARCH_MODEL_URL", "PGMARCH_SCRATCH_URL"] {
        let place = match environment.value(name) {
            Ok(Some(url)) => environment.with("PGMARCH_DATABASE_URL", url),
            Ok(None) if anyway && name == "PGMARCH_DATABASE_URL" => environment.clone(),
            // A file that can't be read was found before.
            Ok(None) | Err(_) => continue,
        };
        for mut fault in Target::check(&place).err().unwrap_or_default() {
            if let SettingsError::Conninfo { name: named, .. } = &mut fault
                && named == "PGMARCH_DATABASE_URL"
            {
                *named = name.to_owned();
            }
            let is_known = faults.iter().any(|known| known.to_string() == fault.to_string());
            if !is_known && !matches!(fault, SettingsError::NoDatabase { .. }) {
                faults.push(fault.into());
            }
        }
    }
    faults
}

impl Decide {
    fn reporting(&mut self, raw: &Raw) -> Reporting {
        let log = raw.log.clone().unwrap_or_else(|| "info".to_owned());
        let filter = log.parse().unwrap_or_else(|_| {
            let expected = "off, error, warn, info, debug, trace, or MODULE=LEVEL, comma separated";
            self.0.push(ConfigFault::Choice { name: "PGMARCH_LOG", value: log, expected });
            tracing_subscriber::filter::Targets::new().with_default(tracing::Level::INFO)
        });
        let auto = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
        let choices = [("auto", auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
        let format = self.choice("PGMARCH_LOG_FORMAT", raw.log_format.clone(), "text, json or auto", &choices, auto);
        let termination_log = match &raw.termination_log {
            Some(path) => Some(PathBuf::from(path)),
            None => Path::new(TERMINATION_LOG).exists().then(|| PathBuf::from(TERMINATION_LOG)),
        };
        Reporting { filter, format, termination_log }
    }
}

/// The raw settings, with values from files in place; and what is wrong with names and files.
fn raw(environment: &Environment) -> (Raw, Vec<ConfigFault>) {
    let mut faults = Vec::new();
    for found in environment.names().filter(|name| name.starts_with("PGMARCH_") && !is_service_link(name)) {
        let plain = found.strip_suffix("_FILE").unwrap_or(found);
        if !SETTINGS.iter().any(|setting| setting.name == plain) {
            let nearest = nearest(plain, SETTINGS.iter().map(|setting| setting.name));
            faults.push(ConfigFault::Unknown { found: found.to_owned(), nearest });
        }
    }
    let mut pairs = Vec::new();
    for name in SETTINGS.iter().map(|setting| setting.name) {
        match environment.value(name) {
            Ok(Some(value)) => pairs.push((name.to_owned(), value.reveal().to_owned())),
            Ok(None) => {}
            Err(fault) => faults.push(fault.into()),
        }
    }
    // All are texts, so this can't fail; whatever envy might say one day is not worth a panic.
    let found: BTreeMap<String, String> = envy::prefixed("PGMARCH_").from_iter(pairs).unwrap_or_default();
    (found.into(), faults)
}

/// Kubernetes and Docker links announce a service called `pgmarch…` by variables that look like settings
/// (Kubernetes documentation, "Service", environment variables): those are not typing mistakes.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name == "PGMARCH_PORT" || name.ends_with("_PORT") || {
        let protocol = |part: &str| matches!(part, "TCP" | "UDP" | "SCTP");
        name.split('_').any(protocol) && name.contains("_PORT_")
    }
}

fn default_migrations() -> PathBuf {
    let mounted = PathBuf::from("/migrations");
    if mounted.is_dir() { mounted } else { PathBuf::from("./migrations") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::PROGRAM;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(PROGRAM, pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()))).expect("UTF-8")
    }

    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        decide(&environment(pairs)).1.expect_err("faults").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let (_, config) = decide(&environment(&[]));
        let config = config.expect("sound");
        for (name, value) in [
            ("PGMARCH_WAIT_TIMEOUT", config.wait_timeout),
            ("PGMARCH_RUN_LOCK_TIMEOUT", config.run_lock_timeout),
            ("PGMARCH_LOCK_TIMEOUT", config.lock_timeout),
            ("PGMARCH_RETRY_FOR", config.retry_for),
            ("PGMARCH_CHECK_EVERY", config.check_every),
        ] {
            let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("a setting");
            assert_eq!(humantime::parse_duration(setting.default).ok(), Some(value), "{name}");
        }
        assert_eq!((config.target.as_str(), config.transaction), ("head", Transaction::Revision));
        assert_eq!((config.listen.to_string().as_str(), config.changes), ("0.0.0.0:8080", Changes::Report));
        assert_eq!(config.version_table, TableName::parse("alembic_version").expect("a table"));
    }

    #[test]
    fn every_setting_of_the_table_reaches_its_field() {
        for setting in SETTINGS {
            let (raw, faults) = raw(&environment(&[(setting.name, "here")]));
            assert!(faults.is_empty() && format!("{raw:?}").contains("here"), "{}", setting.name);
        }
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let found = faults(&[
            ("PGMARCH_TARGETT", "x"),
            ("PGMARCH_WAIT_TIMEOUT", "soon"),
            ("PGMARCH_TRANSACTION", "both"),
            ("PGMARCH_LOG", "loud=very"),
            ("PGMARCH_ROLE", ""),
            ("PGMARCH_LEDGER_SCHEMA_FILE", "/nowhere"),
        ]);
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[0].contains("PGMARCH_TARGETT is not a setting (did you mean PGMARCH_TARGET?)"));
        assert!(found[1].contains("/nowhere can't be read"));
    }

    #[test]
    fn where_to_connect_is_wrong_together_with_the_rest() {
        let found = faults(&[("PGMARCH_TARGETT", "x"), ("DATABASE_URL", "host=h port=x user=u"), ("PGSSLMODE", "on")]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[1].contains("`port`") && found[2].contains("`sslmode`"), "{found:?}");
        assert!(decide(&environment(&[("DATABASE_URL", "mysql://h/d")])).1.is_ok(), "another program's, until we connect");
        let found = faults(&[("PGMARCH_MODEL_URL", "hots=h"), ("PGMARCH_SCRATCH_URL", "host=h user=u gsslib=x"), ("PGPORT", "x")]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("PGMARCH_MODEL_URL: `hots`"), "{found:?}");
        assert_eq!(faults(&[("PGMARCH_TARGETT", "x")]).len(), 1, "no database may be right");
    }

    #[test]
    fn a_sidecar_that_never_looks_or_listens_nowhere_is_refused() {
        assert!(faults(&[("PGMARCH_CHECK_EVERY", "0")])[0].contains("write a duration above zero"));
        assert!(faults(&[("PGMARCH_LISTEN", ":8080")])[0].contains("write an IP address and a port"));
        assert!(faults(&[("PGMARCH_APPLY_CHANGES", "yes")])[0].contains("write true or false"));
        assert!(faults(&[("PGMARCH_SNAPSHOT", "true")])[0].contains("write on or off"));
    }

    #[test]
    fn service_links_are_no_settings() {
        let names = [
            "PGMARCH_SERVICE_HOST",
            "PGMARCH_PORT",
            "PGMARCH_PORT_8080_TCP",
            "PGMARCH_PORT_8080_TCP_ADDR",
            "PGMARCH_WEB_SERVICE_PORT_HTTP",
            "PGMARCH_WEB_PORT",
        ];
        let pairs: Vec<(&str, &str)> = names.iter().map(|name| (*name, "tcp://10.0.0.1:8080")).collect();
        assert!(decide(&environment(&pairs)).1.is_ok());
    }

    #[test]
    fn a_value_comes_from_its_file_without_the_last_newline() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target");
        std::fs::write(&path, "002\n").expect("written");
        let text = path.to_str().expect("UTF-8");
        let config = decide(&environment(&[("PGMARCH_TARGET_FILE", text)])).1.expect("sound");
        assert_eq!(config.target, "002");
        assert!(faults(&[("PGMARCH_TARGET_FILE", text), ("PGMARCH_TARGET", "1")])[0].contains("both set"));
    }
}
