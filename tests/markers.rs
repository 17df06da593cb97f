//! Marker lines in every spelling: each begins its section, or is an error before anything runs; none is taken for a comment.

use crate::support::Release::{Current, Earlier};
use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

const UP: &str = "-- migrate:up\nCREATE TABLE kept AS SELECT 1 AS id;\n";

/// A down migration after a line that should be its marker.
fn with(line: &str) -> Project {
    Project::new().file("001_test.sql", &format!("{UP}{line}\nDROP TABLE kept;\n"))
}

#[test]
fn a_marker_with_any_blanks_begins_the_down_migration() {
    for line in [
        "-- migrate:down",
        "--migrate:down",
        "--  migrate:down",
        "--\tmigrate:down",
        "--migrate:down transaction:false",
        "--migrate:down\r",
    ] {
        let (database, project) = (Database::new(), with(line));
        pgmarch(&database, &project).run().exits(0).stdout_contains("at 001, 1 applied");
        assert_eq!(database.one("SELECT id FROM kept"), "1", "{line:?}");
        pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
        assert_eq!(database.one("SELECT to_regclass('kept') IS NULL"), "t", "{line:?}");
    }
}

#[test]
fn what_looks_like_a_marker_and_is_none_stops_every_command_before_it_connects() {
    let lines = [
        (" -- migrate:down", "3:2", "write `-- migrate:down` at the start of a line of its own"),
        ("\t--migrate:down", "3:2", "write `-- migrate:down`"),
        ("-- Migrate:Down", "3:1", "write `-- migrate:down`"),
        ("--MIGRATE:DOWN", "3:1", "write `-- migrate:down`"),
        ("-- migrate: down", "3:1", "write `-- migrate:down`"),
        ("-- migrate :down", "3:1", "write `-- migrate:down`"),
        ("-- migrate\t:\tdown", "3:1", "write `-- migrate:down`"),
        ("--\u{a0}migrate:down", "3:1", "write `-- migrate:down`"),
        ("--- migrate:down", "3:1", "write `-- migrate:down`"),
        ("-- -- migrate:down", "3:1", "write `-- migrate:down`"),
        ("SELECT 1; -- migrate:down", "3:11", "write `-- migrate:down` at the start of a line of its own"),
        ("SELECT 1 /* */ --migrate:down", "3:16", "write `-- migrate:down`"),
        ("-- migrate:downs", "3:1", "did you mean `-- migrate:down`?"),
        ("-- migrate:down transaction: false", "3:1", "did you mean `transaction:false`?"),
        ("-- migrate:when", "3:1", "not supported by this version"),
        ("-- +goose Down", "3:1", "is a marker of another tool, which pgmarch does not read; write `-- migrate:down`"),
        ("--+goose down", "3:1", "write `-- migrate:down`"),
        ("-- +migrate Down", "3:1", "write `-- migrate:down`"),
        ("-- +goose StatementBegin", "3:1", "remove the line"),
        ("-- a remark\r-- Migrate:down", "4:1", "write `-- migrate:down`"),
    ];
    for (line, place, advice) in lines {
        let project = with(line);
        let fault = format!("001_test.sql:{place}: ");
        pgmarch_without_database(&project).run().exits(3).stderr_contains(&fault).stderr_contains(advice);
        pgmarch_without_database(&project).args(["check", "--offline"]).run().exits(3).stdout_contains(&fault).stdout_contains(advice);
    }
    let project = Project::new().file("001_test.sql", "-- +goose Up\nSELECT 1;\n\n-- +goose Down\nSELECT 2;\n");
    pgmarch_without_database(&project).run().exits(3).stderr_contains("001_test.sql:1:1: ").stderr_contains("write `-- migrate:up`");
}

