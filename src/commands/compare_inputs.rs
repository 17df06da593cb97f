//! What `create`, `check` and `diff` compare: the catalog that the revisions create, and that of the model.

use std::time::Duration;

use pg_connect::ConnectError;
use tracing::{info, warn};

use super::context::Context;
use super::error::CommandError;
use super::files::in_background;
use crate::cli::ComparisonArgs;
use crate::config::ModelScope;
use crate::error::Error;
use crate::ledger::{self, State};
use crate::model::Catalog;
use crate::model::compare::scope::ComparisonScope;
use crate::model::compare::{Ignore, compare};
use crate::model::emit::{EmitOptions, Form, emit};
use crate::model::prove::model_command::fill;
use crate::model::prove::scratch::{Scratch, ScratchError, read, server_number};
use crate::model::prove::scratch_server::ScratchServer;
use crate::model::prove::source::{self, Source};
use crate::model::read::{Schemas, Scope};
use crate::report::difference::Difference;
use crate::revision::graph::{Graph, Node};
use crate::runner::catalog_scope;
use crate::session::settings::{environment_for, read_conninfo};
use crate::session::{Pool, Session};
use crate::sql::{Ident, QualifiedName};

/// Where the model comes from.
#[derive(Debug)]
pub(super) enum Model {
    /// Files beside the revisions.
    Files(Vec<Source>),
    /// `PGMARCH_MODEL_URL`.
    Database,
    /// `PGMARCH_MODEL_COMMAND`.
    Command(String),
}

impl Model {
    /// The model that the settings and the folder name, if there is one.
    pub(super) async fn find(context: &Context) -> Result<Option<Self>, Error> {
        let folder = context.config.migrations.clone();
        let database = context.environment.is_set("PGMARCH_MODEL_URL").then_some(Self::Database);
        let command = context.config.model_command.clone().map(Self::Command);
        let files = in_background(move || source::load(&folder)).await??.map(Self::Files);
        let mut models = [files, database, command].into_iter().flatten();
        match (models.next(), models.next()) {
            (Some(one), Some(other)) => Err(Error::Command(CommandError::Usage {
                problem: format!("there are two models: {} and {}", one.name(context), other.name(context)),
                advice: "keep one of schema.sql (or the folder schema), PGMARCH_MODEL_URL and PGMARCH_MODEL_COMMAND",
            })),
            (model, _) => Ok(model),
        }
    }

    /// Its name in messages.
    pub(super) fn name(&self, context: &Context) -> String {
        match self {
            Self::Files(sources) => match sources.as_slice() {
                [one] => one.path.display().to_string(),
                _ => context.config.migrations.join("schema").display().to_string(),
            },
            Self::Database => "the database of PGMARCH_MODEL_URL".to_owned(),
            Self::Command(_) => "what PGMARCH_MODEL_COMMAND creates".to_owned(),
        }
    }

    /// The error of a command that needs a model.
    pub(super) fn missing(context: &Context) -> Error {
        Error::Command(CommandError::Usage {
            problem: format!(
                "there is no model: neither {0}/schema.sql nor a folder {0}/schema, and neither PGMARCH_MODEL_URL nor PGMARCH_MODEL_COMMAND is set",
                context.config.migrations.display()
            ),
            advice: "write the schema as it should be into schema.sql, or set PGMARCH_MODEL_COMMAND to the command of an ORM that creates it, or PGMARCH_MODEL_URL to a database that has it; `create --manual` needs none",
        })
    }

    /// Reads its catalog; files are run in a scratch database.
    pub(super) async fn read(&self, scratch_server: &ScratchServer, context: &Context, ignore: Ignore) -> Result<Catalog, Error> {
        let catalog = match self {
            Self::Files(sources) => {
                let scratch = scratch_server.database("model", scope(context, scratch_server)).await?;
                scratch.load(sources, ignore).await?;
                scratch.read().await?
            }
            Self::Command(command) => {
                let (scratch, url) = scratch_server.database_for_command("model", scope(context, scratch_server)).await?;
                let filled = fill(command, &url, context.config.model_timeout).await;
                filled.map_err(|error| Error::Command(CommandError::Usage { problem: error.to_string(), advice: error.advice() }))?;
                scratch.read().await?
            }
            Self::Database => {
                let environment = environment_for(&context.environment, "PGMARCH_MODEL_URL").await.map_err(connect)?;
                let pool = Pool::new(environment, context.cancels.clone()).map_err(connect)?;
                let session = context.runner.connect(&pool, context.wait_deadline()).await?;
                let scope = Scope { server: server_number(&session).await?, ..scope(context, scratch_server) };
                same_major(scope.server, scratch_server.server, "the model's server")?;
                let model = read(&session, &scope).await?;
                if let Some(problem) = untrusted_owner(&model, &session, context).await? {
                    let advice = "give it to the role that reads the model, or name its owner in PGMARCH_TRUST_OWNER";
                    return Err(Error::Command(CommandError::Usage {
                        problem: format!("in the database of PGMARCH_MODEL_URL {problem}"),
                        advice,
                    }));
                }
                model
            }
        };
        Ok(catalog.ignoring(ignore))
    }
}

fn connect(error: ConnectError) -> Error {
    Error::Wait(crate::session::wait::WaitError::Settings(error))
}

