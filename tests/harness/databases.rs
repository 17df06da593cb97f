//! Each test has its own database, and sessions hold the locks that they are asked to hold.

use std::thread;

use super::failure_of;
use crate::support::{Database, Project, Session, server};

#[test]
fn values_are_text_and_null_is_distinct() {
    let database = Database::new();
    let rows = database.query("SELECT 1, 'two', NULL UNION ALL SELECT 3, '', 't' ORDER BY 1");
    assert_eq!(rows, [["1", "two", "NULL"], ["3", "", "t"]]);
    assert_eq!(database.one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    assert!(database.major() >= 13);
}

#[test]
fn a_failing_statement_fails_the_test_with_its_sqlstate() {
    let database = Database::new();
    let failure = failure_of(|| database.execute("SELECT FROM nowhere"));
    assert!(failure.contains("42P01"), "{failure}");
}

#[test]
fn one_value_is_not_two() {
    let database = Database::new();
    let failure = failure_of(|| drop(database.one("SELECT 1, 2")));
    assert!(failure.contains("should have one value"), "{failure}");
}

#[test]
fn two_databases_know_nothing_of_each_other() {
    let (one, other) = (Database::new(), Database::new());
    one.execute("CREATE TABLE mine (id int)");
    assert_ne!(one.name(), other.name());
    assert_eq!(other.one("SELECT to_regclass('mine')"), "NULL");
}

#[test]
fn a_database_goes_with_a_test_that_passed_even_when_in_use() {
    let database = Database::new();
    let (name, session) = (database.name().to_string(), database.session());
    drop(database);
    assert_eq!(databases_named(&name), "0");
    assert_eq!(session.refusal("SELECT 1"), "57P01");
}

#[test]
fn a_database_stays_after_a_test_that_failed() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let failed = thread::spawn(move || {
        let database = Database::new();
        sender.send(database.name().to_string()).expect("tell the name");
        panic!("as a failing test does");
    });
    assert!(failed.join().is_err());
    let name = receiver.recv().expect("the name");
    assert_eq!(databases_named(&name), "1");
    Session::open(&server::shared().url("postgres")).execute(&format!("DROP DATABASE {name}"));
}

#[test]
fn a_session_holds_its_lock_until_it_commits() {
    let database = Database::new();
    database.execute("CREATE TABLE wanted (id int)");
    let holder = database.session();
    holder.execute("BEGIN; LOCK TABLE wanted");
    let waiter = database.session();
    let pid = waiter.pid();
    let waiting = waiter.start("INSERT INTO wanted VALUES (1)");
    database.eventually(&format!("SELECT pg_blocking_pids({pid})"), &format!("{{{}}}", holder.pid()));
    assert!(!waiting.is_over());
    holder.execute("COMMIT");
    let waiter = waiting.finish();
    assert_eq!(waiter.one("SELECT id FROM wanted"), "1");
}

#[test]
fn a_role_has_the_rights_it_was_given_and_must_know_its_password() {
    let database = Database::new();
    database.execute("CREATE TABLE read (id int)");
    let role = database.role("reader", &["SELECT ON ALL TABLES IN SCHEMA public"]);
    let session = Session::open(&role.url);
    assert_eq!(session.one("SELECT current_user"), role.name);
    assert_eq!(session.one("SELECT count(*) FROM read"), "0");
    assert_eq!(session.refusal("INSERT INTO read VALUES (1)"), "42501");
    let refused = Session::try_open(&role.url.replace("open-sesame", "abracadabra")).err().expect("a refusal");
    assert_eq!(refused.code().map(|code| code.code()), Some("28P01"));
}

#[test]
fn two_dumps_of_one_schema_are_the_same() {
    let (one, other) = (Database::new(), Database::new());
    for database in [&one, &other] {
        database.psql("CREATE SCHEMA pgmarch;\nCREATE TABLE pgmarch.runs (id int);\nCREATE TABLE kept (id int);");
    }
    assert_eq!(one.dump(), other.dump());
    assert!(one.dump().contains("CREATE TABLE pgmarch.runs"));
    assert!(one.dump_without_ledger().contains("CREATE TABLE public.kept"));
    assert!(!one.dump_without_ledger().contains("runs"));
}

#[test]
fn psql_stops_at_the_first_error() {
    let database = Database::new();
    let script = "CREATE TABLE a (id int);\nCREATE TABEL b (id int);\nCREATE TABLE c (id int);";
    let failure = failure_of(|| drop(database.psql(script)));
    assert!(failure.contains("syntax error"), "{failure}");
    assert_eq!(database.query("SELECT to_regclass('a'), to_regclass('c')"), [["a", "NULL"]]);
}

#[test]
fn a_project_is_a_folder_of_revisions() {
    let project = Project::new().child("a", "base", "SELECT 1;", "SELECT 2;").revision("002", "SELECT 3;", "SELECT 4;");
    let parts = "-- revision: a\n-- revises: base\n-- message: test\n\n-- migrate:up\nSELECT 1;\n\n-- migrate:down\nSELECT 2;\n";
    assert_eq!(project.read("a_test.sql"), parts);
    project.write("schema/model.sql", "CREATE TABLE a (id int);\n");
    project.remove("002_test.sql");
    assert_eq!(project.copied().names(), ["a_test.sql", "schema"]);
    assert_eq!(project.copied().read("schema/model.sql"), "CREATE TABLE a (id int);\n");
}

fn databases_named(name: &str) -> String {
    let postgres = Session::open(&server::shared().url("postgres"));
    postgres.one(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"))
}
