//! A privilege that the role lacks: which object it is about, whose that is, and what grants the privilege.

use super::FailedStatement;
use crate::apply::executor::Executor;
use crate::revision::statement::identifiers::find_identifiers;
use crate::sql;
use crate::sql::{Literal, Message, quote_identifier};

/// The most characters of a statement that are compared with the names of objects.
const MOST_TEXT: usize = 10_000;
/// The first words of statements that only the owner of an object may run.
const FOR_OWNERS: [&str; 10] = ["alter", "drop", "comment", "reindex", "cluster", "vacuum", "analyze", "refresh", "grant", "revoke"];
/// What `CREATE` makes that belongs to a table, which only its owner may have.
const PARTS: [&str; 6] = ["index", "trigger", "policy", "rule", "statistics", "unique"];

/// An object that the role does not own, from `privilege.sql`.
struct ForeignObject {
    /// `TABLE`, `SCHEMA`…
    kind: String,
    /// Its name as SQL writes it.
    name: String,
    /// Its name in the catalog.
    bare: String,
    owner: String,
    /// The privileges that the role lacks.
    missing: Vec<String>,
    has_row_security: bool,
    /// Whether its owner is a superuser.
    has_superuser: bool,
}

impl Executor<'_> {
    pub(super) async fn privilege_advice(&self, failed: &FailedStatement<'_>) -> String {
        let role = self.config.role.as_ref().map_or_else(|| self.server.role.clone(), |role| role.as_str().to_owned());
        let words: Vec<String> = find_identifiers(failed.statement).take(MOST_TEXT / 5).map(std::borrow::Cow::into_owned).collect();
        let verbs: Vec<&str> = words.iter().take(3).map(String::as_str).collect();
        let statement: String = failed.statement.chars().take(MOST_TEXT).collect();
        let query = sql!(
            include_str!("privilege.sql"),
            role = Literal(&role),
            message = Literal(failed.error.message()),
            statement = Literal(&statement)
        );
        let quoted_role = quote_identifier(&role);
        let found = self.look_up(&Message::of(query)).await.into_iter().next().and_then(|row| {
            let [kind, name, bare, owner, missing, has_row_security, has_superuser] = <[Option<String>; 7]>::try_from(row).ok()?;
            let missing = missing.unwrap_or_default().split(", ").filter(|privilege| !privilege.is_empty()).map(str::to_owned).collect();
            Some(ForeignObject {
                kind: kind?,
                name: name?,
                bare: bare?,
                owner: owner?,
                missing,
                has_row_security: has_row_security.as_deref() == Some("t"),
                has_superuser: has_superuser.as_deref() == Some("t"),
            })
        });
        match (verbs.as_slice(), found) {
            (["create", "extension", ..], _) => {
                format!(
                    "create the extension as a superuser or as the database's owner, and write CREATE EXTENSION IF NOT EXISTS in the revision; or run it as such a role (PGMARCH_ROLE); the role in force was {quoted_role}"
                )
            }
            (["create" | "alter" | "drop", "role" | "user" | "group", ..], _) => {
                format!(
                    "let {quoted_role} manage roles: as a superuser run ALTER ROLE {quoted_role} CREATEROLE; or manage roles outside of revisions"
                )
            }
            (["create" | "drop" | "alter", "database", ..], None) => format!("as a superuser run ALTER ROLE {quoted_role} CREATEDB"),
            (["set", ..] | ["reset", ..], None) => setting_advice(&words, &quoted_role),
            (_, Some(object)) => object.advice(&verbs, &words, &quoted_role),
            (_, None) => format!(
                "the role {quoted_role} may not run this statement: run the revision as a role that may (PGMARCH_ROLE, after GRANT of that role to {quoted_role}), or connect as one (PGMARCH_DATABASE_URL)"
            ),
        }
    }
}

