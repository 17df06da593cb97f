//! What every object can have: a comment, an owner, rights of other roles.

use super::rights::{set_rights, silent_changes};
use crate::model::hazard::Danger;
use crate::model::ignore::Ignore;
use crate::model::kinds::context::EmitContext;
use crate::model::sql_text::comment;
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, Key, Object};

/// The statements that set them, where they differ from what the object has, or from what its CREATE gives it.
pub(super) fn set_properties(key: &Key, context: &EmitContext<'_>) -> Vec<EmittedStatement> {
    let Some(subject) = context.new.subject(key) else { return Vec::new() };
    let new = subject.object;
    let old = context.old.objects.get(key).filter(|_| !context.is_created(key));
    let mut statements = new.definition().attach(old.map(|old| old.definition()), subject, context);
    let address = new.definition().address(subject);
    let ignore = if context.old.objects.contains_key(key) { Ignore::default() } else { context.options.ignore };
    if !ignore.owners && old.and_then(|old| old.owner()) != new.owner() {
        let owner = new.owner().unwrap_or("CURRENT_USER");
        let statement = EmittedStatement::set_owner(format!("ALTER {address} OWNER TO {owner}"));
        let is_change = context.old.objects.get(key).is_some_and(|old| old.owner() != new.owner());
        statements.push(if is_change { statement.with(Danger::AuthorizationChange, &new_owner(new)) } else { statement });
    }
    if !ignore.grants {
        statements.extend(set_rights(subject, old, context));
    }
    let before = match old {
        Some(old) => old.comment(),
        None => new.definition().initial_comment(),
    };
    if !ignore.comments && before != new.comment() {
        statements.push(EmittedStatement::comment(format!("COMMENT ON {address} IS {}", comment(new.comment()))));
    }
    statements.extend(attribute_comments(old, new));
    statements.extend(identity_comment(old, new));
    statements
}

fn new_owner(new: &Object) -> String {
    let owner = new.owner().unwrap_or("the role that runs this");
    format!("{owner} gets all rights of the owner, the present owner loses them")
}

/// What roles may do more or less with an object that is recreated, though no statement says so.
pub(super) fn silent_authorization_changes(key: &Key, context: &EmitContext<'_>) -> Vec<String> {
    let (Some(subject), Some(old)) = (context.new.subject(key), context.old.objects.get(key)) else { return Vec::new() };
    let new = subject.object;
    let owner = (old.owner().is_some() && new.owner().is_none())
        .then(|| format!("{} when {} is recreated", new_owner(new), new.definition().address(subject)));
    owner.into_iter().chain(silent_changes(subject, context)).collect()
}

/// The comment on the sequence of an identity column.
fn identity_comment(old: Option<&Object>, new: &Object) -> Option<EmittedStatement> {
    let of = |object: &Object| object.definition().identity().map(|identity| (identity.sequence.clone(), identity.comment.clone()));
    let (sequence, text) = of(new)?;
    let before = old.and_then(of).and_then(|(_, text)| text);
    (before != text).then(|| EmittedStatement::comment(format!("COMMENT ON SEQUENCE {sequence} IS {}", comment(text.as_deref()))))
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
