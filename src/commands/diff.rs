//! `diff`: prints the SQL that leads from the live database to the model, after a proof on a copy of its schema, if one can be created.

use serde::Serialize;
use tracing::warn;

use super::compare_inputs::{self, Model};
use super::context::Context;
use super::error::CommandError;
use super::output::{answer, json};
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::ledger::Access;
use crate::model::compare::compare;
use crate::model::compare::left_alone::LeftAlone;
use crate::model::emit::{EmitOptions, Form, emit, script};
use crate::model::prove::ProofError;
use crate::model::prove::copy::prove_on_copy;
use crate::model::prove::extent::ProofExtent;
use crate::model::prove::scratch::read;
use crate::model::read::{Scope, ViewedSearchPath};
use crate::report::difference::{Difference, unknown};
use crate::revision::SectionMode;

/// The JSON of `diff --json`.
#[derive(Debug, Serialize)]
struct DiffReport {
    #[serde(flatten)]
    difference: Difference,
    /// Whether the statements were run on a copy of the database's schema, and led to the model.
    proven: bool,
    /// Why they are not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_proven: Option<String>,
    /// How much the proof checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<ProofExtent>,
    /// Objects that exist and are not compared.
    not_compared: Vec<String>,
    /// What the model lacks and stays as it is.
    left_alone: LeftAlone,
}

/// Prints the statements; exit code 1 if there is a difference.
pub async fn run(words: &cli::DiffArgs, context: &Context) -> Result<(), Error> {
    let config = &context.config;
    let model = Model::find(context).await?.ok_or_else(|| Model::missing(context))?;
    let comparison = compare_inputs::comparison(&words.comparison, Some(&model), context);
    let ignore = comparison.properties();
    let pool = context.pool()?;
    let session = context.runner.connect(&pool, context.wait_deadline()).await?;
    let state = super::context::read_state(&session, context, Access::Read).await?;
    let mut scratch_server = compare_inputs::open_scratch_server(context).await?;
    if scratch_server.server / 10_000 != state.server.number / 10_000 {
        return Err(Error::Command(CommandError::Usage {
            problem: format!(
                "the database is on PostgreSQL {}, the scratch server is {}: they print the same schema in different ways",
                state.server.number / 10_000,
                scratch_server.server / 10_000
            ),
            advice: "set PGMARCH_SCRATCH_URL to a server of the same major version",
        }));
    }
    if config.search_path.is_none() {
        scratch_server.search_path = ViewedSearchPath::Session(state.server.search_path.clone());
    }
    let scope = Scope {
        server: state.server.number,
        version_table: state.ledger.version_table.clone(),
        ..compare_inputs::scope(context, &scratch_server)
    };
    let live = read(&session, &scope).await?;
    let scoped = comparison.complete(model.read(&scratch_server, context, ignore).await?, &live, state.server.number);
    scoped.check().map_err(ProofError::Scope)?;
    let form = if words.online { Form::Online } else { Form::Plain };
    let options = EmitOptions { server: state.server.number, form, ignore };
    let groups = emit(&live, &scoped.catalog, options);
    let changes = compare(&live, &scoped.catalog);
    let proof = if groups.is_empty() {
        Ok(None)
    } else {
        match compare_inputs::untrusted_owner(&live, &session, context).await? {
            None => {
                let scratch = scratch_server.database("copy", compare_inputs::scope(context, &scratch_server)).await?;
                prove_on_copy(&scratch, &live, &scoped, &groups, options).await?.map(Some)
            }
            Some(why) => Err(why),
        }
    };
    let (checked, not_proven) = match proof {
        Ok(extent) => (extent, None),
        Err(why) => (None, Some(why)),
    };
    if let Some(why) = &not_proven {
        warn!("not proven: {why}");
    }
    let statements = groups.iter().flat_map(|group| &group.statements).collect::<Vec<_>>();
    let difference = Difference::new(&changes, &statements, live.likely_renames(&scoped.catalog));
    let found = changes.len();
    let not_compared: Vec<String> = live.unknown.union(&scoped.catalog.unknown).cloned().collect();
    if words.json {
        let (proven, left_alone) = (not_proven.is_none(), scoped.left_alone);
        answer(&json(&DiffReport { difference, proven, not_proven, checked, not_compared, left_alone })?)?;
    } else if found == 0 {
        let same = format!("{} is as {} says", pool.address(), model.name(context));
        answer(&format!("{}\n{}{}", escape::line(same), unknown(&not_compared), scoped.left_alone.text()))?;
    } else {
        let mut text = not_proven.map(|why| format!("-- not proven: {}\n\n", escape::line(why))).unwrap_or_default();
        for (number, group) in groups.iter().enumerate() {
            let sql = script(&group.statements);
            text += &match group.mode {
                SectionMode::Stepwise => format!("\n-- Each of these on its own, outside of a transaction:\n\n{sql}"),
                SectionMode::Transaction if number > 0 => format!("\n-- These in one transaction:\n\nBEGIN;\n\n{sql}\nCOMMIT;\n"),
                SectionMode::Transaction => sql,
            };
        }
        answer(&format!("{text}{}{}{}", difference.renames_text(), unknown(&not_compared), scoped.left_alone.text()))?;
    }
    if found == 0 {
        Ok(())
    } else {
        Err(Error::Command(CommandError::Different { what: "the database and the model".to_owned(), changes: found }))
    }
}
