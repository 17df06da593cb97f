//! The table of settings, and the settings as the environment has them, unchecked.

use pg_connect::Environment;
use serde::Deserialize;

use super::error::ConfigFault;
use crate::words::{control_character, nearest};

/// One setting: name, default and meaning, as the documentation prints them.
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
        /// The settings as the environment has them, unchecked.
        #[derive(Debug, Default, Deserialize)]
        #[allow(dead_code, reason = "the connection settings are read at each try, by the library")]
        pub(super) struct RawSettings { $(pub(super) $field: Option<String>,)* }

        /// Every `PGMARCH_` setting, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting { name: $name, default: $default, meaning: $meaning },)*];
    };
}

settings! {
    database_url, "PGMARCH_DATABASE_URL", "", "where to connect: a libpq URL or key=value string; then DATABASE_URL, then PGHOST…";
    migrations, "PGMARCH_MIGRATIONS", "/migrations, else ./migrations", "folder of revisions";
    command, "PGMARCH_COMMAND", "upgrade", "the verb, with its words, when no argument is given";
    target, "PGMARCH_TARGET", "head", "the revision to be at";
    wait_timeout, "PGMARCH_WAIT_TIMEOUT", "60s", "how long to wait for the server (status, history, show: only if set)";
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
    model_command, "PGMARCH_MODEL_COMMAND", "", "a shell command that fills the scratch database at DATABASE_URL with the model, instead of schema.sql: an ORM's";
    model_timeout, "PGMARCH_MODEL_TIMEOUT", "5m", "how long that command may run";
    model_scope, "PGMARCH_MODEL_SCOPE", "all for schema.sql, orm for PGMARCH_MODEL_URL and PGMARCH_MODEL_COMMAND", "what the model has: all, or orm: what no ORM expresses (functions, policies, rights…) is left alone where the model lacks it";
    scratch_url, "PGMARCH_SCRATCH_URL", "", "where create, check and diff may make databases for a moment; default: the same server";
    search_path, "PGMARCH_SEARCH_PATH", "", "search path of the revisions";
    snapshot, "PGMARCH_SNAPSHOT", "on in sidecar, off in other commands", "whether a run that changed something saves a snapshot of the catalog for check: on, off";
    trust_owner, "PGMARCH_TRUST_OWNER", "", "further roles that may own the version table, the ledger and the code on them, comma separated";
    ahead, "PGMARCH_AHEAD", "allow", "a database ahead of these files: allow (unless by a breaking revision), refuse";
    confirm, "PGMARCH_CONFIRM", "", "yes: downgrade without asking";
    require_down, "PGMARCH_REQUIRE_DOWN", "false", "check: whether each revision without a down migration is a finding, unless it is irreversible: true; true, false";
    listen, "PGMARCH_LISTEN", "0.0.0.0:8080", "sidecar: where probes and metrics are answered, ADDRESS:PORT";
    check_every, "PGMARCH_CHECK_EVERY", "30s", "sidecar: how often database and folder are looked at";
    apply_changes, "PGMARCH_APPLY_CHANGES", "false", "sidecar: whether revisions that are added to the folder are applied: true, false";
    log, "PGMARCH_LOG", "info", "what to log: off, error, warn, info, debug, trace, or MODULE=LEVEL, comma separated";
    log_format, "PGMARCH_LOG_FORMAT", "auto", "text, json, or auto: text on a terminal, JSON lines elsewhere";
    termination_log, "PGMARCH_TERMINATION_LOG", "/dev/termination-log where it exists", "file for the cause of a failure, as short JSON";
}

/// Reads the raw settings, also from files; and what is wrong with names and files.
pub(super) fn read(environment: &Environment) -> (RawSettings, Vec<ConfigFault>) {
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
            Ok(Some(value)) => {
                faults.extend(control_fault(environment, name, value.reveal()));
                pairs.push((name.to_owned(), value.reveal().to_owned()));
            }
            Ok(None) => {}
            Err(fault) => faults.push(fault.into()),
        }
    }
    // A fault ends the run, so the defaults that stand for what could not be read decide nothing but how the fault is reported.
    let settings = deserialize(pairs).map_err(|fault| faults.push(fault)).unwrap_or_default();
    (settings, faults)
}

/// The variables and their values as settings.
fn deserialize(pairs: Vec<(String, String)>) -> Result<RawSettings, ConfigFault> {
    envy::prefixed("PGMARCH_").from_iter(pairs).map_err(|error| {
        let reason = error.to_string();
        // serde names the field; the value, which may be a secret, is not part of the reason, because every field takes any text.
        let is_named = |setting: &&Setting| {
            let field = setting.name.trim_start_matches("PGMARCH_").to_ascii_lowercase();
            reason.contains(&format!("`{field}`"))
        };
        let names = SETTINGS.iter().find(is_named).map_or("the settings", |setting| setting.name);
        ConfigFault::Unread { names, reason }
    })
}

/// A control character in a value. Where white space is trimmed or separates words, newlines and tabs are white space.
fn control_fault(environment: &Environment, name: &'static str, value: &str) -> Option<ConfigFault> {
    const VERBATIM: [&str; 6] = [
        "PGMARCH_MIGRATIONS",
        "PGMARCH_TARGET",
        "PGMARCH_VERSION_TABLE",
        "PGMARCH_LEDGER_SCHEMA",
        "PGMARCH_ROLE",
        "PGMARCH_TERMINATION_LOG",
    ];
    let is_verbatim = VERBATIM.contains(&name);
    let what = control_character(value, |character| !is_verbatim && character.is_ascii_whitespace())?;
    Some(ConfigFault::Control { name: environment.source(name), what })
}

/// Kubernetes and Docker links announce a service called `pgmarch…` by variables that look like settings
/// (Kubernetes documentation, "Service", environment variables): those are no mistakes.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name == "PGMARCH_PORT" || name.ends_with("_PORT") || {
        let protocol = |part: &str| matches!(part, "TCP" | "UDP" | "SCTP");
        name.split('_').any(protocol) && name.contains("_PORT_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::PROGRAM;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(PROGRAM, pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()))).expect("UTF-8")
    }

    #[test]
    fn an_error_is_a_fault_that_names_the_variable() {
        // The environment has no name twice; nothing else makes envy fail here.
        let twice = ["one", "two"].map(|value| ("PGMARCH_LOG_FORMAT".to_owned(), value.to_owned()));
        let fault = deserialize(twice.into()).expect_err("a variable that is there twice").to_string();
        assert_eq!(fault, "PGMARCH_LOG_FORMAT can't be read from the environment (duplicate field `log_format`); set it once, as text");
    }

    #[test]
    fn every_setting_of_the_table_reaches_its_field() {
        for setting in SETTINGS {
            let (raw, faults) = read(&environment(&[(setting.name, "here")]));
            assert!(faults.is_empty() && format!("{raw:?}").contains("here"), "{}", setting.name);
        }
    }
}
