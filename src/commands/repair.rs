//! `repair`: what the ledger has of a revision becomes what its file says now, after saying what differs.

use serde::Serialize;

use super::{Context, answer, json, locate};
use crate::apply::note;
use crate::checksum;
use crate::cli;
use crate::connect::wait::for_server;
use crate::exit::Error;
use crate::ledger::{self, Access, ReadError};
use crate::lock::Lock;
use crate::report::{escape, failure};
use crate::revision::graph::Graph;
use crate::revision::line::normalized;
use crate::revision::name::Name;

/// The JSON of `repair --json`.
#[derive(Debug, Serialize)]
struct Repaired {
    /// The revision.
    revision: String,
    /// What was accepted: `text`; `reading`, where another pgmarch read the same text otherwise; `parents`; `progress` of one
    /// that was half done; nothing where file and ledger agree.
    accepted: Vec<&'static str>,
    /// The text diff from what was applied to the file.
    diff: String,
}

/// Accepts the file as it is now.
pub async fn run(words: &cli::Repair, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let name = Name::parse(&words.revision)?;
    let graph = Graph::load(&config.migrations).map_err(Error::Revisions)?;
    let pool = context.pool()?;
    let session = for_server(&pool, &config.wait_for, config.wait_timeout, context.wait_deadline()).await?;
    let state = ledger::read(&session, config, Access::Write).await?;
    let position = locate(&graph, &state, &session).await?;
    let Some(node) =
        name.one(&graph, &position.rows.iter().filter_map(|row| graph.node(position.graph.id(*row).as_str())).collect::<Vec<_>>())?
    else {
        return Err(Error::Missing { problem: "base is no revision, so there is nothing to repair".to_owned() });
    };
    let revision = graph.revision(node);
    drop(session);
    let lock = Lock::acquire(&pool, &state, config.run_lock_timeout).await?;
    let session = lock.worker(config.wait_timeout, None).await?;
    let state = ledger::read(&session, config, Access::Write).await?;
    if let Some(unfinished) = state.unfinished.iter().find(|unfinished| unfinished.revision == revision.id.as_str()) {
        note(&session, config, state.ledger.forget(unfinished)).await.map_err(Error::Note)?;
        lock.release().await;
        return answer(&if words.json {
            json(&Repaired { revision: revision.id.to_string(), accepted: vec!["progress"], diff: String::new() })?
        } else {
            let unfinished = escape::line(unfinished);
            format!("{unfinished}\n{}: forgotten; the next run begins with its first statement\n", revision.id)
        });
    }
    let recorded = state.ledger.recorded(&session, &[revision.id.as_str()]).await.map_err(ReadError::Server)?;
    let Some(recorded) = recorded.first() else {
        return Err(Error::Missing {
            problem: format!("the ledger has no text of {}: pgmarch did not apply it, so any file is accepted", revision.id),
        });
    };
    let below = |parents: &[crate::revision::Id], depends_on: &[crate::revision::Id]| {
        parents.iter().chain(depends_on).cloned().collect::<std::collections::BTreeSet<_>>()
    };
    let mut accepted = Vec::new();
    if normalized(&recorded.text) != normalized(&revision.text) {
        accepted.push("text");
    } else if recorded.semantic != revision.semantic(&revision.up) {
        accepted.push("reading");
    }
    if below(&recorded.parents, &recorded.depends_on) != below(&revision.parents, &revision.depends_on) {
        accepted.push("parents");
    }
    let diff = checksum::diff(&recorded.text, &revision.text);
    if !accepted.is_empty() {
        let detail = format!("accepted the {} of {} as it is now", accepted.join(" and the "), revision.file_name());
        note(&session, config, state.ledger.accept(revision, &detail)).await.map_err(Error::Note)?;
    }
    lock.release().await;
    if words.json {
        return answer(&json(&Repaired { revision: revision.id.to_string(), accepted, diff })?);
    }
    if accepted.is_empty() {
        return answer(&format!("{}: the file is what was applied, nothing to do\n", revision.id));
    }
    let mut text = String::new();
    if !diff.is_empty() {
        text += &failure::diff(&revision.path, &diff);
    }
    if accepted.contains(&"parents") {
        let list = |ids: &[crate::revision::Id]| crate::revision::list(ids);
        text += &format!("applied on {}, now on {}\n", list(&recorded.parents), list(&revision.parents));
    }
    answer(&format!("{text}{}: accepted; nothing was run\n", revision.id))
}
