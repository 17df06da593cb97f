//! Files and folders that can't be applied as they are: exit 2 and 3, before anything is changed.

use super::{Setup, message, outcome};
use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

fn over(project: Project) -> Setup {
    Setup::of(pgmarch_without_database(&project)).keep(project)
}

fn with(text: &str) -> Setup {
    over(Project::new().file("001_test.sql", text))
}

#[test]
fn no_folder() {
    message("no-folder", 2, || over(Project::new()).and("PGMARCH_MIGRATIONS", "nowhere"));
}

#[test]
fn an_empty_folder() {
    message("empty-folder", 3, || over(Project::new().file("README", "")));
}

#[test]
fn files_in_a_subfolder() {
    message("revisions-in-a-subfolder", 3, || over(Project::new().file("2026/001_test.sql", "-- migrate:up\n")));
}

#[test]
fn a_folder_with_the_name_of_a_file() {
    message("folder-named-as-a-file", 3, || over(Project::new().revision("001", "SELECT 1;", "SELECT 1;").file("002_test.sql/x.sql", "")));
}

#[test]
fn the_rows_of_a_copy() {
    message("copy-from-stdin", 3, || with("-- migrate:up\nCOPY services (id, name) FROM stdin;\n1\tit's\n2\tb\n\\.\n"));
}

#[test]
fn a_transaction_with_options() {
    message("transaction-with-options", 3, || with("-- migrate:up\nBEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;\nCOMMIT;\n"));
}

#[test]
fn a_section_that_ends_with_rollback() {
    message("rolled-back", 3, || with("-- migrate:up\nBEGIN;\nSELECT 1;\nROLLBACK;\n"));
}

#[test]
fn an_option_that_may_be_about_transactions() {
    message("option-about-transactions", 3, || with("-- migrate:up transaction: false\nSELECT 1;\n"));
}

#[test]
fn statements_that_never_run_in_a_transaction() {
    message("never-in-a-transaction", 3, || {
        let text = "-- migrate:up\nCREATE INDEX CONCURRENTLY i ON services (name);\nVACUUM services;\n";
        let project =
            Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;").file("002_test.sql", text);
        let database = Database::new();
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_dry_run() {
    outcome("dry-run", 0, || {
        let database = Database::new();
        let project = Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;");
        let setup = Setup::of(pgmarch(&database, &project)).say("upgrade --dry-run");
        setup.hide(database.name().to_owned(), "app").keep((database, project))
    });
}
