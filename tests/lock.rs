//! The run lock: its holder is named, it is lost with its connection, and it blocks no other session.

use std::time::Duration;

use crate::support::{Database, EVERY, Project, Proxy, Server, Side, pgmarch, pgmarch_at};

fn slow(gate: i64) -> Project {
    Project::new().revision("1", &format!("CREATE TABLE a (id int); SELECT pg_advisory_xact_lock({gate});"), "DROP TABLE a")
}

/// The key of `public.alembic_version`, as the documentation computes it.
const KEY: &str = "('x' || left(encode(sha256('pgmarch:public.alembic_version'), 'hex'), 16))::bit(64)::bigint";

#[test]
fn the_holder_is_named_while_waiting_and_when_giving_up() {
    let database = Database::new();
    let holder = database.session();
    holder.execute(&format!("BEGIN; SET LOCAL application_name = 'nightly job'; SELECT pg_advisory_xact_lock({KEY})"));
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1");
    let named = format!("pid {} (role postgres, application nightly job", holder.pid());
    let run = pgmarch(&database, &project).env("PGMARCH_RUN_LOCK_TIMEOUT", "1s").run().exits(5);
    let run = run
        .stderr_contains(&format!("waiting for another run to end: {named}"))
        .stderr_contains(&format!("another run holds the lock: {named}"));
    assert!(run.last_line().contains("pg_terminate_backend"), "{run}");
    let run = pgmarch(&database, &project).spawn();
    run.wait_for_log("waiting for another run to end");
    holder.execute("COMMIT");
    run.wait().exits(0).stdout_contains("1 applied");
}

#[test]
fn who_waits_stays_connected_where_there_is_room_and_leaves_where_there_is_not() {
    let server = Server::start_own(&["max_connections = 12", "superuser_reserved_connections = 0", "max_wal_senders = 0"]);
    let database = Database::on(&server);
    let project = Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1");
    let holder = database.session();
    holder.execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({KEY})"));
    let proxy = Proxy::to(&database);
    let waiter = pgmarch_at(&proxy.url_for(&database), &project).spawn();
    waiter.wait_for_log("waiting for another run to end");
    proxy.eventually("looking again and again", |proxy| proxy.messages(Side::Client, EVERY) > 40);
    assert_eq!(proxy.connections(), 1);
    let others: Vec<_> = (0..5).map(|_| database.session()).collect();
    proxy.eventually("making room", |proxy| proxy.connections() > 3);
    drop(others);
    holder.execute("COMMIT");
    waiter.wait().exits(0).stdout_contains("1 applied");
}

#[test]
fn a_run_that_loses_its_lock_stops_and_its_statement_with_it() {
    let database = Database::new();
    let gate = database.session();
    gate.execute("SELECT pg_advisory_lock(7)");
    let project = slow(7);
    let run = pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "0").env("PGMARCH_RETRY_FOR", "0").spawn();
    let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
    database.eventually(waiting, "1");
    terminate_holder(&database);
    run.wait().exits(5).stderr_contains("the connection that held the run lock was lost");
    database.eventually(waiting, "0");
    assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"), "0");
}

/// Ends the session that holds the run lock.
fn terminate_holder(database: &Database) {
    database.execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = ({KEY} & 4294967295)::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"));
}

#[test]
fn a_run_that_loses_its_lock_plans_again_under_a_new_one() {
    for marker in ["", " transaction:false"] {
        let database = Database::new();
        let gate = database.session();
        gate.execute("SELECT pg_advisory_lock(7)");
        let text = format!(
            "-- migrate:up{marker}\nCREATE TABLE a (id int);\nINSERT INTO a SELECT 1 FROM pg_advisory_xact_lock(7);\n\n-- migrate:down\nDROP TABLE a;\n"
        );
        let project = Project::new().revision("1", "CREATE TABLE first ()", "DROP TABLE first").file("2_b.sql", &text);
        let run = pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "0").spawn();
        let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        database.eventually(waiting, "1");
        terminate_holder(&database);
        run.wait_for_log("the connection that held the run lock was lost");
        gate.execute("SELECT pg_advisory_unlock(7)");
        run.wait().exits(0).stdout_contains("2 applied");
        assert_eq!(database.one("SELECT count(*) FROM a"), "1");
    }
}

#[test]
fn a_waiting_run_does_not_delay_a_concurrent_index_build() {
    let database = Database::new();
    database.execute("CREATE TABLE busy (id int)");
    let gate = database.session();
    gate.execute("SELECT pg_advisory_lock(8)");
    let project = slow(8);
    let holder = pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "0").spawn();
    database.eventually("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'", "1");
    let waiter = pgmarch(&database, &project).spawn();
    waiter.wait_for_log("waiting for another run to end");
    // The holder's own statement has a snapshot, for which any build waits; so it ends first, and the waiter goes on polling
    // against a lock that a third party holds.
    let third = database.session();
    gate.execute("SELECT pg_advisory_unlock(8)");
    holder.wait().exits(0);
    waiter.wait().exits(0);
    third.execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({KEY})"));
    let pending = Project::new()
        .revision("1", "CREATE TABLE a (id int); SELECT pg_advisory_xact_lock(8);", "DROP TABLE a")
        .revision("2", "SELECT 1", "SELECT 1");
    let waiter = pgmarch(&database, &pending).spawn();
    waiter.wait_for_log("waiting for another run to end");
    let build = database.session().start("CREATE INDEX CONCURRENTLY ON busy (id)");
    build.finish();
    third.execute("COMMIT");
    waiter.wait().exits(0);
    assert_eq!(database.one("SELECT count(*)::text FROM pg_index WHERE NOT indisvalid"), "0");
}

#[test]
fn an_idle_transaction_timeout_of_the_role_does_not_end_the_lock() {
    let database = Database::new();
    database.execute(&format!("ALTER DATABASE \"{}\" SET idle_in_transaction_session_timeout = '200ms'", database.name()));
    let project = Project::new().revision("1", "SELECT pg_sleep(1)", "SELECT 1");
    pgmarch(&database, &project).run().exits(0).within(Duration::from_secs(20));
}
