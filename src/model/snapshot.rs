//! The snapshot of the catalog that a run saves in the ledger. With it, `check` distinguishes manual changes from objects that the
//! revisions create differently in a scratch database.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::read::Scope;
use crate::ledger::{Access, Ledger, ReadError};
use crate::session::Session;
use crate::sql;
use crate::sql::{Literal, Message, ServerTimeout, Sql};

/// The format of the rows; rows of another format are not compared. Format 1, of pgmarch 0.1, has all schemas of the database; format 2
/// has neither the owners' rights nor default privileges.
const FORMAT: u32 = 3;

/// The key of the advisory lock of a session that saves a snapshot: one at a time in each database, for all ledgers. The first eight
/// bytes, big-endian, of the SHA-256 of `pgmarch-snapshot`.
const LOCK: i64 = 0x702f_1899_c447_e804;

/// A snapshot of the catalog at the current version rows.
#[derive(Debug)]
pub struct SavedSnapshot {
    /// When it was taken.
    pub taken: String,
    /// The rows, as [`super::read::of_snapshot`] takes them.
    pub rows: String,
}

/// Whether there is a snapshot that can be used.
#[derive(Debug)]
pub enum SnapshotState {
    /// One that can be used.
    Usable(SavedSnapshot),
    /// One that can't be used, and why.
    Unusable(String),
    /// None, or none that the role may read.
    Nothing,
}

impl Ledger {
    /// Whether the table for snapshots exists, or the next run that applies a revision creates it.
    pub fn has_place_for_snapshot(&self) -> bool {
        self.has_table("catalog") || self.is_to_be_created()
    }

    /// A message that begins the transaction in which a snapshot is saved: its answers are those of [`Scope::schemas_query`], and
    /// in the last row of the last one whether no other session is saving a snapshot in this database. Each statement ends after
    /// `limit`, even if this process is killed. The snapshot is no part of any revision: its commit may be lost with the server.
    pub fn begin_snapshot(&self, scope: &Scope, limit: Duration) -> Message {
        let begin = Sql::of("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE");
        let relaxed = Sql::of("SET LOCAL synchronous_commit = off");
        // Locked before the transaction's snapshot is taken, so that it shows what is locked.
        let locks = self.lock_ledger(&["catalog"], "ROW EXCLUSIVE").into_iter().chain(self.lock_ledger(&["journal"], "ACCESS SHARE"));
        let ahead = [begin, time_limit(limit)].into_iter().chain(scope.role()).chain(locks).chain([relaxed]);
        let ahead = ahead.chain(scope.ahead_of_schemas_query());
        let lock = sql!("SELECT pg_try_advisory_xact_lock({key})", key = LOCK);
        let check = self.trust_check(Access::Write, &["catalog", "journal"]);
        let settings = scope.settings().into_iter().chain([time_limit(limit)]);
        Message::with_timeouts_of_its_own(
            ahead.chain(crate::sql::safe_settings()).chain(settings).chain([check]),
            scope.schemas_query().into_iter().chain([lock]),
        )
    }

    /// A message that saves the snapshot and ends the transaction.
    pub fn save_snapshot(&self, scope: &Scope, at: &str, limit: Duration) -> Message {
        let save = sql!(
            "INSERT INTO {ledger}.catalog (version_table, taken, at, format, rows) \
             SELECT {key}, now(), {at}, {format} || E'\\n' || (SELECT coalesce(max(id), 0) FROM {ledger}.journal WHERE version_table = {key}), coalesce(({rows}), '')\n\
             ON CONFLICT (version_table) DO UPDATE SET (taken, at, format, rows) = (EXCLUDED.taken, EXCLUDED.at, EXCLUDED.format, EXCLUDED.rows)",
            ledger = self.schema,
            key = self.key(),
            at = Literal(at),
            format = Literal(&format(scope)),
            rows = scope.snapshot(),
        );
        Message::all([time_limit(limit), save, Sql::of("COMMIT")])
    }

    /// The snapshot, if it is of these version rows, and nothing was applied, undone or stamped since: after a downgrade and an
    /// upgrade to the same revision, the revision's text may be different.
    pub async fn snapshot(&self, session: &Session, scope: &Scope, at: &str) -> Result<SnapshotState, ReadError> {
        if !self.has_ledger || !self.has_table("catalog") {
            return Ok(SnapshotState::Nothing);
        }
        let query =
            // The snapshot of the catalog, if there is one; its rows only if they can be used. Behind the format is the last line of
            // the journal that it has seen.
            sql!(include_str!("snapshot.sql"), ledger = self.schema, key = self.key(), format = Literal(&format(scope)), at = Literal(at));
        let answers = match session.run(&self.reading(&["catalog", "journal"], [query])).await {
            Ok(answers) => answers,
            Err(failure) if failure.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                session.ask(&Message::rollback()).await?;
                return Ok(SnapshotState::Nothing);
            }
            Err(failure) => return Err(failure.into()),
        };
        let row = answers.into_iter().flatten().next();
        let Some(Ok([Some(taken), Some(then), fits, is_current, rows])) = row.map(<[Option<String>; 5]>::try_from) else {
            return Ok(SnapshotState::Nothing);
        };
        Ok(match rows {
            Some(rows) => SnapshotState::Usable(SavedSnapshot { taken, rows }),
            None if fits.as_deref() != Some("t") => {
                SnapshotState::Unusable(format!("it was saved at {taken} under other settings or by another version"))
            }
            None if then != at => SnapshotState::Unusable(format!("it was saved at {taken}, when the database was at {then}")),
            None if is_current.as_deref() != Some("t") => {
                SnapshotState::Unusable(format!("it was saved at {taken}, and revisions were run since"))
            }
            None => SnapshotState::Nothing,
        })
    }
}

/// Ends each statement of the transaction after this time.
fn time_limit(limit: Duration) -> Sql {
    sql!("SET LOCAL statement_timeout = {limit}", limit = ServerTimeout::limit(limit))
}

/// Another major version, or another search path, prints the same schema differently.
fn format(scope: &Scope) -> String {
    format!("{FORMAT} {} {}", scope.server / 10_000, scope.search_path)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_lock_key_is_a_hash_of_its_name() {
        let hash = Sha256::digest(b"pgmarch-snapshot");
        assert_eq!(hash.iter().take(8).fold(0i64, |key, byte| key << 8 | i64::from(*byte)), LOCK);
    }

    #[test]
    fn a_limit_is_never_none() {
        assert_eq!(time_limit(Duration::ZERO).text(), "SET LOCAL statement_timeout = 1");
        assert_eq!(time_limit(Duration::from_secs(2)).text(), "SET LOCAL statement_timeout = 2000");
    }
}
