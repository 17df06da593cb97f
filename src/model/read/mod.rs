//! The catalog queries: one message, whatever the size. Their rows become a [`super::Catalog`].

pub mod database_schemas;
mod rows;
pub mod shared;

use crate::revision::statement::split;
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, SearchPath, Sql, TextArray};

use shared::SharedObjects;

pub use rows::{CatalogRowError, CatalogRows, ObjectRow, of_snapshot};

/// What is read, and what is left out.
#[derive(Clone, Debug)]
pub struct Scope {
    /// `server_version_num`.
    pub server: u32,
    /// The search path of the revisions: names are shown as these see them.
    pub search_path: ViewedSearchPath,
    /// The role that owns what revisions create.
    pub role: Option<Ident>,
    /// The ledger's schema, which is no part of the model.
    pub ledger: Ident,
    /// The version table, which is no part of the model.
    pub version_table: QualifiedName,
    /// The schemas whose objects are read.
    pub schemas: Schemas,
    /// What it shares with other catalogs.
    pub shared: SharedObjects,
}

/// Which schemas are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schemas {
    /// All but PostgreSQL's own and the ledger's.
    All,
    /// Of those, these.
    Only(Vec<String>),
}

/// A search path under which the server prints names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewedSearchPath {
    /// As the settings have it.
    Settings(SearchPath),
    /// As a session had it: the text of its parameter.
    Session(String),
}

impl ViewedSearchPath {
    /// One statement that sets it: until the end of the transaction, or of the session.
    pub fn set(&self, is_local: bool) -> Sql {
        match (self, is_local) {
            (Self::Settings(path), true) => sql!("SET LOCAL search_path TO {path}", path = *path),
            (Self::Settings(path), false) => sql!("SET search_path TO {path}", path = *path),
            (Self::Session(text), _) => {
                sql!("SELECT pg_catalog.set_config('search_path', {text}, {is_local})", text = Literal(text), is_local = is_local)
            }
        }
    }
}

impl std::fmt::Display for ViewedSearchPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settings(path) => write!(f, "{path}"),
            Self::Session(text) => f.write_str(text),
        }
    }
}

/// A query for the objects of each kind: rows that are read as [`ObjectRow`].
/// Those of defaults name no column: with their table the server would compare all its columns for each of them.
const OBJECTS: &str = include_str!("catalog.sql");
/// Queries for what these depend on, for their parts, and for what is not compared.
const DEPENDENCIES: &str = include_str!("dependencies.sql");

const UNION_ALL: &str = "\nUNION ALL\n";

/// Settings with which two servers print the same definition in the same way.
const SETTINGS: [&str; 9] = [
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL xmloption = 'content'",
    "SET LOCAL quote_all_identifiers = off",
    "SET LOCAL standard_conforming_strings = on",
    "SET LOCAL statement_timeout = 0",
];

impl Scope {
    /// Whether the same is read in the same way, whatever of it is shared.
    pub fn reads_the_same(&self, other: &Self) -> bool {
        let Self { server, search_path, role, ledger, version_table, schemas, shared: _ } = self;
        *server == other.server
            && *search_path == other.search_path
            && *role == other.role
            && *ledger == other.ledger
            && *version_table == other.version_table
            && *schemas == other.schemas
    }

    /// One message that reads everything in one snapshot; each row is one JSON text.
    pub fn message(&self) -> Message {
        let objects = sql!("SELECT json_build_object('object', r) FROM ({rows}) objects (r)", rows = self.objects());
        let queries = [objects].into_iter().chain(self.queries(DEPENDENCIES));
        Message::reading(self.role(), self.settings(), [self.seen_by_revisions(Sql::join(queries, UNION_ALL))])
    }

    /// One query for the rows of all objects as one text, for the ledger; dependencies are left out.
    pub fn snapshot(&self) -> Sql {
        let rows = self.seen_by_revisions(self.objects());
        sql!("SELECT string_agg(r::text, E'\\x1e') FROM ({rows}) rows (r)", rows = rows)
    }

    /// One query for the rows of all objects.
    fn objects(&self) -> Sql {
        Sql::join(self.queries(OBJECTS), UNION_ALL)
    }

    /// Rows whose names are shown as the revisions see them. The whole statement is parsed under our own search path, so each
    /// function, operator and type in it is PostgreSQL's; that of the revisions is put into force when the statement begins to
    /// run, before the first row: for what prints names, such as regclass and pg_get_viewdef(). With pg_catalog at its head,
    /// even where the revisions want it elsewhere: pg_get_viewdef() and pg_get_ruledef() run queries of their own, in which
    /// operators have no schema.
    fn seen_by_revisions(&self, rows: Sql) -> Sql {
        let own = self.search_path.to_string();
        let path = if own.is_empty() { "pg_catalog".to_owned() } else { format!("pg_catalog, {own}") };
        sql!(
            "SELECT r FROM ({rows}) rows (r) WHERE (SELECT set_config('search_path', {path}, true)) IS NOT NULL",
            rows = rows,
            path = Literal(&path)
        )
    }

