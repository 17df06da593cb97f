//! What `pg_stat_activity`, `pg_locks` and the progress views say about one backend.

use std::time::Duration;

use crate::ledger::parse_numeric;
use crate::session::StatementResult;
use crate::sql;
use crate::sql::{Message, Sql};
use crate::words::rough;

/// The query for what a backend does, and for the sessions that block it or are blocked by it.
pub(super) fn activity_query(backend: Sql, server: u32) -> Message {
    let copy = Sql::of(if server >= 140_000 {
        "UNION ALL SELECT command, 'copying', bytes_processed, bytes_total FROM pg_stat_progress_copy WHERE pid = (SELECT pid FROM us)"
    } else {
        ""
    });
    // What the statement does, which sessions block it and which it blocks: one row for each, distinguished by the first column.
    // In the order of an index, CLUSTER counts rows and no blocks; how many there are, only the last ANALYZE knows.
    Message::of(sql!(include_str!("activity.sql"), us = backend, copy = copy))
}

/// The answer of one poll.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub(super) is_running: bool,
    pub(super) pid: Option<i64>,
    pub(super) phase: Option<String>,
    pub(super) percent: Option<f64>,
    others: Vec<OtherSession>,
}

/// A session that blocks the statement, or is blocked by it.
#[derive(Debug)]
struct OtherSession {
    /// `blocker` or `blocked`.
    relation: String,
    description: String,
    query: String,
    pid: String,
}

impl Activity {
    pub(super) fn of(rows: StatementResult) -> Self {
        let mut activity = Self::default();
        for row in rows {
            let Ok([relation, pid, a, b, c, age, query]) = <[Option<String>; 7]>::try_from(row) else { continue };
            if relation.as_deref() == Some("us") {
                activity.is_running = true;
                activity.pid = pid.and_then(|pid| pid.parse().ok());
                activity.phase = b.map(|phase| format!("{}: {phase}", a.unwrap_or_default()));
                activity.percent = c.and_then(|percent| parse_numeric(&percent));
                continue;
            }
            let pid = pid.unwrap_or_default();
            let age = age.and_then(|age| age.parse().ok()).map(|age| rough(Duration::from_secs(age)));
            let text = |part: Option<String>| part.unwrap_or_else(|| "?".to_owned());
            let description = match pid.as_str() {
                // A prepared transaction has no process (manual, 9.27).
                "0" => "a prepared transaction (pg_prepared_xacts)".to_owned(),
                _ => format!("pid {pid} (role {}, {}, from {}, since {}", text(a), text(b), text(c), text(age)),
            };
            activity.others.push(OtherSession {
                relation: relation.unwrap_or_default(),
                description,
                query: query.unwrap_or_default(),
                pid,
            });
        }
        activity
    }

    /// The sessions that block the statement; empty if there are none.
    pub(super) fn blockers(&self, with_queries: bool) -> String {
        self.describe("blocker", with_queries)
    }

    /// The sessions that the statement blocks; empty if there are none.
    pub(super) fn blocked(&self, with_queries: bool) -> String {
        self.describe("blocked", with_queries)
    }

    fn describe(&self, relation: &str, with_queries: bool) -> String {
        let others = self.others.iter().filter(|other| other.relation == relation);
        let each = others.map(|other| match (other.pid.as_str(), with_queries) {
            ("0", _) => other.description.clone(),
            (_, true) => format!("{}, {})", other.description, other.query),
            (_, false) => format!("{})", other.description),
        });
        each.collect::<Vec<_>>().join(" and ")
    }

    /// What identifies a state: its phase and sessions. Percentage and time change all the time and are left out.
    pub(super) fn news_key(&self) -> String {
        let others: Vec<String> = self.others.iter().map(|other| format!("{} {}", other.relation, other.pid)).collect();
        format!("{:?} {others:?}", self.phase)
    }
}
