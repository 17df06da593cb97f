//! A revision's own text must not change the version rows or our tables. An expression ([`Ledger::tables_now`]) that identifies
//! them is stored ahead of the text and compared behind it, in the same transaction.

use sha2::{Digest as _, Sha256};

use super::statement_cache::{PreparedStatement, StatementCache};
use crate::ledger::answer::{first_column, single_value};
use crate::ledger::cast_failure::is_cast_failure;
use crate::ledger::error::ReadError;
use crate::ledger::handle::Ledger;
use crate::plan::VersionRows;
use crate::revision::Id;
use crate::revision::checksum::hex;
use crate::session::{Failure, Session};
use crate::sql;
use crate::sql::{Literal, Message, QualifiedName, Sql, TextArray};

/// The text in the failed casts of `verify.sql` and `statement_done.sql`.
pub(super) const CHANGED: &str = "the version table or the ledger was changed";

/// Stores what identifies the tables in a setting of the transaction.
const REMEMBER: PreparedStatement = PreparedStatement { name: "pgmarch: note", types: &[] };
/// Compares: the version rows.
const VERIFY: PreparedStatement = PreparedStatement { name: "pgmarch: verify", types: &["text[]"] };
/// Compares: the digest of many version rows.
const VERIFY_MANY: PreparedStatement = PreparedStatement { name: "pgmarch: verify many", types: &["text"] };

/// Whether a message failed because the version rows or the tables changed during the revision's text.
pub(crate) fn is_verify_failure(failure: &Failure) -> bool {
    is_cast_failure(failure, CHANGED)
}

/// Whether two values of [`Ledger::tables_now`] are of the same tables, whatever their rows.
pub(crate) fn same_tables(one: &str, other: &str) -> bool {
    const IDENTITIES: usize = 3;
    one.split(' ').take(IDENTITIES).eq(other.split(' ').take(IDENTITIES))
}

/// The part of a failure's message that reports what was found: the part that `verify.sql` wrote, if it did.
pub(crate) fn changed_detail(message: &str) -> String {
    let found = message.split_once(&format!("{CHANGED}: ")).map_or(message, |(_, found)| found);
    found.split_once(" [they were").map_or(found, |(found, _)| found).to_owned()
}

/// The value of [`Ledger::tables_now`] that was stored, as `verify.sql` writes it into the text of its failed cast.
fn remembered(failure: &Failure) -> Option<&str> {
    let message = failure.source.as_db_error()?.message();
    Some(message.split_once("[they were ")?.1.split_once(']')?.0)
}

