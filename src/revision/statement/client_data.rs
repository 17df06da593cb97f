//! What only psql can do with a text: `COPY` from or to the client, and commands that begin with a backslash.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::ops::Range;

use squawk_lexer::TokenKind;

use super::token::tokens;
use crate::revision::line::{line_at, line_start};

/// A `COPY` that exchanges its rows with the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientCopy {
    /// `COPY … FROM STDIN`.
    FromStdin,
    /// `COPY … TO STDOUT`.
    ToStdout,
}

/// Whether a `COPY` statement exchanges its rows with the client.
pub(super) fn find_client_copy(sql: &str) -> Option<ClientCopy> {
    let (mut depth, mut before) = (0usize, String::new());
    for (kind, range) in tokens(sql) {
        let text = &sql[range];
        match kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth = depth.saturating_sub(1),
            TokenKind::Ident if depth == 0 => {
                let word = text.to_ascii_uppercase();
                match (before.as_str(), word.as_str()) {
                    ("FROM", "STDIN") => return Some(ClientCopy::FromStdin),
                    ("TO", "STDOUT") => return Some(ClientCopy::ToStdout),
                    _ => before = word,
                }
            }
            _ => {}
        }
    }
    None
}

/// The byte behind the rows of a `COPY … FROM STDIN` that ends at byte `end`: behind the line `\.`. Without one, as for psql, all that
/// follows is rows, up to a line comment for which `ends` is true.
pub(super) fn end_of_copied_rows(sql: &str, end: usize, ends: impl Fn(&Range<usize>) -> bool) -> usize {
    let mut start = line_at(sql, end).next;
    while start < sql.len() {
        let line = line_at(sql, start);
        if line.text == "\\." {
            return line.next;
        }
        if line.text.starts_with("--") && ends(&line.range) {
            return start;
        }
        start = line.next;
    }
    sql.len()
}

/// The byte where a line `\restrict TOKEN` or `\unrestrict TOKEN` ends, whose backslash is at `start`. pg_dump writes one at its
/// beginning and one at its end since August 2025; to a text that psql does not run they have no meaning.
pub(super) fn end_of_restrict_line(sql: &str, start: usize) -> Option<usize> {
    let begins_line = sql[line_start(sql, start)..start].bytes().all(|byte| matches!(byte, b' ' | b'\t'));
    let line = line_at(sql, start);
    let mut words = line.text.split_ascii_whitespace();
    let is_restrict = matches!(words.next(), Some("\\restrict" | "\\unrestrict"));
    let has_token = words.next().is_some_and(|token| token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (begins_line && is_restrict && has_token && words.next().is_none()).then_some(line.range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_at_their_own_line() {
        let sql = "COPY t FROM stdin; -- x\n1\ta\n\\.x\n\\.\r\nSELECT 1";
        assert_eq!(&sql[end_of_copied_rows(sql, 18, |_| false)..], "SELECT 1");
        let sql = "COPY t FROM stdin;\n1\n-- migrate:down\nSELECT 1";
        assert_eq!(&sql[end_of_copied_rows(sql, 18, |range| &sql[range.clone()] == "-- migrate:down")..], "-- migrate:down\nSELECT 1");
        assert_eq!(end_of_copied_rows(sql, 18, |_| false), sql.len());
    }

    #[test]
    fn only_a_restrict_line_is_one() {
        for (sql, end) in [("\\restrict aB3\nSELECT 1", 13), ("\\unrestrict x", 13), ("\\restrict 1 \r\n", 12)] {
            assert_eq!(end_of_restrict_line(sql, 0), Some(end), "{sql}");
        }
        for sql in ["\\restrict", "\\restrict a b", "\\restrict a;", "\\restricted a", "\\connect x"] {
            assert_eq!(end_of_restrict_line(sql, 0), None, "{sql}");
        }
        assert_eq!(end_of_restrict_line("SELECT 1; \\restrict a", 10), None);
    }
}
