//! Markers: the comment lines that begin a section. A comment that looks like a marker without being one is a fault.

use crate::revision::{Direction, FileProblem, SectionMode};
use crate::words::nearest;

/// Where a text comes from, which decides how strictly it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextOrigin {
    /// A file: a comment that looks like a marker without being one is a fault.
    File,
    /// The ledger, so the text was applied: what pgmarch 0.1 read as a comment stays a comment.
    Ledger,
}

/// A line that begins a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// `up` or `down`.
    pub direction: Direction,
    /// How the section is run.
    pub mode: SectionMode,
    /// Words that are no option of pgmarch's, each with its byte in the line.
    pub unknown_options: Vec<(usize, String)>,
}

/// A marker as it must be written.
pub(super) fn marker_line(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "-- migrate:up",
        Direction::Down => "-- migrate:down",
    }
}

/// Reads a line comment as a marker: `None` if it is an ordinary comment, or the problem if it only looks like a marker. `begins_line`:
/// it is at the beginning of its line.
pub(super) fn read_marker(comment: &str, begins_line: bool, origin: TextOrigin) -> Option<Result<Marker, FileProblem>> {
    let likeness = likeness(comment)?;
    match (strip_correct_prefix(comment).filter(|_| begins_line), origin) {
        (Some(words), _) => Some(parse_marker(comment, words)),
        (None, TextOrigin::File) => Some(Err(describe_problem(comment, likeness))),
        // The rule of pgmarch 0.1: `-- migrate:`, any blanks, the word.
        (None, TextOrigin::Ledger) => comment.strip_prefix("-- migrate:").filter(|_| begins_line).map(|words| parse_marker(comment, words)),
    }
}

/// Whether [`read_marker`] may return something else than `None`.
pub(super) fn is_like_marker(comment: &str) -> bool {
    likeness(comment).is_some()
}

