//! `show`: one revision: header, text, ledger. Creates nothing, locks nothing.

use super::history::{ask, entries};
use super::{Context, answer, json, locate};
use crate::checksum;
use crate::cli;
use crate::error::Error;
use crate::ledger::ReadError;
use crate::position::Position;
use crate::report::show::ShowReport;
use crate::revision::graph::{Graph, Node};
use crate::revision::line::normalized;
use crate::revision::name::{NameError, RevisionName};

/// Shows it.
pub async fn run(words: &cli::ShowArgs, context: &Context) -> Result<(), Error> {
    let files = Graph::load(&context.config.migrations)?;
    let asked = ask(context).await?;
    let mut position = match &asked {
        Some(asked) => locate(&files, &asked.state, &asked.session).await?,
        None => Position::resolve(&files, &[], &[])?,
    };
    let mut found = find(words, &position);
    // One that was undone, or never followed by this image: the ledger may still have its text.
    if let (Err(NameError::Unknown { id, .. }), Some(asked)) = (&found, &asked)
        && let Some(recorded) = asked.state.ledger.applied_revisions(&asked.session, &[id]).await.map_err(ReadError::Server)?.first()
        && let Some(with) = position.with_revision(recorded)
    {
        found = Ok(with.graph.node(id).into_iter().collect());
        position = with;
    }
    let found = found?;
    let entries = entries(&files, &position, asked.as_ref()).await?;
    let mut shown = Vec::new();
    for node in found {
        let revision = position.graph.revision(node);
        let (mut journal, mut changed) = (Vec::new(), None);
        if let Some(asked) = &asked {
            let ledger = &asked.state.ledger;
            journal = ledger.read_journal(&asked.session, &revision.id).await.map_err(ReadError::Server)?;
            let recorded = ledger.applied_revisions(&asked.session, &[revision.id.as_str()]).await.map_err(ReadError::Server)?;
            let differs = recorded.first().filter(|recorded| normalized(&recorded.text) != normalized(&revision.text));
            changed = differs.map(|recorded| checksum::diff(&recorded.text, &revision.text));
        }
        shown.push(ShowReport {
            entry: entries[node.index()].clone(),
            reversible: revision.down.is_some(),
            text: revision.text.clone(),
            exact: revision.exact_checksum(),
            semantic: revision.semantic_checksum(&revision.up),
            changed,
            journal,
        });
    }
    if words.json {
        return match shown.as_slice() {
            [one] => answer(&json(one)?),
            several => answer(&json(&several)?),
        };
    }
    let texts: Vec<String> = shown.iter().map(ShowReport::text).collect();
    answer(&texts.join("\n"))
}

/// `current` and `heads` may mean several, base none.
fn find(words: &cli::ShowArgs, position: &Position<'_>) -> Result<Vec<Node>, NameError> {
    if words.revision == "current" && position.graph.node("current").is_none() {
        return Ok(position.rows.clone());
    }
    RevisionName::parse(&words.revision)?.single_target_or_heads(&position.graph, &position.rows)
}
