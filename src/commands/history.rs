//! `history`: the graph as it is drawn, and what the ledger knows of each revision. Creates nothing, locks nothing.

use std::collections::HashMap;

use super::{Context, ancestry, answer, json, locate};
use crate::cli;
use crate::connect::fault::SettingsError;
use crate::connect::wait::{WaitError, for_server};
use crate::connect::{ConnectError, Session};
use crate::error::Error;
use crate::ledger::{Access, ReadError, State, parse_numeric};
use crate::position::Position;
use crate::report::history::{HistoryEntry, HistoryReport, NOT_APPLIED};
use crate::revision::graph::{Graph, Node, NodeSet};
use crate::revision::name::{NameError, NameRange, RevisionName};

/// What a database tells about its history.
pub(super) struct Asked {
    /// How a person names it.
    pub(super) address: String,
    /// The connection.
    pub(super) session: Session,
    /// What one read said.
    pub(super) state: State,
}

/// Reads the database that the settings name; where they name none, files alone must do.
pub(super) async fn ask(context: &Context) -> Result<Option<Asked>, Error> {
    let config = &context.config;
    let pool = context.pool()?;
    let session = match for_server(&pool, &config.wait_for, config.wait_timeout, context.wait_deadline()).await {
        Err(WaitError::Settings(ConnectError::Settings(faults))) if matches!(faults[..], [SettingsError::NoDatabase { .. }]) => {
            return Ok(None);
        }
        session => session?,
    };
    let state = super::read(&session, config, Access::Read).await?;
    Ok(Some(Asked { address: pool.address(), session, state }))
}

/// Draws it.
pub async fn run(words: &cli::HistoryArgs, context: &Context) -> Result<(), Error> {
    let files = Graph::load(&context.config.migrations)?;
    let asked = ask(context).await?;
    let position = match &asked {
        Some(asked) => locate(&files, &asked.state, &asked.session).await?,
        None => Position::resolve(&files, &[], &[])?,
    };
    let entries = entries(&files, &position, asked.as_ref()).await?;
    let shown = match &words.range {
        None => None,
        Some(range) => Some(shown(&NameRange::parse(range)?, &position, asked.is_some())?),
    };
    let order = newest_first(&position.graph);
    let history = order.into_iter().filter(|node| shown.as_ref().is_none_or(|shown| shown.iter().all(|set| set.contains(*node))));
    let history = history.map(|node| entries[node.index()].clone()).collect();
    let history = HistoryReport { connection: asked.map(|asked| asked.address), history };
    answer(&if words.json { json(&history)? } else { history.text() })
}

/// All revisions, in the graph's order.
pub(super) async fn entries(files: &Graph, position: &Position<'_>, asked: Option<&Asked>) -> Result<Vec<HistoryEntry>, Error> {
    let mut ran = HashMap::new();
    if let Some(asked) = asked {
        for row in asked.state.ledger.last_upgrades(&asked.session).await.map_err(ReadError::Server)? {
            if let Ok([Some(id), at, seconds]) = <[Option<String>; 3]>::try_from(row) {
                ran.insert(id, (at, seconds.and_then(|seconds| parse_numeric(&seconds))));
            }
        }
    }
    let graph = &position.graph;
    let below = graph.reach(&position.rows, Graph::prerequisites);
    let ancestry = asked.map(|asked| ancestry(position, &asked.state)).unwrap_or_default();
    let words = |ids: &[crate::revision::Id]| ids.iter().map(ToString::to_string).collect();
    let entry = |node: Node| {
        let revision = graph.revision(node);
        let is_applied = below.contains(node) && !ancestry.unapplied.contains(&node);
        let ran = is_applied.then(|| ran.remove(revision.id.as_str())).flatten();
        let (applied_at, seconds) = ran.unwrap_or((None, None));
        HistoryEntry {
            revision: revision.id.to_string(),
            parents: words(&revision.parents),
            depends_on: words(&revision.depends_on),
            branch: revision.branch.clone(),
            message: revision.message.clone(),
            created: revision.created.clone(),
            breaking: revision.breaking,
            file: files.node(revision.id.as_str()).map(|_| revision.path.display().to_string()),
            state: asked.map(|_| match (below.contains(node), is_applied) {
                (_, true) => "applied",
                (true, false) => NOT_APPLIED,
                (false, false) => "pending",
            }),
            accepted: (below.contains(node) && !is_applied).then(|| ancestry.accepted.contains(&node)),
            current: position.rows.contains(&node),
            head: graph.children(node).is_empty(),
            applied_at,
            seconds,
        }
    };
    Ok(graph.nodes().map(entry).collect())
}

/// Every revision before those it revises, a line of descent kept together, as `git log --topo-order` does.
pub(super) fn newest_first(graph: &Graph) -> Vec<Node> {
    let mut waiting: Vec<usize> = graph.nodes().map(|node| graph.children(node).len()).collect();
    let mut ready = graph.heads();
    let mut order = Vec::with_capacity(graph.len());
    while let Some(node) = ready.pop() {
        order.push(node);
        for parent in graph.parents(node) {
            waiting[parent.index()] -= 1;
            if waiting[parent.index()] == 0 {
                ready.push(*parent);
            }
        }
    }
    order
}

/// What lies between two names, both included.
fn shown(range: &NameRange, position: &Position<'_>, has_database: bool) -> Result<Vec<NodeSet>, NameError> {
    let graph = &position.graph;
    let resolve = |name: &RevisionName| {
        let typed = name.to_string();
        match typed.as_str() {
            "current" if has_database => Ok(position.rows.clone()),
            _ if !has_database => name.absolute_targets(graph),
            _ => name.single_target_or_heads(graph, &position.rows),
        }
    };
    let upper = resolve(&range.to)?;
    let mut sets = vec![graph.reach(&upper, Graph::prerequisites)];
    if let Some(from) = &range.from {
        let mut starts = Vec::new();
        for name in from {
            starts.extend(resolve(name)?);
        }
        let from = starts;
        if !from.is_empty() {
            sets.push(graph.reach(&from, Graph::dependents));
        }
    }
    Ok(sets)
}