pub(super) fn array(rows: &VersionRows) -> Sql {
    sql!("{rows}", rows = rows.iter().map(Id::as_str).collect::<TextArray<'_>>())
}

/// More version rows than these are compared by their digest: the text of a list would be as long for each of as many revisions.
const MANY_ROWS: usize = 16;

/// The digest of the version rows, if they are many.
pub(super) fn many_rows(rows: &VersionRows) -> Option<String> {
    (rows.len() > MANY_ROWS).then(|| {
        let mut hash = Sha256::new();
        for (place, row) in rows.iter().enumerate() {
            hash.update(if place > 0 { "," } else { "" });
            hash.update(row.as_str());
        }
        format!("{} rows (SHA-256 {})", rows.len(), hex(&hash.finalize()))
    })
}

/// An expression for the digest of the array `rows`.
pub(super) fn digest_of(rows: &'static str) -> Sql {
    let rows = Sql::of(rows);
    sql!(
        "concat(cardinality({rows}), ' rows (SHA-256 ', encode(sha256(convert_to(array_to_string({rows}, ','), 'UTF8')), 'hex'), ')')",
        rows = rows
    )
}

impl Ledger {
    /// An expression that identifies our tables: their OIDs and files, and the last rows of the ledger's. Only this run adds to
    /// those, as long as it holds the run lock.
    pub(super) fn tables_now(&self) -> Sql {
        sql!("concat_ws(' ', {identities}, {last_row})", identities = self.identities_now(), last_row = self.last_row_now())
    }

    /// The expressions in it that stay the same while rows are added to the journal. The last row of all is looked at
    /// first: a plan that was made while the table was small would read all of a version table's rows to find their last.
    pub(super) fn identities_now(&self) -> Sql {
        let table = |name: &'static str| QualifiedName::new(&self.schema, name);
        let named = |table: &QualifiedName| table.to_string();
        sql!(
            include_str!("identities.sql"),
            version = Literal(&named(&self.version_table)),
            revision_name = Literal(&named(&table("revision"))),
            journal_name = Literal(&named(&table("journal"))),
            revision = table("revision"),
            key = self.key()
        )
    }

    /// The expression in it that identifies the last row of the journal. It has no blank.
    pub(super) fn last_row_now(&self) -> Sql {
        sql!(include_str!("last_row.sql"), ledger = self.schema, key = self.key())
    }

    /// Statements that store what identifies the tables in a setting, until the transaction ends.
    pub(crate) fn remember_tables(&self, statement_cache: &StatementCache) -> Vec<Sql> {
        statement_cache.render(REMEMBER, &[], |_| sql!("SELECT set_config('pgmarch.tables', {now}, true)", now = self.tables_now()))
    }

    /// Statements that fail ([`is_verify_failure`]) unless the version rows are `rows` and the tables are those that
    /// [`Self::remember_tables`] stored. A `RESET ALL` in a function of the revision resets that setting: then only the rows are
    /// compared.
    pub(crate) fn verify_unchanged(&self, rows: &VersionRows, statement_cache: &StatementCache) -> Vec<Sql> {
        let stored = Sql::of("nullif(current_setting('pgmarch.tables', true), '')");
        match many_rows(rows) {
            Some(digest) => statement_cache.render(VERIFY_MANY, &[sql!("{digest}", digest = Literal(&digest))], |values| {
                let is_same = sql!("{digest} = {expected}", digest = digest_of("found.rows"), expected = values[0]);
                self.verify_sql(&is_same, &values[0], &stored)
            }),
            None => statement_cache.render(VERIFY, &[array(rows)], |values| {
                let is_same = sql!("found.rows = {rows}", rows = values[0]);
                let expected = sql!("coalesce(nullif(array_to_string({rows}, ', '), ''), 'base')", rows = values[0]);
                self.verify_sql(&is_same, &expected, &stored)
            }),
        }
    }

    fn verify_sql(&self, is_same: &Sql, expected: &Sql, stored: &Sql) -> Sql {
        // Fails unless the version rows and our tables are as they should be after a revision's text.
        sql!(
            include_str!("verify.sql"),
            table = self.version_table,
            is_same = *is_same,
            expected = *expected,
            noted = *stored,
            now = self.tables_now(),
            changed = Literal(CHANGED)
        )
    }

    /// Whether the version rows are `rows` and the tables those that a verification failed with. If so, the message that was
    /// rolled back had changed them itself, and no other session did. Without `failure`, in the middle of a longer transaction,
    /// only the rows are compared.
    pub(crate) async fn is_unchanged(&self, session: &Session, rows: &VersionRows, failure: Option<&Failure>) -> Result<bool, ReadError> {
        let (found, tables) = self.read_tables(session).await?;
        let same_tables = failure.and_then(remembered).is_none_or(|remembered| remembered == tables);
        Ok(same_tables && found.iter().map(String::as_str).eq(rows.iter().map(Id::as_str)))
    }

    /// The version rows, and the value of [`Self::tables_now`].
    pub(crate) async fn read_tables(&self, session: &Session) -> Result<(Vec<String>, String), ReadError> {
        let rows = sql!("SELECT version_num::text FROM {table} ORDER BY version_num::text COLLATE \"C\"", table = self.version_table);
        let tables = sql!("SELECT {now}", now = self.tables_now());
        let message = Message::reading(self.read_settings(), [], [rows, tables]);
        let mut answers = self.ask(session, &message).await?.into_iter();
        let rows = answers.next().unwrap_or_default().into_iter().filter_map(first_column).collect();
        Ok((rows, single_value(answers.next()).unwrap_or_default()))
    }
}
