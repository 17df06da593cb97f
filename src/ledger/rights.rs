//! The rights that a role lacks to read pgmarch's tables, as the statements that grant them.

use tokio_postgres::error::SqlState;

use super::access::Access;
use super::handle::Ledger;
use super::settings::{set_path, set_role};
use crate::config::Config;
use crate::session::{Failure, Session};
use crate::sql;
use crate::sql::{Ident, Literal, Message, Sql};

/// Our tables, as a role without rights names them.
#[derive(Debug)]
pub(super) struct WantedTables<'a> {
    /// The role and the search path under which they are read.
    settings: Vec<Sql>,
    /// `None` if the search path decides.
    version_schema: Option<&'a Ident>,
    pub(super) version_table: &'a Ident,
    pub(super) ledger: &'a Ident,
    /// Whether they are written as well.
    is_written: bool,
    /// `PGMARCH_ROLE`.
    role: Option<&'a Ident>,
}

impl<'a> WantedTables<'a> {
    /// Before anything was read.
    pub(super) fn of_settings(config: &'a Config, access: Access) -> Self {
        Self {
            settings: set_role(config).into_iter().chain(set_path(config)).collect(),
            version_schema: config.version_table.schema.as_ref(),
            version_table: &config.version_table.name,
            ledger: &config.ledger_schema,
            is_written: access == Access::Write,
            role: config.role.as_ref(),
        }
    }

    /// Once it is known where they are.
    pub(super) fn of_ledger(ledger: &'a Ledger) -> Self {
        Self {
            settings: sql::set_role(ledger.role.as_ref()).into_iter().collect(),
            version_schema: Some(&ledger.version_table.schema),
            version_table: &ledger.version_table.name,
            ledger: &ledger.schema,
            is_written: ledger.trust.access == Access::Write,
            role: ledger.role.as_ref(),
        }
    }

    /// What to grant to a role whose message failed; the transaction in which it failed ends.
    pub(super) async fn grants_after_failure(&self, session: &Session) -> Vec<String> {
        if session.ask(&Message::rollback()).await.is_err() {
            return Vec::new();
        }
        self.grants(session).await
    }

    /// What to grant, so that the tables can be read; empty if that is not known.
    pub(super) async fn grants(&self, session: &Session) -> Vec<String> {
        match self.ask(session).await {
            Ok(grants) => grants,
            Err(failure) if failure.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => self.membership(session).await,
            Err(_) => Vec::new(),
        }
    }

    /// A schema without USAGE is passed over when a name is looked up, so the tables are looked for in the catalog: the version table in
    /// the schemas where it may be, in the order in which they are searched. Without a version table, the first schema counts, in which it
    /// would be created.
    async fn ask(&self, session: &Session) -> Result<Vec<String>, Failure> {
        let places = match self.version_schema {
            Some(schema) => sql!("SELECT {schema}, 1", schema = Literal(schema.as_str())),
            None => Sql::of(include_str!("path.sql")),
        };
        let rights: &[&'static str] = if self.is_written { &["SELECT", "INSERT", "UPDATE", "DELETE"] } else { &["SELECT"] };
        let has_right = |right: &&'static str| sql!("has_table_privilege(ours.oid, {right})", right = Literal(right));
        let query = sql!(
            include_str!("rights.sql"),
            rights = Literal(&rights.join(", ")),
            has_rights = Sql::join(rights.iter().map(has_right), " AND "),
            places = places,
            version_name = Literal(self.version_table.as_str()),
            ledger = Literal(self.ledger.as_str()),
        );
        let keep_path = Sql::of("SELECT pg_catalog.set_config('pgmarch.search_path', pg_catalog.current_setting('search_path'), true)");
        let answers = session.ask(&Message::reading(self.settings.iter().cloned().chain([keep_path]), [], [query])).await?;
        Ok(answers.into_iter().flatten().flatten().flatten().collect())
    }

    /// The role of the settings can't be set.
    async fn membership(&self, session: &Session) -> Vec<String> {
        let Some(role) = self.role else { return Vec::new() };
        let query = sql!("SELECT format('GRANT %I TO %I', {role}, session_user)", role = Literal(role.as_str()));
        match session.ask(&Message::rollback()).await {
            Ok(_) => session.ask(&Message::of(query)).await.unwrap_or_default().into_iter().flatten().flatten().flatten().collect(),
            Err(_) => Vec::new(),
        }
    }
}
