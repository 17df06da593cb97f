//! What becomes of each object: kept, altered in place, or dropped and made again because something below it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::print::bare_type;
use crate::model::{Catalog, Column, Definition, Key, Kind};

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Alter,
    Create,
    Drop,
    /// Dropped and made again.
    Remake,
}

/// How an enum gets new values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// In place; they can't be used before they are committed.
    Added,
    /// By making the type again.
    Remade,
}

/// What becomes of all of them.
#[derive(Debug)]
pub(super) struct Fates<'c> {
    fates: BTreeMap<&'c Key, Fate>,
    /// Columns whose type is made again: their values go through text.
    retyped: BTreeSet<&'c Key>,
    /// Types that columns keep using while they are made again.
    aside: BTreeSet<&'c Key>,
}

impl<'c> Fates<'c> {
    pub(super) fn of(&self, key: &Key) -> Fate {
        self.fates.get(key).copied().unwrap_or(Fate::Keep)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'c Key, Fate)> {
        self.fates.iter().map(|(key, fate)| (*key, *fate))
    }

    pub(super) fn is_retyped(&self, key: &Key) -> bool {
        self.retyped.contains(key)
    }

    /// What a type put aside is made of must stay as long as it does.
    fn put_aside_below(&mut self, old: &'c Catalog) {
        let mut queue: Vec<&Key> = self.aside.iter().copied().collect();
        while let Some(key) = queue.pop() {
            let needs = old.objects.get(key).map(|object| &object.needs);
            for need in needs.into_iter().flatten() {
                let is_type = matches!(need.kind, Kind::Type | Kind::Domain);
                if is_type && self.of(need) == Fate::Remake && self.aside.insert(need) {
                    queue.push(need);
                }
            }
        }
    }

    pub(super) fn is_aside(&self, key: &Key) -> bool {
        self.aside.contains(key)
    }
}

/// Decides: what differs first, then what stands in the way of that.
pub(super) fn decide<'c>(old: &'c Catalog, new: &'c Catalog, server: u32, labels: Labels) -> Fates<'c> {
    let mut fates: BTreeMap<&Key, Fate> = BTreeMap::new();
    for (key, object) in &old.objects {
        let fate = match new.objects.get(key) {
            None => Fate::Drop,
            Some(after) if object.definition == after.definition && object.parent == after.parent => Fate::Keep,
            Some(after) if object.parent == after.parent && alterable(&object.definition, &after.definition, server, labels) => Fate::Alter,
            Some(_) => Fate::Remake,
        };
        fates.insert(key, fate);
    }
    fates.extend(new.objects.keys().filter(|key| !old.objects.contains_key(key)).map(|key| (key, Fate::Create)));
    let mut dependents: HashMap<&Key, Vec<&Key>> = HashMap::new();
    for (key, object) in &old.objects {
        for need in &object.needs {
            dependents.entry(need).or_default().push(key);
        }
    }
    let mut decided = Fates { fates, retyped: BTreeSet::new(), aside: BTreeSet::new() };
    let mut queue: Vec<&Key> =
        decided.all().filter(|(_, fate)| matches!(fate, Fate::Drop | Fate::Remake | Fate::Alter)).map(|(key, _)| key).collect();
    while let Some(key) = queue.pop() {
        for dependent in dependents.get(key).into_iter().flatten().copied() {
            let own = decided.of(dependent);
            if matches!(own, Fate::Drop | Fate::Remake) {
                continue;
            }
            let becomes = match decided.of(key) {
                Fate::Drop | Fate::Remake => below_is_dropped(old, new, key, dependent, own),
                Fate::Alter => below_is_altered(old, new, key, dependent, &decided),
                Fate::Keep | Fate::Create => None,
            };
            match becomes {
                Some(Fate::Remake) => {
                    decided.fates.insert(dependent, Fate::Remake);
                    queue.push(dependent);
                }
                Some(_) if decided.retyped.insert(dependent) => {
                    decided.fates.insert(dependent, Fate::Alter);
                    decided.aside.insert(key);
                    queue.push(dependent);
                }
                Some(_) => {
                    decided.aside.insert(key);
                }
                None => {}
            }
        }
    }
    decided.put_aside_below(old);
    decided
}

