//! `upgrade`: pending revisions are applied, each once, and nothing leaks from one to the next.

use std::thread;

use crate::support::{Database, Program, Project, binary, pgmarch};

fn two_tables() -> Project {
    Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;").revision("002", "CREATE TABLE b (id int);", "DROP TABLE b;")
}

#[test]
fn pending_revisions_are_applied_in_order_and_the_version_table_is_alembics() {
    let database = Database::new();
    pgmarch(&database, &two_tables()).run().exits(0).stdout_contains("at 002, 2 applied").stderr_contains("applied 001 in");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "002");
    let columns = "SELECT column_name || ' ' || data_type || ' ' || character_maximum_length || ' ' || is_nullable FROM information_schema.columns WHERE table_name = 'alembic_version'";
    assert_eq!(database.one(columns), "version_num character varying 32 NO");
    assert_eq!(
        database.one("SELECT conname FROM pg_constraint WHERE conrelid = 'alembic_version'::regclass AND contype = 'p'"),
        "alembic_version_pkc"
    );
}

#[test]
fn the_ledger_has_each_text_and_the_journal_each_run() {
    let database = Database::new();
    let project = two_tables();
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT text FROM pgmarch.revision WHERE revision = '001'"), project.read("001_test.sql"));
    assert_eq!(database.one("SELECT parents::text FROM pgmarch.revision WHERE revision = '002'"), "{001}");
    let journal = "SELECT revision, direction, outcome, version_table, role, (finished > started)::text, (backend_pid > 0 AND backend_start < finished)::text FROM pgmarch.journal ORDER BY id";
    let expected = |revision: &str| {
        ["upgrade", "done", "public.alembic_version", "postgres", "true", "true"].iter().fold(vec![revision.to_owned()], |mut row, cell| {
            row.push((*cell).to_owned());
            row
        })
    };
    assert_eq!(database.query(journal), [expected("001"), expected("002")]);
}

#[test]
fn a_run_with_nothing_pending_writes_nothing_and_needs_no_lock() {
    let database = Database::new();
    let project = two_tables();
    pgmarch(&database, &project).run().exits(0);
    let state = "SELECT (SELECT count(*) FROM pgmarch.journal) || ' ' || (SELECT max(xmin::text::bigint) FROM pgmarch.revision)";
    let before = database.one(state);
    let holder = database.session();
    holder.execute("BEGIN; LOCK TABLE alembic_version, pgmarch.revision, pgmarch.journal IN EXCLUSIVE MODE");
    pgmarch(&database, &project).run().exits(0).stdout_is("at 002, nothing to do\n");
    holder.execute("ROLLBACK");
    assert_eq!(database.one(state), before);
}

#[test]
fn a_target_below_head_is_a_target() {
    let database = Database::new();
    let project = two_tables();
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0).stdout_contains("at 001");
    pgmarch(&database, &project).env("PGMARCH_TARGET", "001").run().exits(0).stdout_contains("at 001, nothing to do");
    pgmarch(&database, &project).args(["upgrade", "+1"]).run().exits(0).stdout_contains("at 002");
}

