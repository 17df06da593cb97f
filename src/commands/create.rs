//! `create`: writes the next revision from the difference between the revisions and the model, after a proof in scratch databases;
//! with `--manual`, a template.

use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use super::compare_inputs::{self, Model};
use super::context::Context;
use super::error::CommandError;
use super::files::try_load_graph;
use super::output::{answer, json};
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::model::compare::compare;
use crate::model::compare::left_alone::LeftAlone;
use crate::model::emit::{EmitOptions, Form, script};
use crate::model::prove::extent::ProofExtent;
use crate::model::prove::{Proof, ProvenMigration, prove};
use crate::model::statement::part_name;
use crate::report::difference::{Difference, unknown};
use crate::report::extent::extent_text;
use crate::revision::SectionMode;
use crate::revision::format::draft::{Draft, DraftSection, now};
use crate::revision::graph::{Graph, Node};
use crate::revision::id::compare_naturally;
use crate::revision::name::RevisionName;
use crate::revision::next_id::next_id;
use crate::revision::{Fault, FileProblem, Id};

/// The JSON of `create --json` and `merge --json`.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    /// Its id.
    pub(super) revision: String,
    /// Its parents.
    pub(super) parents: Vec<String>,
    /// The file.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

/// The JSON of `create --json`, where the SQL comes from the model.
#[derive(Debug, Serialize)]
struct FromModel {
    /// The files, in order; none if nothing differs.
    created: Vec<Created>,
    /// The differences and the statements.
    #[serde(flatten)]
    difference: Difference,
    /// How much was checked.
    checked: ProofExtent,
    /// Objects that exist and are not compared.
    not_compared: Vec<String>,
    /// What the model lacks and stays as it is.
    left_alone: LeftAlone,
}

/// Writes the revision and prints the next steps.
pub async fn run(words: &cli::CreateArgs, context: &Context) -> Result<(), Error> {
    let graph = existing_graph(&context.config.migrations).await?;
    if !words.manual {
        return from_model(words, graph.as_ref(), context).await;
    }
    let draft = draft(words, graph.as_ref(), DraftSection::default(), Some(DraftSection::default()))?;
    let created = write(&draft, context)?;
    if words.json {
        return answer(&json(&created)?);
    }
    let steps = "next: write the SQL of both sections (without a `-- migrate:down` section it can't be undone), then\n  \
                 pgmarch check --offline        the files alone\n  \
                 pgmarch upgrade --sql          what would run\n  \
                 pgmarch upgrade                run it\n  \
                 pgmarch downgrade -1           and back\n";
    answer(&format!("{}\n\n{}\n{steps}", escape::line(&created.path), created.text))
}

fn write(draft: &Draft, context: &Context) -> Result<Created, Error> {
    let folder = &context.config.migrations;
    let path =
        draft.write(folder).map_err(|source| Error::Command(CommandError::Write { path: folder.join(draft.file_name()), source }))?;
    Ok(describe(draft, &path))
}

/// Writes the difference between revisions and model as the next revision, or as several if one transaction can't contain it.
async fn from_model(words: &cli::CreateArgs, graph: Option<&Graph>, context: &Context) -> Result<(), Error> {
    // Errors that need no connection come first: no head, two heads, no next id, no model.
    let first = draft(words, graph, DraftSection::default(), None)?;
    let model = Model::find(context).await?.ok_or_else(|| Model::missing(context))?;
    let comparison = compare_inputs::comparison(&words.comparison, Some(&model), context);
    let below = first.revises.iter().chain(&first.depends_on);
    let heads: Vec<Node> = graph.map(|graph| below.filter_map(|id| graph.node(id.as_str())).collect()).unwrap_or_default();
    let scratch_server = compare_inputs::open_scratch_server(context).await?;
    let (wanted, scratch, before) =
        compare_inputs::read_both(&model, &scratch_server, graph, &heads, context, comparison.properties()).await?;
    let scoped = comparison.complete(wanted, &before, scratch_server.server);
    let (wanted, left_alone) = (&scoped.catalog, scoped.left_alone.clone());
    let changes = compare(&before, wanted);
    let not_compared: Vec<String> = before.unknown.union(&wanted.unknown).cloned().collect();
    let form = if words.online { Form::Online } else { Form::Plain };
    let options = EmitOptions { server: scratch_server.server, form, ignore: comparison.properties() };
    let renames = if words.rename.is_empty() { before.likely_renames(wanted) } else { Vec::new() };
    let Proof { migrations: proven, extent } = prove(&scratch, before, scoped, &words.rename, options, &comparison).await?;
    let statements: Vec<_> = proven.iter().flat_map(|step| &step.up).collect();
    let difference = Difference::new(&changes, &statements, renames);
    let mut created = Vec::new();
    let mut above = first;
    for (number, step) in proven.iter().enumerate() {
        let part = |mode: SectionMode, statements| DraftSection { stepwise: mode == SectionMode::Stepwise, sql: script(statements) };
        (above.up, above.down) = (part(step.mode, &step.up), Some(part(step.down_mode, &step.down)));
        created.push(write(&above, context)?);
        if number + 1 < proven.len() {
            above = following(&above, &proven[number + 1], context).await?;
        }
    }
    if words.json {
        return answer(&json(&FromModel { created, difference, checked: extent, not_compared, left_alone })?);
    }
    if created.is_empty() {
        let name = escape::line(model.name(context));
        return answer(&format!("nothing to do: the revisions lead to {name}\n{}{}", unknown(&not_compared), left_alone.text()));
    }
    let files: String = created.iter().map(|created| format!("{}\n\n{}\n", escape::line(&created.path), created.text)).collect();
    let steps = "next: read it, then\n  \
                 pgmarch lint                   what may hurt\n  \
                 pgmarch upgrade                run it\n  \
                 pgmarch downgrade -1           and back\n";
    let (hints, unknown, extent) = (difference.renames_text(), unknown(&not_compared) + &left_alone.text(), extent_text(&extent));
    answer(&format!("{files}{hints}{unknown}proven in scratch databases: up leads to the model, down leads back\n{extent}{steps}"))
}

