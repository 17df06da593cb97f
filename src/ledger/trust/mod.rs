//! Which of the tables that we find are ours to trust: an ordinary table of a role that could do us harm anyway, on which
//! no code runs but that of such roles. Whoever may write less than us could plant another one.

use super::{Access, Ledger, ReadError, set_role};
use crate::config::Config;
use crate::connect::{Failure, Session};
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, Sql, TextArray};

/// What a statement of ours says that found a table as it should not be: in a cast that fails, which needs no PL/pgSQL.
pub(in crate::ledger) const UNTRUSTED: &str = "a table of pgmarch can no longer be trusted";

/// Whether a message failed because one of our tables can't be trusted any more: looked at again, it is known why.
pub fn is_trust_failure(failure: &Failure) -> bool {
    super::says(failure, UNTRUSTED)
}

/// Why one of our relations can't be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedRelation {
    /// `SCHEMA.NAME`.
    pub relation: String,
    /// What is wrong with it.
    pub what: String,
    /// The role behind that.
    pub role: String,
    /// Whether it is the version table.
    pub is_version_table: bool,
}

/// A row of [`OwnTables::problems`].
pub(in crate::ledger) struct TrustProblem {
    pub(in crate::ledger) untrusted: UntrustedRelation,
    /// Whether nothing but the owner, of the table or of its schema, speaks against it.
    pub(in crate::ledger) is_owner: bool,
    /// Whether the ledger can do without the table.
    pub(in crate::ledger) is_optional: bool,
}

impl UntrustedRelation {
    /// What to do about it, in one line.
    pub fn next(&self) -> String {
        let Self { relation, role, is_version_table, .. } = self;
        let named = Ident::parse(role).map(|role| role.to_string()).unwrap_or_default();
        let role = if role.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') { role } else { &named };
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

impl std::fmt::Display for UntrustedRelation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relation, what, role, .. } = self;
        write!(f, "{relation} is not trusted: {what} (role {role})")
    }
}

/// Reads a [`TrustProblem`].
pub(in crate::ledger) fn problem(row: Vec<Option<String>>) -> Option<TrustProblem> {
    let [relation, what, role, is_owner, is_version_table, is_optional] = <[Option<String>; 6]>::try_from(row).ok()?;
    let is = |value: Option<String>| value.as_deref() == Some("t");
    let untrusted =
        UntrustedRelation { relation: relation?, what: what?, role: role.unwrap_or_default(), is_version_table: is(is_version_table) };
    Some(TrustProblem { untrusted, is_owner: is(is_owner), is_optional: is(is_optional) })
}

/// The tables to look at, in the words of SQL.
pub(in crate::ledger) struct OwnTables<'t> {
    /// An expression for the version table's OID.
    pub(in crate::ledger) version: Sql,
    /// An expression for the schema where it is, or would be created.
    pub(in crate::ledger) version_place: Sql,
    /// The ledger's schema.
    pub(in crate::ledger) ledger: &'t Ident,
    /// Roles that the settings trust.
    pub(in crate::ledger) owners: &'t [Ident],
    /// What they are looked at for.
    pub(in crate::ledger) access: Access,
}

