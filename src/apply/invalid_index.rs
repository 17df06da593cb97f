//! What an interrupted concurrent index build leaves behind: an INVALID index, which costs every write and helps no read.

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::error::ApplyError;
use super::monitor::Target;
use super::step_session::StepSession;
use crate::connect::wait::Said;
use crate::revision::statement::kind::{NonTransactional, ReindexTarget};
use crate::sql;
use crate::sql::{Literal, Message, Sql};
use crate::words::left;

/// An index in the scope of a statement.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) oid: u32,
    /// `schema.name`, quoted.
    name: String,
    valid: bool,
    bare: String,
    /// Who builds on its table now.
    builder: Option<String>,
}

/// How often to look whether somebody else's build has ended.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The indexes that a statement may make or leave behind; none for one that makes none.
pub(super) async fn indexes(run: &StepSession<'_, '_>, alone: &NonTransactional) -> Result<Vec<Index>, ApplyError> {
    let Some((named, scope)) = scope(alone) else { return Ok(Vec::new()) };
    let query = sql!(include_str!("indexes.sql"), scope = scope);
    let answers = run.ask(&Message::behind(named, [query])).await?;
    let read = |row: Vec<Option<String>>| {
        let [oid, name, valid, bare, builder] = <[Option<String>; 5]>::try_from(row).ok()?;
        Some(Index { oid: oid?.parse().ok()?, name: name?, valid: valid.as_deref() == Some("t"), bare: bare?, builder })
    };
    Ok(answers.into_iter().next().unwrap_or_default().into_iter().filter_map(read).collect())
}

/// A statement that finds a relation by its name as the revision wrote it, under the revision's search path, and keeps its OID
/// in a setting of the transaction: for statements behind it, which run under another path.
pub(super) fn remember(what: &'static str, name: &str) -> Sql {
    sql!(
        "SELECT pg_catalog.set_config('pgmarch.{what}', COALESCE(pg_catalog.to_regclass({name})::pg_catalog.oid::pg_catalog.text, '0'), true)",
        what = Sql::of(what),
        name = Literal(name)
    )
}

/// An expression for that OID, 0 if there is no such relation.
pub(super) fn remembered(what: &'static str) -> Sql {
    sql!("current_setting('pgmarch.{what}')::oid", what = Sql::of(what))
}

