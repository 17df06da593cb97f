//! What every object can have: a comment, an owner, rights of other roles.

use std::collections::BTreeMap;

use crate::model::kinds::context::EmitContext;
use crate::model::kinds::interface::{Grants, Subject};
use crate::model::sql_text::comment;
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, Catalog, Grant, Key, Object, ObjectKind};

/// The statements that set them, where they differ from what the object has, or from what its CREATE gives it.
pub(super) fn set_properties(key: &Key, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    let Some(subject) = context.new.subject(key) else { return Vec::new() };
    let new = subject.object;
    let old = context.old.objects.get(key).filter(|_| !context.is_created(key));
    let mut statements = new.definition().attach(old.map(|old| old.definition()), subject, context);
    let address = new.definition().address(subject);
    if old.and_then(|old| old.owner()) != new.owner() {
        let owner = new.owner().unwrap_or("CURRENT_USER");
        statements.push(EmittedStatement::set_owner(format!("ALTER {address} OWNER TO {owner}")));
    }
    statements.extend(set_rights(subject, old, context));
    let before = match old {
        Some(old) => old.comment(),
        None => new.definition().initial_comment(),
    };
    if before != new.comment() {
        statements.push(EmittedStatement::comment(format!("COMMENT ON {address} IS {}", comment(new.comment()))));
    }
    statements.extend(attribute_comments(old, new));
    statements
}

fn set_rights(subject: Subject<'_>, old: Option<&Object>, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    let (key, new) = (subject.key, subject.object);
    let facts = key.kind.facts();
    let on = match facts.grants {
        Grants::None => return Vec::new(),
        Grants::On(words) => format!("{words}{}", subject.shown()),
        Grants::OnColumn => subject.parent.to_owned(),
    };
    let right = |privilege: &str| match facts.grants {
        Grants::OnColumn => format!("{privilege} ({})", subject.shown()),
        Grants::None | Grants::On(_) => privilege.to_owned(),
    };
    let before: Vec<Grant> = match old {
        Some(old) => old.grants().iter().filter(|grant| !is_revoked_with_table(new, grant, context)).cloned().collect(),
        None => facts.initial_grant.map(|privilege| ("PUBLIC".to_owned(), privilege.to_owned(), false)).into_iter().collect(),
    };
    let difference = |from: &[Grant], other: &[Grant]| -> BTreeMap<(String, bool), Vec<String>> {
        let mut grouped: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
        for (role, privilege, with_option) in from.iter().filter(|grant| !other.contains(grant)) {
            grouped.entry((role.clone(), *with_option)).or_default().push(right(privilege));
        }
        grouped
    };
    let revoke = |((role, _), rights): ((String, bool), Vec<String>)| format!("REVOKE {} ON {on} FROM {role}", rights.join(", "));
    let grant = |((role, with_option), rights): ((String, bool), Vec<String>)| {
        let option = if with_option { " WITH GRANT OPTION" } else { "" };
        format!("GRANT {} ON {on} TO {role}{option}", rights.join(", "))
    };
    let revoked = difference(&before, new.grants()).into_iter().map(revoke);
    revoked.chain(difference(new.grants(), &before).into_iter().map(grant)).map(EmittedStatement::set_rights).collect()
}

/// Whether a right on a column goes with the same right on its table, which is revoked.
fn is_revoked_with_table(column: &Object, (role, privilege, _): &Grant, context: &EmitContext<'_>) -> bool {
    let Some(table) = column.parent.as_ref().filter(|_| column.definition().kind() == ObjectKind::Column) else { return false };
    let has = |catalog: &Catalog| {
        let table = catalog.objects.get(table);
        table.is_some_and(|table| table.grants().iter().any(|other| other.0 == *role && other.1 == *privilege))
    };
    has(context.old) && !has(context.new)
}

/// Comments on the attributes of a composite type and on the columns of a view.
fn attribute_comments(old: Option<&Object>, new: &Object) -> Vec<EmittedStatement> {
    let before = old.map(|old| old.definition().attributes()).unwrap_or_default();
    let differs = |attribute: &&Attribute| {
        let was = before.iter().find(|other| other.name == attribute.name).and_then(|other| other.comment.as_deref());
        was != attribute.comment.as_deref()
    };
    let set = |attribute: &Attribute| {
        let text = comment(attribute.comment.as_deref());
        EmittedStatement::comment(format!("COMMENT ON COLUMN {}.{} IS {text}", new.shown, attribute.name))
    };
    new.definition().attributes().iter().filter(differs).map(set).collect()
}
