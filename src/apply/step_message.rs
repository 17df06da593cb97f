//! One step, or one statement of it, as one simple-query message: settings, fence, text, ledger.

use std::time::Duration;

use super::segments::{SegmentKind, SegmentedMessage, UserStatement};
use super::session_context::{
    SessionContext, SettingScope, bookkeeping_settings, session_settings_for_text, statement_timeout, step_settings,
};
use crate::config::Config;
use crate::ledger::{Backend, Ledger, Server, StatementCache, parse_numeric, set_role};
use crate::plan::{Step, VersionRows};
use crate::revision::Direction;
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::statement::session_setting::leading_isolation_level;
use crate::session::StatementResult;
use crate::sql;
use crate::sql::{Flush, Literal, NO_STATEMENT_TIMEOUT, Sql, begin, commit, discard, safe_settings};

/// How a step is run.
#[derive(Debug)]
pub(super) struct StepOptions<'h> {
    /// Up or down.
    pub(super) direction: Direction,
    /// Its own COMMIT; `None` in the middle of a longer transaction.
    pub(super) commit: Option<Flush>,
    /// The server, and the settings of the session before the run.
    pub(super) server: &'h Server,
    pub(super) backend: &'h Backend,
    /// The digest of all applied files, for the last journal line of the run.
    pub(super) digest: Option<&'h AppliedDigest>,
    /// The statements that the session has prepared.
    pub(super) statement_cache: &'h StatementCache,
}

/// Runs deferred constraints and triggers now, under the settings of the revision that deferred them, and not at COMMIT, where
/// they could run after the check.
const DEFERRED: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// A step: a transaction of its own, or part of a longer one.
pub(super) fn step_message(
    step: &Step<'_>,
    options: &StepOptions<'_>,
    ledger: &Ledger,
    config: &Config,
    context: &SessionContext<'_>,
) -> SegmentedMessage {
    let mut message = if options.commit.is_some() { SegmentedMessage::begin_for(step.sql()) } else { SegmentedMessage::default() };
    let settings = step_settings(config, context, SettingScope::Transaction);
    message.push_before(safe_settings());
    message.push_before([settings.clone()]);
    message.push_before([Sql::of(NO_STATEMENT_TIMEOUT)]);
    message.push_before(set_role(config));
    message.push_before(ledger.install());
    message.push_before(ledger.fence_transaction(&step.before, &step.after, options.direction, options.statement_cache));
    message.push_before(ledger.remember_tables(options.statement_cache));
    message.push_before([statement_timeout(config)]);
    message.push_before(session_settings_for_text(config, options.server, options.backend));
    message.push_section(&step.text(), &settings);
    let deferred =
        // In a transaction of several revisions: what this one has deferred runs now, and the next one finds each constraint as
        // it was declared. SET CONSTRAINTS ALL would also set those that later revisions create. Runs under the revision's own
        // search path.
        if options.commit.is_some() { Sql::of(DEFERRED) } else { sql!("DO {block}", block = Literal(include_str!("deferred.sql"))) };
    message.push(SegmentKind::Deferred, &deferred, 1);
    push_check(&mut message, &step.after, ledger, config, options.statement_cache);
    message.push_after(ledger.record_step(step, options.direction, options.backend, options.digest, options.statement_cache));
    // After the record, as its own sequence is among what is discarded.
    let discarded = discard(options.backend.discard());
    message.trailing_statements = discarded.len();
    message.push_after(discarded);
    if let Some(flush) = options.commit {
        push_commit(&mut message, flush);
    }
    message
}

/// The end of a transaction of several steps, after which the version rows are `rows`.
pub(super) fn closing_message(
    rows: &VersionRows,
    server: &Server,
    backend: &Backend,
    ledger: &Ledger,
    config: &Config,
) -> SegmentedMessage {
    let mut message = SegmentedMessage::default();
    let statement_cache = StatementCache::default();
    message.push_before(ledger.remember_tables(&statement_cache));
    message.push_before(session_settings_for_text(config, server, backend));
    message.push(SegmentKind::Deferred, &Sql::of(DEFERRED), 1);
    push_check(&mut message, rows, ledger, config, &statement_cache);
    push_commit(&mut message, Flush::Now);
    message
}

/// One statement in a transaction with its `record`, which runs under `settings`.
pub(super) fn push_statement(
    message: &mut SegmentedMessage,
    before: Vec<Sql>,
    statement: UserStatement<'_>,
    settings: Vec<Sql>,
    record: &[Sql],
    flush: Flush,
) {
    message.push(SegmentKind::Before, &begin(leading_isolation_level(statement.sql)), 1);
    message.push_before(before);
    message.push(statement.kind(), &Sql::from_file(statement.sql), 1);
    message.push(SegmentKind::Deferred, &Sql::of(DEFERRED), 1);
    message.push_after(settings);
    // A plan that was made while the journal was small serves all statements.
    message.push_after([Sql::of("SET LOCAL enable_seqscan TO off")]);
    record.iter().for_each(|statement| message.push(SegmentKind::Check, statement, 1));
    message.trailing_statements = 0;
    push_commit(message, flush);
}

/// Bookkeeping in a transaction of its own.
pub(super) fn bookkeeping_message(config: &Config, statements: Vec<Sql>) -> SegmentedMessage {
    let mut message = SegmentedMessage::begin();
    message.push_before(bookkeeping_settings(config));
    message.push_before(statements);
    push_commit(&mut message, Flush::Now);
    message
}

/// Restores pgmarch's own role, checks that the version rows are at `rows` and that the ledger is unchanged, and then restores
/// all settings. `RESET ALL` comes after the check, which needs a value that is kept in a setting.
fn push_check(message: &mut SegmentedMessage, rows: &VersionRows, ledger: &Ledger, config: &Config, statement_cache: &StatementCache) {
    message.push_after(["RESET SESSION AUTHORIZATION", "RESET ROLE", NO_STATEMENT_TIMEOUT].map(Sql::of));
    message.push_after(set_role(config));
    message.push_after(safe_settings());
    ledger.verify_unchanged(rows, statement_cache).iter().for_each(|statement| message.push(SegmentKind::Check, statement, 1));
    message.push_after(["RESET ALL", NO_STATEMENT_TIMEOUT].map(Sql::of));
    message.push_after(safe_settings());
}

fn push_commit(message: &mut SegmentedMessage, flush: Flush) {
    let [setting, end] = commit(flush);
    message.push_after([setting]);
    message.push(SegmentKind::Commit, &end, 1);
    message.trailing_statements += 2;
}

/// The duration of a step, from the rows of its message that are kept: the value in the journal.
pub(super) fn step_duration(answers: &[StatementResult]) -> Duration {
    let value = answers.last().and_then(|answer| answer.first()).and_then(|row| row.first());
    let seconds = value.and_then(|value| parse_numeric(value.as_deref()?));
    Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default()
}
