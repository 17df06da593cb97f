//! Rows of the catalog queries into a [`Catalog`].

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use thiserror::Error;

use crate::json::{Fields, FromJson, JsonError};
use crate::model::{Catalog, Definition, Grant, Key, Object, ObjectKind};

/// Why rows don't make a catalog.
#[derive(Debug, Error)]
#[error("the server's catalog reads in an unexpected way ({0}); is it PostgreSQL 13 to 18?")]
pub struct CatalogRowError(String);

/// Class, OID and column of an object in the catalog, as in `pg_depend`.
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
    /// The dependent object, the one that it depends on, and `pg_depend.deptype`.
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

/// One text of all rows, as `Scope::snapshot` gives it, into a catalog.
pub fn of_snapshot(text: &str) -> Result<Catalog, CatalogRowError> {
    let mut rows = CatalogRows::default();
    text.split('\u{1e}').filter(|row| !row.is_empty()).for_each(|row| rows.add(row));
    rows.catalog()
}

/// The rows that were read until now.
#[derive(Default)]
pub struct CatalogRows {
    found: HashMap<CatalogAddress, Key>,
    parts: HashMap<CatalogAddress, CatalogAddress>,
    needs: Vec<(CatalogAddress, CatalogAddress)>,
    objects: Vec<(Key, CatalogRow, Definition)>,
    unknown: BTreeSet<String>,
    error: Option<CatalogRowError>,
}

impl CatalogRows {
    /// Reads a row. An error is kept for [`Self::catalog`].
    pub fn add(&mut self, row: &str) {
        let row: Result<CatalogRow, String> = crate::json::read(row);
        match row {
            Ok(row) => self.keep(row),
            Err(error) => drop(self.error.get_or_insert(CatalogRowError(error))),
        }
    }

    fn keep(&mut self, mut row: CatalogRow) {
        if let (Some(id), Some(mut definition)) = (&row.id, row.definition.take()) {
            same_lists(&mut definition);
            let key = Key { kind: definition.kind(), name: std::mem::take(&mut row.name) };
            self.found.insert(id.clone(), key.clone());
            self.objects.push((key, row, definition));
        } else if let Some((who, whom, _)) = row.needs {
            self.needs.push((who, whom));
        } else if let Some((part, whole)) = row.part {
            self.parts.insert(part, whole);
        } else if let Some(unknown) = row.unknown {
            self.unknown.insert(unknown);
        }
    }

    /// All rows into a catalog.
    pub fn catalog(self) -> Result<Catalog, CatalogRowError> {
        let Self { found, parts, needs, objects, unknown, error } = self;
        error.map_or(Ok(()), Err)?;
        let mut catalog = Catalog { unknown, ..Catalog::default() };
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
        for (who, whom) in &needs {
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
        // Objects outside of the model are neither created nor dropped here.
        let known: BTreeSet<Key> = catalog.objects.keys().cloned().collect();
        for object in catalog.objects.values_mut() {
            object.needs.retain(|need| known.contains(need));
        }
        drop_orphans(&mut catalog);
        Ok(catalog)
    }
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
    fn a_malformed_row_is_reported() {
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
