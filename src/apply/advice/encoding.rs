//! Text that the database's encoding can't hold: the server refuses the message as a whole, before it runs any of it, and so gives
//! no place.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which one matters here")]

use std::ops::Range;

use squawk_lexer::{LiteralKind, TokenKind};
use tokio_postgres::error::DbError;

use crate::revision::statement::token::tokens;

/// Where in the text of a file the characters are that the server refused: the server prints their bytes (`0xe2 0x82 0xac`),
/// untranslated. `section` is the part of the file that runs; the ledger gets all of it.
pub(in crate::apply) fn unrepresentable(error: &DbError, file: &str, section: Range<usize>) -> Option<Range<usize>> {
    if !["22021", "22P05"].contains(&error.code().code()) {
        return None;
    }
    let bytes = printed_bytes(error.message());
    if bytes.is_empty() {
        return None;
    }
    let find = |within: Range<usize>| {
        let found = file.as_bytes()[within.clone()].windows(bytes.len()).position(|window| window == bytes);
        found.map(|at| within.start + at..within.start + at + bytes.len())
    };
    // Plain ASCII is found in any text: then an escape made the bytes.
    let is_text = !bytes.is_ascii();
    let escaped = || {
        let literals =
            tokens(&file[section.clone()]).filter(|(kind, _)| matches!(kind, TokenKind::Literal { kind: LiteralKind::EscStr { .. } }));
        literals
            .map(|(_, range)| section.start + range.start..section.start + range.end)
            .find(|range| unescaped(&file[range.clone()]).windows(bytes.len()).any(|window| window == bytes))
    };
    let whole = 0..file.len();
    is_text
        .then(|| find(section.clone()).or_else(|| find(whole)))
        .flatten()
        .filter(|range| file.get(range.clone()).is_some())
        .or_else(escaped)
}

/// The bytes in a message: `0xde 0x61`.
fn printed_bytes(message: &str) -> Vec<u8> {
    message
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix("0x").filter(|hex| hex.len() == 2))
        .filter_map(|hex| u8::from_str_radix(hex, 16).ok())
        .collect()
}

/// The bytes that the backslash escapes of `E'…'` make (manual, 4.1.2.2).
fn unescaped(literal: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = literal.as_bytes();
    while let [first, after @ ..] = rest {
        let digits =
            |text: &[u8], most: usize, radix: u32| text.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
        let number = |text: &[u8], radix| u32::from_str_radix(&String::from_utf8_lossy(text), radix).unwrap_or_default().to_le_bytes()[0];
        rest = match (first, after) {
            (b'\\', [b'x', hex @ ..]) if digits(hex, 2, 16) > 0 => {
                let (value, rest) = hex.split_at(digits(hex, 2, 16));
                bytes.push(number(value, 16));
                rest
            }
            (b'\\', octal) if digits(octal, 3, 8) > 0 => {
                let (value, rest) = octal.split_at(digits(octal, 3, 8));
                bytes.push(number(value, 8));
                rest
            }
            (b'\\', [next, rest @ ..]) => {
                bytes.push(*next);
                rest
            }
            (byte, rest) => {
                bytes.push(*byte);
                rest
            }
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_escape_string_are_found() {
        assert_eq!(printed_bytes("invalid byte sequence for encoding \"UTF8\": 0xde 0x61"), [0xde, 0x61]);
        assert!(unescaped(r"E'b\xdeac\'\336a'").windows(2).filter(|pair| *pair == [0xde, b'a']).count() == 2);
    }
}