#[test]
fn the_answer_can_be_json() {
    let database = Database::new();
    let answer = pgmarch(&database, &two_tables()).args(["upgrade", "--json"]).run().exits(0).json();
    assert_eq!(answer["current"], serde_json::json!(["002"]));
    assert_eq!(answer["applied"][1]["revision"], "002");
    assert!(answer["applied"][0]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn settings_role_and_search_path_of_one_revision_never_reach_the_next() {
    let database = Database::new();
    let role = database.role("other", &[]);
    let leaky = format!(
        "CREATE SCHEMA elsewhere AUTHORIZATION {0}; SET search_path TO elsewhere; SET ROLE {0}; SET statement_timeout = '1h'; SET datestyle TO 'SQL, DMY';",
        role.name
    );
    let witness = "CREATE TABLE witness AS SELECT current_user::text AS who, current_setting('search_path') AS path, current_setting('statement_timeout') AS patience, current_setting('datestyle') AS style;";
    for transaction in ["revision", "run"] {
        database.execute(
            "DROP SCHEMA IF EXISTS elsewhere CASCADE; DROP TABLE IF EXISTS witness, alembic_version; DROP SCHEMA IF EXISTS pgmarch CASCADE",
        );
        let project = Project::new().revision("1", &leaky, "SELECT 1").revision("2", witness, "SELECT 1");
        pgmarch(&database, &project).env("PGMARCH_TRANSACTION", transaction).run().exits(0);
        let seen = database.query("SELECT who, path, patience, style FROM public.witness");
        assert_eq!(seen, [["postgres", "\"$user\", public", "0", "ISO, MDY"].map(str::to_owned).to_vec()], "{transaction}");
        assert_eq!(database.query("SELECT role FROM pgmarch.journal"), [["postgres".to_owned()], ["postgres".to_owned()]], "{transaction}");
    }
}

#[test]
fn text_that_ends_in_a_comment_or_without_a_semicolon_is_whole() {
    let database = Database::new();
    let project = Project::new().revision("1", "CREATE TABLE a (id int) -- the end", "SELECT 1").revision(
        "2",
        "CREATE TABLE b (t text DEFAULT $p$x$p$);; /* ; */",
        "SELECT 1",
    );
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"), "3");
    assert_eq!(database.one("SELECT text FROM pgmarch.revision WHERE revision = '2'"), project.read("2_test.sql"));
}

#[test]
fn notices_of_the_server_are_logged() {
    let database = Database::new();
    let project = Project::new().revision("1", "DO $$BEGIN RAISE NOTICE 'half way'; RAISE WARNING 'careful'; END$$", "SELECT 1");
    pgmarch(&database, &project).run().exits(0).stderr_contains("INFO  NOTICE: half way").stderr_contains("WARN  WARNING: careful");
}

#[test]
fn a_whole_run_in_one_transaction_is_all_or_nothing() {
    let database = Database::new();
    let project = two_tables().revision("003", "CREATE TABLE c (id int); SELECT 1/0;", "DROP TABLE c;");
    pgmarch(&database, &project)
        .env("PGMARCH_TRANSACTION", "run")
        .run()
        .exits(6)
        .stderr_contains("division by zero")
        .stderr_lacks("done before");
    assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"), "0");
    pgmarch(&database, &two_tables()).env("PGMARCH_TRANSACTION", "run").run().exits(0).stdout_contains("at 002, 2 applied");
    assert_eq!(database.one("SELECT count(DISTINCT xmin::text)::text FROM pgmarch.journal"), "1");
}

#[test]
fn names_of_tables_schema_role_and_search_path_are_settings() {
    let database = Database::new();
    let owner = database.role("owner of it", &[]);
    database.execute(&format!(
        "CREATE SCHEMA \"My App\" AUTHORIZATION \"{0}\"; GRANT CREATE ON DATABASE \"{1}\" TO \"{0}\"",
        owner.name,
        database.name()
    ));
    let settings = |program: crate::support::Program| {
        program
            .env("PGMARCH_VERSION_TABLE", "My App.it's the \"version\"")
            .env("PGMARCH_LEDGER_SCHEMA", "led$p$ger")
            .env("PGMARCH_ROLE", &owner.name)
            .env("PGMARCH_SEARCH_PATH", "\"My App\", public")
    };
    let project = two_tables();
    settings(pgmarch(&database, &project)).run().exits(0).stdout_contains("2 applied");
    settings(pgmarch(&database, &project)).run().exits(0).stdout_contains("nothing to do");
    settings(pgmarch(&database, &project).args(["status"])).run().exits(0).stdout_contains("current     002");
    let owners =
        "SELECT string_agg(DISTINCT tableowner, ',') || ' ' || count(*) FROM pg_tables WHERE schemaname IN ('My App', 'led$p$ger')";
    assert_eq!(database.one(owners), format!("{} 7", owner.name));
}

#[test]
fn two_projects_share_a_database_by_their_version_tables() {
    let database = Database::new();
    let (one, other) =
        (Project::new().revision("1", "CREATE TABLE a ()", "SELECT 1"), Project::new().revision("1", "CREATE TABLE b ()", "SELECT 1"));
    pgmarch(&database, &one).run().exits(0).stdout_contains("1 applied");
    pgmarch(&database, &other).env("PGMARCH_VERSION_TABLE", "other_version").run().exits(0).stdout_contains("1 applied");
    assert_eq!(database.one("SELECT count(*)::text FROM pgmarch.revision"), "2");
}

#[test]
fn a_database_that_alembic_brought_here_is_left_as_it_is() {
    let database = Database::new();
    database.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)); INSERT INTO alembic_version VALUES ('001'); CREATE TABLE a (id int)");
    pgmarch(&database, &two_tables()).args(["upgrade", "001"]).run().exits(0).stdout_contains("at 001, nothing to do");
    assert_eq!(database.one("SELECT count(*)::text FROM pg_namespace WHERE nspname = 'pgmarch'"), "0");
    pgmarch(&database, &two_tables()).run().exits(0).stdout_contains("at 002, 1 applied");
}

