//! `--sql`: prints the script instead of running it. With both ends of a range no database is read.

use std::collections::BTreeSet;

use super::context::Context;
use super::error::CommandError;
use super::files::load_graph;
use super::output::answer;
use crate::apply::StoppedRun;
use crate::apply::offline::script;
use crate::error::Error;
use crate::ledger::{Access, Ledger};
use crate::plan::Plan;
use crate::plan::downgrade::select_to_undo;
use crate::revision::Direction;
use crate::revision::graph::{Graph, Node};
use crate::revision::name::NameRange;
use crate::runner::{LedgerTexts, verify_checksums};

/// Prints the script from one end of a range to the other; without the first end, from the version rows of the database.
pub(super) async fn run(typed: &str, direction: Direction, context: &Context) -> Result<(), Error> {
    let range = NameRange::parse(typed)?;
    let graph = load_graph(&context.config).await?;
    let (text, start) = match &range.from {
        Some(from) => {
            let mut rows = Vec::new();
            for name in from {
                rows.extend(name.absolute_targets(&graph)?);
            }
            (print(&graph, &rows, &range, direction, &Ledger::offline(&context.config), context)?, None)
        }
        None if direction == Direction::Down => {
            return Err(Error::Command(CommandError::Usage {
                problem: "`downgrade --sql` takes FROM:TO".to_owned(),
                advice: "name both ends, such as head:-1; FROM is where the database is",
            }));
        }
        None => {
            let config = &context.config;
            let pool = context.pool()?;
            let session = context.runner.connect(&pool, context.wait_deadline()).await?;
            let mut state = super::context::read_state(&session, context, Access::Read).await?;
            let position = verify_checksums(&graph, &mut state, &session, config, LedgerTexts::None).await?.position;
            if !position.without_file.is_empty() {
                position.check_ahead(&position.targets(&range.to)?, config.ahead)?;
            }
            (print(&position.graph, &position.rows, &range, direction, &state.ledger, context)?, Some(pool.address()))
        }
    };
    if let Some(address) = start {
        tracing::info!("the script starts from where {address} is; FROM:TO asks no database");
    }
    answer(&text)
}

fn print(
    graph: &Graph,
    rows: &[Node],
    range: &NameRange,
    direction: Direction,
    ledger: &Ledger,
    context: &Context,
) -> Result<String, Error> {
    let plan = match direction {
        Direction::Up => Plan::upgrade(graph, rows, &range.to.targets(graph, rows)?),
        Direction::Down => Plan::downgrade(graph, rows, &select_to_undo(graph, rows, &range.to, &BTreeSet::new())?, &BTreeSet::new())?,
    };
    plan.refuse_certain_failures()?;
    script(&plan, ledger, &context.config).map_err(|error| Error::Apply(Box::new(StoppedRun { done: Vec::new(), error })))
}

/// Refuses a range, which only `--sql` takes: a run starts from the database's version rows.
pub(super) fn refuse_range(typed: &str) -> Result<(), Error> {
    match typed.split_once(':') {
        None => Ok(()),
        Some((_, to)) => Err(Error::Command(CommandError::Usage {
            problem: format!("`{typed}` is a range: a run starts from where the database is; write `{to}`, or add --sql for a script"),
            advice: "nothing was done",
        })),
    }
}
