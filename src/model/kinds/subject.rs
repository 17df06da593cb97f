//! An object of a catalog, as the subject of statements.

use crate::model::{Key, Object, ObjectKind};

/// An object in the catalog that a statement is about.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Subject<'c> {
    /// Which.
    pub(in crate::model) key: &'c Key,
    /// The object.
    pub(in crate::model) object: &'c Object,
    /// What it is a part of, as SQL names it; empty if it is no part.
    pub(in crate::model) parent: &'c str,
}

impl<'c> Subject<'c> {
    /// Its name in SQL; of a part, without its table.
    pub(in crate::model) fn shown(&self) -> &'c str {
        &self.object.shown
    }

    /// Whether it is a part of an object of this kind.
    pub(in crate::model) fn is_part_of(&self, kind: ObjectKind) -> bool {
        self.object.parent.as_ref().is_some_and(|parent| parent.kind == kind)
    }
}
