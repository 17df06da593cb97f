//! The ledger itself: its names, its format, and what programs of other versions leave in it.

use crate::support::{Database, Project, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new()
        .revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;")
        .revision("002", "SELECT 2;", "SELECT 2;")
        .revision("003", "SELECT 3;", "SELECT 3;")
}

/// Upgraded to a revision, with the ledger as pgmarch 0.1 would have left it.
fn without_format(revision: &str) -> Database {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", revision]).run().exits(0);
    database.execute("DROP TABLE pgmarch.format");
    database
}

const HAS_FORMAT: &str = "SELECT to_regclass('pgmarch.format') IS NOT NULL";

#[test]
fn names_that_look_like_placeholders_of_a_template_are_names() {
    for (ledger, version) in [("{schema}", "{ledger}"), ("{ledger}", "{key}"), ("{version}{}", "{table}"), ("a'{b}\\\"$p$", "c'{d}\\\"$p$")]
    {
        let database = Database::new();
        let project = project();
        let program = |words: &str| {
            let program = pgmarch(&database, &project).args(words.split(' '));
            program.env("PGMARCH_LEDGER_SCHEMA", ledger).env("PGMARCH_VERSION_TABLE", &format!("public.{version}"))
        };
        let script = program("upgrade --sql base:002").run().exits(0).stdout;
        database.psql(&script);
        for words in [
            "status",
            "upgrade",
            "wait",
            "history",
            "show 002",
            "downgrade 001 --yes",
            "stamp 002",
            "repair 002",
            "upgrade",
            "status --check",
        ] {
            program(words).run().exits(0);
        }
        let tables =
            database.query("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')");
        assert_eq!(tables.len(), 6, "{tables:?}");
        let names = format!("SELECT count(*) FROM pg_tables WHERE schemaname = {} OR tablename = {}", quoted(ledger), quoted(version));
        assert_eq!(database.one(&names), "5");
    }
}

fn quoted(text: &str) -> String {
    format!("$quoted${text}$quoted$")
}

#[test]
fn the_format_is_added_by_the_first_run_that_writes_and_has_the_rights() {
    let database = without_format("001");
    for words in [&["status"][..], &["wait", "001"], &["history"], &["upgrade", "001"]] {
        pgmarch(&database, &project()).args(words.iter().copied()).run().exits(0);
        assert_eq!(database.one(HAS_FORMAT), "f", "{words:?} only reads");
    }
    let role = database.role(
        "writer",
        &["USAGE ON SCHEMA public, pgmarch", "SELECT, INSERT, UPDATE, DELETE ON public.alembic_version, pgmarch.revision, pgmarch.journal"],
    );
    pgmarch_at(&role.url, &project()).args(["upgrade", "002"]).run().exits(0).stdout_contains("1 applied");
    assert_eq!(database.one(HAS_FORMAT), "f", "it may not");
    pgmarch(&database, &project()).run().exits(0).stdout_contains("1 applied");
    assert_eq!(database.one("SELECT format || ' ' || oldest FROM pgmarch.format"), "2 1");
    database.execute("REVOKE SELECT ON pgmarch.format FROM PUBLIC");
    for words in [&["upgrade"][..], &["status", "--check"], &["downgrade", "002", "--yes"], &["upgrade"]] {
        pgmarch_at(&role.url, &project()).args(words.iter().copied()).run().exits(0);
    }
}

#[test]
fn a_ledger_that_needs_a_later_program_is_not_written() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
    database.execute("INSERT INTO pgmarch.format (format, oldest, pgmarch) VALUES (3, 1, '7.8.9')");
    pgmarch(&database, &project()).args(["upgrade", "002"]).run().exits(0).stdout_contains("1 applied");
    database.execute("UPDATE pgmarch.format SET oldest = 3 WHERE format = 3");
    let before = database.query("TABLE pgmarch.journal");
    for words in [&["upgrade"][..], &["downgrade", "001", "--yes"], &["stamp", "001"], &["repair", "001"]] {
        let outcome = pgmarch(&database, &project()).args(words.iter().copied()).run().exits(3);
        let outcome = outcome.stderr_contains("the ledger in schema pgmarch has format 3, of pgmarch 7.8.9");
        assert!(outcome.last_line().contains("run pgmarch 7.8.9 or newer"), "{outcome}");
    }
    assert_eq!(database.query("TABLE pgmarch.journal"), before);
    pgmarch(&database, &project()).args(["status"]).run().exits(0);
}

