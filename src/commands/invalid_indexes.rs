//! INVALID indexes in the database, whoever built them.

use crate::error::Error;
use crate::ledger::{ReadError, UnfinishedRevision};
use crate::report::check::CheckFinding;
use crate::session::Session;
use crate::sql::{Message, Sql};

/// A finding for each, but for those that a session builds now: who builds or rebuilds concurrently holds a `ShareUpdateExclusiveLock`
/// on the table from beginning to end. A partitioned index is INVALID until each partition has its part.
pub(super) async fn find(session: &Session, address: &str, unfinished: &[UnfinishedRevision]) -> Result<Vec<CheckFinding>, Error> {
    let query = Message::reading([], [], [Sql::of(include_str!("invalid_indexes.sql"))]);
    let answers = session.ask(&query).await.map_err(|failure| Error::Read(ReadError::Server(failure)))?;
    let finding = |row: Vec<Option<String>>| {
        let [index, table, is_unique, is_partitioned, is_leftover] = <[Option<String>; 5]>::try_from(row).ok()?;
        let is = |value: Option<String>| value.as_deref() == Some("t");
        let (index, table) = (index?, table?);
        let fix = fix(&index, is(is_unique), is(is_partitioned), is(is_leftover));
        let by_upgrade = match unfinished.first() {
            Some(unfinished) => format!(" (if revision {} builds it, the next run rebuilds it)", unfinished.revision),
            None => String::new(),
        };
        let message = format!("the index {index} on {table} is INVALID: every write maintains it, no query uses it; {fix}{by_upgrade}");
        Some(CheckFinding::in_general("invalid-index", address.to_owned(), message))
    };
    Ok(answers.into_iter().flatten().filter_map(finding).collect())
}

/// The statement to run.
fn fix(index: &str, is_unique: bool, is_partitioned: bool, is_leftover: bool) -> String {
    if is_partitioned {
        return format!("build the index on each partition and run ALTER INDEX {index} ATTACH PARTITION for those that are missing");
    }
    if is_leftover {
        return format!("a REINDEX CONCURRENTLY left it behind: run DROP INDEX CONCURRENTLY {index}");
    }
    let duplicates = if is_unique { "remove duplicate rows if there are any, then " } else { "" };
    format!("{duplicates}run REINDEX INDEX CONCURRENTLY {index}, or DROP INDEX CONCURRENTLY {index} if it is not needed")
}