/// What is to be found first, and a condition on `i` (`pg_index`), `c` (the index) and `n` (its schema).
fn scope(alone: &NonTransactional) -> Option<(Option<Sql>, Sql)> {
    match alone {
        NonTransactional::CreateIndexConcurrently { table, index } => {
            let (named, table) = (remember("table", table), remembered("table"));
            // One of that name on another table is in the way too: IF NOT EXISTS would be content with it, INVALID or not.
            let same_name = index.as_ref().map(|index| {
                sql!(
                    "c.relname = {name} AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = {table})",
                    name = Literal(&folded(index)),
                    table = table
                )
            });
            let same_name = same_name.unwrap_or_else(|| Sql::of("false"));
            Some((Some(named), sql!("(i.indrelid = {table} OR {same_name})", table = table, same_name = same_name)))
        }
        NonTransactional::Reindex { target: ReindexTarget::Table, name } => Some((
            Some(remember("table", name)),
            sql!(
                "(i.indrelid = {table} OR i.indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = {table}))",
                table = remembered("table")
            ),
        )),
        NonTransactional::Reindex { target: ReindexTarget::Index, name } => Some((
            Some(remember("index", name)),
            sql!("i.indrelid = (SELECT indrelid FROM pg_index WHERE indexrelid = {index})", index = remembered("index")),
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

/// The name of an index as the catalog has it, from the name as written: only ASCII is folded, and what is too long is cut.
fn folded(written: &str) -> String {
    let mut name = match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_ascii_lowercase(),
    };
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    name
}

/// Which of `indexes` are what the statement is to make, or what an earlier try of it left; `before` are those that its
/// table had before the first try, if that is known.
pub(super) fn own<'i>(alone: &NonTransactional, indexes: &'i [Index], before: Option<&[u32]>) -> Vec<&'i Index> {
    let is_new = |index: &Index| before.is_some_and(|before| !before.contains(&index.oid));
    let is_own = |index: &&Index| match alone {
        NonTransactional::CreateIndexConcurrently { index: Some(written), .. } => index.bare == folded(written),
        NonTransactional::CreateIndexConcurrently { index: None, .. } => is_new(index),
        // `name_ccnew`, `name_ccold`, perhaps with a number (manual, REINDEX): never anybody's own name.
        NonTransactional::Reindex { .. } => {
            let stem = index.bare.trim_end_matches(|c: char| c.is_ascii_digit());
            !index.valid && (stem.ends_with("_ccnew") || stem.ends_with("_ccold"))
        }
        NonTransactional::DropIndexConcurrently | NonTransactional::DetachPartition { .. } | NonTransactional::Other => false,
    };
    indexes.iter().filter(is_own).collect()
}

/// The first usable one of what the statement was to make.
pub(super) fn built(alone: &NonTransactional, indexes: &[Index], before: &[u32]) -> bool {
    matches!(alone, NonTransactional::CreateIndexConcurrently { .. })
        && own(alone, indexes, Some(before)).iter().any(|index| index.valid && !before.contains(&index.oid))
}

/// The first unusable one.
pub(super) fn invalid(alone: &NonTransactional, indexes: &[Index], before: &[u32]) -> Option<String> {
    own(alone, indexes, Some(before)).into_iter().find(|index| !index.valid).map(|index| index.name.clone())
}

/// Drops, without blocking anybody, whatever INVALID index stands where the statement builds, once nobody builds it any
/// more. Gives back what is there then.
pub(super) async fn clear(run: &StepSession<'_, '_>, alone: &NonTransactional, before: Option<&[u32]>) -> Result<Vec<Index>, ApplyError> {
    let deadline = Instant::now() + run.patience();
    let mut said = Said::default();
    loop {
        let found = indexes(run, alone).await?;
        let Some(left_over) = own(alone, &found, before).into_iter().find(|index| !index.valid) else { return Ok(found) };
        if let Some(builder) = &left_over.builder {
            // What looks INVALID may be somebody's build under way.
            if Instant::now() >= deadline {
                return Err(run.occupied(format!("{builder}, building on the table of the INVALID index {},", left_over.name)));
            }
            if said.is_news(builder) {
                info!(target: "pgmarch::apply::leftover", "waiting for {builder} to end its build on the table of {}; {} left", left_over.name, left(deadline));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        info!(target: "pgmarch::apply::leftover", index = left_over.name, "dropping the INVALID index {} that an earlier build left", left_over.name);
        let name = Sql::from_catalog(left_over.name.as_str());
        run.alone(sql!("DROP INDEX CONCURRENTLY IF EXISTS {name}", name = name), Target::Backend(run.pid())).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(oid: u32, bare: &str, valid: bool) -> Index {
        Index { oid, name: bare.to_owned(), valid, bare: bare.to_owned(), builder: None }
    }

    #[test]
    fn only_what_the_statement_makes_is_its_own() {
        let found = [index(1, "t_pkey", true), index(2, "i", false), index(3, "t_a_idx", false), index(4, "t_pkey_ccnew1", false)];
        let names = |alone: &NonTransactional, before| own(alone, &found, before).into_iter().map(|index| index.oid).collect::<Vec<_>>();
        let build = |name: Option<&str>| NonTransactional::CreateIndexConcurrently { table: "t".into(), index: name.map(Into::into) };
        assert_eq!(names(&build(Some("I")), None), [2]);
        assert_eq!(names(&build(Some("\"I\"")), None), [0; 0]);
        assert_eq!((folded("ÄI"), folded("\"A\"\"B\"")), ("Äi".to_owned(), "A\"B".to_owned()));
        assert_eq!(folded(&"ä".repeat(40)), "ä".repeat(31), "as the server cuts it");
        assert_eq!(names(&build(None), Some(&[1, 2, 4])), [3]);
        assert_eq!(names(&build(None), None), [0; 0]);
        assert_eq!(names(&NonTransactional::Reindex { target: ReindexTarget::Table, name: "t".into() }, None), [4]);
        assert!(invalid(&build(Some("i")), &found, &[1]).is_some() && !built(&build(Some("i")), &found, &[1]));
    }
}
