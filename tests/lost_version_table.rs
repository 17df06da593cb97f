//! A version table that is empty, missing or in another schema, where the ledger knows that revisions are applied: nothing
//! runs again on live data.

use serde_json::json;

use crate::support::{Database, Program, Project, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;").revision(
        "002",
        "CREATE TABLE more (id int);",
        "DROP TABLE more;",
    )
}

fn applied() -> (Database, Project) {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    (database, project)
}

fn version(database: &Database, table: &str) -> String {
    database.one(&format!("SELECT coalesce(string_agg(version_num, ',' ORDER BY version_num), 'base') FROM {table}"))
}

/// Each command that counts on the position refuses and changes nothing; returns the last line of `upgrade`.
fn refused(database: &Database, program: impl Fn() -> Program, message: &str) -> String {
    let before = (database.dump(), database.query("TABLE pgmarch.journal"));
    for words in [&["upgrade"][..], &["downgrade", "base", "--yes"], &["status", "--check"], &["wait"], &["sidecar"]] {
        let program = program().args(words.iter().copied()).env("PGMARCH_WAIT_TIMEOUT", "5s").env("PGMARCH_LISTEN", "127.0.0.1:0");
        program.run().exits(3).stderr_contains(message);
    }
    let status = program().args(["status", "--json"]).run().exits(0).json();
    assert!(status["refusal"].as_str().expect("a refusal").contains(message) && status["at_target"] == json!(false), "{status}");
    let check = program().args(["check", "--json"]).run().exits(3).json();
    assert_eq!((&check["findings"][0]["kind"], &check["findings"][0]["stops_upgrade"]), (&json!("position"), &json!(true)));
    assert_eq!((database.dump(), database.query("TABLE pgmarch.journal")), before);
    program().run().exits(3).last_line().to_owned()
}

#[test]
fn a_version_table_that_is_lost_or_empty_is_refused_until_a_stamp_settles_it() {
    for (lose, message) in [
        ("DROP TABLE alembic_version", "the version table public.alembic_version does not exist, but the ledger has 002 as applied"),
        ("TRUNCATE alembic_version", "the version table public.alembic_version has no rows, but the ledger has 002 as applied"),
    ] {
        for named in [None, Some("public.alembic_version")] {
            for (stamp, upgraded) in [("002", "at 002, nothing to do\n"), ("base", "")] {
                let (database, project) = applied();
                let program = || match named {
                    Some(named) => pgmarch(&database, &project).env("PGMARCH_VERSION_TABLE", named),
                    None => pgmarch(&database, &project),
                };
                database.execute(lose);
                let next = refused(&database, program, message);
                assert!(next.contains("`pgmarch stamp 002`") && next.contains("`pgmarch stamp base`"), "{next}");
                program().args(["stamp", stamp]).run().exits(0);
                assert_eq!(version(&database, "alembic_version"), stamp);
                if stamp == "base" {
                    database.execute("DROP TABLE things, more");
                    program().run().exits(0).stdout_contains("at 002, 2 applied");
                } else {
                    program().run().exits(0).stdout_is(upgraded);
                }
            }
        }
    }
}

#[test]
fn base_of_pgmarchs_own_is_base() {
    let (database, project) = applied();
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
    pgmarch(&database, &project).run().exits(0).stdout_contains("2 applied");
    pgmarch(&database, &project).args(["stamp", "base"]).run().exits(0);
    database.execute("DROP TABLE things, more");
    pgmarch(&database, &project).run().exits(0).stdout_contains("2 applied");
    let script = pgmarch(&database, &project).args(["downgrade", "--sql", "head:base"]).run().exits(0).stdout;
    database.psql(&script);
    database.execute("DROP TABLE alembic_version");
    pgmarch(&database, &project).run().exits(0).stdout_contains("2 applied");
}

#[test]
fn alembics_base_needs_a_stamp_once() {
    let (database, project) = applied();
    // What `alembic downgrade base` leaves, of revisions that leave a table.
    database.execute("DELETE FROM alembic_version; DROP TABLE things, more; CREATE TABLE others ()");
    let refusal = pgmarch(&database, &project).run().exits(3);
    assert!(refusal.last_line().contains("`pgmarch stamp base`"), "{refusal}");
    pgmarch(&database, &project).args(["stamp", "base"]).run().exits(0).stdout_is("at base, stamped; nothing was run\n");
    pgmarch(&database, &project).args(["stamp", "base"]).run().exits(0).stdout_is("at base already, nothing to do\n");
    pgmarch(&database, &project).run().exits(0).stdout_contains("2 applied");
}

#[test]
fn what_another_tool_applied_below_a_downgrade_is_known() {
    let database = Database::new();
    let project = project();
    database.execute("CREATE TABLE things (); CREATE TABLE more (); CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('002')");
    pgmarch(&database, &project).args(["downgrade", "-1", "--yes"]).run().exits(0);
    database.execute("DROP TABLE alembic_version");
    pgmarch(&database, &project).run().exits(3).stderr_contains("the ledger has 001 as applied");
}