/// Why a schema must not be recreated in a scratch database: some of its code belongs to a role that is not trusted, and would run as
/// the role of this run.
pub(super) async fn untrusted_owner(catalog: &Catalog, session: &Session, context: &Context) -> Result<Option<String>, Error> {
    let trusted = ledger::trusted_roles(session, &context.config).await.map_err(ScratchError::Server)?;
    let mut owned = catalog.objects.iter().filter(|(key, _)| key.kind.runs_code()).filter_map(|(key, object)| Some((key, object.owner()?)));
    Ok(owned
        .find(|(_, owner)| !trusted.iter().any(|role| role == owner))
        .map(|(key, owner)| format!("{key} belongs to {owner}, which is not trusted, and would run in a scratch database as us")))
}

/// Texts of different major versions can't be compared.
fn same_major(one: u32, other: u32, what: &str) -> Result<(), Error> {
    if one / 10_000 == other / 10_000 {
        return Ok(());
    }
    Err(Error::Command(CommandError::Usage {
        problem: format!(
            "{what} is PostgreSQL {}, the scratch server is {}: they print the same schema in different ways",
            one / 10_000,
            other / 10_000
        ),
        advice: "set PGMARCH_SCRATCH_URL to a server of the same major version",
    }))
}

/// What is read of a scratch database.
pub(super) fn scope(context: &Context, scratch_server: &ScratchServer) -> Scope {
    let config = &context.config;
    let schema = config.version_table.schema.clone().or_else(|| Ident::parse("public")).unwrap_or_else(Ident::pgmarch);
    Scope {
        server: scratch_server.server,
        search_path: scratch_server.search_path.clone(),
        role: config.role.clone(),
        ledger: config.ledger_schema.clone(),
        version_table: QualifiedName { schema, name: config.version_table.name.clone() },
        schemas: Schemas::All,
        shared: context.shared.clone(),
    }
}

/// What is read of the live database, under the session's own search path unless the settings name one.
pub(super) fn scope_of(state: &State, context: &Context) -> Scope {
    Scope { shared: context.shared.clone(), ..catalog_scope(state, &context.config) }
}

/// The scratch server; warns if it is of another major version than the target.
pub(super) async fn open_scratch_server(context: &Context) -> Result<ScratchServer, Error> {
    let scratch_server =
        ScratchServer::open(&context.environment, &context.config, &context.cancels, &context.leftovers, &context.runner.host).await?;
    let is_elsewhere = context.environment.is_set("PGMARCH_SCRATCH_URL");
    if is_elsewhere && read_conninfo(&context.environment).await.is_ok() {
        match context.pool()?.session(Duration::from_secs(2)).await {
            Ok(session) => {
                let target = server_number(&session).await?;
                if target / 10_000 != scratch_server.server / 10_000 {
                    warn!(
                        "the scratch server is PostgreSQL {}, the target is {}: what is proven there may still fail here",
                        scratch_server.server / 10_000,
                        target / 10_000
                    );
                }
            }
            Err(error) => info!("the target's version is not known: {}", crate::words::chain(&error)),
        }
    }
    Ok(scratch_server)
}

/// A scratch database with the revisions `heads` and all their ancestors.
async fn revisions(
    scratch_server: &ScratchServer,
    graph: Option<&Graph>,
    heads: &[Node],
    context: &Context,
) -> Result<Scratch, ScratchError> {
    let scratch = scratch_server.database("revisions", scope(context, scratch_server)).await?;
    if let Some(graph) = graph {
        for node in graph.reach(heads, Graph::prerequisites).nodes() {
            let revision = graph.revision(node);
            scratch.run_section(revision, &revision.up).await?;
        }
    }
    Ok(scratch)
}

/// Reads both at the same time: the model, and the scratch database with the revisions, with its catalog. Errors of the model come first.
pub(super) async fn read_both(
    model: &Model,
    scratch_server: &ScratchServer,
    graph: Option<&Graph>,
    heads: &[Node],
    context: &Context,
    ignore: Ignore,
) -> Result<(Catalog, Scratch, Catalog), Error> {
    let made = async {
        let scratch = revisions(scratch_server, graph, heads, context).await?;
        let made = scratch.read().await?;
        Ok::<_, Error>((scratch, made))
    };
    let (wanted, made) = tokio::join!(model.read(scratch_server, context, ignore), made);
    let (wanted, (scratch, made)) = (wanted?, made?);
    Ok((wanted, scratch, made))
}

/// What is compared with a model: by default its source decides what it can express.
pub(super) fn comparison(words: &ComparisonArgs, model: Option<&Model>, context: &Context) -> ComparisonScope {
    let by_source = match model {
        Some(Model::Database | Model::Command(_)) => ModelScope::Orm,
        Some(Model::Files(_)) | None => ModelScope::All,
    };
    ComparisonScope {
        model: words.scope.or(context.config.model_scope).unwrap_or(by_source),
        ignored: words.ignore.clone(),
        only: words.only.clone(),
    }
}

/// The differences for a report, and how many objects differ.
pub(super) fn difference(old: &Catalog, new: &Catalog, server: u32) -> (Difference, usize) {
    let parts = emit(old, new, EmitOptions { server, form: Form::Plain, ignore: Ignore::default() });
    let statements: Vec<_> = parts.iter().flat_map(|part| &part.statements).collect();
    let changes = compare(old, new);
    (Difference::new(&changes, &statements, old.likely_renames(new)), changes.len())
}
