//! What a comparison is about: the model, completed by the objects of the other schema that are none of its business. They are in both
//! catalogs then, so that no statement drops them, and one that stands in the way is dropped and created again. Pure.

use std::collections::BTreeSet;

use super::ignored::Ignored;
use super::left_alone::LeftAlone;
use super::obstacles;
use super::orm;
use super::scoped_model::{ScopedModel, owner, with_parts};
use super::version_tables::is_version_table;
use crate::config::ModelScope;
use crate::model::ignore::Ignore;
use crate::model::kinds::interface::Namespace;
use crate::model::sql_text::unquoted;
use crate::model::{Catalog, Definition, Key, Object, ObjectKind};

/// What is compared.
#[derive(Clone, Debug)]
pub struct ComparisonScope {
    /// What the model can express.
    pub model: ModelScope,
    /// `--ignore`.
    pub ignored: Vec<Ignored>,
    /// `--only`: the schemas; all if none is named.
    pub only: Vec<String>,
}

impl ComparisonScope {
    /// The same without what only a model lacks: for two schemas that revisions created.
    pub fn without_model(&self) -> Self {
        Self { model: ModelScope::All, ..self.clone() }
    }

    /// The properties that are not compared.
    pub fn properties(&self) -> Ignore {
        let ignores = |what| self.ignored.contains(&what);
        Ignore { owners: ignores(Ignored::Owners), grants: ignores(Ignored::Grants), comments: ignores(Ignored::Comments) }
    }

    /// Completes the model by what `old` has and is not compared.
    pub fn complete(&self, model: Catalog, old: &Catalog, server: u32) -> ScopedModel {
        let outside: BTreeSet<Key> = self.outside(&model, old).union(&self.outside(old, &model)).cloned().collect();
        let is_unknown = |schema: &&String| ![&model, old].into_iter().any(|catalog| has_schema(catalog, schema));
        let unknown_schemas = self.only.iter().filter(is_unknown).cloned().collect();
        let mut scoped = ScopedModel {
            catalog: model,
            foreign: BTreeSet::new(),
            left_alone: LeftAlone::default(),
            unknown_schemas,
            obstacles: Vec::new(),
        };
        let left_out: BTreeSet<Key> = scoped.catalog.objects.keys().filter(|key| outside.contains(key)).cloned().collect();
        if !left_out.is_empty() {
            scoped.catalog.objects.retain(|key, _| !left_out.contains(key));
        }
        let theirs = old.objects.iter().filter(|(key, _)| outside.contains(*key));
        scoped.take_with_parts(theirs, |_, key, _, _| Some(is_version_table(key, old).then_some("version table")));
        scoped.keep_filled(old);
        if self.ignored.contains(&Ignored::RowSecurity) {
            scoped.keep_row_security(old);
        }
        if self.model == ModelScope::Orm {
            orm::complete(&mut scoped, old, &outside, server);
        }
        scoped.catalog = scoped.catalog.with_ignored_of(old, self.properties());
        scoped.obstacles.extend(obstacles::find(&mut scoped.catalog, old, &scoped.foreign, &left_out));
        scoped
    }

    /// Objects of a catalog that are not compared, with their parts.
    fn outside(&self, catalog: &Catalog, other: &Catalog) -> BTreeSet<Key> {
        let version_tables: BTreeSet<Key> = catalog.objects.keys().filter(|key| is_version_table(key, catalog)).cloned().collect();
        let version_tables = with_parts(catalog, version_tables);
        let mut outside: BTreeSet<Key> = only_in(catalog, &version_tables);
        outside.extend(version_tables);
        if !self.only.is_empty() || self.ignored.iter().any(|ignored| matches!(ignored, Ignored::Kind(_))) {
            let chosen = catalog.objects.iter().filter(|(key, object)| self.is_outside(key, object, other));
            outside.extend(chosen.map(|(key, _)| key.clone()));
            outside = with_parts(catalog, outside);
        }
        outside
    }

    fn is_outside(&self, key: &Key, object: &Object, other: &Catalog) -> bool {
        let is_named = |schema: &str| self.only.iter().any(|only| *only == unquoted(schema));
        let is_elsewhere = !self.only.is_empty()
            && match (key.kind.facts().namespace, object.definition()) {
                (Namespace::Schema, _) => !is_named(key.schema()),
                (Namespace::Itself, _) => !is_named(&key.name),
                (Namespace::Database, Definition::Extension(extension)) => !is_named(&extension.schema),
                (Namespace::Database, _) => true,
            };
        // These are created with a new table, in its CREATE TABLE.
        let is_in_create = || match key.kind {
            ObjectKind::Column | ObjectKind::Default | ObjectKind::Constraint => {
                object.parent.as_ref().is_some_and(|parent| !other.objects.contains_key(parent))
            }
            ObjectKind::Sequence => owner(object).is_some_and(|owner| !other.objects.contains_key(&owner)),
            ObjectKind::Schema
            | ObjectKind::Extension
            | ObjectKind::Type
            | ObjectKind::Domain
            | ObjectKind::Table
            | ObjectKind::Index
            | ObjectKind::View
            | ObjectKind::Routine
            | ObjectKind::Aggregate
            | ObjectKind::Trigger
            | ObjectKind::Rule
            | ObjectKind::Policy
            | ObjectKind::Statistics
            | ObjectKind::EventTrigger
            | ObjectKind::DefaultPrivileges => false,
        };
        is_elsewhere || self.ignored.contains(&Ignored::Kind(key.kind)) && !is_in_create()
    }
}

/// The schemas, other than `public`, that have nothing but these objects.
fn only_in(catalog: &Catalog, some: &BTreeSet<Key>) -> BTreeSet<Key> {
    let schema = |key: &Key| Key { kind: ObjectKind::Schema, name: key.schema().into() };
    let mut schemas: BTreeSet<Key> = some.iter().map(schema).filter(|schema| &*schema.name != "public").collect();
    if !schemas.is_empty() {
        let others = catalog.objects.keys().filter(|key| key.kind.facts().namespace == Namespace::Schema && !some.contains(key));
        for key in others {
            schemas.remove(&schema(key));
        }
    }
    schemas
}

fn has_schema(catalog: &Catalog, name: &str) -> bool {
    catalog.objects.keys().any(|key| key.kind == ObjectKind::Schema && unquoted(&key.name) == name)
}