/// Something that stays needs something that is dropped.
fn below_is_dropped(old: &Catalog, new: &Catalog, key: &Key, dependent: &Key, own: Fate) -> Option<Fate> {
    let (before, after) = (old.objects.get(dependent)?, new.objects.get(dependent)?);
    if before.parent.as_ref() == Some(key) {
        return Some(Fate::Remake);
    }
    match (&before.definition, &after.definition) {
        // What is replaced in place and no longer needs it, is replaced first.
        _ if own == Fate::Alter && !after.needs.contains(key) => None,
        (Definition::Column(_), Definition::Column(column))
            if column.generated.is_none() && matches!(key.kind, Kind::Type | Kind::Domain) =>
        {
            Some(Fate::Alter)
        }
        (Definition::Sequence(sequence), Definition::Sequence(new)) if sequence.owned_by != new.owned_by => None,
        // A table that merely was a part of another stays.
        (Definition::Table(table), Definition::Table(new)) if table.parents != new.parents => None,
        _ => Some(Fate::Remake),
    }
}

/// Something that stays needs a column whose type changes.
fn below_is_altered(old: &Catalog, new: &Catalog, key: &Key, dependent: &Key, decided: &Fates<'_>) -> Option<Fate> {
    let (Definition::Column(before), Definition::Column(after)) = (&old.objects.get(key)?.definition, &new.objects.get(key)?.definition)
    else {
        return None;
    };
    if before.type_name == after.type_name && before.collation == after.collation && !decided.is_retyped(key) {
        return None;
    }
    match &old.objects.get(dependent)?.definition {
        Definition::View(_)
        | Definition::Rule { .. }
        | Definition::Policy(_)
        | Definition::Trigger { .. }
        | Definition::Routine(_)
        | Definition::Statistics { .. } => Some(Fate::Remake),
        Definition::Column(column) if column.generated.is_some() => Some(Fate::Remake),
        Definition::Constraint(constraint) if constraint.kind == 'f' && !both_integers(before, after) => Some(Fate::Remake),
        Definition::Default { expression } => {
            let (_, later) = super::default_of(new, key)?;
            (later != expression || !both_integers(before, after)).then_some(Fate::Remake)
        }
        _ => None,
    }
}

fn both_integers(before: &Column, after: &Column) -> bool {
    let integer = |column: &Column| matches!(column.type_name.as_str(), "smallint" | "integer" | "bigint");
    integer(before) && integer(after)
}

