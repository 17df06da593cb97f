//! `check`: verifies files, ledger, drift and model. Exit 0: no findings; 1: findings; 3: findings for which an upgrade would fail.

use std::collections::BTreeSet;

use super::compare_inputs::{self, Model, difference};
use super::context::Context;
use super::drift::{self, Live, Replayed};
use super::error::CommandError;
use super::files::try_load_graph;
use super::invalid_indexes;
use super::output::{answer, json};
use crate::ancestry::{LateRevision, LateRevisions};
use crate::checksum::{ChecksumError, ReparsedFile};
use crate::cli;
use crate::config::Config;
use crate::error::Error;
use crate::ledger::Access;
use crate::model::Catalog;
use crate::model::compare::scope::ComparisonScope;
use crate::model::prove::ProofError;
use crate::model::prove::scratch_server::ScratchServer;
use crate::plan::refused::certain_failures;
use crate::report::check::{CheckFinding, CheckReport};
use crate::revision::LineColumn;
use crate::revision::format::header_place;
use crate::revision::graph::Graph;
use crate::revision::name::RevisionName;
use crate::runner::{LedgerTexts, verify_checksums};

/// Checks the files; without `--offline`, the database as well.
pub async fn run(words: &cli::CheckArgs, context: &Context) -> Result<(), Error> {
    let (mut check, graph) = check_files(&context.config).await?;
    let sound = !check.findings.iter().any(|finding| finding.stops_upgrade);
    if let (Some(graph), true, false) = (&graph, sound, words.offline) {
        // Errors of the model's files come before a connection.
        let model = Model::find(context).await?;
        let comparison = compare_inputs::comparison(&words.comparison, model.as_ref(), context);
        let mut scratch_server = None;
        let replayed = check_database(&mut check, graph, &comparison, &mut scratch_server, context).await?;
        if let Some(model) = model {
            let scratch_server = match scratch_server {
                Some(scratch_server) => scratch_server,
                None => compare_inputs::open_scratch_server(context).await?,
            };
            let made = replayed.and_then(|replayed| replayed.catalog_of(graph, &compare_inputs::scope(context, &scratch_server)));
            compare_model(&mut check, &model, made, &scratch_server, graph, &comparison, context).await?;
        }
    }
    print_findings(&check, words.json)
}

/// Whether the revisions lead to the model; `made` is what they create, if it is known.
async fn compare_model(
    check: &mut CheckReport,
    model: &Model,
    made: Option<Catalog>,
    scratch_server: &ScratchServer,
    graph: &Graph,
    comparison: &ComparisonScope,
    context: &Context,
) -> Result<(), Error> {
    let ignore = comparison.properties();
    let (wanted, made) = match made {
        Some(made) => (model.read(scratch_server, context, ignore).await?, made),
        None => {
            let (wanted, _scratch, made) =
                compare_inputs::read_both(model, scratch_server, Some(graph), &graph.heads(), context, ignore).await?;
            (wanted, made)
        }
    };
    check.checked.push("model");
    let scoped = comparison.complete(wanted, &made, scratch_server.server);
    scoped.check_schemas().map_err(ProofError::Scope)?;
    let wanted = scoped.catalog;
    check.left_alone = scoped.left_alone;
    let unknown: BTreeSet<String> = check.not_compared.drain(..).chain(made.unknown.union(&wanted.unknown).cloned()).collect();
    check.not_compared = unknown.into_iter().collect();
    let (difference, count) = difference(&made, &wanted, scratch_server.server);
    if count > 0 {
        let differ = if count == 1 { "1 object differs".to_owned() } else { format!("{count} objects differ") };
        let message =
            format!("the revisions don't lead to the model: {differ}; `pgmarch create \"what changes\"` writes the revision that does");
        check.findings.push(CheckFinding::in_general("model", model.name(context), message));
        check.model = Some(difference);
    }
    Ok(())
}

/// Whether the files are unchanged since they were applied, and whether the database has drifted; returns what the revisions create, if
/// they were replayed. The scratch server stays connected, if it was needed.
async fn check_database(
    check: &mut CheckReport,
    graph: &Graph,
    comparison: &ComparisonScope,
    scratch_server: &mut Option<ScratchServer>,
    context: &Context,
) -> Result<Option<Replayed>, Error> {
    let config = &context.config;
    let pool = context.pool()?;
    let session = context.runner.connect(&pool, context.wait_deadline()).await?;
    let mut state = super::context::read_state(&session, context, Access::Read).await?;
    check.checked.push("ledger");
    let position = match verify_checksums(graph, &mut state, &session, config, LedgerTexts::All).await {
        Ok(settled) => Some(settled.position),
        Err(Error::Checksum(ChecksumError::Changed(changed))) => {
            let message = |diff: &str| format!("its text differs from what was applied:\n{diff}");
            check.findings.extend(changed.iter().map(|changed| CheckFinding {
                stops_upgrade: true,
                ..CheckFinding::about("changed", &changed.path, None, message(&changed.diff))
            }));
            None
        }
        Err(Error::Checksum(ChecksumError::Reparsed(reread))) => {
            let message = "it is unchanged, but the pgmarch that applied it found other statements in its up section than this one does";
            let finding = |reread: &ReparsedFile| CheckFinding {
                stops_upgrade: true,
                ..CheckFinding::about("reread", &reread.path, None, message.to_owned())
            };
            check.findings.extend(reread.iter().map(finding));
            None
        }
        Err(Error::Late(LateRevisions(late))) => {
            let finding = |late: &LateRevision| {
                let message =
                    format!("it has not been applied to this database: it came in below {}, which had been applied before", late.above);
                CheckFinding { stops_upgrade: true, ..CheckFinding::about("late", &late.path, None, message) }
            };
            check.findings.extend(late.iter().map(finding));
            None
        }
        Err(error @ (Error::Checksum(ChecksumError::Moved(_)) | Error::Position(_) | Error::Lost(_))) => {
            check
                .findings
                .push(CheckFinding { stops_upgrade: true, ..CheckFinding::in_general("position", pool.address(), error.to_string()) });
            None
        }
        Err(error) => return Err(error),
    };
    let unfinished = state.contents().map(|contents| contents.unfinished.as_slice()).unwrap_or_default();
    check.findings.extend(invalid_indexes::find(&session, &pool.address(), unfinished).await?);
    let live = Live { address: &pool.address(), session: &session, state: &state, position: position.as_ref() };
    drift::compare(check, &live, comparison, scratch_server, context).await
}

