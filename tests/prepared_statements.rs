//! Statements that a session repeats for each revision are prepared once, and the session begins with pgmarch's settings: nothing
//! that a revision does to its session may affect those after it.

use crate::support::{Database, Project, pgmarch};

/// So many revisions that their bookkeeping is worth preparing; the third does this.
fn third(sql: &str) -> Project {
    (1..=6).fold(Project::new(), |project, number| {
        let own = if number == 3 { sql } else { "" };
        project.revision(&format!("00{number}"), &format!("{own}\nCREATE TABLE t{number} (id int);"), &format!("DROP TABLE t{number};"))
    })
}

#[track_caller]
fn applied_once(database: &Database) {
    assert_eq!(database.one("SELECT string_agg(revision, ',' ORDER BY id) FROM pgmarch.journal"), "001,002,003,004,005,006");
    assert_eq!(database.one("SELECT count(*) FROM pgmarch.revision"), "6");
    assert_eq!(database.one("SELECT string_agg(version_num, ',') FROM alembic_version"), "006");
}

#[test]
fn the_bookkeeping_of_many_revisions_is_prepared_once() {
    let database = Database::new();
    let project = third("CREATE TABLE prepared AS SELECT name FROM pg_prepared_statements;");
    pgmarch(&database, &project).run().exits(0);
    applied_once(&database);
    assert_eq!(
        database.one("SELECT string_agg(name, ', ' ORDER BY name) FROM prepared"),
        "pgmarch: done, pgmarch: fence, pgmarch: keep, pgmarch: note, pgmarch: trust, pgmarch: verify"
    );
}

#[test]
fn a_revision_may_drop_everything_that_its_session_has_prepared() {
    let database = Database::new();
    pgmarch(&database, &third("DEALLOCATE ALL;")).run().exits(0);
    applied_once(&database);
    // That one is not visible in the text.
    let database = Database::new();
    pgmarch(&database, &third("DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$;")).run().exits(0);
    applied_once(&database);
}

#[test]
fn a_revision_may_change_what_the_prepared_statements_are_about() {
    let database = Database::new();
    pgmarch(
        &database,
        &third("ALTER TABLE pgmarch.journal ADD COLUMN note text; ALTER TABLE alembic_version ALTER COLUMN version_num TYPE varchar(64);"),
    )
    .run()
    .exits(0);
    applied_once(&database);
}

#[test]
fn an_error_of_a_prepared_statement_is_explained_as_that_of_a_full_one() {
    let database = Database::new();
    let outcome =
        pgmarch(&database, &third("ALTER TABLE pgmarch.journal ADD COLUMN note text NOT NULL DEFAULT '', ADD CHECK (revision < '004');"))
            .run();
    outcome.exits(8).stderr_contains("the bookkeeping of revision 004 was refused");
    assert_eq!(database.one("SELECT string_agg(version_num, ',') FROM alembic_version"), "003");
}

#[test]
fn settings_that_a_revision_resets_come_back_to_ours() {
    let database = Database::new();
    let project = third(
        "RESET ALL; SET lock_timeout = '1ms'; RESET lock_timeout; CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value;",
    );
    pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "4321ms").run().exits(0);
    assert_eq!(database.one("SELECT value FROM seen"), "4321ms");
    let database = Database::new();
    let seen = "CREATE TABLE seen AS SELECT current_setting('statement_timeout') || ' ' || current_setting('application_name') AS value;";
    let project = third("SET statement_timeout = '1ms'; SET application_name = 'mine';").revision("007", seen, "DROP TABLE seen;");
    pgmarch(&database, &project).env("PGMARCH_STATEMENT_TIMEOUT", "54321ms").run().exits(0);
    let seen = database.one("SELECT value FROM seen");
    assert!(seen.starts_with("54321ms pgmarch/"), "{seen}");
}
