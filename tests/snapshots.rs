//! Snapshots of the catalog: off unless they are asked for, bounded where they are on, and finished before exit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sidecar::Sidecar;
use crate::support::{Database, Outcome, Project, Server, pgmarch, pgmarch_at};

/// The key of the lock under which one snapshot is saved: docs/architecture.md.
const LOCK: &str = "('x702f1899c447e804'::bit(64))::bigint";
/// Sessions of ours in this database.
const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%'";
/// Locks of the one session of ours that holds most.
const LOCKS: &str = "SELECT coalesce(max(held), 0) FROM (SELECT count(*) AS held FROM pg_locks JOIN pg_stat_activity a USING (pid) \
    WHERE a.datname = current_database() AND a.application_name LIKE 'pgmarch%' GROUP BY pid) each";

fn table(id: &str) -> (String, String) {
    (format!("CREATE TABLE t{id} (id integer);"), format!("DROP TABLE t{id};"))
}

fn project(last: u32) -> Project {
    (1..=last).fold(Project::new(), |project, number| {
        let (up, down) = table(&number.to_string());
        project.revision(&format!("00{number}"), &up, &down)
    })
}

fn with_snapshot(database: &Database, project: &Project, words: &[&str]) -> Outcome {
    pgmarch(database, project).env("PGMARCH_SNAPSHOT", "on").args(words.iter().copied()).run()
}

fn check(database: &Database, project: &Project) -> Outcome {
    pgmarch(database, project).args(["check"]).run()
}

fn saved(database: &Database) -> String {
    database.one("SELECT coalesce(string_agg(at, ', '), 'none') FROM pgmarch.catalog")
}

#[test]
fn a_snapshot_is_saved_where_it_is_on() {
    let database = Database::new();
    pgmarch(&database, &project(1)).run().exits(0);
    assert_eq!(saved(&database), "none");
    with_snapshot(&database, &project(2), &[]).exits(0);
    assert_eq!(saved(&database), "002");
    assert_eq!(database.one(OURS), "0", "it is finished before exit");
    with_snapshot(&database, &project(2), &["downgrade", "001", "--yes"]).exits(0);
    assert_eq!(saved(&database), "001");
    let sidecar = |project: &Project| pgmarch(&database, project).env("PGMARCH_APPLY_CHANGES", "true");
    let running = Sidecar::start(sidecar(&project(3)).env("PGMARCH_SNAPSHOT", "off"));
    running.run.wait_for_log("ready: at 003");
    assert_eq!(saved(&database), "001");
    drop(running);
    let four = project(4);
    let running = Sidecar::start(sidecar(&four));
    running.run.wait_for_log("ready: at 004");
    assert_eq!(saved(&database), "004");
    four.write("005_more.sql", "-- migrate:up\nCREATE TABLE t5 ();\n\n-- migrate:down\nDROP TABLE t5;\n");
    running.run.wait_for_log("ready: at 005");
    assert_eq!(saved(&database), "005");
    pgmarch(&database, &four)
        .env("PGMARCH_SNAPSHOT", "yes")
        .run()
        .exits(2)
        .stderr_contains("PGMARCH_SNAPSHOT")
        .stderr_contains("on or off");
}