#[test]
fn a_changed_revision_stops_the_run_and_a_reformatted_one_does_not() {
    let database = Database::new();
    let project = two_tables();
    pgmarch(&database, &project).run().exits(0);
    project.write(
        "001_test.sql",
        "-- reformatted\n-- migrate:up\ncreate table a(\n  id int -- a number\n);\n-- migrate:down\ndrop table a;\n",
    );
    pgmarch(&database, &project).run().exits(0);
    project.write("001_test.sql", "-- migrate:up\nCREATE TABLE a (id bigint);\n-- migrate:down\nDROP TABLE a;\n");
    pgmarch(&database, &project)
        .run()
        .exits(3)
        .stderr_contains("001_test.sql")
        .stderr_contains("-CREATE TABLE a (id int);\n-\n+CREATE TABLE a (id bigint);");
}

#[test]
fn an_unknown_version_row_stops_the_run() {
    let database = Database::new();
    pgmarch(&database, &two_tables()).run().exits(0);
    database.execute("UPDATE alembic_version SET version_num = 'deadbeef'");
    pgmarch(&database, &two_tables()).run().exits(3).stderr_contains("the database is at deadbeef");
}

/// Many processes on one empty database: one applies, the others find it done, and none fails.
fn all_at_once(processes: usize) {
    let database = Database::new();
    let project = (1..=50).fold(Project::new(), |project, number| {
        project.revision(&format!("{number:03}"), &format!("CREATE TABLE t{number} (id int PRIMARY KEY)"), &format!("DROP TABLE t{number}"))
    });
    thread::scope(|scope| {
        for _ in 0..processes {
            scope.spawn(|| pgmarch(&database, &project).run().exits(0).stdout_contains("at 050"));
        }
    });
    assert_eq!(database.one("SELECT count(*) || ' ' || count(DISTINCT revision) FROM pgmarch.journal WHERE outcome = 'done'"), "50 50");
    assert_eq!(database.query("SELECT version_num FROM alembic_version"), [["050".to_owned()]]);
    assert_eq!(database.one("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"), "0");
}

#[test]
fn two_runs_at_once_apply_each_revision_once() {
    all_at_once(2);
}

#[test]
fn twenty_runs_at_once_apply_each_revision_once() {
    all_at_once(20);
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    for format in ["text", "json"] {
        let database = Database::new();
        let project = Project::new().revision("1", "DO $$BEGIN RAISE NOTICE 'x'; END$$", "SELECT 1");
        let script = format!("exec '{}' 2>/dev/full", binary().display());
        let upgrade = || {
            let program = Program::at("/bin/sh").args(["-c", &script]).url(&database.url());
            program.env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy()).env("PGMARCH_LOG_FORMAT", format)
        };
        upgrade().run().exits(0);
        assert_eq!(database.one("SELECT version_num FROM alembic_version"), "1");
        project.write("2_test.sql", "-- migrate:up\nSELECT missing;\n");
        upgrade().run().exits(6);
    }
}