#[test]
fn what_is_quoted_is_no_marker_and_prose_is_a_comment() {
    let body = "-- Migrate existing users\n  -- migrate users: first\n-- see migrate:down\n\
                CREATE FUNCTION template() RETURNS text LANGUAGE sql AS $x$ SELECT '\n-- migrate:down\n-- +goose Down\n'\n-- Migrate: down\n$x$;\n\
                /*\n-- migrate:down\n*/\n";
    let project = Project::new().file("001_test.sql", &format!("{UP}{body}-- migrate:down\nDROP FUNCTION template(); DROP TABLE kept;\n"));
    let database = Database::new();
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT template() = E'\\n-- migrate:down\\n-- +goose Down\\n'"), "t");
    assert_eq!(database.one("SELECT count(*) FROM kept"), "1");
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
}

/// pgmarch 0.1 took `--migrate:down` for a comment, so the down section ran at the end of the up section.
#[test]
fn a_file_that_0_1_read_otherwise_has_a_message_of_its_own() {
    let (database, project) = (Database::new(), with("--migrate:down"));
    pgmarch(&database, &project).release(Earlier).run().exits(0).stdout_contains("1 applied");
    assert_eq!(database.one("SELECT to_regclass('kept') IS NULL"), "t");
    for command in [&["upgrade"][..], &["status", "--check"], &["downgrade", "base", "--yes"]] {
        let run = pgmarch(&database, &project).args(command.iter().copied()).run().exits(3);
        let run = run.stderr_contains("the file is unchanged, but the pgmarch that applied 001 found other statements in its up section");
        assert!(run.last_line().contains("pgmarch repair 001"), "{run}");
    }
    pgmarch(&database, &project).args(["repair", "001"]).run().exits(0);
    pgmarch(&database, &project).run().exits(0).stdout_contains("nothing to do");
}

#[test]
fn a_file_that_0_1_read_in_the_same_way_is_as_it_was() {
    let folders = [
        with("-- migrate:down"),
        with("-- Migrate existing rows\n-- migrate:down transaction:false"),
        Project::new().file(
            "001_test.sql",
            "-- migrate:up\r\nCREATE TABLE kept (\r\n  id int); -- a\rSELECT 1;\r\n-- migrate:down\r\nDROP TABLE kept;\r\n",
        ),
    ];
    for project in folders {
        let database = Database::new();
        pgmarch(&database, &project).release(Earlier).run().exits(0).stdout_contains("1 applied");
        for release in [Current, Earlier, Current] {
            pgmarch(&database, &project).release(release).run().exits(0).stdout_is("at 001, nothing to do\n");
            pgmarch(&database, &project).release(release).args(["status", "--check"]).run().exits(0);
        }
        pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
        assert_eq!(database.one("SELECT to_regclass('kept') IS NULL"), "t");
    }
}

/// What is an error now may be written in either of two ways, and only one of them is what ran.
#[test]
fn a_marker_of_0_1_s_folder_is_corrected_by_what_ran() {
    let applied = |line: &str| {
        let (database, project) = (Database::new(), with(line));
        pgmarch(&database, &project).release(Earlier).run().exits(0);
        pgmarch(&database, &project).run().exits(3).stderr_contains("001_test.sql:3:1: ");
        (database, project)
    };
    // It was a comment, so the text below it ran.
    let (database, project) = applied("-- Migrate:Down");
    project.write("001_test.sql", &project.read("001_test.sql").replace("-- Migrate:Down", "-- gone again"));
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
    project.write("001_test.sql", &project.read("001_test.sql").replace("-- gone again", "-- migrate:down"));
    pgmarch(&database, &project).run().exits(3).stderr_contains("+-- migrate:down");
    // It was a marker.
    let (database, project) = applied("-- migrate: down");
    assert_eq!(database.one("SELECT count(*) FROM kept"), "1");
    let empty = Project::new().revision("000", "SELECT 1;", "SELECT 1;");
    pgmarch(&database, &empty).args(["status"]).run().exits(0).stdout_contains("001");
    project.write("001_test.sql", &project.read("001_test.sql").replace("-- migrate: down", "-- migrate:down"));
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
    assert_eq!(database.one("SELECT to_regclass('kept') IS NULL"), "t");
}