/// Which marker a comment looks like.
#[derive(Clone, Copy)]
enum Likeness<'c> {
    /// pgmarch's: `migrate:` in any spelling. With what follows the colon.
    Own(&'c str),
    /// goose's or sql-migrate's: `+goose` or `+migrate`. With what follows.
    Foreign(&'c str),
}

/// Which marker a comment looks like, if any.
fn likeness(comment: &str) -> Option<Likeness<'_>> {
    let rest = comment.trim_start_matches(|c: char| c == '-' || is_blank(c));
    if let Some(rest) = strip_word(rest, "migrate") {
        return rest.trim_start_matches(is_blank).strip_prefix([':', '：', '﹕']).map(Likeness::Own);
    }
    let rest = rest.strip_prefix(['+', '＋'])?.trim_start_matches(is_blank);
    let rest = strip_word(rest, "migrate").or_else(|| strip_word(rest, "goose"))?;
    (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(Likeness::Foreign(rest))
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// White space and invisible characters of Unicode.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// What follows `migrate:` in a marker that is spelled correctly: `--`, blanks or none, `migrate:` in lower case, a word.
fn strip_correct_prefix(comment: &str) -> Option<&str> {
    let rest = comment.strip_prefix("--")?.trim_start_matches([' ', '\t', '\x0b', '\x0c']).strip_prefix("migrate:")?;
    (!rest.is_empty() && !rest.starts_with(is_blank)).then_some(rest)
}

/// Parses `up`, `down transaction:false`…: the words at the end of a comment.
fn parse_marker(comment: &str, words: &str) -> Result<Marker, FileProblem> {
    let mut words = words.split_whitespace().peekable();
    let word = words.next().unwrap_or("");
    let direction = match word {
        "up" => Direction::Up,
        "down" => Direction::Down,
        "when" => return Err(FileProblem::NoGates),
        _ => {
            let nearest = nearest(word, ["up", "down"]).map(|word| format!("-- migrate:{word}"));
            return Err(FileProblem::UnknownMarker { found: format!("-- migrate:{}", escape_blanks(word)), nearest });
        }
    };
    let (mut mode, mut unknown_options) = (None, Vec::new());
    while let Some(option) = words.next() {
        let found = match option {
            "transaction:true" => SectionMode::Transaction,
            "transaction:false" => SectionMode::Stepwise,
            _ if is_about_transactions(option) => {
                // `transaction: false`, `transaction = false`: its value is in a word of its own.
                let mut found = vec![option];
                while let Some(word) =
                    words.next_if(|word| found.last().is_some_and(|last| last.ends_with([':', '='])) || word.starts_with([':', '=']))
                {
                    found.push(word);
                }
                let nearest = nearest_transaction_option(&found.concat());
                return Err(FileProblem::UnknownOption { found: escape_blanks(&found.join(" ")), nearest });
            }
            _ if !is_option(option) => return Err(FileProblem::UnknownOption { found: escape_blanks(option), nearest: None }),
            _ => {
                // Both are parts of the same text.
                unknown_options.push((option.as_ptr().addr() - comment.as_ptr().addr(), option.to_owned()));
                continue;
            }
        };
        if mode.replace(found).is_some_and(|before| before != found) {
            return Err(FileProblem::BothTransactionOptions);
        }
    }
    Ok(Marker { direction, mode: mode.unwrap_or(SectionMode::Transaction), unknown_options })
}

/// Whether a word is an option: `NAME:VALUE`.
fn is_option(word: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    word.split_once(':').is_some_and(|(name, value)| is_name(name) && !name.starts_with('-') && !value.is_empty())
}

/// Whether an option that is not known may have been meant to say whether the section runs in a transaction. Ignoring it would run the
/// section in the other way.
fn is_about_transactions(option: &str) -> bool {
    let letters: String = option.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    let name = option.split([':', '=']).next().unwrap_or(option);
    ["trans", "txn", "tx", "autocommit", "atomic", "nontrans"].iter().any(|word| letters.contains(word))
        || nearest(name, ["transaction", "notransaction"]).is_some()
        || nearest(option, ["transaction:false", "transaction:true"]).is_some()
}

/// The option that such a word probably means.
fn nearest_transaction_option(found: &str) -> Option<String> {
    let known = ["transaction:false", "transaction:true"];
    let value = found.rsplit([':', '=', '-', '_']).next().unwrap_or("").to_ascii_lowercase();
    let option = match value.as_str() {
        "false" | "off" | "no" | "0" | "none" | "disable" | "disabled" | "f" | "n" => Some(known[0]),
        "true" | "on" | "yes" | "1" | "t" | "y" => Some(known[1]),
        _ if found.to_ascii_lowercase().starts_with("no") => Some(known[0]),
        _ => None,
    };
    option.map(ToOwned::to_owned).or_else(|| nearest(found, known).filter(|_| found.contains([':', '='])))
}

/// How many characters of a comment a message shows.
const SHOWN: usize = 60;

/// The text with every blank except the space escaped.
fn escape_blanks(text: &str) -> String {
    let show = |c: char| if is_blank(c) && c != ' ' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

/// The problem of a comment that looks like a marker without being one.
fn describe_problem(comment: &str, likeness: Likeness<'_>) -> FileProblem {
    let comment = comment.trim_end();
    let (start, rest) = comment.split_at(comment.char_indices().nth(SHOWN).map_or(comment.len(), |(end, _)| end));
    let found = escape_blanks(start) + if rest.is_empty() { "" } else { "…" };
    let after = match likeness {
        Likeness::Own(after) | Likeness::Foreign(after) => after,
    };
    let word = |c: char| !c.is_alphanumeric() && c != '_';
    let word = after.split(word).find(|word| !word.is_empty()).unwrap_or("").to_ascii_lowercase();
    let write = nearest(&word, ["up", "down"])
        .map_or_else(|| [Direction::Up, Direction::Down].map(marker_line).join("` or `"), |word| format!("-- migrate:{word}"));
    match likeness {
        Likeness::Own(_) => FileProblem::NearMarker { found, write },
        Likeness::Foreign(_) if word.starts_with("statement") => FileProblem::NeedlessMarker(found),
        Likeness::Foreign(_) if word.starts_with("no") => {
            FileProblem::ForeignMarker { found, write: "-- migrate:up transaction:false".into() }
        }
        Likeness::Foreign(_) => FileProblem::ForeignMarker { found, write },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(comment: &str) -> Option<Result<Marker, FileProblem>> {
        read_marker(comment, true, TextOrigin::File)
    }

    fn marker(direction: Direction, mode: SectionMode) -> Marker {
        Marker { direction, mode, unknown_options: Vec::new() }
    }

    #[test]
    fn unknown_options_are_kept_unless_they_may_be_about_transactions() {
        for (options, unknown) in [
            ("env:dev", vec![(15, "env:dev")]),
            ("a:b c_1:d:e", vec![(15, "a:b"), (19, "c_1:d:e")]),
            ("transaction:false foo:bar", vec![(33, "foo:bar")]),
        ] {
            let found = of(&format!("-- migrate:up  {options}")).expect("a marker").expect("sound").unknown_options;
            assert_eq!(found.iter().map(|(at, word)| (*at, word.as_str())).collect::<Vec<_>>(), unknown, "{options}");
        }
        for (option, nearest) in [
            ("transation:false", Some("transaction:false")),
            ("transaction: false", Some("transaction:false")),
            ("transaction = false", Some("transaction:false")),
            ("transaction=off", Some("transaction:false")),
            ("Transaction:True", Some("transaction:true")),
            ("transaction:off", Some("transaction:false")),
            ("transactions:no", Some("transaction:false")),
            ("transaction", None),
            ("no-transaction", Some("transaction:false")),
            ("NoTransaction", Some("transaction:false")),
            ("tx:false", Some("transaction:false")),
            ("tranasction:false", Some("transaction:false")),
        ] {
            let found = of(&format!("-- migrate:up {option}")).expect("a marker");
            assert_eq!(found, Err(FileProblem::UnknownOption { found: option.into(), nearest: nearest.map(Into::into) }), "{option}");
        }
        assert_eq!(of("-- migrate:up transaction:true transaction:false"), Some(Err(FileProblem::BothTransactionOptions)));
    }

    #[test]
    fn a_marker_has_any_blanks_behind_its_dashes() {
        for comment in
            ["-- migrate:up", "--migrate:up", "--   migrate:up", "--\tmigrate:up", "-- migrate:up \t", "-- \t migrate:up transaction:true"]
        {
            assert_eq!(of(comment), Some(Ok(marker(Direction::Up, SectionMode::Transaction))), "{comment}");
        }
        assert_eq!(of("--migrate:down  transaction:false"), Some(Ok(marker(Direction::Down, SectionMode::Stepwise))));
    }

    #[test]
    fn what_looks_like_a_marker_is_one_or_a_problem() {
        for (comment, write) in [
            ("-- Migrate:Down", "-- migrate:down"),
            ("-- MIGRATE:UP", "-- migrate:up"),
            ("-- migrate: down", "-- migrate:down"),
            ("-- migrate :down", "-- migrate:down"),
            ("--\u{a0}migrate:down", "-- migrate:down"),
            ("-- \u{200b}migrate:down", "-- migrate:down"),
            ("-- migrate\u{ff1a}down", "-- migrate:down"),
            ("--- migrate:down", "-- migrate:down"),
            ("-- -- migrate:down", "-- migrate:down"),
            ("-- migrate:", "-- migrate:up` or `-- migrate:down"),
            ("-- migrate: users first", "-- migrate:up` or `-- migrate:down"),
        ] {
            let found = comment.replace('\u{a0}', "\\u{a0}").replace('\u{200b}', "\\u{200b}");
            assert_eq!(of(comment), Some(Err(FileProblem::NearMarker { found, write: write.to_owned() })), "{comment}");
        }
        for (comment, write) in [
            ("-- +goose Up", "-- migrate:up"),
            ("--+goose DOWN", "-- migrate:down"),
            ("-- +migrate Down", "-- migrate:down"),
            ("-- +Migrate Up notransaction", "-- migrate:up"),
            ("-- +goose NO TRANSACTION", "-- migrate:up transaction:false"),
        ] {
            let found = comment.to_owned();
            assert_eq!(of(comment), Some(Err(FileProblem::ForeignMarker { found, write: write.to_owned() })), "{comment}");
        }
        assert_eq!(of("-- +goose StatementBegin"), Some(Err(FileProblem::NeedlessMarker("-- +goose StatementBegin".into()))));
        assert_eq!(of("-- migrate:when"), Some(Err(FileProblem::NoGates)));
        for comment in ["-- migrate:downs", "--migrate:Down", "-- migrate:up;", "-- migrate:down\u{200b}"] {
            assert!(matches!(of(comment), Some(Err(FileProblem::UnknownMarker { .. }))), "{comment}");
        }
        for comment in
            ["-- migrate:up transaction: false", "-- migrate:up transaction:FALSE", "-- migrate:down -- the way back", "-- migrate:up a:"]
        {
            assert!(matches!(of(comment), Some(Err(FileProblem::UnknownOption { .. }))), "{comment}");
        }
        for begins_line in [true, false] {
            assert!(matches!(read_marker("-- Migrate:down", begins_line, TextOrigin::File), Some(Err(FileProblem::NearMarker { .. }))));
        }
        assert!(matches!(read_marker("-- migrate:down", false, TextOrigin::File), Some(Err(FileProblem::NearMarker { .. }))));
    }

    #[test]
    fn prose_is_a_remark() {
        for comment in [
            "-- Migrate existing users",
            "-- migrate users: first",
            "-- see migrate:up",
            "-- migrated: 5",
            "-- immigrate:up",
            "-- +gooseberry: jam",
            "-- +migrates Up",
            "-- goose Up",
            "-- +1",
            "--",
            "-- migrate",
        ] {
            assert_eq!(of(comment), None, "{comment}");
        }
    }

    #[test]
    fn what_was_a_comment_when_it_was_applied_stays_one() {
        let ledger = |comment| read_marker(comment, true, TextOrigin::Ledger);
        assert_eq!(ledger("-- Migrate:Down"), None);
        assert_eq!(ledger("-- +goose Down"), None);
        assert_eq!(ledger("-- migrate: down"), Some(Ok(marker(Direction::Down, SectionMode::Transaction))));
        assert_eq!(read_marker(" -- migrate:down".trim_start(), false, TextOrigin::Ledger), None);
        assert_eq!(ledger("--migrate:down"), of("--migrate:down"), "the checksum tells whether it was read so");
    }

    proptest! {
        /// The rule as design and documents state it.
        #[test]
        fn no_comment_that_matches_the_rule_is_a_remark(
            before in "[ \t\u{a0}]{0,2}", word in "(?i)migrate", between in "[ \t]{0,2}", after in "[ \t]?(up|down|Up|DOWN|x)?[ -~]{0,9}"
        ) {
            let comment = format!("--{before}{word}{between}:{after}");
            let found = of(&comment);
            prop_assert!(found.is_some(), "{comment}");
            let lower = before.trim_matches([' ', '\t']).is_empty() && word == "migrate" && between.is_empty();
            let name = after.split_whitespace().next().unwrap_or("");
            let valid = lower && !after.starts_with([' ', '\t']) && matches!(name, "up" | "down");
            prop_assert!(valid || matches!(found, Some(Err(_))), "{comment}");
        }

        #[test]
        fn any_comment_is_read(comment in "--\\PC*") {
            prop_assert_eq!(of(&comment).is_some(), is_like_marker(&comment));
        }
    }
}
