//! `status`: where the database is. Creates nothing, locks nothing.

use std::collections::HashMap;

use super::{Context, answer, json, locate};
use crate::cli;
use crate::connect::wait::for_server;
use crate::exit::Error;
use crate::ledger;
use crate::plan::Plan;
use crate::report::status::{Entry, Status};
use crate::revision::graph::Graph;
use crate::revision::name::Name;

/// Shows it; with `--check`, says by the exit code whether something is pending.
pub async fn run(words: &cli::Status, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let target = Name::parse(&config.target)?;
    let graph = Graph::load(&config.migrations).map_err(Error::Revisions)?;
    let pool = context.pool()?;
    let session = for_server(&pool, &config.wait_for, config.wait_timeout, context.wait_deadline()).await?;
    let state = ledger::read(&session, config).await?;
    let position = locate(&graph, &state, &session).await?;
    let rows = position.rows.clone();
    let plan = Plan::upgrade(&position.graph, &rows, &position.targets(&target)?);
    let mut ran = HashMap::new();
    for row in state.ledger.history(&session).await.map_err(ledger::ReadError::Server)? {
        if let Ok([Some(id), at, seconds]) = <[Option<String>; 3]>::try_from(row) {
            ran.insert(id, (at, seconds.and_then(|seconds| seconds.parse::<f64>().ok())));
        }
    }
    let applied = graph.reach(&rows, Graph::below);
    let history = graph
        .nodes()
        .map(|node| {
            let revision = graph.revision(node);
            let ran = applied.has(node).then(|| ran.remove(revision.id.as_str())).flatten();
            let (applied_at, seconds) = ran.unwrap_or((None, None));
            Entry {
                revision: revision.id.to_string(),
                parents: revision.parents.iter().map(ToString::to_string).collect(),
                message: revision.message.clone(),
                state: if applied.has(node) { "applied" } else { "pending" },
                current: rows.contains(&node),
                head: graph.children(node).is_empty(),
                applied_at,
                seconds,
            }
        })
        .collect();
    let status = Status {
        connection: pool.address(),
        server: state.server.version.clone(),
        version_table: state.ledger.version_table.plain(),
        current: state.rows.clone(),
        heads: graph.heads().into_iter().map(|node| graph.id(node).to_string()).collect(),
        branches: graph.nodes().filter_map(|node| graph.revision(node).branch.clone()).collect(),
        target: config.target.clone(),
        pending: plan.steps.iter().map(|step| step.revision.id.to_string()).collect(),
        at_target: plan.is_empty(),
        history,
    };
    answer(&if words.json { json(&status)? } else { status.text() })?;
    if words.check && !status.at_target {
        return Err(Error::Pending { target: status.target, pending: status.pending.len() });
    }
    Ok(())
}
