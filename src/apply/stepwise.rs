//! A `transaction:false` revision, statement by statement. One that may share a transaction is committed together with
//! the journal's note that it is done. One that has to be alone is announced in the journal first and noted after; a run
//! that finds it announced makes sure that the backend is gone before it looks at what became of it.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::bookkeeping::write;
use super::error::{ApplyError, Done};
use super::executor::Run;
use super::invalid_index;
use super::monitor::Target;
use super::pooler::{BACKEND, value};
use super::retries::Tries;
use super::script::{Extent, Own, Script, duration, settings};
use super::step_session::StepSession;
use crate::connect::{Answer, Failure, application_name};
use crate::ledger::progress::{Stage, StatementNote, returning_duration};
use crate::ledger::{ReadError, UnfinishedRevision, same_tables};
use crate::plan::Step;
use crate::revision::statement::kind::{NonTransactional, StatementKind, classify, sets_lock_timeout};
use crate::revision::statement::{semantic_checksum, split};
use crate::revision::{Id, SectionMode, Statement, join_ids};
use crate::sql;
use crate::sql::{EscapeString, Message, Sql, deallocate, discard};
use crate::words::{seconds, version};

/// Whether a step has statements that need a session of their own: with settings that last from one message to the next.
pub(super) fn needs_session(step: &Step<'_>) -> bool {
    let sql = step.sql();
    let lasting = |statement: &Statement| classify(&sql[statement.range.clone()]) != StatementKind::Transactional;
    step.mode() == SectionMode::Stepwise && split(sql).statements.iter().any(lasting)
}

/// Refuses to go on behind statements that were something else when they were run.
pub(super) fn check_text(step: &Step<'_>, was: &UnfinishedRevision) -> Result<(), ApplyError> {
    let sql = step.sql();
    let statements = split(sql).statements;
    let same = match statements.get(was.statement.wrapping_sub(1)) {
        Some(statement) if was.stage == Stage::Finished => {
            before(sql, &statements, was.statement - 1) == was.note.before
                && semantic_checksum(&sql[statement.range.clone()]) == was.note.own
        }
        Some(_) => before(sql, &statements, was.statement - 1) == was.note.before,
        None => false,
    };
    // As a whole in one transaction it would be done twice, unless nothing of it was done.
    let same_mode = step.mode() == SectionMode::Stepwise || (was.stage == Stage::Failed && was.done() == 0);
    if same && same_mode {
        return Ok(());
    }
    Err(ApplyError::Rewritten { was: Box::new(was.clone()), path: step.revision.path.clone() })
}

/// The semantic checksum of the first `count` statements.
pub(super) fn before(sql: &str, statements: &[Statement], count: usize) -> String {
    let texts: Vec<&str> = statements[..count].iter().map(|statement| &sql[statement.range.clone()]).collect();
    semantic_checksum(&texts.join(";\n"))
}

/// One step on its way.
pub(super) struct Stepwise<'s, 'r> {
    session: StepSession<'s, 'r>,
    statements: Vec<Statement>,
    /// The last journal row about one of its statements: nobody else may have written one since.
    event: Option<i64>,
    /// What our tables were like when the last row was written, and when that was: a statement must leave them so.
    tables: Option<String>,
    noted_at: Option<String>,
    tries: Tries,
}

impl Run<'_> {
    /// One step, statement by statement, from the first that is not done.
    pub(super) async fn stepwise(&self, step: &Step<'_>) -> Result<Done, ApplyError> {
        let id = &step.revision.id;
        let was = self.unfinished.iter().find(|was| was.revision == id.as_str() && was.direction == self.direction);
        let mut one = Stepwise {
            session: StepSession { run: self, step, pid: None },
            statements: split(step.sql()).statements,
            event: was.map(|was| was.event),
            tables: None,
            noted_at: None,
            tries: Tries::new(self.config.retry_for),
        };
        one.install().await?;
        let mut next = 0;
        if let Some(was) = was {
            check_text(step, was)?;
            next = was.done();
            info!(revision = %id, "{was}; going on with statement {}", (next + 1).min(one.statements.len()));
            if was.stage == Stage::Started {
                one.session.await_earlier(was).await?;
            }
        }
        if needs_session(step) {
            one.prepare(next).await?;
        }
        for number in next..one.statements.len() {
            self.go_on().await;
            let resumed = was.filter(|was| was.stage == Stage::Started && was.statement == number + 1);
            one.statement(number, resumed).await?;
        }
        self.go_on().await;
        let duration = one.finish().await?;
        let resets = ["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"].map(Sql::of);
        one.session.ask(&Message::behind(resets, discard(self.server.backend.discard()))).await?;
        Ok(Done { id: id.clone(), duration })
    }
}

