//! `transaction:false` revisions, concurrent index builds above all: interrupted, repeated, beside others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Case;
use super::story::{assert_complete, clean, disturbed, ended};
use crate::support::{Database, Project, Proxy, Running, Session, Side, TIMEOUT, pgmarch};

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![
        Case::new("10 runners wait beside a snapshot and a write load", || {
            with_concurrent_sessions("CREATE INDEX CONCURRENTLY t_a ON t (a);")
        }),
        Case::new("the same with IF NOT EXISTS", || with_concurrent_sessions("CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);")),
        Case::new("a lock timeout on the role does not end a concurrent build", lock_timeout_on_the_role),
        Case::new("a killed build is dropped and built again", || killed("KILL", "CREATE INDEX CONCURRENTLY t_a ON t (a);")),
        Case::new("IF NOT EXISTS accepts no INVALID index", || killed("KILL", "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);")),
        Case::new("a killed build without a name is dropped and built again", || killed("KILL", "CREATE INDEX CONCURRENTLY ON t (a);")),
        Case::new("a killed REINDEX leaves nothing", || killed("KILL", "REINDEX TABLE CONCURRENTLY t; CREATE INDEX t_a ON t (a);")),
        Case::new("SIGTERM in a build", || killed("TERM", "CREATE INDEX CONCURRENTLY t_a ON t (a);")),
        Case::new("SIGTERM in a REINDEX", || killed("TERM", "REINDEX TABLE CONCURRENTLY t; CREATE INDEX t_a ON t (a);")),
        Case::new("an INVALID index that was there before is built again", invalid_before),
        Case::new("an INVALID index of that name on another table is not accepted either", invalid_elsewhere),
        Case::new("a name that the server cuts is known again", name_cut),
        Case::new("a unique build that fails leaves nothing", not_unique),
        Case::new("a failed statement is fixed and the run goes on behind what is done", fixed),
        Case::new("a text that changed before the failed statement is refused", rewritten),
        Case::new("the earlier backend is waited for", earlier_backend_works),
        Case::new("the earlier backend is ended when it is idle", earlier_backend_idles),
        Case::new("a statement that can't run in a transaction says what to write", advice),
        Case::new("settings of the revision last, also behind an interruption", settings_last),
        Case::new("a procedure that commits runs by itself", procedure),
        Case::new("a DO block happens once", block),
    ];
    // It came with 14.
    if Database::new().major() >= 14 {
        cases.push(Case::new("a partition half detached is detached", detached));
    }
    cases
}

/// A table of 20,000 rows.
fn database() -> Database {
    let database = Database::new();
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g; CREATE TABLE other (id int)");
    database
}

fn stepwise(sql: &str) -> Project {
    Project::new().file("001_step.sql", &format!("-- migrate:up transaction:false\n{sql}\n"))
}

fn snapshot(database: &Database) -> Session {
    let session = database.session();
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other");
    session
}

/// Waits until a concurrent build waits for an old snapshot.
fn wait_for_build(database: &Database) {
    let waiting = "SELECT count(*) > 0 FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted AND l.locktype = 'virtualxid' \
        WHERE a.datname = current_database() AND a.application_name LIKE 'pgmarch%'";
    database.eventually(waiting, "t");
}

fn with_concurrent_sessions(sql: &str) {
    let (database, project) = (database(), stepwise(sql));
    let snapshot = snapshot(&database);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (session, stop) = (database.session(), stop.clone());
        thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::SeqCst) {
                let started = Instant::now();
                session.execute("UPDATE t SET a = a + 1 WHERE id = 1 + (random() * 19999)::int");
                longest = longest.max(started.elapsed());
            }
            longest
        })
    };
    let running: Vec<Running> = (0..11).map(|_| disturbed(&database.url(), &project).spawn()).collect();
    wait_for_build(&database);
    let deadline = Instant::now() + TIMEOUT;
    while running.iter().filter(|running| running.log().contains("waiting for another run")).count() < 10 {
        assert!(Instant::now() < deadline, "ten wait for the one that builds");
        thread::sleep(Duration::from_millis(20));
    }
    snapshot.execute("COMMIT");
    running.into_iter().for_each(|running| drop(running.wait().exits(0).stderr_lacks("deadlock")));
    stop.store(true, Ordering::SeqCst);
    let longest = writer.join().expect("the writer");
    assert!(longest < Duration::from_secs(5), "a writer was blocked for {longest:?}");
    built_once(&database, &project);
}

fn built_once(database: &Database, project: &Project) {
    assert_eq!(database.one("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid"), "2");
    assert_eq!(database.one("SELECT count(*) FROM pgmarch.journal WHERE outcome = 'done'"), "1");
    assert_complete(database, project, &self::database());
}

fn lock_timeout_on_the_role() {
    let (database, project) = (database(), stepwise("CREATE INDEX CONCURRENTLY t_a ON t (a);"));
    let snapshot = snapshot(&database);
    database.execute(&format!("ALTER DATABASE {} SET lock_timeout = '100ms'", database.name()));
    let running = disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "100ms").spawn();
    wait_for_build(&database);
    thread::sleep(Duration::from_millis(600));
    snapshot.execute("COMMIT");
    running.wait().exits(0);
    built_once(&database, &project);
}