/// What to do about a `SET` that was refused.
fn setting_advice(words: &[String], role: &str) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).skip(1).skip_while(|word| ["local", "session"].contains(word)).collect();
    match words.as_slice() {
        ["role" | "authorization", wanted, ..] => {
            let wanted = quote_identifier(wanted);
            format!("as a superuser run GRANT {wanted} TO {role}; or run the revision as that role: PGMARCH_ROLE={wanted}")
        }
        [setting, ..] => format!(
            "the role {role} may not set {setting}: as a superuser run GRANT SET ON PARAMETER {setting} TO {role} (PostgreSQL 15 and newer) or ALTER ROLE {role} SET {setting} = VALUE, or remove the statement"
        ),
        [] => format!("the role {role} may not run this statement"),
    }
}

impl ForeignObject {
    fn advice(&self, verbs: &[&str], words: &[String], role: &str) -> String {
        let Self { kind, name, owner, .. } = self;
        let as_owner = if self.has_superuser {
            format!("run it as {owner}, a superuser (PGMARCH_DATABASE_URL)")
        } else {
            format!("run it as the owner: PGMARCH_ROLE={owner}, after GRANT {owner} TO {role}")
        };
        let is_part = verbs.first() == Some(&"create") && verbs.iter().any(|verb| PARTS.contains(verb));
        let refers = words.windows(2).any(|pair| pair[0] == "references" && pair[1] == self.bare)
            || words.windows(3).any(|triple| triple[0] == "references" && triple[2] == self.bare);
        if self.has_row_security && self.missing.is_empty() {
            return format!(
                "a row-level security policy of the {} {name} refuses the row: change the row or the policy; or {as_owner}, or as a role with BYPASSRLS",
                kind.to_ascii_lowercase()
            );
        }
        let privileges = if refers { vec!["REFERENCES"] } else { self.privileges(verbs, words) };
        let needs_owner = !refers
            && (is_part || verbs.first().is_some_and(|verb| FOR_OWNERS.contains(verb)) && (kind != "SCHEMA" || verbs.contains(&"schema")));
        if needs_owner || privileges.is_empty() {
            return format!(
                "the {} {name} belongs to {owner}: {as_owner}; or as a superuser run ALTER {kind} {name} OWNER TO {role}",
                kind.to_ascii_lowercase()
            );
        }
        let on = if kind.contains("TABLE") || kind.contains("VIEW") { "TABLE" } else { kind };
        format!("as {owner} (its owner) run GRANT {} ON {on} {name} TO {role}; or {as_owner}", privileges.join(", "))
    }

    /// What the statement needs of what the role lacks.
    fn privileges(&self, verbs: &[&str], words: &[String]) -> Vec<&str> {
        let lacks = |privilege: &str| self.missing.iter().any(|missing| missing == privilege);
        let follows = |word: &str| {
            words.windows(2).any(|pair| pair[0] == word && pair[1] == self.bare)
                || words.windows(3).any(|triple| triple[0] == word && triple[2] == self.bare)
        };
        let needed: &[&str] = match (self.kind.as_str(), verbs.first()) {
            ("SCHEMA", Some(&"create" | &"alter")) => &["USAGE", "CREATE"],
            ("SCHEMA" | "SEQUENCE" | "TYPE" | "LANGUAGE" | "FOREIGN SERVER", _) => &["USAGE"],
            ("DATABASE" | "TABLESPACE", _) => &["CREATE"],
            ("FUNCTION" | "PROCEDURE", _) => &["EXECUTE"],
            (_, Some(&"insert")) if follows("into") => &["INSERT"],
            (_, Some(&"update")) if follows("update") => &["UPDATE", "SELECT"],
            (_, Some(&"delete")) if follows("from") => &["DELETE", "SELECT"],
            (_, Some(&"truncate")) => &["TRUNCATE"],
            (_, Some(&"copy")) if words.iter().any(|word| word == "from") => &["INSERT"],
            // What a block does is not in its text alone.
            (_, Some(&"do" | &"call")) => &["SELECT", "INSERT", "UPDATE", "DELETE"],
            _ => &["SELECT"],
        };
        needed.iter().copied().filter(|privilege| lacks(privilege)).collect()
    }
}
