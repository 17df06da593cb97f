//! `merge`: writes a revision that joins heads.

use super::context::Context;
use super::create::{self, describe};
use super::error::CommandError;
use super::files::load_graph;
use super::output::{answer, json};
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::revision::format::draft::{Draft, DraftSection, now};
use crate::revision::graph::{Graph, Node};
use crate::revision::name::RevisionName;
use crate::revision::{Id, join_ids};

/// Writes the file.
pub async fn run(args: &cli::MergeArgs, context: &Context) -> Result<(), Error> {
    let folder = &context.config.migrations;
    let graph = load_graph(&context.config).await?;
    let mut joined: Vec<Node> = Vec::new();
    for name in &args.revisions {
        for node in RevisionName::parse(name)?.absolute_targets(&graph)? {
            if !joined.contains(&node) {
                joined.push(node);
            }
        }
    }
    let usage = |problem: String| {
        Error::Command(CommandError::Usage { problem, advice: "name at least two heads, or `heads` for all; no file was written" })
    };
    let parents: Vec<Id> = joined.iter().map(|node| graph.id(*node).clone()).collect();
    if joined.len() < 2 {
        return Err(usage(format!("{} alone is nothing to merge", join_ids(&parents))));
    }
    for node in &joined {
        let ancestors = graph.reach(&[*node], Graph::parents);
        if let Some(other) = joined.iter().find(|other| *other != node && ancestors.contains(**other)) {
            return Err(usage(format!("{} already stands on {}", graph.id(*node), graph.id(*other))));
        }
    }
    let ids: Vec<&str> = parents.iter().map(Id::as_str).collect();
    let message = args.message.clone().unwrap_or_else(|| format!("Merge {}", ids.join(" and ")));
    if let Some(label) = &args.branch {
        Id::parse(label).map_err(|_| usage(crate::revision::FileProblem::BadBranch(label.clone()).to_string()))?;
    }
    let draft = Draft {
        id: create::next(Some(&graph), None)?,
        revises: parents,
        depends_on: Vec::new(),
        branch: args.branch.clone(),
        created: Some(now()),
        message,
        part: None,
        up: DraftSection::no_op(),
        down: Some(DraftSection::no_op()),
    };
    let path =
        draft.write(folder).map_err(|source| Error::Command(CommandError::Write { path: folder.join(draft.file_name()), source }))?;
    let created = describe(&draft, &path);
    if args.json {
        return answer(&json(&created)?);
    }
    let path = escape::line(&created.path);
    answer(&format!("{path}\n\n{}\nnext: pgmarch check --offline, then pgmarch upgrade\n", created.text))
}
