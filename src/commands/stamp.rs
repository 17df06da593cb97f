//! `stamp`: sets the version rows without running migrations.

use serde::Serialize;
use tracing::info;

use super::context::Context;
use super::files::load_graph;
use super::output::{answer, json};
use crate::apply::run_bookkeeping;
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::ledger::{self, Access, LedgerContents, Level, State};
use crate::lock::RunLock;
use crate::plan::VersionRows;
use crate::plan::stamp::stamp;
use crate::position::Position;
use crate::revision::graph::{Graph, Node};
use crate::revision::name::RevisionName;
use crate::revision::{Id, join_ids};
use crate::runner::{LedgerTexts, resolve_position};
use crate::words::version;

/// The JSON of `stamp --json`.
#[derive(Debug, Serialize)]
struct Stamped {
    /// The version rows before.
    before: Vec<String>,
    /// The version rows now.
    current: Vec<String>,
}

/// Sets the version rows, under the run lock, after the fence.
pub async fn run(words: &cli::StampArgs, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let names = words.revisions.iter().map(|name| RevisionName::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let graph = load_graph(config).await?;
    for name in names.iter().filter(|name| !name.is_relative()) {
        name.single_target_or_heads(&graph, &[])?;
    }
    let pool = context.pool()?;
    let session = context.runner.connect(&pool, context.wait_deadline()).await?;
    let state = State::load(&session, config, Level::Full(Access::Write)).await?;
    drop(session);
    let lock = RunLock::acquire(&pool, &state, config.run_lock_timeout, &context.runner.host).await?;
    let session = lock.worker(config.wait_timeout, None).await?;
    let state = State::load(&session, config, Level::Full(Access::Write)).await?;
    let position = if words.purge {
        Position::resolve(&graph, &[], &[])?
    } else {
        resolve_position(&graph, &state, &session, LedgerTexts::None).await?
    };
    let after = stamp(&position.graph, &position.rows, &names)?;
    let current: Vec<String> = after.iter().map(ToString::to_string).collect();
    let is_unchanged = have_same_rows(&state.rows, &current);
    // A stamp to base is recorded even if the version table exists, unless the ledger agrees: later runs then trust the stamp.
    let is_base = |contents: &LedgerContents| contents.proven.is_base(&contents.checksums, &position.graph);
    let is_known = state.ledger.has_version_table && state.contents().is_some_and(is_base);
    let confirms_base = current.is_empty() && state.ledger.has_ledger && !is_known;
    if !is_unchanged || confirms_base {
        let mut statements = state.ledger.install();
        statements.extend(state.ledger.fence_stamp(&state.rows, &after));
        let detail =
            format!("{} from {} to {}", if words.purge { "purged and stamped" } else { "stamped" }, version(&state.rows), join_ids(&after));
        statements.extend(stamped_revisions(&after).into_iter().map(|revision| state.ledger.record_note("stamp", &revision, &detail)));
        statements.extend(state.ledger.record_assumed(&applied_at(&position.graph, &after), &detail));
        if after.is_empty() {
            // No revision is applied, nor half applied.
            statements.extend(state.ledger.record_all_progress_reset(&state));
        }
        run_bookkeeping(&session, &lock, state.server.number, config, statements).await.map_err(Error::Note)?;
        info!("{detail} on {}", pool.address());
    } else {
        ledger::wait_until_durable(&session, &context.runner.host, context.wait_deadline()).await?;
    }
    lock.release().await;
    if words.json {
        return answer(&json(&Stamped { before: state.rows, current })?);
    }
    answer(&match (is_unchanged, confirms_base) {
        (true, false) => format!("at {} already, nothing to do\n", version(&current)),
        (true, true) => format!("at {}, stamped; nothing was run\n", version(&current)),
        (false, _) => format!("at {}, stamped (was {}); nothing was run\n", version(&current), escape::line(version(&state.rows))),
    })
}

/// The revisions that are applied at these version rows, by the files as they are now.
fn applied_at<'g>(graph: &'g Graph, rows: &VersionRows) -> Vec<&'g str> {
    let rows: Vec<Node> = rows.iter().filter_map(|row| graph.node(row.as_str())).collect();
    graph.reach(&rows, Graph::prerequisites).nodes().map(|node| graph.id(node).as_str()).collect()
}

fn have_same_rows(rows: &[String], other: &[String]) -> bool {
    let sorted = |rows: &[String]| rows.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    sorted(rows) == sorted(other)
}

/// The journal gets one row for each revision stamped.
fn stamped_revisions(rows: &VersionRows) -> Vec<String> {
    if rows.is_empty() { vec![ledger::BASE.to_owned()] } else { rows.iter().map(Id::to_string).collect() }
}
