//! Statements as pgmarch splits them, compared with the parser of the server that the tests run on. `make fuzz` compares them with
//! PostgreSQL 18's for longer, guided by coverage (fuzz/postgres_parser.rs has where the two differ on purpose).

use std::path::Path;
use std::{env, fs};

use pgmarch::revision::FileProblem;
use pgmarch::revision::statement::{Split, split};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Database, Session};

/// What the server's parser makes of a text.
#[derive(Debug, PartialEq)]
enum Parsed {
    /// A syntax error.
    Refused,
    /// White space and comments; or a statement that ends a transaction.
    EmptyOrEnd,
    One,
    Several,
}

/// The server's parser: a session in an aborted transaction, where a statement is parsed, and then neither analyzed nor executed.
struct ServerParser(Session);

impl ServerParser {
    fn of(database: &Database) -> ServerParser {
        let session = database.session();
        session.execute("BEGIN");
        session.refusal("SELECT 1/0");
        ServerParser(session)
    }

    fn parse(&self, sql: &str) -> Parsed {
        let Err(error) = self.0.prepare(sql) else { return Parsed::EmptyOrEnd };
        let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}\n{error:?}"));
        match error.code().code() {
            "25P02" => Parsed::One,
            _ if error.message() == "cannot insert multiple commands into a prepared statement" => Parsed::Several,
            _ => Parsed::Refused,
        }
    }

    /// A text that the server accepts has the same statements for pgmarch. Returns whether the server accepts it.
    fn agrees(&self, sql: &str) -> bool {
        if sql.contains('\0') || self.parse(sql) == Parsed::Refused {
            return false;
        }
        let Split { statements, problems } = split(sql);
        let problems: Vec<FileProblem> = problems.into_iter().map(|(_, problem)| problem).collect();
        if problems.iter().any(|problem| matches!(problem, FileProblem::CopyFromStdin | FileProblem::QuoteAtNumber)) {
            return true;
        }
        let known = |problem: &FileProblem| matches!(problem, FileProblem::CopyToStdout | FileProblem::TransactionControl(_));
        assert!(problems.iter().all(known), "{problems:?}: {sql}");
        let mut end = 0;
        for (number, statement) in statements.iter().enumerate() {
            let (between, text) = (&sql[end..statement.range.start], &sql[statement.range.clone()]);
            assert!(number == 0 || between.contains(';'), "no end before {text:?}: {sql}");
            assert_eq!(self.parse(between), Parsed::EmptyOrEnd, "{between:?}: {sql}");
            assert!(matches!(self.parse(text), Parsed::One | Parsed::EmptyOrEnd), "{text:?}: {sql}");
            end = statement.range.end;
        }
        assert_eq!(self.parse(&sql[end..]), Parsed::EmptyOrEnd, "{:?}: {sql}", &sql[end..]);
        true
    }
}

#[test]
fn the_corpus_has_the_statements_that_the_server_sees() {
    let database = Database::new();
    let server = ServerParser::of(&database);
    let mut accepted = 0;
    for folder in ["fuzz/corpus/statements", "fuzz/corpus/postgres_parser"] {
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a corpus").flatten() {
            let text = String::from_utf8(fs::read(file.path()).expect("read the corpus")).expect("UTF-8");
            accepted += usize::from(server.agrees(&text));
        }
    }
    assert!(accepted >= 20, "{accepted}");
}

/// Parts of a statement that contain what ends one elsewhere.
const EXPRESSIONS: [&str; 22] = [
    "1",
    "';'",
    "'it''s;'",
    "E'\\';'",
    "E'a'\n'b\\';'",
    "E'a' -- ;\n  '\\''",
    "'a'\n'\\'",
    "N'a;'",
    "B'01'",
    "X'1f'",
    "U&'\\0061;'",
    "U&'!0061;' UESCAPE '!'",
    "$$;$$",
    "$a$ $$;$$ ; $a$",
    "$é$;$é$",
    "(SELECT ';' /* ; */)",
    "CASE WHEN true THEN 1 END",
    "a$1$b",
    "\";\"",
    "U&\"\\0061;\"",
    "1.5e3",
    "(array[1, 2])[1]",
];

const STATEMENTS: [&str; 16] = [
    "SELECT {}",
    "SELECT {} AS \"end\", {}",
    "select a.end, begin, atomic, {} case FROM k",
    "TABLE t",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT {}; SELECT CASE WHEN true THEN {} END; END",
    "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC RETURN {}; END",
    "CREATE PROCEDURE begin(begin int) BEGIN ATOMIC ; INSERT INTO t VALUES ({}); END",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN {}",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ SELECT 1; $body$",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT {}; ; UPDATE t SET a = {})",
    "CREATE VIEW v AS SELECT begin atomic FROM k",
    "DO $$ BEGIN COMMIT; END $$",
    "SAVEPOINT a",
    "COMMIT",
    "COPY t TO STDOUT",
    "",
];

const ENDS: [&str; 8] = [";", " ; ", ";;", "\n;\n", " -- ;\n;", "/* ; /* ; */ ; */;", ";\r\n-- ;\r", ";\t\u{c}"];

/// Scripts of statements that a server of this major knows: bodies in SQL, and keywords as labels without AS, are new in 14.
fn script(major: u32) -> BoxedStrategy<String> {
    let is_new = |statement: &str| statement.contains("BEGIN ATOMIC") || statement.contains("RETURN {}") || statement.contains("{} case");
    let known = STATEMENTS.into_iter().filter(|statement| major >= 14 || !is_new(statement)).collect::<Vec<_>>();
    let statement = (select(known), select(EXPRESSIONS.to_vec()), select(ENDS.to_vec()));
    let text = |(statement, expression, end): (&str, &str, &str)| statement.replace("{}", expression) + end;
    proptest::collection::vec(statement.prop_map(text), 1..8).prop_map(|statements| statements.concat()).boxed()
}

#[test]
fn scripts_have_the_statements_that_the_server_sees() {
    let database = Database::new();
    let server = ServerParser::of(&database);
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() });
    let accepted = std::cell::Cell::new(0);
    let outcome = runner.run(&script(database.major()), |sql| {
        accepted.set(accepted.get() + u32::from(server.agrees(&sql)));
        Ok(())
    });
    outcome.expect("the same statements");
    assert!(accepted.get() > 400, "the server accepts {} of 500", accepted.get());
}
