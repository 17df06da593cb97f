//! Columns whose type can change in steps: what depends on them can be dropped and created again in one short transaction.

use std::collections::BTreeSet;

use super::dependents::Dependents;
use crate::model::kinds::{Column, Constraint, Table};
use crate::model::type_change::widens_in_a_rewrite;
use crate::model::{Catalog, Definition, Key, ObjectKind};

/// What is needed to find them.
pub(super) struct Candidates<'c> {
    old: &'c Catalog,
    model: &'c Catalog,
    dependents: Dependents<'c>,
    /// Tables that others inherit from, and tables with rules.
    excluded: BTreeSet<&'c str>,
}

impl<'c> Candidates<'c> {
    pub(super) fn of(old: &'c Catalog, model: &'c Catalog) -> Self {
        let mut excluded = BTreeSet::new();
        for (key, object) in &old.objects {
            match (object.definition(), &object.parent) {
                (Definition::Table(table), _) => excluded.extend(table.parents.iter().map(|(parent, _)| parent.as_str())),
                (Definition::Rule(_), Some(parent)) if key.kind == ObjectKind::Rule => {
                    excluded.insert(&*parent.name);
                }
                _ => {}
            }
        }
        Self { old, model, dependents: Dependents::of_catalog(old), excluded }
    }

    /// Each column with its table, in the order of the columns.
    pub(super) fn columns(&self) -> Vec<(&'c Key, &'c Key)> {
        let found = self.old.objects.iter().filter_map(|(key, object)| {
            let table = object.parent.as_ref()?;
            (self.changes(key) && self.is_plain(table) && self.are_replaceable(key, table)).then_some((object.position, key, table))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(position, ..)| *position);
        found.into_iter().map(|(_, key, table)| (key, table)).collect()
    }

    /// What depends on some columns.
    pub(super) fn dependents(&self, columns: &[&Key]) -> BTreeSet<&'c Key> {
        self.dependents.of(columns.iter().copied())
    }

    /// Whether a column, and others that move to the end of the table too, are the last ones in the list of a statistics object: the
    /// server prints it in the order of the table.
    fn are_last(&self, column: &Key, table: &Key, definition: &str) -> bool {
        let list = definition.split_once(" ON ").and_then(|(_, rest)| rest.rsplit_once(" FROM ")).map_or("", |(list, _)| list);
        let mut moved = list.split(", ").map(|name| {
            let key = Key { kind: ObjectKind::Column, name: format!("{}.{name}", table.name).into() };
            key == *column || self.changes(&key)
        });
        moved.by_ref().find(|is_moved| *is_moved);
        !list.contains('(') && moved.all(|is_moved| is_moved)
    }

    /// Whether a column gets a type that its values can be copied to.
    fn changes(&self, key: &Key) -> bool {
        let of = |catalog: &'c Catalog| catalog.objects.get(key).and_then(|object| object.definition().as_column());
        of(self.old).zip(of(self.model)).is_some_and(|(before, after)| is_widened(before, after))
    }

    /// Neither partitioned nor a partition, a child or a parent, and stored in the usual way.
    fn is_plain(&self, table: &Key) -> bool {
        let is = |table: &Table| {
            table.partition_key.is_none() && table.bound.is_none() && table.parents.is_empty() && table.access_method.is_none()
        };
        let of = |catalog: &Catalog| catalog.objects.get(table).and_then(|table| table.definition().as_table()).is_some_and(is);
        of(self.old) && of(self.model) && !self.excluded.contains(&*table.name)
    }

    /// Whether all that depends on a column can be dropped and created again, or has a successor.
    fn are_replaceable(&self, column: &Key, table: &Key) -> bool {
        let is = |key: &Key| {
            let Some(object) = self.old.objects.get(key) else { return false };
            let definition = object.definition();
            if let Some(constraint) = definition.as_constraint() {
                return is_replaceable(constraint) && (matches!(constraint.kind, 'c' | 'f') || object.parent.as_ref() == Some(table));
            }
            if let Some(index) = definition.as_index() {
                return index.valid;
            }
            if let Definition::Statistics(statistics) = definition {
                return self.are_last(column, table, &statistics.definition);
            }
            // Not generated columns, nor tables whose columns have the type of a view.
            matches!(key.kind, ObjectKind::View | ObjectKind::Routine | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy)
                || definition.as_default().is_some() && object.parent.as_ref() == Some(column)
        };
        self.dependents.of([column]).into_iter().all(is)
    }
}

fn is_widened(before: &Column, after: &Column) -> bool {
    let is_simple = |column: &Column| column.generated.is_none() && column.collation.is_none() && !column.inherited.0;
    is_simple(before) && is_simple(after) && widens_in_a_rewrite(&before.type_name, &after.type_name)
}

/// An index that is built beside can't be checked at the end of a transaction, and none is built beside for an exclusion constraint.
fn is_replaceable(constraint: &Constraint) -> bool {
    match constraint.kind {
        'p' | 'u' => !constraint.definition.contains(" DEFERRABLE") && !constraint.definition.contains(" WITHOUT OVERLAPS"),
        'f' => !constraint.definition.contains("PERIOD "),
        'c' => true,
        _ => false,
    }
}

/// Whether a trigger fires when a column is updated that it does not name.
pub(super) fn updates(name: &str, definition: &str) -> bool {
    let events =
        definition.split_once(&format!("TRIGGER {name} ")).and_then(|(_, rest)| rest.split_once(" ON ")).map_or("", |(events, _)| events);
    events.split(" OR ").any(|event| event.trim_start_matches("BEFORE ").trim_start_matches("AFTER ") == "UPDATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_of_named_columns_does_not_see_others() {
        assert!(updates("a", "CREATE TRIGGER a BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"));
        assert!(updates("a", "CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"));
        assert!(!updates("a", "CREATE TRIGGER a BEFORE INSERT OR UPDATE OF x ON t FOR EACH ROW EXECUTE FUNCTION f()"));
        assert!(!updates("a", "CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"));
    }
}
