//! What `pg_stat_activity`, `pg_locks` and the progress views say about one backend.

use crate::facts::Blocker;
use crate::ledger::parse_numeric;
use crate::session::StatementResult;
use crate::session::other_session;
use crate::sql;
use crate::sql::{Message, Sql};

/// The query for what a backend does, and for the sessions that block it or are blocked by it.
pub(super) fn activity_query(backend: Sql, server: u32) -> Message {
    let copy = Sql::of(if server >= 140_000 {
        "UNION ALL SELECT command, 'copying', bytes_processed, bytes_total FROM pg_stat_progress_copy WHERE pid = (SELECT pid FROM us)"
    } else {
        ""
    });
    // What the statement does, which sessions block it and which it blocks: one row for each, distinguished by the first column.
    // A percentage is given only where the server reports how much there is to do. (least() would ignore a NULL. CLUSTER in
    // the order of an index counts rows, and only the last ANALYZE knows how many there are.)
    Message::of(sql!(include_str!("activity.sql"), us = backend, copy = copy, session = other_session::description(Sql::of("o.pid"))))
}

/// The answer of one poll.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub(super) is_running: bool,
    pub(super) pid: Option<i64>,
    pub(super) phase: Option<String>,
    /// How far the statement is, if the server reports it.
    pub(super) percent: Option<f64>,
    /// The sessions that block the statement.
    pub(super) blockers: Vec<Blocker>,
    /// The sessions that the statement blocks.
    pub(super) blocked: Vec<Blocker>,
}

impl Activity {
    pub(super) fn of(rows: StatementResult) -> Self {
        let mut activity = Self::default();
        for row in rows {
            let Ok([relation, pid, command, phase, percent, session]) = <[Option<String>; 6]>::try_from(row) else { continue };
            match (relation.as_deref(), session.as_deref().and_then(other_session::parse)) {
                (Some("us"), _) => {
                    activity.is_running = true;
                    activity.pid = pid.and_then(|pid| pid.parse().ok());
                    activity.phase = phase.map(|phase| format!("{}: {phase}", command.unwrap_or_default()));
                    activity.percent = percent.and_then(|percent| parse_numeric(&percent));
                }
                (Some("blocker"), Some(session)) => activity.blockers.push(session),
                (_, Some(session)) => activity.blocked.push(session),
                (_, None) => {}
            }
        }
        activity
    }

    /// The same without the text of other sessions' queries.
    pub(super) fn without_queries(mut self) -> Self {
        self.blockers.iter_mut().chain(&mut self.blocked).filter(|session| session.pid != 0).for_each(|session| session.query = None);
        self
    }

    /// What identifies a state: its phase and sessions. Percentage and time change all the time and are left out.
    pub(super) fn news_key(&self) -> String {
        let pids = |sessions: &[Blocker]| sessions.iter().map(|session| session.pid).collect::<Vec<_>>();
        format!("{:?} {:?} {:?}", self.phase, pids(&self.blockers), pids(&self.blocked))
    }
}

/// Sessions in a message; empty if there are none.
pub(super) fn list(sessions: &[Blocker]) -> String {
    sessions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
