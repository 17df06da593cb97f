//! `repair`: replaces what the ledger has of a revision by its file as it is now, after printing what differs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::context::Context;
use super::error::CommandError;
use super::files::load_graph;
use super::output::{answer, json};
use crate::ancestry::LateRevision;
use crate::apply::run_bookkeeping;
use crate::checksum;
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::ledger::{self, Access, AppliedRevision, Level, State};
use crate::lock::RunLock;
use crate::report::history::NOT_APPLIED;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::revision::{Id, Revision, join_ids};
use crate::runner::{LedgerTexts, ancestry, resolve_position};
use crate::words::version;

/// The JSON of `repair --json`.
#[derive(Debug, Serialize)]
struct Repaired {
    /// The revision.
    revision: String,
    /// What was accepted: `text`; `reading`, where another version of pgmarch parsed the same text differently; `parents`;
    /// `progress` of one that was half applied; `not applied` of one that was inserted below an applied one; nothing where file
    /// and ledger agree.
    accepted: Vec<&'static str>,
    /// Revisions that were never applied to this database and never will be, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_applied: Vec<String>,
    /// The text diff from what was applied to the file.
    diff: String,
}

/// Accepts the file as it is now.
pub async fn run(words: &cli::RepairArgs, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let name = RevisionName::parse(&words.revision)?;
    let graph = load_graph(config).await?;
    let pool = context.pool()?;
    let session = context.runner.connect(&pool, context.wait_deadline()).await?;
    let state = State::load(&session, config, Level::Full(Access::Write)).await?;
    let position = resolve_position(&graph, &state, &session, LedgerTexts::None).await?;
    let Some(node) = name
        .single_target(&graph, &position.rows.iter().filter_map(|row| graph.node(position.graph.id(*row).as_str())).collect::<Vec<_>>())?
    else {
        return Err(Error::Command(CommandError::Missing { problem: "base is no revision, so there is nothing to repair".to_owned() }));
    };
    let revision = graph.revision(node);
    drop(session);
    let lock = RunLock::acquire(&pool, &state, config.run_lock_timeout, &context.runner.host).await?;
    let session = lock.worker(config.wait_timeout, None).await?;
    let state = State::load(&session, config, Level::Full(Access::Write)).await?;
    if let Some(unfinished) =
        state.contents().and_then(|contents| contents.unfinished.iter().find(|unfinished| unfinished.revision == revision.id.as_str()))
    {
        run_bookkeeping(&session, &lock, state.server.number, config, state.ledger.record_progress_reset(unfinished))
            .await
            .map_err(Error::Note)?;
        lock.release().await;
        return answer(&if words.json {
            json(&Repaired { revision: revision.id.to_string(), accepted: vec!["progress"], not_applied: Vec::new(), diff: String::new() })?
        } else {
            let unfinished = escape::line(unfinished);
            format!("{unfinished}\n{}: forgotten; the next run begins with its first statement\n", revision.id)
        });
    }
    let position = resolve_position(&graph, &state, &session, LedgerTexts::None).await?;
    let ancestry = ancestry(&position, &state);
    let this = position.graph.node(revision.id.as_str()).filter(|node| ancestry.unapplied.contains(node));
    let recorded = state.ledger.applied_text(&session, revision.id.as_str()).await?;
    let recorded = recorded.as_ref();
    if recorded.is_none() && this.is_none() {
        return Err(Error::Command(CommandError::Missing {
            problem: format!("the ledger has no text of {}: pgmarch did not apply it, so any file is accepted", revision.id),
        }));
    }
    let mut accepted = recorded.map(|recorded| differences(recorded, revision)).unwrap_or_default();
    let mut not_applied: Vec<LateRevision> = Vec::new();
    if accepted.contains(&"parents") {
        let below = position.graph.reach(position.graph.node(revision.id.as_str()).as_slice(), Graph::prerequisites);
        let late = ancestry.late_nodes().filter(|node| below.contains(*node));
        not_applied = late.map(|node| ancestry.late_revision(&position.graph, node)).collect();
    }
    if let Some(node) = this.filter(|node| !ancestry.accepted.contains(node)) {
        accepted.push(NOT_APPLIED);
        not_applied = vec![ancestry.late_revision(&position.graph, node)];
    }
    let mut statements = Vec::new();
    let accepted_of_file: Vec<&str> = accepted.iter().copied().filter(|what| *what != NOT_APPLIED).collect();
    if !accepted_of_file.is_empty() {
        let detail = format!("accepted the {} of {} as it is now", accepted_of_file.join(" and the "), revision.file_name());
        statements.extend(state.ledger.accept_file(revision, &detail));
    }
    if !accepted.is_empty() {
        // Distinguishes revisions that are applied without a row in the ledger from those inserted below an applied one later.
        let unrecorded: Vec<&str> = ancestry.unrecorded.iter().map(|node| position.graph.id(*node).as_str()).collect();
        let detail = format!("applied by another tool: the version table was at {}", version(&state.rows));
        statements.extend(state.ledger.record_assumed(&unrecorded, &detail));
        let skipped: Vec<&str> = not_applied.iter().map(|late| late.id.as_str()).collect();
        let detail = format!("not applied, and never will be: accepted by repair {}", revision.id);
        statements.extend(state.ledger.record_skipped(&skipped, &detail));
        run_bookkeeping(&session, &lock, state.server.number, config, statements).await.map_err(Error::Note)?;
    } else {
        ledger::wait_until_durable(&session, &context.runner.host, context.wait_deadline()).await?;
    }
    lock.release().await;
    let applied_text = recorded.and_then(|recorded| recorded.text.as_ref());
    let diff = applied_text.map(|applied| checksum::diff(applied, &revision.text)).unwrap_or_default();
    if words.json {
        let not_applied = not_applied.iter().map(|late| late.id.to_string()).collect();
        return answer(&json(&Repaired { revision: revision.id.to_string(), accepted, not_applied, diff })?);
    }
    if accepted.is_empty() {
        return answer(&match recorded {
            Some(_) if this.is_none() => format!("{}: the file is what was applied, nothing to do\n", revision.id),
            _ => format!("{}: that it is not applied here has been accepted, nothing to do\n", revision.id),
        });
    }
    let mut text = String::new();
    if !diff.is_empty() {
        text += &checksum::diff_text(&revision.path, &diff);
    }
    if let Some(recorded) = recorded.filter(|_| accepted.contains(&"parents")) {
        text += &format!("applied on {}, now on {}\n", join_ids(&recorded.parents), join_ids(&revision.parents));
    }
    for LateRevision { id, above, .. } in &not_applied {
        text += &format!("{id} has not been applied to this database and will not be: it came in below {above}, which is applied\n");
    }
    answer(&format!("{text}{}: accepted; nothing was run\n", revision.id))
}

/// How a revision's file differs from what was applied.
fn differences(recorded: &AppliedRevision, revision: &Revision) -> Vec<&'static str> {
    let below = |parents: &[Id], depends_on: &[Id]| parents.iter().chain(depends_on).cloned().collect::<BTreeSet<_>>();
    let mut found = Vec::new();
    if recorded.exact != revision.exact_checksum() {
        found.push("text");
    } else if recorded.semantic != revision.semantic_checksum(&revision.up) {
        found.push("reading");
    }
    if below(&recorded.parents, &recorded.depends_on) != below(&revision.parents, &revision.depends_on) {
        found.push("parents");
    }
    found
}
