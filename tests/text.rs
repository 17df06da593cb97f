//! The text of a revision: sent byte for byte, and split where the server splits it.

use pgmarch::revision::FileProblem;
use pgmarch::revision::statement::split;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Database, Project, Session, pgmarch, pgmarch_without_database};

/// A text with line ends of all kinds, within literals and without.
const MIXED: &str = "CREATE TABLE lines (place text, body text);\r\nINSERT INTO lines VALUES\r('string', 'a\r\nb\rc\nd'), -- one\r\
                     ('dollar', $x$\r\n\r$x$),\r\n(E'escaped', E'\\r\r\\\r\n');\r-- a remark\rINSERT INTO lines VALUES ('behind a remark', '\r');\n";

/// The rows that `MIXED` makes, in hexadecimal, by psql, which changes nothing of them.
const ROWS: [[&str; 2]; 4] = [["string", "610d0a620d630a64"], ["dollar", "0d0a0d"], ["escaped", "0d0d0d0a"], ["behind a remark", "0d"]];

#[track_caller]
fn has_rows(database: &Database) {
    assert_eq!(database.query("SELECT place, encode(convert_to(body, 'UTF8'), 'hex') FROM lines ORDER BY ctid"), ROWS);
}

#[test]
fn a_revision_is_executed_byte_for_byte() {
    for option in ["", " transaction:false"] {
        for byte_order_mark in ["", "\u{feff}"] {
            let text = format!(
                "{byte_order_mark}-- message: mixed\r-- migrate:up{option}\r\n{MIXED}--migrate:down\rDROP TABLE lines;\rSELECT '\r';"
            );
            let project = Project::new().file("001_test.sql", &text);
            let database = Database::new();
            pgmarch(&database, &project).run().exits(0);
            has_rows(&database);
            pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
            let recorded = database.one("SELECT encode(convert_to(text, 'UTF8'), 'hex') FROM pgmarch.revision");
            let hex: String = text.trim_start_matches('\u{feff}').bytes().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(recorded, hex, "the ledger has the bytes that ran");
            let other = Database::new();
            other.psql(&pgmarch(&other, &project).args(["upgrade", "--sql", "head"]).run().exits(0).stdout);
            has_rows(&other);
            // A checkout with other line ends is the same file.
            project.write("001_test.sql", &text.replace("\r\n", "\n").replace('\r', "\n"));
            pgmarch(&database, &project).run().exits(0).stdout_is("at 001, nothing to do\n");
            pgmarch(&database, &project).args(["repair", "001"]).run().exits(0).stdout_contains("nothing to do");
            pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
        }
    }
}

#[test]
fn a_down_migration_from_the_ledger_is_executed_byte_for_byte() {
    let database = Database::new();
    let newer = Project::new()
        .revision("001", "CREATE TABLE undone (body text);", "DROP TABLE undone;")
        .file("002_test.sql", "-- migrate:up\r\nSELECT 1;\r\n-- migrate:down\r\nINSERT INTO undone VALUES ('a\r\nb\r');\r\n");
    pgmarch(&database, &newer).run().exits(0);
    newer.remove("002_test.sql");
    pgmarch(&database, &newer).args(["downgrade", "001", "--yes"]).run().exits(0);
    assert_eq!(database.one("SELECT encode(convert_to(body, 'UTF8'), 'hex') FROM undone"), "610d0a620d");
}

#[test]
fn a_failure_behind_any_line_ends_is_shown_at_its_line() {
    let database = Database::new();
    for (end, option) in [("\n", ""), ("\r\n", ""), ("\r", ""), ("\r\n", " transaction:false"), ("\r", " transaction:false")] {
        let text = [&format!("-- migrate:up{option}"), "SELECT 'ü", "', 1; -- x", "SELECT 1,", "  nothing;", ""].join(end);
        let project = Project::new().file("001_test.sql", &text);
        let run = pgmarch(&database, &project).run().exits(6);
        assert!(run.stderr.contains("001_test.sql:5:3\n") && run.stderr.contains("5 |   nothing;\n"), "{end:?}{option}: {run}");
        let project = Project::new().file("001_test.sql", &text.replace("nothing", "1; COMMIT"));
        pgmarch_without_database(&project).run().exits(3).stderr_contains("001_test.sql:5:6: ");
    }
}

/// To the server a lone carriage return ends a `--` comment.
#[test]
fn what_follows_a_carriage_return_in_a_comment_is_seen() {
    let project = Project::new().file("001_test.sql", "-- migrate:up\nSELECT 1; -- a remark\rCOMMIT;\n");
    pgmarch_without_database(&project).run().exits(3).stderr_contains("001_test.sql:3:1: `COMMIT`");
}

