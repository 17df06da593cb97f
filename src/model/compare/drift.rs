//! Drift: which objects of a live database are compared with those that its revisions create in a scratch database. What differs
//! between any two environments is no drift. Pure.

use std::collections::{BTreeSet, HashSet};

use super::Ignore;
use super::scoped_model::with_parts;
use super::version_tables::is_version_table;
use crate::model::kinds::interface::Namespace;
use crate::model::{Catalog, Definition, Key, ObjectKind, Properties};

/// Which objects of a live database are compared with its revisions.
#[derive(Clone, Debug, Default)]
pub struct DriftScope {
    /// The schemas that are compared, as a [`Key`] has them.
    pub schemas: BTreeSet<String>,
    /// Of these, those that exist without the revisions: `public`, and a tenant's own. Their own properties are not compared.
    pub given: BTreeSet<String>,
    /// Of these, those in which revisions of other version tables create objects as well.
    pub shared: BTreeSet<String>,
}

/// Rights and owners differ between environments.
pub const BY_ENVIRONMENT: Ignore = Ignore { owners: true, grants: true, comments: false };

impl DriftScope {
    /// Removes from both catalogs what is not compared; returns how many objects were left out because the revisions of another version
    /// table may have created them.
    pub fn restrict(&self, made: &mut Catalog, live: &mut Catalog) -> usize {
        for catalog in [&mut *made, &mut *live] {
            catalog.objects.retain(|key, object| self.holds(key, object.definition()));
            for (key, object) in &mut catalog.objects {
                if key.kind == ObjectKind::View {
                    object.content_mut().definition_mut().forget_data();
                }
            }
        }
        // The versions of extensions depend on the server.
        for (key, object) in &mut live.objects {
            if let (ObjectKind::Extension, Some(expected)) = (key.kind, made.objects.get(key)) {
                let content = object.content_mut();
                content.shared_definition = expected.shared_definition.clone();
                let comment = expected.comment().map(Box::from);
                content.properties = Properties { comment, ..content.properties.take().map(|own| *own).unwrap_or_default() }.boxed();
            }
        }
        let new: Vec<Key> = live.objects.keys().filter(|key| !made.objects.contains_key(key)).cloned().collect();
        let is_root = |key: &Key| live.objects.get(key).is_some_and(|object| object.parent.is_none());
        let (mut out, mut of_others) = (BTreeSet::new(), 0);
        for key in new {
            if is_environment(&key, live, made) {
                out.insert(key);
            } else if self.shared.contains(key.schema()) && is_root(&key) {
                of_others += 1;
                out.insert(key);
            }
        }
        without(live, out);
        forget_needs(made);
        forget_needs(live);
        of_others
    }

    fn holds(&self, key: &Key, definition: &Definition) -> bool {
        if definition.as_default_privileges().is_some_and(|privileges| privileges.schema.is_none()) {
            return true;
        }
        match key.kind.facts().namespace {
            Namespace::Database => true,
            Namespace::Itself => self.schemas.contains(&*key.name) && !self.given.contains(&*key.name),
            Namespace::Schema => self.schemas.contains(key.schema()),
        }
    }
}

/// Whether something that only the live database has belongs to the environment: an extension, an event trigger, another tool's
/// version table, a partition that a job has added, default privileges of another role.
fn is_environment(key: &Key, live: &Catalog, made: &Catalog) -> bool {
    match live.objects.get(key).map(|object| object.definition()) {
        Some(definition) if definition.kind().facts().namespace == Namespace::Database => true,
        Some(Definition::DefaultPrivileges(privileges)) => privileges.role.is_some(),
        Some(Definition::Table(table)) => {
            let is_partition = table.bound.is_some()
                && table
                    .parents
                    .iter()
                    .any(|(parent, _)| made.objects.contains_key(&Key { kind: ObjectKind::Table, name: parent.as_str().into() }));
            is_partition || is_version_table(key, live)
        }
        _ => false,
    }
}

/// Removes objects, with their parts and the sequences of their columns.
fn without(catalog: &mut Catalog, out: BTreeSet<Key>) {
    let out = with_parts(catalog, out);
    catalog.objects.retain(|key, _| !out.contains(key));
}

/// Removes dependencies on objects that were removed.
fn forget_needs(catalog: &mut Catalog) {
    let known: HashSet<Key> = catalog.objects.keys().cloned().collect();
    for object in catalog.objects.values_mut() {
        if !object.others.iter().all(|need| known.contains(need)) {
            let kept = object.others.iter().filter(|need| known.contains(need)).cloned().collect();
            object.content_mut().others = kept;
        }
    }
}

