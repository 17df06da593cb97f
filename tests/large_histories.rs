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
