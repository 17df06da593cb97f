//! What is wrong with the settings.

use std::borrow::Cow;

use pg_connect::{EnvironmentError, SettingsError};
use thiserror::Error;

use crate::exit::{Exit, Explain};

/// One fault of the settings. It never holds a value that may be secret.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ConfigFault {
    #[error("{found} is not a setting{}; `pgmarch --help` lists them", .nearest.as_ref().map(|name| format!(" (did you mean {name}?)")).unwrap_or_default())]
    Unknown { found: String, nearest: Option<String> },
    #[error("{name} is `{value}`, which is no duration; write 500ms, 30s, 5m, 1h, or 0 for off")]
    Duration { name: &'static str, value: String },
    #[error(
        "{name} is `{value}`, which PostgreSQL can't store: it counts whole milliseconds, 1ms to 2147483647ms (24 days); write 0 for off"
    )]
    ServerTimeout { name: &'static str, value: String },
    #[error("{name} is `{value}`; write {expected}")]
    Choice { name: &'static str, value: String, expected: &'static str },
    #[error(
        "{name} is `{value}`, which can't be a name in PostgreSQL: it must be 1 to 63 bytes without a NUL, and a version table at most SCHEMA.NAME"
    )]
    Name { name: &'static str, value: String },
    #[error("{name} has {what}; take it out, and write the value alone")]
    Control { name: String, what: String },
    #[error("{names} can't be read from the environment ({reason}); set it once, as text")]
    Unread { names: &'static str, reason: String },
    #[error(
        "the search path is set twice: by `schema` in {url} and by {other}; keep one, for example by a PGMARCH_DATABASE_URL without `schema`"
    )]
    TwoSearchPaths { url: &'static str, other: &'static str },
    #[error("`schema` in {0} can't be a name in PostgreSQL: it must have 1 to 63 bytes")]
    Schema(&'static str),
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
        "fix the settings above; `pgmarch --help` lists them with their defaults".into()
    }

    fn faults(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}
