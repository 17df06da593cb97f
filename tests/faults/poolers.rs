//! PgBouncer between the runs and the server.

use std::time::Duration;

use super::Case;
use super::daemon::{Daemon, Files};
use super::story::{DELAY, Way, arrived, disturbed, ended, project, wait_for_message};
use crate::support::{Database, Project, Proxy, Running, pgmarch};

const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in [2, 3, 10] {
        cases.push(Case::new(format!("20 at once, session mode, pool of {size}"), move || at_once("session", size, &project())));
        cases.push(Case::new(format!("20 at once, transaction mode, pool of {size}"), move || {
            at_once("transaction", size, &transactional())
        }));
    }
    for mode in ["session", "transaction"] {
        cases.push(Case::new(format!("{mode} mode, pool of 1: ended with advice"), move || too_small(mode)));
    }
    for size in [2, 10] {
        cases.push(Case::new(format!("transaction:false in transaction mode, pool of {size}: refused"), move || refused(size)));
    }
    for mode in ["session", "transaction"] {
        for signal in ["KILL", "TERM"] {
            for moment in 1..=MOMENTS {
                let name = format!("SIG{signal} at moment {moment} in {mode} mode strands no lock");
                cases.push(Case::new(name, move || ended_early(mode, signal, moment)));
            }
        }
    }
    cases
}

const MOMENTS: usize = 5;

fn pgbouncer(database: &Database, mode: &str, size: usize) -> Daemon {
    pgbouncer_with(database, &format!("pool_mode={mode}\ndefault_pool_size={size}\n"))
}

/// PgBouncer with these settings.
pub(crate) fn pgbouncer_with(database: &Database, settings: &str) -> Daemon {
    Daemon::start(database, PGBOUNCER, |backend, port, folder| {
        let own = format!(
            "listen_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\nauth_type=any\nmax_client_conn=500\nlogfile={folder}/log"
        );
        let (host, server_port) = backend;
        let text = format!("[databases]\n* = host={host} port={server_port} user=postgres\n[pgbouncer]\n{own}\n{settings}");
        Files { texts: vec![("pgbouncer.ini", text)], arguments: vec!["-q".to_string(), format!("{folder}/pgbouncer.ini")] }
    })
}

/// The story without its two revisions of `transaction:false`.
pub(crate) fn transactional() -> Project {
    let project = project();
    for id in ["003", "009"] {
        let name = format!("{id}_test.sql");
        let text = project.read(&name).replace(" transaction:false", "").replace(" CONCURRENTLY", "").replace("SET main", "SET LOCAL main");
        project.write(&name, &text);
    }
    project
}

fn at_once(mode: &str, size: usize, project: &Project) {
    let database = Database::new();
    let pooler = pgbouncer(&database, mode, size);
    let run = |_| {
        disturbed(&pooler.url(&database), project)
            .env("PGMARCH_RETRY_FOR", "60s")
            .env("PGMARCH_WAIT_TIMEOUT", "60s")
            .env("PGMARCH_RUN_LOCK_TIMEOUT", "2m")
            .spawn()
    };
    let running: Vec<Running> = (0..20).map(run).collect();
    running.into_iter().for_each(|running| ended(running.wait(), &[Some(0)]));
    no_lock(&database);
    drop(pooler);
    arrived(&database);
}

/// The pooler keeps its connections to the server, but none of them may keep a lock.
pub(crate) fn no_lock(database: &Database) {
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    database.eventually(locks, "0");
}

fn too_small(mode: &str) {
    let (database, project) = (Database::new(), transactional());
    let pooler = pgbouncer(&database, mode, 1);
    let outcome = disturbed(&pooler.url(&database), &project).env("PGMARCH_WAIT_TIMEOUT", "3s").run();
    outcome.exits(4).stderr_contains("pool size of at least 2").within(Duration::from_secs(30));
    drop(pooler);
    pgmarch(&database, &project).run().exits(0);
    arrived(&database);
}

fn refused(size: usize) {
    let (database, project) = (Database::new(), project());
    let pooler = pgbouncer(&database, "transaction", size);
    let outcome = disturbed(&pooler.url(&database), &project).run();
    outcome.exits(2).stderr_contains("pooler in transaction mode").stderr_contains("past the pooler");
    drop(pooler);
    assert_eq!(database.one("SELECT to_regclass('witness') IS NULL"), "t", "nothing was begun");
    pgmarch(&database, &project).run().exits(0);
    arrived(&database);
}

/// How many messages go either way in an undisturbed run through a pooler.
pub(crate) fn messages(database: &Database, pooler: &Daemon, project: &Project) -> usize {
    let proxy = Proxy::to(pooler).delay(DELAY);
    disturbed(&proxy.url_for(database), project).run().exits(0);
    proxy.all_messages()
}

fn ended_early(mode: &str, signal: &str, moment: usize) {
    let project = &if mode == "session" { project() } else { transactional() };
    let [database, other] = [(); 2].map(|()| Database::new());
    let pooler = pgbouncer(&database, mode, 2);
    let all = messages(&other, &pooler, project);
    let proxy = Proxy::to(&pooler).delay(DELAY);
    let running = disturbed(&proxy.url_for(&database), project).spawn();
    wait_for_message((all * moment / MOMENTS).max(1), &proxy, &running);
    running.signal(signal);
    let outcome = running.wait();
    // The last moment may come too late.
    let code = if signal == "KILL" { None } else { Some(143) };
    ended(outcome, if moment == MOMENTS { &[None, Some(143), Some(0)] } else { std::slice::from_ref(&code) });
    disturbed(&pooler.url(&database), project).run().exits(0);
    no_lock(&database);
    drop((proxy, pooler));
    Way::Up.survived(pgmarch(&database, project).run(), &[Some(0)], &database, project);
}
