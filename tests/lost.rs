//! What is a lost connection and what is not; what a revision may return; and who runs our bookkeeping.

use std::fs;
use std::time::Duration;

use crate::support::{Database, Program, Project, Running, pgmarch, pgmarch_at};

/// How the revision runs: the options of its marker, and the setting.
const MODES: [(&str, &str); 3] = [("", "revision"), ("", "run"), (" transaction:false", "revision")];

/// A revision that counts how often it began: `nextval` is not rolled back.
fn counted(marker: &str, text: &str) -> Project {
    Project::new().file("001_test.sql", &format!("-- migrate:up{marker}\nSELECT nextval('attempts');\n{text}\n"))
}

fn database() -> Database {
    let database = Database::new();
    database.execute("CREATE SEQUENCE attempts");
    database
}

const ATTEMPTS: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM attempts";

/// Where the time for retries would be up long after this.
fn patient(program: Program) -> Program {
    program.env("PGMARCH_RETRY_FOR", "30s")
}
const AT_ONCE: Duration = Duration::from_secs(10);

/// The revision's own failure in every mode: at once, exit 6, in the server's words, run once.
#[track_caller]
fn fails_at_once(prepare: &str, text: &str, words: &[&str]) {
    for (marker, transaction) in MODES {
        let database = database();
        database.execute(prepare);
        let run = patient(pgmarch(&database, &counted(marker, text))).env("PGMARCH_TRANSACTION", transaction).run();
        let run = run.exits(6).within(AT_ONCE).stderr_contains("001");
        let run = words.iter().fold(run, |run, word| run.stderr_contains(word)).stderr_lacks("planning again");
        assert_eq!(database.one(ATTEMPTS), "1", "{run}");
        assert_eq!(database.one("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%' AND datname = current_database() AND state = 'active'"), "0");
    }
}

fn raise(code: &str) -> String {
    format!("DO $$ BEGIN RAISE EXCEPTION 'in the words of the server' USING ERRCODE = '{code}'; END $$;")
}

#[test]
fn an_error_of_class_08_is_the_revisions_failure() {
    for code in ["08000", "08001", "08003", "08006"] {
        fails_at_once("", &raise(code), &["in the words of the server", code]);
    }
}

#[test]
fn an_error_that_says_that_the_server_goes_is_the_revisions_failure() {
    for code in ["57P01", "57P02", "57P03", "57P05"] {
        fails_at_once("", &raise(code), &["in the words of the server", code]);
    }
}

#[test]
fn an_internal_error_is_the_revisions_failure() {
    for code in ["XX000", "XX001", "40003"] {
        fails_at_once("", &raise(code), &["in the words of the server", code]);
    }
}

#[test]
fn a_dead_host_behind_dblink_is_the_revisions_failure() {
    if Database::new().one("SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'") == "0" {
        return fails_at_once("", &raise("08001"), &["08001"]);
    }
    let connect = "SELECT dblink_connect('host=127.0.0.1 port=1 dbname=none user=none password=none');";
    fails_at_once("CREATE EXTENSION dblink", connect, &["could not establish connection", "08001", "127.0.0.1"]);
}

#[test]
fn a_subscription_to_a_dead_host_is_the_revisions_failure() {
    let database = database();
    let text = "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION p;";
    let run = patient(pgmarch(&database, &counted(" transaction:false", text))).run().exits(6).within(AT_ONCE);
    let run = run.stderr_contains("could not connect to the publisher").stderr_lacks("planning again");
    assert_eq!(database.one(ATTEMPTS), "1", "{run}");
}

#[test]
fn a_backend_that_is_terminated_is_a_lost_connection() {
    // What is really gone is still tried again.
    for (marker, transaction) in MODES {
        let database = database();
        let gate = database.session();
        gate.execute("SELECT pg_advisory_lock(4711)");
        let project = counted(marker, "SELECT pg_advisory_xact_lock(4711);");
        let running =
            patient(pgmarch(&database, &project)).env("PGMARCH_TRANSACTION", transaction).env("PGMARCH_LOCK_TIMEOUT", "20s").spawn();
        let at_the_gate =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        database.eventually(at_the_gate, "1");
        running.wait_for_log("planning again");
        gate.execute("SELECT pg_advisory_unlock(4711)");
        running.wait().exits(0);
    }
}

