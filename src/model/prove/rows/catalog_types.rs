//! The types that a catalog defines, by the names under which its columns show them. Pure.

use std::collections::HashMap;

use crate::model::{Attribute, Catalog, Definition, Key, ObjectKind};

/// What a type consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TypeStructure<'c> {
    /// An array of another type.
    Array(&'c str),
    /// An enum with its labels.
    Enum(&'c [String]),
    /// A composite type with its attributes.
    Composite(&'c [Attribute]),
    /// A domain over another type.
    Domain(&'c str),
    /// A range of another type.
    Range(&'c str),
    /// A type that the catalog does not define.
    Other,
}

/// The types of a catalog.
#[derive(Debug)]
pub(super) struct CatalogTypes<'c> {
    types: HashMap<&'c str, (&'c Key, &'c Definition)>,
}

impl<'c> CatalogTypes<'c> {
    /// Those of a catalog.
    pub(super) fn of(catalog: &'c Catalog) -> Self {
        let is_type = |kind: ObjectKind| matches!(kind, ObjectKind::Type | ObjectKind::Domain);
        let types = catalog.objects.iter().filter(|(key, _)| is_type(key.kind));
        Self { types: types.map(|(key, object)| (&*object.shown, (key, object.definition()))).collect() }
    }

    /// Those of some definitions, by name.
    #[cfg(test)]
    pub(super) fn of_definitions(key: &'c Key, definitions: &[(&'c str, &'c Definition)]) -> Self {
        Self { types: definitions.iter().map(|(name, definition)| (*name, (key, *definition))).collect() }
    }

    /// What a type consists of.
    pub(super) fn shape(&self, type_name: &'c str) -> TypeStructure<'c> {
        if let Some(element) = type_name.strip_suffix("[]") {
            return TypeStructure::Array(element);
        }
        match self.types.get(type_name).map(|(_, definition)| *definition) {
            Some(Definition::Enum(own)) => TypeStructure::Enum(&own.labels),
            Some(Definition::Composite(own)) => TypeStructure::Composite(&own.attributes),
            Some(Definition::Domain(own)) => TypeStructure::Domain(&own.base),
            Some(Definition::Range(own)) => own.subtype().map_or(TypeStructure::Other, TypeStructure::Range),
            _ => TypeStructure::Other,
        }
    }

    /// The key of a type, or of the type of an array's elements.
    pub(super) fn key(&self, type_name: &str) -> Option<&'c Key> {
        self.types.get(type_name.strip_suffix("[]").unwrap_or(type_name)).map(|(key, _)| *key)
    }

    /// The types that values of a type consist of, itself among them.
    pub(super) fn parts(&self, type_name: &'c str) -> Vec<&'c Key> {
        let mut found = Vec::new();
        let mut open = vec![type_name];
        while let Some(name) = open.pop() {
            if let Some(key) = self.key(name) {
                if found.contains(&key) {
                    continue;
                }
                found.push(key);
            }
            match self.shape(name) {
                TypeStructure::Array(inner) | TypeStructure::Domain(inner) | TypeStructure::Range(inner) => open.push(inner),
                TypeStructure::Composite(attributes) => open.extend(attributes.iter().map(|attribute| attribute.type_name.as_str())),
                TypeStructure::Enum(_) | TypeStructure::Other => {}
            }
        }
        found
    }
}