#[test]
fn a_first_run_that_failed_or_was_stopped_is_continued() {
    let database = Database::new();
    pgmarch(&database, &Project::new().revision("001", "SELECT 1/0;", "SELECT 1;")).run().exits(6);
    pgmarch(&database, &Project::new().revision("001", "SELECT 1;", "SELECT 1;")).run().exits(0);
    let database = Database::new();
    let stepwise = |second: &str| {
        Project::new().file(
            "001_test.sql",
            &format!("-- migrate:up transaction:false\nCREATE TABLE one ();\n{second};\n-- migrate:down\nDROP TABLE one;\n"),
        )
    };
    database.execute("CREATE TABLE used ()");
    pgmarch(&database, &stepwise("SELECT 1/0")).run().exits(6);
    pgmarch(&database, &stepwise("CREATE TABLE two ()")).run().exits(0).stdout_contains("at 001, 1 applied");
}

#[test]
fn a_journal_that_was_deleted_is_no_proof_of_base() {
    let (database, project) = applied();
    database.execute("DELETE FROM pgmarch.journal; DELETE FROM alembic_version");
    pgmarch(&database, &project).run().exits(3).stderr_contains("the ledger has 002 as applied");
    pgmarch(&database, &project).args(["stamp", "base"]).run().exits(0);
    database.execute("DROP TABLE things, more");
    pgmarch(&database, &project).run().exits(0);
}

#[test]
fn a_schema_that_was_dropped_and_created_again_starts_from_base() {
    let (database, project) = applied();
    for _ in 0..2 {
        database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        pgmarch(&database, &project).args(["status", "--check"]).run().exits(1).stdout_contains("pending     2: 001, 002");
        let run = pgmarch(&database, &project).run().exits(0).stdout_contains("at 002, 2 applied");
        run.stderr_contains("whose schema holds no relations: it was reset, starting from base");
    }
    assert_eq!(database.one("SELECT count(*) FROM pgmarch.journal WHERE direction = 'reset'"), "2");
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0);
    pgmarch(&database, &project).run().exits(0).stderr_lacks("reset");
}

#[test]
fn a_reset_forgets_what_was_half_done() {
    let database = Database::new();
    let project = |second: &str| {
        let text = format!("-- migrate:up transaction:false\nCREATE TABLE one ();\n{second};\n-- migrate:down\nDROP TABLE one;\n");
        Project::new().revision("001", "CREATE TABLE zero ();", "DROP TABLE zero;").file("002_test.sql", &text)
    };
    pgmarch(&database, &project("SELECT 1/0")).run().exits(6);
    database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    pgmarch(&database, &project("CREATE TABLE two ()")).run().exits(0).stdout_contains("at 002, 2 applied");
    assert_eq!(database.one("SELECT to_regclass('one') IS NOT NULL"), "t", "the first statement ran again");
}

