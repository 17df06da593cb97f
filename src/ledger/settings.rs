//! `SET LOCAL` statements: the role, the search path and the time limit under which our tables are read.

use crate::config::Config;
use crate::sql;
use crate::sql::Sql;

/// `lock_timeout` of a query that reads our tables. Only a lock against all readers makes it wait: a `TRUNCATE`, a `VACUUM FULL`,
/// a `LOCK TABLE`. The server reports that before the answer counts as lost ([`crate::session::QUERY_TIMEOUT`]).
pub(super) const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout TO '5s'";

/// Role and search path for what runs on behalf of the settings, until the end of the transaction.
pub(crate) fn session_settings(config: &Config) -> Vec<Sql> {
    set_role(config).into_iter().chain(set_path(config)).collect()
}

/// The search path of the settings, until the end of the transaction.
pub(super) fn set_path(config: &Config) -> Option<Sql> {
    config.search_path.as_ref().map(|path| sql!("SET LOCAL search_path TO {path}", path = *path))
}

/// The role of the settings, until the end of the transaction.
pub(crate) fn set_role(config: &Config) -> Option<Sql> {
    sql::set_role(config.role.as_ref())
}
