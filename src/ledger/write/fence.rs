//! The fence: a statement at the beginning of a transaction that moves the version rows, and fails unless they are what the plan
//! starts from. Of two runs without any other lock, only one passes it.
//!
//! | function | guards | form |
//! | --- | --- | --- |
//! | [`Ledger::fence_transaction`] | a revision in one transaction | plain SQL: a cast fails |
//! | [`Ledger::fence_script`] | a step of a script that people read and run | one `DO` block |
//! | [`Ledger::fence_stamp`] | a stamp: any rows are replaced | `DO` block |
//! | [`Ledger::fence_note`] | what the ledger notes about the version rows: no row moves | plain SQL: a cast fails |
//! | [`Ledger::fence_statement`] | one statement of a `transaction:false` revision: no row moves | `DO` block with a check of the journal |
//! | [`Ledger::fence_last_statement`] | the last transaction of such a revision | `DO` block with a check of the journal |

use super::id;
use super::statement_cache::{PreparedStatement, StatementCache};
use super::verify::{digest_of, many_rows};
use crate::ledger::cast_failure::is_cast_failure;
use crate::ledger::handle::Ledger;
use crate::ledger::trust::RelationLock;
use crate::plan::VersionRows;
use crate::revision::{Direction, Id};
use crate::session::Failure;
use crate::sql;
use crate::sql::{Literal, Sql, TextArray};
use crate::words::version;

/// The SQLSTATE that the `DO` blocks raise, one of pgmarch's own: no class of PostgreSQL begins with `PG`.
pub(super) const MOVED: &str = "PGM01";
/// The text in the failed cast of [`Ledger::fence_transaction`].
const ELSEWHERE: &str = "the version table is not where the plan starts";

/// Whether a message failed at its fence.
pub(crate) fn is_fence_failure(failure: &Failure) -> bool {
    is_cast_failure(failure, ELSEWHERE) || failure.source.as_db_error().is_some_and(|error| error.code().code() == MOVED)
}

/// Fails if one of our tables is not as it was when the state was read.
const TRUST: PreparedStatement = PreparedStatement { name: "pgmarch: trust", types: &[] };
/// Moves the only version row: from, to.
const FENCE: PreparedStatement = PreparedStatement { name: "pgmarch: fence", types: &["text", "text"] };

impl Ledger {
    /// Statements that lock and check our tables, and then move the version rows from `before` to `after`, or fail
    /// ([`is_fence_failure`]) if they are not there.
    ///
    /// They are plain SQL: a PL/pgSQL block would be compiled for each revision, which takes as long as all other bookkeeping.
    pub(crate) fn fence_transaction(
        &self,
        before: &VersionRows,
        after: &VersionRows,
        direction: Direction,
        statement_cache: &StatementCache,
    ) -> Vec<Sql> {
        let written: &[_] = if direction == Direction::Up { &["revision", "journal"] } else { &["journal"] };
        let single = match (before.first(), after.first()) {
            (Some(from), Some(to)) if before.len() == 1 && after.len() == 1 && from != to => Some([from, to]),
            _ => None,
        };
        let mut statements = self.lock_and_check(Some(if single.is_some() { RelationLock::Rows } else { RelationLock::Table }), written);
        let check = statements.pop().unwrap_or_default();
        statements.extend(statement_cache.render(TRUST, &[], |_| check.clone()));
        if let Some(ids) = single {
            statements.extend(statement_cache.render(FENCE, &ids.map(id), |v| self.move_single_row(&v[0], &v[1])));
            return statements;
        }
        // The table is locked against other writers.
        statements.push(match many_rows(before) {
            Some(digest) => self.compare_many_rows(&digest),
            None => self.compare_rows(&before.iter().map(Id::as_str).collect::<Vec<_>>()),
        });
        statements.extend(self.move_rows(before, after));
        statements
    }

    /// Statements that lock the version table against other writers, and fail ([`is_fence_failure`]) unless its rows are `rows`, as
    /// they were read: another tool may have moved them since, which does not take the run lock.
    pub(crate) fn fence_note(&self, rows: &[String]) -> Vec<Sql> {
        let expected: Vec<&str> = rows.iter().map(String::as_str).collect();
        let compare = self.compare_rows(&expected);
        self.lock_and_check(Some(RelationLock::Table), &[]).into_iter().chain([compare]).collect()
    }

    /// One statement that fails unless the version rows are `expected`, which are sorted.
    fn compare_rows(&self, expected: &[&str]) -> Sql {
        sql!(
            "SELECT CASE WHEN coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), '{}') = {expected} THEN 0 \
             ELSE ({elsewhere}::text || ': expected ' || {named} || ', found ' || coalesce(array_to_string(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), ', '), 'base'))::integer END FROM {table}",
            expected = expected.iter().copied().collect::<TextArray<'_>>(),
            elsewhere = Literal(ELSEWHERE),
            named = Literal(&version(expected)),
            table = self.version_table
        )
    }

