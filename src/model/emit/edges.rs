//! What must come before what, and what rather should.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fate::Fate;
use super::{Emit, Node, Verb};
use crate::model::{Catalog, Definition, Key, Kind, Object};

impl<'c> Emit<'c> {
    /// What must come before what, and what rather should.
    pub(super) fn edges(&self, nodes: &[Node<'c>], place: &HashMap<Node<'c>, usize>) -> (Vec<BTreeSet<usize>>, Vec<BTreeSet<usize>>) {
        let mut before = vec![BTreeSet::new(); nodes.len()];
        let mut rather = vec![BTreeSet::new(); nodes.len()];
        let at = |verb, key| place.get(&self.home(verb, key)).copied();
        let join = |edges: &mut Vec<BTreeSet<usize>>, first: Option<usize>, then: Option<usize>| {
            if let (Some(first), Some(then)) = (first, then)
                && first != then
            {
                edges[then].insert(first);
            }
        };
        for (key, object) in &self.old.objects {
            for need in &object.needs {
                if self.is_dropped(need) {
                    if self.is_dropped(key) {
                        join(&mut before, at(Verb::Drop, key), at(Verb::Drop, need));
                        let gone = if self.fates.is_aside(need) { Verb::Purge } else { Verb::Drop };
                        if self.fates.is_aside(key) {
                            join(&mut before, at(Verb::Purge, key), at(gone, need));
                        }
                    } else if self.fates.is_aside(need) {
                        join(&mut before, at(Verb::Alter, key), at(Verb::Purge, need));
                    } else if self.fate(key) == Fate::Alter {
                        join(&mut before, at(Verb::Alter, key), at(Verb::Drop, need));
                    }
                } else if self.fate(need) == Fate::Alter && self.is_dropped(key) {
                    join(&mut before, at(Verb::Drop, key), at(Verb::Alter, need));
                }
            }
        }
        for (key, object) in &self.new.objects {
            let verb = if self.is_made(key) { Verb::Create } else { Verb::Alter };
            for need in &object.needs {
                // A sequence is owned by its column only when both are there.
                let is_owner = key.kind == Kind::Sequence && matches!(need.kind, Kind::Column | Kind::Table);
                let made = if self.is_made(need) { at(Verb::Create, need) } else { at(Verb::Alter, need) };
                if is_owner && self.is_made(need) {
                    join(&mut before, made, at(Verb::Decorate, key));
                } else {
                    join(&mut before, made, at(verb, key));
                }
            }
            join(&mut before, at(verb, key), at(Verb::Decorate, key));
            join(&mut before, at(verb, key), at(Verb::Mark, key));
            if self.is_made(key) {
                join(&mut before, at(Verb::Drop, key), at(Verb::Create, key));
                join(&mut before, at(Verb::Create, key), at(Verb::Purge, key));
            }
            if place.contains_key(&(Verb::Mark, key)) {
                for part in self.new.parts(key, Kind::Index).chain(self.new.parts(key, Kind::Constraint)) {
                    join(&mut before, at(Verb::Create, part.0), at(Verb::Mark, key));
                }
            }
            self.wish(key, object, |need| {
                join(&mut rather, at(Verb::Create, need).or(at(Verb::Alter, need)), at(verb, self.wisher(key, object)))
            });
        }
        let made_names = self.names(self.new, |key| self.is_made(key));
        for (name, dropped) in self.names(self.old, |key| self.is_dropped(key)) {
            if let Some(made) = made_names.get(&name) {
                join(&mut before, at(Verb::Drop, dropped), at(Verb::Create, made));
            }
        }
        (before, rather)
    }

    /// A constraint's wishes are its table's, so that it can stand in its CREATE.
    fn wisher(&self, key: &'c Key, object: &'c Object) -> &'c Key {
        match &object.parent {
            Some(parent) if key.kind == Kind::Constraint && self.is_made(parent) => parent,
            _ => key,
        }
    }

    /// What an object would rather come after: what a constraint needs, what the text of a function speaks of.
    fn wish(&self, key: &'c Key, object: &'c Object, mut wish: impl FnMut(&'c Key)) {
        if !self.is_made(key) && self.fate(key) != Fate::Alter {
            return;
        }
        match &object.definition {
            Definition::Constraint(_) => object.needs.iter().for_each(wish),
            Definition::Routine(routine) if matches!(routine.language.as_str(), "sql" | "plpgsql") => {
                let words: BTreeSet<String> = words(&routine.definition).collect();
                for (other, theirs) in &self.new.objects {
                    let named = matches!(other.kind, Kind::Table | Kind::View | Kind::Routine | Kind::Sequence | Kind::Type | Kind::Domain);
                    let short = theirs.shown.split('(').next().and_then(|name| name.rsplit('.').next()).unwrap_or("");
                    if named && other != key && self.fate(other) != Fate::Keep && words.contains(short) {
                        wish(other);
                    }
                }
            }
            _ => {}
        }
    }

    /// The names that objects take in their schema, so that no two can have the same.
    fn names(&self, catalog: &'c Catalog, is: impl Fn(&Key) -> bool) -> BTreeMap<String, &'c Key> {
        let mut names = BTreeMap::new();
        for (key, object) in catalog.objects.iter().filter(|(key, _)| is(key)) {
            let name = match (&object.definition, &object.parent) {
                (Definition::Constraint(constraint), Some(table)) if matches!(constraint.kind, 'p' | 'u' | 'x') => {
                    let schema = table.schema();
                    format!("{schema}.{}", object.shown)
                }
                (Definition::Column(column), _) => match &column.identity {
                    Some(identity) if identity.sequence.0.contains('.') => identity.sequence.0.clone(),
                    Some(identity) => format!("{}.{}", key.schema(), identity.sequence.0),
                    None => continue,
                },
                (Definition::Trigger { .. } | Definition::Rule { .. } | Definition::Policy(_) | Definition::Default { .. }, _) => continue,
                _ => key.name.clone(),
            };
            names.insert(name, key);
        }
        names
    }
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}
