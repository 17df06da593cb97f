//! A statement that can't run in a transaction, such as CREATE INDEX CONCURRENTLY: recorded as started, run by itself,
//! verified, recorded as finished.

use super::execution::StepwiseExecution;
use super::invalid_index;
use crate::apply::error::ApplyError;
use crate::apply::retries::LockRetries;
use crate::apply::segments::SegmentedMessage;
use crate::apply::step_message::bookkeeping_message;
use crate::host::Event;
use crate::ledger::{ReadError, UnfinishedRevision, same_tables};
use crate::ledger::{Stage, StatementNote};
use crate::revision::checksum::semantic_checksum;
use crate::revision::statement::kind::NonTransactional;
use crate::revision::{Id, join_ids};
use crate::session::Failure;
use crate::sql;
use crate::sql::{EscapeString, Message, ServerTimeout, Sql};
use crate::words::version;

impl StepwiseExecution<'_, '_> {
    /// Runs a statement by itself, unless the earlier run that `resumed` describes did it.
    pub(super) async fn run_non_transactional(
        &mut self,
        number: usize,
        kind: &NonTransactional,
        resumed: Option<&UnfinishedRevision>,
    ) -> Result<(), ApplyError> {
        let (id, executor) = (self.session.id(), self.executor());
        // The earlier run can only have done the statement that it started.
        let resumed = resumed.filter(|was| was.note.own == semantic_checksum(self.text(number)));
        let mut retries = LockRetries::new(&executor.host, executor.config.retry_for);
        let mut indexes_before = resumed.map(|was| was.note.indexes.clone());
        let mut may_be_done = resumed.is_some();
        if may_be_done && self.was_done(kind, indexes_before.as_deref().unwrap_or_default()).await? {
            executor.host.notify(&Event::StatementAlreadyDone { revision: id, statement: number + 1 });
            return self.record_finished(number, indexes_before.unwrap_or_default()).await;
        }
        loop {
            let found = invalid_index::drop_invalid_indexes(&self.session, kind, indexes_before.as_deref(), false).await?;
            let indexes = indexes_before.get_or_insert_with(|| found.iter().map(|index| index.oid).collect()).clone();
            let note = self.note(number, indexes.clone());
            let mut start = self.session_settings(number, kind, &note);
            start.extend(self.record(Stage::Started, number, &note, None));
            let answers = self.run_bookkeeping(start).await?;
            let pid = self.remember(&answers);
            if pid != self.session.pid {
                return Err(ApplyError::TransactionPooler(id.clone()));
            }
            let mut sent = SegmentedMessage::bare(self.statements.user_statement(number));
            let message = sent.take_message();
            let failure = match self.session.supervise(self.session.backend(), executor.session.run(&message)).await {
                Ok(_) => {
                    self.verify_tables(number, kind, &note).await?;
                    let after = invalid_index::indexes_in_scope(&self.session, kind).await?;
                    if let Some(index) = invalid_index::first_invalid(kind, &after, &indexes) {
                        return Err(ApplyError::Invalid { revision: id.clone(), index });
                    }
                    return self.record_finished(number, indexes).await;
                }
                Err(failure) => failure,
            };
            if failure.is_lost() || failure.source.as_db_error().is_none() {
                return Err(executor.diagnose(&sent, self.session.step, failure, number).await);
            }
            self.deallocate_prepared().await;
            if may_be_done && means_already_done(self.text(number), &failure) {
                executor.host.notify(&Event::StatementAlreadyDone { revision: id, statement: number + 1 });
                return self.record_finished(number, indexes).await;
            }
            may_be_done = false;
            // Dropped at once, so that no INVALID index remains after a failure.
            invalid_index::drop_invalid_indexes(&self.session, kind, Some(&indexes), true).await?;
            if !failure.is_retried() || !retries.has_time_left() {
                return Err(self.record_failed(&sent, number, note, failure).await);
            }
            let detail = crate::words::chain(&failure.source);
            let answers = self.run_bookkeeping(self.record(Stage::Failed, number, &note, Some(&detail))).await?;
            self.remember(&answers);
            let happened = format!("its statement {} was undone", number + 1);
            retries.wait(id, &happened, &failure, &executor.monitor, self.text(number)).await;
        }
    }

