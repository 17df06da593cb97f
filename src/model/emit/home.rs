//! Where a change is written: a column of a new table in the table's CREATE, a dropped table's index in its DROP.

use std::collections::BTreeSet;

use super::fate::Fate;
use super::{Emit, Node, Verb, default_of, is_inherited};
use crate::model::{Catalog, Definition, Key, Kind, Object};

impl<'c> Emit<'c> {
    /// Where something is done: a column of a new table in the table's CREATE, a dropped table's index in its DROP.
    pub(super) fn home(&self, verb: Verb, key: &'c Key) -> Node<'c> {
        let next = match verb {
            Verb::Create => self.home_of_create(key),
            Verb::Drop => self.home_of_drop(key),
            Verb::Alter => self.home_of_alter(key).map(|home| (Verb::Alter, home)),
            Verb::Decorate | Verb::Mark | Verb::Purge => None,
        };
        match next {
            Some((verb, next)) if next != key => self.home(verb, next),
            _ => (verb, key),
        }
    }

    fn home_of_create(&self, key: &'c Key) -> Option<Node<'c>> {
        if let Some(column) = self.serials.get(key) {
            return Some((Verb::Create, column));
        }
        let object = self.new.objects.get(key)?;
        let parent = object.parent.as_ref();
        match &object.definition {
            Definition::Column(column) => {
                let table = parent?;
                if self.is_made(table) {
                    return Some((Verb::Create, table));
                }
                let above = self.above(self.new, key).filter(|_| column.inherited.0)?;
                self.is_made(above).then_some((Verb::Create, above))
            }
            Definition::Default { expression } => {
                let column = parent?;
                let above = self.above(self.new, column).filter(|_| is_inherited(self.new, column));
                if let Some(above) = above {
                    // The parent's default comes with the parent's column.
                    let (same, _) = default_of(self.new, above).filter(|(_, theirs)| *theirs == expression)?;
                    return match self.fate(same) {
                        Fate::Keep | Fate::Drop => self.is_made(column).then_some((Verb::Create, column)),
                        Fate::Alter => Some((Verb::Alter, same)),
                        Fate::Create | Fate::Remake => Some((Verb::Create, same)),
                    };
                }
                self.is_made(column).then_some((Verb::Create, column))
            }
            _ => None,
        }
    }

    fn home_of_alter(&self, key: &'c Key) -> Option<&'c Key> {
        let (column, is_default) = match key.kind {
            Kind::Column => (key, false),
            Kind::Default => (self.new.objects.get(key)?.parent.as_ref()?, true),
            _ => return None,
        };
        let above = self.above(self.new, column).filter(|_| is_inherited(self.new, column))?;
        let same = if is_default { default_of(self.new, above)?.0 } else { above };
        let of = |catalog: &'c Catalog, key: &Key| catalog.objects.get(key).map(|object| &object.definition);
        (self.fate(same) == Fate::Alter && of(self.old, key) == of(self.old, same) && of(self.new, key) == of(self.new, same))
            .then_some(same)
    }

    fn home_of_drop(&self, key: &'c Key) -> Option<Node<'c>> {
        let object = self.old.objects.get(key)?;
        if let Definition::Sequence(_) = &object.definition {
            let owner = object.needs.iter().find(|need| matches!(need.kind, Kind::Column) && self.is_dropped(need))?;
            return self.owns(key, owner).then_some((Verb::Drop, owner));
        }
        let parent = object.parent.as_ref()?;
        if let Definition::Constraint(constraint) = &object.definition
            && constraint.kind == 'f'
            && self.is_dropped(parent)
            && self.is_in_circle(key, parent)
        {
            return None;
        }
        if self.is_dropped(parent) {
            return Some((Verb::Drop, parent));
        }
        if key.kind == Kind::Column && is_inherited(self.old, key) {
            let above = self.above(self.old, key)?;
            return self.is_dropped(above).then_some((Verb::Drop, above));
        }
        if key.kind == Kind::Default && is_inherited(self.old, parent) {
            let (above, _) = default_of(self.old, self.above(self.old, parent)?)?;
            return (self.fate(above) == Fate::Drop).then_some((Verb::Drop, above));
        }
        if matches!(key.kind, Kind::Constraint | Kind::Index | Kind::Statistics) {
            let of_parent = |column: &&Key| {
                column.kind == Kind::Column && self.old.objects.get(*column).is_some_and(|column| column.parent.as_ref() == Some(parent))
            };
            return object.needs.iter().filter(of_parent).find(|column| self.is_dropped(column)).map(|column| (Verb::Drop, column));
        }
        None
    }

    /// Whether a column owns a sequence, so that it goes with it.
    fn owns(&self, sequence: &Key, column: &Key) -> bool {
        let (Some(sequence), Some(column)) = (self.old.objects.get(sequence), self.old.objects.get(column)) else { return false };
        match (&sequence.definition, &column.parent) {
            (Definition::Sequence(sequence), Some(table)) => {
                sequence.owned_by.as_ref().is_some_and(|(owner, _, name)| *owner == table.name && *name == column.shown)
            }
            _ => false,
        }
    }

    /// The column of a parent table that this one comes from.
    pub(super) fn above(&self, catalog: &'c Catalog, column: &Key) -> Option<&'c Key> {
        let object = catalog.objects.get(column)?;
        let table = catalog.objects.get(object.parent.as_ref()?)?;
        let Definition::Table(table) = &table.definition else { return None };
        table.parents.iter().find_map(|(parent, _)| {
            let key = Key { kind: Kind::Column, name: format!("{parent}.{}", object.shown) };
            catalog.objects.get_key_value(&key).map(|(key, _)| key)
        })
    }

    /// Whether dropped tables refer to each other in a circle through this foreign key.
    fn is_in_circle(&self, foreign_key: &Key, table: &Key) -> bool {
        let targets = |key: &Key| -> Vec<&'c Key> {
            let Some(object) = self.old.objects.get(key) else { return Vec::new() };
            object
                .needs
                .iter()
                .filter(|need| matches!(need.kind, Kind::Constraint | Kind::Index))
                .filter_map(|need| self.old.objects.get(need)?.parent.as_ref())
                .collect()
        };
        let mut stack = targets(foreign_key);
        let mut seen: BTreeSet<&Key> = BTreeSet::new();
        while let Some(next) = stack.pop() {
            if next == table {
                // A table that refers to itself alone is dropped as a whole.
                return !seen.is_empty();
            }
            if seen.insert(next) {
                let foreign = |(_, object): &(&Key, &Object)| matches!(&object.definition, Definition::Constraint(constraint) if constraint.kind == 'f');
                stack.extend(self.old.parts(next, Kind::Constraint).filter(foreign).flat_map(|(key, _)| targets(key)));
            }
        }
        false
    }
}
