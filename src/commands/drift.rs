//! Drift: compares the live database with what its revisions create when they are replayed in a scratch database. A snapshot, if one
//! can be used, distinguishes manual changes from objects that the revisions create differently there.

use std::collections::BTreeSet;

use tracing::info;

use super::compare_inputs;
use super::compare_inputs::difference;
use super::context::Context;
use crate::error::Error;
use crate::ledger::{ReadError, State};
use crate::model::Catalog;
use crate::model::compare::drift::{BY_ENVIRONMENT, DriftScope};
use crate::model::compare::scope::ComparisonScope;
use crate::model::prove::scratch::{ScratchError, read};
use crate::model::prove::scratch_server::ScratchServer;
use crate::model::read::database_schemas::{DatabaseSchemas, SchemaEntry};
use crate::model::read::{Schemas, Scope, of_snapshot};
use crate::model::snapshot::{SavedSnapshot, SnapshotState};
use crate::position::Position;
use crate::report::check::{CheckFinding, CheckReport};
use crate::revision::format::parse;
use crate::revision::graph::Graph;
use crate::revision::statement::identifiers::creates_schema;
use crate::revision::{Id, Revision, join_ids};
use crate::runner::ancestry;
use crate::session::Session;
use crate::session::wait::WaitError;
use crate::sql::Ident;
use crate::words::chain;

/// The live database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live<'l> {
    /// Its address in messages.
    pub(super) address: &'l str,
    /// A session.
    pub(super) session: &'l Session,
    /// Version table and ledger.
    pub(super) state: &'l State,
    /// Its position among the revisions, if the files are those that were applied.
    pub(super) position: Option<&'l Position<'l>>,
}

/// What the revisions create in an empty database.
pub(super) struct Replayed {
    catalog: Catalog,
    /// Schemas that exist without them.
    given: BTreeSet<String>,
    /// What was read of it.
    scope: Scope,
    /// The revisions, in order.
    revisions: Vec<Id>,
    /// Whether all of them have files, and no schema was created for them.
    is_plain: bool,
}

impl Replayed {
    /// What all revisions of the files create, if that is what was replayed, and in the same way.
    pub(super) fn catalog_of(self, graph: &Graph, scope: &Scope) -> Option<Catalog> {
        let heads = graph.reach(&graph.heads(), Graph::prerequisites);
        let all: Vec<&Id> = heads.nodes().map(|node| graph.id(node)).collect();
        let is_same = self.is_plain && self.scope.reads_the_same(scope) && self.revisions.iter().eq(all);
        is_same.then_some(self.catalog)
    }
}

/// Why the revisions were not replayed.
enum ReplaySkipped {
    /// The comparison is skipped.
    Because(String),
    /// The command fails.
    Failed(Error),
}

impl ReplaySkipped {
    fn because(why: &str) -> Self {
        Self::Because(why.to_owned())
    }
}

/// Without a scratch database the comparison is skipped. But if PGMARCH_SCRATCH_URL is set and can't be reached, the settings are wrong.
fn replay_skipped(error: ScratchError, is_named: bool) -> ReplaySkipped {
    match error {
        ScratchError::Broken(broken) => {
            let lines: Vec<String> = broken.iter().map(|broken| format!("{}: {}", broken.what, broken.line())).collect();
            let lines = lines.join("; ");
            ReplaySkipped::Because(format!(
                "its revisions could not be replayed in an empty database, as they depend on data or on what only this environment has ({lines})"
            ))
        }
        ScratchError::NoRight { role, address } => ReplaySkipped::Because(format!(
            "{role} may not create databases on {address}, and the revisions are replayed in one: set PGMARCH_SCRATCH_URL to a server where it may, or ALTER ROLE {} CREATEDB",
            Ident::parse(&role).map_or(role.clone(), |role| role.to_string())
        )),
        ScratchError::Server(failure) if !failure.is_lost() => {
            ReplaySkipped::Because(format!("its revisions could not be replayed in a scratch database ({})", chain(&failure)))
        }
        ScratchError::Wait(error @ (WaitError::Refused { .. } | WaitError::Settings(_))) if !is_named => {
            ReplaySkipped::Because(format!("its revisions could not be replayed in a scratch database ({})", chain(&error)))
        }
        ScratchError::Wait(_) | ScratchError::Server(_) | ScratchError::Unreadable(_) => ReplaySkipped::Failed(error.into()),
    }
}

