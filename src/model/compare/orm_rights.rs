//! The rights of an ORM's model: what it grants, beside the rights that there are without it. Pure.

use crate::model::emit::rights::initial_rights;
use crate::model::kinds::interface::Grants;
use crate::model::rights::{Grant, RightsClass, merged};
use crate::model::{Catalog, Key, ObjectKind};

/// Which rights there are on an object.
pub(super) fn class(kind: ObjectKind) -> Option<RightsClass> {
    match kind.facts().grants {
        Grants::On(_, class) => Some(class),
        Grants::None | Grants::OnColumn => None,
    }
}

/// The rights on an object that both schemas have. What PostgreSQL grants by itself is no grant of the model: it stays revoked.
pub(super) fn kept(model: Option<&[Grant]>, before: Option<&[Grant]>, class: Option<RightsClass>, server: u32) -> Option<Vec<Grant>> {
    match (model, before) {
        (None, before) => before.map(<[Grant]>::to_vec),
        (Some(model), None) => Some(model.to_vec()),
        (Some(model), Some(before)) => Some(sorted(merged(before.to_vec(), &beside_built_in(model, class, server)))),
    }
}

/// The rights on a new object; none if they are PostgreSQL's own.
pub(super) fn of_new(model: Option<&[Grant]>, class: Option<RightsClass>, key: &Key, catalog: &Catalog, server: u32) -> Option<Vec<Grant>> {
    let Some(class) = class else { return model.map(<[Grant]>::to_vec) };
    let given = initial_rights(class, key, catalog, server);
    let all = sorted(merged(given, &beside_built_in(model.unwrap_or_default(), Some(class), server)));
    (all != sorted(class.built_in(server))).then_some(all)
}

fn beside_built_in(grants: &[Grant], class: Option<RightsClass>, server: u32) -> Vec<Grant> {
    let built_in = class.map(|class| class.built_in(server)).unwrap_or_default();
    grants.iter().filter(|grant| !built_in.contains(grant)).cloned().collect()
}

/// In the order in which they are read.
fn sorted(mut grants: Vec<Grant>) -> Vec<Grant> {
    grants.sort();
    grants
}
