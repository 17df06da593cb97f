//! Log lines and actions about a statement that is slow, or waits for another session.

use std::time::Duration;

use super::Case;
use super::story::{A_SECOND, assert_complete, disturbed};
use crate::support::{Database, Project, pgmarch};

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![
        Case::new("who is in the way is named, and in whose way we are", named),
        Case::new("a lock timeout is tried again, and names who was in the way", tried_again),
        Case::new("a deadlock is tried again", deadlocked),
        Case::new("a serialization failure is tried again", not_serializable),
        Case::new("RESET does not remove the lock timeout", || timeout_holds("RESET lock_timeout; RESET ALL;", false)),
        Case::new("SET TO DEFAULT does not remove it either", || timeout_holds("SET LOCAL lock_timeout TO DEFAULT;", false)),
        Case::new("a revision's own SET LOCAL wins", || timeout_holds("SET LOCAL lock_timeout = '4s';", true)),
        Case::new("how far an index build is", || at_work("CREATE INDEX ON many (slow(id));", &["CREATE INDEX: building index", " %"])),
        Case::new("how far a concurrent index build is", || {
            at_work("CREATE INDEX CONCURRENTLY ON many (slow(id));", &["CREATE INDEX CONCURRENTLY: building index", " %"])
        }),
        Case::new("how far CLUSTER is", || at_work("CLUSTER many USING many_slow;", &["CLUSTER: "])),
        Case::new("how far VACUUM FULL is", || at_work("VACUUM FULL many;", &["VACUUM FULL: rebuilding index", " %"])),
        Case::new("the run goes on when its watcher is ended", watcher_ended),
        Case::new("SIGTERM while it waits for a lock on a table", || signalled("LOCK TABLE t;", "BEGIN; LOCK TABLE t", "COMMIT")),
        Case::new("SIGTERM while a statement runs", || signalled("SELECT pg_sleep(30);", "", "")),
        Case::new("SIGTERM while it commits", || {
            signalled(
                "INSERT INTO t VALUES (1);",
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
                "DROP FUNCTION slow CASCADE",
            )
        }),
        Case::new("SIGTERM while it waits for the run lock", signalled_at_the_lock),
        Case::new("SIGTERM while it waits for the server", signalled_at_the_server),
    ];
    // Its progress came with 14.
    if Database::new().major() >= 14 {
        cases.push(Case::new("how far COPY is", || at_work("COPY (SELECT slow(id) FROM many) TO '/dev/null';", &["COPY TO: copying"])));
    }
    cases
}

fn database() -> Database {
    let database = Database::new();
    database.execute("CREATE TABLE t (id int)");
    database
}

fn named() {
    let database = database();
    let project = Project::new().revision("001", "ALTER TABLE t ADD COLUMN a int;", "SELECT 1;");
    let other = database.session();
    let pid = other.pid();
    other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; SELECT 'their secret'");
    let run = || disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "20s");
    let running = run().spawn();
    running.wait_for_log(&format!("waits for pid {pid} (role postgres, application test, from 127.0.0.1"));
    let reader = database.session().start("SELECT * FROM t");
    running.wait_for_log("in the way of pid ");
    running.signal("TERM");
    running.wait().exits(143).stderr_contains("their secret");
    reader.finish();
    let running = run().env("PGMARCH_LOG", "info,pgmarch::queries=off").env("PGMARCH_LOG_FORMAT", "json").spawn();
    running.wait_for_log("\"waits_for\":\"pid ");
    other.execute("COMMIT");
    running.wait().exits(0).stderr_lacks("their secret");
    assert_complete(&database, &project, &self::database());
}

fn tried_again() {
    let database = database();
    let project = Project::new().revision("001", "CREATE TABLE before (id int);\nALTER TABLE t ADD COLUMN a int;", "SELECT 1;");
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    let running = disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "300ms").spawn();
    running.wait_for_log(&format!("in the way: pid {}", other.pid()));
    assert_eq!(database.one("SELECT to_regclass('before') IS NULL"), "t", "it was rolled back as a whole");
    other.execute("COMMIT");
    running.wait().exits(0).stderr_contains("55P03");
    assert_complete(&database, &project, &self::database());
}

fn deadlocked() {
    let database = database();
    database.execute("CREATE TABLE u (id int)");
    let project = Project::new().revision("001", "SET LOCAL deadlock_timeout = '3s';\nLOCK TABLE t;\nLOCK TABLE u;", "SELECT 1;");
    let other = database.session();
    // It is the revision that has to find the deadlock.
    other.execute("SET deadlock_timeout = '10min'; BEGIN; LOCK TABLE u");
    let running = disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "30s").spawn();
    database.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'u'::regclass", "1");
    let other = other.start("LOCK TABLE t");
    running.wait_for_log("trying again");
    other.finish().execute("COMMIT");
    running.wait().exits(0).stderr_contains("40P01");
    let fresh = self::database();
    fresh.execute("CREATE TABLE u (id int)");
    assert_complete(&database, &project, &fresh);
}

