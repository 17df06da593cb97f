//! Proxies and poolers that close connections, or that read the protocol: HAProxy with short timeouts, pgpool-II, PgBouncer with
//! timeouts and in statement mode.

use std::thread;
use std::time::Duration;

use super::Case;
use super::daemon::{Daemon, Files, free_port};
use super::poolers::{messages, no_lock, pgbouncer_with, transactional};
use super::story::{DELAY, Way, disturbed, ended, project, wait_for_message};
use crate::support::{Database, Project, Proxy, Running, pgmarch};

const HAPROXY: &str = "/usr/sbin/haproxy";
const PGPOOL: &str = "/usr/sbin/pgpool";

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for seconds in [1, 4] {
        for marker in ["", " transaction:false"] {
            cases.push(Case::new(format!("HAProxy, {seconds} s: shorter statements{marker}"), move || shorter(seconds, marker)));
            cases.push(Case::new(format!("HAProxy, {seconds} s: a longer statement{marker}"), move || longer(seconds, marker)));
        }
        cases.push(Case::new(format!("HAProxy, {seconds} s: the story, both ways"), move || story(seconds)));
    }
    cases.push(Case::new("HAProxy, 1 s: another run holds the run lock", waits_for_run));
    cases.push(Case::new("HAProxy, 1 s: another session holds the table", waits_for_table));
    cases.push(Case::new("HAProxy, 1 s: an index build waits for a snapshot", waits_for_snapshot));
    cases.push(Case::new("HAProxy, 1 s: `wait` until another run is done", waits_for_head));
    for (name, settings) in PGPOOLS {
        cases.push(Case::new(format!("pgpool-II, {name}: the story, both ways"), move || pooled_story(settings)));
        cases.push(Case::new(format!("pgpool-II, {name}: 6 at once"), move || at_once(settings)));
        for signal in ["TERM", "KILL"] {
            cases.push(Case::new(format!("pgpool-II, {name}: SIG{signal} strands no lock"), move || ended_early(settings, signal)));
        }
    }
    for timeout in ["client_idle_timeout", "idle_transaction_timeout", "query_timeout"] {
        for mode in ["session", "transaction"] {
            cases.push(Case::new(format!("PgBouncer, {mode} mode, {timeout} of 2 s"), move || bouncer_timeout(mode, timeout)));
        }
    }
    cases.push(Case::new("PgBouncer, statement mode: ended with advice", statement_mode));
    cases
}

fn haproxy(database: &Database, seconds: u32) -> Daemon {
    Daemon::start(database, HAPROXY, |(host, server_port), port, folder| {
        let text = format!(
            "global\n  maxconn 200\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client {seconds}s\n  timeout server {seconds}s\n\
             listen postgres\n  bind 127.0.0.1:{port}\n  server one {host}:{server_port}\n"
        );
        Files { texts: vec![("haproxy.cfg", text)], arguments: vec!["-db".to_string(), "-f".to_string(), format!("{folder}/haproxy.cfg")] }
    })
}

/// pgpool-II in front of one server.
const PGPOOLS: [(&str, &str); 2] = [
    ("raw mode", "backend_clustering_mode = 'raw'\nload_balance_mode = off\n"),
    ("load balancing", "backend_clustering_mode = 'streaming_replication'\nload_balance_mode = on\nsr_check_user = 'postgres'\n"),
];

fn pgpool(database: &Database, settings: &str) -> Daemon {
    Daemon::start(database, PGPOOL, |(host, server_port), port, folder| {
        let text = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\npcp_listen_addresses = '127.0.0.1'\npcp_port = {}\n\
             unix_socket_directories = '{folder}'\npcp_socket_dir = '{folder}'\nbackend_hostname0 = '{host}'\nbackend_port0 = {server_port}\n\
             backend_weight0 = 1\nbackend_flag0 = 'ALLOW_TO_FAILOVER'\nenable_pool_hba = off\npool_passwd = ''\nnum_init_children = 32\n\
             max_pool = 2\nconnection_cache = on\nsr_check_period = 0\nhealth_check_period = 0\nuse_watchdog = off\n\
             pid_file_name = '{folder}/pid'\nlogdir = '{folder}'\nwork_dir = '{folder}'\n{settings}",
            free_port()
        );
        let arguments = ["-n", "-f", &format!("{folder}/pgpool.conf"), "-F", &format!("{folder}/pcp.conf")].map(ToString::to_string);
        Files { texts: vec![("pgpool.conf", text), ("pcp.conf", String::new())], arguments: arguments.into() }
    })
}