/// Compares, and adds findings to the check. Without a position the revisions are not replayed. The scratch server stays open: other
/// runs drop scratch databases whose session is gone. Returns what the revisions create, if it was replayed.
pub(super) async fn compare(
    check: &mut CheckReport,
    live: &Live<'_>,
    comparison: &ComparisonScope,
    scratch_server: &mut Option<ScratchServer>,
    context: &Context,
) -> Result<Option<Replayed>, Error> {
    let Live { address, session, state, .. } = *live;
    let (comparison, ignore) = (comparison.without_model(), comparison.properties());
    if state.rows.is_empty() {
        info!("the database is at base: there is nothing to compare it with");
        return Ok(None);
    }
    let at = crate::words::version(&state.rows);
    let mut scope = compare_inputs::scope_of(state, context);
    let answers = session.run(&scope.schemas_message()).await.map_err(ScratchError::Server)?;
    let existing = DatabaseSchemas::of(answers).ok_or(Error::Read(ReadError::Unexpected("schemas")))?;
    let replayed = match replay(live, &existing, &scope, scratch_server, context).await {
        Ok(replayed) => Ok(replayed),
        Err(ReplaySkipped::Because(why)) => Err(why),
        Err(ReplaySkipped::Failed(error)) => return Err(error),
    };
    let (snapshot, unusable) = match state.ledger.snapshot(session, &scope, &at).await? {
        SnapshotState::Usable(SavedSnapshot { taken, rows }) => match of_snapshot(&rows, &context.shared) {
            Ok(catalog) => (Some((taken, catalog)), None),
            Err(error) => (None, Some(format!("it was saved at {taken} by another version, or changed since ({error})"))),
        },
        SnapshotState::Unusable(why) => (None, Some(why)),
        SnapshotState::Nothing => (None, None),
    };
    if let Some(why) = &unusable {
        info!("the snapshot of the catalog is not used: {why}");
    }
    let schemas: BTreeSet<String> = match (&replayed, &snapshot) {
        (Ok(replayed), _) => replayed.catalog.schemas().union(&replayed.given).cloned().collect(),
        (Err(_), Some((_, snapshot))) => snapshot.schemas(),
        (Err(why), None) => {
            info!("the live database was not compared with its revisions: {why}");
            return Ok(None);
        }
    };
    if let Err(why) = &replayed {
        info!("the live database is compared with the snapshot alone: {why}");
    }
    let (compared, others): (Vec<&SchemaEntry>, Vec<&SchemaEntry>) =
        existing.schemas.iter().partition(|schema| schemas.contains(&schema.quoted));
    if let Some(why) = existing.too_many_locks(&compared) {
        info!("the live database was not compared with its revisions: {why}");
        return Ok(replayed.ok());
    }
    log_others(&others);
    scope.schemas = Schemas::Only(compared.iter().map(|schema| schema.name.clone()).collect());
    let live = read(session, &scope).await?.ignoring(ignore);
    let of_others = state.ledger.schemas_of_others(session).await?;
    let is_shared = |schema: &&&SchemaEntry| of_others.contains(&schema.name);
    let shared: BTreeSet<String> = compared.iter().filter(is_shared).map(|schema| schema.quoted.clone()).collect();
    check.checked.push("database");
    check.not_compared.extend(live.unknown.iter().cloned());
    let server = state.server.number;
    if let Some((taken, snapshot)) = &snapshot {
        let known = snapshot.schemas().intersection(&schemas).cloned().collect();
        let drift_scope = DriftScope { schemas: known, given: BTreeSet::new(), shared: shared.clone() };
        let (mut then, mut now) = (snapshot.clone().ignoring(ignore), live.clone());
        drift_scope.restrict(&mut then, &mut now);
        let now = comparison.complete(now, &then, server).catalog;
        let (difference, count) = difference(&then, &now, server);
        if count > 0 {
            let were = if count == 1 { "1 object was" } else { &format!("{count} objects were") };
            let message = format!(
                "{were} changed outside of the revisions since the run that ended at {taken} (at {at}); undo it, or write a revision that does it"
            );
            check.findings.push(CheckFinding::in_general("database", address.to_owned(), message));
            check.database = Some(difference);
        }
    }
    if let Ok(replayed) = &replayed {
        let drift_scope = DriftScope { schemas: schemas.clone(), given: replayed.given.clone(), shared };
        let mut made = replayed.catalog.clone().ignoring(ignore).ignoring(BY_ENVIRONMENT);
        let since = snapshot.as_ref().map(|(taken, _)| taken.clone());
        let mut now = match snapshot {
            Some((_, mut then)) => {
                then.complete_from(&live, &schemas);
                then.ignoring(ignore).ignoring(BY_ENVIRONMENT)
            }
            None => live.ignoring(BY_ENVIRONMENT),
        };
        let left_out = drift_scope.restrict(&mut made, &mut now);
        let now = comparison.complete(now, &made, server).catalog;
        if left_out > 0 {
            info!(
                "{left_out} objects were not compared, as another version table is in the same schema: its revisions may have created them"
            );
        }
        let (difference, count) = difference(&made, &now, server);
        if count > 0 {
            let objects = crate::words::count(count, "object");
            let path = address.to_owned();
            match since {
                Some(taken) => {
                    let message = format!(
                        "{objects} differed from what the applied revisions (at {at}) create already when the run ended at {taken}; write a revision that makes up for it"
                    );
                    check.findings.push(CheckFinding::in_general("replay", path, message));
                    check.replay = Some(difference);
                }
                None => {
                    let differ = if count == 1 { "differs" } else { "differ" };
                    let message = format!(
                        "{objects} {differ} from what the applied revisions (at {at}) create; undo what was changed by hand, or write a revision that does it"
                    );
                    check.findings.push(CheckFinding::in_general("database", path, message));
                    check.database = Some(difference);
                }
            }
        }
    }
    Ok(replayed.ok())
}

