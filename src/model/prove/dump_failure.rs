//! Statements of a model that fail in a scratch database because of the server they run on, as those of a dump by `pg_dump`.

use std::borrow::Cow;

use tokio_postgres::error::SqlState;
use tracing::info;

use super::source::SourceError;
use crate::escape;
use crate::model::ignore::Ignore;

/// What a statement that failed is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FailedPart {
    /// What is compared without it: a setting that this server does not know, a schema that every database has.
    Nothing,
    /// An owner.
    Owner,
    /// Rights.
    Rights,
    /// All else.
    Other,
}

impl FailedPart {
    fn of(error: &SourceError) -> Self {
        let statement = error.range.clone().map_or("", |range| &error.text[range]);
        let words: Vec<String> = statement
            .split(|c: char| c.is_whitespace() || c == '=')
            .filter(|word| !word.is_empty())
            .map(|word| word.trim_end_matches(';').to_ascii_uppercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is = |state: &SqlState| error.code == state.code();
        let is_about_a_role = is(&SqlState::UNDEFINED_OBJECT) || is(&SqlState::INSUFFICIENT_PRIVILEGE);
        match words.as_slice() {
            ["CREATE", "SCHEMA", "PUBLIC"] if is(&SqlState::DUPLICATE_SCHEMA) => Self::Nothing,
            // pg_dump 17 and later sets `transaction_timeout`, which earlier servers do not have.
            ["SET", name, ..] if name.ends_with("_TIMEOUT") && is(&SqlState::UNDEFINED_OBJECT) => Self::Nothing,
            // Neither tablespaces nor labels are compared.
            ["SET", "DEFAULT_TABLESPACE", ..] | ["SECURITY", "LABEL", ..] if is(&SqlState::INVALID_PARAMETER_VALUE) => Self::Nothing,
            ["COMMENT", "ON", "EXTENSION", ..] if is(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::Nothing,
            ["ALTER", "DEFAULT", "PRIVILEGES", ..] | ["GRANT" | "REVOKE", ..] if is_about_a_role => Self::Rights,
            // To grant in the name of another role.
            ["SET", "SESSION", "AUTHORIZATION", ..] => Self::Rights,
            ["ALTER", .., "OWNER", "TO", _] if is_about_a_role => Self::Owner,
            _ => Self::Other,
        }
    }
}

/// The errors that keep the model from being compared; equal ones about a role, of which a dump has one for each table, are one.
pub(super) fn relevant(broken: Vec<SourceError>, ignore: Ignore) -> Vec<SourceError> {
    let mut found: Vec<(SourceError, FailedPart, usize)> = Vec::new();
    for error in broken {
        let part = FailedPart::of(&error);
        let is_needless = match part {
            FailedPart::Nothing => true,
            FailedPart::Owner => ignore.owners,
            FailedPart::Rights => ignore.grants,
            FailedPart::Other => false,
        };
        let is_equal = |(other, _, _): &&mut (SourceError, FailedPart, usize)| other.code == error.code && other.message == error.message;
        if is_needless {
            info!("not run in the model's scratch database, where it fails: {}", error.line());
        } else if part != FailedPart::Other
            && let Some((_, _, more)) = found.iter_mut().find(is_equal)
        {
            *more += 1;
        } else {
            found.push((error, part, 0));
        }
    }
    let message = |(mut error, _, more): (SourceError, FailedPart, usize)| {
        match more {
            0 => {}
            1 => error.message += ", and one more statement fails for the same reason",
            _ => error.message += &format!(", and {more} more statements fail for the same reason"),
        }
        error
    };
    found.into_iter().map(message).collect()
}

/// What to do about statements that fail.
pub(super) fn advice(broken: &[SourceError]) -> Cow<'static, str> {
    let is_about_roles = |error: &SourceError| matches!(FailedPart::of(error), FailedPart::Owner | FailedPart::Rights);
    let Some(first) = broken.first().filter(|_| broken.iter().all(is_about_roles)) else {
        return "fix the statements above; nothing was written".into();
    };
    let name = first.message.split('"').nth(1).filter(|_| first.code == SqlState::UNDEFINED_OBJECT.code());
    match name {
        Some(name) => format!(
            "create the role on the scratch server (CREATE ROLE \"{}\"), or compare without owners and rights: --ignore owners,grants; nothing was written",
            escape::line(name)
        )
        .into(),
        None => "connect as a role that may do this, or compare without owners and rights: --ignore owners,grants; nothing was written".into(),
    }
}
