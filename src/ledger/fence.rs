//! The fence: the version rows are where the plan says, and move; or nothing happens.

use tokio_postgres::error::SqlState;

use super::Ledger;
use super::names::{array, literal};
use super::phrase::{Phrase, Phrases};
use crate::connect::Failure;
use crate::plan::Rows;
use crate::revision::{Id, list};

/// Our own SQLSTATE: the version table is not where the plan says. No class of PostgreSQL's begins with `PG`.
pub(super) const MOVED: &str = "PGM01";
/// What the fence of a revision in one transaction says instead.
const ELSEWHERE: &str = "the version table is not where the plan starts";

/// Whether a message failed at its fence.
pub fn is_moved(failure: &Failure) -> bool {
    failure.source.as_db_error().is_some_and(|error| {
        error.code().code() == MOVED || *error.code() == SqlState::INVALID_TEXT_REPRESENTATION && error.message().contains(ELSEWHERE)
    })
}

/// Moves the only version row: from, to.
const FENCE: Phrase = Phrase { name: "pgmarch: fence", types: &["text", "text"] };

impl Ledger {
    /// Statements that move the version rows from `before` to `after`, or fail ([`is_moved`]) if they are not there.
    /// Two runners without any other lock still can't both pass.
    ///
    /// It is in plain SQL, with a cast that fails: a block in PL/pgSQL is compiled anew
    /// for each revision, which would take as long as all the rest of the bookkeeping.
    pub fn quick_fence(&self, before: &Rows, after: &Rows, phrases: &Phrases) -> Vec<String> {
        let table = &self.version_table;
        if let (Some(from), Some(to), 1, 1) = (before.first(), after.first(), before.len(), after.len())
            && from != to
        {
            return phrases.say(FENCE, &[from, to].map(|id| format!("'{id}'")), |v| self.step_along(&v[0], &v[1]));
        }
        // Locked against other writers first: what is found stays so.
        let found = "array_agg(version_num::text ORDER BY version_num COLLATE \"C\")";
        let check = format!(
            "SELECT CASE WHEN coalesce({found}, '{{}}') = {} THEN 0 \
             ELSE ('{ELSEWHERE}: expected {}, found ' || coalesce(array_to_string({found}, ', '), 'base'))::integer END FROM {table}",
            array(before.iter().map(Id::as_str)),
            list(before)
        );
        let mut statements = vec![format!("LOCK TABLE {table} IN EXCLUSIVE MODE"), check];
        statements.extend(self.moves(before, after));
        statements
    }

    /// One statement that moves the only version row. Of two that try, the second waits for the row's lock, and then
    /// does not find it (manual, 13.2.1): a lock on the whole table is not needed.
    fn step_along(&self, from: &str, to: &str) -> String {
        let table = &self.version_table;
        format!(
            "WITH moved AS (UPDATE {table} SET version_num = {to} WHERE version_num = {from} RETURNING 1) \
             SELECT CASE WHEN EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM {table} WHERE version_num <> {from}) THEN 0 \
             ELSE ('{ELSEWHERE}: expected ' || {from} || ', found ' || coalesce((SELECT string_agg(version_num, ', ' ORDER BY version_num COLLATE \"C\") FROM {table}), 'base'))::integer END"
        )
    }

    /// What turns the version rows from `before` into `after`.
    fn moves(&self, before: &Rows, after: &Rows) -> Vec<String> {
        let table = &self.version_table;
        let gone: Vec<&Id> = before.difference(after).collect();
        let new: Vec<&Id> = after.difference(before).collect();
        let both = gone.iter().zip(&new);
        let mut moves: Vec<String> =
            both.map(|(from, to)| format!("UPDATE {table} SET version_num = '{to}' WHERE version_num = '{from}'")).collect();
        let updated = moves.len();
        moves.extend(gone[updated..].iter().map(|from| format!("DELETE FROM {table} WHERE version_num = '{from}'")));
        moves.extend(new[updated..].iter().map(|to| format!("INSERT INTO {table} (version_num) VALUES ('{to}')")));
        moves
    }

    /// The same as one statement, which raises `MOVED`: for scripts that people read and run.
    pub fn fence(&self, before: &Rows, after: &Rows) -> String {
        self.fence_and(before, after, "")
    }

    /// One statement that moves the version rows from `before` to `after`, or raises `MOVED` if they are not there,
    /// with another check while the table is locked.
    pub(super) fn fence_and(&self, before: &Rows, after: &Rows, check: &str) -> String {
        let moves: String = self.moves(before, after).into_iter().map(|statement| statement + ";\n").collect();
        let expected: Vec<&str> = before.iter().map(Id::as_str).collect();
        self.guarded(&expected, &format!("{check}{moves}"))
    }

    /// The same for rows that may be anything, such as those of another tool: they all go, and `after` comes.
    pub fn put(&self, before: &[String], after: &Rows) -> String {
        let table = &self.version_table;
        let mut moves = format!("DELETE FROM {table};\n");
        for row in after {
            moves += &format!("INSERT INTO {table} (version_num) VALUES ('{row}');\n");
        }
        let expected: Vec<&str> = before.iter().map(String::as_str).collect();
        self.guarded(&expected, &moves)
    }

    /// `moves`, if the rows are as expected and nobody else writes them.
    fn guarded(&self, expected: &[&str], moves: &str) -> String {
        let table = &self.version_table;
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let named = if expected.is_empty() { "base".to_owned() } else { expected.join(", ") };
        let named = literal(&format!("expected {named}, found "));
        let expected = array(expected);
        let body = format!(
            "DECLARE found text[];\nBEGIN\nLOCK TABLE {table} IN EXCLUSIVE MODE;\n\
             SELECT coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), '{{}}') INTO found FROM {table};\n\
             IF found <> {expected} THEN\n\
             RAISE EXCEPTION USING ERRCODE = '{MOVED}', MESSAGE = 'the version table is not where the plan starts', DETAIL = {named} || coalesce(nullif(array_to_string(found, ', '), ''), 'base');\n\
             END IF;\n{moves}END"
        );
        format!("DO {}", literal(&body))
    }
}
