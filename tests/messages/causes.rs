//! The table of causes by SQLSTATE: a lock, a resource, a timeout or a cancel, a privilege, data, and what is the text's own.

use super::{Setup, message};
use crate::support::{Database, Program, Project, Session, pgmarch, pgmarch_at};

/// A project of one revision, and its run without retries.
fn one(database: &Database, text: &str) -> (Program, Project) {
    let project = Project::new().revision("001", text, "SELECT 1;");
    (pgmarch(database, &project).env("PGMARCH_RETRY_FOR", "0"), project)
}

/// The run of one revision after `prepared` was run in its database.
fn after(prepared: &str, text: &str) -> Setup {
    let database = Database::new();
    database.execute(prepared);
    let (program, project) = one(&database, text);
    Setup::of(program).keep((database, project))
}

/// The same while another session holds a lock.
fn while_locked(lock: &str, text: &str, timeout: &str) -> Setup {
    let database = Database::new();
    database.execute("CREATE TABLE services (name text)");
    let holder = database.session();
    holder.execute(&format!("BEGIN; {lock}"));
    let (program, project) = one(&database, text);
    let pid = holder.pid();
    Setup::of(program).and("PGMARCH_LOCK_TIMEOUT", timeout).hide(pid, "4711").keep((holder, database, project))
}

#[test]
fn a_table_that_is_locked() {
    message("locked-table", 5, || while_locked("LOCK TABLE services", "ALTER TABLE services ADD owner text;", "300ms"));
}

#[test]
fn a_table_that_is_locked_under_a_short_timeout() {
    message("locked-table-short-timeout", 5, || while_locked("LOCK TABLE services", "ALTER TABLE services ADD owner text;", "20ms"));
}

#[test]
fn a_table_that_is_locked_and_not_waited_for() {
    message("locked-table-nowait", 5, || while_locked("LOCK TABLE services", "LOCK TABLE services NOWAIT;", "5s"));
}

/// Another session holds a lock on the version table at 001.
fn version_table_locked(words: Option<&str>, mode: &str) -> Setup {
    let database = Database::new();
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;").revision("002", "SELECT 2;", "SELECT 2;");
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    let holder = database.session();
    holder.execute(&format!("BEGIN; LOCK TABLE alembic_version IN {mode} MODE"));
    let setup = Setup::of(pgmarch(&database, &project)).and("PGMARCH_LOCK_TIMEOUT", "300ms").and("PGMARCH_RETRY_FOR", "0");
    let setup = match words {
        Some(words) => setup.say(words),
        None => setup,
    };
    let pid = holder.pid();
    setup.hide(pid, "4711").keep((holder, database, project))
}

#[test]
fn a_version_table_that_is_locked_against_writers() {
    message("locked-version-table", 5, || version_table_locked(None, "SHARE"));
    message("locked-version-table-stamp", 5, || version_table_locked(Some("stamp 002"), "SHARE"));
}

#[test]
fn a_version_table_that_is_locked_against_readers() {
    message("locked-version-table-status", 5, || version_table_locked(Some("status"), "ACCESS EXCLUSIVE"));
}

#[test]
fn a_blocking_session_of_which_the_server_hides_the_rest() {
    message("locked-table-hidden", 5, || {
        let database = Database::new();
        database.execute("CREATE TABLE services (name text); GRANT ALL ON services TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC");
        let role = database.role("app", &[&format!("CREATE ON DATABASE {}", database.name())]);
        let holder = database.session();
        holder.execute("BEGIN; LOCK TABLE services");
        let project = Project::new().revision("001", "INSERT INTO services VALUES ('a');", "SELECT 1;");
        let program = pgmarch_at(&role.url, &project).env("PGMARCH_RETRY_FOR", "0").env("PGMARCH_LOCK_TIMEOUT", "300ms");
        Setup::of(program).hide(holder.pid(), "4711").hide(&role.name, "app").keep((holder, database, project))
    });
}

#[test]
fn codes_that_the_text_raises_itself() {
    for (code, exit) in [("40001", 5), ("53100", 4), ("57P01", 6)] {
        message(&format!("raised-{code}"), exit, || after("", &format!("DO $$BEGIN RAISE 'no' USING ERRCODE = '{code}'; END$$;")));
    }
}

#[test]
fn a_resource_that_is_used_up() {
    message("temporary-files", 4, || {
        after(
            "",
            "SET LOCAL temp_file_limit = '64kB'; SET LOCAL work_mem = '64kB';\nCREATE TABLE t AS SELECT g FROM generate_series(1, 100000) g ORDER BY -g;",
        )
    });
    message("missing-file", 4, || after("CREATE TABLE services (name text)", "COPY services FROM '/nowhere/services';"));
}

#[test]
fn a_timeout_of_the_settings() {
    message("statement-timeout", 6, || after("", "SELECT pg_sleep(60);").and("PGMARCH_STATEMENT_TIMEOUT", "100ms"));
}

#[test]
fn a_timeout_that_the_revision_sets() {
    message("own-statement-timeout", 6, || after("", "SELECT 1;\nSET LOCAL statement_timeout = '100ms';\nSELECT pg_sleep(60);"));
}

#[test]
fn a_statement_that_another_session_cancels() {
    let project = Project::new().revision("001", "SELECT pg_sleep(60);", "SELECT 1;");
    let database = Database::new();
    let running = pgmarch(&database, &project).env("PGMARCH_STATEMENT_TIMEOUT", "50s").spawn();
    let asleep = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    database.eventually(&format!("SELECT count(*)::text {asleep}"), "1");
    database.execute(&format!("SELECT pg_cancel_backend(pid) {asleep}"));
    let run = running.wait().exits(6);
    assert!(run.last_line().starts_with("next: another session cancelled the statement after "), "{run}");
}

