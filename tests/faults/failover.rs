//! The primary goes, and its standby takes over.

use super::Case;
use super::story::{REVISIONS, arrived, disturbed, ended, project};
use crate::support::{Database, Server, Session, pgmarch, pgmarch_at};

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![Case::new("the primary goes and nobody takes over in time", out_of_time)];
    cases.push(Case::new("the primary goes at once and the standby is promoted", || promoted(None)));
    for id in &REVISIONS[..11] {
        cases.push(Case::new(format!("the primary goes behind {id} and the standby is promoted"), || promoted(Some(id))));
    }
    cases
}

/// One URL for both: `postgres://user@primary,standby/database?target_session_attrs=read-write`.
fn url(primary: &Server, standby: &Server, database: &Database) -> String {
    let place = |server: &Server| server.url("").split('@').nth(1).map(|place| place.trim_end_matches('/').to_string()).unwrap_or_default();
    let both = format!("{},{}", place(primary), place(standby));
    primary.url(database.name()).replace(&place(primary), &both) + "?target_session_attrs=read-write"
}

fn pair() -> (Server, Server, Database) {
    let primary = Server::start_own(&["max_connections = 30"]);
    let standby = primary.standby();
    let database = Database::on(&primary);
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", database.name());
    Session::open(&standby.url("postgres")).eventually(&there, "1");
    (primary, standby, database)
}

fn promoted(behind: Option<&str>) {
    let project = slow();
    let (primary, standby, database) = pair();
    let url = url(&primary, &standby, &database);
    let running = disturbed(&url, &project).env("PGMARCH_WAIT_TIMEOUT", "30s").env("PGMARCH_RETRY_FOR", "30s").spawn();
    if let Some(id) = behind {
        running.wait_for_log(&format!("applied {id} "));
    }
    primary.crash();
    standby.promote();
    ended(running.wait(), &[Some(0)]);
    let database = database.moved_to(&standby);
    pgmarch_at(&url, &project).run().exits(0);
    arrived(&database);
}

fn out_of_time() {
    let project = slow();
    let (primary, standby, database) = pair();
    let url = url(&primary, &standby, &database);
    let running = disturbed(&url, &project).env("PGMARCH_WAIT_TIMEOUT", "1s").env("PGMARCH_RETRY_FOR", "1s").spawn();
    running.wait_for_log("applied 002");
    primary.crash();
    running.wait().exits(4);
    standby.promote();
    let database = database.moved_to(&standby);
    pgmarch(&database, &project).run().exits(0);
    arrived(&database);
}

/// The story with a pause in it, so that there is time for a change.
fn slow() -> crate::support::Project {
    let project = project();
    for id in ["002", "005a", "008"] {
        let name = format!("{id}_test.sql");
        let text = project.read(&name).replace("-- migrate:up\n", "-- migrate:up\nSELECT pg_sleep(0.4);\n");
        project.write(&name, &text);
    }
    project
}
