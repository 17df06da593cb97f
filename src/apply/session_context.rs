//! Settings that the statements of a step run under.

use super::monitor::take_token;
use crate::config::Config;
use crate::ledger::{Backend, Server, set_role};
use crate::revision::Id;
use crate::session::application_name;
use crate::sql;
use crate::sql::{EscapeString, Literal, NO_STATEMENT_TIMEOUT, Sql, safe_settings};

/// Role, search path and lock timeout for bookkeeping within a revision's session, until the transaction ends, whatever the
/// revision has set.
pub(super) fn bookkeeping_settings(config: &Config) -> Vec<Sql> {
    let timeout = sql!("SET LOCAL lock_timeout = {timeout}", timeout = config.lock_timeout);
    own_role(config).into_iter().chain(safe_settings()).chain([timeout, Sql::of(NO_STATEMENT_TIMEOUT)]).collect()
}

/// The same between statements that set nothing, in a session that began with the timeouts of the settings, where our tables are
/// plain: the check of those fails if one of them has row security. What only a function has set costs the run its time at most.
pub(super) fn bookkeeping_settings_of_plain_session(config: &Config) -> Vec<Sql> {
    let timeout = (!config.statement_timeout.is_off()).then(|| Sql::of(NO_STATEMENT_TIMEOUT));
    let [path, _row_security, jit] = safe_settings();
    own_role(config).into_iter().chain([path, jit]).chain(timeout).collect()
}

/// pgmarch's own role. Without `PGMARCH_ROLE` it is the one that the session began with, which `ALTER ROLE … SET role` or `options`
/// may set.
fn own_role(config: &Config) -> [Sql; 2] {
    let role = set_role(config).unwrap_or_else(|| Sql::of("SET LOCAL role TO DEFAULT"));
    [Sql::of("SET LOCAL SESSION AUTHORIZATION DEFAULT"), role]
}

/// `search_path`, `row_security` and `jit` for a revision's text: `PGMARCH_SEARCH_PATH`, else the session's own values. On a
/// direct connection those are the defaults, to which `RESET ALL` returns. Behind a pooler the defaults may be another client's,
/// so the values read by the first query are set instead.
pub(super) fn session_settings_for_text(config: &Config, server: &Server, backend: &Backend) -> [Sql; 3] {
    let path = match &config.search_path {
        Some(path) => sql!("SET LOCAL search_path TO {path}", path = *path),
        None if backend.is_direct => Sql::of("SET LOCAL search_path TO DEFAULT"),
        None => sql!("SELECT set_config('search_path', {path}, true)", path = Literal(&server.search_path)),
    };
    let row_security = if backend.is_direct {
        Sql::of("SET LOCAL row_security TO DEFAULT")
    } else {
        sql!("SET LOCAL row_security TO {value}", value = EscapeString(&server.row_security))
    };
    [Sql::of("SET LOCAL jit TO DEFAULT"), row_security, path]
}

/// What settings of a step depend on, and how its transaction is found in `pg_stat_activity` and `pg_locks`.
pub(super) struct SessionContext<'a> {
    /// The server's version.
    pub(super) server: u32,
    /// Whether the session began with [`startup_options`].
    pub(super) has_defaults: bool,
    /// A random number of this run. Held as an advisory lock, it shows which backend runs the step, also behind a pooler.
    pub(super) token: i64,
    /// The revision.
    pub(super) revision: &'a Id,
}

impl SessionContext<'_> {
    /// An expression that takes the token's advisory lock until the transaction ends.
    pub(super) fn take_token(&self) -> Sql {
        take_token(self.token)
    }
}

/// How long a setting lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingScope {
    /// Until the end of the transaction.
    Transaction,
    /// Until the end of the session.
    Session,
}

/// Timeouts for a revision's statements.
fn timeouts(config: &Config, server: u32) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("lock_timeout", config.lock_timeout.to_string()),
        ("statement_timeout", config.statement_timeout.to_string()),
        ("idle_in_transaction_session_timeout", "0".to_owned()),
    ];
    if server >= 170_000 {
        settings.push(("transaction_timeout", "0".to_owned()));
    }
    settings
}

/// `statement_timeout` for a revision's text, until the transaction ends: pgmarch's own statements before it run without one.
pub(super) fn statement_timeout(config: &Config) -> Sql {
    sql!("SET LOCAL statement_timeout = {timeout}", timeout = config.statement_timeout)
}

/// Settings that make the server notice a client that died or whose network is gone, and end its statement (manual, 20.3).
fn network(server: u32) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("tcp_keepalives_idle", "10".to_owned()),
        ("tcp_keepalives_interval", "5".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "25000".to_owned()),
    ];
    if server >= 140_000 {
        settings.push(("client_connection_check_interval", "500".to_owned()));
    }
    settings
}

/// The `options` of a connection that begins with these settings, so that they need not be set for each revision.
pub fn startup_options(config: &Config, server: u32) -> String {
    let all: Vec<String> =
        timeouts(config, server).into_iter().chain(network(server)).map(|(name, value)| format!("-c {name}={value}")).collect();
    all.join(" ")
}

/// Timeouts and `application_name` for a revision's statements, as one statement; the revision's own settings come later and
/// win. A session that began with [`startup_options`] needs only the name. May run under the revision's search path.
pub(super) fn step_settings(config: &Config, context: &SessionContext<'_>, scope: SettingScope) -> Sql {
    let local = scope == SettingScope::Transaction;
    let name = application_name(Some(context.revision.as_str()));
    if local && context.has_defaults {
        return sql!("SET LOCAL application_name TO {name}", name = EscapeString(&name));
    }
    let set = |(name, value): &(&'static str, String)| {
        sql!("pg_catalog.set_config('{name}', {value}, {local})", name = Sql::of(name), value = Literal(value), local = local)
    };
    let mut parts: Vec<Sql> = timeouts(config, context.server).iter().chain([&("application_name", name)]).map(set).collect();
    if local {
        parts.push(context.take_token());
    }
    // Only Linux has these options of TCP.
    let network = Sql::join(network(context.server).iter().map(set), ", ");
    parts.push(sql!(
        "CASE WHEN pg_catalog.textlike(pg_catalog.version(), '%linux%') THEN pg_catalog.concat({network}) END",
        network = network
    ));
    sql!("SELECT {parts}", parts = Sql::join(parts, ", "))
}
