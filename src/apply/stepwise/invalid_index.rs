//! The INVALID index that an interrupted concurrent build leaves behind: every write maintains it, and no query uses it.

use std::time::Duration;

use super::session::StepSession;
use crate::apply::error::ApplyError;
use crate::facts::Blocker;
use crate::host::{Event, EventThrottle};
use crate::revision::statement::kind::{NonTransactional, ReindexTarget};
use crate::session::other_session::{description, parse};
use crate::sql;
use crate::sql::{Literal, Message, Sql};

/// An index that a statement concerns.
#[derive(Clone, Debug)]
pub(super) struct ScopedIndex {
    pub(super) oid: u32,
    /// `schema.name`, quoted.
    name: String,
    valid: bool,
    relname: String,
    /// The sessions that build on its table now.
    builder: Option<Blocker>,
}

/// The interval between checks whether another session's build has ended.
const POLL_EVERY: Duration = Duration::from_millis(300);

/// The indexes that a statement may create or leave behind; none for one that creates none.
pub(super) async fn indexes_in_scope(session: &StepSession<'_, '_>, kind: &NonTransactional) -> Result<Vec<ScopedIndex>, ApplyError> {
    let Some((named, scope)) = scope(kind) else { return Ok(Vec::new()) };
    // The indexes in a scope: OID, qualified name, whether usable, bare name, and whether somebody else builds on the table
    // now (who builds concurrently holds this lock on the table from beginning to end; autovacuum holds it too, and doesn't
    // count).
    let query = sql!(include_str!("indexes.sql"), scope = scope, session = description(Sql::of("a.pid")));
    let answers = session.ask(&Message::preceded_by(named, [query])).await?;
    let read = |row: Vec<Option<String>>| {
        let [oid, name, valid, relname, builder] = <[Option<String>; 5]>::try_from(row).ok()?;
        // One that can't be described is there nevertheless.
        let builder = builder.map(|text| parse(&text).unwrap_or_default());
        Some(ScopedIndex { oid: oid?.parse().ok()?, name: name?, valid: valid.as_deref() == Some("t"), relname: relname?, builder })
    };
    Ok(answers.into_iter().next().unwrap_or_default().into_iter().filter_map(read).collect())
}

/// A statement that looks up a relation by its name as the revision wrote it, under the revision's search path, and stores its
/// OID in a setting of the transaction: the statements after it run under a different path.
pub(super) fn save_oid(what: &'static str, name: &str) -> Sql {
    sql!(
        "SELECT pg_catalog.set_config('pgmarch.{what}', COALESCE(pg_catalog.to_regclass({name})::pg_catalog.oid::pg_catalog.text, '0'), true)",
        what = Sql::of(what),
        name = Literal(name)
    )
}

/// An expression for that OID, 0 if there is no such relation.
pub(super) fn saved_oid(what: &'static str) -> Sql {
    sql!("current_setting('pgmarch.{what}')::oid", what = Sql::of(what))
}

/// What to look up first, and a condition on `i` (`pg_index`), `c` (the index) and `n` (its schema).
fn scope(kind: &NonTransactional) -> Option<(Option<Sql>, Sql)> {
    match kind {
        NonTransactional::CreateIndexConcurrently { table, index } => {
            let (named, table) = (save_oid("table", table), saved_oid("table"));
            // An index of that name on another table is in the way too: IF NOT EXISTS would accept it, INVALID or not.
            let same_name = index.as_ref().map(|index| {
                sql!(
                    "c.relname = {name} AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = {table})",
                    name = Literal(&catalog_name(index)),
                    table = table
                )
            });
            let same_name = same_name.unwrap_or_else(|| Sql::of("false"));
            Some((Some(named), sql!("(i.indrelid = {table} OR {same_name})", table = table, same_name = same_name)))
        }
        NonTransactional::Reindex { target: ReindexTarget::Table, name } => Some((
            Some(save_oid("table", name)),
            sql!(
                "(i.indrelid = {table} OR i.indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = {table}))",
                table = saved_oid("table")
            ),
        )),
        NonTransactional::Reindex { target: ReindexTarget::Index, name } => Some((
            Some(save_oid("index", name)),
            sql!("i.indrelid = (SELECT indrelid FROM pg_index WHERE indexrelid = {index})", index = saved_oid("index")),
        )),
        NonTransactional::Reindex { target: ReindexTarget::Schema, name } => {
            Some((None, sql!("n.nspname = (parse_ident({name}))[1]", name = Literal(name))))
        }
        NonTransactional::Reindex { target: ReindexTarget::Database, .. } => Some((None, Sql::of("true"))),
        NonTransactional::DropIndexConcurrently | NonTransactional::DetachPartition { .. } | NonTransactional::Other => None,
    }
}

/// The longest name that the server keeps, in bytes.
const LONGEST_NAME: usize = 63;

/// The name of an index as stored in the catalog, from the name as written: only ASCII is folded, and a name that is too long is
/// truncated.
fn catalog_name(written: &str) -> String {
    let mut name = match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_ascii_lowercase(),
    };
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    name
}

