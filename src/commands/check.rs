//! `check`: faults found before they cost something. Exit 0: none; 1: something to look at; 3: an upgrade would refuse.

use super::{Context, answer, json};
use crate::cli;
use crate::config::Config;
use crate::exit::Error;
use crate::report::check::{Check, Finding};
use crate::revision::file::header_place;
use crate::revision::graph::Graph;
use crate::revision::name::Name;

/// Looks at the files; without `--offline`, at the database too.
pub async fn run(words: &cli::Check, context: &Context) -> Result<(), Error> {
    let (check, _graph) = files(&context.config);
    tell(&check, words.json)
}

/// Prints the findings, and says by the exit code whether there are any.
fn tell(check: &Check, as_json: bool) -> Result<(), Error> {
    answer(&if as_json { json(check)? } else { check.text() })?;
    match check.findings.len() {
        0 => Ok(()),
        findings => Err(Error::Findings { findings, unsound: check.findings.iter().any(|finding| finding.stops_upgrade) }),
    }
}

/// What the files alone tell; the graph, if they make one.
fn files(config: &Config) -> (Check, Option<Graph>) {
    let mut check = Check { checked: vec!["files"], ..Check::default() };
    let graph = match Graph::load(&config.migrations) {
        Ok(graph) => graph,
        Err(faults) => {
            check.findings = faults.iter().map(Finding::of).collect();
            return (check, None);
        }
    };
    check.revisions = graph.len();
    check.heads = graph.heads().into_iter().map(|node| graph.id(node).to_string()).collect();
    check.findings = target(&graph, config).into_iter().chain(details(&graph)).collect();
    (check, Some(graph))
}

/// The target, `head` by default, must mean something: with two heads it doesn't.
fn target(graph: &Graph, config: &Config) -> Option<Finding> {
    let problem = Name::parse(&config.target).and_then(|name| if name.is_relative() { Ok(Vec::new()) } else { name.targets(graph, &[]) });
    problem.err().map(|error| Finding {
        kind: "target",
        path: config.migrations.display().to_string(),
        line: None,
        column: None,
        message: error.to_string(),
        stops_upgrade: true,
    })
}

/// What runs, but ought to be better: names, dates, the way down.
fn details(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for node in graph.nodes() {
        let revision = graph.revision(node);
        let path = &revision.path;
        if revision.down.is_none() {
            let message = "there is no `-- migrate:down` section, so it can't be undone; write one".to_owned();
            findings.push(Finding::about("irreversible", path, None, message));
        }
        let stem = revision.file_name().trim_end_matches(".sql");
        let rest = stem.strip_prefix(revision.id.as_str());
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_')) {
            let message = format!("the file's name does not begin with its id; rename it to {}_….sql", revision.id);
            findings.push(Finding::about("name", path, header_place(revision, "revision"), message));
        }
        if let Some(created) = &revision.created
            && humantime::parse_rfc3339_weak(created).is_err()
        {
            let message = format!("`created` is `{created}`; write a date such as 2026-11-22T10:15:00Z");
            findings.push(Finding::about("created", path, header_place(revision, "created"), message));
        }
    }
    findings
}
