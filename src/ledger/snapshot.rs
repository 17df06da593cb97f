//! The catalog as the last run left it: what a hot-fix by hand is told from.

use super::{Access, Ledger, ReadError, Session};
use crate::model::read::Scope;
use crate::sql;
use crate::sql::{Literal, Message, Sql};

/// What the rows are written like; another number can't be compared.
const FORMAT: u32 = 1;

/// The catalog as a run left it.
#[derive(Debug)]
pub struct Snapshot {
    /// When.
    pub taken: String,
    /// The version rows then.
    pub at: String,
    /// The rows, as [`crate::model::read::of_snapshot`] takes them; `None` if they are another version's.
    pub rows: Option<String>,
}

impl Ledger {
    /// Whether there is a place for the catalog.
    fn has_catalog(&self) -> bool {
        !self.unusable.contains(&"catalog") && !self.missing.iter().any(|table| table.name == "catalog")
    }

    /// Whether there is one when a run that changed something is done.
    pub fn keeps_catalog(&self) -> bool {
        self.has_catalog() || self.is_to_be_created()
    }

    /// Two messages that keep the catalog as it is when the first is answered. It is no part of any revision: its commit may
    /// be lost with the server, and the next run keeps another. The server finishes it even if nobody waits for the answer.
    pub fn keep_catalog(&self, scope: &Scope, at: &str) -> [Message; 2] {
        let begin = Sql::of("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE");
        let relaxed = Sql::of("SET LOCAL synchronous_commit = off");
        let unwatched = (scope.server >= 140_000).then(|| Sql::of("SET LOCAL client_connection_check_interval = 0"));
        // Locked before the transaction's snapshot is taken, so that it shows what is locked.
        let lock = self.lock_ledger(&["catalog"], "ROW EXCLUSIVE");
        let opening = [begin].into_iter().chain(scope.role()).chain(lock).chain([relaxed]).chain(unwatched);
        let seeing = Message::behind(opening, scope.settings().into_iter().chain([self.checked(Access::Write, &["catalog"])]));
        let keeping = sql!(
            "INSERT INTO {ledger}.catalog (version_table, taken, at, format, rows) SELECT {key}, now(), {at}, {format}, coalesce(({rows}), '')\n\
             ON CONFLICT (version_table) DO UPDATE SET (taken, at, format, rows) = (EXCLUDED.taken, EXCLUDED.at, EXCLUDED.format, EXCLUDED.rows)",
            ledger = self.schema,
            key = self.key(),
            at = Literal(at),
            format = Literal(&format(scope)),
            rows = scope.snapshot(),
        );
        [seeing, Message::all([keeping, Sql::of("COMMIT")])]
    }

    /// The catalog as the last run left it, if one has kept it.
    pub async fn catalog(&self, session: &Session, scope: &Scope) -> Result<Option<Snapshot>, ReadError> {
        if !self.has_ledger || !self.has_catalog() {
            return Ok(None);
        }
        let query = sql!(
            "SELECT to_char(taken AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), at, format, rows FROM {ledger}.catalog WHERE version_table = {key}",
            ledger = self.schema,
            key = self.key()
        );
        let row = session.run(&self.reading(&["catalog"], [query])).await?.into_iter().flatten().next();
        let Some(Ok([Some(taken), Some(at), Some(found), rows])) = row.map(<[Option<String>; 4]>::try_from) else { return Ok(None) };
        Ok(Some(Snapshot { taken, at, rows: rows.filter(|_| found == format(scope)) }))
    }
}

/// Texts of another major version, or under another search path, say the same in another way.
fn format(scope: &Scope) -> String {
    format!("{FORMAT} {} {}", scope.server / 10_000, scope.search_path)
}
