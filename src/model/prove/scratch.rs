//! A scratch database: runs revisions, the model and emitted statements, and reads the catalog that they make.

use std::borrow::Cow;
use std::ops::Range;

use pg_connect::ConnectError;
use thiserror::Error;
use tokio_postgres::error::{DbError, ErrorPosition};

use super::dump_failure;
use super::lock_table::LockTable;
use super::scratch_refusal::ScratchRefusal;
use super::source::{Source, SourceError};
use crate::exit::{Exit, Explain};
use crate::facts::FailureFacts;
use crate::model::Catalog;
use crate::model::ignore::Ignore;
use crate::model::read::{CatalogRowError, CatalogRows, Scope};
use crate::revision::statement::kind::affects_whole_server;
use crate::revision::statement::split;
use crate::revision::{Revision, Section, SectionMode};
use crate::session::wait::WaitError;
use crate::session::{Failure, Pool, Session};
use crate::sql;
use crate::sql::{Ident, Message, Sql};

/// Why a scratch database can't be created or used.
#[derive(Debug, Error)]
pub enum ScratchError {
    /// The scratch server can't be reached.
    #[error("the scratch server")]
    Wait(#[source] WaitError),
    /// The role may not create databases.
    #[error("{role} may not create databases on {address}, and the comparison needs two for a moment")]
    NoRight {
        /// The role.
        role: String,
        /// The server.
        address: String,
    },
    /// A statement failed, or the connection was lost.
    #[error("a scratch database")]
    Server(#[from] Failure),
    /// The rows of the catalog can't be read.
    #[error("the server's catalog reads in an unexpected way ({0}); is it PostgreSQL 13 to 18?")]
    Unreadable(CatalogRowError),
    /// Statements of a revision or of the model that fail.
    #[error("{}", .0.iter().map(SourceError::line).collect::<Vec<_>>().join("\n"))]
    Broken(Vec<SourceError>),
}

impl Explain for ScratchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Wait(error) => error.exit(),
            Self::Server(failure) if failure.is_lost() => Exit::Unreachable,
            Self::Broken(broken) if broken.iter().all(SourceError::is_out_of_locks) => Exit::Unreachable,
            Self::Broken(_) => Exit::Unsound,
            Self::NoRight { .. } | Self::Server(_) | Self::Unreadable(_) => Exit::Refused,
        }
    }

    fn facts(&self) -> FailureFacts {
        match self {
            Self::Wait(error) => error.facts(),
            Self::Server(failure) => FailureFacts::of_source(failure),
            Self::Broken(broken) => {
                let first = broken.first().map(SourceError::facts).unwrap_or_default();
                FailureFacts { excerpt: broken.iter().flat_map(|broken| broken.facts().excerpt).collect(), ..first }
            }
            Self::NoRight { .. } | Self::Unreadable(_) => FailureFacts::default(),
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::NoRight { role, .. } => format!(
                "as an administrator run ALTER ROLE {role} CREATEDB; or set PGMARCH_SCRATCH_URL to a server where databases may be made"
            )
            .into(),
            Self::Broken(broken) if broken.iter().all(SourceError::is_out_of_locks) => {
                "set max_locks_per_transaction higher on the scratch server and restart it (PGMARCH_SCRATCH_URL names another server), or let one statement create fewer objects; nothing was written".into()
            }
            Self::Broken(broken) => dump_failure::advice(broken),
            Self::Wait(error @ WaitError::Refused { .. }) => error.next_step(),
            Self::Wait(_) => "check PGMARCH_SCRATCH_URL, or without it the database's own settings".into(),
            Self::Server(_) | Self::Unreadable(_) => "look at the server's log; PGMARCH_SCRATCH_URL names another server".into(),
        }
    }
}

impl ScratchError {
    pub(super) fn settings(error: ConnectError) -> Self {
        Self::Wait(WaitError::Settings(error))
    }
}

/// How many statements of a model run in one transaction: a table takes up to ten locks, and the lock table is shared with all sessions
/// of the server, and has room for 6,400 locks by default.
const PART: usize = 200;

