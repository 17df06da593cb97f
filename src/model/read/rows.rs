//! Rows of the catalog queries into a [`Catalog`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::model::{Catalog, Definition, Grant, Key, Object, ObjectContent, ObjectKind, Properties};

use super::shared::SharedObjects;

/// Why rows don't make a catalog.
#[derive(Debug, Error)]
pub enum CatalogRowError {
    /// A row has another form.
    #[error("{0}")]
    Form(serde_path_to_error::Error<serde_json::Error>),
    /// The places of objects are 32-bit numbers.
    #[error("more than 4 billion objects")]
    TooMany,
}

/// Class, OID and column of an object in the catalog, as in `pg_depend`. The class is the place of its name in [`CatalogRows::classes`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct CatalogAddress {
    class: u8,
    oid: u32,
    column: i32,
}

/// The same, as a row has it.
type AddressText<'r> = (&'r str, u32, i32);

/// A row of the catalog queries.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum CatalogRow<'r> {
    /// A row of `catalog.sql`.
    #[serde(borrow)]
    Object(ObjectRow<'r>),
    /// What is no object of the model, and the object that it is a part of.
    #[serde(borrow)]
    Part([AddressText<'r>; 2]),
    /// The dependent object, and the one that it depends on (`pg_depend`).
    #[serde(borrow)]
    Needs([AddressText<'r>; 2]),
    /// An object that is not compared, in words.
    Unknown(String),
}

/// An object, as `catalog.sql` has it and a snapshot in the ledger.
#[derive(Deserialize, Serialize)]
#[allow(missing_docs, reason = "as in Object and Properties")]
pub struct ObjectRow<'r> {
    #[serde(borrow)]
    pub id: AddressText<'r>,
    #[serde(borrow)]
    pub parent: Option<AddressText<'r>>,
    pub name: String,
    pub shown: String,
    pub comment: Option<String>,
    pub owner: Option<String>,
    pub grants: Option<Vec<Grant>>,
    /// A [`Definition`], which is parsed if it is not known: most are equal to one of another row.
    #[serde(borrow)]
    pub definition: &'r RawValue,
}

/// Parses JSON. An error says where in it: `column.not_null.valid: invalid type: …`.
fn parse<'r, T: Deserialize<'r>>(json: &'r str) -> Result<T, CatalogRowError> {
    let mut parser = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut parser).map_err(CatalogRowError::Form)
}

/// One text of all rows, as `Scope::snapshot` gives it, into a catalog.
pub fn of_snapshot(text: &str, shared: &SharedObjects) -> Result<Catalog, CatalogRowError> {
    let mut rows = CatalogRows::new(shared.clone());
    for row in text.split('\u{1e}').filter(|row| !row.is_empty()) {
        rows.add_object(parse(row)?)?;
    }
    Ok(rows.catalog())
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
}

/// An object whose parent and dependencies are not known yet.
struct RowObject {
    key: Key,
    /// Either what was read before of the object of this key, or without parent and dependencies.
    content: Arc<ObjectContent>,
    parent: Option<CatalogAddress>,
    position: (u32, i32),
}

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
        }
    }

    /// Reads a row.
    pub fn add(&mut self, row: &str) -> Result<(), CatalogRowError> {
        match parse(row)? {
            CatalogRow::Object(object) => self.add_object(object)?,
            CatalogRow::Part([part, whole]) => {
                let (part, whole) = (self.address(part), self.address(whole));
                self.parts.insert(part, whole);
            }
            CatalogRow::Needs([who, whom]) => {
                let (who, whom) = (self.address(who), self.address(whom));
                if let (Some(who), Some(whom)) = (self.index(who), self.index(whom))
                    && who != whom
                {
                    self.needs.push((who, whom));
                }
            }
            CatalogRow::Unknown(unknown) => {
                self.unknown.insert(unknown);
            }
        }
        Ok(())
    }

    fn add_object(&mut self, row: ObjectRow<'_>) -> Result<(), CatalogRowError> {
        let shared = self.shared.clone();
        let mut known = shared.known();
        let definition = known.definition(row.definition.get(), |json| {
            let mut definition: Definition = parse(json)?;
            same_lists(&mut definition);
            Ok::<_, CatalogRowError>(definition)
        })?;
        let address = self.address(row.id);
        let parent = row.parent.map(|parent| self.address(parent));
        let mut key = Key { kind: definition.kind(), name: row.name.into() };
        let properties = Properties {
            comment: row.comment.map(String::into_boxed_str),
            owner: row.owner.map(String::into_boxed_str),
            grants: row.grants.map(Vec::into_boxed_slice),
        }
        .boxed();
        let is_same = |content: &ObjectContent| {
            Arc::ptr_eq(&content.shared_definition, &definition) && *content.shown == *row.shown && content.properties == properties
        };
        let content = match known.object(&key) {
            Some((same, content)) if is_same(content) => {
                let content = content.clone();
                key = same.clone();
                content
            }
            _ => {
                let shown = if key.kind == ObjectKind::Column { known.name(row.shown) } else { row.shown.into() };
                Arc::new(ObjectContent { parent: None, shown, properties, shared_definition: definition, others: Box::default() })
            }
        };
        let index = u32::try_from(self.objects.len()).map_err(|_| CatalogRowError::TooMany)?;
        self.found.insert(address, index);
        self.objects.push(RowObject { key, content, parent, position: (address.oid, address.column) });
        Ok(())
    }

    fn address(&mut self, (class, oid, column): AddressText<'_>) -> CatalogAddress {
        let place = self.classes.iter().position(|known| known == class).unwrap_or_else(|| {
            self.classes.push(class.to_owned());
            self.classes.len() - 1
        });
        CatalogAddress { class: u8::try_from(place).unwrap_or(u8::MAX), oid, column }
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
    pub fn catalog(mut self) -> Catalog {
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
        Catalog { objects: objects.collect(), unknown: self.unknown }
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

    fn catalog(rows: &[&str]) -> Result<Catalog, CatalogRowError> {
        let mut catalog = CatalogRows::new(SharedObjects::default());
        rows.iter().try_for_each(|row| catalog.add(row))?;
        Ok(catalog.catalog())
    }

    #[test]
    fn rows_become_objects_that_know_what_they_need() {
        let rows = [
            r#"{"object":{"id":["pg_class",20000,0],"name":"public.a","shown":"a","definition":{"table":{"unlogged":false,"parents":[],"replica_identity":"DEFAULT","options":[],"row_security":false,"force_row_security":false}}}}"#,
            r#"{"object":{"id":["pg_class",20001,0],"name":"public.v","shown":"v","definition":{"view":{"materialized":false,"populated":true,"definition":"SELECT 1","options":[]}}}}"#,
            r#"{"object":{"id":["pg_trigger",20002,0],"parent":["pg_class",99,0],"name":"public.b.t","shown":"t","definition":{"trigger":{"definition":"x","enabled":"O"}}}}"#,
            r#"{"part":[["pg_rewrite",20003,0],["pg_class",20001,0]]}"#,
            r#"{"needs":[["pg_rewrite",20003,0],["pg_class",20000,2]]}"#,
            r#"{"unknown":"collation public.c"}"#,
        ];
        let catalog = catalog(&rows).expect("a catalog");
        let key = |kind, name: &str| Key { kind, name: name.into() };
        assert_eq!(catalog.objects.len(), 2, "a part of something unknown is left out");
        assert!(catalog.objects[&key(ObjectKind::View, "public.v")].needs().any(|need| *need == key(ObjectKind::Table, "public.a")));
        assert_eq!(catalog.unknown.len(), 1);
    }

    #[test]
    fn a_malformed_row_is_reported_with_its_field() {
        let object = |id: &str, definition: &str| format!(r#"{{"object":{{"id":{id},"name":"n","shown":"n","definition":{definition}}}}}"#);
        for (row, text) in [
            (object(r#"["pg_class","x",0]"#, "{}"), "object.id[1]: invalid type: string \"x\", expected u32"),
            (r#"{"part":[["pg_class",1,0]]}"#.to_owned(), "part: invalid length 1, expected an array of length 2"),
            (object(r#"["pg_type",1,0]"#, r#"{"domain":{"base":"integer"}}"#), "domain: missing field `not_null`"),
            (
                object(r#"["pg_trigger",1,0]"#, r#"{"trigger":{"definition":"x","enabled":"OO"}}"#),
                "trigger.enabled: invalid value: string \"OO\", expected a character",
            ),
            (object(r#"["pg_planet",1,0]"#, r#"{"planet":{}}"#), "unknown variant `planet`, expected one of `schema`, `extension`, "),
            ("{".to_owned(), "EOF while parsing"),
        ] {
            let error = catalog(&[&row]).expect_err("unreadable").to_string();
            assert!(error.starts_with(text), "{error}");
        }
    }
}
