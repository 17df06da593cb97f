//! What an earlier run has done of a step, compared with the step's text now.

use crate::apply::error::ApplyError;
use crate::ledger::Stage;
use crate::ledger::UnfinishedRevision;
use crate::plan::Step;
use crate::revision::SectionMode;
use crate::revision::checksum::semantic_checksum;
use crate::revision::statement::kind::{StatementKind, classify};
use crate::revision::statement::{Statement, split};

/// Whether a step has statements that need one session, as their settings last from one message to the next.
pub(in crate::apply) fn needs_session(step: &Step<'_>) -> bool {
    let sql = step.sql();
    let lasts = |statement: &Statement| classify(&sql[statement.range.clone()]) != StatementKind::Transactional;
    step.mode() == SectionMode::Stepwise && split(sql).statements.iter().any(lasts)
}

/// Refuses to continue behind statements whose text has changed since they were run.
pub(in crate::apply) fn check_text(step: &Step<'_>, was: &UnfinishedRevision) -> Result<(), ApplyError> {
    let sql = step.sql();
    let statements = split(sql).statements;
    let same = match statements.get(was.statement.wrapping_sub(1)) {
        Some(statement) if was.stage == Stage::Finished => {
            prefix_checksum(sql, &statements, was.statement - 1) == was.note.before
                && semantic_checksum(&sql[statement.range.clone()]) == was.note.own
        }
        Some(_) => prefix_checksum(sql, &statements, was.statement - 1) == was.note.before,
        None => false,
    };
    // In one transaction, statements that are done would run again, unless none is.
    let same_mode = step.mode() == SectionMode::Stepwise || (was.stage == Stage::Failed && was.done() == 0);
    if same && same_mode {
        return Ok(());
    }
    Err(ApplyError::TextChanged { was: Box::new(was.clone()), path: step.revision.path.clone() })
}

/// The semantic checksum of the first `count` statements.
pub(in crate::apply) fn prefix_checksum(sql: &str, statements: &[Statement], count: usize) -> String {
    let texts: Vec<&str> = statements[..count].iter().map(|statement| &sql[statement.range.clone()]).collect();
    semantic_checksum(&texts.join(";\n"))
}
