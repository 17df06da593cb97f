//! The server crashes, or one of its backends is killed, and recovers.

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::Case;
use super::story::{arrived, disturbed, ended, project};
use crate::support::{Database, Proxy, Server, Session, pgmarch};

const LENGTH: Duration = Duration::from_millis(1000);

pub(crate) fn crashes() -> Vec<Case> {
    let restart = |moment: u32| {
        Case::new(format!("immediate restart at moment {moment}"), move || {
            disturb(moment, 30, |server, _| server.restart_after_crash());
        })
    };
    let kill = |moment: u32| {
        Case::new(format!("SIGKILL of a backend at moment {moment}"), move || {
            disturb(moment, 20, |_, database| {
                let ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%' ORDER BY random() LIMIT 1";
                // The server may be recovering from nothing yet: without a backend there is nothing to kill.
                if let [row] = database.query(ours).as_slice() {
                    drop(Command::new("/bin/kill").args(["-9", &row[0]]).status());
                }
            });
        })
    };
    (0..30).map(restart).chain((0..20).map(kill)).collect()
}

fn disturb(moment: u32, moments: u32, act: impl Fn(&Server, &Database)) {
    let project = project();
    let server = Server::start_own(&["max_connections = 30"]);
    let database = Database::on(&server);
    let proxy = Proxy::to(&server).delay(Duration::from_millis(2));
    let running = disturbed(&proxy.url_for(&database), &project).spawn();
    thread::sleep(LENGTH * moment / moments);
    act(&server, &database);
    ended(running.wait(), &[Some(0), Some(5)]);
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while Session::try_open(&database.url()).is_err() {
        assert!(std::time::Instant::now() < deadline, "the server does not come back");
        thread::sleep(Duration::from_millis(50));
    }
    pgmarch(&database, &project).run().exits(0);
    arrived(&database);
}
