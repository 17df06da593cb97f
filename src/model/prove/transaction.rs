//! One transaction of the proof itself in a scratch database: rows that it inserts, removes and reads.

use super::scratch::{Scratch, ScratchError};
use super::scratch_refusal::ScratchRefusal;
use crate::revision::statement::split;
use crate::session::StatementResult;
use crate::sql;
use crate::sql::{Message, Sql};

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransactionEnd {
    /// What it did stays.
    Commit,
    /// What it did is undone: it only read.
    Rollback,
}

impl Scratch {
    /// Runs statements in one transaction, as the role and under the search path of the revisions; the rows of each statement.
    pub(super) async fn transaction(
        &self,
        statements: &[String],
        end: TransactionEnd,
    ) -> Result<Result<Vec<StatementResult>, ScratchRefusal>, ScratchError> {
        let opening = self.opening();
        let before = split(&opening.text()).statements.len();
        let own = Sql::from_catalog(statements.join(";\n"));
        let end = Sql::of(if end == TransactionEnd::Commit { "COMMIT" } else { "ROLLBACK" });
        match self.session.run(&Message::verbatim(sql!("{opening}{own};\n{end}", opening = opening, own = own, end = end))).await {
            Ok(answers) => Ok(Ok(answers.into_iter().skip(before).take(statements.len()).collect())),
            Err(failure) => {
                let number = failure.completed.saturating_sub(before);
                self.control("ROLLBACK").await?;
                Ok(Err(ScratchRefusal::of(failure, number)?))
            }
        }
    }
}
