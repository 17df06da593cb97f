//! Applied revisions whose files change: comments and layout don't count; a changed up migration stops the run; a down migration
//! may be changed.

use crate::support::{Database, Project, pgmarch};

const UP: &str = "CREATE TABLE a (id int);";

fn project() -> Project {
    Project::new().revision("001", UP, "DROP TABLE a;")
}

fn applied() -> (Database, Project) {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    (database, project)
}

#[test]
fn comments_and_layout_are_no_change() {
    let (database, project) = applied();
    project.write("001_test.sql", "-- message: another\r\n\r\n-- migrate:up\r\n  create table a\r\n    (id int) ; -- a remark\r\n\r\n-- migrate:down\r\n/* back */ DROP TABLE a;");
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0);
}

#[test]
fn a_change_of_neither_size_nor_time_is_a_change() {
    let (database, project) = applied();
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
    let file = project.path().join("001_test.sql");
    let before = std::fs::metadata(&file).unwrap();
    project.write("001_test.sql", &project.read("001_test.sql").replace(UP, "CREATE TABLE b (id int);"));
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), before.len());
    pgmarch(&database, &project).run().exits(3).stderr_contains("+CREATE TABLE b (id int);");
}

#[test]
fn a_changed_up_migration_stops_every_run_with_a_diff_until_it_is_accepted() {
    let (database, project) = applied();
    let project =
        project.revision("001", "CREATE TABLE a (id bigint);", "DROP TABLE a;").revision("002", "CREATE TABLE b ();", "DROP TABLE b;");
    for verb in [&["upgrade"][..], &["downgrade", "base", "--yes"], &["status", "--check"], &["upgrade", "--sql", "head"]] {
        let run = pgmarch(&database, &project).args(verb.iter().copied()).run().exits(3);
        assert!(run.stderr.contains("-CREATE TABLE a (id int);\n+CREATE TABLE a (id bigint);"), "{run}");
        assert!(run.last_line().contains("pgmarch repair 001"), "{run}");
    }
    assert_eq!(database.one("SELECT to_regclass('b') IS NULL"), "t");
    pgmarch(&database, &project).args(["status"]).run().exits(0).stdout_contains("changed     1: 001");
    pgmarch(&database, &project)
        .args(["repair", "001"])
        .run()
        .exits(0)
        .stdout_contains("-CREATE TABLE a (id int);\n+CREATE TABLE a (id bigint);")
        .stdout_contains("001: accepted; nothing was run");
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 002, 1 applied");
    pgmarch(&database, &project).args(["repair", "001"]).run().exits(0).stdout_is("001: the file is what was applied, nothing to do\n");
    let note = database.one("SELECT detail FROM pgmarch.journal WHERE direction = 'repair' AND outcome = 'noted'");
    assert_eq!(note, "accepted the text of 001_test.sql as it is now");
}

#[test]
fn a_changed_down_migration_is_recorded_and_logged_by_the_next_run() {
    let (database, project) = applied();
    let project = project.revision("001", UP, "DROP TABLE IF EXISTS a;");
    pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n").stderr_contains("the down migration of 001 was fixed");
    assert_eq!(database.one("SELECT text LIKE '%IF EXISTS%' FROM pgmarch.revision"), "t");
    pgmarch(&database, &project).run().exits(0).stderr_lacks("was fixed");
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
}

#[test]
fn a_revision_inserted_below_an_applied_one_is_never_skipped_without_an_error() {
    let database = Database::new();
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;").revision("003", "SELECT 3;", "SELECT 3;");
    pgmarch(&database, &project).run().exits(0);
    let project = project.revision("002", "CREATE TABLE late ();", "DROP TABLE late;");
    pgmarch(&database, &project).run().exits(3).stderr_contains("003 was applied on 001, now it depends on 002");
    pgmarch(&database, &project).args(["repair", "003"]).run().exits(0).stdout_contains("applied on 001, now on 002");
    pgmarch(&database, &project).run().exits(0);
}

#[test]
fn repair_of_what_pgmarch_never_ran_says_so() {
    let (database, project) = applied();
    database.execute("DELETE FROM pgmarch.revision");
    pgmarch(&database, &project).args(["repair", "001"]).run().exits(1).stderr_contains("the ledger has no text of 001");
    pgmarch(&database, &project).args(["repair", "009"]).run().exits(2).stderr_contains("no revision has the id `009`");
}