    /// The role that the queries run as.
    pub fn role(&self) -> Option<Sql> {
        sql::set_role(self.role.as_ref())
    }

    /// Settings of the transaction that the queries run in.
    pub fn settings(&self) -> Vec<Sql> {
        SETTINGS.into_iter().map(Sql::of).collect()
    }

    /// A condition on `n.nspname`: neither PostgreSQL's schemas nor the ledger's.
    pub fn own_schemas(&self) -> Sql {
        sql!("n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', {ledger})", ledger = Literal(self.ledger.as_str()))
    }

    /// Queries with this role, these schemas and this version of the server filled in.
    fn queries(&self, templates: &'static str) -> Vec<Sql> {
        let from =
            |major: u32, text: &'static str, before: &'static str| Sql::of(if self.server >= major * 10_000 { text } else { before });
        let own = match &self.schemas {
            Schemas::All => self.own_schemas(),
            Schemas::Only(names) => {
                let names: TextArray<'_> = names.iter().map(String::as_str).collect();
                sql!("{own} AND n.nspname = ANY ({names})", own = self.own_schemas(), names = names)
            }
        };
        let not_null = from(
            18,
            "coalesce((SELECT json_build_object('name', CASE WHEN k.conislocal THEN nullif(quote_ident(k.conname), quote_ident(c.relname || '_' || a.attname || '_not_null')) END, \
             'valid', k.convalidated, 'no_inherit', k.connoinherit) FROM pg_constraint k \
             WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum), json_build_object('valid', true, 'no_inherit', false))",
            "json_build_object('valid', true, 'no_inherit', false)",
        );
        let multirange = from(
            14,
            "CASE WHEN r.rngmultitypid <> 0 THEN 'multirange_type_name = ' || format_type(r.rngmultitypid, NULL) END",
            "NULL::text",
        );
        let multirange_parts = from(
            14,
            "UNION ALL SELECT 'pg_type', rngmultitypid::int8, 0, 'pg_type', rngtypid::int8, 0 FROM pg_range WHERE rngmultitypid >= 16384",
            "",
        );
        let compression = from(14, "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END", "NULL::text");
        let fill = |range: std::ops::Range<usize>| {
            sql!(
                &templates[range],
                own = own,
                not_null = not_null,
                multirange = multirange,
                multirange_parts = multirange_parts,
                compression = compression,
                version_schema = Literal(self.version_table.schema.as_str()),
                version_name = Literal(self.version_table.name.as_str()),
                schema_grants = grants("n.nspacl", "'n'", "n.nspowner"),
                type_grants = grants("t.typacl", "'T'", "t.typowner"),
                relation_grants = grants("c.relacl", "(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::\"char\"", "c.relowner"),
                identity_grants = grants("q.relacl", "'s'", "q.relowner"),
                column_grants = grants("a.attacl", "'c'", "c.relowner"),
                routine_grants = grants("p.proacl", "'f'", "p.proowner"),
                default_grants = listed(Sql::of("d.defaclacl"), "d.defaclrole"),
            )
        };
        split(templates).statements.into_iter().map(|statement| fill(statement.range)).collect()
    }
}

/// Rights as JSON: all of them, or NULL if they are those that PostgreSQL gives by itself.
fn grants(acl: &'static str, kind: &'static str, owner: &'static str) -> Sql {
    let built_in = sql!("acldefault({kind}, {owner})", kind = Sql::of(kind), owner = Sql::of(owner));
    sql!(
        "CASE WHEN {acl} IS NOT NULL THEN nullif({own}::text, {built_in}::text)::json END",
        acl = Sql::of(acl),
        own = listed(Sql::of(acl), owner),
        built_in = listed(built_in, owner)
    )
}

/// Each right of an access list. The owner and the role that reads have other names in other environments.
fn listed(acl: Sql, owner: &'static str) -> Sql {
    sql!(
        "(SELECT coalesce(json_agg(json_build_array(q.grantee, q.privilege, q.with_option) ORDER BY q.grantee COLLATE \"C\", q.privilege COLLATE \"C\"), '[]') FROM \
         (SELECT CASE WHEN g.grantee = {owner} THEN 'OWNER' WHEN g.grantee = 0 THEN 'PUBLIC' WHEN pg_get_userbyid(g.grantee) = current_user THEN 'CURRENT_USER' \
         ELSE quote_ident(pg_get_userbyid(g.grantee)) END, g.privilege_type, bool_or(g.is_grantable) FROM aclexplode({acl}) g GROUP BY 1, 2) q (grantee, privilege, with_option))",
        acl = acl,
        owner = Sql::of(owner)
    )
}
