//! A statement that a timeout ended, or that another session cancelled. The server's message, which is translated, is not looked
//! at: what counts is how long the statement had run, and which timeout was in force.

use std::time::Duration;

use super::FailedStatement;
use crate::apply::executor::Executor;
use crate::facts::place;
use crate::revision::LineColumn;
use crate::revision::statement::session_setting::{SetValue, setting_of};
use crate::revision::statement::split;
use crate::session::other_session::lock_advice;
use crate::sql::{Message, Sql};
use crate::words::rough;

/// The answer may take this much longer or shorter to arrive than the statement ran.
const TOLERANCE: Duration = Duration::from_millis(50);

/// A timeout in force, where it is set, and how to raise it.
struct EffectiveTimeout {
    duration: Duration,
    advice: String,
}

impl Executor<'_> {
    pub(super) async fn interruption_advice(&self, failed: &FailedStatement<'_>) -> String {
        let advice = match failed.error.code().code() {
            "25P04" => self.timeout_advice(failed, "transaction_timeout", Duration::ZERO).await.map(|timeout| timeout.advice),
            "25P03" => {
                self.timeout_advice(failed, "idle_in_transaction_session_timeout", Duration::ZERO).await.map(|timeout| timeout.advice)
            }
            _ => {
                let timeout = self.timeout_advice(failed, "statement_timeout", self.config.statement_timeout.duration()).await;
                timeout.filter(|timeout| failed.failure.elapsed + TOLERANCE >= timeout.duration).map(|timeout| timeout.advice)
            }
        };
        let advice = advice.unwrap_or_else(|| {
            format!(
                "another session cancelled the statement after {} (pg_cancel_backend): the server's log has who cancels, if log_statement has it",
                rough_or_millis(failed.failure.elapsed)
            )
        });
        match failed.blockers {
            [] => advice,
            blockers => format!("{advice}; until then it waited for a lock: {}", lock_advice(blockers)),
        }
    }

    /// The timeout that was in force for the statement: the revision's own, else that of the settings, else that of the role, the
    /// database or the server.
    async fn timeout_advice(&self, failed: &FailedStatement<'_>, name: &'static str, own: Duration) -> Option<EffectiveTimeout> {
        let mut set_in_text = None;
        for statement in split(failed.text).statements {
            match setting_of(&failed.text[statement.range.clone()], name) {
                Some(SetValue::To(value)) => {
                    set_in_text = parse_timeout(&value).map(|duration| (duration, statement.range.start));
                }
                Some(SetValue::Default) => set_in_text = None,
                None => {}
            }
        }
        if let Some((duration, offset)) = set_in_text.filter(|(duration, _)| !duration.is_zero()) {
            let revision = failed.step.revision;
            let position = LineColumn::of(&revision.text, failed.step.section.range.start + offset);
            let advice = format!(
                "{name} of {}, which the revision itself sets at {}, ended the statement: raise it there",
                rough_or_millis(duration),
                place(&revision.path, Some(position))
            );
            return Some(EffectiveTimeout { duration, advice });
        }
        if !own.is_zero() {
            let advice = format!(
                "PGMARCH_STATEMENT_TIMEOUT ({}) ended the statement: raise it (0 turns it off), or set {name} in the revision",
                rough_or_millis(own)
            );
            return Some(EffectiveTimeout { duration: own, advice });
        }
        self.server_timeout(name).await
    }

    /// The timeout of the role, the database or the server, with where it is set.
    async fn server_timeout(&self, name: &'static str) -> Option<EffectiveTimeout> {
        let query = Message::verbatim(sql_for_setting(name));
        let row = self.look_up(&query).await.into_iter().next()?;
        let [setting, source, database, role] = <[Option<String>; 4]>::try_from(row).ok()?;
        let duration = Duration::from_millis(setting?.parse().ok()?);
        if duration.is_zero() {
            return None;
        }
        let (database, role) = (database.unwrap_or_default(), role.unwrap_or_default());
        let place = match source.as_deref() {
            Some("user") => format!("of the role: ALTER ROLE {role} RESET {name}"),
            Some("database") => format!("of the database: ALTER DATABASE {database} RESET {name}"),
            Some("database user") => format!("of the role in this database: ALTER ROLE {role} IN DATABASE {database} RESET {name}"),
            Some("client") => "of the connection (PGOPTIONS, or options in the URL): raise it there".to_owned(),
            _ => format!("of the server (postgresql.conf, or ALTER ROLE ALL): override it with ALTER ROLE {role} SET {name} = 0"),
        };
        let advice = format!("{name} of {} ended the statement; it is {place}", rough_or_millis(duration));
        Some(EffectiveTimeout { duration, advice })
    }
}

/// Value and source of a setting, as a statement that names everything with its schema: it must not change the setting.
fn sql_for_setting(name: &'static str) -> Sql {
    crate::sql!(
        "SELECT s.setting, s.source, pg_catalog.quote_ident(pg_catalog.current_database()::pg_catalog.text), \
         pg_catalog.quote_ident(session_user::pg_catalog.text) FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) '{name}'",
        name = Sql::of(name)
    )
}

/// A duration as `SET` takes it: a number of milliseconds, or with a unit.
fn parse_timeout(value: &str) -> Option<Duration> {
    let value = value.trim().trim_matches('\'').trim();
    let end = value.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(value.len());
    let number: f64 = value[..end].parse().ok()?;
    let unit = match value[end..].trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit / 1000.0).ok()
}

/// A duration for a message, in milliseconds if it is short.
fn rough_or_millis(duration: Duration) -> String {
    if duration < Duration::from_secs(10) && duration.subsec_millis() != 0 {
        humantime::format_duration(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))).to_string()
    } else {
        rough(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_server_reads_them() {
        let millis = |value| parse_timeout(value).map(|duration| duration.as_millis());
        assert_eq!([millis("1500"), millis("'2s'"), millis("'1.5 min'"), millis("'x'")], [Some(1500), Some(2000), Some(90_000), None]);
    }
}