#[test]
fn timeouts_of_the_role_do_not_end_the_programs_own_statements() {
    let database = Database::new();
    let role = database.role("app", &[&format!("CREATE ON DATABASE {}", database.name()), "USAGE, CREATE ON SCHEMA public"]);
    database.execute(&format!("ALTER ROLE {} SET statement_timeout = '40ms'", role.name));
    if database.major() >= 17 {
        database.execute(&format!("ALTER ROLE {} SET transaction_timeout = '40ms'", role.name));
    }
    let project = Project::new().revision("001", "SELECT pg_sleep(0.2);", "SELECT 1;");
    pgmarch_at(&role.url, &project).run().exits(0);
    let holder = database.session();
    holder.execute("BEGIN; LOCK TABLE alembic_version");
    let waiting = pgmarch_at(&role.url, &project).args(["status"]).spawn();
    database.eventually("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", "1");
    Session::open(&database.url()).execute("SELECT pg_sleep(0.1)");
    holder.execute("COMMIT");
    waiting.wait().exits(0);
}

/// A role that owns nothing runs a revision about what another role owns.
fn without_rights(text: &str) -> Setup {
    let database = Database::new();
    let boss = database.role("owner", &[]);
    let role = database.role("app", &[&format!("CREATE ON DATABASE {}", database.name()), "USAGE, CREATE ON SCHEMA public"]);
    let owner = &boss.name;
    database.execute(&format!(
        "CREATE TABLE services (id int PRIMARY KEY); ALTER TABLE services OWNER TO {owner}; CREATE SCHEMA billing AUTHORIZATION {owner};
         CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f() FROM PUBLIC; ALTER FUNCTION f() OWNER TO {owner}"
    ));
    let project = Project::new().revision("001", text, "SELECT 1;");
    Setup::of(pgmarch_at(&role.url, &project)).hide(owner, "owner").hide(&role.name, "app").keep((database, project))
}

#[test]
fn a_privilege_that_is_missing() {
    message("not-owner", 8, || without_rights("ALTER TABLE services ADD owner text;"));
    message("no-right-to-insert", 8, || without_rights("INSERT INTO services VALUES (1);"));
    message("no-right-to-refer", 8, || without_rights("CREATE TABLE routes (service int REFERENCES services);"));
    message("no-right-to-create-in-schema", 8, || without_rights("CREATE TABLE billing.invoices ();"));
    message("no-right-to-execute", 8, || without_rights("SELECT f();"));
}

#[test]
fn data_that_violates_the_change() {
    let prepared = "CREATE TABLE services (id int PRIMARY KEY, name text); CREATE TABLE routes (service int, path text);
        INSERT INTO services VALUES (1, 'a'), (2, NULL), (3, 'a'); INSERT INTO routes VALUES (1, '/'), (9, '/x')";
    for (name, text) in [
        ("violated-unique", "CREATE UNIQUE INDEX services_name ON services (name);"),
        ("violated-unique-insert", "INSERT INTO services VALUES (1, 'b');"),
        ("violated-foreign-key", "ALTER TABLE routes ADD FOREIGN KEY (service) REFERENCES services;"),
        ("violated-not-null", "ALTER TABLE services ALTER COLUMN name SET NOT NULL;"),
        ("violated-new-column", "ALTER TABLE services ADD COLUMN owner text NOT NULL;"),
        ("violated-check", "ALTER TABLE routes ADD CONSTRAINT known CHECK (service < 5);"),
    ] {
        message(name, 6, || after(prepared, text));
    }
}

#[test]
fn the_query_in_the_advice_finds_the_rows() {
    let database = Database::new();
    database.execute(
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c (x int, y int); INSERT INTO c VALUES (1, 2), (NULL, 3)",
    );
    let (program, _project) = one(&database, "ALTER TABLE c ADD FOREIGN KEY (x, y) REFERENCES p;");
    let run = program.run().exits(6);
    let query =
        run.last_line().split_once("this query finds: ").and_then(|(_, rest)| rest.split_once("; then run again")).expect("a query").0;
    assert_eq!(database.query(query), [["1".to_owned(), "2".to_owned()]], "{run}");
}

#[test]
fn a_transaction_of_its_own_isolation() {
    let database = Database::new();
    let text = "-- first\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE level AS SELECT current_setting('transaction_isolation') AS name;";
    let project = Project::new().revision("001", text, "SELECT 1;");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT name FROM level"), "serializable");
    message("late-isolation-level", 6, || after("", "SELECT 1;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"));
    message("read-only-transaction", 6, || after("", "SELECT 1;\nSET TRANSACTION READ ONLY;"));
}

/// A database with another encoding.
fn encoded(encoding: &str, text: &str) -> Setup {
    let database = Database::new();
    let name = format!("{}_e", database.name());
    let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    Session::open(&database.url()).execute(&create);
    let project = Project::new().revision("001", text, "SELECT 1;");
    let url = database.url().replace(database.name(), &name);
    Setup::of(pgmarch_at(&url, &project)).keep((Dropped { name, database }, project))
}

/// A database that is dropped at the end.
struct Dropped {
    name: String,
    database: Database,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.database.session().execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

#[test]
fn text_that_the_encoding_can_not_hold() {
    message("latin1", 6, || encoded("LATIN1", "SELECT 1;\nSELECT 'ä €';"));
    message("invalid-escape", 6, || after("", "SELECT 1;\nSELECT E'\\xde\\x61';"));
    let Setup { program, _kept, .. } = encoded("SQL_ASCII", "SELECT 'ä €';");
    program.run().exits(0);
}
