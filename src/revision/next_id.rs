//! The id of the next revision, in the style of the ids that a folder has.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::id::{Id, LONGEST_ID, compare_naturally};

/// How a folder numbers its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum IdStyle {
    /// `007`, `r7`: a prefix, then at least `width` digits.
    Number { prefix: String, width: usize },
    /// `20261122101500` or `202611221015`: the time in UTC, with this many digits.
    Timestamp(usize),
    /// `1790000000`: seconds since 1970.
    Epoch,
    /// `3f9ab01c22d7`: twelve random hexadecimal digits, as in Alembic.
    Random,
}

/// The id after `ids`, in their style. With no ids it is the time, so that two branches do not choose the same one.
pub(crate) fn next_id(ids: &[&Id], now: SystemTime) -> Option<Id> {
    let mut sorted: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    sorted.sort_by(|a, b| compare_naturally(a, b));
    let taken: HashSet<&str> = sorted.iter().copied().collect();
    let last = sorted.last().copied().unwrap_or("");
    let style = if sorted.is_empty() { IdStyle::Timestamp(14) } else { detect_style(&sorted, last) };
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = |digits: &str| digits.parse::<u64>().unwrap_or(0);
    let next = match &style {
        IdStyle::Random => return random_id(&taken),
        IdStyle::Timestamp(width) => number(&format_timestamp(now, *width)).max(number(last) + 1),
        IdStyle::Epoch => since.as_secs().max(number(last) + 1),
        IdStyle::Number { prefix, .. } => {
            let numbers = sorted.iter().filter_map(|id| id.strip_prefix(prefix.as_str())).map(|rest| number(leading_digits(rest)));
            numbers.max().unwrap_or(0) + 1
        }
    };
    let (prefix, width) = match &style {
        IdStyle::Number { prefix, width } => (prefix.as_str(), *width),
        IdStyle::Timestamp(_) | IdStyle::Epoch | IdStyle::Random => ("", 0),
    };
    let text = |number: u64| format!("{prefix}{number:0width$}");
    (next..next + 1000).map(text).find(|id| !taken.contains(id.as_str()) && id.len() <= LONGEST_ID).and_then(|id| Id::parse(&id).ok())
}

/// The style of the ids, of which `last` is the last.
fn detect_style(sorted: &[&str], last: &str) -> IdStyle {
    let may_be_random = |id: &&&str| id.len() == 12 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_hexadecimal = |id: &&&str| may_be_random(id) && id.bytes().any(|byte| byte.is_ascii_alphabetic());
    let hexadecimal = sorted.iter().filter(may_be_random).count();
    if hexadecimal * 2 > sorted.len() && sorted.iter().any(|id| is_hexadecimal(&id)) {
        return IdStyle::Random;
    }
    let digits = last.len() - last.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (prefix, number) = last.split_at(last.len() - digits);
    match (prefix.is_empty(), digits) {
        (true, 12 | 14) if is_time(number) => IdStyle::Timestamp(digits),
        (true, 10) if number.starts_with('1') => IdStyle::Epoch,
        // No digits at the end (`002a`), or too many for a number: as many digits as the id begins with, or three.
        (_, 0 | 16..) => {
            let width = leading_digits(last).len();
            IdStyle::Number { prefix: String::new(), width: if (1..16).contains(&width) { width } else { 3 } }
        }
        _ => IdStyle::Number { prefix: prefix.to_owned(), width: digits },
    }
}

fn leading_digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

/// `YYYYMMDDHHMM[SS]`, in a plausible year.
fn is_time(digits: &str) -> bool {
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    (1970..2200).contains(&part(0..4)) && (1..=12).contains(&part(4..6)) && (1..=31).contains(&part(6..8)) && part(8..10) < 24
}

/// The first `width` digits of a time.
fn format_timestamp(now: SystemTime, width: usize) -> String {
    let text = humantime::format_rfc3339_seconds(now).to_string();
    text.chars().filter(char::is_ascii_digit).take(width).collect()
}

/// Twelve random hexadecimal digits, different from all ids.
fn random_id(taken: &HashSet<&str>) -> Option<Id> {
    let mut candidates = (0..100u64).map(|salt| {
        let mut hash = RandomState::new().build_hasher();
        hash.write_u64(salt);
        hash.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos());
        format!("{:016x}", hash.finish())[..12].to_owned()
    });
    candidates.find(|id| !taken.contains(id.as_str())).and_then(|id| Id::parse(&id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(ids: &[&str]) -> String {
        let ids: Vec<Id> = ids.iter().map(|id| Id::parse(id).expect("an id")).collect();
        let now = UNIX_EPOCH + Duration::from_secs(1_795_342_500);
        next_id(&ids.iter().collect::<Vec<_>>(), now).expect("a next id").to_string()
    }

    #[test]
    fn the_next_id_is_in_the_folders_own_style() {
        for (ids, expected) in [
            (&[][..], "20261122101500"),
            (&["20261122101500"], "20261122101501"),
            (&["001", "002"], "003"),
            (&["1", "9"], "10"),
            (&["0001", "0002", "0010"], "0011"),
            (&["999"], "1000"),
            (&["r1", "r2"], "r3"),
            (&["001", "002a"], "003"),
            (&["initial", "more"], "001"),
            (&["20240102030405"], "20261122101500"),
            (&["202401020304"], "202611221015"),
            (&["20990102030405"], "20990102030406"),
            (&["1700000000"], "1795342500"),
            (&["2024-11", "2024-12"], "2024-13"),
        ] {
            assert_eq!(next(ids), expected, "{ids:?}");
        }
        let random = next(&["1975ea83b712", "ae1027a6acf2", "27c6a30d7c24"]);
        assert!(random.len() == 12 && random.bytes().all(|byte| byte.is_ascii_hexdigit()), "{random}");
    }
}
