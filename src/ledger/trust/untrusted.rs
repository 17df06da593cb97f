//! Why a relation is not trusted.

use crate::sql::Ident;

/// A relation that is not trusted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedRelation {
    /// `SCHEMA.NAME`.
    pub(crate) relation: String,
    /// What is wrong with it.
    pub(crate) what: String,
    /// The role that owns it, or the code that it runs.
    pub(crate) role: String,
    /// Whether it is the version table.
    pub(crate) is_version_table: bool,
}

/// One reason not to trust a relation: a row of `problems.sql`.
pub(crate) struct TrustProblem {
    pub(crate) untrusted: UntrustedRelation,
    /// Whether the reason is the owner alone, of the table or of its schema.
    pub(crate) is_owner: bool,
    /// Whether the ledger can do without the table.
    pub(crate) is_optional: bool,
}

impl UntrustedRelation {
    /// What to do about it, in one line.
    pub(in crate::ledger) fn next_step(&self) -> String {
        let Self { relation, role, is_version_table, .. } = self;
        let named = Ident::parse(role).map(|role| role.to_string()).unwrap_or_default();
        let role = if role.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') { role } else { &named };
        let elsewhere = if *is_version_table {
            "PGMARCH_VERSION_TABLE=SCHEMA.NAME names another table"
        } else {
            "PGMARCH_LEDGER_SCHEMA names another schema"
        };
        format!(
            "find out who made {relation} so, and drop or change it; if {role} may do whatever pgmarch may do, set PGMARCH_TRUST_OWNER={role}; {elsewhere}"
        )
    }
}

impl std::fmt::Display for UntrustedRelation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relation, what, role, .. } = self;
        write!(f, "{relation} is not trusted: {what} (role {role})")
    }
}

impl TrustProblem {
    /// From a row of `problems.sql`.
    pub(crate) fn from_row(row: Vec<Option<String>>) -> Option<Self> {
        let [relation, what, role, is_owner, is_version_table, is_optional] = <[Option<String>; 6]>::try_from(row).ok()?;
        let is = |value: Option<String>| value.as_deref() == Some("t");
        let untrusted =
            UntrustedRelation { relation: relation?, what: what?, role: role.unwrap_or_default(), is_version_table: is(is_version_table) };
        Some(Self { untrusted, is_owner: is(is_owner), is_optional: is(is_optional) })
    }
}
