//! Statements as pgmarch splits them, compared with the parser of PostgreSQL 18 (libpg_query). The ordinary tests compare them with
//! the server that they run on (tests/server_parser.rs).

use std::ops::Range;

use pgmarch::revision::FileProblem;
use pgmarch::revision::statement::{Split, split};

/// A text that PostgreSQL's parser accepts has the same statements for pgmarch.
///
/// Where the two differ on purpose:
/// - White space and comments around a statement belong to it for PostgreSQL.
/// - The lines after `COPY … FROM STDIN` are rows, as for psql.
/// - A dollar quote directly after a number is refused, as servers before PostgreSQL 16 read it differently.
///
/// What only psql reads (`\restrict`) PostgreSQL's parser does not accept, and a NUL never reaches it.
pub(crate) fn postgres_parser(bytes: &[u8]) {
    let Ok(sql) = std::str::from_utf8(bytes) else { return };
    let Some(theirs) = parse(sql) else { return };
    let Split { statements, problems } = split(sql);
    for (at, problem) in &problems {
        match problem {
            FileProblem::CopyFromStdin | FileProblem::QuoteAtNumber => return,
            FileProblem::CopyToStdout | FileProblem::TransactionControl(_) => {}
            other => panic!("byte {at}: {other:?}, but PostgreSQL accepts it: {sql:?}"),
        }
    }
    let ours: Vec<Range<usize>> = statements.into_iter().map(|statement| statement.range).collect();
    assert_eq!(ours.len(), theirs.len(), "{ours:?} but PostgreSQL has {theirs:?}: {sql:?}");
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        let is_empty = |range: Range<usize>| sql.get(range).and_then(parse).is_some_and(|statements| statements.is_empty());
        assert!(is_empty(theirs.start..ours.start) && is_empty(ours.end..theirs.end), "{ours:?} but PostgreSQL has {theirs:?}: {sql:?}");
    }
}

/// The byte ranges of the statements of a text; `None` if PostgreSQL does not accept it.
fn parse(sql: &str) -> Option<Vec<Range<usize>>> {
    let statements = pg_query::split_with_parser(sql).ok()?;
    let start = |statement: &str| statement.as_ptr().addr() - sql.as_ptr().addr();
    Some(statements.into_iter().map(|statement| start(statement)..start(statement) + statement.len()).collect())
}
