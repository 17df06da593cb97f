//! What `history` and `show` read of a database: its state, and an entry for each revision.

use std::collections::HashMap;

use pg_connect::{ConnectError, SettingsError};

use super::context::Context;
use crate::error::Error;
use crate::ledger::{Access, LastUpgrade, State};
use crate::position::Position;
use crate::report::history::{HistoryEntry, NOT_APPLIED};
use crate::revision::graph::{Graph, Node};
use crate::runner::ancestry;
use crate::session::Session;
use crate::session::wait::WaitError;

/// A database as `history` and `show` read it.
pub(super) struct DatabaseView {
    /// Its address, for the user.
    pub(super) address: String,
    /// The connection.
    pub(super) session: Session,
    /// The state that was read.
    pub(super) state: State,
}

/// Reads the database of the settings; `None` if they name none.
pub(super) async fn read_database(context: &Context) -> Result<Option<DatabaseView>, Error> {
    let pool = context.pool()?;
    let session = match context.connect_to_show(&pool).await {
        Err(WaitError::Settings(ConnectError::Settings(faults))) if matches!(faults[..], [SettingsError::NoDatabase { .. }]) => {
            return Ok(None);
        }
        session => session?,
    };
    let state = super::context::read_state(&session, context, Access::Read).await?;
    Ok(Some(DatabaseView { address: pool.address(), session, state }))
}

/// An entry for each revision, in the graph's order.
pub(super) async fn read_entries(
    files: &Graph,
    position: &Position<'_>,
    database: Option<&DatabaseView>,
) -> Result<Vec<HistoryEntry>, Error> {
    let mut upgrades = match database {
        Some(database) => database.state.ledger.last_upgrades(&database.session).await?,
        None => HashMap::new(),
    };
    let graph = &position.graph;
    let reached = graph.reach(&position.rows, Graph::prerequisites);
    let ancestry = database.map(|database| ancestry(position, &database.state)).unwrap_or_default();
    let unfinished =
        database.and_then(|database| database.state.contents()).map(|contents| contents.unfinished.as_slice()).unwrap_or_default();
    let to_strings = |ids: &[crate::revision::Id]| ids.iter().map(ToString::to_string).collect();
    let entry = |node: Node| {
        let revision = graph.revision(node);
        let is_applied = reached.contains(node) && !ancestry.unapplied.contains(&node);
        let upgrade = is_applied.then(|| upgrades.remove(revision.id.as_str())).flatten();
        let LastUpgrade { finished: applied_at, seconds } = upgrade.unwrap_or_default();
        HistoryEntry {
            revision: revision.id.to_string(),
            parents: to_strings(&revision.parents),
            depends_on: to_strings(&revision.depends_on),
            branch: revision.branch.clone(),
            message: revision.message.clone(),
            created: revision.created.clone(),
            breaking: revision.breaking,
            file: files.node(revision.id.as_str()).map(|_| revision.path.display().to_string()),
            state: database.map(|_| match (reached.contains(node), is_applied) {
                (_, true) => "applied",
                (true, false) => NOT_APPLIED,
                (false, false) => "pending",
            }),
            unfinished: unfinished
                .iter()
                .find(|unfinished| unfinished.revision == revision.id.as_str())
                .map(|unfinished| unfinished.state()),
            accepted: (reached.contains(node) && !is_applied).then(|| ancestry.accepted.contains(&node)),
            current: position.rows.contains(&node),
            head: graph.children(node).is_empty(),
            applied_at,
            seconds,
        }
    };
    Ok(graph.nodes().map(entry).collect())
}