/// Revisions, or statements of one revision, that each take so long.
fn sleeping(marker: &str, count: usize, seconds: f64) -> Project {
    let step = |number: usize| format!("CREATE TABLE t{number} (id int);\nSELECT pg_sleep({seconds});\n");
    if marker.is_empty() {
        return (1..=count).fold(Project::new(), |project, number| project.revision(&format!("00{number}"), &step(number), "SELECT 1;"));
    }
    let text: String = (1..=count).map(step).collect();
    Project::new().file("001_test.sql", &format!("-- migrate:up{marker}\n{text}\n-- migrate:down\nSELECT 1;\n"))
}

/// All of it is there, and nothing is left to do.
#[track_caller]
fn is_complete(database: &Database, project: &Project, tables: usize) {
    let run = pgmarch(database, project).run().exits(0);
    run.stdout_contains("nothing to do");
    assert_eq!(database.one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^t[0-9]'"), tables.to_string());
    no_lock(database);
}

fn shorter(seconds: u32, marker: &str) {
    let (database, count) = (Database::new(), 6);
    let project = sleeping(marker, count, 0.5 + f64::from(seconds) / 8.0);
    let proxy = haproxy(&database, seconds);
    ended(disturbed(&proxy.url(&database), &project).run(), &[Some(0)]);
    is_complete(&database, &project, count);
}

fn longer(seconds: u32, marker: &str) {
    let database = Database::new();
    let project = sleeping(marker, 2, f64::from(seconds) + 3.0);
    let proxy = haproxy(&database, seconds);
    let outcome = disturbed(&proxy.url(&database), &project).env("PGMARCH_RETRY_FOR", "2s").run();
    let outcome = outcome.exits(4).stderr_contains("without traffic (an idle timeout of a proxy or pooler");
    assert!(outcome.last_line().contains("timeout server") && outcome.last_line().contains("PGMARCH_DATABASE_URL"), "{outcome}");
    database.eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'", "0");
    pgmarch(&database, &project).run().exits(0);
    is_complete(&database, &project, 2);
}

fn story(seconds: u32) {
    let project = project();
    for way in [Way::Up, Way::Down] {
        let database = way.start(&project);
        let proxy = haproxy(&database, seconds);
        let outcome = way.words(disturbed(&proxy.url(&database), &project)).run();
        drop(proxy);
        way.survived(outcome, &[Some(0)], &database, &project);
    }
}

/// Longer than the shorter of the timeouts.
const A_WHILE: Duration = Duration::from_secs(3);

fn waits_for_run() {
    let (database, project) = (Database::new(), sleeping("", 2, 0.1));
    let proxy = haproxy(&database, 1);
    let other = database.session();
    let key = "('x' || left(encode(sha256('pgmarch:public.alembic_version'), 'hex'), 16))::bit(64)::bigint";
    other.execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({key})"));
    let running = disturbed(&proxy.url(&database), &project).spawn();
    running.wait_for_log("waiting for another run to end");
    thread::sleep(A_WHILE);
    other.execute("COMMIT");
    ended(running.wait(), &[Some(0)]);
    is_complete(&database, &project, 2);
}

fn waits_for_table() {
    let database = Database::new();
    let project = Project::new().revision("001", "CREATE TABLE t1 (id int);", "SELECT 1;").revision(
        "002",
        "ALTER TABLE wanted ADD COLUMN a int;",
        "SELECT 1;",
    );
    database.execute("CREATE TABLE wanted (id int)");
    let proxy = haproxy(&database, 1);
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE wanted IN ACCESS SHARE MODE");
    let running = disturbed(&proxy.url(&database), &project).env("PGMARCH_LOCK_TIMEOUT", "300ms").spawn();
    running.wait_for_log("was rolled back");
    thread::sleep(A_WHILE);
    other.execute("COMMIT");
    ended(running.wait(), &[Some(0)]);
    is_complete(&database, &project, 1);
}

fn waits_for_snapshot() {
    let database = Database::new();
    let text = "-- migrate:up transaction:false\nCREATE TABLE t1 (id int);\nCREATE INDEX CONCURRENTLY i ON t1 (id);\n\n-- migrate:down\nSELECT 1;\n";
    let project = Project::new().file("001_test.sql", text);
    let other = database.session();
    other.execute("CREATE TABLE other (id int)");
    other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other");
    let proxy = haproxy(&database, 1);
    let running = disturbed(&proxy.url(&database), &project).spawn();
    running.wait_for_log("without traffic");
    thread::sleep(A_WHILE);
    other.execute("COMMIT");
    ended(running.wait(), &[Some(0)]);
    is_complete(&database, &project, 1);
    assert_eq!(database.one("SELECT string_agg(indisvalid::text, ',') FROM pg_index WHERE indrelid = 't1'::regclass"), "true");
}

fn waits_for_head() {
    let (database, project) = (Database::new(), sleeping("", 3, 0.1));
    let proxy = haproxy(&database, 1);
    let waiting = disturbed(&proxy.url(&database), &project).args(["wait"]).spawn();
    thread::sleep(A_WHILE);
    pgmarch(&database, &project).run().exits(0);
    ended(waiting.wait(), &[Some(0)]);
}

fn pooled_story(settings: &str) {
    let project = project();
    for way in [Way::Up, Way::Down] {
        let database = way.start(&project);
        let pooler = pgpool(&database, settings);
        let outcome = way.words(disturbed(&pooler.url(&database), &project)).run();
        no_lock(&database);
        drop(pooler);
        way.survived(outcome, &[Some(0)], &database, &project);
    }
}

fn at_once(settings: &str) {
    let (database, project) = (Database::new(), project());
    let pooler = pgpool(&database, settings);
    let running: Vec<Running> = (0..6).map(|_| disturbed(&pooler.url(&database), &project).spawn()).collect();
    let mut outcomes: Vec<_> = running.into_iter().map(Running::wait).collect();
    let last = outcomes.pop().expect("an outcome");
    outcomes.into_iter().for_each(|outcome| ended(outcome, &[Some(0)]));
    no_lock(&database);
    drop(pooler);
    Way::Up.survived(last, &[Some(0)], &database, &project);
}

fn ended_early(settings: &str, signal: &str) {
    let project = project();
    let [database, other] = [(); 2].map(|()| Database::new());
    let pooler = pgpool(&database, settings);
    let all = messages(&other, &pooler, &project);
    let proxy = Proxy::to(&pooler).delay(DELAY);
    let running = disturbed(&proxy.url_for(&database), &project).spawn();
    wait_for_message(all / 2, &proxy, &running);
    running.signal(signal);
    ended(running.wait(), &[if signal == "KILL" { None } else { Some(143) }]);
    let outcome = disturbed(&pooler.url(&database), &project).run();
    no_lock(&database);
    drop((proxy, pooler));
    Way::Up.survived(outcome, &[Some(0)], &database, &project);
}

/// A run whose statements are shorter than a timeout of PgBouncer, and which is longer.
fn bouncer_timeout(mode: &str, timeout: &str) {
    let (database, count) = (Database::new(), 5);
    let project = sleeping("", count, 0.8);
    let pooler = pgbouncer_with(&database, &format!("pool_mode={mode}\ndefault_pool_size=4\n{timeout}=2\n"));
    ended(disturbed(&pooler.url(&database), &project).run(), &[Some(0)]);
    no_lock(&database);
    drop(pooler);
    is_complete(&database, &project, count);
}

fn statement_mode() {
    let (database, project) = (Database::new(), transactional());
    let pooler = pgbouncer_with(&database, "pool_mode=statement\ndefault_pool_size=4\n");
    let outcome = disturbed(&pooler.url(&database), &project).env("PGMARCH_RETRY_FOR", "2s").env("PGMARCH_WAIT_TIMEOUT", "5s").run();
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    let outcome = outcome.stderr_contains("statement");
    drop(pooler);
    Way::Up.survived(outcome, &[Some(2), Some(4), Some(5), Some(8)], &database, &project);
}
