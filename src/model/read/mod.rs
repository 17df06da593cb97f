//! The catalog's queries, and their rows into a [`Catalog`]: one message, whatever the size.

pub mod database_schemas;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use thiserror::Error;

use crate::json::{Fields, FromJson, JsonError};
use crate::model::{Catalog, Definition, Grant, Key, Object, ObjectKind};
use crate::revision::statement::split;
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, SearchPath, Sql, TextArray};

/// What is read, and what is left out.
#[derive(Clone, Debug)]
pub struct Scope {
    /// `server_version_num`.
    pub server: u32,
    /// The search path of the revisions: names are shown as these see them.
    pub search_path: ViewedSearchPath,
    /// The role that owns what revisions make.
    pub role: Option<Ident>,
    /// The ledger's schema is no part of the model.
    pub ledger: Ident,
    /// Nor is the version table.
    pub version_table: QualifiedName,
    /// The schemas whose objects are read.
    pub schemas: Schemas,
}

/// Which schemas are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schemas {
    /// All but PostgreSQL's own and the ledger's.
    All,
    /// Of those, these.
    Only(Vec<String>),
}

/// A search path, from wherever it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewedSearchPath {
    /// As the settings have it.
    Settings(SearchPath),
    /// As a session had it: the text of its parameter.
    Session(String),
}

impl ViewedSearchPath {
    /// One statement that puts it into force: until the end of the transaction, or of the session.
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

/// Why rows don't make a catalog.
#[derive(Debug, Error)]
#[error("the server's catalog reads in an unexpected way ({0}); is it PostgreSQL 13 to 18?")]
pub struct CatalogRowError(String);

const QUERIES: &str = include_str!("catalog.sql");

/// What makes two servers print the same thing in the same way.
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
    /// One message that reads everything in one snapshot; each row is one JSON text.
    pub fn message(&self) -> Message {
        Message::reading(self.role(), self.settings(), [self.seen_by_revisions(Sql::join(self.queries(), "\nUNION ALL\n"))])
    }

    /// One query for the rows of all objects as one text, for the ledger; who needs whom is left out.
    pub fn snapshot(&self) -> Sql {
        let queries = self.queries().into_iter().filter(|query| query.as_str().contains("'definition'"));
        let rows = self.seen_by_revisions(Sql::join(queries, "\nUNION ALL\n"));
        sql!("SELECT string_agg(r::text, E'\\x1e') FROM ({rows}) rows (r)", rows = rows)
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

    fn queries(&self) -> Vec<Sql> {
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
                &QUERIES[range],
                own = own,
                not_null = not_null,
                multirange = multirange,
                multirange_parts = multirange_parts,
                compression = compression,
                version_schema = Literal(self.version_table.schema.as_str()),
                version_name = Literal(self.version_table.name.as_str()),
                schema_grants = grants("n.nspacl", "n", "n.nspowner"),
                type_grants = grants("t.typacl", "T", "t.typowner"),
                relation_grants = grants("c.relacl", "r", "c.relowner"),
                column_grants = grants("a.attacl", "c", "c.relowner"),
                routine_grants = grants("p.proacl", "f", "p.proowner"),
            )
        };
        split(QUERIES).statements.into_iter().map(|statement| fill(statement.range)).collect()
    }
}

/// A query for the rights of others than the owner.
fn grants(acl: &'static str, kind: &'static str, owner: &'static str) -> Sql {
    sql!(
        "(SELECT json_agg(json_build_array(CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, g.privilege_type, g.is_grantable) \
         ORDER BY g.grantee <> 0, pg_get_userbyid(g.grantee), g.privilege_type) \
         FROM aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) g WHERE g.grantee <> {owner})",
        acl = Sql::of(acl),
        kind = Sql::of(kind),
        owner = Sql::of(owner)
    )
}

/// Class, oid and column of something in the catalog.
type CatalogAddress = (String, u32, i32);

