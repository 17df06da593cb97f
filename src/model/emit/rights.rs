//! Rights: those that CREATE gives an object under the default privileges in force, and the statements that lead to those of the model.

use crate::model::hazard::Danger;
use crate::model::kinds::context::EmitContext;
use crate::model::kinds::interface::{Grants, Subject};
use crate::model::rights::{CURRENT_USER, Grant, RightsChange, RightsClass, RightsVerb, changes, merged, with_owner};
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, Catalog, Key, Object, ObjectKind};

/// The statements that set the rights on an object and its columns. `old` is the object that stays.
pub(super) fn set_rights(subject: Subject<'_>, old: Option<&Object>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    transitions(subject, old, context).iter().flat_map(RightsTransition::statements).collect()
}

/// What roles gain and lose because an object is recreated, without a GRANT or REVOKE: its new rights are those that CREATE gives it.
pub(super) fn silent_changes(subject: Subject<'_>, context: &EmitContext<'_>) -> Vec<String> {
    transitions(subject, None, context).iter().flat_map(RightsTransition::silent_changes).collect()
}

fn transitions<'o>(subject: Subject<'o>, old: Option<&'o Object>, context: &EmitContext<'o>) -> Vec<RightsTransition<'o>> {
    match subject.key.kind.facts().grants {
        Grants::None => Vec::new(),
        Grants::On(words, class) => of_object(subject, words, class, old, context),
        Grants::OnColumn => {
            let Some((key, table)) = subject.object.parent.as_ref().and_then(|table| context.new.objects.get_key_value(table)) else {
                return Vec::new();
            };
            let mut transitions = vec![of_column(subject, old, (key, table), context)];
            transitions.extend(of_identity(subject, old, table, context));
            transitions
        }
    }
}

fn of_object<'o>(
    subject: Subject<'o>,
    words: &str,
    class: RightsClass,
    old: Option<&'o Object>,
    context: &EmitContext<'o>,
) -> Vec<RightsTransition<'o>> {
    let (new, server) = (subject.object, context.options.server);
    let on = format!("{words}{}", subject.shown());
    let (before, after) = before_and_after(subject.key, new, old, class, context);
    let earlier = context.old.objects.get(subject.key);
    let was = earlier.map(|earlier| transferred(all_rights(earlier, class, server), earlier, new));
    let revoked = changes(&before, &after);
    let of_column = |column: &'o Attribute| {
        let of = |view: &Object| view.definition().attributes().iter().find(|other| other.name == column.name).cloned();
        let rights = |column: Option<Attribute>| column.and_then(|column| column.grants).unwrap_or_default();
        RightsTransition {
            securable: Securable { on: on.clone(), owner: owner_of(new), listing: Listing::Column(&column.name) },
            before: old.map_or_else(Vec::new, |old| rights_left(&rights(of(old)), old, new, &revoked)),
            after: column.grants.clone().unwrap_or_default(),
            was: earlier.and_then(|earlier| of(earlier).map(|column| transferred(rights(Some(column)), earlier, new))),
        }
    };
    let columns: Vec<RightsTransition<'o>> = new.definition().attributes().iter().map(of_column).collect();
    let securable = Securable { on: on.clone(), owner: owner_of(new), listing: Listing::Object(class, server) };
    [RightsTransition { securable, was, before: before.clone(), after: after.clone() }].into_iter().chain(columns).collect()
}

fn of_column<'o>(
    subject: Subject<'o>,
    old: Option<&Object>,
    (key, table): (&Key, &'o Object),
    context: &EmitContext<'_>,
) -> RightsTransition<'o> {
    let securable = Securable { on: subject.parent.to_owned(), owner: owner_of(table), listing: Listing::Column(subject.shown()) };
    let rights = |column: &Object| column.grants().unwrap_or_default().to_vec();
    let after = rights(subject.object);
    let Some(old_table) = context.old.objects.get(key) else {
        return RightsTransition { securable, before: Vec::new(), after, was: None };
    };
    let before = old.map(rights).filter(|rights| !rights.is_empty()).map_or_else(Vec::new, |rights| {
        let (before, after) = before_and_after(key, table, Some(old_table), RightsClass::Tables, context);
        rights_left(&rights, old_table, table, &changes(&before, &after))
    });
    let was = context.old.objects.get(subject.key).map(|column| transferred(rights(column), old_table, table));
    RightsTransition { securable, before, after, was }
}

