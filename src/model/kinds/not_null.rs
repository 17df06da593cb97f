//! NOT NULL: what sets and drops it.

use serde::{Deserialize, Serialize};

use super::context::{EmitContext, Form};
use super::interface::Subject;
use crate::model::hazard::Danger;
use crate::model::sql_text::{bare_name, usual_name};
use crate::model::statement::EmittedStatement;

/// NOT NULL, which is a constraint with a name from PostgreSQL 18 on.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct NotNull {
    /// A name other than the one the server would choose.
    pub name: Option<String>,
    pub valid: bool,
    pub no_inherit: bool,
}

/// From one NOT NULL of a column to another.
pub(super) fn change_not_null(
    subject: Subject<'_>,
    context: &EmitContext<'_>,
    old: Option<&NotNull>,
    new: Option<&NotNull>,
) -> Vec<EmittedStatement> {
    let (table, name) = (subject.parent, subject.shown());
    let alter = |what: String| EmittedStatement::alter(format!("ALTER TABLE {table} {what}"));
    match (old, new) {
        _ if old == new => Vec::new(),
        (_, None) => vec![alter_column(subject, "DROP NOT NULL")],
        (Some(old), Some(new)) if old.name != new.name && old.valid == new.valid && old.no_inherit == new.no_inherit => {
            let of = |not_null: &NotNull| not_null.name.clone().unwrap_or_else(|| usual_name(bare_name(table), name, "not_null"));
            vec![EmittedStatement::rename(format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {}", of(old), of(new)))]
        }
        (Some(_), Some(_)) => {
            let dropped = change_not_null(subject, context, old, None);
            dropped.into_iter().chain(change_not_null(subject, context, None, new)).collect()
        }
        (None, Some(new)) => {
            let scan = "every row is read under ACCESS EXCLUSIVE; it fails if one is NULL";
            let is_plain = new.name.is_none() && new.valid && !new.no_inherit;
            if is_plain && context.options.form == Form::Online {
                let [check, rest @ ..] = set_not_null_in_steps(subject);
                return [check].into_iter().chain(rest.map(EmittedStatement::afterwards)).collect();
            }
            if is_plain {
                return vec![alter_column(subject, "SET NOT NULL").with(Danger::Scan, scan)];
            }
            let constraint = new.name.as_ref().map(|name| format!("CONSTRAINT {name} ")).unwrap_or_default();
            let no_inherit = if new.no_inherit { " NO INHERIT" } else { "" };
            let add = format!("ADD {constraint}NOT NULL {name}{no_inherit}");
            vec![if new.valid { alter(add).with(Danger::Scan, scan) } else { alter(add + " NOT VALID") }]
        }
    }
}

/// NOT NULL by way of a check: the last two statements read no row.
pub(super) fn set_not_null_in_steps(subject: Subject<'_>) -> [EmittedStatement; 4] {
    let (table, name) = (subject.parent, subject.shown());
    let alter = |what: String| EmittedStatement::alter(format!("ALTER TABLE {table} {what}"));
    let check = usual_name(bare_name(table), name, "not_null_check");
    [
        alter(format!("ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID")),
        alter(format!("VALIDATE CONSTRAINT {check}")).with(Danger::MayFail, "it fails if a row has NULL"),
        alter_column(subject, "SET NOT NULL"),
        alter(format!("DROP CONSTRAINT {check}")),
    ]
}

/// `ALTER TABLE … ALTER COLUMN …`.
pub(super) fn alter_column(subject: Subject<'_>, what: &str) -> EmittedStatement {
    EmittedStatement::alter(format!("ALTER TABLE {} ALTER COLUMN {} {what}", subject.parent, subject.shown()))
}
