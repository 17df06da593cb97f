//! The sessions that were in the way of a statement that failed because of locks.

use std::collections::HashSet;

use super::monitor::StatementMonitor;
use crate::facts::Blocker;
use crate::revision::statement::identifiers::find_identifiers;
use crate::session::other_session::{description, parse, sessions_query};
use crate::session::{Failure, StatementResult};
use crate::sql;
use crate::sql::{Message, Sql};

impl StatementMonitor {
    /// The sessions that blocked the statement as of the last poll. If none was seen: those that the server's report of a deadlock
    /// names; or those that hold locks on relations that `text` names, such as after a NOWAIT, which waits for nothing. Asked
    /// after the failed transaction has ended.
    pub(super) async fn blockers_of(&self, failure: &Failure, text: &str) -> Vec<Blocker> {
        if !failure.is_retried() {
            return self.blockers();
        }
        let detail = failure.source.as_db_error().filter(|error| error.code().code() == "40P01").and_then(|error| error.detail());
        if let Some(detail) = detail {
            let answer = self.ask(&sessions_query(&deadlocked(detail))).await.and_then(|answers| answers.into_iter().next());
            return sessions(answer.unwrap_or_default());
        }
        let seen = self.blockers();
        if !seen.is_empty() || failure.code().is_some_and(|code| code.code() != "55P03") {
            return seen;
        }
        let query = Message::of(sql!(include_str!("lock_holders.sql"), session = description(Sql::of("coalesce(l.pid, 0)"))));
        let answer = self.ask(&query).await.and_then(|answers| answers.into_iter().next()).unwrap_or_default();
        let names: HashSet<String> = find_identifiers(text).map(std::borrow::Cow::into_owned).collect();
        let named = |row: &Vec<Option<String>>| row.first().is_some_and(|name| name.as_ref().is_some_and(|name| names.contains(name)));
        let mut found = sessions(answer.into_iter().filter(named).map(|row| row.into_iter().skip(1).collect()).collect());
        found.dedup_by_key(|session| session.pid);
        found
    }
}

/// The sessions in the first column of an answer.
fn sessions(answer: StatementResult) -> Vec<Blocker> {
    answer.into_iter().filter_map(|row| parse(row.into_iter().next()??.as_str())).collect()
}

/// The other process ids in the report of a deadlock: the first and the last number of each line, in most languages. The first of
/// all is the process that reports it.
fn deadlocked(detail: &str) -> Vec<i32> {
    let of_line = |line: &str| {
        let numbers: Vec<i32> = line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        [numbers.first().copied(), numbers.last().copied()]
    };
    let mut pids: Vec<i32> = detail.lines().flat_map(of_line).flatten().collect();
    pids.sort_unstable();
    pids.dedup();
    let own = detail.lines().next().and_then(|line| of_line(line)[0]);
    pids.retain(|pid| Some(*pid) != own);
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processes_of_a_deadlock_are_read_from_its_report() {
        let detail = "Process 71 waits for AccessExclusiveLock on relation 16385 of database 5; blocked by process 72.\n\
                      Process 72 waits for ShareLock on transaction 734; blocked by process 71.";
        assert_eq!(deadlocked(detail), [72]);
    }
}
