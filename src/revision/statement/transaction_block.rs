//! Statements that PostgreSQL never runs in a transaction block: those for which each of its versions calls `PreventInTransactionBlock`
//! whatever the database holds. Others, such as `DROP SUBSCRIPTION` with a slot or `CLUSTER` of a partitioned table, are left to the server.

use super::kind::{SignificantToken, significant_tokens};
use super::leading_words::begins_with;

const CONCURRENTLY: &str = "CONCURRENTLY";

/// A statement of a section that runs in a transaction, and can't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedStatement {
    /// The byte of the section where it begins.
    pub start: usize,
    /// What can't run in a transaction, as the server's error names it.
    pub what: &'static str,
}

/// What of the statement can't run in a transaction block. `words` are its first unquoted words.
pub(super) fn refused_in_transaction(words: &[&str], sql: &str) -> Option<&'static str> {
    // All others need no closer look, which takes longer.
    let is = |with: &[&str]| begins_with(words, with);
    let is_candidate = is(&["VACUUM|DISCARD|REINDEX|CLUSTER|REPACK"])
        || is(&["CREATE|DROP", "DATABASE|TABLESPACE|SUBSCRIPTION"])
        || is(&["CREATE|DROP", "INDEX", "CONCURRENTLY"])
        || is(&["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY"])
        || is(&["ALTER", "SYSTEM|DATABASE"])
        || is(&["ALTER", "TABLE"]) && sql.len() > CONCURRENTLY.len() && sql.is_char_boundary(sql.len() - CONCURRENTLY.len()) && {
            sql[sql.len() - CONCURRENTLY.len()..].eq_ignore_ascii_case(CONCURRENTLY)
        };
    if !is_candidate {
        return None;
    }
    let tokens = significant_tokens(sql);
    let upper: Vec<&str> = tokens.iter().map(|token| token.upper.as_str()).collect();
    match upper.as_slice() {
        ["VACUUM", ..] => Some("VACUUM"),
        ["DISCARD", "ALL"] => Some("DISCARD ALL"),
        ["CREATE", "INDEX", "CONCURRENTLY", ..] | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => Some("CREATE INDEX CONCURRENTLY"),
        ["DROP", "INDEX", "CONCURRENTLY", ..] => Some("DROP INDEX CONCURRENTLY"),
        ["CREATE", "DATABASE", ..] => Some("CREATE DATABASE"),
        ["DROP", "DATABASE", ..] => Some("DROP DATABASE"),
        ["CREATE", "TABLESPACE", ..] => Some("CREATE TABLESPACE"),
        ["DROP", "TABLESPACE", ..] => Some("DROP TABLESPACE"),
        ["ALTER", "SYSTEM", ..] => Some("ALTER SYSTEM"),
        ["ALTER", "DATABASE", _, "SET", "TABLESPACE", ..] => Some("ALTER DATABASE SET TABLESPACE"),
        ["CREATE", "SUBSCRIPTION", ..] if !has_option(&tokens, &["CONNECT", "CREATE_SLOT"], false) => {
            Some("CREATE SUBSCRIPTION … WITH (create_slot = true)")
        }
        ["ALTER", "TABLE", .., "CONCURRENTLY"] if upper.windows(2).any(|pair| pair == ["DETACH", "PARTITION"]) => {
            Some("ALTER TABLE … DETACH CONCURRENTLY")
        }
        ["REINDEX", ..] => refused_reindex(&tokens, &upper),
        ["CLUSTER" | "REPACK", rest @ ..] if names_no_table(rest, &tokens[1..]) => {
            Some(if upper[0] == "CLUSTER" { "CLUSTER" } else { "REPACK" })
        }
        _ => None,
    }
}

