//! Statements that delete data.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use squawk_lexer::{TokenKind, tokenize};

use crate::revision::statement::split;

/// Words after `DROP` in `ALTER TABLE` that drop something other than a column.
const NO_DATA: [&str; 5] = ["CONSTRAINT", "DEFAULT", "NOT", "IDENTITY", "EXPRESSION"];

/// The statements of `sql` that delete data, each in one line.
pub(crate) fn statements_losing_data(sql: &str) -> Vec<String> {
    let statements = split(sql).statements;
    let texts = statements.iter().map(|statement| &sql[statement.range.clone()]);
    texts.filter(|text| loses_data(text)).map(one_line).collect()
}

fn loses_data(statement: &str) -> bool {
    let words = upper_words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["DROP", "TABLE" | "SCHEMA" | "DATABASE" | "SEQUENCE" | "FOREIGN" | "OWNED", ..] | ["TRUNCATE", ..] | ["DELETE", ..] => true,
        ["DROP", .., "CASCADE"] => true,
        ["ALTER", "TABLE", rest @ ..] => rest.windows(2).any(|pair| pair[0] == "DROP" && !NO_DATA.contains(&pair[1])),
        // A common table expression can delete rows.
        ["WITH", rest @ ..] => rest.windows(2).any(|pair| pair == ["DELETE", "FROM"]),
        _ => false,
    }
}

/// The words of a statement, unquoted ones in capitals; without strings and comments.
fn upper_words(statement: &str) -> Vec<String> {
    let mut offset = 0;
    let mut words = Vec::new();
    for token in tokenize(statement) {
        let text = &statement[offset..offset + token.len as usize];
        offset += token.len as usize;
        match token.kind {
            TokenKind::Ident => words.push(text.to_ascii_uppercase()),
            TokenKind::QuotedIdent { .. } => words.push(text.to_owned()),
            _ => {}
        }
    }
    words
}

/// The text in one line, cut after 99 characters.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= 100 { text } else { text.chars().take(99).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_data_is_found() {
        for sql in [
            "DROP TABLE t",
            "drop /* x */ schema s cascade",
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE IF EXISTS t ADD b int, DROP \"A\"",
            "TRUNCATE t",
            "DELETE FROM t WHERE true",
            "DROP TYPE e CASCADE",
            "WITH gone AS (DELETE FROM t RETURNING *) SELECT 1",
        ] {
            assert_eq!(statements_losing_data(sql).len(), 1, "{sql}");
        }
        for sql in [
            "DROP INDEX i",
            "ALTER TABLE t DROP CONSTRAINT c",
            "ALTER TABLE t ALTER a DROP NOT NULL",
            "SELECT 'DROP TABLE t'",
            "DROP VIEW v",
        ] {
            assert_eq!(statements_losing_data(sql).len(), 0, "{sql}");
        }
    }
}