/// Prints the findings; the exit code tells whether there are any.
fn print_findings(check: &CheckReport, as_json: bool) -> Result<(), Error> {
    answer(&if as_json { json(check)? } else { check.text() })?;
    match check.findings.len() {
        0 => Ok(()),
        findings => {
            Err(Error::Command(CommandError::Findings { findings, unsound: check.findings.iter().any(|finding| finding.stops_upgrade) }))
        }
    }
}

/// Checks the files alone; their graph, if they are valid.
async fn check_files(config: &Config) -> Result<(CheckReport, Option<Graph>), Error> {
    let mut check = CheckReport { checked: vec!["files"], ..CheckReport::default() };
    let graph = match try_load_graph(&config.migrations).await? {
        Ok(graph) => graph,
        Err(faults) => {
            check.findings = faults.iter().map(CheckFinding::of).collect();
            return Ok((check, None));
        }
    };
    check.revisions = graph.len();
    check.heads = graph.heads().into_iter().map(|node| graph.id(node).to_string()).collect();
    check.findings = check_target(&graph, config).into_iter().chain(check_details(&graph, config)).collect();
    check.warnings = warnings(&graph, config);
    if !config.require_down {
        let irreversible = graph.nodes().map(|node| graph.revision(node)).filter(|revision| revision.down.is_none());
        check.irreversible = irreversible.map(|revision| revision.id.to_string()).collect();
    }
    Ok((check, Some(graph)))
}

/// Checks the target, by default `head`, which is ambiguous if there are two heads.
fn check_target(graph: &Graph, config: &Config) -> Option<CheckFinding> {
    let problem =
        RevisionName::parse(&config.target).and_then(|name| if name.is_relative() { Ok(Vec::new()) } else { name.targets(graph, &[]) });
    problem.err().map(|error| CheckFinding {
        kind: "target",
        path: config.migrations.display().to_string(),
        line: None,
        column: None,
        message: error.to_string(),
        stops_upgrade: true,
    })
}

/// What is ignored of the files.
fn warnings(graph: &Graph, config: &Config) -> Vec<CheckFinding> {
    let mut warnings = Vec::new();
    for path in graph.unread_folders() {
        let message = format!("it is not read: only the .sql files directly in {} are", config.migrations.display());
        warnings.push(CheckFinding::about("subfolder", path, None, message));
    }
    for revision in graph.nodes().map(|node| graph.revision(node)) {
        for (offset, option) in
            [Some(&revision.up), revision.down.as_ref()].into_iter().flatten().flat_map(|section| &section.unknown_options)
        {
            let message = format!("the option `{option}` is unknown and ignored; known are transaction:false and transaction:true");
            warnings.push(CheckFinding::about("option", &revision.path, Some(LineColumn::of(&revision.text, *offset)), message));
        }
        if revision.up.is_empty && revision.parents.len() < 2 {
            let message = "the up section has no statement: an upgrade records the revision as applied and runs nothing".to_owned();
            let place = LineColumn::of(&revision.text, revision.up.range.start);
            warnings.push(CheckFinding::about("empty", &revision.path, Some(place), message));
        }
    }
    warnings
}

/// Findings about single revisions: names, dates, missing down sections.
fn check_details(graph: &Graph, config: &Config) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    for node in graph.nodes() {
        let revision = graph.revision(node);
        let path = &revision.path;
        findings.extend(certain_failures(revision, &revision.up).map(|fault| CheckFinding::in_transaction(&fault, true)));
        // Nothing but a downgrade runs it.
        let down = revision.down.iter().flat_map(|down| certain_failures(revision, down));
        findings.extend(down.map(|fault| CheckFinding::in_transaction(&fault, false)));
        if config.require_down && revision.down.is_none() && !revision.irreversible {
            let message =
                "there is no `-- migrate:down` section, so it can't be undone; write one, or `-- irreversible: true` in the header"
                    .to_owned();
            findings.push(CheckFinding::about("irreversible", path, None, message));
        }
        let stem = revision.file_name().trim_end_matches(".sql");
        let rest = stem.strip_prefix(revision.id.as_str());
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_')) {
            let message = format!("the file's name does not begin with its id; rename it to {}_….sql", revision.id);
            findings.push(CheckFinding::about("name", path, header_place(revision, "revision"), message));
        }
        if let Some(created) = &revision.created
            && humantime::parse_rfc3339_weak(created).is_err()
        {
            let message = format!("`created` is `{created}`; write a date such as 2026-11-22T10:15:00Z");
            findings.push(CheckFinding::about("created", path, header_place(revision, "created"), message));
        }
    }
    findings
}
