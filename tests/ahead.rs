//! A database that is ahead of the image: the run continues, or is refused; or its revisions are unknown.

use crate::support::{Database, Project, pgmarch};

fn upto(last: u32, breaking: bool) -> Project {
    (1..=last).fold(Project::new(), |project, number| {
        let header = if breaking && number == 3 { "-- breaking: true\n" } else { "" };
        let table = format!("t{number}");
        let text = format!("{header}\n-- migrate:up\nCREATE TABLE {table} ();\n\n-- migrate:down\nDROP TABLE {table};\n");
        project.file(&format!("00{number}_step.sql"), &text)
    })
}

#[test]
fn an_older_image_leaves_a_newer_database_alone() {
    let database = Database::new();
    pgmarch(&database, &upto(4, false)).run().exits(0);
    let older = upto(2, false);
    let before = database.dump();
    pgmarch(&database, &older).run().exits(0).stdout_is("at 004, nothing to do\n").stderr_contains("ahead of these files by 003, 004");
    pgmarch(&database, &older).args(["upgrade", "001"]).run().exits(0);
    let status = pgmarch(&database, &older).args(["status", "--check", "--json"]).run().exits(0).json();
    assert_eq!(status["ahead"], serde_json::json!(["003", "004"]));
    assert_eq!(status["at_target"], true);
    let refused = pgmarch(&database, &older).env("PGMARCH_AHEAD", "refuse").run().exits(7);
    assert!(refused.last_line().contains("PGMARCH_AHEAD=allow"), "{refused}");
    pgmarch(&database, &older).env("PGMARCH_AHEAD", "maybe").run().exits(2).stderr_contains("allow or refuse");
    assert_eq!(database.dump(), before);
}

#[test]
fn a_breaking_revision_in_between_stops_an_older_image() {
    let database = Database::new();
    pgmarch(&database, &upto(4, true)).run().exits(0);
    pgmarch(&database, &upto(2, false)).run().exits(7).stderr_contains("003 is marked breaking").stderr_contains("next: run an image");
    pgmarch(&database, &upto(2, false))
        .args(["status"])
        .run()
        .exits(0)
        .stdout_contains("refused")
        .stdout_contains("003 is marked breaking");
    pgmarch(&database, &upto(3, true)).run().exits(0);
}

#[test]
fn the_ledgers_texts_show_and_undo_what_has_no_file_here() {
    let database = Database::new();
    pgmarch(&database, &upto(4, true)).run().exits(0);
    let older = upto(2, true);
    pgmarch(&database, &older)
        .args(["show", "003"])
        .run()
        .exits(0)
        .stdout_contains("none here; the text below is the ledger's")
        .stdout_contains("CREATE TABLE t3 ();");
    pgmarch(&database, &older).args(["history"]).run().exits(0).stdout_contains("004 (current, head, no file here)");
    pgmarch(&database, &older).args(["downgrade", "002", "--yes"]).run().exits(0).stdout_contains("at 002, 2 undone");
    pgmarch(&database, &older).run().exits(0).stdout_is("at 002, nothing to do\n").stderr_lacks("ahead");
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname IN ('t3', 't4')"), "0");
    // Undone, and still reported.
    pgmarch(&database, &older).args(["show", "003"]).run().exits(0).stdout_contains("downgrade done");
}

#[test]
fn an_unknown_version_row_is_refused() {
    let database = Database::new();
    pgmarch(&database, &upto(2, false)).run().exits(0);
    database.execute("UPDATE alembic_version SET version_num = 'zzz'");
    for verb in [&["upgrade"][..], &["status"], &["history"], &["downgrade", "base", "--yes"]] {
        let run = pgmarch(&database, &upto(2, false)).args(verb.iter().copied()).run().exits(3);
        assert!(run.stderr.contains("the database is at zzz, which neither the files nor the ledger know"), "{run}");
    }
    pgmarch(&database, &upto(2, false)).args(["stamp", "002"]).run().exits(3);
    pgmarch(&database, &upto(2, false)).args(["stamp", "--purge", "002"]).run().exits(0).stdout_contains("at 002, stamped (was zzz)");
    pgmarch(&database, &upto(2, false)).run().exits(0).stdout_is("at 002, nothing to do\n");
}

#[test]
fn a_tag_pushed_again_with_other_revisions_is_not_taken_for_an_older_image() {
    let database = Database::new();
    pgmarch(&database, &upto(3, false)).run().exits(0);
    // The same tag, built again: its third revision is another one.
    let again = upto(2, false).revision("003b", "CREATE TABLE other ();", "DROP TABLE other;");
    let run = pgmarch(&database, &again).run().exits(3);
    let run =
        run.stderr_contains("the database is at 003, which has no file here and does not depend on 003b: the histories diverge after 002");
    run.stderr_contains("was its tag pushed again");
    // One file in the middle is missing, so that 003 seems to depend on 001.
    let gap = upto(3, false);
    gap.remove("002_step.sql");
    pgmarch(&database, &gap).run().exits(3).stderr_contains("003 was applied on 002, now it depends on 001");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "003");
}

#[test]
fn a_branch_is_upgraded_while_another_is_ahead() {
    let side = |project: Project, last: u32| {
        (1..=last).fold(project, |project, number| {
            let parent = if number == 1 { "base".into() } else { format!("s{}", number - 1) };
            project.child(&format!("s{number}"), &parent, &format!("CREATE TABLE s{number} ();"), &format!("DROP TABLE s{number};"))
        })
    };
    let main = |last: u32| {
        (1..=last).fold(Project::new(), |project, number| {
            let parent = if number == 1 { "base".into() } else { format!("m{}", number - 1) };
            project.child(&format!("m{number}"), &parent, &format!("CREATE TABLE m{number} ();"), &format!("DROP TABLE m{number};"))
        })
    };
    let database = Database::new();
    pgmarch(&database, &side(main(3), 1)).env("PGMARCH_TARGET", "heads").run().exits(0);
    let older = side(main(2), 2);
    pgmarch(&database, &older)
        .env("PGMARCH_TARGET", "heads")
        .run()
        .exits(0)
        .stdout_contains("at m3, s2, 1 applied")
        .stderr_contains("ahead");
}
