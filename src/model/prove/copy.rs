//! The proof of `diff`, on a copy of the live schema, with rows.

use super::execute;
use super::extent::ProofExtent;
use super::rows::ScratchRows;
use super::scratch::{Scratch, ScratchError};
use super::{ProofError, first_line};
use crate::model::Catalog;
use crate::model::compare::compare;
use crate::model::compare::scoped_model::ScopedModel;
use crate::model::emit::{EmitOptions, Form, StatementGroup, emit};

/// Recreates a live schema in an empty scratch database and executes the statements there, with rows. How much was checked; or why it is
/// not proven.
pub async fn prove_on_copy(
    scratch: &Scratch,
    live: &Catalog,
    wanted: &ScopedModel,
    groups: &[StatementGroup],
    options: EmitOptions,
) -> Result<Result<ProofExtent, String>, ScratchError> {
    // The roles that it names need not exist on the scratch server.
    let ignore = options.ignore;
    let live = &live.clone().ignoring(ignore);
    let empty = scratch.read().await?.ignoring(ignore);
    let plain = EmitOptions { form: Form::Plain, ..options };
    for group in emit(&empty, live, plain) {
        if let Err(error) = execute(scratch, "up", group.mode, &group.statements, None).await {
            return not_proven("a copy of its schema can't be made", error);
        }
    }
    let mut rows = ScratchRows::generate(scratch, live, &wanted.catalog, groups).await?;
    for group in groups {
        if let Err(error) = execute(scratch, "up", group.mode, &group.statements, Some(&mut rows)).await {
            return not_proven("the statements fail on a copy", error);
        }
    }
    let result = scratch.read().await?.ignoring(ignore);
    let remainder = compare(&result, &wanted.settled(&result).into_owned().ignoring(ignore));
    if !remainder.is_empty() {
        let remains = remainder.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Ok(Err(format!("on a copy the statements leave: {remains}")));
    }
    Ok(rows.check_after(scratch, "SQL").await?.map(|()| rows.extent()).map_err(|error| error.to_string()))
}

/// The reason, unless the scratch database itself failed.
fn not_proven<T>(what: &str, error: ProofError) -> Result<Result<T, String>, ScratchError> {
    match error {
        ProofError::Scratch(error) => Err(error),
        ProofError::Fails { ref sql, ref message, .. } => Ok(Err(format!("{what}: {message} at `{}`", first_line(sql)))),
        ProofError::Remains { .. } | ProofError::Rows(_) | ProofError::Rename(_) | ProofError::Scope(_) => {
            Ok(Err(format!("{what}: {error}")))
        }
    }
}