/// Waits for the end; with the most memory that was resident in between, in megabytes.
fn watched(running: Running) -> (crate::support::Outcome, u64) {
    let file = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while running.is_running() {
        let status = fs::read_to_string(&file).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        peak = peak.max(mark.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    (running.wait(), peak / 1024)
}

/// More than was ever kept of an answer.
const ROWS: &str = "SELECT g, repeat('x', 1000) FROM generate_series(1, 40000) g;";
/// What the program may take while 40 MB of rows arrive, with all that a debug build takes.
const MEGABYTES: u64 = 64;

#[test]
fn rows_that_a_revision_returns_are_discarded_without_a_limit() {
    for (marker, transaction) in MODES {
        let database = database();
        let project = counted(marker, ROWS);
        let program = patient(pgmarch(&database, &project)).env("PGMARCH_TRANSACTION", transaction);
        let (outcome, peak) = watched(program.spawn());
        let outcome = outcome.exits(0).stdout_contains("1 applied");
        assert_eq!(database.one(ATTEMPTS), "1", "{outcome}");
        assert!(peak > 0 && peak < MEGABYTES, "{peak} MB\n{outcome}");
    }
}

#[test]
fn rows_of_a_data_migration_by_a_function_are_discarded() {
    let database = database();
    database.execute(
        "CREATE TABLE accounts (id int, done bool); INSERT INTO accounts SELECT g, false FROM generate_series(1, 200000) g; \
         CREATE FUNCTION up(id int) RETURNS text LANGUAGE sql AS $$ SELECT repeat('account ', 12) || id $$",
    );
    let project = counted("", "SELECT up(id) FROM accounts;\nUPDATE accounts SET done = true;");
    let outcome = patient(pgmarch(&database, &project)).run().exits(0);
    assert_eq!(database.one(ATTEMPTS), "1", "{outcome}");
    assert_eq!(database.one("SELECT count(*) FROM accounts WHERE NOT done"), "0");
}

#[test]
fn rows_of_an_undone_revision_are_discarded() {
    for (marker, transaction) in MODES {
        let database = database();
        let project = Project::new().file(
            "001_test.sql",
            &format!("-- migrate:up{marker}\nSELECT 1;\n\n-- migrate:down{marker}\nSELECT nextval('attempts');\n{ROWS}\n"),
        );
        pgmarch(&database, &project).run().exits(0);
        let down = patient(pgmarch(&database, &project)).args(["downgrade", "base", "--yes"]);
        let (outcome, peak) = watched(down.env("PGMARCH_TRANSACTION", transaction).spawn());
        let outcome = outcome.exits(0);
        assert_eq!(database.one(ATTEMPTS), "1", "{outcome}");
        assert!(peak > 0 && peak < MEGABYTES, "{peak} MB\n{outcome}");
    }
}

#[test]
fn rows_of_a_window_of_revisions_are_discarded() {
    let database = database();
    let project = (1..=8).fold(Project::new(), |project, number| {
        project.revision(&format!("{number:03}"), &format!("SELECT nextval('attempts');\n{}", ROWS.replace("40000", "8000")), "SELECT 1;")
    });
    let (outcome, peak) = watched(patient(pgmarch(&database, &project)).spawn());
    let outcome = outcome.exits(0).stdout_contains("8 applied");
    assert_eq!(database.one(ATTEMPTS), "8", "{outcome}");
    assert!(peak > 0 && peak < MEGABYTES, "{peak} MB\n{outcome}");
}

#[test]
fn the_large_row_of_a_statement_by_itself_is_discarded() {
    let database = database();
    database.execute("CREATE PROCEDURE large(INOUT text) LANGUAGE plpgsql AS $$ BEGIN $1 := repeat('x', 17 * 1024 * 1024); COMMIT; END $$");
    let outcome = patient(pgmarch(&database, &counted(" transaction:false", "CALL large('');"))).run().exits(0);
    assert_eq!(database.one(ATTEMPTS), "1", "{outcome}");
}

/// A login whose session begins as an owner, by the setting of the role or by the connection's options.
#[track_caller]
fn begins_as_the_owner(by_options: bool) {
    for (marker, transaction) in MODES {
        println!("up{marker}, PGMARCH_TRANSACTION={transaction}");
        let database = Database::new();
        let name = database.name();
        let owner = database.role("owner", &[&format!("ALL ON DATABASE {name}"), "ALL ON SCHEMA public"]);
        let login = database.role("login", &[]);
        database.execute(&format!("ALTER ROLE {0} NOINHERIT; GRANT {1} TO {0}", login.name, owner.name));
        let url = if by_options {
            format!("{}?options=-c%20role%3D{}", login.url, owner.name)
        } else {
            database.execute(&format!("ALTER ROLE {} SET role = {}", login.name, owner.name));
            login.url.clone()
        };
        let project = Project::new()
            .file("001_test.sql", &format!("-- migrate:up{marker}\nCREATE TABLE a (id int);\nCREATE INDEX a_id ON a (id);\n\n-- migrate:down{marker}\nDROP TABLE a;\n"))
            .file("002_test.sql", &format!("-- migrate:up{marker}\nSET ROLE {0};\nCREATE TABLE b (id int);\nRESET ROLE;\nCREATE TABLE c (id int);\n\n-- migrate:down{marker}\nDROP TABLE b, c;\n", owner.name));
        let run = |words: &[&str]| {
            let program = pgmarch_at(&url, &project).env("PGMARCH_RETRY_FOR", "5s").env("PGMARCH_TRANSACTION", transaction);
            program.args(words.iter().copied()).run().exits(0)
        };
        run(&[]);
        run(&[]).stdout_contains("nothing to do");
        let owners = "SELECT string_agg(DISTINCT relowner::regrole::text, ', ') FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace IN ('public'::regnamespace, 'pgmarch'::regnamespace)";
        assert_eq!(database.one(owners), owner.name, "{marker}, {transaction}");
        assert_eq!(database.one("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'pgmarch'"), owner.name);
        run(&["downgrade", "001", "--yes"]);
        run(&["stamp", "base"]);
        assert_eq!(database.one("SELECT count(*) FROM alembic_version"), "0");
    }
}

#[test]
fn a_login_with_a_role_of_its_own_makes_everything_for_that_role() {
    begins_as_the_owner(false);
}

#[test]
fn a_connection_with_a_role_in_its_options_makes_everything_for_that_role() {
    begins_as_the_owner(true);
}

/// At once an error that names what is in the way of our tables.
#[track_caller]
fn conflicting_relation(obstacle: &str, name: &str) {
    let database = Database::new();
    database.execute(obstacle);
    let project = Project::new().revision("001", "CREATE TABLE a ();", "DROP TABLE a;");
    let outcome = patient(pgmarch(&database, &project)).run().within(AT_ONCE).stderr_contains(name).stderr_lacks("planning again");
    assert!(matches!(outcome.code(), Some(3 | 8)), "should exit 3 or 8\n{outcome}");
    assert_eq!(database.one("SELECT to_regclass('public.a') IS NULL"), "t", "{outcome}");
}

#[test]
fn an_index_in_the_way_of_the_version_tables_key_is_named() {
    conflicting_relation("CREATE TABLE other (id int); CREATE INDEX alembic_version_pkc ON other (id)", "alembic_version_pkc");
}

#[test]
fn a_table_in_the_way_of_the_version_tables_key_is_named() {
    conflicting_relation("CREATE TABLE alembic_version_pkc (id int)", "alembic_version_pkc");
}

#[test]
fn a_relation_of_another_kind_in_the_way_of_our_tables_is_named() {
    conflicting_relation("CREATE SEQUENCE alembic_version", "alembic_version");
    conflicting_relation("CREATE TYPE alembic_version AS ENUM ('a')", "alembic_version");
    conflicting_relation("CREATE SCHEMA pgmarch; CREATE TYPE pgmarch.journal AS ENUM ('a')", "journal");
    conflicting_relation("CREATE SCHEMA pgmarch; CREATE SEQUENCE pgmarch.revision", "revision");
}
