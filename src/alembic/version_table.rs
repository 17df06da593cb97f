//! The statements by which Alembic creates and updates its version table.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use squawk_lexer::TokenKind;

use crate::revision::Id;
use crate::revision::statement::token::tokens;

/// Whether a statement creates or writes to the version table. The import drops these: pgmarch keeps the version table itself.
pub(super) fn is_on_version_table(statement: &str, version_table: &str) -> bool {
    find_target_table(statement).is_some_and(|table| table.last().is_some_and(|name| name == version_table))
}

/// The table that an INSERT, UPDATE, DELETE, CREATE TABLE or DROP TABLE is about: its name, after its schema if that is written.
fn find_target_table(statement: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for (kind, range) in tokens(statement) {
        let piece = &statement[range];
        match kind {
            TokenKind::Ident => words.push(piece.to_ascii_lowercase()),
            TokenKind::QuotedIdent { .. } => words.push(piece.trim_matches('"').to_owned()),
            TokenKind::Dot => words.push(".".to_owned()),
            TokenKind::Whitespace => {}
            _ => break,
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let named = match words.as_slice() {
        ["insert", "into", rest @ ..] | ["delete", "from", rest @ ..] | ["create", "table", rest @ ..] | ["drop", "table", rest @ ..] => {
            rest
        }
        ["update", rest @ ..] => rest,
        _ => return None,
    };
    match named {
        [schema, ".", table, ..] => Some(vec![(*schema).to_owned(), (*table).to_owned()]),
        [table, ..] => Some(vec![(*table).to_owned()]),
        [] => None,
    }
}

/// Whether a statement contains an id as a string.
pub(super) fn contains_id(statement: &str, id: &Id) -> bool {
    tokens(statement).any(|(_, range)| statement[range].strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) == Some(id.as_str()))
}

/// The table in which a statement records a revision, if it looks like a version table: the id, and a column `version_num`.
pub(super) fn find_other_version_table(statement: &str, id: &Id) -> Option<String> {
    let has_column = || tokens(statement).any(|(kind, range)| kind == TokenKind::Ident && statement[range] == *"version_num");
    find_target_table(statement).filter(|_| contains_id(statement, id) && has_column()).map(|table| table.join("."))
}