/// A scratch database, to which no other session connects.
#[derive(Debug)]
pub struct Scratch {
    pub(super) session: Session,
    scope: Scope,
    pub(super) name: Ident,
    /// Keeps the connection open.
    _pool: Pool,
}

impl Scratch {
    pub(super) fn new(session: Session, scope: Scope, name: Ident, pool: Pool) -> Self {
        Self { session, scope, name, _pool: pool }
    }

    /// Reads the catalog.
    pub async fn read(&self) -> Result<Catalog, ScratchError> {
        read(&self.session, &self.scope).await
    }

    /// Creates what revisions find in the target database: schemas that they do not create, and the rights of the role of the
    /// settings, which owns neither database, to create objects.
    pub async fn furnish(&self, schemas: &[Ident]) -> Result<(), ScratchError> {
        let mut statements = Vec::new();
        if let Some(role) = &self.scope.role {
            statements.push(sql!("GRANT ALL ON DATABASE {name} TO {role}", name = self.name, role = *role));
            // Before PostgreSQL 15 every role may create objects there.
            if self.scope.server >= 150_000 {
                statements.push(sql!("GRANT ALL ON SCHEMA public TO {role}", role = *role));
            }
        }
        for schema in schemas {
            let owner = self.scope.role.as_ref().map(|role| sql!(" AUTHORIZATION {role}", role = *role)).unwrap_or_default();
            statements.push(sql!("CREATE SCHEMA {schema}{owner}", schema = *schema, owner = owner));
        }
        if !statements.is_empty() {
            self.session.run(&Message::verbatim(Sql::join(statements, ";\n"))).await?;
        }
        Ok(())
    }

    /// Runs a section of a revision as an upgrade does, without version table and ledger.
    pub async fn run_section(&self, revision: &Revision, section: &Section) -> Result<(), ScratchError> {
        let source = Source {
            what: format!("revision {}", revision.id),
            path: revision.path.clone(),
            text: revision.text.clone(),
            range: section.range.clone(),
        };
        let mut broken = match section.mode {
            SectionMode::Transaction => self.whole(&source).await?,
            SectionMode::Stepwise => self.each(&source, &source.statements()).await?.into_iter().next(),
        };
        if broken.as_ref().is_some_and(SourceError::is_out_of_locks) {
            let before = self.lock_table().await?;
            broken = self.in_parts(&source).await?.into_iter().next();
            if broken.is_none() {
                before.warn(&source.what, &self.lock_table().await?);
            }
        }
        // As in an upgrade, the next revision does not see this one's session state.
        self.control("DISCARD ALL").await?;
        broken.map_or(Ok(()), |broken| Err(ScratchError::Broken(vec![broken])))
    }

    /// Runs the model in transactions of `PART` statements; if one fails, its statements one by one, to find every error.
    pub async fn load(&self, model: &[Source], ignore: Ignore) -> Result<(), ScratchError> {
        let mut broken = Vec::new();
        for source in model {
            broken.extend(dump_failure::relevant(self.in_parts(source).await?, ignore));
        }
        if broken.is_empty() { Ok(()) } else { Err(ScratchError::Broken(broken)) }
    }

    /// Runs a source in one transaction; the statement that failed, if one did.
    async fn whole(&self, source: &Source) -> Result<Option<SourceError>, ScratchError> {
        let opening = self.opening();
        let before = opening.text().chars().count();
        let statements = split(&opening.text()).statements.len();
        let text = Sql::from_file(source.contained(source.range.clone()));
        let shared = &self.scope.shared;
        let (_together, _alone) = match source.statements().len() > PART {
            true => (None, Some(shared.load_alone().await)),
            false => (Some(shared.load_together().await), None),
        };
        let message = sql!("{opening}{text}\n;\nCOMMIT;\nRESET ALL", opening = opening, text = text);
        match self.session.run(&Message::discarding_rows(message, 0)).await {
            Ok(_) => Ok(None),
            Err(failure) => {
                self.control("ROLLBACK").await?;
                self.broken(source, failure, before, statements, None).map(Some)
            }
        }
    }

