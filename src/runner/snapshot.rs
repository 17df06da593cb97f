//! Saves a snapshot of the catalog at the end of a run that changed something, within a timeout: it is saved, or undone, before
//! the run continues.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tracing::debug;

use super::base::Runner;
use crate::config::Config;
use crate::host::{Event, Host};
use crate::ledger::State;
use crate::model::read::database_schemas::{DatabaseSchemas, SchemaEntry};
use crate::model::read::shared::SharedObjects;
use crate::model::read::{Schemas, Scope, ViewedSearchPath};
use crate::revision::graph::Graph;
use crate::revision::statement::identifiers::find_identifiers;
use crate::session::{Failure, Session, StatementResult};
use crate::sql::Message;
use crate::words::chain;

/// How long a snapshot may take, from its first message to its commit.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a server may take to confirm that it ended the cancelled statement. The statement's own timeout ends it as well.
const CONFIRM: Duration = Duration::from_secs(3);
/// A cancel request that arrives between two statements cancels neither: it is sent again this often.
const CANCEL_EVERY: Duration = Duration::from_millis(100);

/// Why no snapshot was saved.
enum Skipped {
    /// It would cost too much, or another session is saving one.
    Because(String),
    /// The server refused, or is gone.
    Refused(Failure),
    /// It took too long, and the server has confirmed that it ended.
    TooLong,
    /// It took too long, and the server has not confirmed that it ended.
    Unconfirmed,
}

/// Saves a snapshot after the run, which still holds the lock. The run is complete without it, so nothing here makes it fail. The
/// session is closed: one that did not answer must not be used again.
pub(super) async fn save(state: &State, graph: &Graph, at: &str, session: Session, runner: &Runner) {
    let skipped = match attempt(state, graph, at, &session, runner).await {
        Ok(schemas) => {
            debug!(target: "pgmarch::commands::snapshot", "saved a snapshot of the catalog: of {}", schemas.join(", "));
            return;
        }
        Err(skipped) => skipped,
    };
    let limit = humantime::format_duration(LIMIT);
    let is_running = matches!(skipped, Skipped::Unconfirmed);
    let reason = match skipped {
        Skipped::Unconfirmed => format!(
            "it was cancelled after {limit}, and the server has not confirmed that; there it ends by its own limit of {limit} for each statement"
        ),
        Skipped::Because(why) => why,
        Skipped::Refused(failure) => chain(&failure),
        Skipped::TooLong => format!("it took longer than {limit}, so it was cancelled"),
    };
    runner.host.notify(&Event::SnapshotNotSaved { reason: &reason, is_running });
    if is_running || runner.host.timeout(CONFIRM, session.run(&Message::rollback())).await.is_err() {
        session.close();
    }
}

/// What is read of the database, under the session's own search path unless the settings name one.
pub(crate) fn catalog_scope(state: &State, config: &Config) -> Scope {
    Scope {
        server: state.server.number,
        search_path: config
            .search_path
            .clone()
            .map_or_else(|| ViewedSearchPath::Session(state.server.search_path.clone()), ViewedSearchPath::Settings),
        role: config.role.clone(),
        ledger: config.ledger_schema.clone(),
        version_table: state.ledger.version_table.clone(),
        schemas: Schemas::All,
        shared: SharedObjects::default(),
    }
}

async fn attempt(state: &State, graph: &Graph, at: &str, session: &Session, runner: &Runner) -> Result<Vec<String>, Skipped> {
    let ledger = &state.ledger;
    if !ledger.has_place_for_snapshot() {
        return Err(Skipped::Because(format!(
            "{}.catalog does not exist, or belongs to a role that is not trusted (PGMARCH_TRUST_OWNER)",
            ledger.schema.as_str()
        )));
    }
    let host = &runner.host;
    let deadline = host.now() + LIMIT;
    let mut scope = catalog_scope(state, &runner.config);
    let mut answers = within(host, deadline, session, &ledger.begin_snapshot(&scope, LIMIT)).await?;
    let is_alone = answers.pop().into_iter().flatten().flatten().flatten().next().as_deref() == Some("t");
    if !is_alone {
        return Err(Skipped::Because("another session is saving one in this database".to_owned()));
    }
    let Some(existing) = DatabaseSchemas::of(answers) else {
        return Err(Skipped::Because("the server's answer about its schemas makes no sense".to_owned()));
    };
    let schemas = schemas_of_run(&existing, graph, ledger.version_table.schema.as_str());
    if let Some(why) = existing.too_many_locks(&schemas) {
        return Err(Skipped::Because(why));
    }
    let names: Vec<String> = schemas.iter().map(|schema| schema.name.clone()).collect();
    scope.schemas = Schemas::Only(names.clone());
    let left = host.remaining(deadline);
    within(host, deadline, session, &ledger.save_snapshot(&scope, at, left)).await?;
    Ok(names)
}

/// The schemas that a run uses: those on its search path, that of its version table, and those that its revisions name.
fn schemas_of_run<'s>(existing: &'s DatabaseSchemas, graph: &Graph, version_schema: &str) -> Vec<&'s SchemaEntry> {
    let texts = graph.nodes().map(|node| &*graph.revision(node).text);
    let named: HashSet<String> = texts.flat_map(find_identifiers).map(std::borrow::Cow::into_owned).collect();
    let is_used = |schema: &&SchemaEntry| schema.is_on_path || schema.name == version_schema || named.contains(&schema.name);
    existing.schemas.iter().filter(is_used).collect()
}

/// The answers to a message. After the deadline it is cancelled repeatedly until the server answers.
async fn within(host: &Host, deadline: Instant, session: &Session, message: &Message) -> Result<Vec<StatementResult>, Skipped> {
    let mut answers = std::pin::pin!(async { session.send(message).await?.answers().await });
    if let Ok(outcome) = host.timeout_at(deadline, &mut answers).await {
        return outcome.map_err(|failure| match failure.code() {
            Some(code) if *code == SqlState::QUERY_CANCELED && session.is_stopping() => {
                Skipped::Because("it was cancelled by the signal".to_owned())
            }
            Some(code) if *code == SqlState::QUERY_CANCELED => Skipped::TooLong,
            _ => Skipped::Refused(failure),
        });
    }
    let confirmed = async {
        loop {
            let again = async {
                session.cancel().await;
                host.sleep(CANCEL_EVERY).await;
            };
            tokio::select! {
                outcome = &mut answers => return outcome,
                () = again => {}
            }
        }
    };
    match host.timeout(CONFIRM, confirmed).await {
        // It was about to end by itself.
        Ok(Ok(answers)) => Ok(answers),
        Ok(Err(_)) => Err(Skipped::TooLong),
        Err(_) => Err(Skipped::Unconfirmed),
    }
}