struct CatalogRow {
    id: Option<CatalogAddress>,
    parent: Option<CatalogAddress>,
    name: String,
    shown: String,
    comment: Option<String>,
    owner: Option<String>,
    grants: Option<Vec<Grant>>,
    definition: Option<Definition>,
    /// Who, whom, and how strongly.
    needs: Option<(CatalogAddress, CatalogAddress, char)>,
    part: Option<(CatalogAddress, CatalogAddress)>,
    unknown: Option<String>,
}

impl FromJson for CatalogRow {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        let mut its = Fields::of(value, error);
        Self {
            id: its.get("id"),
            parent: its.get("parent"),
            name: its.get::<Option<String>>("name").unwrap_or_default(),
            shown: its.get::<Option<String>>("shown").unwrap_or_default(),
            comment: its.get("comment"),
            owner: its.get("owner"),
            grants: its.get("grants"),
            definition: its.get("definition"),
            needs: its.get("needs"),
            part: its.get("part"),
            unknown: its.get("unknown"),
        }
    }
}

/// One text of all rows, as [`Scope::snapshot`] gives it, into a catalog.
pub fn of_snapshot(text: &str) -> Result<Catalog, CatalogRowError> {
    of_rows(text.split('\u{1e}').filter(|row| !row.is_empty()))
}

/// Rows into a catalog.
pub fn of_rows<'r>(rows: impl Iterator<Item = &'r str>) -> Result<Catalog, CatalogRowError> {
    let mut found: HashMap<CatalogAddress, Key> = HashMap::new();
    let mut parts: HashMap<CatalogAddress, CatalogAddress> = HashMap::new();
    let mut needs = Vec::new();
    let mut objects: Vec<(Key, CatalogRow, Definition)> = Vec::new();
    let mut catalog = Catalog::default();
    for row in rows {
        let mut row: CatalogRow = crate::json::read(row).map_err(CatalogRowError)?;
        if let (Some(id), Some(mut definition)) = (&row.id, row.definition.take()) {
            same_lists(&mut definition);
            let key = Key { kind: definition.kind(), name: std::mem::take(&mut row.name) };
            found.insert(id.clone(), key.clone());
            objects.push((key, row, definition));
        } else if let Some(need) = row.needs {
            needs.push(need);
        } else if let Some((part, whole)) = row.part {
            parts.insert(part, whole);
        } else if let Some(unknown) = row.unknown {
            catalog.unknown.insert(unknown);
        }
    }
    // An address is an object's, or a part of one: a column of a view, the row type of a table, an array type.
    let key = |address: &CatalogAddress| -> Option<&Key> {
        let mut address = address.clone();
        for _ in 0..4 {
            if let Some(key) = found.get(&address) {
                return Some(key);
            }
            address = match parts.get(&address) {
                Some(whole) => whole.clone(),
                None if address.2 != 0 => (address.0, address.1, 0),
                None => return None,
            };
        }
        None
    };
    let mut needed: HashMap<&Key, BTreeSet<Key>> = HashMap::new();
    for (who, whom, _) in &needs {
        let (Some(who), Some(whom)) = (key(who), key(whom)) else { continue };
        if who != whom {
            needed.entry(who).or_default().insert(whom.clone());
        }
    }
    for (own, row, definition) in objects {
        let parent = match &row.parent {
            Some(parent) => match found.get(parent) {
                Some(parent) => Some(parent.clone()),
                // A part of something that is no part of the model: the version table, an extension's table.
                None => continue,
            },
            None => None,
        };
        let mut needs = needed.remove(&own).unwrap_or_default();
        needs.extend(parent.clone());
        let position = row.id.map_or((0, 0), |(_, oid, sub)| (oid, sub));
        let (shown, comment, owner, grants) = (row.shown, row.comment, row.owner, row.grants.unwrap_or_default());
        catalog.objects.insert(own, Object { parent, shown, comment, owner, grants, definition, needs, position });
    }
    // What needs something outside of the model needs nothing that is made or dropped here.
    let known: BTreeSet<Key> = catalog.objects.keys().cloned().collect();
    for object in catalog.objects.values_mut() {
        object.needs.retain(|need| known.contains(need));
    }
    drop_orphans(&mut catalog);
    Ok(catalog)
}

