//! SHA-256 checksums of revisions: of the text, and of the tokens of a section.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::fmt;

use sha2::{Digest as _, Sha256};
use squawk_lexer::{TokenKind, tokenize};

use super::line::normalized;

/// SHA-256 of a text with normalized line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextDigest([u8; 32]);

impl TextDigest {
    /// The digest of a text.
    pub fn of(text: &str) -> Self {
        let mut hash = Sha256::new();
        let mut rest = text;
        while let Some((line, behind)) = rest.split_once('\r') {
            hash.update(line);
            hash.update("\n");
            rest = behind.strip_prefix('\n').unwrap_or(behind);
        }
        Self(hash.chain_update(rest).finalize().into())
    }

    /// Parses hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: Option<Vec<u8>> =
            text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
        Some(Self(bytes?.try_into().ok()?))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Prints it in hexadecimal.
impl fmt::Display for TextDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// SHA-256 of the tokens of `sql`, each followed by a NUL, in hexadecimal. Comments, white space, line ends and the case of unquoted
/// words make no difference. Two strings joined by a newline stay two tokens.
pub fn semantic_checksum(sql: &str) -> String {
    let mut checksum = SemanticChecksum::default();
    checksum.update(sql);
    checksum.value()
}

/// The same of text that arrives in parts, each of whole tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct SemanticChecksum(Sha256);

impl SemanticChecksum {
    /// Adds a part.
    pub(crate) fn update(&mut self, sql: &str) {
        let sql = normalized(sql);
        let sql = sql.as_ref();
        let mut offset = 0;
        for token in tokenize(sql) {
            let text = &sql[offset..offset + token.len as usize];
            offset += token.len as usize;
            match token.kind {
                TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
                TokenKind::Ident => self.0.update(text.to_ascii_lowercase()),
                _ => self.0.update(text),
            }
            self.0.update([0]);
        }
    }

    /// The checksum of the parts so far.
    pub(crate) fn value(&self) -> String {
        hex(&self.0.clone().finalize())
    }
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
    fn line_ends_do_not_count_in_the_exact_checksum() {
        let digest = TextDigest::of("a\n\nb\n\n");
        assert_eq!([TextDigest::of("a\r\n\r\nb\r\r\n"), TextDigest::of("a\r\rb\n\r")], [digest; 2]);
        assert_eq!(TextDigest::parse(&digest.to_string()), Some(digest));
        assert_eq!(digest.to_string(), hex(&Sha256::digest("a\n\nb\n\n")));
        assert_eq!(TextDigest::parse("ab"), None);
    }

    #[test]
    fn only_tokens_count_in_the_semantic_checksum() {
        assert_eq!(semantic_checksum("SELECT  1 -- a\n"), semantic_checksum("select /* b */ 1"));
        assert_ne!(semantic_checksum("SELECT 'a b'"), semantic_checksum("SELECT 'a  b'"));
        assert_ne!(semantic_checksum("SELECT \"A\""), semantic_checksum("SELECT \"a\""));
        assert_ne!(semantic_checksum("SELECT a b"), semantic_checksum("SELECT ab"));
        let mut parts = SemanticChecksum::default();
        ["SELECT 'a", "\r\nb'", ";", "select 2"].iter().for_each(|part| parts.update(part));
        assert_ne!(parts.value(), semantic_checksum("SELECT 'a\nb';\nselect 2"), "half a token");
        let mut parts = SemanticChecksum::default();
        ["SELECT 'a\r\nb'", ";", "select 2"].iter().for_each(|part| parts.update(part));
        assert_eq!(parts.value(), semantic_checksum("SELECT 'a\nb';\nselect 2"));
        assert_ne!(semantic_checksum("SELECT Ä"), semantic_checksum("SELECT ä"), "to PostgreSQL these are two names");
    }
}
