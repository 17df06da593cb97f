//! `history`: the graph of revisions, and what the ledger recorded for each. Creates nothing, locks nothing.

use super::context::Context;
use super::database_view::{read_database, read_entries};
use super::files::load_graph;
use super::output::{answer, answer_json};
use crate::cli;
use crate::error::Error;
use crate::position::Position;
use crate::report::history::HistoryReport;
use crate::revision::graph::{Graph, Node, NodeSet};
use crate::revision::name::{NameError, NameRange, RevisionName};
use crate::runner::{LedgerTexts, resolve_position};

/// Prints the graph, newest revision first.
pub async fn run(args: &cli::HistoryArgs, context: &Context) -> Result<(), Error> {
    let files = load_graph(&context.config).await?;
    let database = read_database(context).await?;
    let position = match &database {
        Some(database) => resolve_position(&files, &database.state, &database.session, LedgerTexts::None).await?,
        None => Position::resolve(&files, &[], &[])?,
    };
    let entries = read_entries(&files, &position, database.as_ref()).await?;
    let shown = match &args.range {
        None => None,
        Some(range) => Some(nodes_in_range(&NameRange::parse(range)?, &position, database.is_some())?),
    };
    let order = newest_first(&position.graph);
    let history = order.into_iter().filter(|node| shown.as_ref().is_none_or(|shown| shown.iter().all(|set| set.contains(*node))));
    let history = history.map(|node| entries[node.index()].clone()).collect();
    let history = HistoryReport { connection: database.map(|database| database.address), history };
    if args.json { answer_json(&history) } else { answer(&history.text()) }
}

/// Each revision before its parents, and the revisions of a branch together, as in `git log --topo-order`.
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

/// The revisions in a range, its ends included: those that are in all of these sets.
fn nodes_in_range(range: &NameRange, position: &Position<'_>, has_database: bool) -> Result<Vec<NodeSet>, NameError> {
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
