//! Which of the tables that we find are ours to trust: an ordinary table of a role that could do us harm anyway, on which
//! no code runs but that of such roles. Whoever may write less than us could plant another one.

use super::{Access, Ledger};
use crate::connect::Failure;
use crate::sql;
use crate::sql::{Array, Ident, Literal, Qualified, Sql};

/// What a statement of ours says that found a table as it should not be: in a cast that fails, which needs no PL/pgSQL.
const UNTRUSTED: &str = "a table of pgmarch can no longer be trusted";

/// Whether a message failed because one of our tables can't be trusted any more: looked at again, it is known why.
pub fn is_untrusted(failure: &Failure) -> bool {
    super::says(failure, UNTRUSTED)
}

/// Why one of our relations can't be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// `SCHEMA.NAME`.
    pub relation: String,
    /// What is wrong with it.
    pub what: String,
    /// The role behind that.
    pub role: String,
    /// Whether it is the version table.
    pub is_version_table: bool,
}

impl Untrusted {
    /// What to do about it, in one line.
    pub fn next(&self) -> String {
        let Self { relation, role, is_version_table, .. } = self;
        let elsewhere = if *is_version_table {
            "PGMARCH_VERSION_TABLE=SCHEMA.NAME names another table"
        } else {
            "PGMARCH_LEDGER_SCHEMA names another schema"
        };
        format!(
            "find out who made {relation} so, and drop or change it; if {role} may do whatever pgmarch may do, set PGMARCH_TRUST_OWNER={role}; {elsewhere}"
        )
    }
}

impl std::fmt::Display for Untrusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relation, what, role, .. } = self;
        write!(f, "{relation} is not trusted: {what} (role {role})")
    }
}

/// A row of [`Tables::problems`]: the problem, and whether it is the owner alone.
pub(super) fn problem(row: Vec<Option<String>>) -> Option<(Untrusted, bool)> {
    let [relation, what, role, is_owner, is_version_table] = <[Option<String>; 5]>::try_from(row).ok()?;
    let is = |value: Option<String>| value.as_deref() == Some("t");
    let untrusted = Untrusted { relation: relation?, what: what?, role: role.unwrap_or_default(), is_version_table: is(is_version_table) };
    Some((untrusted, is(is_owner)))
}

/// The tables to look at, in the words of SQL.
pub(super) struct Tables<'t> {
    /// An expression for the version table's OID.
    pub(super) version: Sql,
    /// The ledger's schema.
    pub(super) ledger: &'t Ident,
    /// Roles that the settings trust.
    pub(super) owners: &'t [Ident],
    /// What they are looked at for.
    pub(super) access: Access,
}

impl Tables<'_> {
    /// An array of the OIDs of those that exist. Who may not use the ledger's schema may not even ask for its tables: where that
    /// is no fault, none of them exist.
    pub(super) fn relations(&self) -> Sql {
        let table = |name: &str| Qualified::new(self.ledger, name).to_string();
        let relations = sql!(
            include_str!("relations.sql"),
            version = self.version,
            revision = Literal(&table("revision")),
            journal = Literal(&table("journal")),
            catalog = Literal(&table("catalog")),
            format = Literal(&table("format"))
        );
        if self.access != Access::ReadWhatIsAllowed {
            return relations;
        }
        sql!(
            "(CASE WHEN has_schema_privilege(to_regnamespace({ledger}), 'USAGE') THEN {relations} ELSE ARRAY[{version}] END)",
            ledger = Literal(&self.ledger.to_string()),
            relations = relations,
            version = self.version
        )
    }

    /// Whether `c` is plain.
    pub(super) fn plain(&self) -> Sql {
        sql!(include_str!("plain.sql"), version = self.version)
    }

    /// Ahead of a query: `problem`, a table of what is wrong.
    pub(super) fn close_look(&self) -> Sql {
        let owners: Array<'_> = self.owners.iter().map(Ident::as_str).collect();
        sql!(include_str!("trust.sql"), owners = owners, relations = self.relations(), version = self.version)
    }

    /// A query for what is wrong.
    pub(super) fn problems(&self) -> Sql {
        let query = sql!(include_str!("problems.sql"), version = self.version);
        sql!("{with}{query}", with = self.close_look(), query = query)
    }
}

/// What a look found out about our tables, and what later statements hold them to.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// What it was for.
    pub(super) access: Access,
    /// Whether all are plain tables.
    pub(super) is_plain: bool,
    /// Whether it is known whose they are: ours or the database's owner's, or looked at closely.
    pub(super) is_owned: bool,
    /// Whose they are: each role is trusted, or the look was for reading alone.
    pub(super) owners: Vec<String>,
    /// Roles that the settings trust.
    pub(super) settings: Vec<Ident>,
}

/// How a table is locked: as a write of one row locks it, or against all other writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// `ROW EXCLUSIVE`.
    Rows,
    /// `EXCLUSIVE`.
    Table,
}

impl Ledger {
    /// Statements that lock what this transaction is about to write, and then fail ([`is_untrusted`]) if anything there is
    /// not as it was when it was looked at.
    pub(super) fn secure(&self, version: Option<Lock>, ledger: &[&'static str]) -> Vec<Sql> {
        let mut locks = Vec::new();
        if let Some(lock) = version {
            let mode = Sql::of(if lock == Lock::Rows { "ROW EXCLUSIVE" } else { "EXCLUSIVE" });
            locks.push(sql!("LOCK TABLE {table} IN {mode} MODE", table = self.version_table, mode = mode));
        }
        if !ledger.is_empty() {
            let tables = ledger.iter().map(|table| sql!("{schema}.{table}", schema = self.schema, table = Sql::of(table)));
            locks.push(sql!("LOCK TABLE {tables} IN ROW EXCLUSIVE MODE", tables = Sql::join(tables, ", ")));
        }
        locks.push(self.checked(Access::Write));
        locks
    }

    /// The tables where they are known to be.
    pub(super) fn tables(&self) -> Tables<'_> {
        let version = sql!("to_regclass({table})::oid", table = Literal(&self.version_table.to_string()));
        Tables { version, ledger: &self.schema, owners: &self.trust.settings, access: self.trust.access }
    }

    /// One statement that fails ([`is_untrusted`]) if one of our tables is not as it was when it was looked at.
    pub(super) fn checked(&self, access: Access) -> Sql {
        if !self.trust.is_plain {
            return sql!(
                include_str!("trusted.sql"),
                problems = self.tables().close_look(),
                reading = access != Access::Write,
                untrusted = Literal(UNTRUSTED)
            );
        }
        let table = |name: &str| Qualified::new(&self.schema, name).to_string();
        let owners: Vec<Literal<'_>> = self.trust.owners.iter().map(|owner| Literal(owner)).collect();
        let owners = owners.iter().map(|owner| sql!("{owner}::name", owner = *owner)).chain([Sql::of("current_user")]);
        sql!(
            include_str!("unchanged.sql"),
            version = Literal(&self.version_table.to_string()),
            revision = Literal(&table("revision")),
            journal = Literal(&table("journal")),
            owners = sql!("(ARRAY[{owners}]::name[])", owners = Sql::join(owners, ", ")),
            untrusted = Literal(UNTRUSTED),
        )
    }
}
