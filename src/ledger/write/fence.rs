//! The fence: the version rows are where the plan says, and move; or nothing happens.

use super::statement_cache::{PreparedStatement, StatementCache};
use crate::connect::Failure;
use crate::ledger::Ledger;
use crate::ledger::trust::RelationLock;
use crate::plan::VersionRows;
use crate::revision::{Direction, Id, join_ids};
use crate::sql;
use crate::sql::{Literal, Sql, TextArray};

/// Our own SQLSTATE: the version table is not where the plan says. No class of PostgreSQL's begins with `PG`.
pub(in crate::ledger) const MOVED: &str = "PGM01";
/// What the fence of a revision in one transaction says instead.
const ELSEWHERE: &str = "the version table is not where the plan starts";

/// Whether a message failed at its fence.
pub fn is_fence_failure(failure: &Failure) -> bool {
    crate::ledger::says(failure, ELSEWHERE) || failure.source.as_db_error().is_some_and(|error| error.code().code() == MOVED)
}

/// Fails if one of our tables is not as it was.
const TRUST: PreparedStatement = PreparedStatement { name: "pgmarch: trust", types: &[] };
/// Moves the only version row: from, to.
const FENCE: PreparedStatement = PreparedStatement { name: "pgmarch: fence", types: &["text", "text"] };

impl Ledger {
    /// Statements that make sure of our tables, and then move the version rows from `before` to `after`, or fail ([`is_fence_failure`])
    /// if they are not there. Two runners without any other lock still can't both pass.
    ///
    /// It is in plain SQL, with a cast that fails: a block in PL/pgSQL is compiled again for each revision, which would take
    /// as long as all the rest of the bookkeeping.
    pub fn fence_transaction(
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
        let mut statements = self.secure(Some(if single.is_some() { RelationLock::Rows } else { RelationLock::Table }), written);
        let check = statements.pop().unwrap_or_default();
        statements.extend(statement_cache.render(TRUST, &[], |_| check.clone()));
        if let Some(ids) = single {
            statements.extend(statement_cache.render(FENCE, &ids.map(id), |v| self.step_along(&v[0], &v[1])));
            return statements;
        }
        // Locked against other writers: what is found stays so.
        statements.push(sql!(
            "SELECT CASE WHEN coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), '{}') = {expected} THEN 0 \
             ELSE ({elsewhere}::text || ': expected ' || {named} || ', found ' || coalesce(array_to_string(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), ', '), 'base'))::integer END FROM {table}",
            expected = before.iter().map(Id::as_str).collect::<TextArray<'_>>(),
            elsewhere = Literal(ELSEWHERE),
            named = Literal(&join_ids(before)),
            table = self.version_table
        ));
        statements.extend(self.moves(before, after));
        statements
    }

    /// One statement that moves the only version row. Of two that try, the second waits for the row's lock, and then
    /// does not find it (manual, 13.2.1): a lock on the whole table is not needed.
    fn step_along(&self, from: &Sql, to: &Sql) -> Sql {
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

    /// What turns the version rows from `before` into `after`.
    fn moves(&self, before: &VersionRows, after: &VersionRows) -> Vec<Sql> {
        let table = &self.version_table;
        let gone: Vec<&Id> = before.difference(after).collect();
        let new: Vec<&Id> = after.difference(before).collect();
        let update = |(from, to): (&&Id, &&Id)| {
            sql!("UPDATE {table} SET version_num = {to} WHERE version_num = {from}", table = *table, to = id(to), from = id(from))
        };
        let mut moves: Vec<Sql> = gone.iter().zip(&new).map(update).collect();
        let updated = moves.len();
        let delete = |from: &&Id| sql!("DELETE FROM {table} WHERE version_num = {from}", table = *table, from = id(from));
        moves.extend(gone[updated..].iter().map(delete));
        moves.extend(new[updated..].iter().map(|to| self.insert(to)));
        moves
    }

    fn insert(&self, row: &Id) -> Sql {
        sql!("INSERT INTO {table} (version_num) VALUES ({row})", table = self.version_table, row = id(row))
    }

    /// The same as one statement, which raises `MOVED`: for scripts that people read and run.
    pub fn fence_script(&self, before: &VersionRows, after: &VersionRows) -> Sql {
        self.fence_block_with(before, after, Sql::default())
    }

    /// One statement that moves the version rows from `before` to `after`, or raises `MOVED` if they are not there,
    /// with another check while the table is locked.
    pub(in crate::ledger) fn fence_block_with(&self, before: &VersionRows, after: &VersionRows, check: Sql) -> Sql {
        let moves = self.moves(before, after).into_iter().map(|statement| sql!("{statement};\n", statement = statement));
        let expected: Vec<&str> = before.iter().map(Id::as_str).collect();
        self.fence_block(&expected, Sql::join([check].into_iter().chain(moves), ""))
    }

    /// Statements that make sure of our tables, and then do the same for rows that may be anything, such as those of another
    /// tool: they all go, and `after` comes.
    pub fn fence_stamp(&self, before: &[String], after: &VersionRows) -> Vec<Sql> {
        let delete = sql!("DELETE FROM {table};\n", table = self.version_table);
        let inserts = after.iter().map(|row| sql!("{insert};\n", insert = self.insert(row)));
        let expected: Vec<&str> = before.iter().map(String::as_str).collect();
        let put = self.fence_block(&expected, Sql::join([delete].into_iter().chain(inserts), ""));
        self.secure(Some(RelationLock::Table), &["journal"]).into_iter().chain([put]).collect()
    }

    /// `moves`, if the rows are as expected and nobody else writes them.
    fn fence_block(&self, expected: &[&str], moves: Sql) -> Sql {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let named = if expected.is_empty() { "base".to_owned() } else { expected.join(", ") };
        let body = sql!(
            "DECLARE found text[];\nBEGIN\nLOCK TABLE {table} IN EXCLUSIVE MODE;\n\
             SELECT coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), '{}') INTO found FROM {table};\n\
             IF found <> {expected} THEN\n\
             RAISE EXCEPTION USING ERRCODE = '{moved}', MESSAGE = 'the version table is not where the plan starts', DETAIL = {named} || coalesce(nullif(array_to_string(found, ', '), ''), 'base');\n\
             END IF;\n{moves}END",
            table = self.version_table,
            expected = expected.into_iter().collect::<TextArray<'_>>(),
            moved = Sql::of(MOVED),
            named = Literal(&format!("expected {named}, found ")),
            moves = moves
        );
        sql!("DO {body}", body = Literal(body.as_str()))
    }
}

/// A revision's id as a constant.
pub(in crate::ledger) fn id(id: &Id) -> Sql {
    sql!("{id}", id = Literal(id.as_str()))
}
