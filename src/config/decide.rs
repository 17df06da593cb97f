//! From the environment to [`Config`]: every setting is decided and checked, and all faults are reported at once.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use pg_connect::{ConnectTarget, Environment, SettingsError, file};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::decider::Decider;
use super::error::ConfigFault;
use super::settings::{self, RawSettings};
use super::{Ahead, Changes, Config, LogFormat, ModelScope, Reporting, Snapshots, TerminationLog, Transaction};
use crate::session::wait::RetryableRefusals;
use crate::sql::{Ident, SearchPath, ServerTimeout, TableName};

/// Where Kubernetes reads a container's termination message (its documentation, "Determine the Reason for Pod Failure").
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Decides every setting, or returns all faults. Reporting is decided in any case.
pub fn decide(environment: &Environment) -> (Reporting, Result<Config, Vec<ConfigFault>>) {
    let environment = &environment.for_one_try();
    let (raw, mut faults) = settings::read(environment);
    let mut decider = Decider::default();
    let reporting = decider.reporting(&raw);
    let seconds = Duration::from_secs;
    let config = Config {
        migrations: raw.migrations.map(PathBuf::from).unwrap_or_else(default_migrations),
        command: decider.command(raw.command),
        target: raw.target.unwrap_or_else(|| "head".to_owned()),
        waits_by_setting: raw.wait_timeout.is_some(),
        log_format: reporting.format,
        wait_timeout: decider.duration("PGMARCH_WAIT_TIMEOUT", raw.wait_timeout, seconds(60)),
        wait_for: RetryableRefusals::parse(raw.wait_for.as_deref().unwrap_or("")).unwrap_or_else(|value| {
            let expected = "password, database, rights, tls, all, or SQLSTATEs of five characters, comma separated";
            decider.0.push(ConfigFault::Choice { name: "PGMARCH_WAIT_FOR", value, expected });
            RetryableRefusals::default()
        }),
        run_lock_timeout: decider.duration("PGMARCH_RUN_LOCK_TIMEOUT", raw.run_lock_timeout, seconds(600)),
        lock_timeout: decider.server_timeout("PGMARCH_LOCK_TIMEOUT", raw.lock_timeout, ServerTimeout::limit(seconds(5))),
        statement_timeout: decider.server_timeout("PGMARCH_STATEMENT_TIMEOUT", raw.statement_timeout, ServerTimeout::OFF),
        retry_for: decider.duration("PGMARCH_RETRY_FOR", raw.retry_for, seconds(300)),
        transaction: decider.choice(
            "PGMARCH_TRANSACTION",
            raw.transaction,
            "revision or run",
            &[("revision", Transaction::Revision), ("run", Transaction::Run)],
            Transaction::Revision,
        ),
        version_table: decider.name("PGMARCH_VERSION_TABLE", raw.version_table, TableName::parse).unwrap_or_default(),
        ledger_schema: decider.name("PGMARCH_LEDGER_SCHEMA", raw.ledger_schema, Ident::parse).unwrap_or_else(Ident::pgmarch),
        role: decider.name("PGMARCH_ROLE", raw.role, Ident::parse),
        search_path: {
            let own = decider.name("PGMARCH_SEARCH_PATH", raw.search_path, SearchPath::parse);
            decider.search_path(environment, own)
        },
        model_command: raw.model_command.filter(|command| !command.trim().is_empty()),
        model_timeout: decider.interval("PGMARCH_MODEL_TIMEOUT", raw.model_timeout, Duration::from_secs(300)),
        model_scope: raw.model_scope.and_then(|scope| {
            let choices = ModelScope::WORDS.map(|(word, scope)| (word, Some(scope)));
            decider.choice("PGMARCH_MODEL_SCOPE", Some(scope), "all or orm", &choices, None)
        }),
        snapshot: decider.choice(
            "PGMARCH_SNAPSHOT",
            raw.snapshot,
            "on or off",
            &[("on", Some(Snapshots::On)), ("off", Some(Snapshots::Off))],
            None,
        ),
        trust_owner: decider.name("PGMARCH_TRUST_OWNER", raw.trust_owner, Ident::parse_list).unwrap_or_default(),
        ahead: decider.choice(
            "PGMARCH_AHEAD",
            raw.ahead,
            "allow or refuse",
            &[("allow", Ahead::Allow), ("refuse", Ahead::Refuse)],
            Ahead::Allow,
        ),
        confirmed: decider.choice("PGMARCH_CONFIRM", raw.confirm, "yes, or leave it out", &[("yes", true)], false),
        require_down: decider.choice("PGMARCH_REQUIRE_DOWN", raw.require_down, "true or false", &[("true", true), ("false", false)], false),
        listen: decider.listen(raw.listen),
        check_every: decider.interval("PGMARCH_CHECK_EVERY", raw.check_every, Duration::from_secs(30)),
        changes: decider.choice(
            "PGMARCH_APPLY_CHANGES",
            raw.apply_changes,
            "true or false",
            &[("true", Changes::Apply), ("false", Changes::Report)],
            Changes::Report,
        ),
    };
    faults.append(&mut decider.0);
    faults.extend(connection_faults(environment, !faults.is_empty()));
    (reporting, if faults.is_empty() { Ok(config) } else { Err(faults) })
}