/// Whether the old can be altered into the new, with all that stands on it left in place.
fn alterable(old: &Definition, new: &Definition, server: u32, how: Labels) -> bool {
    match (old, new) {
        (Definition::Enum { labels }, Definition::Enum { labels: after }) => {
            let mut after = after.iter();
            how == Labels::Added && labels.iter().all(|label| after.any(|other| other == label))
        }
        (Definition::Composite { attributes }, Definition::Composite { attributes: after }) => {
            let kept: Vec<_> = attributes.iter().filter(|a| after.iter().any(|b| a.name == b.name)).collect();
            let same = |(a, b): (&&super::super::Attribute, &super::super::Attribute)| {
                a.name == b.name && a.type_name == b.type_name && a.collation == b.collation
            };
            kept.len() <= after.len() && kept.iter().zip(after).all(same)
        }
        (Definition::Domain(a), Definition::Domain(b)) => a.base == b.base && a.collation == b.collation,
        (Definition::Table(a), Definition::Table(b)) => {
            a.partition_key == b.partition_key && (a.access_method == b.access_method || server >= 150_000)
        }
        (Definition::Column(a), Definition::Column(b)) => match (&a.generated, &b.generated) {
            (None, None) => true,
            (Some(old), Some(new)) => old == new && a.type_name == b.type_name && a.collation == b.collation,
            (Some(('s', _)), None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        },
        (Definition::Constraint(a), Definition::Constraint(b)) => {
            a.kind == b.kind && (a.definition == b.definition || a.definition == format!("{} NOT VALID", b.definition))
        }
        (Definition::Index(a), Definition::Index(b)) => a.table == b.table && a.definition == b.definition && a.valid == b.valid,
        (Definition::View(a), Definition::View(b)) if a.materialized || b.materialized => {
            a.materialized == b.materialized && a.definition == b.definition && a.access_method == b.access_method
        }
        (Definition::View(a), Definition::View(b)) => {
            let (a, b) = (a.columns.as_deref().unwrap_or_default(), b.columns.as_deref().unwrap_or_default());
            a.len() <= b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.type_name == b.type_name && a.collation == b.collation)
        }
        (Definition::Routine(a), Definition::Routine(b)) => a.kind == b.kind && a.arguments == b.arguments && a.result == b.result,
        (Definition::Trigger { definition: a, .. }, Definition::Trigger { definition: b, .. })
        | (Definition::Rule { definition: a, .. }, Definition::Rule { definition: b, .. })
        | (Definition::Statistics { definition: a, .. }, Definition::Statistics { definition: b, .. }) => a == b,
        (Definition::Policy(a), Definition::Policy(b)) => {
            let stays = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_some();
            a.permissive == b.permissive && a.command == b.command && stays(&a.using, &b.using) && stays(&a.check, &b.check)
        }
        (
            Definition::EventTrigger { event, tags, function, .. },
            Definition::EventTrigger { event: new_event, tags: new_tags, function: new_function, .. },
        ) => event == new_event && tags == new_tags && function == new_function,
        (Definition::Extension { .. }, Definition::Extension { .. })
        | (Definition::Sequence(_), Definition::Sequence(_))
        | (Definition::Default { .. }, Definition::Default { .. }) => true,
        _ => false,
    }
}

/// Whether values of one type go into another by themselves, as in an INSERT.
pub(super) fn assigns(old: &str, new: &str) -> bool {
    let (old, new) = (bare_type(old), bare_type(new));
    let group = |name: &str| match name {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => 1,
        "text" | "character varying" | "character" => 2,
        "date" | "timestamp without time zone" | "timestamp with time zone" => 3,
        "json" | "jsonb" => 4,
        _ => 0,
    };
    old == new || group(&new) == 2 || (group(&old) != 0 && group(&old) == group(&new))
}

/// Whether a change of type leaves the table's rows as they are (PostgreSQL manual, ALTER TABLE, notes).
pub(super) fn keeps_rows(old: &str, new: &str) -> bool {
    if old == new {
        return true;
    }
    let size = |text: &str| -> Option<u32> { text.split_once('(')?.1.split([',', ')']).next()?.parse().ok() };
    let scale = |text: &str| text.split_once(',').map(|(_, rest)| rest.to_owned());
    match (bare_type(old).as_str(), bare_type(new).as_str()) {
        ("character varying", "text") | ("text", "character varying") => size(new).is_none(),
        ("character varying", "character varying") => size(new).is_none() || size(old).is_some_and(|old| Some(old) <= size(new)),
        ("numeric", "numeric") => size(new).is_none() || (scale(old) == scale(new) && size(old).is_some_and(|old| Some(old) <= size(new))),
        (a, b) if a == b && a.starts_with("time") => size(new).is_none() || size(old).is_some_and(|old| Some(old) <= size(new)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wider_types_keep_the_rows() {
        for (old, new, keeps) in [
            ("character varying(10)", "character varying(20)", true),
            ("character varying(20)", "character varying(10)", false),
            ("character varying", "character varying(10)", false),
            ("character varying(10)", "text", true),
            ("text", "character varying", true),
            ("integer", "bigint", false),
            ("numeric(10,2)", "numeric(12,2)", true),
            ("numeric(10,2)", "numeric(12,3)", false),
            ("numeric(10,2)", "numeric", true),
            ("timestamp(3) without time zone", "timestamp without time zone", true),
            ("timestamp without time zone", "timestamp with time zone", false),
        ] {
            assert_eq!(keeps_rows(old, new), keeps, "{old} → {new}");
        }
    }
}
