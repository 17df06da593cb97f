//! Rights: those that CREATE gives an object under the default privileges in force, and the statements that lead to those of the model.

use crate::model::kinds::context::EmitContext;
use crate::model::kinds::interface::{Grants, Subject};
use crate::model::rights::{CURRENT_USER, Grant, RightsChange, RightsClass, RightsVerb, changes, merged, with_owner};
use crate::model::statement::EmittedStatement;
use crate::model::{Key, Object, ObjectKind};

/// The statements that set the rights on an object and its columns. `old` is the object that stays.
pub(super) fn set_rights(subject: Subject<'_>, old: Option<&Object>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    match subject.key.kind.facts().grants {
        Grants::None => Vec::new(),
        Grants::On(words, class) => {
            let (before, after) = before_and_after(subject.key, subject.object, old, class, context);
            let owner = owner_of(subject.object);
            let on = Securable { on: format!("{words}{}", subject.shown()), owner, server: context.options.server };
            let changes = changes(&before, &after);
            let mut statements: Vec<EmittedStatement> = changes.iter().map(|change| on.set(class, change)).collect();
            let (was, is) = (old.map_or(&[][..], |old| old.definition().attributes()), subject.object.definition().attributes());
            for column in is {
                let grants = was.iter().find(|other| other.name == column.name).and_then(|column| column.grants.as_deref());
                let before = own_rights_left(grants, old, subject.object, &changes);
                statements.extend(on.set_on_column(&column.name, &before, column.grants.as_deref().unwrap_or_default()));
            }
            statements
        }
        Grants::OnColumn => {
            let Some((table, new)) = subject.object.parent.as_ref().and_then(|table| context.new.objects.get_key_value(table)) else {
                return Vec::new();
            };
            let on = Securable { on: subject.parent.to_owned(), owner: owner_of(new), server: context.options.server };
            let before = match (old.and_then(|old| old.grants()), context.old.objects.get(table)) {
                (Some(grants), Some(old)) => {
                    let (before, after) = before_and_after(table, new, Some(old), RightsClass::Tables, context);
                    own_rights_left(Some(grants), Some(old), new, &changes(&before, &after))
                }
                _ => Vec::new(),
            };
            let mut statements = on.set_on_column(subject.shown(), &before, subject.object.grants().unwrap_or_default());
            statements.extend(set_rights_on_identity(subject, old, new, context));
            statements
        }
    }
}

/// The sequence of an identity column, which belongs to its table's owner.
fn set_rights_on_identity(subject: Subject<'_>, old: Option<&Object>, table: &Object, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    let Some(new) = subject.object.definition().identity() else { return Vec::new() };
    let (class, server) = (RightsClass::Sequences, context.options.server);
    let all = |grants: &Option<Vec<Grant>>| grants.clone().unwrap_or_else(|| class.built_in(server));
    let old_table = subject.object.parent.as_ref().and_then(|table| context.old.objects.get(table));
    let before = match old.and_then(|old| old.definition().identity()).zip(old_table) {
        Some((old, old_table)) => transferred(all(&old.grants), old_table, table),
        None => of_new_owner(initial(class, subject.key, context), table),
    };
    let on = Securable { on: format!("SEQUENCE {}", new.sequence), owner: owner_of(table), server };
    changes(&before, &all(&new.grants)).iter().map(|change| on.set(class, change)).collect()
}

/// What GRANT and REVOKE are about.
struct Securable<'o> {
    /// After ON.
    on: String,
    /// Its owner in SQL.
    owner: &'o str,
    /// `server_version_num`.
    server: u32,
}

impl Securable<'_> {
    fn set(&self, class: RightsClass, change: &RightsChange<'_>) -> EmittedStatement {
        EmittedStatement::set_rights(change.sql(&class.listed(&change.privileges, self.server), &self.on, self.owner))
    }

    fn set_on_column(&self, column: &str, before: &[Grant], after: &[Grant]) -> Vec<EmittedStatement> {
        let set = |change: &RightsChange<'_>| {
            let rights: Vec<String> = change.privileges.iter().map(|privilege| format!("{privilege} ({column})")).collect();
            EmittedStatement::set_rights(change.sql(&rights.join(", "), &self.on, self.owner))
        };
        changes(before, after).iter().map(set).collect()
    }
}

/// All rights on an object before the statements that set them, and after.
fn before_and_after(
    key: &Key,
    new: &Object,
    old: Option<&Object>,
    class: RightsClass,
    context: &EmitContext<'_>,
) -> (Vec<Grant>, Vec<Grant>) {
    let all = |object: &Object| object.grants().map_or_else(|| class.built_in(context.options.server), <[Grant]>::to_vec);
    let before = match old {
        Some(old) => transferred(all(old), old, new),
        None => of_new_owner(initial(class, key, context), new),
    };
    (before, all(new))
}

/// The rights on a new object of the role that runs the statements: PostgreSQL's own or those of its default privileges, and beside
/// these those in the schema. Default privileges are changed before anything that they apply to is created.
fn initial(class: RightsClass, key: &Key, context: &EmitContext<'_>) -> Vec<Grant> {
    let of = |name: String| {
        let key = Key { kind: ObjectKind::DefaultPrivileges, name: name.into() };
        Some(&context.new.objects.get(&key)?.definition().as_default_privileges()?.grants)
    };
    let everywhere = of(class.name().to_owned()).cloned().unwrap_or_else(|| class.built_in(context.options.server));
    let in_schema = of(format!("{}.{}", key.schema(), class.name())).filter(|_| key.kind != ObjectKind::Schema);
    match in_schema {
        Some(further) => merged(everywhere, further),
        None => everywhere,
    }
}

/// The owner in SQL, for statements after ALTER … OWNER TO.
fn owner_of(object: &Object) -> &str {
    object.owner().unwrap_or(CURRENT_USER)
}

/// Rights after ALTER … OWNER TO, if there is one.
fn transferred(rights: Vec<Grant>, old: &Object, new: &Object) -> Vec<Grant> {
    if old.owner() == new.owner() { rights } else { with_owner(rights, owner_of(new)) }
}

/// The same for an object that was just created.
fn of_new_owner(rights: Vec<Grant>, new: &Object) -> Vec<Grant> {
    match new.owner() {
        Some(owner) => with_owner(rights, owner),
        None => rights,
    }
}

/// The rights on a column after those on its table or view have changed: what is revoked there, is revoked here too.
fn own_rights_left(grants: Option<&[Grant]>, old: Option<&Object>, new: &Object, changes: &[RightsChange<'_>]) -> Vec<Grant> {
    let (Some(grants), Some(old)) = (grants, old) else { return Vec::new() };
    let is_in = |grant: &Grant, verb| {
        let is = |change: &RightsChange<'_>| {
            change.verb == verb && change.grantee == grant.grantee && change.privileges.contains(&grant.privilege.as_str())
        };
        changes.iter().any(is)
    };
    let kept = transferred(grants.to_vec(), old, new).into_iter().filter(|grant| !is_in(grant, RightsVerb::Revoke));
    kept.map(|grant| Grant { with_option: grant.with_option && !is_in(&grant, RightsVerb::RevokeOption), ..grant }).collect()
}
