//! Our tables as SQL: which of them exist, which are plain tables, what is wrong with the others.

use crate::config::Config;
use crate::ledger::access::Access;
use crate::ledger::settings::set_role;
use crate::session::{Failure, Session};
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, Sql, TextArray};

/// The version table and the ledger's tables, as SQL expressions.
pub(crate) struct OwnTables<'t> {
    /// An expression for the version table's OID.
    pub(crate) version: Sql,
    /// An expression for the schema where it is, or would be created.
    pub(crate) version_place: Sql,
    /// The ledger's schema.
    pub(crate) ledger: &'t Ident,
    /// Roles that the settings trust.
    pub(crate) owners: &'t [Ident],
    /// What the state is read for.
    pub(crate) access: Access,
}

impl OwnTables<'_> {
    /// An array of the OIDs of those that exist. `to_regclass()` fails for a role without USAGE on the ledger's schema: where that
    /// is no fault ([`Access::ReadPermitted`]), the array has the version table alone.
    pub(crate) fn relations(&self) -> Sql {
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

    /// Whether `c`, a row of `pg_class`, is a plain table.
    pub(crate) fn plain(&self) -> Sql {
        // Whether c, a row of pg_class, is a plain table: one that outlives a crash and runs no code but the server's own. What
        // is not plain is looked at closely (trust.sql); this is what every run pays for, also one with nothing to do. The
        // version table has no defaults; those of the ledger's tables depend on each function, operator and type that is not
        // built in.
        sql!(include_str!("plain.sql"), version = self.version)
    }

    /// A `WITH` clause that has `problem`, the reasons not to trust them.
    pub(crate) fn with_problems(&self) -> Sql {
        let owners: TextArray<'_> = self.owners.iter().map(Ident::as_str).collect();
        // What of our tables can't be trusted, one row for each reason: the relation, what is wrong, whose it is, and whether it
        // is the owner alone, of the table or of its schema. A role is trusted that is us (the login, or the role that was set),
        // a superuser, the database's owner, named by the settings, or granted to us: by a member whom we trust, or by somebody
        // who has power over that member anyway. Up to PostgreSQL 14 any login may grant itself to any other role, which makes
        // nobody trusted; and a grantor who is gone proves nothing. pg_has_role() can't be asked: of a superuser it says yes for
        // every role.
        // Each role, and those that it is a member of.
        // What belongs to a relation, and what that uses; the same of a table that a rule writes to, or that a foreign key's
        // cascade updates: its triggers run as us. What a function calls is the business of the function's owner.
        // A trigger has no owner: whoever had the right TRIGGER may have created it. Functions of the server run any query, such
        // as ts_rewrite() and query_to_xml(); so may those that get arguments.
        sql!(
            include_str!("trust.sql"),
            owners = owners,
            relations = self.relations(),
            version = self.version,
            version_place = self.version_place,
            ledger = Literal(self.ledger.as_str())
        )
    }

    /// A query for the reasons not to trust them.
    pub(crate) fn problems_query(&self) -> Sql {
        sql!("{with}{query}", with = self.with_problems(), query = Sql::of(include_str!("problems.sql")))
    }
}

/// The roles that are trusted, quoted by `quote_ident()`: code that they own may run as pgmarch's role.
pub(crate) async fn trusted_roles(session: &Session, config: &Config) -> Result<Vec<String>, Failure> {
    let tables = OwnTables {
        version: Sql::of("0::oid"),
        version_place: Sql::of("NULL"),
        ledger: &config.ledger_schema,
        owners: &config.trust_owner,
        access: Access::ReadPermitted,
    };
    let query = sql!("{with}SELECT quote_ident(pg_get_userbyid(role)) FROM trusted", with = tables.with_problems());
    let answers = session.run(&Message::preceded_by(set_role(config), [query])).await?;
    Ok(answers.into_iter().flatten().flatten().flatten().collect())
}
