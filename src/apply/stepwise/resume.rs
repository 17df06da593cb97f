//! What an earlier run has done of a step, compared with the step's text now.

use super::statements::StepStatements;
use crate::apply::error::ApplyError;
use crate::ledger::Stage;
use crate::ledger::UnfinishedRevision;
use crate::plan::Step;
use crate::revision::SectionMode;
use crate::revision::checksum::semantic_checksum;
use crate::revision::statement::for_each_statement;
use crate::revision::statement::kind::{StatementKind, classify};

/// Whether a step has statements that need one session, as their settings last from one message to the next.
pub(in crate::apply) fn needs_session(step: &Step<'_>) -> bool {
    let sql = step.sql();
    let mut needs_session = false;
    if step.mode() == SectionMode::Stepwise {
        for_each_statement(sql, |range| needs_session = needs_session || classify(&sql[range]) != StatementKind::Transactional);
    }
    needs_session
}

/// Refuses to continue behind statements whose text has changed since they were run.
pub(in crate::apply) fn check_text(step: &Step<'_>, was: &UnfinishedRevision) -> Result<(), ApplyError> {
    let mut statements = StepStatements::of(step.sql());
    let number = was.statement.wrapping_sub(1);
    let same = number < statements.len()
        && statements.checksum_before(number) == was.note.before
        && (was.stage != Stage::Finished || semantic_checksum(statements.text(number)) == was.note.own);
    // In one transaction, statements that are done would run again, unless none is.
    let same_mode = step.mode() == SectionMode::Stepwise || (was.stage == Stage::Failed && was.done() == 0);
    if same && same_mode {
        return Ok(());
    }
    Err(ApplyError::TextChanged { was: Box::new(was.clone()), path: step.revision.path.clone() })
}
