//! `status`: the version rows and what is pending. Creates nothing, locks nothing.

use std::mem::ManuallyDrop;

use super::context::Context;
use super::database_view::{DatabaseView, read_entries};
use super::error::CommandError;
use super::files::load_graph;
use super::output::{answer, answer_json};
use crate::cli;
use crate::error::Error;
use crate::exit::Explain as _;
use crate::ledger::{self, Access, State, UnfinishedRevision};
use crate::plan::Plan;
use crate::report::history::NOT_APPLIED;
use crate::report::status::{BranchHeads, HalfApplied, StatusReport};
use crate::revision::graph::{Graph, Node};
use crate::revision::name::{NameError, RevisionName};
use crate::runner::{LedgerTexts, is_sealed, resolve_position, verify_checksums};

/// Prints the status; with `--check`, the exit code tells whether revisions are pending or an upgrade would refuse.
pub async fn run(words: &cli::StatusArgs, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let target = RevisionName::parse(&config.target)?;
    // The process ends with this command: freeing what was read of a long history would take a tenth of its time.
    let graph = ManuallyDrop::new(load_graph(config).await?);
    let pool = context.pool()?;
    let session = context.connect_to_show(&pool).await?;
    let mut state = super::context::read_state(&session, context, Access::Read).await?;
    let position = resolve_position(&graph, &state, &session, LedgerTexts::None).await?;
    let named = position.targets(&target);
    // With several heads `head` is ambiguous; pending revisions are those of all heads.
    let targets = match &named {
        Ok(targets) => targets.clone(),
        Err(NameError::SeveralHeads { .. }) => position.targets(&RevisionName::parse("heads")?)?,
        Err(error) => return Err(error.clone().into()),
    };
    let plan = Plan::upgrade(&position.graph, &position.rows, &targets);
    // The status includes the reason for which an upgrade would refuse.
    let refusal = match position.check_ahead(&targets, config.ahead) {
        _ if named.is_err() => named.err().map(Error::Name),
        Err(refusal) => Some(Error::Position(refusal)),
        Ok(_) => match verify_checksums(&graph, &mut state, &session, config, LedgerTexts::None).await {
            Ok(_) => None,
            Err(refusal @ (Error::Checksum(_) | Error::Late(_) | Error::Lost(_))) => Some(refusal),
            Err(error) => return Err(error),
        },
    };
    let changed = match &refusal {
        Some(Error::Checksum(error)) => error.ids(),
        _ => Vec::new(),
    };
    if words.check && plan.is_empty() && refusal.is_none() && !is_sealed(&graph, &state) {
        ledger::wait_until_durable(&session, &context.runner.host, context.wait_deadline()).await?;
    }
    let database = DatabaseView { address: pool.address(), session, state };
    let history = read_entries(&graph, &position, Some(&database)).await?;
    let DatabaseView { address, state, .. } = database;
    let state = ManuallyDrop::new(state);
    let status = ManuallyDrop::new(StatusReport {
        connection: address,
        server: state.server.version.clone(),
        version_table: state.ledger.version_table.plain(),
        untrusted_owner: state.untrusted.as_ref().map(|untrusted| untrusted.role.clone()),
        current: state.rows.clone(),
        heads: ids(&graph, &graph.heads()),
        branches: branches(&graph),
        target: config.target.clone(),
        pending: plan.steps.iter().map(|step| step.revision.id.to_string()).collect(),
        ahead: ids(&position.graph, &position.without_file),
        changed,
        not_applied: history.iter().filter(|entry| entry.state == Some(NOT_APPLIED)).map(|entry| entry.revision.clone()).collect(),
        half_applied: half_applied(&state),
        lacks_ledger: !state.ledger.has_ledger && !state.rows.is_empty(),
        next_step: refusal.as_ref().map(|refusal| refusal.next_step().into_owned()),
        at_target: plan.is_empty() && refusal.is_none(),
        refusal: refusal.as_ref().map(ToString::to_string),
        history,
    });
    if words.json {
        answer_json(&*status)?
    } else {
        answer(&status.text())?
    }
    match refusal {
        _ if !words.check => Ok(()),
        Some(refusal) => Err(refusal),
        None if !status.at_target => {
            Err(Error::Command(CommandError::Pending { target: status.target.clone(), pending: status.pending.len() }))
        }
        None => Ok(()),
    }
}

fn half_applied(state: &State) -> Vec<HalfApplied> {
    let unfinished = state.contents().map(|contents| contents.unfinished.as_slice()).unwrap_or_default();
    let half = |unfinished: &UnfinishedRevision| HalfApplied {
        revision: unfinished.revision.clone(),
        direction: unfinished.direction.verb(),
        done: unfinished.done(),
        statement: unfinished.statement,
        error: unfinished.detail.clone(),
        text: unfinished.to_string(),
    };
    unfinished.iter().map(half).collect()
}

fn ids(graph: &Graph, nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| graph.id(*node).to_string()).collect()
}

fn branches(graph: &Graph) -> Vec<BranchHeads> {
    let labelled = graph.nodes().filter_map(|node| graph.revision(node).branch.clone().map(|label| (node, label)));
    let heads = graph.heads();
    let above = |node: Node| graph.reach(&[node], Graph::children);
    labelled
        .map(|(node, label)| {
            let above = above(node);
            let heads: Vec<Node> = heads.iter().copied().filter(|head| above.contains(*head)).collect();
            BranchHeads { label, revision: graph.id(node).to_string(), heads: ids(graph, &heads) }
        })
        .collect()
}
