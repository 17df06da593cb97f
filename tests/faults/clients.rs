//! The program, or one of its backends, ends at any moment.

use std::thread;
use std::time::Duration;

use super::Case;
use super::story::{Way, disturbed, ended, project};
use crate::support::Proxy;

/// Messages take this long, so that the run lasts and each of its parts can be met.
const DELAY: Duration = Duration::from_millis(2);
const MOMENTS: u32 = 200;
/// How long an undisturbed run takes with that delay, about.
const LENGTH: Duration = Duration::from_millis(1000);

pub(crate) fn kills() -> Vec<Case> {
    moments("KILL", &[None, Some(0)])
}

pub(crate) fn terms() -> Vec<Case> {
    moments("TERM", &[Some(143), Some(0)])
}

fn moments(signal: &'static str, codes: &'static [Option<i32>]) -> Vec<Case> {
    let case = |moment: u32| {
        Case::new(format!("SIG{signal} at moment {moment}"), move || {
            let project = project();
            let way = Way::Up;
            let database = way.start(&project);
            let proxy = Proxy::to(&database).delay(DELAY);
            let running = disturbed(&proxy.url_for(&database), &project).spawn();
            thread::sleep(LENGTH * moment / MOMENTS);
            if running.is_running() {
                running.signal(signal);
            }
            let signalled = std::time::Instant::now();
            ended(running.wait(), codes);
            // A second, and some for a machine that is busy with the other cases.
            assert!(signalled.elapsed() < Duration::from_millis(2500), "ended {:?} after the signal", signalled.elapsed());
            way.finish(&database, &project);
        })
    };
    // The first milliseconds belong to the dynamic linker: no handler can be there yet.
    (5..5 + MOMENTS).map(case).collect()
}

/// SIGKILL of a backend makes the server restart all of them, so that is done on a server of one's own (`servers.rs`);
/// here `pg_terminate_backend` of each of the run's connections, again and again.
pub(crate) fn backends() -> Vec<Case> {
    let whose = [
        ("the lock's", "xact_start IS NOT NULL AND state = 'idle in transaction' AND query LIKE '%pg_try_advisory_xact_lock%'"),
        ("the worker's", "query NOT LIKE '%pg_try_advisory_xact_lock(%'"),
        ("every", "true"),
    ];
    let mut cases = Vec::new();
    for (name, which) in whose {
        for moment in 0..20u32 {
            cases.push(Case::new(format!("pg_terminate_backend of {name} connection at moment {moment}"), move || {
                let project = project();
                let way = Way::Up;
                let database = way.start(&project);
                let proxy = Proxy::to(&database).delay(DELAY);
                let running = disturbed(&proxy.url_for(&database), &project).spawn();
                thread::sleep(LENGTH * moment / 20);
                database.query(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%' AND {which}"
                ));
                ended(running.wait(), &[Some(0), Some(5)]);
                way.finish(&database, &project);
            }));
        }
    }
    cases
}