#[test]
fn a_snapshot_distinguishes_manual_changes_from_older_differences() {
    let database = Database::new();
    pgmarch(&database, &project(1)).run().exits(0);
    database.execute("ALTER TABLE t1 ADD COLUMN before integer");
    with_snapshot(&database, &project(2), &[]).exits(0);
    let reader = database.role("reader", &[]).name;
    database.execute(&format!("ALTER TABLE t2 ADD COLUMN after integer; GRANT SELECT ON t1 TO {reader}"));
    let run = check(&database, &project(2)).exits(1);
    for text in
        ["2 objects were changed outside of the revisions since the run that ended at", "1 object differed from what the applied revisions"]
    {
        assert!(run.stdout.contains(text), "{text}\n{run}");
    }
    let answer = pgmarch(&database, &project(2)).args(["check", "--json"]).run().exits(1).json();
    let names = |part: &str| -> Vec<String> {
        let changes = answer[part]["changes"].as_array().unwrap_or_else(|| panic!("{part}: {answer}"));
        changes.iter().map(|change| change["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("replay"), ["public.t1.before"]);
    assert_eq!(names("database"), ["public.t1", "public.t2.after"]);
}

#[test]
fn a_snapshot_without_scratch_databases_is_compared_alone() {
    let database = Database::new();
    with_snapshot(&database, &project(1), &[]).exits(0);
    let reader = database.role("reader", &["USAGE ON SCHEMA pgmarch", "SELECT ON ALL TABLES IN SCHEMA public, pgmarch"]);
    database.execute("CREATE TABLE by_hand ()");
    let run = pgmarch_at(&reader.url, &project(1)).args(["check"]).run().exits(1);
    run.stdout_contains("+ table public.by_hand").stderr_contains("compared with the snapshot alone");
}

#[test]
fn a_snapshot_from_before_another_run_is_not_used() {
    let database = Database::new();
    with_snapshot(&database, &project(2), &[]).exits(0);
    let edited = project(1).revision("002", "CREATE TABLE t2 (id bigint);", "DROP TABLE t2;");
    pgmarch(&database, &project(2)).args(["downgrade", "001", "--yes"]).run().exits(0);
    check(&database, &project(2))
        .exits(0)
        .stderr_contains("the snapshot of the catalog is not used")
        .stderr_contains("the database was at 002");
    pgmarch(&database, &edited).run().exits(0);
    assert_eq!(saved(&database), "002");
    check(&database, &edited).exits(0).stderr_contains("revisions were run since").stdout_contains("(files, ledger, database)");
    pgmarch(&database, &edited).args(["stamp", "001"]).run().exits(0);
    pgmarch(&database, &edited).args(["stamp", "002"]).run().exits(0);
    check(&database, &edited).exits(0).stderr_contains("revisions were run since");
}

#[test]
fn a_snapshot_that_cannot_be_read_is_not_used() {
    let database = Database::new();
    with_snapshot(&database, &project(1), &[]).exits(0);
    database.execute("UPDATE pgmarch.catalog SET rows = replace(rows, 'unlogged', 'of_another_version')");
    check(&database, &project(1))
        .exits(0)
        .stderr_contains("the snapshot of the catalog is not used")
        .stderr_contains("table: missing field `unlogged`")
        .stdout_contains("(files, ledger, database)");
}

#[test]
fn one_that_does_not_end_in_time_is_cancelled_before_exit() {
    let database = Database::new();
    pgmarch(&database, &project(1)).run().exits(0);
    let holder = database.session();
    holder.execute("BEGIN; LOCK TABLE pgmarch.catalog");
    let started = Instant::now();
    let run = with_snapshot(&database, &project(2), &[]).exits(0).stdout_contains("at 002, 1 applied");
    let took = started.elapsed();
    run.stderr_contains("no snapshot of the catalog was saved: it took longer than 2s");
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(4), "{took:?}");
    assert_eq!(holder.one(OURS), "0");
    holder.execute("COMMIT");
    assert_eq!(saved(&database), "none");
}

#[test]
fn one_at_a_time_in_each_database() {
    let database = Database::new();
    let holder = database.session();
    holder.execute(&format!("SELECT pg_advisory_lock({LOCK})"));
    with_snapshot(&database, &project(1), &[]).exits(0).stderr_contains("another session is saving one in this database");
    assert_eq!(saved(&database), "none");
    holder.execute(&format!("SELECT pg_advisory_unlock({LOCK})"));
    with_snapshot(&database, &project(2), &[]).exits(0).stderr_lacks("no snapshot");
    assert_eq!(saved(&database), "002");
}

#[test]
fn only_the_schemas_of_the_run_are_in_it() {
    let database = Database::new();
    database.execute("CREATE SCHEMA t1; CREATE SCHEMA t2; CREATE SCHEMA named; CREATE TABLE t2.secret (); CREATE TABLE named.n ()");
    let project = Project::new().revision("001", "CREATE TABLE t1.a ();\nALTER TABLE Named.n ADD COLUMN x integer;", "DROP TABLE t1.a;");
    pgmarch(&database, &project).env("PGMARCH_SNAPSHOT", "on").env("PGMARCH_VERSION_TABLE", "t1.alembic_version").run().exits(0);
    let rows = database.one("SELECT rows FROM pgmarch.catalog");
    assert!(rows.contains("t1.a") && rows.contains("named.n") && rows.contains("\"public\"") && !rows.contains("secret"), "{rows}");
}

#[test]
fn a_snapshot_of_many_views_is_skipped_instead_of_filling_the_servers_lock_table() {
    let server = Server::start_own(&["max_connections = 20"]);
    let database = Database::on(&server);
    pgmarch(&database, &project(1)).run().exits(0);
    for from in (0..2000).step_by(500) {
        database.execute(&format!(
            "DO $$ BEGIN FOR i IN {from}..{from} + 499 LOOP EXECUTE format('CREATE VIEW v%s AS SELECT id FROM t1', i); END LOOP; END $$"
        ));
    }
    let run =
        with_snapshot(&database, &project(2), &[]).exits(0).stderr_contains("no snapshot of the catalog was saved: to print its views");
    run.stderr_contains("lock 2001 relations").stderr_contains("max_locks_per_transaction");
    assert_eq!((saved(&database).as_str(), database.one(OURS).as_str()), ("none", "0"));
}

/// Creates tables, committing often enough for the server's lock table.
fn create_tables(database: &Database, schema: &str, count: usize) {
    let session = database.session();
    for from in (0..count).step_by(500) {
        let to = count.min(from + 500) - 1;
        session.execute(&format!(
            "DO $$ BEGIN FOR i IN {from}..{to} LOOP EXECUTE format('CREATE TABLE {schema}.x%s (id serial PRIMARY KEY, a text NOT NULL, b integer DEFAULT 3 CHECK (b > 0))', i); END LOOP; END $$"
        ));
    }
}

#[test]
fn eight_thousand_tables_delay_an_exit_by_no_more_than_the_limit() {
    let database = Database::new();
    create_tables(&database, "public", 8000);
    let quick = Instant::now();
    pgmarch(&database, &project(1)).run().exits(0);
    let quick = quick.elapsed();
    assert_eq!((saved(&database).as_str(), database.one(OURS).as_str()), ("none", "0"));
    let (is_over, started) = (AtomicBool::new(false), Instant::now());
    let (run, took, locks) = thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let (session, mut most) = (database.session(), 0);
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(session.one(LOCKS).parse().expect("a number"));
            }
            most
        });
        let run = with_snapshot(&database, &project(2), &[]);
        let took = started.elapsed();
        is_over.store(true, Ordering::Relaxed);
        (run, took, sampler.join().expect("the sampler"))
    });
    let run = run.exits(0);
    assert_eq!(database.one(OURS), "0");
    assert!(took < quick + Duration::from_secs(4), "{took:?} with a snapshot, {quick:?} without\n{run}");
    assert!(locks < 200, "{locks} locks");
    let complete = database.one("SELECT coalesce(bool_and(rows LIKE '%x7999%' AND rows LIKE '%t2%'), true) FROM pgmarch.catalog");
    assert_eq!(complete, "t", "all or nothing");
    eprintln!("8,000 tables: {quick:?} without a snapshot, {took:?} with it and {locks} locks; saved: {}", saved(&database));
}

