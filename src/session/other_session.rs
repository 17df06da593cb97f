//! What the server shows of another session: who it is, and what it does.

use std::time::Duration;

use serde::Deserialize;

use crate::facts::Blocker;
use crate::sql;
use crate::sql::{Message, Sql};
use crate::words::rough;

/// A JSON object about one session, from an alias `a` of `pg_stat_activity`, which may be joined on the left, and a pid. Without
/// `pg_read_all_stats` the server shows the process id, role and application of another role's session, and hides the rest.
const DESCRIPTION: &str = include_str!("other_session.sql");

/// An expression that describes the session with this pid, of the row `a` of `pg_stat_activity`. For [`parse`].
pub(crate) fn description(pid: Sql) -> Sql {
    sql!(DESCRIPTION, pid = pid)
}

/// A query for the sessions of these process ids that exist, besides the one that asks.
pub(crate) fn sessions_query(pids: &[i32]) -> Message {
    let pids = Sql::join(pids.iter().map(|pid| sql!("({pid})", pid = *pid)), ", ");
    Message::of(sql!(
        "SELECT {session} FROM (VALUES {pids}) AS wanted (pid) JOIN pg_stat_activity a USING (pid) WHERE a.pid <> pg_backend_pid()",
        session = description(Sql::of("a.pid")),
        pids = pids
    ))
}

/// The fields of [`DESCRIPTION`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    pid: i32,
    role: Option<String>,
    application: Option<String>,
    address: Option<String>,
    is_client: Option<bool>,
    is_hidden: bool,
    /// The role that asks, quoted.
    reader: String,
    /// For how many seconds its transaction has been open.
    transaction: Option<f64>,
    state: Option<String>,
    /// For how many seconds it has run its statement, or has been idle.
    since: Option<f64>,
    query: Option<String>,
    /// Transactions that are prepared, which have no process.
    prepared: Option<Vec<String>>,
}

/// A session as [`description`] describes it.
pub(crate) fn parse(text: &str) -> Option<Blocker> {
    let found: Description = serde_json::from_str(text).ok()?;
    if found.pid == 0 {
        // A prepared transaction has no process (manual, 9.27).
        let names = found.prepared.unwrap_or_default();
        return Some(Blocker { query: Some(names.join(", ")).filter(|names| !names.is_empty()), ..Blocker::default() });
    }
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let address = match (found.is_hidden, found.address) {
        (true, _) => Some(format!("an address that is hidden: GRANT pg_read_all_stats TO {}", found.reader)),
        (false, Some(address)) => Some(address),
        (false, None) => found.is_client.filter(|is_client| *is_client).map(|_| "a local socket".to_owned()),
    };
    let query = match (found.state, found.since.map(duration).map(rough), found.query) {
        (Some(state), Some(since), Some(query)) => Some(format!("{state} for {since}: {query}")),
        (Some(state), Some(since), None) => Some(format!("{state} for {since}")),
        (Some(state), None, query) => Some([Some(state), query].into_iter().flatten().collect::<Vec<_>>().join(": ")),
        (None, _, query) => query,
    };
    Some(Blocker {
        pid: found.pid,
        role: found.role,
        application: found.application,
        address,
        age: found.transaction.map(duration),
        query: if found.is_hidden { None } else { query },
    })
}

/// What to do about the sessions that hold a lock, in one line.
pub(crate) fn lock_advice(blockers: &[Blocker]) -> String {
    const LONGER: &str = "PGMARCH_LOCK_TIMEOUT waits longer for each lock, PGMARCH_RETRY_FOR tries for longer";
    let commands: Vec<String> = blockers.iter().filter_map(Blocker::terminate_command).collect();
    match blockers {
        [] => format!(
            "another session's lock or change was in the way, and has ended or is hidden now (pg_locks shows who holds locks); {LONGER}"
        ),
        [first, ..] if commands.is_empty() => {
            let names = first.query.as_deref().unwrap_or_default().split(", ").filter(|name| !name.is_empty());
            let ends: Vec<String> = names.map(|name| format!("ROLLBACK PREPARED '{}'", name.replace('\'', "''"))).collect();
            let end = if ends.is_empty() {
                "COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts has its name)".to_owned()
            } else {
                ends.join(" or ")
            };
            format!("a prepared transaction holds the lock: end it with {end}, or COMMIT PREPARED; {LONGER}")
        }
        blockers => {
            let pids: Vec<String> =
                blockers.iter().filter(|session| session.pid != 0).map(|session| format!("pid {}", session.pid)).collect();
            let (are, them) = if pids.len() > 1 { ("are", "them") } else { ("is", "it") };
            format!("wait until {} {are} done, or end {them} with {}; {LONGER}", pids.join(" and "), commands.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_hides_is_named_with_the_grant() {
        let hidden = r#"{"pid": 7, "role": "postgres", "application": "psql", "is_hidden": true, "reader": "\"App\""}"#;
        let text = parse(hidden).expect("a session").to_string();
        assert_eq!(text, "pid 7 (role postgres, application psql, from an address that is hidden: GRANT pg_read_all_stats TO \"App\")");
    }

    #[test]
    fn a_session_is_described_with_the_age_of_its_statement() {
        let active = r#"{"pid": 7, "role": "app", "application": "psql", "address": "10.0.0.1", "is_client": true, "is_hidden": false,
            "reader": "app", "transaction": 300.5, "state": "active", "since": 61, "query": "UPDATE t"}"#;
        let text = parse(active).expect("a session").to_string();
        assert!(text.contains("active for 1m 1s: UPDATE t"), "{text}");
    }
}
