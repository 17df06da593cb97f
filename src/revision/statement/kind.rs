//! What kind of statement a text is: whether it can run in a transaction, what it leaves when it is interrupted, and whether it affects
//! more than its database.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use squawk_lexer::{TokenKind, tokenize};

/// How a statement of a `transaction:false` section is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StatementKind {
    /// In a transaction together with its progress row, so it is executed exactly once.
    Transactional,
    /// `SET` or `RESET`: like [`StatementKind::Transactional`], and executed again by a run that resumes after it.
    Setting,
    /// Without a transaction, because it can't run in one or may end the one it runs in.
    NonTransactional(NonTransactional),
}

/// A statement that can't run in a transaction, by what it leaves when it is interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NonTransactional {
    /// `CREATE INDEX CONCURRENTLY`: an INVALID index.
    CreateIndexConcurrently {
        /// The table, as written.
        table: String,
        /// The index, as written and without a schema; `None` leaves its name to the server.
        index: Option<String>,
    },
    /// `REINDEX … CONCURRENTLY`: INVALID indexes named `…_ccnew` or `…_ccold`.
    Reindex {
        /// What is rebuilt.
        target: ReindexTarget,
        /// Its name, as written; empty for the whole database.
        name: String,
    },
    /// `DROP INDEX CONCURRENTLY`: an INVALID index of the same name, or none.
    DropIndexConcurrently,
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`: a partition whose detach is pending.
    DetachPartition {
        /// The partitioned table, as written.
        table: String,
        /// The partition, as written.
        partition: String,
    },
    /// Anything else: `VACUUM`, `CALL`, `CREATE DATABASE`…
    Other,
}

/// What `REINDEX` rebuilds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReindexTarget {
    /// One index.
    Index,
    /// The indexes of a table.
    Table,
    /// Those of a schema.
    Schema,
    /// Those of the database.
    Database,
}

impl NonTransactional {
    /// Whether it runs without a lock timeout, which would also end its wait for older snapshots and leave an INVALID index.
    pub(crate) fn is_concurrent(&self) -> bool {
        !matches!(self, Self::Other)
    }
}

/// A token that is no white space or comment: its text, and in capitals if it is an unquoted word.
pub(super) struct SignificantToken<'a> {
    pub(super) text: &'a str,
    pub(super) upper: String,
}

/// Classifies a statement by its words.
pub(crate) fn classify(sql: &str) -> StatementKind {
    let words = significant_tokens(sql);
    let upper: Vec<&str> = words.iter().map(|word| word.upper.as_str()).collect();
    let has = |word: &str| upper.contains(&word);
    let non_transactional = StatementKind::NonTransactional;
    match upper.as_slice() {
        ["SET", "LOCAL" | "TRANSACTION" | "CONSTRAINTS", ..] => StatementKind::Transactional,
        ["SET" | "RESET", ..] => StatementKind::Setting,
        ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => non_transactional(parse_create_index(&words[4..])),
        ["CREATE", "INDEX", "CONCURRENTLY", ..] => non_transactional(parse_create_index(&words[3..])),
        ["DROP", "INDEX", "CONCURRENTLY", ..] => non_transactional(NonTransactional::DropIndexConcurrently),
        ["REINDEX", ..] if has("CONCURRENTLY") => non_transactional(parse_reindex(&words)),
        ["REINDEX" | "VACUUM" | "CLUSTER" | "REPACK" | "CALL" | "DISCARD", ..] => non_transactional(NonTransactional::Other),
        ["DO", ..] if may_commit(sql) => non_transactional(NonTransactional::Other),
        ["CREATE" | "DROP", "DATABASE" | "TABLESPACE", ..] => non_transactional(NonTransactional::Other),
        ["CREATE" | "ALTER" | "DROP", "SUBSCRIPTION", ..] | ["ALTER", "SYSTEM", ..] => non_transactional(NonTransactional::Other),
        ["ALTER", "DATABASE", ..] if has("TABLESPACE") => non_transactional(NonTransactional::Other),
        ["ALTER", "TABLE", ..] if has("DETACH") && (has("CONCURRENTLY") || has("FINALIZE")) => non_transactional(parse_detach(&words)),
        _ => StatementKind::Transactional,
    }
}

/// Whether a `DO` block may end its transaction, itself or in a procedure that it calls.
fn may_commit(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    ["commit", "rollback", "call"].iter().any(|word| lower.contains(word))
}

/// Whether a statement sets `lock_timeout` for the session. Such a setting of the revision has precedence over pgmarch's.
pub(crate) fn sets_lock_timeout(sql: &str) -> bool {
    let words = significant_tokens(sql);
    let upper: Vec<&str> = words.iter().map(|word| word.upper.as_str()).collect();
    matches!(upper.as_slice(), ["SET", "LOCK_TIMEOUT", ..] | ["SET", "SESSION", "LOCK_TIMEOUT", ..]) && !upper.contains(&"DEFAULT")
}

/// Whether a statement may reset a setting to its value at the session's start: `RESET …`, `SET … TO DEFAULT`.
pub(crate) fn resets_setting(sql: &str) -> bool {
    let words = significant_tokens(sql);
    match words.first().map(|word| word.upper.as_str()) {
        Some("RESET") => true,
        Some("SET") => words.last().is_some_and(|word| word.upper == "DEFAULT"),
        _ => false,
    }
}

/// Whether a statement affects more than its database: shared objects such as roles, settings of the server, or another server. What a
/// function or a `DO` block does is not known.
pub(crate) fn affects_whole_server(sql: &str) -> bool {
    let words = significant_tokens(sql);
    let upper: Vec<&str> = words.iter().map(|word| word.upper.as_str()).collect();
    match upper.as_slice() {
        ["CREATE" | "ALTER" | "DROP", "USER", "MAPPING", ..] => false,
        ["CREATE" | "ALTER" | "DROP", "ROLE" | "USER" | "GROUP" | "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", ..]
        | ["COMMENT", "ON", "ROLE" | "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", ..]
        | ["DROP" | "REASSIGN", "OWNED", ..]
        | ["ALTER", "SYSTEM", ..] => true,
        // Without ON it grants membership in a role.
        ["GRANT" | "REVOKE", rest @ ..] => match rest.iter().position(|word| *word == "ON") {
            Some(on) => matches!(rest.get(on + 1), Some(&("DATABASE" | "TABLESPACE" | "PARAMETER"))),
            None => true,
        },
        _ => false,
    }
}

/// The tokens of a statement, without white space and comments.
pub(super) fn significant_tokens(sql: &str) -> Vec<SignificantToken<'_>> {
    let mut words = Vec::new();
    let mut offset = 0;
    for token in tokenize(sql) {
        let text = &sql[offset..offset + token.len as usize];
        offset += token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {}
            TokenKind::Ident => words.push(SignificantToken { text, upper: text.to_ascii_uppercase() }),
            _ => words.push(SignificantToken { text, upper: String::new() }),
        }
    }
    words
}

/// The name at the beginning (`a.b`), as written, and the tokens after it.
fn split_name<'w, 'a>(words: &'w [SignificantToken<'a>]) -> (String, &'w [SignificantToken<'a>]) {
    let mut name = String::new();
    let mut rest = words;
    while let [first, after @ ..] = rest {
        name += first.text;
        rest = after;
        match after {
            [dot, more @ ..] if dot.text == "." => {
                name += ".";
                rest = more;
            }
            _ => break,
        }
    }
    (name, rest)
}

/// The tokens after these words, if they begin with them.
fn strip_words<'w, 'a>(words: &'w [SignificantToken<'a>], skipped: &[&str]) -> &'w [SignificantToken<'a>] {
    let begins_with_them = words.len() >= skipped.len() && words.iter().zip(skipped).all(|(word, skipped)| word.upper == *skipped);
    if begins_with_them { &words[skipped.len()..] } else { words }
}

/// `[[IF NOT EXISTS] name] ON [ONLY] table …`
fn parse_create_index(words: &[SignificantToken<'_>]) -> NonTransactional {
    let words = strip_words(words, &["IF", "NOT", "EXISTS"]);
    let (index, words) = match words.first() {
        Some(word) if word.upper != "ON" => {
            let (index, rest) = split_name(words);
            (Some(index), rest)
        }
        _ => (None, words),
    };
    let (table, _) = split_name(strip_words(strip_words(words, &["ON"]), &["ONLY"]));
    NonTransactional::CreateIndexConcurrently { table, index }
}

/// `REINDEX [(option, …)] INDEX | TABLE | SCHEMA | DATABASE | SYSTEM [CONCURRENTLY] [name]`
fn parse_reindex(words: &[SignificantToken<'_>]) -> NonTransactional {
    let kinds = [
        ("INDEX", ReindexTarget::Index),
        ("TABLE", ReindexTarget::Table),
        ("SCHEMA", ReindexTarget::Schema),
        ("DATABASE", ReindexTarget::Database),
        ("SYSTEM", ReindexTarget::Database),
    ];
    let found =
        words.iter().enumerate().find_map(|(at, word)| kinds.iter().find(|(kind, _)| *kind == word.upper).map(|(_, target)| (at, *target)));
    let Some((at, target)) = found else { return NonTransactional::Other };
    let (name, _) = split_name(strip_words(&words[at + 1..], &["CONCURRENTLY"]));
    NonTransactional::Reindex { target, name }
}

/// `ALTER TABLE [IF EXISTS] [ONLY] table DETACH PARTITION partition …`
fn parse_detach(words: &[SignificantToken<'_>]) -> NonTransactional {
    let (table, rest) = split_name(strip_words(strip_words(&words[2..], &["IF", "EXISTS"]), &["ONLY"]));
    let (partition, _) = split_name(strip_words(rest, &["DETACH", "PARTITION"]));
    NonTransactional::DetachPartition { table, partition }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_need_no_transaction_are_distinguished() {
        for sql in [
            "CREATE INDEX i ON t (a)",
            "ALTER TYPE c ADD VALUE 'x'",
            "UPDATE t SET a = 1",
            "SELECT 'CALL'",
            "SET LOCAL lock_timeout = 1",
            "DO $$BEGIN INSERT INTO t VALUES (1); END$$",
        ] {
            assert_eq!(classify(sql), StatementKind::Transactional, "{sql}");
        }
        for sql in ["set maintenance_work_mem = '1GB'", "RESET ALL", "SET ROLE x"] {
            assert_eq!(classify(sql), StatementKind::Setting, "{sql}");
        }
        for sql in [
            "VACUUM t",
            "CALL p()",
            "DO $$BEGIN COMMIT; END$$",
            "DO 'BEGIN Call p(); END'",
            "create database d",
            "ALTER SYSTEM SET a = 1",
            "REINDEX TABLE t",
            "cluster t",
        ] {
            assert_eq!(classify(sql), StatementKind::NonTransactional(NonTransactional::Other), "{sql}");
        }
        assert_eq!(
            classify("DROP INDEX CONCURRENTLY IF EXISTS i"),
            StatementKind::NonTransactional(NonTransactional::DropIndexConcurrently)
        );
    }

    #[test]
    fn statements_that_affect_other_databases_are_distinguished() {
        for sql in [
            "CREATE ROLE r LOGIN PASSWORD 'x'",
            "alter user r connection limit 3",
            "DROP GROUP r",
            "GRANT a, b TO c WITH ADMIN OPTION",
            "GRANT CONNECT ON DATABASE d TO r",
            "REVOKE SET ON PARAMETER work_mem FROM r",
            "DROP OWNED BY r",
            "ALTER DATABASE d SET work_mem = '1MB'",
            "ALTER SYSTEM RESET ALL",
            "COMMENT ON ROLE r IS 'x'",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
        ] {
            assert!(affects_whole_server(sql), "{sql}");
        }
        for sql in [
            "CREATE TABLE role (id int)",
            "GRANT SELECT ON t TO r",
            "REVOKE ALL ON SCHEMA s FROM r",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r",
            "CREATE USER MAPPING FOR r SERVER s",
            "SET ROLE r",
            "COMMENT ON TABLE t IS 'x'",
        ] {
            assert!(!affects_whole_server(sql), "{sql}");
        }
    }

    #[test]
    fn concurrent_builds_tell_their_table_and_index() {
        let build = |table: &str, index: Option<&str>| {
            StatementKind::NonTransactional(NonTransactional::CreateIndexConcurrently { table: table.into(), index: index.map(Into::into) })
        };
        assert_eq!(classify("CREATE INDEX CONCURRENTLY i ON t (a)"), build("t", Some("i")));
        assert_eq!(
            classify("create unique index concurrently if not exists \"I x\" on only s . \"T\" (a)"),
            build("s.\"T\"", Some("\"I x\""))
        );
        assert_eq!(classify("CREATE INDEX CONCURRENTLY /* unnamed */ ON t USING gin (a)"), build("t", None));
        let rebuild = |target, name: &str| StatementKind::NonTransactional(NonTransactional::Reindex { target, name: name.into() });
        assert_eq!(classify("REINDEX TABLE CONCURRENTLY s.t"), rebuild(ReindexTarget::Table, "s.t"));
        assert_eq!(classify("REINDEX (VERBOSE, CONCURRENTLY) INDEX i"), rebuild(ReindexTarget::Index, "i"));
        let detach = NonTransactional::DetachPartition { table: "p".into(), partition: "s.c".into() };
        assert_eq!(classify("ALTER TABLE IF EXISTS p DETACH PARTITION s.c CONCURRENTLY"), StatementKind::NonTransactional(detach));
    }

    #[test]
    fn settings_that_touch_the_lock_timeout_are_known() {
        assert!(sets_lock_timeout("SET lock_timeout = '1s'") && sets_lock_timeout("set session lock_timeout to 1"));
        assert!(!sets_lock_timeout("SET lock_timeout TO DEFAULT") && !sets_lock_timeout("SET statement_timeout = 1"));
        assert!(resets_setting("RESET ALL") && resets_setting("set local lock_timeout to default") && !resets_setting("SET a = 1"));
    }
}