impl<'s> Stepwise<'s, '_> {
    fn text(&self, number: usize) -> &'s str {
        &self.session.step.sql()[self.statements[number].range.clone()]
    }

    fn own(&self, number: usize) -> Own<'s> {
        let start = self.statements[number].range.start;
        Own { sql: self.text(number), character: self.session.step.sql()[..start].chars().count(), statement: number }
    }

    /// A transaction of ours about this revision; again, while it only meets other sessions' locks.
    async fn keep(&mut self, statements: Vec<Sql>) -> Result<Vec<Answer>, ApplyError> {
        loop {
            let marks = self.session.run.marks(self.session.id());
            let mark = (!marks.has_defaults).then(|| sql!("SELECT {mark}", mark = marks.sql()));
            let mut script = Script::bookkeeping(self.session.run.config, mark.into_iter().chain(statements.clone()).collect());
            let message = script.message();
            match self
                .session
                .run
                .watch
                .over(
                    self.session.id().as_str(),
                    self.session.run.target(),
                    write(self.session.run.session, self.session.run.config, &message),
                )
                .await
            {
                Ok(answers) => return Ok(answers),
                Err(failure) if failure.met_a_lock() && self.tries.left() => {
                    self.session.run.roll_back().await;
                    self.tries.pause(self.session.id().clone(), "its note was rolled back", &failure, &self.session.run.watch).await;
                }
                Err(failure) => return Err(self.session.run.explain(&script, self.session.step, failure, 0).await),
            }
        }
    }

    /// The tables that progress is noted in, if they are missing.
    async fn install(&mut self) -> Result<(), ApplyError> {
        let missing = self.session.run.ledger.install();
        if !missing.is_empty() {
            self.keep(missing).await?;
        }
        match self.session.run.ledger.read_tables(self.session.run.session).await {
            Ok((_, tables)) => self.tables = Some(tables),
            Err(ReadError::Server(failure)) => return Err(self.session.refused(failure).await),
            Err(error) => debug!(error = %crate::words::chain(&error), "what the tables are like is not known"),
        }
        Ok(())
    }

    /// Puts the session into the state in which the revision has it before statement `next`.
    async fn prepare(&mut self, next: usize) -> Result<(), ApplyError> {
        let config = self.session.run.config;
        let settings = [
            settings(config, &self.session.run.marks(self.session.id()), Extent::Session),
            Sql::of("SET default_transaction_isolation TO 'read committed'"),
            Sql::of("SET default_transaction_read_only TO off"),
        ];
        let role = config.role.as_ref().map(|role| sql!("SET ROLE {role}", role = *role));
        let path = config.search_path.as_ref().map(|path| sql!("SET search_path TO {path}", path = *path));
        self.session.ask(&Message::as_it_is(Sql::join(settings.into_iter().chain(role).chain(path), ";\n"))).await?;
        self.session.pid = value(self.session.ask(&Message::of(Sql::of(BACKEND))).await?).and_then(|pid| pid.parse().ok());
        for number in 0..next {
            if classify(self.text(number)) == StatementKind::Setting {
                self.session.ask(&Message::as_it_is(Sql::from_file(self.text(number)))).await?;
            }
        }
        Ok(())
    }

    fn note(&self, number: usize, indexes: Vec<u32>) -> StatementNote {
        StatementNote {
            before: before(self.session.step.sql(), &self.statements, number),
            own: semantic_checksum(self.text(number)),
            application: application_name(Some(self.session.id().as_str())),
            indexes,
        }
    }

    fn noted(&self, stage: Stage, number: usize, note: &StatementNote, detail: Option<&str>) -> Vec<Sql> {
        let (ledger, direction) = (&self.session.run.ledger, self.session.run.direction);
        let turn = ledger.fence_statement(&self.session.step.before, self.session.id(), self.event);
        let noted = ledger.record_statement(self.session.id(), direction, stage, number + 1, note, detail);
        turn.into_iter().chain([noted, ledger.last_statement_record(self.session.id())]).collect()
    }

    /// Remembers the row that was just written: the last answer before COMMIT. Gives back the backend that wrote it.
    fn remember(&mut self, answers: &[Answer]) -> Option<i32> {
        let row = answers.last().and_then(|rows| rows.first())?;
        let [event, pid, tables, noted_at] = <&[Option<String>; 4]>::try_from(row.as_slice()).ok()?;
        self.event = event.as_deref().and_then(|id| id.parse().ok());
        self.tables.clone_from(tables);
        self.noted_at.clone_from(noted_at);
        pid.as_deref().and_then(|pid| pid.parse().ok())
    }

    async fn statement(&mut self, number: usize, resumed: Option<&UnfinishedRevision>) -> Result<(), ApplyError> {
        let started = Instant::now();
        match classify(self.text(number)) {
            StatementKind::Transactional | StatementKind::Setting => self.shared(number).await?,
            StatementKind::NonTransactional(alone) => self.by_itself(number, &alone, resumed).await?,
        }
        let (id, statement, all) = (self.session.id(), number + 1, self.statements.len());
        info!(revision = %id, statement, seconds = started.elapsed().as_secs_f64(), "{id}: statement {statement} of {all} done in {}", seconds(started.elapsed()));
        Ok(())
    }

    /// A statement and the note that it is done, in one transaction: it happens once or not at all.
    async fn shared(&mut self, number: usize) -> Result<(), ApplyError> {
        let id = self.session.id();
        let marks = self.session.run.marks(id);
        let mut ahead = Vec::new();
        if self.session.pid.is_none() {
            ahead.push(settings(self.session.run.config, &marks, Extent::Transaction));
            ahead.extend(crate::ledger::session_settings(self.session.run.config));
        } else if !marks.has_defaults {
            ahead.push(sql!("SELECT {mark}", mark = marks.sql()));
        }
        let note = self.note(number, Vec::new());
        let mut tries = Tries::new(self.session.run.config.retry_for);
        loop {
            let noted = self.noted(Stage::Finished, number, &note, None);
            let check = vec![self.session.run.ledger.verify_unchanged_since(&self.session.step.before, self.tables.as_deref())];
            let mut script = Script::shared(ahead.clone(), self.own(number), self.session.run.config, check, noted);
            match self.session.run.watch.over(id.as_str(), self.session.run.target(), self.session.run.session.run(&script.message())).await
            {
                Ok(answers) => {
                    self.remember(&answers);
                    return Ok(());
                }
                Err(failure) if failure.met_a_lock() && tries.left() => {
                    self.roll_back().await;
                    tries
                        .pause(id.clone(), &format!("its statement {} was rolled back", number + 1), &failure, &self.session.run.watch)
                        .await;
                }
                Err(failure) => return Err(self.failed(&script, number, note, failure).await),
            }
        }
    }

    /// A statement that has to be alone: announced, run, looked at, noted.
    async fn by_itself(&mut self, number: usize, alone: &NonTransactional, resumed: Option<&UnfinishedRevision>) -> Result<(), ApplyError> {
        let id = self.session.id();
        // Only the very statement that was started can have been done by it.
        let resumed = resumed.filter(|was| was.note.own == semantic_checksum(self.text(number)));
        let mut tries = Tries::new(self.session.run.config.retry_for);
        let mut earlier = resumed.map(|was| was.note.indexes.clone());
        let mut maybe_done = resumed.is_some();
        if maybe_done && self.was_done(alone, earlier.as_deref().unwrap_or_default()).await? {
            info!(revision = %id, "{id}: statement {} was done by the earlier run", number + 1);
            return self.done(number, earlier.unwrap_or_default()).await;
        }
        loop {
            let there = invalid_index::clear(&self.session, alone, earlier.as_deref()).await?;
            let indexes = earlier.get_or_insert_with(|| there.iter().map(|index| index.oid).collect()).clone();
            let note = self.note(number, indexes.clone());
            let mut announcement = self.for_alone(number, alone, &note);
            announcement.extend(self.noted(Stage::Started, number, &note, None));
            let answers = self.keep(announcement).await?;
            let pid = self.remember(&answers);
            if pid != self.session.pid {
                return Err(ApplyError::Pooler(id.clone()));
            }
            let mut script = Script::bare(self.own(number));
            let outcome = self
                .session
                .run
                .watch
                .over(id.as_str(), Target::Backend(self.session.pid()), self.session.run.session.run(&script.message()))
                .await;
            let failure = match outcome {
                Ok(_) => {
                    self.check_alone(number, alone, &note).await?;
                    let after = invalid_index::indexes(&self.session, alone).await?;
                    if let Some(index) = invalid_index::invalid(alone, &after, &indexes) {
                        return Err(ApplyError::Invalid { revision: id.clone(), index });
                    }
                    return self.done(number, indexes).await;
                }
                Err(failure) => failure,
            };
            if failure.is_lost() || failure.source.as_db_error().is_none() {
                return Err(self.session.run.explain(&script, self.session.step, failure, number).await);
            }
            self.deallocate().await;
            if maybe_done && says_done(self.text(number), &failure) {
                info!(revision = %id, "{id}: statement {} was done by the earlier run", number + 1);
                return self.done(number, indexes).await;
            }
            maybe_done = false;
            // What it left goes now, so that no INVALID index stays behind a failure.
            invalid_index::clear(&self.session, alone, Some(&indexes)).await?;
            if !failure.met_a_lock() || !tries.left() {
                return Err(self.failed(&script, number, note, failure).await);
            }
            let detail = crate::words::chain(&failure.source);
            let failed = self.noted(Stage::Failed, number, &note, Some(&detail));
            let answers = self.keep(failed).await?;
            self.remember(&answers);
            tries.pause(id.clone(), &format!("its statement {} was undone", number + 1), &failure, &self.session.run.watch).await;
        }
    }

    /// Whether a statement that had a transaction of its own, which nothing can undo, left our tables as they were. What can run
    /// any code must have; otherwise another tool has moved the version table meanwhile.
    async fn check_alone(&mut self, number: usize, alone: &NonTransactional, note: &StatementNote) -> Result<(), ApplyError> {
        let ledger = &self.session.run.ledger;
        let (detail, runs_code) = match ledger.read_tables(self.session.run.session).await {
            Ok((rows, tables)) => {
                let expected: Vec<&str> = self.session.step.before.iter().map(Id::as_str).collect();
                // `VACUUM FULL` writes all of them to new files, so of the tables only their identities count.
                if rows == expected && self.tables.as_ref().is_none_or(|before| same_tables(before, &tables)) {
                    return Ok(());
                }
                (
                    format!("expected version {}, found {}", join_ids(&self.session.step.before), version(&rows)),
                    matches!(alone, NonTransactional::Other),
                )
            }
            Err(ReadError::Server(failure)) if failure.is_lost() => return Err(ApplyError::Lost(self.session.id().clone(), failure)),
            Err(error) => (crate::words::chain(&error), true),
        };
        if !runs_code {
            return Ok(());
        }
        // It is done, whatever it did to our tables: a run that comes after they are put right goes on behind it.
        let noted = ledger.record_statement(self.session.id(), self.session.run.direction, Stage::Finished, number + 1, note, None);
        let mut script = Script::bookkeeping(self.session.run.config, vec![noted]);
        if let Err(failure) = self.session.run.session.ask(&script.message()).await {
            warn!("statement {} is not in the journal: {}", number + 1, crate::words::chain(&failure.source));
        }
        Err(ApplyError::OwnTables(Box::new(self.session.run.own_tables(self.session.step, detail, Some((number + 1, false))))))
    }

    /// The end of a failed try of a statement: what that prepared would be in the way of the next.
    async fn roll_back(&self) {
        let prepared = self.session.run.server.backend.has_plpgsql.then(|| deallocate(self.noted_at.as_deref()));
        self.session.run.end_transaction(prepared).await;
    }

    async fn deallocate(&self) {
        if !self.session.run.server.backend.has_plpgsql {
            return;
        }
        let outcome = self.session.run.session.ask(&Message::of(deallocate(self.noted_at.as_deref()))).await;
        if let Err(failure) = outcome {
            debug!(error = %crate::words::chain(&failure.source), "prepared statements of the failed try are left");
        }
    }

    async fn done(&mut self, number: usize, indexes: Vec<u32>) -> Result<(), ApplyError> {
        let note = self.note(number, indexes);
        let answers = self.keep(self.noted(Stage::Finished, number, &note, None)).await?;
        self.remember(&answers);
        Ok(())
    }

    /// What a statement that has to be alone is sent under: the name by which its backend is known to later runs, whatever
    /// the revision has set or reset; and our lock timeout, which is none for a concurrent one, where it would leave an
    /// INVALID index, unless the revision set one itself.
    fn for_alone(&self, number: usize, alone: &NonTransactional, note: &StatementNote) -> Vec<Sql> {
        let own = (0..number).any(|earlier| sets_lock_timeout(self.text(earlier)));
        let timeout = if alone.is_concurrent() { Duration::ZERO } else { self.session.run.config.lock_timeout };
        let timeout = (!own).then(|| sql!("SET SESSION lock_timeout = {milliseconds}", milliseconds = timeout.as_millis()));
        let name = sql!("SET SESSION application_name = {name}", name = EscapeString(&note.application));
        [name].into_iter().chain(timeout).collect()
    }

    /// Whether a statement that was started, and whose backend is gone, has happened.
    async fn was_done(&self, alone: &NonTransactional, earlier: &[u32]) -> Result<bool, ApplyError> {
        match alone {
            NonTransactional::CreateIndexConcurrently { .. } => {
                Ok(invalid_index::built(alone, &invalid_index::indexes(&self.session, alone).await?, earlier))
            }
            NonTransactional::DetachPartition { table, partition } => {
                let named = [invalid_index::remember("partition", partition), invalid_index::remember("table", table)];
                let state = sql!(
                    "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = {partition} AND inhparent = {table}",
                    partition = invalid_index::remembered("partition"),
                    table = invalid_index::remembered("table")
                );
                let answers = self.session.ask(&Message::behind(named, [state])).await?;
                match answers.first().and_then(|rows| rows.first()) {
                    None => Ok(true),
                    Some(row) if row.first().is_some_and(|pending| pending.as_deref() == Some("t")) => {
                        info!("finishing the detachment of {partition} that was interrupted");
                        // Both as the file has them.
                        let (table, partition) = (Sql::from_file(table.as_str()), Sql::from_file(partition.as_str()));
                        let finish =
                            sql!("ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE", table = table, partition = partition);
                        self.session.alone(finish, Target::Backend(self.session.pid())).await?;
                        Ok(true)
                    }
                    Some(_) => Ok(false),
                }
            }
            NonTransactional::Reindex { .. } | NonTransactional::DropIndexConcurrently | NonTransactional::Other => Ok(false),
        }
    }

    /// A statement failed for good: noted, if it can be, and explained.
    async fn failed(&mut self, script: &Script, number: usize, note: StatementNote, failure: Failure) -> ApplyError {
        let detail = failure.source.as_db_error().map(|error| format!("{}: {}", error.code().code(), error.message()));
        let error = self.session.run.explain(script, self.session.step, failure, number).await;
        let detail = if let ApplyError::OwnTables(changed) = &error { Some(changed.detail.clone()) } else { detail };
        if matches!(error, ApplyError::Revision(_) | ApplyError::OwnTables(_)) {
            match self.keep(self.noted(Stage::Failed, number, &note, detail.as_deref())).await {
                Ok(answers) => {
                    self.remember(&answers);
                }
                Err(problem) => warn!("the failure is not in the journal: {}", crate::words::chain(&problem)),
            }
        }
        error
    }

    /// All statements are done: the version row moves.
    async fn finish(&mut self) -> Result<Duration, ApplyError> {
        let mut statements = self.session.run.ledger.fence_last_statement(self.session.step, self.session.run.direction, self.event);
        let recorded = self.session.run.ledger.record_statements_done(
            self.session.step,
            self.session.run.direction,
            self.session.run.seal(self.session.step),
        );
        statements.extend(returning_duration(recorded));
        let answers = self.keep(statements).await?;
        Ok(duration(&answers))
    }
}

/// `CREATE` of what exists, or `DROP` of what doesn't: an earlier try, of which no answer came, has done it.
fn says_done(sql: &str, failure: &Failure) -> bool {
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
