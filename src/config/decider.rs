//! Values of settings from their texts, with the faults of those that are wrong.

use std::net::SocketAddr;
use std::time::Duration;

use pg_connect::{Conninfo, Environment};

use super::error::ConfigFault;
use crate::environment::PROGRAM;
use crate::sql::{Ident, SearchPath, ServerTimeout};

/// Collects faults while values are decided, so that all are reported at once.
#[derive(Default)]
pub(super) struct Decider(pub(super) Vec<ConfigFault>);

impl Decider {
    pub(super) fn duration(&mut self, name: &'static str, value: Option<String>, default: Duration) -> Duration {
        let Some(value) = value else { return default };
        match value.trim() {
            "0" => Duration::ZERO,
            text => humantime::parse_duration(text).unwrap_or_else(|_| {
                self.0.push(ConfigFault::Duration { name, value });
                default
            }),
        }
    }

    /// A duration that PostgreSQL gets: rounding one would mean another, and less than a millisecond would mean none.
    pub(super) fn server_timeout(&mut self, name: &'static str, value: Option<String>, default: ServerTimeout) -> ServerTimeout {
        let Some(value) = value else { return default };
        let duration = self.duration(name, Some(value.clone()), default.duration());
        ServerTimeout::exactly(duration).unwrap_or_else(|| {
            self.0.push(ConfigFault::ServerTimeout { name, value });
            default
        })
    }

    pub(super) fn choice<T: Copy>(
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

    /// The words of a command. A quoted one would be taken apart at its blanks.
    pub(super) fn command(&mut self, value: Option<String>) -> Vec<String> {
        let value = value.unwrap_or_default();
        let words = value.split_whitespace().map(str::to_owned).collect();
        if value.contains(['"', '\'', '\\']) {
            let expected = "words separated by blanks, without quotes or backslashes, which have no meaning there";
            self.0.push(ConfigFault::Choice { name: "PGMARCH_COMMAND", value, expected });
        }
        words
    }

    pub(super) fn listen(&mut self, value: Option<String>) -> SocketAddr {
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

    /// A duration that must not be zero.
    pub(super) fn interval(&mut self, name: &'static str, value: Option<String>, default: Duration) -> Duration {
        let written = value.clone();
        let decided = self.duration(name, value, default);
        if decided.is_zero() {
            let value = written.unwrap_or_default();
            self.0.push(ConfigFault::Choice { name, value, expected: "a duration above zero, such as 30s" });
        }
        decided
    }

    /// The search path: `PGMARCH_SEARCH_PATH`, or the `schema` that Prisma's connection strings have. Both may be set if the path begins
    /// with that schema. It is set by `SET`, as Prisma does it, because a pooler may refuse it in `options`.
    pub(super) fn search_path(&mut self, environment: &Environment, own: Option<SearchPath>) -> Option<SearchPath> {
        // A string that can't be read is a fault only when it is used.
        let set = PROGRAM.connection_strings.iter().find_map(|name| match environment.value(name) {
            Ok(Some(text)) => Some((*name, Conninfo::parse(text.reveal()))),
            Ok(None) | Err(_) => None,
        });
        let Some((url, Ok(conninfo))) = set else { return own };
        let Some(schema) = conninfo.schema() else { return own };
        let Some(schema) = Ident::parse(schema) else {
            self.0.push(ConfigFault::Schema(url));
            return own;
        };
        let options = conninfo.get("options").map(str::to_owned).or_else(|| {
            let variable = environment.value("PGOPTIONS").ok().flatten();
            variable.map(|options| options.reveal().to_owned())
        });
        // Some drivers take `search-path` too, and so does the server (PostgreSQL manual, 20.1.4).
        if options.is_some_and(|options| options.to_ascii_lowercase().replace('-', "_").contains("search_path")) {
            self.0.push(ConfigFault::TwoSearchPaths { url, other: "options" });
        }
        match own {
            None => Some(SearchPath::of(schema)),
            Some(own) => {
                if own.first() != Some(&schema) {
                    self.0.push(ConfigFault::TwoSearchPaths { url, other: "PGMARCH_SEARCH_PATH" });
                }
                Some(own)
            }
        }
    }

    pub(super) fn name<T>(&mut self, name: &'static str, value: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = value?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.0.push(ConfigFault::Name { name, value });
        }
        parsed
    }
}
