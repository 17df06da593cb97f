//! `stamp`: the version table is told where the database is; nothing else is run.

use serde::Serialize;
use tracing::info;

use super::{Context, answer, json, locate};
use crate::apply::note;
use crate::cli;
use crate::connect::wait::for_server;
use crate::exit::Error;
use crate::ledger::{self, Access};
use crate::lock::Lock;
use crate::plan::{Rows, stamp};
use crate::report::escape;
use crate::revision::graph::Graph;
use crate::revision::name::Name;
use crate::revision::{Id, list};

/// The JSON of `stamp --json`.
#[derive(Debug, Serialize)]
struct Stamped {
    /// The version rows before.
    before: Vec<String>,
    /// The version rows now.
    current: Vec<String>,
}

/// Stamps it, under the lock and through the fence.
pub async fn run(words: &cli::Stamp, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let names = words.revisions.iter().map(|name| Name::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let graph = Graph::load(&config.migrations).map_err(Error::Revisions)?;
    for name in names.iter().filter(|name| !name.is_relative()) {
        name.one_or_heads(&graph, &[])?;
    }
    let pool = context.pool()?;
    let session = for_server(&pool, &config.wait_for, config.wait_timeout, context.wait_deadline()).await?;
    let state = ledger::read(&session, config, Access::Write).await?;
    drop(session);
    let lock = Lock::acquire(&pool, &state, config.run_lock_timeout).await?;
    let session = lock.worker(config.wait_timeout, None).await?;
    let state = ledger::read(&session, config, Access::Write).await?;
    let after = if words.purge {
        stamp(&graph, &[], &names)?
    } else {
        let position = locate(&graph, &state, &session).await?;
        stamp(&position.graph, &position.rows, &names)?
    };
    let at = |rows: &[String]| if rows.is_empty() { "base".to_owned() } else { rows.join(", ") };
    let current: Vec<String> = after.iter().map(ToString::to_string).collect();
    if !same(&state.rows, &current) {
        let mut statements = state.ledger.install();
        statements.extend(state.ledger.put(&state.rows, &after));
        let detail = format!("{} from {} to {}", if words.purge { "purged and stamped" } else { "stamped" }, at(&state.rows), list(&after));
        statements.extend(noted(&after).into_iter().map(|revision| state.ledger.note("stamp", &revision, &detail)));
        note(&session, &lock, state.server.number, config, statements).await.map_err(Error::Note)?;
        info!("{detail} on {}", pool.address());
    } else {
        ledger::durable(&session, context.wait_deadline()).await?;
    }
    lock.release().await;
    if words.json {
        return answer(&json(&Stamped { before: state.rows, current })?);
    }
    answer(&match same(&state.rows, &current) {
        true => format!("at {} already, nothing to do\n", at(&current)),
        false => format!("at {}, stamped (was {}); nothing was run\n", at(&current), escape::line(at(&state.rows))),
    })
}

fn same(rows: &[String], other: &[String]) -> bool {
    let sorted = |rows: &[String]| rows.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    sorted(rows) == sorted(other)
}

/// The journal has one line for each revision stamped.
fn noted(rows: &Rows) -> Vec<String> {
    if rows.is_empty() { vec!["base".to_owned()] } else { rows.iter().map(Id::to_string).collect() }
}