/// A list of `varchar` constants has two printed forms that mean the same: as it was written, and as it is read again
/// from a dump. The first is taken for both.
fn same_lists(definition: &mut Definition) {
    for text in definition.expressions() {
        *text = one_cast(text);
    }
}

/// `ARRAY[('a'::character varying)::text, …]` is `(ARRAY['a'::character varying, …])::text[]`.
fn one_cast(text: &str) -> String {
    const OPEN: &str = "ARRAY[('";
    const CAST: &str = "'::character varying)::text";
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((list, behind)) = after.split_once(&format!("{CAST}]")) else { break };
        let items: Vec<&str> = list.split(&format!("{CAST}, ('")).collect();
        let plain = items.iter().all(|item| !item.replace("''", "").contains('\''));
        written += before;
        if plain {
            let items: Vec<String> = items.iter().map(|item| format!("'{item}'::character varying")).collect();
            written += &format!("(ARRAY[{}])::text[]", items.join(", "));
        } else {
            written += &format!("{OPEN}{list}{CAST}]");
        }
        rest = behind;
    }
    written + rest
}

/// The default of a column of something that is no part of the model.
fn drop_orphans(catalog: &mut Catalog) {
    let missing: Vec<Key> = catalog
        .objects
        .iter()
        .filter(|(_, object)| {
            object.parent.as_ref().is_some_and(|parent| parent.kind == ObjectKind::Column && !catalog.objects.contains_key(parent))
        })
        .map(|(key, _)| key.clone())
        .collect();
    for key in missing {
        catalog.objects.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_varchar_read_alike() {
        let first = "CHECK (((x)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[])))";
        let again = "CHECK (((x)::text = ANY (ARRAY[('a'::character varying)::text, ('it''s'::character varying)::text])))";
        assert_eq!(one_cast(again), first);
        assert_eq!(one_cast(first), first);
        assert_eq!(one_cast("ARRAY[('a'::text), x]"), "ARRAY[('a'::text), x]");
    }

    #[test]
    fn rows_become_objects_that_know_what_they_need() {
        let rows = [
            r#"{"id":["pg_class",20000,0],"name":"public.a","shown":"a","definition":{"table":{"unlogged":false,"parents":[],"replica_identity":"DEFAULT","options":[],"row_security":false,"force_row_security":false}}}"#,
            r#"{"id":["pg_class",20001,0],"name":"public.v","shown":"v","definition":{"view":{"materialized":false,"populated":true,"definition":"SELECT 1","options":[]}}}"#,
            r#"{"id":["pg_trigger",20002,0],"parent":["pg_class",99,0],"name":"public.b.t","shown":"t","definition":{"trigger":{"definition":"x","enabled":"O"}}}"#,
            r#"{"part":[["pg_rewrite",20003,0],["pg_class",20001,0]]}"#,
            r#"{"needs":[["pg_rewrite",20003,0],["pg_class",20000,2],"n"]}"#,
            r#"{"unknown":"collation public.c"}"#,
        ];
        let catalog = of_snapshot(&rows.join("\u{1e}")).expect("a catalog");
        let key = |kind, name: &str| Key { kind, name: name.to_owned() };
        assert_eq!(catalog.objects.len(), 2, "a part of something unknown is left out");
        assert!(catalog.objects[&key(ObjectKind::View, "public.v")].needs.contains(&key(ObjectKind::Table, "public.a")));
        assert_eq!(catalog.unknown.len(), 1);
    }

    #[test]
    fn a_row_that_is_not_as_it_should_be_is_told() {
        for (row, text) in [
            (r#"{"id":["pg_class","x",0]}"#, "`id` is no number"),
            (r#"{"part":[["pg_class",1,0]]}"#, "`part` is no list of that length"),
            (r#"{"definition":{"domain":{"base":"integer"}}}"#, "`not_null` is no boolean"),
            (r#"{"definition":{"trigger":{"definition":"x","enabled":"OO"}}}"#, "`enabled` is no letter"),
            (r#"{"definition":{"planet":{}}}"#, "`definition` is no definition"),
        ] {
            let fault = of_snapshot(row).expect_err("unreadable");
            assert_eq!(fault.0, text);
        }
        assert!(of_snapshot("{").is_err());
    }
}
