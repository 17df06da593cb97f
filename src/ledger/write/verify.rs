//! What a revision's text must leave as it is: the version rows, and the tables themselves. What they are like is noted ahead
//! of the text and compared behind it, in the same transaction.

use super::statement_cache::{PreparedStatement, StatementCache};
use crate::connect::{Failure, Session};
use crate::ledger::{LOCK_TIMEOUT, Ledger, ReadError, locked};
use crate::plan::VersionRows;
use crate::revision::Id;
use crate::sql;
use crate::sql::{Literal, Message, QualifiedName, Sql, TextArray};

/// What the server says when the comparison fails: a cast of this text to a number.
const CHANGED: &str = "the version table or the ledger was changed";

/// Notes what the tables are like.
const NOTE: PreparedStatement = PreparedStatement { name: "pgmarch: note", types: &[] };
/// Compares: the version rows.
const VERIFY: PreparedStatement = PreparedStatement { name: "pgmarch: verify", types: &["text[]"] };

/// Whether a message failed because the version rows or the tables were not what they were ahead of the revision's text.
pub fn is_verify_failure(failure: &Failure) -> bool {
    crate::ledger::says(failure, CHANGED)
}

/// Whether what `tables.sql` says twice is about the same tables.
pub fn same_tables(one: &str, other: &str) -> bool {
    const IDENTITIES: usize = 3;
    one.split(' ').take(IDENTITIES).eq(other.split(' ').take(IDENTITIES))
}

/// What was found, of what the server says in a failure: its own words, or those of `verify.sql`.
pub fn changed_detail(said: &str) -> String {
    let found = said.split_once(&format!("{CHANGED}: ")).map_or(said, |(_, found)| found);
    found.split_once(" [they were").map_or(found, |(found, _)| found).to_owned()
}

/// What the tables are like, as `tables.sql` says it; what the server says in a failure has it between these.
fn noted(failure: &Failure) -> Option<&str> {
    let said = failure.source.as_db_error()?.message();
    Some(said.split_once("[they were ")?.1.split_once(']')?.0)
}

fn array(rows: &VersionRows) -> Sql {
    sql!("{rows}", rows = rows.iter().map(Id::as_str).collect::<TextArray<'_>>())
}

impl Ledger {
    /// An expression for what the tables are like: which they are, and the last rows of the ledger's. Only this run adds to
    /// those, as long as it holds the run lock.
    pub(in crate::ledger) fn tables_now(&self) -> Sql {
        let table = |name: &'static str| QualifiedName::new(&self.schema, name);
        let named = |table: &QualifiedName| table.to_string();
        sql!(
            include_str!("tables.sql"),
            version = Literal(&named(&self.version_table)),
            revision_name = Literal(&named(&table("revision"))),
            journal_name = Literal(&named(&table("journal"))),
            revision = table("revision"),
            journal = table("journal"),
            key = self.key()
        )
    }

    /// Statements that note what the tables are like, until the transaction ends.
    pub fn remember_tables(&self, statement_cache: &StatementCache) -> Vec<Sql> {
        statement_cache.render(NOTE, &[], |_| sql!("SELECT set_config('pgmarch.tables', {now}, true)", now = self.tables_now()))
    }

    /// Statements that fail ([`is_verify_failure`]) unless the version rows are `rows`, and the tables what [`Self::remember_tables`] has
    /// noted. A `RESET ALL` in a function of the revision's loses that note: then the rows alone count.
    pub fn verify_unchanged(&self, rows: &VersionRows, statement_cache: &StatementCache) -> Vec<Sql> {
        let noted = Sql::of("nullif(current_setting('pgmarch.tables', true), '')");
        statement_cache.render(VERIFY, &[array(rows)], |values| self.verified(&values[0], &noted))
    }

    /// The same for what the tables were like according to an earlier answer.
    pub fn verify_unchanged_since(&self, rows: &VersionRows, tables: Option<&str>) -> Sql {
        self.verified(&array(rows), &Literal::or_null(tables))
    }

    fn verified(&self, rows: &Sql, noted: &Sql) -> Sql {
        let now = self.tables_now();
        sql!(include_str!("verify.sql"), table = self.version_table, rows = *rows, noted = *noted, now = now, changed = Literal(CHANGED))
    }

    /// Whether it was the message itself that changed the tables, rather than another session: then they are as they were, now
    /// that it is rolled back. `rows` are the version rows that it began with.
    /// Of a failure in the middle of a longer transaction only they count.
    pub async fn is_unchanged(&self, session: &Session, rows: &VersionRows, failure: Option<&Failure>) -> Result<bool, ReadError> {
        let (found, tables) = self.read_tables(session).await?;
        let same_tables = failure.and_then(noted).is_none_or(|noted| noted == tables);
        Ok(same_tables && found.iter().map(String::as_str).eq(rows.iter().map(Id::as_str)))
    }

    /// The version rows, and what the tables are like.
    pub async fn read_tables(&self, session: &Session) -> Result<(Vec<String>, String), ReadError> {
        let rows = sql!("SELECT version_num::text FROM {table} ORDER BY version_num::text COLLATE \"C\"", table = self.version_table);
        let tables = sql!("SELECT {now}", now = self.tables_now());
        let message = Message::reading([Sql::of(LOCK_TIMEOUT)].into_iter().chain(sql::set_role(self.role.as_ref())), [], [rows, tables]);
        let mut answers = locked::ask(session, &message, &self.version_table.name, &self.schema).await?.into_iter();
        let rows = answers.next().unwrap_or_default().into_iter().filter_map(crate::ledger::first).collect();
        let tables = answers.next().and_then(|rows| rows.into_iter().next()).and_then(crate::ledger::first).unwrap_or_default();
        Ok((rows, tables))
    }
}
