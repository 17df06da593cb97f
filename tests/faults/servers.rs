//! The server crashes, or one of its backends is killed, and recovers.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::Case;
use super::story::{DELAY, Way, disturbed, messages, project, wait_for_message};
use crate::support::{Database, Proxy, Running, Server, Session, TIMEOUT};

pub(crate) fn crashes() -> Vec<Case> {
    let all = messages();
    let restart = move |moment: usize| {
        Case::new(format!("immediate restart at moment {moment}"), move || {
            disturb(all * moment / 30, moment < 27, |server, _, _| server.restart_after_crash());
        })
    };
    let kill = move |moment: usize| {
        Case::new(format!("SIGKILL of a backend at moment {moment}"), move || disturb(all * moment / 20, moment < 18, kill_backend))
    };
    (0..30).map(restart).chain((0..20).map(kill)).collect()
}

/// Kills one of the run's backends, if the run has not ended before there is one.
fn kill_backend(_: &Server, database: &Database, running: &Running) {
    let ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%' ORDER BY random() LIMIT 1";
    let session = database.session();
    while running.is_running() {
        if let [row] = session.query(ours).as_slice()
            && Command::new("/bin/kill").args(["-9", &row[0]]).status().is_ok_and(|status| status.success())
        {
            return;
        }
    }
}

/// Acts on a run, or on its server, after its n-th message.
fn disturb(n: usize, in_time: bool, act: impl Fn(&Server, &Database, &Running)) {
    let (project, way) = (project(), Way::Up);
    let server = Server::start_own(&["max_connections = 30"]);
    let database = Database::on(&server);
    let proxy = Proxy::to(&server).delay(DELAY);
    let running = disturbed(&proxy.url_for(&database), &project).spawn();
    wait_for_message(n, &proxy, &running);
    assert!(running.is_running() || !in_time, "it ended before its moment\n{running}");
    act(&server, &database, &running);
    let outcome = running.wait();
    let deadline = Instant::now() + TIMEOUT;
    while Session::try_open(&database.url()).is_err() {
        assert!(Instant::now() < deadline, "the server does not come back");
        thread::sleep(Duration::from_millis(50));
    }
    way.survived(outcome, &[Some(0), Some(5)], &database, &project);
}