/// Function bodies after which pgmarch must find what ends the transaction, and which must work.
const ROUTINES: [&str; 12] = [
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT k.end FROM k; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS end; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 end; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 case; SELECT CASE WHEN true THEN 1 END end; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT begin atomic FROM k; SELECT (SELECT k.case FROM k); END",
    "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION s.end(begin int) RETURNS int RETURN begin",
    "CREATE OR REPLACE FUNCTION f(begin begin) RETURNS begin LANGUAGE sql BEGIN ATOMIC SELECT begin; END",
    "CREATE FUNCTION f() RETURNS TABLE (begin int, atomic int) SET begin.atomic = 'x' BEGIN ATOMIC SELECT 1, 2; END",
    "CREATE PROCEDURE begin() BEGIN /* ; */ ATOMIC ; INSERT INTO k VALUES (1, 2, 3, 4); ; END",
    "CREATE FUNCTION \"end\"() RETURNS int RETURN CASE WHEN true THEN 1 END",
    "CREATE VIEW v AS SELECT begin atomic FROM k",
];

const TABLES: &str = "CREATE TABLE k (\"end\" int, \"case\" int, begin int, atomic int); CREATE SCHEMA s; CREATE DOMAIN begin AS int;";

#[test]
fn nothing_that_ends_the_transaction_hides_behind_a_function_body() {
    let database = Database::new();
    if database.major() < 14 {
        return;
    }
    for (number, routine) in ROUTINES.into_iter().enumerate() {
        for control in ["COMMIT", "ROLLBACK", "END", "BEGIN", "ABORT", "START TRANSACTION"] {
            let project = Project::new().file("001_test.sql", &format!("-- migrate:up\n{TABLES}\n{routine};\n{control};\nSELECT 1 / 0;\n"));
            pgmarch_without_database(&project).run().exits(3).stderr_contains(&format!("001_test.sql:4:1: `{control}`"));
        }
        let database = Database::new();
        let option = if number % 2 == 0 { "" } else { " transaction:false" };
        let project =
            Project::new().file("001_test.sql", &format!("-- migrate:up{option}\n{TABLES}\n{routine};\nCREATE TABLE behind ();\n"));
        pgmarch(&database, &project).run().exits(0);
        assert_eq!(database.one("SELECT to_regclass('behind') IS NULL"), "f", "{routine}");
    }
}

#[test]
fn a_body_without_an_end_is_an_error_where_it_begins() {
    for body in ["SELECT 1;", "SELECT 1 END;", "SELECT 1; SELECT (2; END;"] {
        let text = format!("-- migrate:up\nSELECT 1;\nCREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC {body}\nCOMMIT;\nDROP TABLE t;\n");
        let place = if body.contains('(') {
            ":4:31: this parenthesis is never closed"
        } else {
            ":4:1: the function body that `BEGIN ATOMIC` opens"
        };
        pgmarch_without_database(&Project::new().file("001_test.sql", &text)).run().exits(3).stderr_contains(place);
    }
}

/// Statements in which a name may occur, at `@`.
const PLACES: [&str; 34] = [
    "CREATE FUNCTION @() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION s.@() RETURNS int BEGIN ATOMIC SELECT 1; END",
    "CREATE PROCEDURE @() BEGIN ATOMIC SELECT 1; END",
    "CREATE FUNCTION f(@ int) RETURNS int BEGIN ATOMIC SELECT @; END",
    "CREATE FUNCTION f(@ int) RETURNS int RETURN @",
    "CREATE FUNCTION f(@ int DEFAULT 1) RETURNS TABLE (a int) BEGIN ATOMIC SELECT f.@; END",
    "CREATE FUNCTION f(a s.@) RETURNS int RETURN 1",
    "CREATE FUNCTION f(a @) RETURNS int RETURN 1",
    "CREATE FUNCTION f() RETURNS @ BEGIN ATOMIC SELECT NULL::s.@; END",
    "CREATE FUNCTION f() RETURNS s.@ BEGIN ATOMIC SELECT NULL::s.@; END",
    "CREATE FUNCTION f() RETURNS TABLE (@ int) BEGIN ATOMIC SELECT 1; END",
    "CREATE FUNCTION f() RETURNS int SET a.@ = 'x' BEGIN ATOMIC SELECT 1; END",
    "CREATE FUNCTION f() RETURNS int SET a.b = @ BEGIN ATOMIC SELECT 1; END",
    "CREATE FUNCTION f() RETURNS int SET a.b TO begin, @ BEGIN ATOMIC SELECT 1; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS @; SELECT 2; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 @; SELECT 2; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT k.@ FROM (SELECT 1 AS @) k; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT @ FROM (SELECT 1 AS @) k; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT @ atomic FROM (SELECT 1 AS @) k; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT begin @ FROM (SELECT 1 AS begin) k; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT a FROM (SELECT 1 AS a) @; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT @.a FROM (SELECT 1 AS a) AS @; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC WITH @ AS (SELECT 1) SELECT 2 FROM @; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE @ WHEN 1 THEN 2 ELSE @ END @ FROM (SELECT 1 AS @) k; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT (SELECT 1 @); SELECT (CASE WHEN true THEN 1 END); END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT count(*) OVER @ FROM t WINDOW @ AS (); SELECT 1; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT s.@(); END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC @; SELECT 1; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; @",
    "CREATE FUNCTION f() RETURNS int RETURN CASE WHEN true THEN 1 END",
    "CREATE VIEW v AS SELECT begin @ FROM (SELECT 1 AS begin) k",
    "CREATE TABLE @ (@ int)",
    "SELECT 1 AS begin, 2 @",
    "CREATE RULE @ AS ON INSERT TO t DO ALSO (SELECT 1 AS @; SELECT 2 @)",
];

