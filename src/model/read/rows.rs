//! Rows of the catalog queries into a [`Catalog`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::json::{Fields, FromJson, JsonError};
use crate::model::{Catalog, Definition, Grant, Key, Object, ObjectContent, ObjectKind, Properties};

use super::shared::SharedObjects;

/// Why rows don't make a catalog.
#[derive(Debug, Error)]
#[error("the server's catalog reads in an unexpected way ({0}); is it PostgreSQL 13 to 18?")]
pub struct CatalogRowError(String);

/// Class, OID and column of an object in the catalog, as in `pg_depend`. The class is the place of its name in [`CatalogRows::classes`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct CatalogAddress {
    class: u8,
    oid: u32,
    column: i32,
}

/// The same, as a row has it.
type AddressText = (String, u32, i32);

/// A row but for its definition.
struct RowHead {
    id: Option<AddressText>,
    parent: Option<AddressText>,
    name: String,
    shown: String,
    comment: Option<String>,
    owner: Option<String>,
    grants: Option<Vec<Grant>>,
    /// The dependent object, the one that it depends on, and `pg_depend.deptype`.
    needs: Option<(AddressText, AddressText, char)>,
    part: Option<(AddressText, AddressText)>,
    unknown: Option<String>,
}

impl FromJson for RowHead {
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
            needs: its.get("needs"),
            part: its.get("part"),
            unknown: its.get("unknown"),
        }
    }
}

/// One text of all rows, as `Scope::snapshot` gives it, into a catalog.
pub fn of_snapshot(text: &str, shared: &SharedObjects) -> Result<Catalog, CatalogRowError> {
    let mut rows = CatalogRows::new(shared.clone());
    text.split('\u{1e}').filter(|row| !row.is_empty()).for_each(|row| rows.add(row));
    rows.catalog()
}

/// The rows that were read until now: objects first, then parts, then dependencies.
pub struct CatalogRows {
    shared: SharedObjects,
    classes: Vec<String>,
    objects: Vec<RowObject>,
    /// The index of each object.
    found: HashMap<CatalogAddress, u32>,
    parts: HashMap<CatalogAddress, CatalogAddress>,
    /// Indexes of the dependent object and of the one that it depends on.
    needs: Vec<(u32, u32)>,
    unknown: BTreeSet<String>,
    error: Option<CatalogRowError>,
}

/// An object whose parent and dependencies are not known yet.
struct RowObject {
    key: Key,
    /// Either what was read before of the object of this key, or without parent and dependencies.
    content: Arc<ObjectContent>,
    parent: Option<CatalogAddress>,
    position: (u32, i32),
}

/// Where the definition begins in a row: as the server prints it, and not within a text, as there its quotes are escaped.
const DEFINITION: &str = ", \"definition\" : ";

impl CatalogRows {
    /// No rows.
    pub fn new(shared: SharedObjects) -> Self {
        Self {
            shared,
            classes: Vec::new(),
            objects: Vec::new(),
            found: HashMap::new(),
            parts: HashMap::new(),
            needs: Vec::new(),
            unknown: BTreeSet::new(),
            error: None,
        }
    }

    /// Reads a row. An error is kept for [`Self::catalog`].
    pub fn add(&mut self, row: &str) {
        if let Err(error) = self.read(row) {
            self.error.get_or_insert(CatalogRowError(error));
        }
    }

    fn read(&mut self, row: &str) -> Result<(), String> {
        let Some((head, rest)) = row.split_once(DEFINITION) else {
            let head: RowHead = crate::json::read(row)?;
            self.add_other(head);
            return Ok(());
        };
        let json = rest.strip_suffix('}').ok_or("a row does not end with its definition")?;
        let head: RowHead = crate::json::read(&format!("{head}}}"))?;
        let Some(id) = &head.id else { return Ok(()) };
        let shared = self.shared.clone();
        let mut known = shared.known();
        let definition = known.definition(json, || {
            let mut definition: Definition = crate::json::read_field("definition", json)?;
            same_lists(&mut definition);
            Ok(definition)
        })?;
        let address = self.address(id);
        let parent = head.parent.as_ref().map(|parent| self.address(parent));
        let mut key = Key { kind: definition.kind(), name: head.name.into() };
        let properties = Properties {
            comment: head.comment.map(String::into_boxed_str),
            owner: head.owner.map(String::into_boxed_str),
            grants: head.grants.unwrap_or_default().into_boxed_slice(),
        }
        .boxed();
        let is_same = |content: &ObjectContent| {
            Arc::ptr_eq(&content.shared_definition, &definition) && *content.shown == *head.shown && content.properties == properties
        };
        let content = match known.object(&key) {
            Some((same, content)) if is_same(content) => {
                let content = content.clone();
                key = same.clone();
                content
            }
            _ => {
                let shown = if key.kind == ObjectKind::Column { known.name(head.shown) } else { head.shown.into() };
                Arc::new(ObjectContent { parent: None, shown, properties, shared_definition: definition, others: Box::default() })
            }
        };
        let index = u32::try_from(self.objects.len()).map_err(|_| "more objects than there can be")?;
        self.found.insert(address, index);
        self.objects.push(RowObject { key, content, parent, position: (address.oid, address.column) });
        Ok(())
    }

    fn add_other(&mut self, row: RowHead) {
        if let Some((who, whom, _)) = row.needs {
            let (who, whom) = (self.address(&who), self.address(&whom));
            if let (Some(who), Some(whom)) = (self.index(who), self.index(whom))
                && who != whom
            {
                self.needs.push((who, whom));
            }
        } else if let Some((part, whole)) = row.part {
            let (part, whole) = (self.address(&part), self.address(&whole));
            self.parts.insert(part, whole);
        } else if let Some(unknown) = row.unknown {
            self.unknown.insert(unknown);
        }
    }