/// How many schemas a message names.
const NAMED: usize = 5;

/// Logs the schemas that are not compared: no revision creates them, and they are not on the search path.
fn log_others(others: &[&SchemaEntry]) {
    if others.is_empty() {
        return;
    }
    let named: Vec<&str> = others.iter().take(NAMED).map(|schema| schema.name.as_str()).collect();
    let more = others.len() - named.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    info!("not compared, as no applied revision creates it and the search path does not name it: schema {}{more}", named.join(", "));
}

/// Replays the applied revisions, in their order, in an empty database.
async fn replay(
    live: &Live<'_>,
    existing: &DatabaseSchemas,
    scope: &Scope,
    opened: &mut Option<ScratchServer>,
    context: &Context,
) -> Result<Replayed, ReplaySkipped> {
    let Live { session, state, position, .. } = *live;
    let Some(position) = position else { return Err(ReplaySkipped::because("the files are not what was applied here")) };
    if let Some(unfinished) = state.contents().and_then(|contents| contents.unfinished.first()) {
        return Err(ReplaySkipped::Because(format!("revision {} was begun and has not finished", unfinished.revision)));
    }
    if !position.without_file.is_empty() {
        check_recorded(session, state, position).await?;
    }
    let graph = &position.graph;
    let unapplied = ancestry(position, state).unapplied;
    let below = graph.reach(&position.rows, Graph::prerequisites);
    let applied: Vec<&Revision> = below.nodes().filter(|node| !unapplied.contains(node)).map(|node| graph.revision(node)).collect();
    let given = existing_schemas(existing, &applied, state.ledger.version_table.schema.as_str());
    let is_named = context.environment.is_set("PGMARCH_SCRATCH_URL");
    let scratch_server =
        ScratchServer::open(&context.environment, &context.config, &context.cancels, &context.leftovers, &context.runner.host)
            .await
            .map_err(|error| replay_skipped(error, is_named))?;
    let scratch_server = &*opened.insert(scratch_server);
    if scratch_server.server / 10_000 != state.server.number / 10_000 {
        return Err(ReplaySkipped::Because(format!(
            "the scratch server is PostgreSQL {}, the database is on {}: they print the same schema in different ways; set PGMARCH_SCRATCH_URL to a server of the same major version",
            scratch_server.server / 10_000,
            state.server.number / 10_000
        )));
    }
    let scope = Scope { schemas: Schemas::All, server: scratch_server.server, ..scope.clone() };
    let missing: Vec<Ident> =
        given.iter().filter(|schema| schema.name != "public").filter_map(|schema| Ident::parse(&schema.name)).collect();
    let made = async {
        let scratch = scratch_server.database("replay", scope.clone()).await?;
        scratch.furnish(&missing).await?;
        for revision in &applied {
            scratch.run_section(revision, &revision.up).await?;
        }
        scratch.read().await
    };
    let catalog = made.await.map_err(|error| replay_skipped(error, is_named))?;
    // Every new database has a schema public.
    let given = given.iter().map(|schema| schema.quoted.clone()).chain(["public".to_owned()]).collect();
    let revisions = applied.iter().map(|revision| revision.id.clone()).collect();
    // With a role of the settings, rights in the new database are given to it.
    let is_plain = missing.is_empty() && scope.role.is_none() && position.without_file.is_empty();
    Ok(Replayed { catalog, given, scope, revisions, is_plain })
}

