//! [`State::load`]: what is read of a database before anything is decided or written.
//!
//! # Layout
//!
//! - [`State`] and [`Level`], in this file.
//! - [`query`] and [`row`]: the first query and its answer.
//! - [`server`]: the server, and the backend that serves the session.

mod query;
mod row;
mod server;

use super::access::Access;
use super::contents::LedgerContents;
use super::error::ReadError;
use super::handle::Ledger;
use super::query::ask;
use super::rights::WantedTables;
use super::table::{LedgerTable, TABLES};
use super::trust::{TrustBasis, TrustProblem, UntrustedRelation, is_trust_failure};
use crate::config::Config;
use crate::revision::applied_digest::AppliedDigest;
use crate::session::{Session, StatementResult};
use crate::sql::{Ident, Message, QualifiedName};
use query::state_query;
use row::StateRow;

pub(crate) use server::{Backend, Server};

pub(super) use server::BACKEND_START;

/// How much is read of a database, and in how many round trips. Nothing is created, and nothing is locked but what is read,
/// against being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The server, which of pgmarch's tables exist, the version rows, and the digest in the last row of the journal. One round
    /// trip; a second one if a table is not a plain table, or not of a role that is known to be trusted.
    Rows(Access),
    /// [`Level::Rows`], and what the ledger has (`State::contents`). One round trip more, if there is a ledger.
    Full(Access),
    /// [`Level::Rows`], and the backend that will write (`State::backend`). One round trip more. It fails if this program may
    /// not write to the ledger, or can't create what is missing.
    Writer,
}

/// What was read of the database.
#[derive(Debug)]
pub struct State {
    /// The server, and the role and settings of the session.
    pub(crate) server: Server,
    /// The version rows.
    pub(crate) rows: Vec<String>,
    /// The digest that the last run recorded, unless something was done since.
    pub(crate) seal: Option<AppliedDigest>,
    /// A relation whose owner a run that writes would not trust.
    pub(crate) untrusted: Option<UntrustedRelation>,
    /// The tables, which of them exist.
    pub(crate) ledger: Ledger,
    backend: Option<Backend>,
    contents: Option<LedgerContents>,
}

impl State {
    /// Reads the state of the database at a level.
    pub(crate) async fn load(session: &Session, config: &Config, level: Level) -> Result<Self, ReadError> {
        match level {
            Level::Rows(access) => Self::load_rows(session, config, access).await,
            Level::Full(access) => Self::load_full(session, config, access).await,
            Level::Writer => {
                let mut state = Self::load_rows(session, config, Access::Write).await?;
                state.backend = Some(state.ledger.read_backend(session).await?);
                Ok(state)
            }
        }
    }

    async fn load_rows(session: &Session, config: &Config, access: Access) -> Result<Self, ReadError> {
        let outcome = Self::load_rows_as_they_are(session, config, access).await;
        let Err(ReadError::NoSchema { role, .. }) = outcome else { return outcome };
        // A schema that the role may not use is none that the search path finds.
        Err(ReadError::NoSchema { role, grants: WantedTables::of_settings(config, access).grants(session).await })
    }

    async fn load_rows_as_they_are(session: &Session, config: &Config, access: Access) -> Result<Self, ReadError> {
        let first = StateRow::from_answers(send(session, config, access, &state_query(config, access, None)).await?)?;
        if first.is_plain && first.is_owned {
            return Self::from_row(first, config, access);
        }
        let mut answers = send(session, config, access, &state_query(config, access, Some(&first))).await?;
        let problems = if answers.len() < 2 { Vec::new() } else { answers.remove(0) };
        let mut row = StateRow::from_answers(answers)?;
        for TrustProblem { untrusted, is_owner, is_optional } in problems.into_iter().filter_map(TrustProblem::from_row) {
            if is_owner && is_optional {
                let is_it = |table: &&LedgerTable| untrusted.relation == format!("{}.{}", config.ledger_schema.as_str(), table.name);
                row.unusable.extend(TABLES.iter().find(is_it).map(|table| table.name));
            } else if is_owner && access != Access::Write {
                row.untrusted.get_or_insert(untrusted);
            } else {
                return Err(ReadError::Untrusted(untrusted));
            }
        }
        Self::from_row(row, config, access)
    }

    async fn load_full(session: &Session, config: &Config, access: Access) -> Result<Self, ReadError> {
        let mut state = Self::load_rows(session, config, access).await?;
        match state.load_contents(session).await.map(drop) {
            Err(ReadError::Server(failure)) if is_trust_failure(&failure) => {
                // Another session changed a table in between: another first query reports the cause.
                session.ask(&Message::rollback()).await?;
                state = Self::load_rows(session, config, access).await?;
                state.load_contents(session).await?;
            }
            outcome => outcome?,
        }
        Ok(state)
    }

    fn from_row(row: StateRow, config: &Config, access: Access) -> Result<Self, ReadError> {
        if let Some(relation) = row.hidden {
            return Err(ReadError::RowSecurity { relation, role: row.role });
        }
        let place = match (&config.version_table.schema, row.version_schema.as_deref().or(row.place.as_deref())) {
            (Some(schema), _) => schema.clone(),
            (None, Some(schema)) => Ident::parse(schema).ok_or(ReadError::Unexpected("schema"))?,
            (None, None) => return Err(ReadError::NoSchema { role: row.role, grants: Vec::new() }),
        };
        let has = |table: &str| row.tables.iter().any(|found| found == table);
        let server = Server {
            number: row.number,
            version: row.version,
            database: row.database,
            role: row.role,
            read_only: row.read_only,
            search_path: row.search_path,
            row_security: row.row_security,
            schema: row.place.clone(),
        };
        let ledger = Ledger {
            version_table: QualifiedName { schema: place, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: row.version_schema.is_some(),
            has_ledger: row.journal_is_readable,
            missing: TABLES.into_iter().filter(|table| !has(table.name)).collect(),
            may_extend: row.may_extend,
            has_format: row.has_format && !row.unusable.contains(&"format"),
            unusable: row.unusable,
            role: config.role.clone(),
            trust: TrustBasis { access, is_plain: row.is_plain, owners: row.owners, trusted_by_settings: config.trust_owner.clone() },
        };
        Ok(Self { server, rows: row.rows, seal: row.seal, untrusted: row.untrusted, ledger, backend: None, contents: None })
    }

    /// Reads what the ledger has, unless it was read before.
    pub(crate) async fn load_contents(&mut self, session: &Session) -> Result<&LedgerContents, ReadError> {
        let contents = match self.contents.take() {
            Some(contents) => contents,
            None => self.ledger.read_contents(session).await?,
        };
        Ok(self.contents.insert(contents))
    }

    /// What the ledger has; `None` if it was not read ([`Level::Full`], [`State::load_contents`]).
    pub(crate) fn contents(&self) -> Option<&LedgerContents> {
        self.contents.as_ref()
    }

    /// Notes that the journal has [`Ledger::record_progress_reset`] of all unfinished revisions now.
    pub(crate) fn clear_unfinished(&mut self) {
        if let Some(contents) = &mut self.contents {
            contents.unfinished.clear();
        }
    }

    /// The backend that serves the session; `None` below [`Level::Writer`].
    pub(crate) fn backend(&self) -> Option<&Backend> {
        self.backend.as_ref()
    }
}

async fn send(session: &Session, config: &Config, access: Access, message: &Message) -> Result<Vec<StatementResult>, ReadError> {
    ask(session, message, &WantedTables::of_settings(config, access)).await
}