/// `REINDEX [(option, …)] INDEX | TABLE | SCHEMA | DATABASE | SYSTEM [CONCURRENTLY] …`
fn refused_reindex(tokens: &[SignificantToken<'_>], upper: &[&str]) -> Option<&'static str> {
    let close = if tokens.get(1).is_some_and(|token| token.text == "(") { tokens.iter().position(|token| token.text == ")")? } else { 0 };
    match upper.get(close + 1..)? {
        ["SCHEMA", ..] => Some("REINDEX SCHEMA"),
        ["DATABASE", ..] => Some("REINDEX DATABASE"),
        ["SYSTEM", ..] => Some("REINDEX SYSTEM"),
        ["INDEX" | "TABLE", "CONCURRENTLY", ..] => Some("REINDEX CONCURRENTLY"),
        _ if has_option(&tokens[..close], &["CONCURRENTLY"], true) => Some("REINDEX CONCURRENTLY"),
        _ => None,
    }
}

/// Whether only options follow: `VERBOSE`, `(VERBOSE)`.
fn names_no_table(upper: &[&str], tokens: &[SignificantToken<'_>]) -> bool {
    match upper {
        [] | ["VERBOSE"] => true,
        _ => {
            tokens.first().is_some_and(|token| token.text == "(")
                && tokens.iter().position(|token| token.text == ")") == Some(tokens.len() - 1)
        }
    }
}

/// Whether one of the options stands among the tokens with this value: `create_slot = false`, or for true also without one.
fn has_option(tokens: &[SignificantToken<'_>], names: &[&str], wanted: bool) -> bool {
    tokens.iter().enumerate().any(|(at, token)| {
        let is_first = at > 0 && matches!(tokens[at - 1].text, "(" | ",");
        let value = tokens[at + 1..].iter().find(|token| token.text != "=").map_or("", |token| token.text);
        let value = value.trim_matches('\'').to_ascii_lowercase();
        let value = !matches!(value.as_str(), "false" | "off" | "0" | "no" | "f" | "n");
        is_first && names.contains(&token.upper.as_str()) && value == wanted
    })
}

#[cfg(test)]
mod tests {
    use crate::revision::statement::check;

    fn refused(sql: &str) -> Vec<&'static str> {
        check(sql, |_| false).refused.into_iter().map(|refused| refused.what).collect()
    }

    #[test]
    fn what_never_runs_in_a_transaction_is_found() {
        for (sql, what) in [
            ("create index concurrently on t (a)", "CREATE INDEX CONCURRENTLY"),
            ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", "CREATE INDEX CONCURRENTLY"),
            ("DROP INDEX CONCURRENTLY IF EXISTS a, b", "DROP INDEX CONCURRENTLY"),
            ("VACUUM", "VACUUM"),
            ("vacuum (analyze) t", "VACUUM"),
            ("CREATE DATABASE d", "CREATE DATABASE"),
            ("DROP DATABASE IF EXISTS d WITH (FORCE)", "DROP DATABASE"),
            ("CREATE TABLESPACE t LOCATION '/x'", "CREATE TABLESPACE"),
            ("DROP TABLESPACE t", "DROP TABLESPACE"),
            ("ALTER SYSTEM SET work_mem = '1MB'", "ALTER SYSTEM"),
            ("ALTER DATABASE \"d x\" SET TABLESPACE t", "ALTER DATABASE SET TABLESPACE"),
            ("DISCARD ALL", "DISCARD ALL"),
            ("REINDEX SCHEMA s", "REINDEX SCHEMA"),
            ("REINDEX (VERBOSE) DATABASE d", "REINDEX DATABASE"),
            ("REINDEX SYSTEM CONCURRENTLY d", "REINDEX SYSTEM"),
            ("REINDEX TABLE CONCURRENTLY t", "REINDEX CONCURRENTLY"),
            ("REINDEX (VERBOSE, CONCURRENTLY) INDEX i", "REINDEX CONCURRENTLY"),
            ("REINDEX (CONCURRENTLY true) INDEX i", "REINDEX CONCURRENTLY"),
            ("CLUSTER", "CLUSTER"),
            ("cluster verbose", "CLUSTER"),
            ("CLUSTER (VERBOSE)", "CLUSTER"),
            ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "CREATE SUBSCRIPTION … WITH (create_slot = true)"),
            (
                "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (enabled = false)",
                "CREATE SUBSCRIPTION … WITH (create_slot = true)",
            ),
            ("ALTER TABLE IF EXISTS s.p DETACH PARTITION s.c CONCURRENTLY", "ALTER TABLE … DETACH CONCURRENTLY"),
        ] {
            assert_eq!(refused(&format!("SELECT 1; /* */ {sql};")), [what], "{sql}");
        }
    }

    #[test]
    fn what_may_run_in_a_transaction_is_not_found() {
        for sql in [
            "SELECT 'VACUUM'",
            "DO $$ BEGIN EXECUTE 'VACUUM'; END $$",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'VACUUM'",
            "-- VACUUM\nSELECT 1",
            "CREATE INDEX concurrently_x ON t (a)",
            "CREATE INDEX i ON t (a)",
            "DROP INDEX i",
            "ANALYZE t",
            "REINDEX TABLE t",
            "REINDEX (CONCURRENTLY false) TABLE t",
            "REINDEX INDEX i",
            "CLUSTER t",
            "CLUSTER \"t\" USING i",
            "CLUSTER VERBOSE t",
            "CLUSTER (VERBOSE) t",
            "DISCARD PLANS",
            "DISCARD TEMP",
            "ALTER DATABASE d SET work_mem = '1MB'",
            "ALTER DATABASE d OWNER TO r",
            "ALTER TABLE p DETACH PARTITION c",
            "ALTER TABLE p DETACH PARTITION c FINALIZE",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (slot_name = NONE, create_slot = 'off')",
            "DROP SUBSCRIPTION s",
            "CREATE TABLE vacuum_log (concurrently_done bool)",
            "ALTER TABLE t ADD COLUMN system int",
            "CALL p()",
        ] {
            assert_eq!(refused(sql), Vec::<&str>::new(), "{sql}");
        }
    }
}