impl OwnTables<'_> {
    /// An array of the OIDs of those that exist. Who may not use the ledger's schema may not even ask for its tables: where that
    /// is no fault, none of them exist.
    pub(in crate::ledger) fn relations(&self) -> Sql {
        let table = |name: &str| QualifiedName::new(self.ledger, name).to_string();
        let relations = sql!(
            include_str!("relations.sql"),
            version = self.version,
            revision = Literal(&table("revision")),
            journal = Literal(&table("journal")),
            catalog = Literal(&table("catalog")),
            format = Literal(&table("format"))
        );
        if self.access != Access::ReadPermitted {
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
    pub(in crate::ledger) fn plain(&self) -> Sql {
        sql!(include_str!("plain.sql"), version = self.version)
    }

    /// Ahead of a query: `problem`, a table of what is wrong.
    pub(in crate::ledger) fn close_look(&self) -> Sql {
        let owners: TextArray<'_> = self.owners.iter().map(Ident::as_str).collect();
        sql!(
            include_str!("trust.sql"),
            owners = owners,
            relations = self.relations(),
            version = self.version,
            version_place = self.version_place,
            ledger = Literal(self.ledger.as_str())
        )
    }

    /// A query for what is wrong.
    pub(in crate::ledger) fn problems(&self) -> Sql {
        sql!("{with}{query}", with = self.close_look(), query = Sql::of(include_str!("problems.sql")))
    }
}

/// The roles that are trusted, as `quote_ident()` has them: what they own may run as us.
pub async fn trusted_roles(session: &Session, config: &Config) -> Result<Vec<String>, Failure> {
    let tables = OwnTables {
        version: Sql::of("0::oid"),
        version_place: Sql::of("NULL"),
        ledger: &config.ledger_schema,
        owners: &config.trust_owner,
        access: Access::ReadPermitted,
    };
    let query = sql!("{with}SELECT quote_ident(pg_get_userbyid(role)) FROM trusted", with = tables.close_look());
    let answers = session.run(&Message::behind(set_role(config), [query])).await?;
    Ok(answers.into_iter().flatten().flatten().flatten().collect())
}

/// What a look found out about our tables, and what later statements hold them to.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct Trust {
    /// What it was for.
    pub(in crate::ledger) access: Access,
    /// Whether all are plain tables.
    pub(in crate::ledger) is_plain: bool,
    /// Whose they are: each role is trusted, or the look was for reading alone.
    pub(in crate::ledger) owners: Vec<String>,
    /// Roles that the settings trust.
    pub(in crate::ledger) settings: Vec<Ident>,
}

/// How a table is locked: as a write of one row locks it, or against all other writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum RelationLock {
    /// `ROW EXCLUSIVE`.
    Rows,
    /// `EXCLUSIVE`.
    Table,
}

impl Ledger {
    /// Statements that lock what this transaction is about to write, and then fail ([`is_trust_failure`]) if anything there is
    /// not as it was when it was looked at.
    pub(in crate::ledger) fn secure(&self, version: Option<RelationLock>, ledger: &[&'static str]) -> Vec<Sql> {
        let mut statements = self.locks(version, ledger);
        statements.push(self.checked(Access::Write, ledger));
        statements
    }

    /// Statements that lock what a transaction is about to write.
    pub(in crate::ledger) fn locks(&self, version: Option<RelationLock>, ledger: &[&'static str]) -> Vec<Sql> {
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

    /// Refuses to execute what the ledger has of revisions while a role that is not trusted may write there.
    pub async fn check_revision_writers(&self, session: &Session) -> Result<(), ReadError> {
        let revision = QualifiedName::new(&self.schema, "revision");
        let writers = sql!(include_str!("writers.sql"), problems = self.tables().close_look(), revision = Literal(&revision.to_string()));
        let answers = session.ask(&self.reading(&[], [writers])).await?;
        let Some(role) = answers.into_iter().flatten().flatten().flatten().next() else { return Ok(()) };
        let what = "another role may write to it, and down migrations that have no file here would be executed from it".to_owned();
        let relation = revision.plain();
        Err(ReadError::Untrusted(UntrustedRelation { relation, what, role, is_version_table: false }))
    }

    /// The tables where they are known to be.
    pub(in crate::ledger) fn tables(&self) -> OwnTables<'_> {
        OwnTables {
            version: sql!("to_regclass({table})::oid", table = Literal(&self.version_table.to_string())),
            version_place: sql!("{schema}", schema = Literal(self.version_table.schema.as_str())),
            ledger: &self.schema,
            owners: &self.trust.settings,
            access: self.trust.access,
        }
    }

    /// One statement that fails ([`is_trust_failure`]) if the version table or one of these tables of the ledger is not as it was
    /// when it was looked at.
    pub(crate) fn checked(&self, access: Access, ledger: &[&'static str]) -> Sql {
        if !self.trust.is_plain {
            return sql!(
                include_str!("trusted.sql"),
                problems = self.tables().close_look(),
                reading = access != Access::Write,
                untrusted = Literal(UNTRUSTED)
            );
        }
        let ours = ledger.iter().map(|table| QualifiedName::new(&self.schema, table)).chain([self.version_table.clone()]);
        let relations = ours.map(|table| sql!("to_regclass({table})", table = Literal(&table.to_string())));
        let owners: Vec<Literal<'_>> = self.trust.owners.iter().map(|owner| Literal(owner)).collect();
        let owners = owners.iter().map(|owner| sql!("{owner}::name", owner = *owner)).chain([Sql::of("current_user")]);
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