/// Which of `indexes` the statement is to create, or an earlier attempt of it left; `before` are those that its table had before
/// the first attempt, if that is known.
pub(super) fn created_by_statement<'i>(
    kind: &NonTransactional,
    indexes: &'i [ScopedIndex],
    before: Option<&[u32]>,
) -> Vec<&'i ScopedIndex> {
    let is_new = |index: &ScopedIndex| before.is_some_and(|before| !before.contains(&index.oid));
    let is_own = |index: &&ScopedIndex| match kind {
        NonTransactional::CreateIndexConcurrently { index: Some(written), .. } => index.relname == catalog_name(written),
        NonTransactional::CreateIndexConcurrently { index: None, .. } => is_new(index),
        // `name_ccnew`, `name_ccold`, perhaps with a number (manual, REINDEX): never a name that a user chose.
        NonTransactional::Reindex { .. } => {
            let stem = index.relname.trim_end_matches(|c: char| c.is_ascii_digit());
            !index.valid && (stem.ends_with("_ccnew") || stem.ends_with("_ccold"))
        }
        NonTransactional::DropIndexConcurrently | NonTransactional::DetachPartition { .. } | NonTransactional::Other => false,
    };
    indexes.iter().filter(is_own).collect()
}

/// The first valid index that the statement was to create.
pub(super) fn is_built(kind: &NonTransactional, indexes: &[ScopedIndex], before: &[u32]) -> bool {
    matches!(kind, NonTransactional::CreateIndexConcurrently { .. })
        && created_by_statement(kind, indexes, Some(before)).iter().any(|index| index.valid && !before.contains(&index.oid))
}

/// The first invalid one.
pub(super) fn first_invalid(kind: &NonTransactional, indexes: &[ScopedIndex], before: &[u32]) -> Option<String> {
    created_by_statement(kind, indexes, Some(before)).into_iter().find(|index| !index.valid).map(|index| index.name.clone())
}

/// Drops, without blocking other sessions, each INVALID index that is in the way of the statement, once no session builds it any
/// more. `is_own`: this run's own build, which failed, left it. Returns the remaining ones.
pub(super) async fn drop_invalid_indexes(
    session: &StepSession<'_, '_>,
    kind: &NonTransactional,
    before: Option<&[u32]>,
    is_own: bool,
) -> Result<Vec<ScopedIndex>, ApplyError> {
    let host = &session.executor.host;
    let deadline = host.deadline(session.timeout());
    let mut throttle = EventThrottle::default();
    loop {
        let found = indexes_in_scope(session, kind).await?;
        let Some(invalid) = created_by_statement(kind, &found, before).into_iter().find(|index| !index.valid) else { return Ok(found) };
        if let Some(builder) = &invalid.builder {
            // What looks INVALID may be another session's build in progress.
            if host.now() >= deadline {
                return Err(session.busy(builder.clone(), Some(&invalid.name)));
            }
            if throttle.is_due(&builder.pid.to_string(), host) {
                host.notify(&Event::WaitingForIndexBuild {
                    builder: &builder.to_string(),
                    index: &invalid.name,
                    remaining: host.remaining(deadline),
                });
            }
            host.sleep(POLL_EVERY).await;
            continue;
        }
        host.notify(&Event::InvalidIndexDropped { index: &invalid.name, is_own });
        let name = Sql::from_catalog(invalid.name.as_str());
        session.run_statement(sql!("DROP INDEX CONCURRENTLY IF EXISTS {name}", name = name)).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(oid: u32, relname: &str, valid: bool) -> ScopedIndex {
        ScopedIndex { oid, name: relname.to_owned(), valid, relname: relname.to_owned(), builder: None }
    }

    #[test]
    fn only_what_the_statement_makes_is_its_own() {
        let found = [index(1, "t_pkey", true), index(2, "i", false), index(3, "t_a_idx", false), index(4, "t_pkey_ccnew1", false)];
        let names = |kind: &NonTransactional, before| {
            created_by_statement(kind, &found, before).into_iter().map(|index| index.oid).collect::<Vec<_>>()
        };
        let build = |name: Option<&str>| NonTransactional::CreateIndexConcurrently { table: "t".into(), index: name.map(Into::into) };
        assert_eq!(names(&build(Some("I")), None), [2]);
        assert_eq!(names(&build(Some("\"I\"")), None), [0; 0]);
        assert_eq!((catalog_name("ÄI"), catalog_name("\"A\"\"B\"")), ("Äi".to_owned(), "A\"B".to_owned()));
        assert_eq!(catalog_name(&"ä".repeat(40)), "ä".repeat(31), "as the server cuts it");
        assert_eq!(names(&build(None), Some(&[1, 2, 4])), [3]);
        assert_eq!(names(&build(None), None), [0; 0]);
        assert_eq!(names(&NonTransactional::Reindex { target: ReindexTarget::Table, name: "t".into() }, None), [4]);
        assert!(first_invalid(&build(Some("i")), &found, &[1]).is_some() && !is_built(&build(Some("i")), &found, &[1]));
    }
}
