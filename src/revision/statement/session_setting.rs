//! What a `SET` statement sets: a setting, or the properties of its transaction.

use super::kind::{SignificantToken, significant_tokens};
use super::split;

/// The value that a statement gives to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetValue {
    /// As written.
    To(String),
    /// `RESET`, `SET … TO DEFAULT`.
    Default,
}

/// What a statement sets `name` to, if it does: `SET`, `RESET`, or `set_config` with constants.
pub(crate) fn setting_of(sql: &str, name: &str) -> Option<SetValue> {
    let tokens = significant_tokens(sql);
    let upper: Vec<&str> = tokens.iter().map(|token| token.upper.as_str()).collect();
    let value = |rest: &[SignificantToken<'_>]| match rest {
        [first, ..] if first.upper == "DEFAULT" => SetValue::Default,
        rest => SetValue::To(rest.iter().map(|token| token.text).collect()),
    };
    match upper.as_slice() {
        ["RESET", "ALL"] => return Some(SetValue::Default),
        ["RESET", found] if found.eq_ignore_ascii_case(name) => return Some(SetValue::Default),
        ["SET", "LOCAL" | "SESSION", found, _, ..] if found.eq_ignore_ascii_case(name) => return Some(value(&tokens[4..])),
        ["SET", found, _, ..] if found.eq_ignore_ascii_case(name) => return Some(value(&tokens[3..])),
        _ => {}
    }
    let constant = format!("'{name}'");
    let at = tokens.iter().position(|token| token.text.eq_ignore_ascii_case(&constant)).filter(|_| upper.contains(&"SET_CONFIG"))?;
    tokens.get(at + 2).map(|token| SetValue::To(token.text.to_owned()))
}

/// Whether a statement sets properties of its transaction, which only its first statements can: `SET TRANSACTION …`.
pub(crate) fn sets_transaction(sql: &str) -> bool {
    let words = words(sql);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["SET", "TRANSACTION", ..] | ["SET", "LOCAL", "TRANSACTION", ..])
        || setting_of(sql, "transaction_isolation").is_some_and(|value| value != SetValue::Default)
}

/// Whether a statement makes its transaction read-only.
pub(crate) fn sets_read_only(sql: &str) -> bool {
    let words = words(sql);
    if sets_transaction(sql) && words.windows(2).any(|pair| pair[0] == "READ" && pair[1] == "ONLY") {
        return true;
    }
    let value = setting_of(sql, "transaction_read_only");
    matches!(value, Some(SetValue::To(value)) if ["on", "true", "yes", "1"].contains(&value.trim_matches('\'').to_ascii_lowercase().as_str()))
}

/// The isolation level that the first statements of a section set, as `BEGIN` takes it. PostgreSQL allows only statements that take
/// no snapshot before it (manual, SET TRANSACTION).
pub(crate) fn leading_isolation_level(sql: &str) -> Option<&'static str> {
    for statement in split(sql).statements {
        let text = &sql[statement.range];
        if let Some(level) = isolation_level(text) {
            return Some(level);
        }
        let words = words(text);
        if !["SET", "RESET", "LOCK", "SHOW", "LISTEN", "UNLISTEN", "NOTIFY"].contains(&words.first()?.as_str()) {
            return None;
        }
    }
    None
}

/// The isolation level that one statement sets for its transaction.
fn isolation_level(sql: &str) -> Option<&'static str> {
    const LEVELS: [&str; 4] = ["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED"];
    let written = match setting_of(sql, "transaction_isolation") {
        Some(SetValue::To(value)) => value.trim_matches('\'').to_ascii_uppercase(),
        Some(SetValue::Default) => return None,
        None => {
            let words = words(sql);
            let at = words.windows(2).position(|pair| pair[0] == "ISOLATION" && pair[1] == "LEVEL").filter(|_| sets_transaction(sql))?;
            words[at + 2..].join(" ")
        }
    };
    LEVELS.into_iter().find(|level| written.starts_with(level))
}

/// The unquoted words of a statement, in capitals.
fn words(sql: &str) -> Vec<String> {
    significant_tokens(sql).into_iter().map(|token| token.upper).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_setting_is_found() {
        let set = |sql| setting_of(sql, "statement_timeout");
        for sql in
            ["SET statement_timeout = '1s'", "set local Statement_Timeout to '1s'", "SELECT set_config('statement_timeout', '1s', true)"]
        {
            assert_eq!(set(sql), Some(SetValue::To("'1s'".to_owned())), "{sql}");
        }
        assert_eq!((set("RESET ALL"), set("SET statement_timeout TO DEFAULT")), (Some(SetValue::Default), Some(SetValue::Default)));
        assert_eq!((set("SET lock_timeout = 1"), set("SELECT 'statement_timeout'")), (None, None));
    }

    #[test]
    fn the_isolation_level_of_the_first_statements_is_found() {
        assert_eq!(leading_isolation_level("-- a\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1"), Some("SERIALIZABLE"));
        let later = "SET LOCAL lock_timeout = 1; LOCK TABLE t; set transaction read write, isolation level repeatable read;";
        assert_eq!(leading_isolation_level(later), Some("REPEATABLE READ"));
        assert_eq!(leading_isolation_level("SET transaction_isolation = 'read committed'"), Some("READ COMMITTED"));
        assert_eq!(leading_isolation_level("SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), None);
        assert_eq!(leading_isolation_level("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1"), None);
    }

    #[test]
    fn a_read_only_transaction_is_found() {
        for sql in
            ["SET TRANSACTION READ ONLY", "set local transaction isolation level serializable, read only", "SET transaction_read_only = on"]
        {
            assert!(sets_read_only(sql), "{sql}");
        }
        assert!(!sets_read_only("SET TRANSACTION READ WRITE") && !sets_read_only("SELECT 'READ ONLY'"));
    }
}