    /// The same for many rows, by their digest.
    fn compare_many_rows(&self, digest: &str) -> Sql {
        sql!(
            "SELECT CASE WHEN {digest} = {expected} THEN 0 \
             ELSE ({elsewhere}::text || ': expected ' || {expected} || ', found ' || coalesce(array_to_string(found.rows, ', '), 'base'))::integer END \
             FROM (SELECT array_agg(version_num::text ORDER BY version_num COLLATE \"C\") AS rows FROM {table}) AS found",
            digest = digest_of("found.rows"),
            expected = Literal(digest),
            elsewhere = Literal(ELSEWHERE),
            table = self.version_table
        )
    }

    /// One statement that moves the only version row. Of two that try, the second waits for the row's lock, and then
    /// does not find it (manual, 13.2.1): a lock on the whole table is not needed.
    fn move_single_row(&self, from: &Sql, to: &Sql) -> Sql {
        sql!(
            "WITH moved AS (UPDATE {table} SET version_num = {to} WHERE version_num = {from} RETURNING 1) \
             SELECT CASE WHEN EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM {table} WHERE version_num <> {from}) THEN 0 \
             ELSE ({elsewhere}::text || ': expected ' || {from} || ', found ' || coalesce((SELECT string_agg(version_num, ', ' ORDER BY version_num COLLATE \"C\") FROM {table}), 'base'))::integer END",
            table = self.version_table,
            from = *from,
            to = *to,
            elsewhere = Literal(ELSEWHERE)
        )
    }

    /// Statements that turn the version rows from `before` into `after`.
    fn move_rows(&self, before: &VersionRows, after: &VersionRows) -> Vec<Sql> {
        let table = &self.version_table;
        let gone: Vec<&Id> = before.difference(after);
        let new: Vec<&Id> = after.difference(before);
        let update = |(from, to): (&&Id, &&Id)| {
            sql!("UPDATE {table} SET version_num = {to} WHERE version_num = {from}", table = *table, to = id(to), from = id(from))
        };
        let mut moves: Vec<Sql> = gone.iter().zip(&new).map(update).collect();
        let updated = moves.len();
        let delete = |from: &&Id| sql!("DELETE FROM {table} WHERE version_num = {from}", table = *table, from = id(from));
        moves.extend(gone[updated..].iter().map(delete));
        moves.extend(new[updated..].iter().map(|to| self.insert_version_row(to)));
        moves
    }

    fn insert_version_row(&self, row: &Id) -> Sql {
        sql!("INSERT INTO {table} (version_num) VALUES ({row})", table = self.version_table, row = id(row))
    }

    /// One statement that moves the version rows from `before` to `after`, or raises [`MOVED`] if they are not there.
    pub(crate) fn fence_script(&self, before: &VersionRows, after: &VersionRows) -> Sql {
        self.fence_block_with(before, after, Sql::default())
    }

    /// The same, with another check while the table is locked.
    pub(super) fn fence_block_with(&self, before: &VersionRows, after: &VersionRows, check: Sql) -> Sql {
        let moves = self.move_rows(before, after).into_iter().map(|statement| sql!("{statement};\n", statement = statement));
        let expected: Vec<&str> = before.iter().map(Id::as_str).collect();
        self.fence_block(&expected, Sql::join([check].into_iter().chain(moves), ""))
    }

    /// Statements that lock and check our tables, and then replace the version rows by `after`, or raise [`MOVED`] if they are not
    /// `before`. Those may be any text, such as another tool's.
    pub(crate) fn fence_stamp(&self, before: &[String], after: &VersionRows) -> Vec<Sql> {
        let delete = sql!("DELETE FROM {table};\n", table = self.version_table);
        let inserts = after.iter().map(|row| sql!("{insert};\n", insert = self.insert_version_row(row)));
        let expected: Vec<&str> = before.iter().map(String::as_str).collect();
        let fence = self.fence_block(&expected, Sql::join([delete].into_iter().chain(inserts), ""));
        self.lock_and_check(Some(RelationLock::Table), &["journal"]).into_iter().chain([fence]).collect()
    }

    /// One `DO` block that locks the version table against other writers, compares its rows, and executes `moves`.
    fn fence_block(&self, expected: &[&str], moves: Sql) -> Sql {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let body = sql!(
            "DECLARE found text[];\nBEGIN\nLOCK TABLE {table} IN EXCLUSIVE MODE;\n\
             SELECT coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), '{}') INTO found FROM {table};\n\
             IF found <> {expected} THEN\n\
             RAISE EXCEPTION USING ERRCODE = '{moved}', MESSAGE = 'the version table is not where the plan starts', DETAIL = {named} || coalesce(nullif(array_to_string(found, ', '), ''), 'base');\n\
             END IF;\n{moves}END",
            table = self.version_table,
            expected = expected.iter().copied().collect::<TextArray<'_>>(),
            moved = Sql::of(MOVED),
            named = Literal(&format!("expected {}, found ", version(&expected))),
            moves = moves
        );
        sql!("DO {body}", body = Literal(&body.text()))
    }
}