/// How many statements the server completed, if it could parse all of them and none failed.
fn completed(session: &Session, sql: &str) -> Option<usize> {
    let completed = session.completed(&format!("BEGIN; {sql}; SELECT 'behind'"));
    session.execute("ROLLBACK");
    completed.ok().map(|completed| completed - 2)
}

/// Compares how a text is split with what the server made of it; whether the server took it at all.
#[track_caller]
fn agrees(session: &Session, sql: &str) -> bool {
    let Some(completed) = completed(session, sql) else { return false };
    let found = split(&format!("{sql}; SELECT 'behind'"));
    assert_eq!((found.statements.len() - 1, found.problems.as_slice()), (completed, &[][..]), "{sql}");
    let found = split(&format!("{sql}; COMMIT; SELECT 'behind'")).problems;
    assert!(matches!(found.as_slice(), [(_, FileProblem::TransactionControl(word))] if word == "COMMIT"), "{sql}: {found:?}");
    true
}

fn with_names() -> Database {
    let database = Database::new();
    database.execute("CREATE SCHEMA s; CREATE TABLE t (a int)");
    database
}

#[test]
fn every_keyword_may_be_a_name_in_every_place_as_far_as_the_server_lets_it() {
    let database = with_names();
    let session = database.session();
    let words: Vec<String> =
        session.query("SELECT word FROM pg_get_keywords()").into_iter().flatten().chain(["x".into(), "atomic".into()]).collect();
    let mut taken = 0;
    for word in &words {
        session.execute(&format!("CREATE DOMAIN s.\"{word}\" AS int"));
        taken += PLACES.iter().filter(|place| agrees(&session, &place.replace('@', word))).count();
        session.execute(&format!("DROP DOMAIN s.\"{word}\""));
    }
    let least = if database.major() < 14 { 1 } else { 15 };
    assert!(taken > least * words.len(), "the server took {taken} texts only");
}

#[test]
fn random_bodies_are_split_as_the_server_splits_them() {
    let database = with_names();
    if database.major() < 14 {
        return;
    }
    let session = database.session();
    let name = || prop::sample::select(vec!["begin", "atomic", "end", "case", "x", "\"end\"", "function", "commit", "create", "return"]);
    let expression = (name(), name()).prop_flat_map(|(one, other)| {
        prop::sample::select(vec![
            "1".to_owned(),
            format!("(SELECT 1 {one})"),
            format!("CASE WHEN true THEN 1 ELSE (SELECT k.{one} FROM (SELECT 1 AS {one}) k) END"),
            format!("(SELECT {other} FROM (SELECT 1 AS {other}) {one})"),
            "1 /* ; END; */ + 1".to_owned(),
            "length($x$; END; COMMIT;$x$)".to_owned(),
        ])
    });
    let statement = (expression.clone(), name(), name()).prop_flat_map(|(expression, one, other)| {
        prop::sample::select(vec![
            format!("SELECT {expression} {one}"),
            format!("SELECT {expression} AS {one}"),
            format!("INSERT INTO t SELECT {expression}"),
            format!("UPDATE t AS {other} SET a = {expression} WHERE {other}.a = 1"),
            format!("WITH {other} AS (SELECT {expression} {one}) SELECT 1 FROM {other}"),
            format!("SELECT {one} {other} FROM (SELECT 1 AS {one}) k"),
            String::new(),
        ])
    });
    let body = prop::collection::vec(statement.clone(), 1..5).prop_map(|body| format!("BEGIN ATOMIC {}; SELECT 1; END", body.join(" ; ")));
    let clause = (name(), expression).prop_flat_map(|(name, expression)| {
        prop::sample::select(vec![
            String::new(),
            format!("SET a.{name} = 'x' "),
            format!("LANGUAGE sql SET a.b TO x, {name} "),
            format!("/* {expression} */ STABLE "),
        ])
    });
    let routine = (name(), name(), clause, body).prop_map(|(name, argument, clause, body)| {
        format!("CREATE OR REPLACE FUNCTION s.{name}({argument} int DEFAULT 1) RETURNS int {clause}{body}")
    });
    let script = prop::collection::vec(prop_oneof![routine, statement], 1..4).prop_map(|statements| statements.join(";\n"));
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let taken = std::cell::Cell::new(0);
    runner
        .run(&script, |script| {
            taken.set(taken.get() + usize::from(agrees(&session, &script)));
            Ok(())
        })
        .unwrap();
    assert!(taken.get() > 50, "the server took {} texts only", taken.get());
}
