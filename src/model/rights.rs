//! Rights on objects: who has which, which PostgreSQL gives by itself, and the GRANT and REVOKE that lead from some to others. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The grantee of rights that an object's owner has on it. The server quotes a role of this name.
pub(super) const OWNER: &str = "OWNER";
/// The grantee of rights that every role has.
pub(super) const PUBLIC: &str = "PUBLIC";
/// The role that reads the catalog and runs the statements, where it is not the owner.
pub(super) const CURRENT_USER: &str = "CURRENT_USER";

/// One right on an object, or on a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(from = "(String, String, bool)", into = "(String, String, bool)")]
pub struct Grant {
    /// `OWNER`, `PUBLIC`, `CURRENT_USER`, or a role as SQL writes it.
    pub grantee: String,
    /// `SELECT`.
    pub privilege: String,
    /// Whether the grantee may grant it to others.
    pub with_option: bool,
}

impl From<(String, String, bool)> for Grant {
    fn from((grantee, privilege, with_option): (String, String, bool)) -> Self {
        Self { grantee, privilege, with_option }
    }
}

impl From<Grant> for (String, String, bool) {
    fn from(grant: Grant) -> Self {
        (grant.grantee, grant.privilege, grant.with_option)
    }
}

/// Objects with the same rights: a class of `ALTER DEFAULT PRIVILEGES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "PostgreSQL's own words")]
pub enum RightsClass {
    /// Views too.
    Tables,
    Sequences,
    /// Procedures and aggregates too.
    Functions,
    /// Domains too.
    Types,
    Schemas,
    /// From PostgreSQL 18 on.
    LargeObjects,
}

impl RightsClass {
    /// Its name in the key of default privileges.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Sequences => "sequences",
            Self::Functions => "functions",
            Self::Types => "types",
            Self::Schemas => "schemas",
            Self::LargeObjects => "large_objects",
        }
    }

    /// The word of `ALTER DEFAULT PRIVILEGES`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Tables => "TABLES",
            Self::Sequences => "SEQUENCES",
            Self::Functions => "FUNCTIONS",
            Self::Types => "TYPES",
            Self::Schemas => "SCHEMAS",
            Self::LargeObjects => "LARGE OBJECTS",
        }
    }

    /// All rights that there are on an object of the class (PostgreSQL manual, 5.8, table 5.2).
    fn privileges(self, server: u32) -> &'static [&'static str] {
        const TABLE: [&str; 8] = ["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE", "MAINTAIN"];
        match self {
            Self::Tables if server >= 170_000 => &TABLE,
            Self::Tables => &TABLE[..7],
            Self::Sequences => &["SELECT", "UPDATE", "USAGE"],
            Self::Functions => &["EXECUTE"],
            Self::Types => &["USAGE"],
            Self::Schemas => &["CREATE", "USAGE"],
            Self::LargeObjects => &["SELECT", "UPDATE"],
        }
    }

    /// The rights on a new object where no default privileges apply: all for its owner, for PUBLIC those on functions and types.
    pub(super) fn built_in(self, server: u32) -> Vec<Grant> {
        let public = matches!(self, Self::Functions | Self::Types).then_some(PUBLIC);
        let grant = |grantee: &'static str| {
            let all = self.privileges(server).iter();
            all.map(move |privilege| Grant { grantee: grantee.to_owned(), privilege: (*privilege).to_owned(), with_option: false })
        };
        [OWNER].into_iter().chain(public).flat_map(grant).collect()
    }

    /// Rights in a statement: `ALL` if there are no others on the class.
    pub(super) fn listed(self, privileges: &[&str], server: u32) -> String {
        let all = self.privileges(server);
        let is_all = all.len() > 1 && all.iter().all(|privilege| privileges.contains(privilege));
        if is_all { "ALL".to_owned() } else { privileges.join(", ") }
    }
}

/// What a GRANT or REVOKE does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RightsVerb {
    /// `REVOKE`.
    Revoke,
    /// `REVOKE GRANT OPTION FOR`.
    RevokeOption,
    /// `GRANT`.
    Grant,
    /// `GRANT … WITH GRANT OPTION`.
    GrantWithOption,
}

/// One GRANT or REVOKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RightsChange<'g> {
    /// What it does.
    pub(super) verb: RightsVerb,
    /// Whose rights.
    pub(super) grantee: &'g str,
    /// Which rights.
    pub(super) privileges: Vec<&'g str>,
}

impl RightsChange<'_> {
    /// The statement: `rights` in its words, `on` the object after ON, `owner` the owner in SQL.
    pub(super) fn sql(&self, rights: &str, on: &str, owner: &str) -> String {
        let role = if self.grantee == OWNER { owner } else { self.grantee };
        match self.verb {
            RightsVerb::Revoke => format!("REVOKE {rights} ON {on} FROM {role}"),
            RightsVerb::RevokeOption => format!("REVOKE GRANT OPTION FOR {rights} ON {on} FROM {role}"),
            RightsVerb::Grant => format!("GRANT {rights} ON {on} TO {role}"),
            RightsVerb::GrantWithOption => format!("GRANT {rights} ON {on} TO {role} WITH GRANT OPTION"),
        }
    }
}

