//! SHA-256 checksums of revisions: of the text, and of the tokens of a section.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use sha2::{Digest as _, Sha256};
use squawk_lexer::{TokenKind, tokenize};

use super::line::normalized;

/// SHA-256 of a text with normalized line ends, in hexadecimal.
pub fn exact_checksum(text: &str) -> String {
    hex(&Sha256::digest(normalized(text).as_bytes()))
}

/// SHA-256 of the tokens of `sql`, each followed by a NUL, in hexadecimal. Comments, white space, line ends and the case of unquoted
/// words make no difference. Two strings joined by a newline stay two tokens.
pub fn semantic_checksum(sql: &str) -> String {
    let sql = normalized(sql);
    let sql = sql.as_ref();
    let mut hash = Sha256::new();
    let mut offset = 0;
    for token in tokenize(sql) {
        let text = &sql[offset..offset + token.len as usize];
        offset += token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::Ident => hash.update(text.to_ascii_lowercase()),
            _ => hash.update(text),
        }
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_count_in_the_semantic_checksum() {
        assert_eq!(semantic_checksum("SELECT  1 -- a\n"), semantic_checksum("select /* b */ 1"));
        assert_ne!(semantic_checksum("SELECT 'a b'"), semantic_checksum("SELECT 'a  b'"));
        assert_ne!(semantic_checksum("SELECT \"A\""), semantic_checksum("SELECT \"a\""));
        assert_ne!(semantic_checksum("SELECT a b"), semantic_checksum("SELECT ab"));
        assert_ne!(semantic_checksum("SELECT Ä"), semantic_checksum("SELECT ä"), "to PostgreSQL these are two names");
    }
}
