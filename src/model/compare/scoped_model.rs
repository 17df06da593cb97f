//! A model, completed by objects of the other schema, which stay as they are. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use thiserror::Error;

use super::left_alone::LeftAlone;
use crate::exit::{Exit, Explain};
use crate::model::{Catalog, Definition, Key, Object, ObjectKind};

/// Why the model can't be compared in a scope.
#[derive(Debug, Error)]
pub enum ScopeError {
    /// `--only` names schemas that neither side has.
    #[error("--only names {}, and neither side has such a schema", .0.join(", "))]
    UnknownSchema(Vec<String>),
    /// No statements lead to the model, each reason in a sentence.
    #[error("{}", .0.join("\n"))]
    Obstacles(Vec<String>),
}

impl Explain for ScopeError {
    fn exit(&self) -> Exit {
        match self {
            Self::UnknownSchema(_) => Exit::Usage,
            Self::Obstacles(_) => Exit::No,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::UnknownSchema(_) => "write the name as the catalog has it; nothing was written",
            Self::Obstacles(_) => {
                "nothing was written; change or drop what is in the way with `pgmarch create --manual MESSAGE`, or compare it too: --scope all, fewer words of --ignore, more schemas of --only"
            }
        }
        .into()
    }
}

/// The model, and what is not part of it as the other schema has it.
#[derive(Clone, Debug)]
pub struct ScopedModel {
    /// Both together.
    pub catalog: Catalog,
    /// Objects that come from the other schema.
    pub(super) foreign: BTreeSet<Key>,
    /// Those that are listed.
    pub left_alone: LeftAlone,
    /// Schemas of `--only` that neither side has.
    pub(super) unknown_schemas: Vec<String>,
    /// Why no statements lead there, each in a sentence.
    pub(super) obstacles: Vec<String>,
}

impl ScopedModel {
    /// Adds objects of the other schema, if they stay: a part only if what it is a part of is there, or is added as well. `stays`
    /// tells, from the object it is a part of, whether a part stays, and the kind under which it is listed.
    pub(super) fn take_with_parts<'o>(
        &mut self,
        theirs: impl Iterator<Item = (&'o Key, &'o Object)>,
        stays: impl Fn(&Self, &Key, &Object, Option<&Key>) -> Option<Option<&'static str>>,
    ) {
        let mut rest: Vec<(&Key, &Object, Option<Key>)> =
            theirs.map(|(key, object)| (key, object, object.parent.clone().or_else(|| owner(object)))).collect();
        loop {
            let before = rest.len();
            let mut waiting = Vec::new();
            for (key, object, whole) in rest {
                if !whole.as_ref().is_none_or(|whole| self.catalog.objects.contains_key(whole)) {
                    waiting.push((key, object, whole));
                } else if let Some(listed) = stays(self, key, object, whole.as_ref()) {
                    self.catalog.objects.insert(key.clone(), object.clone());
                    self.foreign.insert(key.clone());
                    listed.into_iter().for_each(|kind| self.left_alone.add(kind, &key.name));
                }
            }
            if waiting.is_empty() || waiting.len() == before {
                return;
            }
            rest = waiting;
        }
    }

    /// Whether an object comes from the other schema.
    pub(super) fn is_foreign(&self, key: &Key) -> bool {
        self.foreign.contains(key)
    }

    /// The model alone, to complete it again after renames.
    pub fn into_model(mut self) -> Catalog {
        self.catalog.objects.retain(|key, _| !self.foreign.contains(key));
        self.catalog
    }

    /// Refuses a schema of `--only` that neither side has.
    pub fn check_schemas(&self) -> Result<(), ScopeError> {
        if self.unknown_schemas.is_empty() { Ok(()) } else { Err(ScopeError::UnknownSchema(self.unknown_schemas.clone())) }
    }

    /// Refuses if no statements lead there.
    pub fn check(&self) -> Result<(), ScopeError> {
        self.check_schemas()?;
        if self.obstacles.is_empty() { Ok(()) } else { Err(ScopeError::Obstacles(self.obstacles.clone())) }
    }

    /// The model after the statements have run. What is left alone is compared only by its presence and properties: what was dropped
    /// and recreated shows the new types of the columns that it uses.
    pub fn settled(&self, result: &Catalog) -> Cow<'_, Catalog> {
        let mut settled = Cow::Borrowed(&self.catalog);
        for key in &self.foreign {
            let (Some(own), Some(after)) = (self.catalog.objects.get(key), result.objects.get(key)) else { continue };
            if own.has_same_definition(after) {
                continue;
            }
            let Some(object) = settled.to_mut().objects.get_mut(key) else { continue };
            let content = object.content_mut();
            content.shared_definition = after.shared_definition.clone();
            for was in own.definition().attributes() {
                let mut attributes = content.definition_mut().attributes_mut().iter_mut();
                if let Some(attribute) = attributes.find(|attribute| attribute.name == was.name) {
                    (attribute.comment, attribute.grants) = (was.comment.clone(), was.grants.clone());
                }
            }
        }
        settled
    }

    /// Materialized views that are filled stay so: `pg_dump --schema-only` writes each `WITH NO DATA`, and whether one is filled is data.
    pub(super) fn keep_filled(&mut self, old: &Catalog) {
        for (key, object) in &mut self.catalog.objects {
            let is_filled = |object: &Object| matches!(object.definition(), Definition::View(view) if view.materialized && view.populated);
            if !is_filled(object)
                && old.objects.get(key).is_some_and(is_filled)
                && let Definition::View(view) = object.content_mut().definition_mut()
            {
                view.populated = true;
            }
        }
    }

    /// Row-level security as the other schema has it.
    pub(super) fn keep_row_security(&mut self, old: &Catalog) {
        for (key, object) in &mut self.catalog.objects {
            let Some(table) = object.definition().as_table() else { continue };
            let before = old.objects.get(key).and_then(|before| before.definition().as_table());
            let (enabled, forced) = before.map_or((false, false), |before| (before.row_security, before.force_row_security));
            if (table.row_security, table.force_row_security) != (enabled, forced)
                && let Definition::Table(table) = object.content_mut().definition_mut()
            {
                (table.row_security, table.force_row_security) = (enabled, forced);
            }
        }
    }
}

/// The column that owns a sequence.
pub(super) fn owner(object: &Object) -> Option<Key> {
    let Definition::Sequence(sequence) = object.definition() else { return None };
    let (table, _, column) = sequence.owned_by.as_ref()?;
    Some(Key { kind: ObjectKind::Column, name: format!("{table}.{column}").into() })
}

/// Some objects with their parts and the sequences of their columns.
pub(super) fn with_parts(catalog: &Catalog, mut some: BTreeSet<Key>) -> BTreeSet<Key> {
    while !some.is_empty() {
        let is_part = |object: &Object| {
            object.parent.as_ref().is_some_and(|parent| some.contains(parent)) || owner(object).is_some_and(|owner| some.contains(&owner))
        };
        let more: Vec<Key> =
            catalog.objects.iter().filter(|(key, object)| !some.contains(*key) && is_part(object)).map(|(key, _)| key.clone()).collect();
        if more.is_empty() {
            break;
        }
        some.extend(more);
    }
    some
}