impl RightsChange<'_> {
    /// What it does, in a sentence: `rights` as in its SQL.
    pub(super) fn effect(&self, rights: &str) -> String {
        let who = match self.grantee {
            OWNER => "the owner",
            PUBLIC => "every role",
            CURRENT_USER => "the role that runs this",
            role => role,
        };
        let rights = if rights == "ALL" { "all rights" } else { rights };
        match self.verb {
            RightsVerb::Revoke => format!("{who} loses {rights}"),
            RightsVerb::RevokeOption => format!("{who} may no longer grant {rights} to others"),
            RightsVerb::Grant => format!("{who} gets {rights}"),
            RightsVerb::GrantWithOption => format!("{who} gets {rights}, and may grant it to others"),
        }
    }

    /// Whether another one is about one of the same rights of the same role.
    pub(super) fn overlaps(&self, other: &RightsChange<'_>) -> bool {
        self.grantee == other.grantee && self.privileges.iter().any(|privilege| other.privileges.contains(privilege))
    }
}

/// The statements that lead from some rights to others: what is revoked first.
pub(super) fn changes<'g>(before: &'g [Grant], after: &'g [Grant]) -> Vec<RightsChange<'g>> {
    let find = |list: &[Grant], grant: &Grant| {
        list.iter().find(|other| other.grantee == grant.grantee && other.privilege == grant.privilege).map(|other| other.with_option)
    };
    let revoked = before.iter().filter_map(|grant| match find(after, grant) {
        None => Some((RightsVerb::Revoke, grant)),
        Some(with_option) => (grant.with_option && !with_option).then_some((RightsVerb::RevokeOption, grant)),
    });
    let granted = after.iter().filter_map(|grant| match (find(before, grant), grant.with_option) {
        (None, false) => Some((RightsVerb::Grant, grant)),
        (None | Some(false), true) => Some((RightsVerb::GrantWithOption, grant)),
        (Some(_), _) => None,
    });
    let mut grouped: BTreeMap<(RightsVerb, &str), Vec<&str>> = BTreeMap::new();
    for (verb, grant) in revoked.chain(granted) {
        grouped.entry((verb, grant.grantee.as_str())).or_default().push(&grant.privilege);
    }
    grouped.into_iter().map(|((verb, grantee), privileges)| RightsChange { verb, grantee, privileges }).collect()
}

/// Rights after ALTER … OWNER TO: those of the old owner are the new one's, beside those that it had.
pub(super) fn with_owner(grants: Vec<Grant>, owner: &str) -> Vec<Grant> {
    let (own, mut rest): (Vec<Grant>, Vec<Grant>) = grants.into_iter().partition(|grant| grant.grantee == OWNER || grant.grantee == owner);
    let mut merged: BTreeMap<String, bool> = BTreeMap::new();
    for grant in own {
        *merged.entry(grant.privilege).or_default() |= grant.with_option;
    }
    rest.extend(merged.into_iter().map(|(privilege, with_option)| Grant { grantee: OWNER.to_owned(), privilege, with_option }));
    rest
}

/// The rights of two lists together.
pub(super) fn merged(mut one: Vec<Grant>, other: &[Grant]) -> Vec<Grant> {
    for grant in other {
        match one.iter_mut().find(|known| known.grantee == grant.grantee && known.privilege == grant.privilege) {
            Some(known) => known.with_option |= grant.with_option,
            None => one.push(grant.clone()),
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(grantee: &str, privilege: &str, with_option: bool) -> Grant {
        (grantee.to_owned(), privilege.to_owned(), with_option).into()
    }

    #[test]
    fn rights_change_by_the_fewest_statements() {
        let before = [grant("a", "SELECT", false), grant("a", "UPDATE", true), grant("b", "SELECT", false)];
        let after = [grant("a", "SELECT", true), grant("a", "UPDATE", false), grant(OWNER, "SELECT", false)];
        let statements: Vec<String> = changes(&before, &after)
            .iter()
            .map(|change| change.sql(&RightsClass::Tables.listed(&change.privileges, 150_000), "t", "CURRENT_USER"))
            .collect();
        assert_eq!(
            statements,
            [
                "REVOKE SELECT ON t FROM b",
                "REVOKE GRANT OPTION FOR UPDATE ON t FROM a",
                "GRANT SELECT ON t TO CURRENT_USER",
                "GRANT SELECT ON t TO a WITH GRANT OPTION"
            ]
        );
        assert!(changes(&after, &after).is_empty());
    }

    #[test]
    fn all_is_written_if_no_right_is_missing() {
        let seven = RightsClass::Tables.privileges(160_000);
        assert_eq!(RightsClass::Tables.listed(seven, 160_000), "ALL");
        assert!(RightsClass::Tables.listed(seven, 170_000).starts_with("DELETE, "));
        assert_eq!(RightsClass::Functions.listed(&["EXECUTE"], 160_000), "EXECUTE");
    }

    #[test]
    fn a_new_owner_has_the_rights_of_the_old_one_and_its_own() {
        let grants = vec![grant(OWNER, "SELECT", false), grant("a", "UPDATE", true), grant("b", "SELECT", false)];
        let expected = [grant("b", "SELECT", false), grant(OWNER, "SELECT", false), grant(OWNER, "UPDATE", true)];
        assert_eq!(with_owner(grants, "a"), expected);
    }
}
