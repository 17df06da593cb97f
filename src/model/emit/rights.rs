//! Rights: those that CREATE gives an object under the default privileges in force, and the statements that lead to those of the model.

use crate::model::hazard::Danger;
use crate::model::kinds::context::EmitContext;
use crate::model::kinds::interface::{Grants, Subject};
use crate::model::rights::{CURRENT_USER, Grant, RightsChange, RightsClass, RightsVerb, changes, merged, with_owner};
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, Catalog, Key, Object, ObjectKind};

/// The statements that set the rights on an object and its columns. `old` is the object that stays.
pub(super) fn set_rights(subject: Subject<'_>, old: Option<&Object>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    match subject.key.kind.facts().grants {
        Grants::None => Vec::new(),
        Grants::On(words, class) => set_rights_on_object(subject, words, class, old, context),
        Grants::OnColumn => {
            let Some((key, table)) = subject.object.parent.as_ref().and_then(|table| context.new.objects.get_key_value(table)) else {
                return Vec::new();
            };
            let mut statements = set_rights_on_column(subject, old, (key, table), context);
            statements.extend(set_rights_on_identity(subject, old, table, context));
            statements
        }
    }
}

fn set_rights_on_object(
    subject: Subject<'_>,
    words: &str,
    class: RightsClass,
    old: Option<&Object>,
    context: &EmitContext<'_>,
) -> Vec<EmittedStatement> {
    let (new, server) = (subject.object, context.options.server);
    let securable = Securable { on: format!("{words}{}", subject.shown()), owner: owner_of(new) };
    let (before, after) = before_and_after(subject.key, new, old, class, context);
    let earlier = context.old.objects.get(subject.key);
    let was = earlier.map(|earlier| transferred(all_rights(earlier, class, server), earlier, new));
    let mut statements = securable.set(&before, &after, was.as_deref(), |rights| class.listed(rights, server));
    let revoked = changes(&before, &after);
    for column in new.definition().attributes() {
        let of = |view: &Object| view.definition().attributes().iter().find(|other| other.name == column.name).cloned();
        let rights = |column: Option<Attribute>| column.and_then(|column| column.grants).unwrap_or_default();
        let before = old.map_or_else(Vec::new, |old| rights_left(&rights(of(old)), old, new, &revoked));
        let was = earlier.and_then(|earlier| of(earlier).map(|column| transferred(rights(Some(column)), earlier, new)));
        statements.extend(securable.set_on_column(&column.name, &before, column.grants.as_deref().unwrap_or_default(), was.as_deref()));
    }
    statements
}

fn set_rights_on_column(
    subject: Subject<'_>,
    old: Option<&Object>,
    (key, table): (&Key, &Object),
    context: &EmitContext<'_>,
) -> Vec<EmittedStatement> {
    let securable = Securable { on: subject.parent.to_owned(), owner: owner_of(table) };
    let rights = |column: &Object| column.grants().unwrap_or_default().to_vec();
    let Some(old_table) = context.old.objects.get(key) else {
        return securable.set_on_column(subject.shown(), &[], &rights(subject.object), None);
    };
    let before = old.map(rights).filter(|rights| !rights.is_empty()).map_or_else(Vec::new, |rights| {
        let (before, after) = before_and_after(key, table, Some(old_table), RightsClass::Tables, context);
        rights_left(&rights, old_table, table, &changes(&before, &after))
    });
    let was = context.old.objects.get(subject.key).map(|column| transferred(rights(column), old_table, table));
    securable.set_on_column(subject.shown(), &before, &rights(subject.object), was.as_deref())
}