#[test]
fn projects_that_create_one_ledger_at_the_same_moment_wait_for_each_other() {
    let database = Database::new();
    let project = project();
    let running: Vec<_> = (1..=6)
        .map(|number| {
            pgmarch(&database, &project).args(["stamp", "002"]).env("PGMARCH_VERSION_TABLE", &format!("version_{number}")).spawn()
        })
        .collect();
    for running in running {
        running.wait().exits(0);
    }
    assert_eq!(database.one("SELECT count(DISTINCT version_table) FROM pgmarch.journal"), "6");
    assert_eq!(database.one("SELECT count(*) FROM pgmarch.format"), "1");
}

#[test]
fn a_ledger_that_lost_a_table_gets_it_back() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
    database.execute("DROP TABLE pgmarch.revision, pgmarch.catalog");
    pgmarch(&database, &project()).run().exits(0).stdout_contains("2 applied");
    assert_eq!(database.one("SELECT string_agg(revision, ',' ORDER BY revision) FROM pgmarch.revision"), "002,003");
}

#[test]
fn a_seal_of_another_version_is_not_believed() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    database.execute("UPDATE pgmarch.journal SET sealed = '2:' || sealed WHERE sealed IS NOT NULL");
    project.write("003_test.sql", "-- migrate:up\nSELECT 33;\n");
    pgmarch(&database, &project).run().exits(3).stderr_contains("a revision was changed after it was applied");
}

#[test]
fn a_file_that_was_parsed_differently_is_distinguished_from_a_changed_one() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    // As if another version had found other statements in the same text.
    database.execute(
        "UPDATE pgmarch.revision SET semantic = repeat('0', 64) WHERE revision = '002';
         UPDATE pgmarch.journal SET sealed = '2:' || sealed WHERE sealed IS NOT NULL",
    );
    let message = "002_test.sql: the file is unchanged, but the pgmarch that applied 002 found other statements in its up section";
    for words in [&["upgrade"][..], &["status", "--check"]] {
        let outcome = pgmarch(&database, &project).args(words.iter().copied()).run().exits(3).stderr_contains(message);
        assert!(outcome.last_line().contains("accept it with `pgmarch repair 002`"), "{outcome}");
    }
    let checked = pgmarch(&database, &project).args(["check", "--json"]).run().exits(3);
    assert_eq!(checked.json()["findings"][0]["kind"], "reread", "{checked}");
    let repaired = pgmarch(&database, &project).args(["repair", "002", "--json"]).run().exits(0);
    assert_eq!(repaired.json()["accepted"], serde_json::json!(["reading"]));
    pgmarch(&database, &project).run().exits(0).stdout_contains("nothing to do");
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0);
}

#[test]
fn a_version_table_may_have_the_longest_name_that_there_is() {
    let database = Database::new();
    let name = "v".repeat(63);
    let project = project();
    let program = || pgmarch(&database, &project).env("PGMARCH_VERSION_TABLE", &name).env("PGMARCH_RETRY_FOR", "0");
    program().run().exits(0).stdout_contains("3 applied");
    program().run().exits(0).stdout_contains("nothing to do");
}

#[test]
fn an_optional_ledger_table_may_have_another_owner() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
    let other = database.role("other", &["USAGE, CREATE ON SCHEMA pgmarch"]);
    database.execute(&format!("ALTER TABLE pgmarch.format OWNER TO {0}; ALTER TABLE pgmarch.catalog OWNER TO {0}", other.name));
    let owner = database.role("owner", &["USAGE, CREATE ON SCHEMA public, pgmarch"]);
    for table in ["public.alembic_version", "pgmarch.revision", "pgmarch.journal"] {
        database.execute(&format!("ALTER TABLE {table} OWNER TO {}", owner.name));
    }
    for words in [&["upgrade"][..], &["status", "--check"], &["downgrade", "001", "--yes"], &["upgrade"]] {
        pgmarch_at(&owner.url, &project()).args(words.iter().copied()).run().exits(0);
    }
}