/// The revision after the one that was just written.
async fn following(above: &Draft, step: &ProvenMigration, context: &Context) -> Result<Draft, Error> {
    let graph = existing_graph(&context.config.migrations).await?;
    Ok(Draft {
        id: next(graph.as_ref(), None)?,
        revises: vec![above.id.clone()],
        depends_on: Vec::new(),
        branch: None,
        part: Some(part_name(step.mode, &step.up)),
        ..above.clone()
    })
}

/// The graph; `None` where the folder has no revision yet.
pub(super) async fn existing_graph(folder: &Path) -> Result<Option<Graph>, Error> {
    match try_load_graph(folder).await? {
        Ok(graph) => Ok(Some(graph)),
        Err(faults) if matches!(faults.as_slice(), [Fault { problem: FileProblem::NoRevisions, .. }]) => Ok(None),
        Err(faults) => Err(faults.into()),
    }
}

/// A revision with the next id, whose parent is the one head, or the named one.
pub(super) fn draft(words: &cli::CreateArgs, graph: Option<&Graph>, up: DraftSection, down: Option<DraftSection>) -> Result<Draft, Error> {
    let parents = match (graph, &words.head) {
        (None, None) => Vec::new(),
        (None, Some(head)) if head == "base" => Vec::new(),
        (None, Some(head)) => return Err(Error::Name(RevisionName::parse(head)?.unknown())),
        (Some(graph), head) => RevisionName::parse(head.as_deref().unwrap_or("head"))?.targets(graph, &[])?,
    };
    let id = |node: &Node| graph.map(|graph| graph.id(*node).clone());
    let mut depends_on = Vec::new();
    for name in &words.depends_on {
        let Some(graph) = graph else { return Err(Error::Name(RevisionName::parse(name)?.unknown())) };
        depends_on.extend(RevisionName::parse(name)?.targets(graph, &[])?.iter().filter_map(id));
    }
    if let Some(label) = &words.branch {
        Id::parse(label).map_err(|_| {
            Error::Command(CommandError::Usage {
                problem: FileProblem::BadBranch(label.clone()).to_string(),
                advice: "give --branch another label; no file was written",
            })
        })?;
    }
    Ok(Draft {
        id: next(graph, words.id.as_deref())?,
        revises: parents.iter().filter_map(id).collect(),
        depends_on,
        branch: words.branch.clone(),
        created: Some(now()),
        message: words.message.join(" "),
        part: None,
        up,
        down,
    })
}

/// The chosen id, else the next one. It must come behind the files without a `revises` header, whose ids' order is their chain.
pub(super) fn next(graph: Option<&Graph>, chosen: Option<&str>) -> Result<Id, Error> {
    let usage = |problem: String, advice: &'static str| Error::Command(CommandError::Usage { problem, advice });
    let ids: Vec<&Id> = graph.map(|graph| graph.nodes().map(|node| graph.id(node)).collect()).unwrap_or_default();
    let chain_end = graph.and_then(Graph::chain_end);
    let is_late = |id: &Id| chain_end.is_none_or(|end| compare_naturally(id.as_str(), end.as_str()) == std::cmp::Ordering::Greater);
    let Some(chosen) = chosen else {
        return next_id(&ids, SystemTime::now()).filter(is_late).ok_or_else(|| {
            usage("the ids of this folder don't count, so there is no next one".to_owned(), "choose one with --id ID; no file was written")
        });
    };
    let id = Id::parse(chosen).map_err(|problem| usage(format!("--id: {problem}"), "choose another id; no file was written"))?;
    if let Some((graph, node)) = graph.and_then(|graph| Some((graph, graph.node(chosen)?))) {
        let path = graph.revision(node).path.display();
        return Err(usage(
            format!("--id: {path} has the id `{chosen}` already"),
            "choose another id, or leave --id away; no file was written",
        ));
    }
    match chain_end {
        Some(end) if !is_late(&id) => {
            let problem =
                format!("--id: `{chosen}` comes before `{end}`, which has no `revises` header: the order of such ids is the chain");
            Err(usage(problem, "choose an id behind it, or leave --id away; no file was written"))
        }
        Some(_) | None => Ok(id),
    }
}

/// The JSON of a file that was written.
pub(super) fn describe(draft: &Draft, path: &Path) -> Created {
    let parents = draft.revises.iter().map(ToString::to_string).collect();
    Created { revision: draft.id.to_string(), parents, path: path.display().to_string(), text: draft.text() }
}