fn not_serializable() {
    let [database, fresh] = [(); 2].map(|()| self::database());
    let sql = "CREATE TABLE before (id int);\nDO $$ BEGIN IF NOT EXISTS (SELECT FROM t) THEN RAISE 'as a trigger might' USING ERRCODE = '40001'; END IF; END $$;";
    let project = Project::new().revision("001", sql, "SELECT 1;");
    let running = disturbed(&database.url(), &project).spawn();
    running.wait_for_log("trying again");
    for database in [&database, &fresh] {
        database.execute("INSERT INTO t VALUES (1)");
    }
    running.wait().exits(0).stderr_contains("40001");
    assert_complete(&database, &project, &fresh);
}

fn timeout_holds(settings: &str, own: bool) {
    let database = database();
    let project = Project::new().revision("001", &format!("{settings}\nALTER TABLE t ADD COLUMN a int;"), "SELECT 1;");
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    let outcome = disturbed(&database.url(), &project).env("PGMARCH_LOCK_TIMEOUT", "200ms").env("PGMARCH_RETRY_FOR", "1s").spawn();
    if own {
        database.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass", "1");
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(database.one("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"), "1", "it still waits");
        other.execute("COMMIT");
        outcome.wait().exits(0).stderr_lacks("55P03");
        assert_complete(&database, &project, &self::database());
    } else {
        outcome.wait().exits(5).stderr_contains("55P03");
    }
}

/// A slow statement is logged in these words, and then ended.
fn at_work(sql: &str, words: &[&str]) {
    let database = Database::new();
    database.execute(
        "CREATE FUNCTION slow(id int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN \
            IF current_setting('slow.is_wanted', true) = 'yes' THEN PERFORM pg_sleep(0.01); END IF; RETURN id; END $$; \
         CREATE TABLE many (id int); INSERT INTO many SELECT generate_series(1, 3000); CREATE INDEX many_slow ON many (slow(id))",
    );
    let text = format!("-- migrate:up transaction:false\nSET slow.is_wanted = 'yes';\n{sql}\n");
    let project = Project::new().file("001_slow.sql", &text);
    let running = disturbed(&database.url(), &project).spawn();
    for word in words {
        running.wait_for_log(word);
    }
    running.signal("TERM");
    running.wait().exits(143);
}

fn watcher_ended() {
    let database = database();
    let project = Project::new().revision("001", "SELECT pg_sleep(7);", "SELECT 1;");
    let running = disturbed(&database.url(), &project).spawn();
    running.wait_for_log("001 has run for");
    let watcher = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%' AND query LIKE '%pg_stat_progress%' AND pid <> pg_backend_pid()";
    database.eventually(watcher, "1");
    running.wait().exits(0).stderr_lacks("planning again");
    assert_complete(&database, &project, &self::database());
}

fn signalled(sql: &str, other: &str, away: &str) {
    let database = database();
    let session = database.session();
    session.execute(other);
    let project = Project::new().revision("001", sql, "SELECT 1;");
    let running = disturbed(&database.url(), &project).spawn();
    database.eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch/%' AND state = 'active' AND wait_event IN ('PgSleep', 'relation')", "1");
    ends_at_once(running, &database);
    session.execute(away);
    project.write("001_test.sql", &project.read("001_test.sql").replace("pg_sleep(30)", "pg_sleep(0)"));
    pgmarch(&database, &project).run().exits(0);
    assert_complete(&database, &project, &self::database());
}

fn ends_at_once(running: crate::support::Running, database: &Database) {
    let signalled = std::time::Instant::now();
    running.signal("TERM");
    running.wait().exits(143);
    assert!(signalled.elapsed() < A_SECOND, "ended after {:?}", signalled.elapsed());
    database
        .eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%'", "0");
    assert_eq!(database.one("SELECT to_regclass('alembic_version') IS NULL"), "t", "it was rolled back");
}

fn signalled_at_the_lock() {
    let database = database();
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    let holder = database.session();
    // The key is that of the documentation.
    holder.execute("BEGIN; SELECT pg_advisory_xact_lock(x'1d7b92afd11b5bb5'::bigint)");
    let running = disturbed(&database.url(), &project).spawn();
    running.wait_for_log("waiting for another run");
    ends_at_once(running, &database);
    holder.execute("COMMIT");
    pgmarch(&database, &project).run().exits(0);
}

fn signalled_at_the_server() {
    let database = database();
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    let running = disturbed("postgres://postgres@127.0.0.1:9/none", &project).spawn();
    running.wait_for_log("waiting for the server");
    ends_at_once(running, &database);
    pgmarch(&database, &project).run().exits(0);
}
