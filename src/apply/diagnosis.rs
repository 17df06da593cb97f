//! Diagnosis of a failure: what caused it, its position in the text, and what to do.

use tokio_postgres::error::{DbError, SqlState};

use super::advice::{FailedStatement, unrepresentable};
use super::error::{ApplyError, OwnTablesChanged};
use super::executor::Executor;
use super::segments::{ErrorLocation, SegmentedMessage};
use super::sql_failure::SqlFailure;
use crate::config::Transaction;
use crate::facts::Blocker;
use crate::ledger::{ReadError, is_fence_failure, is_trust_failure, is_verify_failure};
use crate::plan::Step;
use crate::revision::SectionMode;
use crate::revision::statement::session_setting::sets_read_only;
use crate::revision::statement::split;
use crate::session::{Failure, FailureCause};

impl Executor<'_> {
    /// Diagnoses a failure: its cause, its position, what to do. The `kept` statements before it are done. The transaction is
    /// ended afterwards.
    pub(super) async fn diagnose(&self, script: &SegmentedMessage, step: &Step<'_>, failure: Failure, kept: usize) -> ApplyError {
        let revision = &step.revision.id;
        let lost = |failure| ApplyError::Lost(revision.clone(), failure);
        let is_timeout = failure.meaning() == Some(FailureCause::Interrupted);
        if failure.is_lost() && !is_timeout {
            // The connection is unusable, whatever the monitor or a deadline reported about it.
            self.session.terminate();
            return lost(failure);
        }
        if failure.is_unreplicated() {
            return ApplyError::Unreplicated(revision.clone(), failure);
        }
        if failure.is_lost() {
            // The server ended the transaction and said why, but also the session.
            self.session.terminate();
        }
        let is_alive = self.roll_back().await;
        let Some(error) = failure.source.as_db_error().cloned() else { return ApplyError::Broken(revision.clone(), failure) };
        let part = script.locate(&failure);
        if part == ErrorLocation::Check && (is_verify_failure(&failure) || is_gone(error.code())) {
            return self.diagnose_changed_tables(step, failure, kept).await;
        }
        // Another run without the run lock created it first. Any other object of that name does not go away by itself.
        let is_race = part == ErrorLocation::Before
            && made_by_another(error.code())
            && self.ledger.was_installed_meanwhile(self.session).await.unwrap_or(false);
        // An error that a revision raises itself is the revision's failure, whatever its SQLSTATE.
        let is_ours = matches!(part, ErrorLocation::Before | ErrorLocation::Check | ErrorLocation::After);
        if is_ours && (is_fence_failure(&failure) || is_trust_failure(&failure)) || is_race {
            return ApplyError::Moved(failure);
        }
        let start = step.section.range.start;
        let section = start..start + step.sql().len();
        let unrepresentable = unrepresentable(&error, &step.revision.text, section).filter(|_| is_ours);
        let blockers = self.monitor.blockers_of(&failure, &if is_ours { self.own_tables() } else { step.sql().to_owned() }).await;
        let range = match part {
            _ if unrepresentable.is_some() => None,
            ErrorLocation::After | ErrorLocation::Check if error.code().code() == "25006" && read_only_statement(step.sql()).is_some() => {
                read_only_statement(step.sql())
            }
            ErrorLocation::Before | ErrorLocation::Check | ErrorLocation::After => {
                let advice = self.bookkeeping_advice(&failure, &error, step, &blockers).await;
                return ApplyError::Bookkeeping { revision: revision.clone(), blockers, advice, source: failure };
            }
            ErrorLocation::Commit => None,
            ErrorLocation::Character(offset) => {
                let sql = step.sql();
                let start = sql.char_indices().nth(offset).map_or(sql.len(), |(byte, _)| byte);
                Some(word(sql, start))
            }
            ErrorLocation::Statement(number) => split(step.sql()).statements.get(number).map(|statement| statement.range.clone()),
        };
        let (statement, end) = failed_statement(step.sql(), range.as_ref());
        let failed = FailedStatement { failure: &failure, error: &error, step, statement, text: &step.sql()[..end], blockers: &blockers };
        let advice = match range.as_ref().filter(|_| is_ours) {
            Some(_) => Some(format!(
                "remove this statement from {}: pgmarch records the revision in the same transaction, which can't be read-only",
                step.revision.path.display()
            )),
            None => self.advise(&failed).await,
        };
        let range = range.map(|range| range.start + start..range.end + start).or(unrepresentable);
        if is_alive && step.mode() == SectionMode::Transaction {
            self.record_failure(revision, &format!("{}: {}", error.code().code(), error.message())).await;
        }
        ApplyError::Revision(Box::new(SqlFailure {
            revision: revision.clone(),
            direction: self.direction,
            path: step.revision.path.clone(),
            text: step.revision.text.clone(),
            range,
            error,
            blockers,
            advice,
            kept,
            mode: step.mode(),
        }))
    }

    /// After a revision the version rows or pgmarch's tables were not as expected, and the revision was rolled back. If they are
    /// now as they were before, the revision changed them; otherwise another tool moved the version table in the meantime.
    pub(super) async fn diagnose_changed_tables(&self, step: &Step<'_>, failure: Failure, kept: usize) -> ApplyError {
        let is_whole = self.config.transaction == Transaction::Revision;
        let rows = if is_whole { &step.before } else { &self.first };
        let is_unchanged = match self.ledger.is_unchanged(self.session, rows, is_whole.then_some(&failure)).await {
            Ok(is_unchanged) => is_unchanged,
            Err(ReadError::Server(cause)) if cause.is_lost() => return ApplyError::Lost(step.revision.id.clone(), cause),
            // They were created in the transaction that is rolled back.
            Err(_) => !self.ledger.has_version_table || !self.ledger.has_ledger,
        };
        if !is_unchanged {
            return ApplyError::Moved(failure);
        }
        let detail = failure.source.as_db_error().map(|error| crate::ledger::changed_detail(error.message())).unwrap_or_default();
        let statement = (step.mode() == SectionMode::Stepwise).then_some((kept + 1, true));
        let changed = self.own_tables_changed(step, detail, statement);
        if step.mode() == SectionMode::Transaction {
            self.record_failure(&step.revision.id, &changed.to_string()).await;
        }
        ApplyError::OwnTables(Box::new(changed))
    }

    /// The names of pgmarch's tables, as a text to find them in.
    pub(super) fn own_tables(&self) -> String {
        format!("{} journal revision", self.ledger.version_table)
    }

    pub(super) fn own_tables_changed(&self, step: &Step<'_>, detail: String, statement: Option<(usize, bool)>) -> OwnTablesChanged {
        OwnTablesChanged {
            revision: step.revision.id.clone(),
            path: step.revision.path.clone(),
            version_table: self.ledger.version_table.plain(),
            deferred: Vec::new(),
            detail,
            statement,
            before: if step.before.is_empty() {
                "base".to_owned()
            } else {
                step.before.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            },
        }
    }

    /// What to do about an error in pgmarch's own statements.
    pub(super) async fn bookkeeping_advice(&self, failure: &Failure, error: &DbError, step: &Step<'_>, blockers: &[Blocker]) -> String {
        let (ledger, version, role) = (&self.ledger.schema, &self.ledger.version_table, &self.server.role);
        if made_by_another(error.code()) {
            return format!(
                "an object of another owner or kind has the name of one that pgmarch creates: rename or drop it, or set PGMARCH_VERSION_TABLE=SCHEMA.NAME (now {version}) or PGMARCH_LEDGER_SCHEMA (now {ledger})"
            );
        }
        if *error.code() != SqlState::INSUFFICIENT_PRIVILEGE {
            let failed = FailedStatement { failure, error, step, statement: "", text: "", blockers };
            let advice = match FailureCause::of(error.code()) {
                FailureCause::Statement | FailureCause::Data => None,
                FailureCause::Lock | FailureCause::Resource | FailureCause::Interrupted | FailureCause::Privilege => {
                    self.advise(&failed).await
                }
            };
            return match advice {
                Some(advice) => format!("{advice}; then run again: nothing of revision {} was changed", step.revision.id),
                None => "the message says what is in the way; `pgmarch status` shows where the database is".to_owned(),
            };
        }
        if self.ledger.has_ledger && self.ledger.has_version_table {
            return format!(
                "as a superuser, or as their owner, run GRANT USAGE ON SCHEMA {}, {ledger} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON {version}, {ledger}.revision, {ledger}.journal TO {role}; or set PGMARCH_ROLE to the owner",
                version.schema
            );
        }
        format!(
            "as a superuser, or as the owner of both, run GRANT CREATE ON DATABASE {} TO {role}; GRANT CREATE ON SCHEMA {} TO {role} (the first for schema {ledger}, the second for the version table); \
             or set PGMARCH_LEDGER_SCHEMA and PGMARCH_VERSION_TABLE=SCHEMA.NAME to places it may use, or PGMARCH_ROLE",
            self.server.database, version.schema
        )
    }
}