impl Catalog {
    /// Its schemas, named as in a [`Key`].
    pub fn schemas(&self) -> BTreeSet<String> {
        self.objects.keys().filter(|key| key.kind == ObjectKind::Schema).map(|key| key.name.to_string()).collect()
    }

    /// Adds the objects of schemas that it does not have from another catalog.
    pub fn complete_from(&mut self, other: &Self, schemas: &BTreeSet<String>) {
        let has = self.schemas();
        let lacks = |key: &Key| {
            let schema = match key.kind.facts().namespace {
                Namespace::Database => return false,
                Namespace::Itself => &*key.name,
                Namespace::Schema => key.schema(),
            };
            schemas.contains(schema) && !has.contains(schema)
        };
        self.objects.extend(other.objects.iter().filter(|(key, _)| lacks(key)).map(|(key, object)| (key.clone(), object.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::compare::compare;
    use crate::model::read::of_snapshot;
    use crate::model::read::shared::SharedObjects;

    const TABLE: &str = r#""unlogged":false,"replica_identity":"DEFAULT","options":[],"row_security":false,"force_row_security":false"#;

    fn catalog(tables: &[(&str, Option<&str>)], more: &[&str]) -> Catalog {
        let schemas = ["public", "other"].iter().enumerate().map(|(number, name)| {
            format!(r#"{{"id":["pg_namespace",{number},0],"name":"{name}","shown":"{name}", "definition" : {{"schema":{{}}}}}}"#)
        });
        let tables = tables.iter().enumerate().map(|(number, (name, parent))| {
            let parents = parent.map(|parent| format!(r#"["public.{parent}","{parent}"]"#)).unwrap_or_default();
            let bound = parent.map(|_| r#""FOR VALUES IN (1)""#).unwrap_or("null");
            format!(
                r#"{{"id":["pg_class",{number},0],"name":"{name}","shown":"{name}", "definition" : {{"table":{{{TABLE},"parents":[{parents}],"bound":{bound}}}}}}}"#
            )
        });
        let rows: Vec<String> = schemas.chain(tables).chain(more.iter().map(ToString::to_string)).collect();
        of_snapshot(&rows.join("\u{1e}"), &SharedObjects::default()).expect("a catalog")
    }

    fn drift_scope(shared: &[&str]) -> DriftScope {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        DriftScope { schemas: names(&["public"]), given: names(&["public"]), shared: names(shared) }
    }

    fn differences(made: &Catalog, live: &Catalog, drift_scope: &DriftScope) -> Vec<String> {
        let (mut made, mut live) = (made.clone(), live.clone());
        drift_scope.restrict(&mut made, &mut live);
        compare(&made, &live).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_by_hand_is_drift_and_what_belongs_to_the_environment_is_not() {
        let made = catalog(&[("public.a", None), ("public.gone", None)], &[]);
        let extension = r#"{"id":["pg_extension",9,0],"name":"citext","shown":"citext", "definition" : {"extension":{"version":"1.6","schema":"public","usual_comment":null}}}"#;
        let live = catalog(
            &[
                ("public.a", None),
                ("public.by_hand", None),
                ("public.schema_migrations", None),
                ("public.a_1", Some("a")),
                ("other.table", None),
            ],
            &[extension],
        );
        assert_eq!(differences(&made, &live, &drift_scope(&[])), ["+ table public.by_hand", "- table public.gone"]);
        assert_eq!(differences(&made, &live, &drift_scope(&["public"])), ["- table public.gone"]);
        let with_extension = catalog(&[("public.a", None), ("public.gone", None)], &[extension]);
        assert!(differences(&with_extension, &made, &drift_scope(&[])).contains(&"- extension citext".to_owned()));
    }

    #[test]
    fn schemas_that_a_snapshot_has_not_are_taken_from_elsewhere() {
        let other = catalog(&[("public.a", None), ("other.b", None)], &[]);
        let mut snapshot = catalog(&[("public.c", None)], &[]);
        snapshot.objects.retain(|key, _| &*key.name != "other");
        snapshot.complete_from(&other, &["public".to_owned(), "other".to_owned()].into());
        let keys: Vec<String> = snapshot.objects.keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["schema other", "schema public", "table other.b", "table public.c"]);
    }
}
