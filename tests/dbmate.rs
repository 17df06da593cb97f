//! Files as dbmate, pg_dump and psql users write them: what has no meaning here is ignored and reported, what has is never ignored.

use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

fn project(text: &str) -> Project {
    Project::new().file("001_test.sql", text)
}

#[test]
fn an_empty_section_has_nothing_to_do_and_is_recorded() {
    let (database, project) = (Database::new(), project("-- migrate:up\n\n-- migrate:down\n"));
    pgmarch(&database, &project)
        .run()
        .exits(0)
        .stdout_contains("at 001, 1 applied")
        .stderr_contains("no statement in the up section of 001: nothing is run, it is recorded as applied");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "001");
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0).stdout_contains("1 undone");
    let project = Project::new()
        .file("001_test.sql", "-- migrate:up transaction:false\n-- nothing\n;\n-- migrate:down transaction:false\n")
        .file("002_test.sql", "-- migrate:up\nBEGIN;\nCOMMIT;\n");
    for release in [&["upgrade"][..], &["upgrade"], &["status", "--check"]] {
        pgmarch(&database, &project).args(release.iter().copied()).run().exits(0);
    }
    pgmarch(&database, &project).env("PGMARCH_TRANSACTION", "run").args(["upgrade"]).run().exits(0);
}

#[test]
fn begin_and_commit_around_a_section_are_ignored_and_reported_once() {
    let database = Database::new();
    let project = Project::new()
        .file("001_test.sql", "-- migrate:up\n-- first\nBEGIN;\nCREATE TABLE one (id int);\nCOMMIT;\n-- migrate:down\nSTART TRANSACTION;\nDROP TABLE one;\nEND;\n")
        .file("002_test.sql", "-- migrate:up\nbegin work;\nCREATE TABLE two (id int)\n;commit work; -- done\n")
        .file("003_test.sql", "-- migrate:up\nCREATE TABLE three (id int);\n");
    let run = pgmarch(&database, &project).run().exits(0).stdout_contains("at 003, 3 applied");
    assert_eq!(run.stderr.matches("BEGIN and COMMIT around the SQL of 001, 002 are ignored").count(), 1, "{run}");
    assert_eq!(database.one("SELECT count(*) FROM pg_tables WHERE tablename IN ('one', 'two', 'three')"), "3");
    let run = pgmarch(&database, &project).run().exits(0);
    assert!(!run.stderr.contains("BEGIN"), "{run}");
    // It is one transaction with the version row, so a failure leaves nothing.
    let failing = project.file("004_test.sql", "-- migrate:up\nBEGIN;\nCREATE TABLE four (id int);\n  SELECT 'ü', nothing;\nCOMMIT;\n");
    pgmarch(&database, &failing).run().exits(6).stderr_contains("004_test.sql:4:15");
    assert_eq!(database.one("SELECT to_regclass('four') IS NULL"), "t");
    failing.write("004_test.sql", "-- migrate:up\nCREATE TABLE four (id int);\n");
    pgmarch(&database, &failing).run().exits(0);
    // The pair is no change of what was applied.
    failing.write("004_test.sql", "-- migrate:up\nBEGIN;\nCREATE TABLE four (id int);\nCOMMIT;\n");
    pgmarch(&database, &failing).run().exits(0).stdout_is("at 004, nothing to do\n");
}

#[test]
fn the_restrict_lines_of_pg_dump_are_ignored_and_positions_stay() {
    let database = Database::new();
    let dump = |name: &str| {
        format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict a1B{name}\n\nCREATE TABLE {name} (id int);\n\n\\unrestrict a1B{name}\n\n"
        )
    };
    let project = project(&format!("-- migrate:up\n{}{}\n-- migrate:down\nDROP TABLE one, two;\n", dump("one"), dump("two")));
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT to_regclass('one') IS NOT NULL AND to_regclass('two') IS NOT NULL"), "t");
    // Another dump of the same has other tokens.
    project.write("001_test.sql", &project.read("001_test.sql").replace("a1B", "x9"));
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
    let script = pgmarch(&database, &project).args(["upgrade", "--sql", "base:head"]).run().exits(0).stdout;
    let by_psql = Database::new();
    by_psql.psql(&script);
    assert_eq!(by_psql.one("SELECT to_regclass('one') IS NOT NULL AND to_regclass('two') IS NOT NULL"), "t");
    let text = format!("{}{}SELECT nothing;\n", dump("one"), dump("two"));
    let line = text.lines().count();
    for marker in ["-- migrate:up", "-- migrate:up transaction:false"] {
        let failing = Project::new().file("001_test.sql", &format!("{marker}\n{text}"));
        pgmarch(&Database::new(), &failing).run().exits(6).stderr_contains(&format!("001_test.sql:{}:8", line + 1));
    }
}

#[test]
fn an_unknown_option_is_reported_and_ignored() {
    let (database, project) =
        (Database::new(), project("-- migrate:up env:dev transaction:false\nVACUUM;\n-- migrate:down x:y\nSELECT 1;\n"));
    let run = pgmarch(&database, &project).run().exits(0);
    assert_eq!(run.stderr.matches("the option").count(), 1, "{run}");
    assert!(run.stderr.contains("001_test.sql:1:15: the option `env:dev` is unknown and ignored"), "{run}");
    let check = pgmarch_without_database(&project).args(["check", "--offline"]).run().exits(0);
    let check = check
        .stdout_contains("001_test.sql:1:15: warning: the option `env:dev`")
        .stdout_contains("001_test.sql:3:17: warning: the option `x:y`");
    check.stdout_contains("1 revision, head 001: nothing found");
}

#[test]
fn revisions_without_a_down_migration_are_counted_or_findings() {
    let project = Project::new()
        .file("001_test.sql", "-- migrate:up\nSELECT 1;\n")
        .file("002_test.sql", "-- irreversible: true\n-- migrate:up\nSELECT 1;\n-- migrate:down\n")
        .file("003_test.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\n");
    let check = |require: &str| pgmarch_without_database(&project).env("PGMARCH_REQUIRE_DOWN", require).args(["check", "--offline"]).run();
    check("false").exits(0).stdout_is(
        "3 revisions, head 003: nothing found (files)\n2 revisions without a down migration: 001, 002 (PGMARCH_REQUIRE_DOWN=true makes that a finding)\n",
    );
    let found = check("true").exits(1);
    assert_eq!(found.stdout.matches("[irreversible]").count(), 1, "{found}");
    found.stdout_contains("001_test.sql: there is no `-- migrate:down` section");
    check("maybe").exits(2).stderr_contains("PGMARCH_REQUIRE_DOWN");
    let database = Database::new();
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "002", "--yes"]).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(3).stderr_contains("002");
}