    /// Runs a source in transactions of [`PART`] statements, as the lock table has no room for all that a large source creates; of a
    /// part that fails, each statement on its own. Every statement that failed.
    async fn in_parts(&self, source: &Source) -> Result<Vec<SourceError>, ScratchError> {
        let mut broken = Vec::new();
        let statements = source.statements();
        self.begin_session().await?;
        for part in statements.chunks(PART) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let text = Sql::from_file(source.contained(first.start..last.end));
            let message = sql!("BEGIN;\n{text}\n;\nCOMMIT", text = text);
            let together = self.scope.shared.load_together().await;
            match self.session.run(&Message::discarding_rows(message, 0)).await {
                Ok(_) => {}
                Err(failure) if failure.source.as_db_error().is_none() => return Err(ScratchError::Server(failure)),
                Err(_) => {
                    self.control("ROLLBACK").await?;
                    drop(together);
                    let _alone = self.scope.shared.load_alone().await;
                    broken.extend(self.each_alone(source, part).await?);
                }
            }
        }
        self.end_session().await?;
        Ok(broken)
    }

    /// Runs each statement of a source on its own; every statement that failed.
    async fn each(&self, source: &Source, statements: &[Range<usize>]) -> Result<Vec<SourceError>, ScratchError> {
        self.begin_session().await?;
        let broken = self.each_alone(source, statements).await?;
        self.end_session().await?;
        Ok(broken)
    }

    async fn each_alone(&self, source: &Source, statements: &[Range<usize>]) -> Result<Vec<SourceError>, ScratchError> {
        let mut broken = Vec::new();
        for range in statements {
            let sql = &source.text[range.clone()];
            if affects_whole_server(sql) {
                continue;
            }
            if let Err(failure) = self.session.run(&Message::discarding_rows(Sql::from_file(sql), 0)).await {
                let own = range.start - source.range.start..range.end - source.range.start;
                broken.push(self.broken(source, failure, 0, 0, Some(own))?);
            }
        }
        Ok(broken)
    }

    /// Sets role and search path until [`Self::end_session`].
    async fn begin_session(&self) -> Result<(), Failure> {
        self.control("RESET ALL").await?;
        self.session.run(&Message::verbatim(self.settings(false))).await.map(drop)
    }

    async fn end_session(&self) -> Result<(), Failure> {
        self.control("RESET SESSION AUTHORIZATION; RESET ROLE").await?;
        self.control("RESET ALL").await
    }

    async fn lock_table(&self) -> Result<LockTable, ScratchError> {
        let answers = self.session.run(&LockTable::query()).await?;
        Ok(LockTable::of(answers))
    }

    /// Sets role and search path.
    fn settings(&self, is_local: bool) -> Sql {
        let local = Sql::of(if is_local { "LOCAL " } else { "" });
        let role = self.scope.role.as_ref().map(|role| sql!("SET {local}ROLE {role};\n", local = local, role = *role));
        sql!("{role}{path};\n", role = role.unwrap_or_default(), path = self.scope.search_path.set(is_local))
    }

    /// Begins a transaction with role and search path.
    pub(super) fn opening(&self) -> Sql {
        sql!("BEGIN;\n{settings}", settings = self.settings(true))
    }

    /// Sends a statement that names no object.
    pub(super) async fn control(&self, statement: &'static str) -> Result<(), Failure> {
        self.session.run(&Message::verbatim(Sql::of(statement))).await.map(drop)
    }

    /// The error of a statement, with its position in the file.
    fn broken(
        &self,
        source: &Source,
        failure: Failure,
        before: usize,
        statements: usize,
        statement: Option<Range<usize>>,
    ) -> Result<SourceError, ScratchError> {
        let Some(error) = failure.source.as_db_error() else { return Err(ScratchError::Server(failure)) };
        let sql = source.sql();
        let base = statement.as_ref().map_or(0, |range| range.start);
        let own = || {
            statement
                .clone()
                .or_else(|| split(sql).statements.get(failure.completed.checked_sub(statements)?).map(|found| found.range.clone()))
        };
        let range = match position(error).and_then(|position| position.checked_sub(before)) {
            Some(characters) => {
                let start = sql[base..].char_indices().nth(characters).map_or(sql.len(), |(byte, _)| base + byte);
                let length = sql[start..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(sql.len() - start);
                let one = sql[start..].chars().next().map_or(0, char::len_utf8);
                Some(start..start + length.max(one))
            }
            None => own(),
        };
        let more = [("detail", error.detail()), ("hint", error.hint()), ("context", error.where_())];
        Ok(SourceError {
            what: source.what.clone(),
            path: source.path.clone(),
            text: source.text.clone(),
            range: range.map(|range| range.start + source.range.start..range.end + source.range.start),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            more: more.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned()))).collect(),
        })
    }

    /// Runs emitted statements: in one transaction, or each on its own. `what` names them in a warning.
    pub async fn run(&self, what: &str, mode: SectionMode, statements: &[String]) -> Result<Result<(), ScratchRefusal>, ScratchError> {
        match mode {
            SectionMode::Transaction => match self.in_one_transaction(statements).await? {
                Err(refusal) if refusal.is_out_of_locks() => {
                    let before = self.lock_table().await?;
                    let mut done = 0;
                    for part in statements.chunks(PART) {
                        let mut outcome = self.in_one_transaction(part).await?;
                        if outcome.as_ref().is_err_and(|refusal| refusal.is_out_of_locks()) {
                            outcome = self.each_in_order(part).await?;
                        }
                        if let Err(refusal) = outcome {
                            return Ok(Err(refusal.after(done)));
                        }
                        done += part.len();
                    }
                    before.warn(what, &self.lock_table().await?);
                    Ok(Ok(()))
                }
                outcome => Ok(outcome),
            },
            SectionMode::Stepwise => self.each_in_order(statements).await,
        }
    }

    async fn each_in_order(&self, statements: &[String]) -> Result<Result<(), ScratchRefusal>, ScratchError> {
        self.begin_session().await?;
        for (number, statement) in statements.iter().enumerate() {
            if let Err(failure) = self.session.run(&Message::verbatim(Sql::from_catalog(statement.as_str()))).await {
                return Ok(Err(ScratchRefusal::of(failure, number)?));
            }
        }
        self.end_session().await?;
        Ok(Ok(()))
    }

    async fn in_one_transaction(&self, statements: &[String]) -> Result<Result<(), ScratchRefusal>, ScratchError> {
        let opening = self.opening();
        let before = split(&opening.text()).statements.len();
        let statements = Sql::from_catalog(statements.join(";\n"));
        let message = sql!("{opening}{statements};\nCOMMIT", opening = opening, statements = statements);
        match self.session.run(&Message::verbatim(message)).await {
            Ok(_) => Ok(Ok(())),
            Err(failure) => {
                let number = failure.completed.saturating_sub(before);
                self.control("ROLLBACK").await?;
                Ok(Err(ScratchRefusal::of(failure, number)?))
            }
        }
    }
}

/// Reads the catalog of any database: one message.
pub async fn read(session: &Session, scope: &Scope) -> Result<Catalog, ScratchError> {
    let _turn = scope.shared.turn().await;
    let mut rows = CatalogRows::new(scope.shared.clone());
    let mut outcome = Ok(());
    let add = |_, row: &[Option<&str>]| {
        if let (Ok(()), [Some(row)]) = (&outcome, row) {
            outcome = rows.add(row);
        }
    };
    session.stream(&scope.message(), add).await?;
    outcome.map_err(ScratchError::Unreadable)?;
    Ok(rows.catalog())
}

/// A server's version: 150018.
pub async fn server_number(session: &Session) -> Result<u32, ScratchError> {
    let answers = session.run(&Message::of(Sql::of("SELECT current_setting('server_version_num')"))).await?;
    let number = answers.into_iter().flatten().flatten().flatten().next();
    Ok(number.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// The position of an error in the message, in characters from 0.
fn position(error: &DbError) -> Option<usize> {
    match error.position() {
        Some(ErrorPosition::Original(position)) => (*position as usize).checked_sub(1),
        Some(ErrorPosition::Internal { .. }) | None => None,
    }
}