/// Applied revisions without a file are replayed from the ledger, if no untrusted role may write there, and this version of pgmarch can
/// read their format.
async fn check_recorded(session: &Session, state: &State, position: &Position<'_>) -> Result<(), ReplaySkipped> {
    let graph = &position.graph;
    state.ledger.check_revision_writers(session).await.map_err(|error| match error {
        ReadError::Untrusted(_) => {
            let beyond = join_ids(position.without_file.iter().map(|node| graph.id(*node)));
            ReplaySkipped::Because(format!("{beyond} would be replayed from the ledger, as there is no file here: {error}"))
        }
        error @ (ReadError::Server(_)
        | ReadError::Denied { .. }
        | ReadError::NoSchema { .. }
        | ReadError::InTheWay { .. }
        | ReadError::RowSecurity { .. }
        | ReadError::Format { .. }
        | ReadError::NotDurable
        | ReadError::Locked(_)
        | ReadError::Unexpected(_)) => ReplaySkipped::Failed(error.into()),
    })?;
    let is_readable = |revision: &&Revision| parse(&revision.path, revision.text.as_bytes().to_vec()).is_ok();
    let mut beyond = position.without_file.iter().map(|node| graph.revision(*node));
    match beyond.find(|revision| !is_readable(revision)) {
        Some(revision) => {
            Err(ReplaySkipped::Because(format!("revision {} has no file here, and the text in the ledger can't be read", revision.id)))
        }
        None => Ok(()),
    }
}

/// Schemas that exist before the first revision: those on the search path and that of the version table, unless a revision creates them.
fn existing_schemas<'s>(existing: &'s DatabaseSchemas, applied: &[&Revision], version_schema: &str) -> Vec<&'s SchemaEntry> {
    let is_found = |schema: &&SchemaEntry| {
        (schema.is_on_path || schema.name == version_schema)
            && (schema.name == "public" || !applied.iter().any(|revision| creates_schema(&revision.text, &schema.name)))
    };
    existing.schemas.iter().filter(is_found).collect()
}