/// How many schemas, and tables in each: with `PGMARCH_TEST_TENANTS=all` as many as were once too many.
fn tenants() -> (usize, usize) {
    if std::env::var("PGMARCH_TEST_TENANTS").is_ok_and(|size| size == "all") { (300, 50) } else { (40, 10) }
}

#[test]
fn runs_for_many_schemas_leave_no_backend_behind() {
    const AT_ONCE: usize = 4;
    let (schemas, tables) = tenants();
    let server = Server::start_own(&[]);
    let database = Database::on(&server);
    for schema in 1..=schemas {
        database.execute(&format!("CREATE SCHEMA t{schema}"));
        create_tables(&database, &format!("t{schema}"), tables);
    }
    let project = Project::new().revision("001", "CREATE TABLE IF NOT EXISTS shared (id integer);", "SELECT 1;");
    for snapshot in ["off", "on"] {
        let (next, is_over, most) = (AtomicUsize::new(1), AtomicBool::new(false), Mutex::new((0, 0)));
        let started = Instant::now();
        thread::scope(|scope| {
            let sampler = scope.spawn(|| {
                let session = database.session();
                while !is_over.load(Ordering::Relaxed) {
                    let count: usize = session.one(OURS).parse().expect("a number");
                    let mut most = most.lock().expect("the most");
                    *most = (most.0.max(count), most.1 + 1);
                }
            });
            let runners: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    scope.spawn(|| {
                        loop {
                            let schema = next.fetch_add(1, Ordering::Relaxed);
                            if schema > schemas {
                                break;
                            }
                            let program =
                                pgmarch(&database, &project).env("PGMARCH_VERSION_TABLE", &format!("t{schema}.version_{snapshot}"));
                            program.env("PGMARCH_SNAPSHOT", snapshot).run().exits(0).stdout_contains("1 applied");
                        }
                    })
                })
                .collect();
            for runner in runners {
                runner.join().expect("a runner");
            }
            is_over.store(true, Ordering::Relaxed);
            sampler.join().expect("the sampler");
        });
        let took = started.elapsed();
        let (most, samples) = *most.lock().expect("the most");
        thread::sleep(Duration::from_secs(1));
        assert_eq!(database.one(OURS), "0", "1 s after the last exit");
        assert!(most <= AT_ONCE * 3, "{most} backends at once in {samples} samples");
        let snapshots = database.one("SELECT count(*) || ' of ' || coalesce(pg_size_pretty(sum(length(rows))), '0') FROM pgmarch.catalog");
        eprintln!(
            "{schemas} schemas of {tables} tables, snapshots {snapshot}: {took:?}, at most {most} backends in {samples} samples, {snapshots}"
        );
        if snapshot == "off" {
            assert_eq!(saved(&database), "none");
        }
    }
}