    /// Verifies that a statement, which had a transaction of its own and so can't be rolled back, left pgmarch's tables
    /// unchanged. If it can run code of users, a change is attributed to it; otherwise another tool has moved the version table
    /// in the meantime.
    async fn verify_tables(&mut self, number: usize, kind: &NonTransactional, note: &StatementNote) -> Result<(), ApplyError> {
        let (executor, step) = (self.executor(), self.session.step);
        let ledger = &executor.ledger;
        let (detail, runs_code) = match ledger.read_tables(executor.session).await {
            Ok((rows, tables)) => {
                let expected: Vec<&str> = step.before.iter().map(Id::as_str).collect();
                // `VACUUM FULL` writes all of them to new files, so of the tables only their identities count.
                if rows == expected && self.tables.as_ref().is_none_or(|before| same_tables(before, &tables)) {
                    return Ok(());
                }
                let detail = format!("expected version {}, found {}", join_ids(&step.before), version(&rows));
                (detail, matches!(kind, NonTransactional::Other))
            }
            Err(ReadError::Server(failure)) if failure.is_lost() => return Err(ApplyError::Lost(self.session.id().clone(), failure)),
            Err(error) => (crate::words::chain(&error), true),
        };
        if !runs_code {
            return Ok(());
        }
        // Recorded as done: after the tables are restored, the next run continues with the statement after it.
        let record = ledger.record_statement(self.session.id(), executor.direction, Stage::Finished, number + 1, note, None);
        let mut sent = bookkeeping_message(executor.config, vec![record]);
        if let Err(failure) = executor.session.ask(&sent.take_message()).await {
            let cause = crate::words::chain(&failure.source);
            executor.host.notify(&Event::NotInJournal { statement: Some(number + 1), cause: &cause });
        }
        Err(ApplyError::OwnTables(Box::new(executor.own_tables_changed(step, detail, Some((number + 1, false))))))
    }

    /// Settings that the statement runs under: the `application_name` by which later runs find its backend, whatever the
    /// revision has set or reset; and a `lock_timeout`, unless the revision set one. For a concurrent statement that is 0, as a
    /// timeout would leave an INVALID index.
    fn session_settings(&self, number: usize, kind: &NonTransactional, note: &StatementNote) -> Vec<Sql> {
        let is_set = self.statements.is_lock_timeout_set_before(number);
        let timeout = if kind.is_concurrent() { ServerTimeout::OFF } else { self.executor().config.lock_timeout };
        let timeout = (!is_set).then(|| sql!("SET SESSION lock_timeout = {timeout}", timeout = timeout));
        let name = sql!("SET SESSION application_name = {name}", name = EscapeString(&note.application));
        [name].into_iter().chain(timeout).collect()
    }

    /// Whether a statement, whose backend is gone, was done.
    async fn was_done(&self, kind: &NonTransactional, indexes_before: &[u32]) -> Result<bool, ApplyError> {
        match kind {
            NonTransactional::CreateIndexConcurrently { .. } => {
                let indexes = invalid_index::indexes_in_scope(&self.session, kind).await?;
                Ok(invalid_index::is_built(kind, &indexes, indexes_before))
            }
            NonTransactional::DetachPartition { table, partition } => self.was_detached(table, partition).await,
            NonTransactional::Reindex { .. } | NonTransactional::DropIndexConcurrently | NonTransactional::Other => Ok(false),
        }
    }

    /// Whether a partition is detached. A pending detachment is finished first.
    async fn was_detached(&self, table: &str, partition: &str) -> Result<bool, ApplyError> {
        let save_oids = [invalid_index::save_oid("partition", partition), invalid_index::save_oid("table", table)];
        let state = sql!(
            "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = {partition} AND inhparent = {table}",
            partition = invalid_index::saved_oid("partition"),
            table = invalid_index::saved_oid("table")
        );
        let answers = self.session.ask(&Message::preceded_by(save_oids, [state])).await?;
        match answers.first().and_then(|rows| rows.first()) {
            None => Ok(true),
            Some(row) if row.first().is_some_and(|pending| pending.as_deref() == Some("t")) => {
                self.executor().host.notify(&Event::DetachmentFinished { partition });
                // Both names as written in the file.
                let (table, partition) = (Sql::from_file(table), Sql::from_file(partition));
                let finish = sql!("ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE", table = table, partition = partition);
                self.session.run_statement(finish).await?;
                Ok(true)
            }
            Some(_) => Ok(false),
        }
    }
}

/// `CREATE` of an object that exists, or `DROP` of one that doesn't: an earlier attempt, whose answer was lost, has done it.
fn means_already_done(sql: &str, failure: &Failure) -> bool {
    let verb = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let code = failure.code().map(|code| code.code().to_owned()).unwrap_or_default();
    match verb.as_str() {
        // duplicate_database, duplicate_object, duplicate_table (also for an index)
        "CREATE" => ["42P04", "42710", "42P07"].contains(&code.as_str()),
        // invalid_catalog_name, undefined_object, undefined_table
        "DROP" => ["3D000", "42704", "42P01"].contains(&code.as_str()),
        _ => false,
    }
}
