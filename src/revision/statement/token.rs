//! The tokens of SQL text, delimited as in PostgreSQL's lexer (`scan.l`).

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::ops::Range;

use squawk_lexer::{BOM, LiteralKind, Token, TokenKind, tokenize};

/// The tokens of `sql`, white space and comments included, each with its byte range.
pub(crate) fn tokens(sql: &str) -> impl Iterator<Item = (TokenKind, Range<usize>)> {
    let mut lexer = server_tokens(sql);
    let (mut end, mut preceding) = (0, Preceding::Other);
    std::iter::from_fn(move || {
        let Token { mut kind, len } = lexer.next()?;
        let start = end;
        end += len as usize;
        preceding = match (kind, &preceding) {
            (TokenKind::Literal { kind: LiteralKind::Str { .. } }, Preceding::EscapeStringAndLineBreak) => {
                let length = escape_string_length(&sql[start..]);
                kind = TokenKind::Literal { kind: LiteralKind::EscStr { terminated: length.is_some() } };
                end = length.map_or(sql.len(), |length| start + length);
                lexer = server_tokens(&sql[end..]);
                Preceding::EscapeString
            }
            (TokenKind::Literal { kind: LiteralKind::EscStr { .. } }, _) => Preceding::EscapeString,
            (TokenKind::Whitespace, Preceding::EscapeString) if sql[start..end].contains(['\n', '\r']) => {
                Preceding::EscapeStringAndLineBreak
            }
            (TokenKind::Whitespace | TokenKind::LineComment, Preceding::EscapeString) => Preceding::EscapeString,
            (TokenKind::Whitespace | TokenKind::LineComment, Preceding::EscapeStringAndLineBreak) => Preceding::EscapeStringAndLineBreak,
            _ => Preceding::Other,
        };
        Some((kind, start..end))
    })
}

/// The lexer's tokens. It skips a byte order mark at the beginning, which for the server begins a name, like every character beyond
/// ASCII.
fn server_tokens(sql: &str) -> impl Iterator<Item = Token> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    let end = if sql.starts_with(BOM) { sql.find(|c| !is_name(c)).unwrap_or(sql.len()) } else { 0 };
    let name = u32::try_from(end).ok().filter(|len| *len > 0).map(|len| Token { kind: TokenKind::Ident, len });
    name.into_iter().chain(tokenize(&sql[end..]))
}

/// What precedes a token, as far as it decides whether a string continues the one before.
enum Preceding {
    /// `E'…'`, then only spaces, tabs and line comments.
    EscapeString,
    /// The same with a line break: a string after it continues the first one, with its backslash escapes.
    EscapeStringAndLineBreak,
    /// Anything else.
    Other,
}

/// The length of a string in single quotes with backslash escapes; `None` if it is unterminated.
fn escape_string_length(sql: &str) -> Option<usize> {
    let bytes = sql.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql).filter(|(kind, _)| *kind != TokenKind::Whitespace).map(|(_, range)| &sql[range]).collect()
    }

    #[test]
    fn a_string_that_continues_one_with_escapes_has_escapes_too() {
        assert_eq!(texts("E'a'\n'b\\'; COMMIT; --' c"), ["E'a'", "'b\\'; COMMIT; --'", "c"]);
        assert_eq!(texts("E'a' -- d\r 'x\\'';COMMIT"), ["E'a'", "-- d", "'x\\''", ";", "COMMIT"]);
        assert_eq!(texts("E'a'\n'b'\n'c\\'' d"), ["E'a'", "'b'", "'c\\''", "d"]);
        for plain in ["E'a' '\\' b", "'a'\n'\\' b", "E'a' /* \n */ '\\' b"] {
            assert!(texts(plain).ends_with(&["'\\'", "b"]), "{plain}: the server does not join these, or not as escapes");
        }
        assert_eq!(tokens("E'a'\n'b\\'").last().map(|(_, range)| range), Some(5..9));
    }

    #[test]
    fn a_byte_order_mark_begins_a_name() {
        assert_eq!(texts("\u{feff}a$$; $$"), ["\u{feff}a$$", ";", "$$"]);
        assert_eq!(texts("E'a'\n'b'\u{feff}$$; COMMIT"), ["E'a'", "'b'", "\u{feff}$$", ";", "COMMIT"]);
        assert_eq!(texts("\u{feff}"), ["\u{feff}"]);
    }

    #[test]
    fn the_tokens_are_the_whole_text() {
        for sql in ["", "SELECT E'ä'\n'\\'ü' -- x\r\n;", "'", "E'\\", "E'a'\n'\\"] {
            assert_eq!(tokens(sql).map(|(_, range)| &sql[range]).collect::<String>(), sql);
        }
    }
}
