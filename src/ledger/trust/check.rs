//! Statements that lock pgmarch's tables, and fail if they have changed since the state was read.

use super::failure::UNTRUSTED;
use super::own_tables::OwnTables;
use super::untrusted::UntrustedRelation;
use crate::ledger::access::Access;
use crate::ledger::error::ReadError;
use crate::ledger::handle::Ledger;
use crate::session::Session;
use crate::sql;
use crate::sql::{Literal, QualifiedName, Sql};

/// How the version table is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelationLock {
    /// `ROW EXCLUSIVE`: as an UPDATE of one row locks it.
    Rows,
    /// `EXCLUSIVE`: against all other writers.
    Table,
}

impl Ledger {
    /// Statements that lock what this transaction is about to write, and then fail ([`is_trust_failure`](super::is_trust_failure)) if anything there is
    /// not as it was when the state was read.
    pub(crate) fn lock_and_check(&self, version: Option<RelationLock>, ledger: &[&'static str]) -> Vec<Sql> {
        let mut statements = self.lock_tables(version, ledger);
        statements.push(self.trust_check(Access::Write, ledger));
        statements
    }

    /// Statements that lock what a transaction is about to write.
    pub(crate) fn lock_tables(&self, version: Option<RelationLock>, ledger: &[&'static str]) -> Vec<Sql> {
        let mut locks = Vec::new();
        if let Some(lock) = version {
            let mode = Sql::of(if lock == RelationLock::Rows { "ROW EXCLUSIVE" } else { "EXCLUSIVE" });
            locks.push(sql!("LOCK TABLE {table} IN {mode} MODE", table = self.version_table, mode = mode));
        }
        locks.extend(self.lock_ledger(ledger, "ROW EXCLUSIVE"));
        locks
    }

    /// A statement that locks tables of the ledger.
    pub(crate) fn lock_ledger(&self, tables: &[&'static str], mode: &'static str) -> Option<Sql> {
        let names = tables.iter().map(|table| sql!("{table}", table = QualifiedName::new(&self.schema, table)));
        let names = Sql::join(names, ", ");
        (!tables.is_empty()).then(|| sql!("LOCK TABLE {names} IN {mode} MODE", names = names, mode = Sql::of(mode)))
    }

    /// Fails if a role that is not trusted has the right to write to the table `revision`: migrations that have no file here would
    /// be executed from it.
    pub(crate) async fn check_revision_writers(&self, session: &Session) -> Result<(), ReadError> {
        let revision = QualifiedName::new(&self.schema, "revision");
        let writers =
            sql!(include_str!("writers.sql"), problems = self.tables().with_problems(), revision = Literal(&revision.to_string()));
        let answers = session.ask(&self.reading(&[], [writers])).await?;
        let Some(role) = answers.into_iter().flatten().flatten().flatten().next() else { return Ok(()) };
        let what = "another role may write to it, and down migrations that have no file here would be executed from it".to_owned();
        let relation = revision.plain();
        Err(ReadError::Untrusted(UntrustedRelation { relation, what, role, is_version_table: false }))
    }

    /// Whether our tables were plain when the state was read: [`Self::trust_check`] then fails if one has row security.
    pub(crate) fn has_plain_tables(&self) -> bool {
        self.trust.is_plain
    }

    /// Our tables where the state found them.
    pub(crate) fn tables(&self) -> OwnTables<'_> {
        OwnTables {
            version: sql!("to_regclass({table})::oid", table = Literal(&self.version_table.to_string())),
            version_place: sql!("{schema}", schema = Literal(self.version_table.schema.as_str())),
            ledger: &self.schema,
            owners: &self.trust.trusted_by_settings,
            access: self.trust.access,
        }
    }

    /// One statement that fails ([`is_trust_failure`](super::is_trust_failure)) if the version table or one of these tables of the ledger is not as it was
    /// when the state was read. Plain tables are compared by a few columns of `pg_class`; of others everything is read again.
    pub(crate) fn trust_check(&self, access: Access, ledger: &[&'static str]) -> Sql {
        // Fails if one of our tables, looked at closely, can't be trusted. concat() is not immutable: the cast would otherwise
        // fail when the statement is planned.
        if !self.trust.is_plain {
            return sql!(
                include_str!("trusted.sql"),
                problems = self.tables().with_problems(),
                reading = access != Access::Write,
                untrusted = Literal(UNTRUSTED)
            );
        }
        let ours = ledger.iter().map(|table| QualifiedName::new(&self.schema, table)).chain([self.version_table.clone()]);
        let relations = ours.map(|table| sql!("to_regclass({table})", table = Literal(&table.to_string())));
        let owners: Vec<Literal<'_>> = self.trust.owners.iter().map(|owner| Literal(owner)).collect();
        let owners = owners.iter().map(|owner| sql!("{owner}::name", owner = *owner)).chain([Sql::of("current_user")]);
        // Fails if one of our tables is no longer as it was when it was looked at. They are locked before this: who may create
        // triggers on them without owning them must wait, and so must who may replace them. concat() is not immutable: the cast
        // would otherwise fail when the statement is planned.
        sql!(
            include_str!("unchanged.sql"),
            relations = Sql::join(relations, ", "),
            owners = sql!("(ARRAY[{owners}]::name[])", owners = Sql::join(owners, ", ")),
            version_schema = Literal(self.version_table.schema.as_str()),
            ledger = Literal(self.schema.as_str()),
            untrusted = Literal(UNTRUSTED),
        )
    }
}