/// The sequence of an identity column, which belongs to its table's owner.
fn set_rights_on_identity(subject: Subject<'_>, old: Option<&Object>, table: &Object, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    let Some(new) = subject.object.definition().identity() else { return Vec::new() };
    let (class, server) = (RightsClass::Sequences, context.options.server);
    let old_table = subject.object.parent.as_ref().and_then(|table| context.old.objects.get(table));
    let rights = |column: &Object| {
        let identity = column.definition().identity()?;
        Some(transferred(identity.grants.clone().unwrap_or_else(|| class.built_in(server)), old_table?, table))
    };
    let was = context.old.objects.get(subject.key).and_then(rights);
    if was.is_none() && context.options.ignore.grants {
        return Vec::new();
    }
    let before = old.and_then(rights).unwrap_or_else(|| of_new_owner(initial(class, subject.key, context), table));
    let after = new.grants.clone().unwrap_or_else(|| class.built_in(server));
    let securable = Securable { on: format!("SEQUENCE {}", new.sequence), owner: owner_of(table) };
    securable.set(&before, &after, was.as_deref(), |rights| class.listed(rights, server))
}

/// What GRANT and REVOKE are about.
struct Securable<'o> {
    /// After ON.
    on: String,
    /// Its owner in SQL.
    owner: &'o str,
}

impl Securable<'_> {
    /// The statements from the rights before them to those after. `was` are those before the migration, if the object existed then:
    /// what differs from them is tagged, but not what a recreated object gets again.
    fn set(&self, before: &[Grant], after: &[Grant], was: Option<&[Grant]>, listed: impl Fn(&[&str]) -> String) -> Vec<EmittedStatement> {
        let differing = was.map(|was| changes(was, after)).unwrap_or_default();
        let set = |change: &RightsChange<'_>| {
            let rights = listed(&change.privileges);
            let statement = EmittedStatement::set_rights(change.sql(&rights, &self.on, self.owner));
            match differing.iter().any(|other| other.overlaps(change)) {
                true => statement.with(Danger::AuthorizationChange, &change.effect(&rights)),
                false => statement,
            }
        };
        changes(before, after).iter().map(set).collect()
    }

    fn set_on_column(&self, column: &str, before: &[Grant], after: &[Grant], was: Option<&[Grant]>) -> Vec<EmittedStatement> {
        let listed = |rights: &[&str]| rights.iter().map(|right| format!("{right} ({column})")).collect::<Vec<_>>().join(", ");
        self.set(before, after, was, listed)
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
    let server = context.options.server;
    let before = match old {
        Some(old) => transferred(all_rights(old, class, server), old, new),
        None => of_new_owner(initial(class, key, context), new),
    };
    (before, all_rights(new, class, server))
}

fn all_rights(object: &Object, class: RightsClass, server: u32) -> Vec<Grant> {
    object.grants().map_or_else(|| class.built_in(server), <[Grant]>::to_vec)
}

/// The rights on a new object of the role that runs the statements: PostgreSQL's own or those of its default privileges, and beside
/// these those in the schema. Default privileges are changed before anything that they apply to is created.
fn initial(class: RightsClass, key: &Key, context: &EmitContext<'_>) -> Vec<Grant> {
    initial_rights(class, key, context.new, context.options.server)
}

/// The same under the default privileges of a catalog.
pub(in crate::model) fn initial_rights(class: RightsClass, key: &Key, catalog: &Catalog, server: u32) -> Vec<Grant> {
    let of = |name: String| {
        let key = Key { kind: ObjectKind::DefaultPrivileges, name: name.into() };
        Some(&catalog.objects.get(&key)?.definition().as_default_privileges()?.grants)
    };
    let everywhere = of(class.name().to_owned()).cloned().unwrap_or_else(|| class.built_in(server));
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
fn rights_left(column: &[Grant], old: &Object, new: &Object, changes: &[RightsChange<'_>]) -> Vec<Grant> {
    let is_in = |grant: &Grant, verb| {
        let is = |change: &RightsChange<'_>| {
            change.verb == verb && change.grantee == grant.grantee && change.privileges.contains(&grant.privilege.as_str())
        };
        changes.iter().any(is)
    };
    let kept = transferred(column.to_vec(), old, new).into_iter().filter(|grant| !is_in(grant, RightsVerb::Revoke));
    kept.map(|grant| Grant { with_option: grant.with_option && !is_in(&grant, RightsVerb::RevokeOption), ..grant }).collect()
}