/// The statement of a section that makes its transaction read-only.
fn read_only_statement(sql: &str) -> Option<std::ops::Range<usize>> {
    let statements = split(sql).statements;
    statements.into_iter().rev().map(|statement| statement.range).find(|range| sets_read_only(&sql[range.clone()]))
}

/// The statement that failed, and the byte where it ends; the whole section if it is not known.
fn failed_statement<'s>(sql: &'s str, range: Option<&std::ops::Range<usize>>) -> (&'s str, usize) {
    let statements = split(sql).statements;
    let found = range.and_then(|range| statements.into_iter().rev().find(|statement| statement.range.start <= range.start));
    found.map_or((sql, sql.len()), |statement| (&sql[statement.range.clone()], statement.range.end))
}

/// The table or schema that this run was about to create exists now: another runner without the run lock created it first.
fn made_by_another(code: &SqlState) -> bool {
    [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_SCHEMA, SqlState::DUPLICATE_OBJECT].contains(code)
}

/// A table of pgmarch's, its schema or one of its columns does not exist.
fn is_gone(code: &SqlState) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_COLUMN].contains(code)
}

/// The word at `start`, for underlining: up to the next white space or punctuation, at least one character.
fn word(sql: &str, start: usize) -> std::ops::Range<usize> {
    let rest = &sql[start..];
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start..start + length.max(one)
}
