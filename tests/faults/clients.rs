//! The program, or one of its backends, ends at any moment.

use std::time::Instant;

use super::Case;
use super::story::{A_SECOND, DELAY, Way, disturbed, messages, project, wait_for_message};
use crate::support::Proxy;

const MOMENTS: usize = 200;

pub(crate) fn kills() -> Vec<Case> {
    moments("KILL", None)
}

pub(crate) fn terms() -> Vec<Case> {
    moments("TERM", Some(143))
}

fn moments(signal: &'static str, code: Option<i32>) -> Vec<Case> {
    let all = messages();
    let case = |moment| Case::new(format!("SIG{signal} at moment {moment}"), move || signalled(signal, code, moment, all));
    (1..=MOMENTS).map(case).collect()
}

/// Lets a run go on to a moment, and ends it.
fn signalled(signal: &str, code: Option<i32>, moment: usize, all: usize) {
    let (project, way) = (project(), Way::Up);
    let database = way.start(&project);
    let proxy = Proxy::to(&database).delay(DELAY);
    let running = disturbed(&proxy.url_for(&database), &project).spawn();
    // From its first message on: before it the handlers may not be there.
    wait_for_message((all * moment / MOMENTS).max(1), &proxy, &running);
    running.signal(signal);
    let signalled = Instant::now();
    let outcome = running.wait();
    assert!(signalled.elapsed() < A_SECOND, "ended {:?} after the signal\n{outcome}", signalled.elapsed());
    drop(proxy);
    // Of the last moments some may come too late.
    let late = moment * 10 > MOMENTS * 9;
    let codes = [code, Some(0)];
    way.survived(outcome, if late { &codes } else { &codes[..1] }, &database, &project);
}

/// SIGKILL of a backend makes the server restart all of them, so that is done on a server of one's own (`servers.rs`);
/// here `pg_terminate_backend` of each of the run's connections, again and again.
pub(crate) fn backends() -> Vec<Case> {
    let connections = [
        ("the lock's", "xact_start IS NOT NULL AND state = 'idle in transaction' AND query LIKE '%pg_try_advisory_xact_lock%'"),
        ("the worker's", "query NOT LIKE '%pg_try_advisory_xact_lock(%'"),
        ("every", "true"),
    ];
    let all = messages();
    let case = |name: &str, which: &'static str, moment: usize| {
        Case::new(format!("pg_terminate_backend of {name} connection at moment {moment}"), move || {
            terminated(which, all * moment / 20, moment < 18);
        })
    };
    connections.into_iter().flat_map(|(name, which)| (0..20).map(move |moment| case(name, which, moment))).collect()
}

/// Ends such connections of a run after its n-th message.
fn terminated(which: &str, n: usize, in_time: bool) {
    let (project, way) = (project(), Way::Up);
    let database = way.start(&project);
    let proxy = Proxy::to(&database).delay(DELAY);
    let running = disturbed(&proxy.url_for(&database), &project).spawn();
    wait_for_message(n, &proxy, &running);
    let session = database.session();
    let terminate = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%' AND {which}"
    );
    let mut hit = false;
    while !hit && running.is_running() {
        hit = !session.query(&terminate).is_empty();
    }
    assert!(hit || !in_time, "the run had no such connection\n{running}");
    way.survived(running.wait(), &[Some(0), Some(5)], &database, &project);
}