fn killed(signal: &str, sql: &str) {
    let (database, project) = (database(), stepwise(sql));
    let snapshot = snapshot(&database);
    let running = disturbed(&database.url(), &project).spawn();
    wait_for_build(&database);
    running.signal(signal);
    ended(running.wait(), &[if signal == "KILL" { None } else { Some(143) }]);
    // Its backend goes by itself where the server looks for its client (14 on); else the next run waits for it.
    if database.major() >= 14 {
        database.eventually(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%' AND datname = current_database()",
            "0",
        );
        // A run that received a signal may have had the time to clean up.
        let left = database.one("SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid");
        assert!(left == "t" || signal == "TERM", "the disturbance left something");
    }
    snapshot.execute("COMMIT");
    pgmarch(&database, &project).run().exits(0);
    built_once(&database, &project);
}

fn invalid_before() {
    let (database, project) = (database(), stepwise("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);"));
    database.execute("UPDATE t SET a = 1 WHERE id < 3");
    assert_eq!(database.session().refusal("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)"), "23505");
    database.execute("UPDATE t SET a = id");
    pgmarch(&database, &project).run().exits(0).stderr_contains("dropping the INVALID index");
    built_once(&database, &project);
}

/// Leaves an INVALID index of a name on a table.
fn leave_invalid(database: &Database, name: &str, table: &str) {
    database.execute(&format!("CREATE TABLE IF NOT EXISTS {table} (id int, a int); INSERT INTO {table} VALUES (-1, 1), (-2, 1)"));
    assert_eq!(database.session().refusal(&format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} (a)")), "23505");
    database.execute(&format!("DELETE FROM {table} WHERE id < 0"));
}

fn invalid_elsewhere() {
    let (database, project) = (database(), stepwise("CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);\nDROP TABLE elsewhere;"));
    leave_invalid(&database, "t_a", "elsewhere");
    pgmarch(&database, &project).run().exits(0).stderr_contains("dropping the INVALID index");
    let fresh = self::database();
    fresh.execute("CREATE TABLE elsewhere ()");
    assert_complete(&database, &project, &fresh);
    assert_eq!(database.one("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid"), "2");
}

fn name_cut() {
    let name = "Long_".repeat(20);
    let (database, project) = (database(), stepwise(&format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON t (a);")));
    leave_invalid(&database, &name, "t");
    pgmarch(&database, &project).run().exits(0).stderr_contains("dropping the INVALID index");
    built_once(&database, &project);
}

fn not_unique() {
    let (database, project) = (database(), stepwise("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);"));
    database.execute("UPDATE t SET a = 1 WHERE id < 3");
    pgmarch(&database, &project).run().exits(6).stderr_contains("23505");
    clean(&database.session());
    database.execute("UPDATE t SET a = id");
    pgmarch(&database, &project).run().exits(0);
    built_once(&database, &project);
}

fn fixed() {
    let database = database();
    let project = stepwise("INSERT INTO other VALUES (1);\nCREATE INDEX CONCURRENTLY t_a ON t (a);\nINSERT INTO other VALUES ('two');");
    let outcome = pgmarch(&database, &project).run().exits(6).stderr_contains("001_step.sql:4:27");
    assert!(outcome.last_line().contains("from statement 3 on"), "{outcome}");
    assert_eq!(database.one("SELECT count(*) FROM alembic_version"), "0");
    project.write("001_step.sql", &project.read("001_step.sql").replace("'two'", "2"));
    pgmarch(&database, &project).run().exits(0).stderr_contains("continuing with statement 3");
    assert_eq!(database.query("SELECT id FROM other ORDER BY 1"), [["1"], ["2"]]);
    built_once(&database, &project);
}

fn rewritten() {
    let database = database();
    let project = stepwise("INSERT INTO other VALUES (1);\nSELECT 1/0;");
    pgmarch(&database, &project).run().exits(6);
    let text = project.read("001_step.sql");
    project.write("001_step.sql", &text.replace("(1)", "(7)").replace("1/0", "1"));
    pgmarch(&database, &project).run().exits(3).stderr_contains("001_step.sql").stderr_contains("repair 001");
    project.write("001_step.sql", &text.replace("INSERT", "-- a remark\nINSERT").replace("1/0", "1"));
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.query("SELECT id FROM other"), [["1"]]);
    assert_complete(&database, &project, &self::database());
}

/// The first run is cut off from a server that does not notice and continues: what it does is not done again.
fn earlier_backend_works() {
    let (database, project) = (database(), stepwise("CREATE INDEX CONCURRENTLY t_a ON t (a);"));
    let snapshot = snapshot(&database);
    let proxy = Proxy::to(&database);
    let mut running = disturbed(&proxy.url_for(&database), &project).spawn();
    wait_for_build(&database);
    proxy.hang();
    running.kill();
    running.wait();
    // The lock of the one that hangs would be given up after a minute.
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    let pid =
        database.one("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'");
    let impatient = disturbed(&database.url(), &project).env("PGMARCH_RUN_LOCK_TIMEOUT", "500ms").run().exits(5);
    impatient.stderr_contains(&format!("pid {pid} (role ")).stderr_contains(&format!("SELECT pg_terminate_backend({pid});"));
    let second = disturbed(&database.url(), &project).spawn();
    second.wait_for_log("waiting for the backend of an earlier run");
    snapshot.execute("COMMIT");
    second.wait().exits(0).stderr_contains("done by the earlier run").stderr_lacks("INVALID");
    drop(proxy);
    built_once(&database, &project);
}

fn earlier_backend_idles() {
    let database = database();
    let project = Project::new()
        .revision("001", "SELECT 1;", "SELECT 1;")
        .file("002_step.sql", "-- migrate:up transaction:false\nVACUUM t;\nCREATE INDEX CONCURRENTLY t_a ON t (a);\n");
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    // A backend that looks like one of ours between two statements.
    let idle = database.session();
    idle.execute("SET application_name = 'pgmarch/of-before 002'");
    let pid = idle.pid();
    let (before, own) = ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "x");
    idle.execute(&format!(
        "INSERT INTO pgmarch.journal (version_table, revision, direction, outcome, started, statement, client_host, backend_start, pgmarch, progress) \
         VALUES ('public.alembic_version', '002', 'upgrade', 'started', now(), 1, 'elsewhere', (SELECT backend_start FROM pg_stat_activity WHERE pid = {pid}), '0', \
         '{{\"before\": \"{before}\", \"own\": \"{own}\", \"application\": \"pgmarch/of-before 002\"}}')"
    ));
    disturbed(&database.url(), &project).run().exits(0).stderr_contains("ending the idle backend");
    assert!(idle.try_query("SELECT 1").is_err());
    assert_complete(&database, &project, &self::database());
}

fn advice() {
    let database = database();
    let project = Project::new().revision("001", "CREATE INDEX CONCURRENTLY t_a ON t (a);", "SELECT 1;");
    let outcome = pgmarch(&database, &project).run().exits(3);
    outcome.stderr_contains("001_test.sql").stderr_contains("write `-- migrate:up transaction:false`");
    let name = "001_test.sql";
    project.write(name, &project.read(name).replace("-- migrate:up", "-- migrate:up transaction:false"));
    pgmarch(&database, &project).run().exits(0);
    built_once(&database, &project);
}

fn settings_last() {
    let (database, project) = (
        database(),
        stepwise(
            "SET search_path TO pg_temp, public;\nSET lock_timeout = '7s';\nCREATE INDEX CONCURRENTLY t_a ON t (a);\nINSERT INTO other SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout';",
        ),
    );
    let snapshot = snapshot(&database);
    let mut running = disturbed(&database.url(), &project).spawn();
    wait_for_build(&database);
    running.kill();
    running.wait();
    snapshot.execute("COMMIT");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT id FROM other"), "7000");
    built_once(&database, &project);
}

fn detached() {
    let partitioned = || {
        let database = database();
        database.execute("CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)");
        database
    };
    let database = partitioned();
    let project = stepwise("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;");
    let reader = database.session();
    reader.execute("BEGIN; SELECT * FROM p");
    let mut running = disturbed(&database.url(), &project).spawn();
    database.eventually("SELECT count(*) FROM pg_inherits WHERE inhdetachpending", "1");
    running.kill();
    running.wait();
    database
        .eventually("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%' AND datname = current_database()", "0");
    reader.execute("COMMIT");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT count(*) FROM pg_inherits"), "1");
    assert_complete(&database, &project, &partitioned());
}

fn procedure() {
    let database = database();
    let project = stepwise(
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO other VALUES (1); COMMIT; INSERT INTO other VALUES (2); END $$;\nCALL p();\nVACUUM t;",
    );
    pgmarch(&database, &project).run().exits(0);
    assert_complete(&database, &project, &self::database());
    assert_eq!(database.one("SELECT count(*) FROM other"), "2");
}

/// One that can't commit by itself is done with its note or not at all, wherever its connection is cut.
fn block() {
    let project = stepwise("DO $$ BEGIN INSERT INTO other VALUES (1); END $$;\nINSERT INTO other VALUES (2);");
    let messages = {
        let database = database();
        let proxy = Proxy::to(&database);
        disturbed(&proxy.url_for(&database), &project).run().exits(0);
        proxy.messages(Side::Client, 2)
    };
    for n in 0..=messages {
        let database = database();
        let proxy = Proxy::to(&database).cut_after(Side::Client, 2, n);
        disturbed(&proxy.url_for(&database), &project).run().exits(0);
        assert_eq!(database.query("SELECT id FROM other ORDER BY 1"), [["1"], ["2"]], "cut after message {n}");
        assert_complete(&database, &project, &self::database());
    }
}
