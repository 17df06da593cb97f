//! `create`: the next revision, as a file. `--manual` leaves its SQL to the author.

use std::time::SystemTime;

use serde::Serialize;

use super::{Context, answer, json};
use crate::cli;
use crate::exit::Error;
use crate::revision::draft::{Draft, Part, next_id, now};
use crate::revision::graph::{Graph, Node, natural};
use crate::revision::name::Name;
use crate::revision::{Fault, Id, Problem};

/// The JSON of `create --json` and `merge --json`.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    /// Its id.
    pub(super) revision: String,
    /// What it revises.
    pub(super) parents: Vec<String>,
    /// The file.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

/// Writes it and says what to do with it.
pub fn run(words: &cli::Create, context: &Context) -> Result<(), Error> {
    if !words.manual {
        return Err(Error::Usage {
            problem: "`create` can't write the SQL from the model yet".to_owned(),
            advice: "add --manual for an empty revision to be filled in by hand",
        });
    }
    let folder = &context.config.migrations;
    let graph = load(context)?;
    let draft = draft(words, graph.as_ref(), Part::default(), Some(Part::default()))?;
    let path = draft.write(folder).map_err(|source| Error::Write { path: folder.join(draft.file_name()), source })?;
    let created = describe(&draft, &path, graph.as_ref());
    if words.json {
        return answer(&json(&created)?);
    }
    let steps = "next: write the SQL of both sections (without a `-- migrate:down` section it can't be undone), then\n  \
                 pgmarch check --offline        the files alone\n  \
                 pgmarch upgrade --sql          what would run\n  \
                 pgmarch upgrade                run it\n  \
                 pgmarch downgrade -1           and back\n";
    answer(&format!("{}\n\n{}\n{steps}", created.path, created.text))
}

/// The graph; `None` where the folder has no revision yet.
pub(super) fn load(context: &Context) -> Result<Option<Graph>, Error> {
    match Graph::load(&context.config.migrations) {
        Ok(graph) => Ok(Some(graph)),
        Err(faults) if matches!(faults.as_slice(), [Fault { problem: Problem::NoRevisions, .. }]) => Ok(None),
        Err(faults) => Err(Error::Revisions(faults)),
    }
}

/// A revision on the one head, or on the one named, with the next id.
pub(super) fn draft(words: &cli::Create, graph: Option<&Graph>, up: Part, down: Option<Part>) -> Result<Draft, Error> {
    let parents = match (graph, &words.head) {
        (None, None) => Vec::new(),
        (None, Some(head)) if head == "base" => Vec::new(),
        (None, Some(head)) => return Err(Error::Name(Name::parse(head)?.unknown())),
        (Some(graph), head) => Name::parse(head.as_deref().unwrap_or("head"))?.targets(graph, &[])?,
    };
    let id = |node: &Node| graph.map(|graph| graph.id(*node).clone());
    let mut depends_on = Vec::new();
    for name in &words.depends_on {
        let Some(graph) = graph else { return Err(Error::Name(Name::parse(name)?.unknown())) };
        depends_on.extend(Name::parse(name)?.targets(graph, &[])?.iter().filter_map(id));
    }
    if let Some(label) = &words.branch {
        Id::parse(label).map_err(|_| Error::Usage {
            problem: Problem::BadBranch(label.clone()).to_string(),
            advice: "give --branch another label; no file was written",
        })?;
    }
    let next = next(graph)?;
    let says_revises = graph.is_none_or(Graph::says_revises);
    if !says_revises && words.head.is_some() {
        return Err(Error::Usage {
            problem: "no file of this folder says what it revises: their ids' order is the chain, so a revision can only stand at its end"
                .to_owned(),
            advice: "leave --head away, or give every file a `-- revises:` header first",
        });
    }
    Ok(Draft {
        id: next,
        revises: says_revises.then(|| parents.iter().filter_map(id).collect()),
        depends_on,
        branch: words.branch.clone(),
        created: Some(now()),
        message: words.message.join(" "),
        up,
        down,
    })
}

/// The next id; where the ids' order is the chain, it must be the last.
pub(super) fn next(graph: Option<&Graph>) -> Result<Id, Error> {
    let ids: Vec<&Id> = graph.map(|graph| graph.nodes().map(|node| graph.id(node)).collect()).unwrap_or_default();
    let fits = |id: &Id| {
        graph.is_none_or(Graph::says_revises) || ids.iter().all(|other| natural(id.as_str(), other.as_str()) == std::cmp::Ordering::Greater)
    };
    next_id(&ids, SystemTime::now()).filter(fits).ok_or_else(|| Error::Usage {
        problem: "the ids of this folder don't count, so there is no next one".to_owned(),
        advice: "write the file by hand, with an id of your own",
    })
}

/// What was written, for a machine.
pub(super) fn describe(draft: &Draft, path: &std::path::Path, graph: Option<&Graph>) -> Created {
    let chain = graph.into_iter().flat_map(|graph| graph.heads().into_iter().map(|node| graph.id(node)));
    let parents = match &draft.revises {
        Some(parents) => parents.iter().map(ToString::to_string).collect(),
        None => chain.map(ToString::to_string).collect(),
    };
    Created { revision: draft.id.to_string(), parents, path: path.display().to_string(), text: draft.text() }
}
