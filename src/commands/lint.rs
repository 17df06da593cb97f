//! `lint`: risky statements in the revisions that are not applied yet, or in those that are named.

use console::Term;
use serde::Serialize;

use super::compare_inputs;
use super::context::Context;
use super::error::CommandError;
use super::files::load_graph;
use super::output::{answer, answer_escaped, json};
use crate::cli;
use crate::code_frame::CodeFrame;
use crate::error::Error;
use crate::escape;
use crate::ledger::Access;
use crate::lint::{DOWN_DOES_NOT_RESTORE, Finding, SEVERAL_HEADS, is_ignored, lint};
use crate::model::compare::compare;
use crate::revision::graph::{Graph, Node};
use crate::revision::line::line_at;
use crate::revision::name::RevisionName;
use crate::revision::{LineColumn, Revision};
use crate::runner::{LedgerTexts, resolve_position};
use crate::session::settings::read_conninfo;
use crate::words::count;

/// The server version to lint for without a database: the newest that pgmarch knows.
const NEWEST_SERVER: u32 = 180_000;

/// The JSON of `lint --json`.
#[derive(Debug, Serialize)]
struct LintReport {
    /// The revisions that were checked.
    revisions: Vec<String>,
    /// The findings; with none the exit code is 0.
    findings: Vec<LocatedFinding>,
}

#[derive(Debug, Serialize)]
struct LocatedFinding {
    rule: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    path: String,
    line: usize,
    column: usize,
}

/// Prints the findings, and fails if there are any.
pub async fn run(args: &cli::LintArgs, context: &Context) -> Result<(), Error> {
    let graph = load_graph(&context.config).await?;
    let named: Vec<Node> = resolve_names(args, &graph)?;
    let mut server = NEWEST_SERVER;
    let mut chosen = named.clone();
    if named.is_empty() || read_conninfo(&context.environment).await.is_ok() {
        let pool = context.pool()?;
        let session = context.runner.connect(&pool, context.wait_deadline()).await?;
        let state = super::context::read_state(&session, context, Access::Read).await?;
        server = state.server.number;
        if named.is_empty() {
            let position = resolve_position(&graph, &state, &session, LedgerTexts::None).await?;
            let applied = position.graph.reach(&position.rows, Graph::prerequisites);
            chosen = graph
                .nodes()
                .filter(|node| position.graph.node(graph.id(*node).as_str()).is_none_or(|there| !applied.contains(there)))
                .collect();
        }
    }
    let mut found: Vec<(&Revision, Finding)> = Vec::new();
    for node in &chosen {
        let revision = graph.revision(*node);
        found.extend(lint(revision, server).into_iter().map(|finding| (revision, finding)));
    }
    found.extend(find_several_heads(&graph, &chosen));
    if args.prove {
        found.extend(prove(&graph, &chosen, context).await?);
    }
    print(&graph, &chosen, &found, args.json)?;
    if found.is_empty() { Ok(()) } else { Err(Error::Command(CommandError::Findings { findings: found.len(), unsound: false })) }
}

fn resolve_names(args: &cli::LintArgs, graph: &Graph) -> Result<Vec<Node>, Error> {
    let mut nodes = Vec::new();
    for name in &args.revisions {
        nodes.extend(RevisionName::parse(name)?.targets(graph, &[])?);
    }
    Ok(nodes)
}

/// A finding for each head, if there are several: `head` would be ambiguous.
fn find_several_heads<'g>(graph: &'g Graph, chosen: &[Node]) -> Vec<(&'g Revision, Finding)> {
    let heads = graph.heads();
    let ours = heads.iter().filter(|head| chosen.contains(head) && heads.len() > 1);
    let finding = |revision: &Revision| Finding {
        rule: SEVERAL_HEADS.to_owned(),
        message: format!("this is one of {}; an upgrade to `head` would not know which", count(heads.len(), "head")),
        help: Some("Join them with `pgmarch merge heads`.".to_owned()),
        range: line_at(&revision.text, 0).range,
    };
    ours.map(|head| graph.revision(*head))
        .filter(|revision| !is_ignored(&revision.text, SEVERAL_HEADS))
        .map(|revision| (revision, finding(revision)))
        .collect()
}

/// Runs each revision up, down and up again in a scratch database. A finding for each whose `down` does not restore the schema.
async fn prove<'g>(graph: &'g Graph, chosen: &[Node], context: &Context) -> Result<Vec<(&'g Revision, Finding)>, Error> {
    let scratch_server = compare_inputs::open_scratch_server(context).await?;
    let mut scratch = scratch_server.database("lint", compare_inputs::scope(context, &scratch_server)).await?;
    let mut found = Vec::new();
    let mut done: Vec<&Revision> = Vec::new();
    for node in graph.reach(chosen, Graph::prerequisites).nodes() {
        let revision = graph.revision(node);
        let Some(down) = revision.down.as_ref().filter(|_| chosen.contains(&node)) else {
            scratch.run_section(revision, &revision.up).await?;
            done.push(revision);
            continue;
        };
        let before = scratch.read().await?;
        scratch.run_section(revision, &revision.up).await?;
        scratch.run_section(revision, down).await?;
        let after = scratch.read().await?;
        let differences = compare(&before, &after);
        done.push(revision);
        if differences.is_empty() {
            scratch.run_section(revision, &revision.up).await?;
        } else {
            // Continue in a new scratch database, without what the `down` section left.
            scratch = scratch_server.database(&format!("lint{}", done.len()), compare_inputs::scope(context, &scratch_server)).await?;
            for revision in &done {
                scratch.run_section(revision, &revision.up).await?;
            }
        }
        if !differences.is_empty() && !is_ignored(&revision.text, DOWN_DOES_NOT_RESTORE) {
            let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
            found.push((
                revision,
                Finding {
                    rule: DOWN_DOES_NOT_RESTORE.to_owned(),
                    message: format!("after up and down the schema is not what it was: {}", list.join(", ")),
                    help: Some("Let the way down undo all that the way up does.".to_owned()),
                    range: down.range.start.saturating_sub(1)..down.range.start,
                },
            ));
        }
    }
    Ok(found)
}

fn print(graph: &Graph, chosen: &[Node], found: &[(&Revision, Finding)], as_json: bool) -> Result<(), Error> {
    let place = |revision: &Revision, finding: &Finding| LineColumn::of(&revision.text, finding.range.start);
    if as_json {
        let locate = |(revision, finding): &(&Revision, Finding)| {
            let LineColumn { line, column } = place(revision, finding);
            let Finding { rule, message, help, .. } = finding.clone();
            LocatedFinding { rule, message, help, path: revision.path.display().to_string(), line, column }
        };
        let revisions = chosen.iter().map(|node| graph.id(*node).to_string()).collect();
        return answer(&json(&LintReport { revisions, findings: found.iter().map(locate).collect() })?);
    }
    let stdout = Term::stdout();
    let mut text = String::new();
    for (revision, finding) in found {
        text += &format!("{}: {}\n", finding.rule, escape::lines(&finding.message, 2));
        text += &CodeFrame::new(&revision.path, &revision.text, &finding.range).render_for(&stdout);
        if let Some(help) = &finding.help {
            text += &format!("  help: {}\n", escape::lines(help, 4));
        }
        text.push('\n');
    }
    if found.is_empty() {
        text += &format!("{}: nothing found\n", count(chosen.len(), "revision"));
    }
    answer_escaped(&text)
}