/// The sequence of an identity column, which belongs to its table's owner.
fn of_identity<'o>(
    subject: Subject<'o>,
    old: Option<&Object>,
    table: &'o Object,
    context: &EmitContext<'_>,
) -> Option<RightsTransition<'o>> {
    let new = subject.object.definition().identity()?;
    let (class, server) = (RightsClass::Sequences, context.options.server);
    let old_table = subject.object.parent.as_ref().and_then(|table| context.old.objects.get(table));
    let rights = |column: &Object| {
        let identity = column.definition().identity()?;
        Some(transferred(identity.grants.clone().unwrap_or_else(|| class.built_in(server)), old_table?, table))
    };
    let was = context.old.objects.get(subject.key).and_then(rights);
    if was.is_none() && context.options.ignore.grants {
        return None;
    }
    let before = old.and_then(rights).unwrap_or_else(|| of_new_owner(initial(class, subject.key, context), table));
    let after = new.grants.clone().unwrap_or_else(|| class.built_in(server));
    let securable = Securable { on: format!("SEQUENCE {}", new.sequence), owner: owner_of(table), listing: Listing::Object(class, server) };
    Some(RightsTransition { securable, before, after, was })
}

/// What GRANT and REVOKE are about.
struct Securable<'o> {
    /// After ON.
    on: String,
    /// Its owner in SQL.
    owner: &'o str,
    /// How rights are listed before ON.
    listing: Listing<'o>,
}

/// How rights are listed.
enum Listing<'o> {
    /// `SELECT`, on a server of this version.
    Object(RightsClass, u32),
    /// `SELECT (column)`.
    Column(&'o str),
}

impl Listing<'_> {
    fn of(&self, rights: &[&str]) -> String {
        match self {
            Self::Object(class, server) => class.listed(rights, *server),
            Self::Column(column) => rights.iter().map(|right| format!("{right} ({column})")).collect::<Vec<_>>().join(", "),
        }
    }
}

/// From some rights to others.
struct RightsTransition<'o> {
    securable: Securable<'o>,
    /// Before the statements that set them.
    before: Vec<Grant>,
    after: Vec<Grant>,
    /// Before the migration, if the object existed then: what differs from them is tagged, but not what a recreated object gets again.
    was: Option<Vec<Grant>>,
}

impl RightsTransition<'_> {
    fn differing(&self) -> Vec<RightsChange<'_>> {
        self.was.as_ref().map(|was| changes(was, &self.after)).unwrap_or_default()
    }

    fn statements(&self) -> Vec<EmittedStatement> {
        let (securable, differing) = (&self.securable, self.differing());
        let set = |change: &RightsChange<'_>| {
            let rights = securable.listing.of(&change.privileges);
            let statement = EmittedStatement::set_rights(change.sql(&rights, &securable.on, securable.owner));
            match differing.iter().any(|other| other.overlaps(change)) {
                true => statement.with(Danger::AuthorizationChange, &change.effect(&rights)),
                false => statement,
            }
        };
        changes(&self.before, &self.after).iter().map(set).collect()
    }

    /// What differs, and no statement is about it.
    fn silent_changes(&self) -> Vec<String> {
        let set = changes(&self.before, &self.after);
        let is_silent = |grantee: &str, right: &str| !set.iter().any(|set| set.grantee == grantee && set.privileges.contains(&right));
        let silent = |mut change: RightsChange<'_>| {
            change.privileges.retain(|right| is_silent(change.grantee, right));
            let rights = self.securable.listing.of(&change.privileges);
            (!change.privileges.is_empty()).then(|| format!("{} when {} is recreated", change.effect(&rights), self.securable.on))
        };
        self.differing().into_iter().filter_map(silent).collect()
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
