//! `show`: one revision with its headers, its text and what the ledger recorded. Creates nothing, locks nothing.

use std::borrow::Cow;

use super::context::Context;
use super::database_view::{read_database, read_entries};
use super::files::load_graph;
use super::output::{answer, answer_json};
use crate::checksum;
use crate::cli;
use crate::error::Error;
use crate::position::Position;
use crate::report::show::ShowReport;
use crate::revision::graph::Node;
use crate::revision::name::{NameError, RevisionName};
use crate::runner::{LedgerTexts, resolve_position};

/// Prints it.
pub async fn run(args: &cli::ShowArgs, context: &Context) -> Result<(), Error> {
    let files = load_graph(&context.config).await?;
    let database = read_database(context).await?;
    let mut position = match &database {
        Some(database) => resolve_position(&files, &database.state, &database.session, LedgerTexts::None).await?,
        None => Position::resolve(&files, &[], &[])?,
    };
    let mut found = find(args, &position);
    // A revision without a file may be in the ledger: undone, or applied by another image.
    if let (Err(NameError::Unknown { id, .. }), Some(database)) = (&found, &database)
        && let Some(recorded) = database.state.ledger.applied_revisions(&database.session, &[id]).await?.first()
        && let Some(extended) = position.with_revision(recorded)
    {
        found = Ok(extended.graph.node(id).into_iter().collect());
        position = extended;
    }
    let found = found?;
    let entries = read_entries(&files, &position, database.as_ref()).await?;
    let mut shown = Vec::new();
    for node in found {
        let mut revision = Cow::Borrowed(position.graph.revision(node));
        let (mut journal, mut changed) = (Vec::new(), None);
        if let Some(database) = &database {
            let ledger = &database.state.ledger;
            journal = ledger.read_journal(&database.session, &revision.id).await?;
            let id = revision.id.as_str();
            let recorded = ledger.applied_revisions(&database.session, &[id]).await?;
            if !revision.has_text() {
                // It has no file here.
                revision = ledger.applied_text(&database.session, id).await?.map_or(revision, |applied| Cow::Owned(applied.to_revision()));
            } else if recorded.first().is_some_and(|recorded| recorded.exact != revision.exact_checksum()) {
                let applied = ledger.applied_text(&database.session, id).await?.and_then(|applied| applied.text);
                changed = applied.map(|applied| checksum::diff(&applied, &revision.text));
            }
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
    if args.json {
        return match shown.as_slice() {
            [one] => answer_json(one),
            several => answer_json(&several),
        };
    }
    for (place, report) in shown.iter().enumerate() {
        if place > 0 {
            answer("\n")?;
        }
        report.parts().iter().try_for_each(|part| answer(part))?;
    }
    Ok(())
}

/// The revisions to show. `current` and `heads` may be several, base is none.
fn find(args: &cli::ShowArgs, position: &Position<'_>) -> Result<Vec<Node>, NameError> {
    if args.revision == "current" && position.graph.node("current").is_none() {
        return Ok(position.rows.clone());
    }
    RevisionName::parse(&args.revision)?.single_target_or_heads(&position.graph, &position.rows)
}
