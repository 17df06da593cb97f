//! Large revisions and long histories: as any other.

use crate::support::{Database, Project, pgmarch};

/// Statements of about this many bytes together, which fill the table `large`; with quotes, and characters of several bytes.
fn statements(bytes: usize) -> String {
    let mut sql = "CREATE TABLE large (number integer, body text);\n".to_owned();
    let mut number = 0;
    while sql.len() < bytes {
        sql += &format!("INSERT INTO large VALUES ({number}, $x$it's 'ä€𝄞' {}$x$);\n", "filling ".repeat(1000));
        number += 1;
    }
    sql
}

#[test]
fn a_large_revision_is_executed_and_recorded_as_it_is() {
    let up = format!("{}SET LOCAL work_mem = '1MB';\nRESET ALL;\n{}", statements(2_000_000), "SELECT 'ü';\n".repeat(1000));
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;").revision("002", &up, "DROP TABLE large;");
    let database = Database::new();
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 002, 2 applied");
    let file = project.path().join("002_test.sql");
    let digest = format!(
        "SELECT md5(text) = md5(convert_from(pg_read_binary_file('{}'), 'UTF8')) FROM pgmarch.revision WHERE revision = '002'",
        file.display()
    );
    assert_eq!(database.one(&digest), "t");
    assert_eq!(database.one("SELECT count(*) = max(number) + 1 FROM large"), "t");
}

#[test]
fn an_error_in_a_large_revision_has_its_place() {
    let text = format!("{}SELECT 'ä', no_such_column;\n", statements(2_000_000));
    let line = text.lines().count() + 1;
    let project = Project::new().file("001_test.sql", &format!("-- migrate:up\n{text}"));
    pgmarch(&Database::new(), &project).run().exits(6).stderr_contains(&format!("001_test.sql:{line}:13"));
}

/// A database at a revision of 17 MB, and its project.
fn at_a_large_revision() -> (Database, Project) {
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;").revision("002", &statements(17_000_000), "DROP TABLE large;");
    let database = Database::new();
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 002, 2 applied");
    (database, project)
}

#[test]
fn a_large_revision_with_another_license_header_is_the_same_revision() {
    let (database, project) = at_a_large_revision();
    let text = project.read("002_test.sql");
    project.write("002_test.sql", &format!("-- Copyright, another year\n{text}"));
    pgmarch(&database, &project).run().exits(0).stdout_is("at 002, nothing to do\n");
    pgmarch(&database, &project).args(["wait"]).run().exits(0);
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0).stdout_contains("current     002");
    pgmarch(&database, &project).args(["show", "002"]).run().exits(0).stdout_contains("+-- Copyright, another year");
    pgmarch(&database, &project).args(["repair", "002"]).run().exits(0).stdout_contains("002: accepted; nothing was run");
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0).stdout_contains("at 001, 1 undone");
}

#[test]
fn a_change_in_a_large_revision_stops_an_upgrade_with_its_diff() {
    let (database, project) = at_a_large_revision();
    let text = project.read("002_test.sql");
    project.write("002_test.sql", &text.replace("VALUES (1000,", "VALUES (-1000,"));
    let run = pgmarch(&database, &project).run().exits(3).stderr_contains("-INSERT INTO large VALUES (1000,");
    assert!(run.stderr.contains("+INSERT INTO large VALUES (-1000,"), "{}", run.last_line());
}

#[test]
fn an_older_image_runs_on_a_large_revision_and_undoes_it_from_the_ledger() {
    let (database, project) = at_a_large_revision();
    let text = project.read("002_test.sql");
    project.remove("002_test.sql");
    pgmarch(&database, &project).run().exits(0).stderr_contains("ahead");
    pgmarch(&database, &project).args(["wait"]).run().exits(0);
    pgmarch(&database, &project).args(["status"]).run().exits(0).stdout_contains("ahead       1: 002 (no file here)");
    pgmarch(&database, &project).args(["history"]).run().exits(0).stdout_contains("no file here");
    let shown = pgmarch(&database, &project).args(["show", "002"]).run().exits(0).stdout;
    assert!(shown.contains(text.trim_end()), "the text is in the ledger");
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0).stderr_contains("loses data: DROP TABLE large");
    assert_eq!(database.one("SELECT to_regclass('large') IS NULL"), "t");
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0);
}

#[test]
fn another_license_header_in_all_files_is_no_change() {
    let (database, project) = (Database::new(), Project::new());
    let body = "COMMENT ON SCHEMA public IS 'a line of a file that has many of them';\n".repeat(140);
    let write = |year: u32| {
        for number in 0..1700 {
            let text = format!("-- Copyright {year}\n\n-- migrate:up\nSELECT {number};\n/* {body} */\n-- migrate:down\nSELECT {number};\n");
            project.write(&format!("{number:04}_test.sql"), &text);
        }
    };
    write(2025);
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 1699, 1700 applied");
    write(2026);
    pgmarch(&database, &project).run().exits(0).stdout_is("at 1699, nothing to do\n");
    pgmarch(&database, &project).args(["status", "--check"]).run().exits(0);
    pgmarch(&database, &project).args(["wait"]).run().exits(0);
}

#[test]
fn an_older_image_runs_on_a_history_of_sixty_thousand_later_revisions() {
    let (database, project) = (Database::new(), Project::new().revision("000001", "SELECT 1;", "SELECT 1;"));
    pgmarch(&database, &project).run().exits(0);
    database.execute(
        "INSERT INTO pgmarch.revision SELECT version_table, to_char(n, 'FM000000'), 'a.sql', ARRAY[to_char(n - 1, 'FM000000')], '{}', NULL, \
             message, NULL, false, text, exact, semantic FROM pgmarch.revision, generate_series(2, 60000) AS n;
         INSERT INTO pgmarch.journal (version_table, revision, direction, outcome, started, finished, client_host, pgmarch) \
             SELECT version_table, to_char(n, 'FM000000'), direction, outcome, started, finished, client_host, pgmarch \
               FROM pgmarch.journal, generate_series(2, 60000) AS n WHERE outcome = 'done';
         UPDATE alembic_version SET version_num = '060000'",
    );
    pgmarch(&database, &project).args(["status"]).run().exits(0).stdout_contains("ahead       59999: ");
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["wait"]).run().exits(0);
    pgmarch(&database, &project).args(["history", "060000:060000"]).run().exits(0).stdout_contains("060000 (current, head, no file here)");
}

#[test]
fn many_heads_go_up_and_down_and_none_of_them_is_moved_unnoticed() {
    let database = Database::new();
    let project = (100..140).fold(Project::new(), |project, id| project.child(&id.to_string(), "base", "SELECT 1;", "SELECT 1;"));
    pgmarch(&database, &project).args(["upgrade", "heads"]).run().exits(0);
    let ids: Vec<String> = (100..140).map(|id| id.to_string()).collect();
    assert_eq!(database.one("SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version"), ids.join(" "));
    let meddling = "UPDATE alembic_version SET version_num = '999' WHERE version_num = '100';";
    let project = project.child("200", "139", meddling, "SELECT 1;");
    pgmarch(&database, &project)
        .args(["upgrade", "heads"])
        .run()
        .exits(6)
        .stderr_contains("expected version 40 rows (SHA-256 ")
        .stderr_contains("found 101, 102,");
    project.remove("200_test.sql");
    pgmarch(&database, &project).args(["downgrade", "120@base", "--yes"]).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0).stdout_contains("at base, 39 undone");
}