    fn address(&mut self, (class, oid, column): &AddressText) -> CatalogAddress {
        let place = self.classes.iter().position(|known| known == class).unwrap_or_else(|| {
            self.classes.push(class.clone());
            self.classes.len() - 1
        });
        CatalogAddress { class: u8::try_from(place).unwrap_or(u8::MAX), oid: *oid, column: *column }
    }

    /// The object at an address, or the one that what is there is a part of: a column of a view, the row type of a table, an array type.
    fn index(&self, mut address: CatalogAddress) -> Option<u32> {
        for _ in 0..4 {
            if let Some(index) = self.found.get(&address) {
                return Some(*index);
            }
            address = match self.parts.get(&address) {
                Some(whole) => *whole,
                None if address.column != 0 => CatalogAddress { column: 0, ..address },
                None => return None,
            };
        }
        None
    }

    /// Whether an object is part of the model: what it is a part of is, too. The version table is not, nor is an extension's table.
    fn is_of_model(&self, mut index: usize) -> bool {
        while let Some(parent) = self.objects[index].parent {
            match self.found.get(&parent) {
                Some(above) => index = *above as usize,
                None => return false,
            }
        }
        true
    }

    /// All rows into a catalog.
    pub fn catalog(mut self) -> Result<Catalog, CatalogRowError> {
        self.error.take().map_or(Ok(()), Err)?;
        self.parts = HashMap::new();
        let is_of_model: Vec<bool> = (0..self.objects.len()).map(|index| self.is_of_model(index)).collect();
        let parents: Vec<Option<u32>> =
            self.objects.iter().map(|object| object.parent.and_then(|parent| self.found.get(&parent).copied())).collect();
        self.found = HashMap::new();
        // In the order of the dependent objects.
        self.needs.sort_unstable();
        self.needs.dedup();
        let mut needs = self.needs.into_iter().peekable();
        let mut known = self.shared.known();
        for index in 0..self.objects.len() {
            let parent = parents[index].map(|parent| parent as usize);
            let mut others: Vec<Key> = Vec::new();
            while let Some((_, need)) = needs.next_if(|(who, _)| *who as usize == index) {
                // Objects outside of the model are neither created nor dropped here.
                if is_of_model[need as usize] && Some(need as usize) != parent {
                    others.push(self.objects[need as usize].key.clone());
                }
            }
            others.sort_unstable();
            let parent = parent.map(|parent| self.objects[parent].key.clone());
            let object = &mut self.objects[index];
            if object.content.parent != parent || *object.content.others != *others {
                let content = Arc::make_mut(&mut object.content);
                (content.parent, content.others) = (parent, others.into_boxed_slice());
            }
            if is_of_model[index] {
                known.keep(&object.key, &object.content);
            }
        }
        let objects = self.objects.into_iter().zip(is_of_model).filter(|(_, is_of_model)| *is_of_model);
        let objects = objects.map(|(object, _)| (object.key, Object::new(object.content, object.position)));
        Ok(Catalog { objects: objects.collect(), unknown: self.unknown })
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
            r#"{"id":["pg_class",20000,0],"name":"public.a","shown":"a", "definition" : {"table":{"unlogged":false,"parents":[],"replica_identity":"DEFAULT","options":[],"row_security":false,"force_row_security":false}}}"#,
            r#"{"id":["pg_class",20001,0],"name":"public.v","shown":"v", "definition" : {"view":{"materialized":false,"populated":true,"definition":"SELECT 1","options":[]}}}"#,
            r#"{"id":["pg_trigger",20002,0],"parent":["pg_class",99,0],"name":"public.b.t","shown":"t", "definition" : {"trigger":{"definition":"x","enabled":"O"}}}"#,
            r#"{"part":[["pg_rewrite",20003,0],["pg_class",20001,0]]}"#,
            r#"{"needs":[["pg_rewrite",20003,0],["pg_class",20000,2],"n"]}"#,
            r#"{"unknown":"collation public.c"}"#,
        ];
        let catalog = of_snapshot(&rows.join("\u{1e}"), &SharedObjects::default()).expect("a catalog");
        let key = |kind, name: &str| Key { kind, name: name.into() };
        assert_eq!(catalog.objects.len(), 2, "a part of something unknown is left out");
        assert!(catalog.objects[&key(ObjectKind::View, "public.v")].needs().any(|need| *need == key(ObjectKind::Table, "public.a")));
        assert_eq!(catalog.unknown.len(), 1);
    }

    #[test]
    fn a_malformed_row_is_reported() {
        for (row, text) in [
            (r#"{"id":["pg_class","x",0]}"#, "`id` is no number"),
            (r#"{"part":[["pg_class",1,0]]}"#, "`part` is no list of that length"),
            (r#"{"id":["pg_type",1,0], "definition" : {"domain":{"base":"integer"}}}"#, "`not_null` is no boolean"),
            (r#"{"id":["pg_trigger",1,0], "definition" : {"trigger":{"definition":"x","enabled":"OO"}}}"#, "`enabled` is no letter"),
            (r#"{"id":["pg_planet",1,0], "definition" : {"planet":{}}}"#, "`definition` is no definition"),
        ] {
            let fault = of_snapshot(row, &SharedObjects::default()).expect_err("unreadable");
            assert_eq!(fault.0, text);
        }
        assert!(of_snapshot("{", &SharedObjects::default()).is_err());
    }
}