#[test]
fn relations_of_extensions_and_of_the_ledger_do_not_count() {
    let (database, project) = (Database::new(), project());
    let program = || pgmarch(&database, &project).env("PGMARCH_LEDGER_SCHEMA", "public");
    program().run().exits(0);
    database.execute("DROP TABLE things, more, alembic_version; CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    program().run().exits(0).stdout_contains("2 applied").stderr_contains("was reset");
    database.execute("DROP TABLE things, more; TRUNCATE alembic_version");
    program().run().exits(0).stdout_contains("2 applied");
    database.execute("DROP TABLE things, more; TRUNCATE alembic_version");
    for (kind, definition) in [
        ("SEQUENCE", ""),
        ("VIEW", "AS SELECT 1 AS one"),
        ("MATERIALIZED VIEW", "AS SELECT 1 AS one"),
        ("TABLE", "(id int) PARTITION BY LIST (id)"),
    ] {
        database.execute(&format!("CREATE {kind} s {definition}"));
        program().run().exits(3).stderr_contains("the schema is in use (public.s)");
        database.execute(&format!("DROP {kind} s"));
    }
}

#[test]
fn a_version_table_in_a_schema_of_its_own_does_not_make_the_tables_elsewhere_a_reset() {
    let (database, project) = (Database::new(), project());
    database.execute("CREATE SCHEMA meta");
    let program = || pgmarch(&database, &project).env("PGMARCH_VERSION_TABLE", "meta.alembic_version");
    program().run().exits(0);
    database.execute("DROP TABLE meta.alembic_version");
    program().run().exits(3).stderr_contains("the schema is in use (public.more)");
}

#[test]
fn a_search_path_that_hides_the_version_table_is_refused() {
    let (database, project) = applied();
    database.execute("CREATE SCHEMA app");
    let program = || pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app");
    let message = "there is no table alembic_version on the search path, and it would be created as app.alembic_version, but public.alembic_version is at 002";
    let next = refused(&database, program, message);
    assert!(next.contains("PGMARCH_VERSION_TABLE=public.alembic_version (or PGMARCH_SEARCH_PATH=public)"), "{next}");
    assert!(next.ends_with("set PGMARCH_VERSION_TABLE=app.alembic_version"), "{next}");
    // The database's own path does the same.
    database.execute(&format!("ALTER DATABASE {} SET search_path TO app", database.name()));
    pgmarch(&database, &project).run().exits(3).stderr_contains(message);
    database.execute(&format!("ALTER DATABASE {} RESET search_path", database.name()));
    program().env("PGMARCH_VERSION_TABLE", "public.alembic_version").run().exits(0).stdout_is("at 002, nothing to do\n");
    pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app, public").run().exits(0).stdout_is("at 002, nothing to do\n");
    let separate = || program().env("PGMARCH_VERSION_TABLE", "app.alembic_version");
    separate().run().exits(0).stdout_contains("at 002, 2 applied");
    program().run().exits(0).stdout_is("at 002, nothing to do\n");
    assert_eq!(database.one("SELECT to_regclass('app.things') IS NOT NULL"), "t");
}

#[test]
fn an_empty_version_table_that_hides_another_is_refused() {
    let (database, project) = applied();
    database.execute("CREATE SCHEMA app; CREATE TABLE app.alembic_version (version_num varchar(32) PRIMARY KEY)");
    let program = || pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app, public");
    refused(
        &database,
        program,
        "the version table found on the search path is app.alembic_version, which has no rows, but public.alembic_version is at 002",
    );
    program().args(["stamp", "base"]).run().exits(0);
    program().run().exits(0).stdout_contains("at 002, 2 applied");
}

#[test]
fn another_schema_at_base_or_unknown_to_the_ledger_is_no_reason_to_refuse() {
    let (database, project) = applied();
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
    database.execute(
        "CREATE SCHEMA app; CREATE SCHEMA other; CREATE TABLE other.alembic_version (version_num varchar(32)); INSERT INTO other.alembic_version VALUES ('002')",
    );
    pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app").run().exits(0).stdout_contains("2 applied");
}

#[test]
fn a_planted_table_neither_runs_code_nor_stops_a_run() {
    let (database, project) = applied();
    // The old version table's schema is dropped, and another role creates it again.
    database.execute("CREATE SCHEMA old; CREATE SCHEMA app; ALTER TABLE alembic_version SET SCHEMA old");
    database.execute("UPDATE pgmarch.journal SET version_table = 'old.alembic_version'; DROP SCHEMA old CASCADE");
    let planter = database.role("planter", &["USAGE ON SCHEMA public"]);
    database.execute(&format!(
        "CREATE SCHEMA old AUTHORIZATION {0}; SET ROLE {0};
         CREATE FUNCTION old.f() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
             $$BEGIN IF current_user <> '{0}' THEN RAISE EXCEPTION 'the code ran as %', current_user; END IF; RETURN true; END$$;
         CREATE TABLE old.alembic_version (version_num varchar(32));
         CREATE INDEX ON old.alembic_version (version_num) WHERE old.f();
         INSERT INTO old.alembic_version VALUES ('002');
         GRANT ALL ON old.alembic_version TO PUBLIC; GRANT USAGE ON SCHEMA old TO PUBLIC",
        planter.name
    ));
    let failure = database.session().refusal("SELECT FROM old.alembic_version WHERE old.f() AND version_num = '002'");
    assert_eq!(failure, "P0001", "the code would run");
    pgmarch(&database, &project).args(["status"]).env("PGMARCH_SEARCH_PATH", "app").run().exits(0).stdout_contains("pending     2");
    pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app").run().exits(0).stdout_contains("2 applied");
    assert_eq!(version(&database, "app.alembic_version"), "002");
}

#[test]
fn a_table_that_the_role_may_not_read_counts_by_the_ledgers_word() {
    let (database, project) = applied();
    let app = database.role("app", &[]);
    database.execute(&format!("CREATE SCHEMA app AUTHORIZATION {}", app.name));
    database.execute(&format!("GRANT USAGE ON SCHEMA pgmarch TO {0}; GRANT ALL ON ALL TABLES IN SCHEMA pgmarch TO {0}", app.name));
    let program = || pgmarch_at(&app.url, &project).env("PGMARCH_SEARCH_PATH", "app");
    program().run().exits(3).stderr_contains("but public.alembic_version is at 002");
    // Who may not read the ledger can't know.
    database.execute(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA pgmarch FROM {}", app.name));
    let wait = program().args(["wait"]).env("PGMARCH_WAIT_TIMEOUT", "1s").run();
    wait.exits(1).stderr_contains("2 revisions pending");
}

#[test]
fn a_tenant_named_by_its_version_table_is_never_refused_and_can_be_reset() {
    let (database, project) = applied();
    for tenant in ["t1", "t2"] {
        let program = || {
            let program = pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", tenant);
            program.env("PGMARCH_VERSION_TABLE", &format!("{tenant}.alembic_version"))
        };
        database.execute(&format!("CREATE SCHEMA {tenant}"));
        program().run().exits(0).stdout_contains("2 applied");
        database.execute(&format!("DROP SCHEMA {tenant} CASCADE; CREATE SCHEMA {tenant}"));
        program().run().exits(0).stdout_contains("2 applied").stderr_contains("was reset");
    }
}
