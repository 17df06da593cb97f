//! `--ignore`: properties that are not compared. What has them keeps them, also when it is recreated. Pure.

use crate::model::{Attribute, Catalog, Grant, Key, Object, ObjectKind, Properties};

/// Properties that are not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    /// Owners.
    pub owners: bool,
    /// Rights, and default privileges.
    pub grants: bool,
    /// `COMMENT ON`.
    pub comments: bool,
}

impl Ignore {
    /// Whether parts of the object that are no objects of their own have something that is not compared.
    fn is_in_parts_of(self, object: &Object) -> bool {
        let has =
            |comment: &Option<String>, grants: &Option<Vec<Grant>>| self.comments && comment.is_some() || self.grants && grants.is_some();
        let definition = object.definition();
        definition.attributes().iter().any(|attribute| has(&attribute.comment, &attribute.grants))
            || definition.identity().is_some_and(|identity| has(&identity.comment, &identity.grants))
    }

    /// Replaces what is not compared by what another object has.
    fn replace(self, comment: &mut Option<String>, grants: &mut Option<Vec<Grant>>, other: Option<(&Option<String>, &Option<Vec<Grant>>)>) {
        if self.comments {
            *comment = other.and_then(|(comment, _)| comment.clone());
        }
        if self.grants {
            *grants = other.and_then(|(_, grants)| grants.clone());
        }
    }

    /// The object with what is not compared as another one has it, or without.
    fn apply(self, object: &mut Object, other: Option<&Object>) {
        let own = object.properties.as_deref().cloned().unwrap_or_default();
        let theirs = other.and_then(|other| other.properties.as_deref()).cloned().unwrap_or_default();
        let properties = Properties {
            comment: if self.comments { theirs.comment } else { own.comment },
            owner: if self.owners { theirs.owner } else { own.owner },
            grants: if self.grants { theirs.grants } else { own.grants },
        }
        .boxed();
        // What does not change stays shared with other catalogs.
        if properties != object.properties {
            object.content_mut().properties = properties;
        }
        if self.is_in_parts_of(object) || other.is_some_and(|other| self.is_in_parts_of(other)) {
            let theirs: Vec<Attribute> = other.map(|other| other.definition().attributes().to_vec()).unwrap_or_default();
            let definition = object.content_mut().definition_mut();
            for attribute in definition.attributes_mut() {
                let other = theirs.iter().find(|other| other.name == attribute.name).map(|other| (&other.comment, &other.grants));
                self.replace(&mut attribute.comment, &mut attribute.grants, other);
            }
            if let Some(identity) = definition.identity_mut() {
                let other = other.and_then(|other| other.definition().identity()).map(|other| (&other.comment, &other.grants));
                self.replace(&mut identity.comment, &mut identity.grants, other);
            }
        }
    }
}

impl Catalog {
    /// The catalog without what is not compared.
    pub fn ignoring(mut self, ignore: Ignore) -> Self {
        if ignore == Ignore::default() {
            return self;
        }
        if ignore.grants {
            self.objects.retain(|key, _| key.kind != ObjectKind::DefaultPrivileges);
        }
        self.objects.values_mut().for_each(|object| ignore.apply(object, None));
        self
    }

    /// The catalog with what is not compared as in another one, of the objects that both have.
    pub fn with_ignored_of(mut self, other: &Self, ignore: Ignore) -> Self {
        if ignore == Ignore::default() {
            return self;
        }
        if ignore.grants {
            let is_of_rights = |kind| kind == ObjectKind::DefaultPrivileges;
            self.objects.retain(|key, _| !is_of_rights(key.kind));
            // Those of a schema are dropped with it.
            let stays = |object: &Object| object.needs().all(|schema| self.objects.contains_key(schema));
            let theirs: Vec<(Key, Object)> = other
                .objects
                .iter()
                .filter(|(key, object)| is_of_rights(key.kind) && stays(object))
                .map(|(key, object)| (key.clone(), object.clone()))
                .collect();
            self.objects.extend(theirs);
        }
        for (key, object) in &mut self.objects {
            if let Some(other) = other.objects.get(key) {
                ignore.apply(object, Some(other));
            }
        }
        self
    }
}