/// The faults of connection settings. A `DATABASE_URL` may be another program's, and many commands need no database: settings that
/// are not pgmarch's own are checked only on connecting, or where other faults are reported anyway.
fn connection_faults(environment: &Environment, anyway: bool) -> Vec<ConfigFault> {
    let mut faults: Vec<ConfigFault> = Vec::new();
    for name in ["PGMARCH_DATABASE_URL", "PGMARCH_MODEL_URL", "PGMARCH_SCRATCH_URL"] {
        let place = match environment.value(name) {
            Ok(Some(url)) => environment.with("PGMARCH_DATABASE_URL", url),
            Ok(None) if anyway && name == "PGMARCH_DATABASE_URL" => environment.clone(),
            // A file that can't be read was found before.
            Ok(None) | Err(_) => continue,
        };
        for mut fault in ConnectTarget::check(&place).err().unwrap_or_default() {
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

/// How logs and failures are reported, until the files that hold settings are read, and if they can't be.
pub fn reporting(environment: &Environment) -> Reporting {
    Decider::default().reporting(&settings::read(&environment.without_files()).0)
}

impl Decider {
    fn reporting(&mut self, raw: &RawSettings) -> Reporting {
        let log = raw.log.clone().unwrap_or_else(|| "info".to_owned());
        // `Targets` would take a word that is no level for a module, and then log nothing else.
        let is_sound = log.split(',').all(|part| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok());
        let filter = log.parse().ok().filter(|_| is_sound).map(with_library).unwrap_or_else(|| {
            let expected = "off, error, warn, info, debug, trace, or MODULE=LEVEL, comma separated";
            self.0.push(ConfigFault::Choice { name: "PGMARCH_LOG", value: log, expected });
            Targets::new().with_default(tracing::Level::INFO)
        });
        let auto = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
        let choices = [("auto", auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
        let format = self.choice("PGMARCH_LOG_FORMAT", raw.log_format.clone(), "text, json or auto", &choices, auto);
        let termination_log = match &raw.termination_log {
            Some(path) => TerminationLog { path: PathBuf::from(path), is_named: true },
            None => TerminationLog { path: PathBuf::from(TERMINATION_LOG), is_named: false },
        };
        Reporting { filter, format, termination_log }
    }
}

/// The filter for the program's log lines about connecting also holds for those of the library that connects.
fn with_library(filter: Targets) -> Targets {
    let level = |module: &str| filter.iter().find(|(target, _)| *target == module).map(|(_, level)| level);
    let level = level("pgmarch::connect").or(level("pgmarch")).filter(|_| level("pg_connect").is_none());
    match level {
        Some(level) => filter.with_target("pg_connect", level),
        None => filter,
    }
}

fn default_migrations() -> PathBuf {
    let mounted = PathBuf::from("/migrations");
    if file::is_folder(&mounted) { mounted } else { PathBuf::from("./migrations") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::SETTINGS;
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
            ("PGMARCH_LOCK_TIMEOUT", config.lock_timeout.duration()),
            ("PGMARCH_RETRY_FOR", config.retry_for),
            ("PGMARCH_CHECK_EVERY", config.check_every),
            ("PGMARCH_MODEL_TIMEOUT", config.model_timeout),
        ] {
            let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("a setting");
            assert_eq!(humantime::parse_duration(setting.default).ok(), Some(value), "{name}");
        }
        assert_eq!((config.target.as_str(), config.transaction), ("head", Transaction::Revision));
        assert_eq!((config.listen.to_string().as_str(), config.changes), ("0.0.0.0:8080", Changes::Report));
        assert_eq!(config.version_table, TableName::parse("alembic_version").expect("a table"));
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
        assert!(faults(&[("PGMARCH_MODEL_TIMEOUT", "0")])[0].contains("write a duration above zero"));
        assert!(faults(&[("PGMARCH_MODEL_SCOPE", "django")])[0].contains("write all or orm"));
        assert!(faults(&[("PGMARCH_LISTEN", ":8080")])[0].contains("write an IP address and a port"));
        assert!(faults(&[("PGMARCH_APPLY_CHANGES", "yes")])[0].contains("write true or false"));
        assert!(faults(&[("PGMARCH_COMMAND", "create 'Add users'")])[0].contains("write words separated by blanks"));
        assert!(faults(&[("PGMARCH_SNAPSHOT", "true")])[0].contains("write on or off"));
    }

    #[test]
    fn prismas_schema_is_the_search_path_unless_another_is_set() {
        let url = |url| ("DATABASE_URL", url);
        let path = |pairs: &[(&str, &str)]| decide(&environment(pairs)).1.expect("sound").search_path.map(|path| path.to_string());
        assert_eq!(path(&[url("postgres://h/d?schema=My%20App")]).as_deref(), Some("\"My App\""));
        assert_eq!(path(&[url("postgres://h/d")]), None);
        let both = path(&[url("postgres://h/d?schema=app"), ("PGMARCH_SEARCH_PATH", "app, public")]);
        assert_eq!(both.as_deref(), Some("\"app\", \"public\""), "the longer path begins with it");
        for other in [("PGMARCH_SEARCH_PATH", "public"), ("PGOPTIONS", "-c search_path=x"), ("PGOPTIONS", "--search-path=x")] {
            let found = faults(&[url("postgres://h/d?schema=app"), other]);
            assert!(found[0].starts_with("the search path is set twice: by `schema` in DATABASE_URL"), "{found:?}");
        }
        assert!(faults(&[url(&format!("postgres://h/d?schema={}", "x".repeat(64)))])[0].starts_with("`schema` in DATABASE_URL can't be"));
    }

    #[test]
    fn control_characters_are_refused_by_name() {
        for (name, value) in
            [("PGMARCH_ROLE", "app\n"), ("PGMARCH_TARGET", "a\u{7}"), ("PGMARCH_MIGRATIONS", "/a\r\n"), ("PGMARCH_WAIT_FOR", "all\u{1}")]
        {
            let found = faults(&[(name, value)]);
            assert!(found[0].starts_with(&format!("{name} has a ")), "{found:?}");
        }
        assert!(decide(&environment(&[("PGMARCH_COMMAND", "upgrade\n"), ("PGMARCH_LOG_FORMAT", "json\n")])).1.is_ok());
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
