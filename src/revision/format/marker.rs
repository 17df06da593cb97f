//! The comment lines that begin a section, and those that look as if they did.

use crate::revision::{FileProblem, SectionMode};
use crate::words::nearest;

/// Whose rules a text is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextOrigin {
    /// A file: a comment that looks like a marker and is none is a problem.
    File,
    /// A text that is in the ledger, so it was applied: what an earlier pgmarch took for a comment stays one.
    Ledger,
}

/// A line that begins a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// 0 is up, 1 is down.
    pub way: usize,
    /// How the section is run.
    pub mode: SectionMode,
}

/// The markers, by [`Marker::way`].
pub const MARKERS: [&str; 2] = ["-- migrate:up", "-- migrate:down"];

/// The marker that a line comment is, or what is wrong with it; nothing if it is a remark. `begins_line` if nothing stands
/// before it in its line.
pub fn read(comment: &str, begins_line: bool, reading: TextOrigin) -> Option<Result<Marker, FileProblem>> {
    let likeness = likeness(comment)?;
    match (spelled(comment).filter(|_| begins_line), reading) {
        (Some(words), _) => Some(marker(words)),
        (None, TextOrigin::File) => Some(Err(wrong(comment, likeness))),
        // pgmarch 0.1: `-- migrate:`, any blanks, the word.
        (None, TextOrigin::Ledger) => comment.strip_prefix("-- migrate:").filter(|_| begins_line).map(marker),
    }
}

/// Whether [`read`] has anything to say about a comment.
pub fn is_like(comment: &str) -> bool {
    likeness(comment).is_some()
}

/// What a comment looks like.
#[derive(Clone, Copy)]
enum Likeness<'c> {
    /// `migrate:` in any spelling; with what follows the colon.
    Own(&'c str),
    /// `+goose` or `+migrate`; with what follows.
    Foreign(&'c str),
}

fn likeness(comment: &str) -> Option<Likeness<'_>> {
    let rest = comment.trim_start_matches(|c: char| c == '-' || is_blank(c));
    if let Some(rest) = without_word(rest, "migrate") {
        return rest.trim_start_matches(is_blank).strip_prefix([':', '：', '﹕']).map(Likeness::Own);
    }
    let rest = rest.strip_prefix(['+', '＋'])?.trim_start_matches(is_blank);
    let rest = without_word(rest, "migrate").or_else(|| without_word(rest, "goose"))?;
    (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(Likeness::Foreign(rest))
}

fn without_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// White space as Unicode has it, and what is as invisible.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// What follows `migrate:`, if that is spelled as it must be: `--`, blanks or none, lower case, and the next word at once.
fn spelled(comment: &str) -> Option<&str> {
    let rest = comment.strip_prefix("--")?.trim_start_matches([' ', '\t', '\x0b', '\x0c']).strip_prefix("migrate:")?;
    (!rest.is_empty() && !rest.starts_with(is_blank)).then_some(rest)
}

/// `up`, `down transaction:false`…: which section begins, and how it is run.
fn marker(words: &str) -> Result<Marker, FileProblem> {
    let mut words = words.split_whitespace();
    let word = words.next().unwrap_or("");
    let way = match word {
        "up" => 0,
        "down" => 1,
        "when" => return Err(FileProblem::NoGates),
        _ => {
            let nearest = nearest(word, ["up", "down"]).map(|word| format!("-- migrate:{word}"));
            return Err(FileProblem::UnknownMarker { found: format!("-- migrate:{}", visible(word)), nearest });
        }
    };
    let mut mode = SectionMode::Transaction;
    while let Some(option) = words.next() {
        match option {
            "transaction:true" => mode = SectionMode::Transaction,
            "transaction:false" => mode = SectionMode::Stepwise,
            _ => {
                // `transaction: false`: its value is the next word.
                let value = words.next().filter(|_| option.ends_with(':'));
                let nearest = nearest(&[option, value.unwrap_or("")].concat(), ["transaction:false", "transaction:true"]);
                let found = value.map_or_else(|| option.to_owned(), |value| format!("{option} {value}"));
                return Err(FileProblem::UnknownOption { found, nearest });
            }
        }
    }
    Ok(Marker { way, mode })
}

/// How much of a comment a message shows, in characters.
const SHOWN: usize = 60;

/// A text in which every blank but the space can be told from a space.
fn visible(text: &str) -> String {
    let show = |c: char| if is_blank(c) && c != ' ' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

fn wrong(comment: &str, likeness: Likeness<'_>) -> FileProblem {
    let comment = comment.trim_end();
    let (start, rest) = comment.split_at(comment.char_indices().nth(SHOWN).map_or(comment.len(), |(end, _)| end));
    let found = visible(start) + if rest.is_empty() { "" } else { "…" };
    let after = match likeness {
        Likeness::Own(after) | Likeness::Foreign(after) => after,
    };
    let word = |c: char| !c.is_alphanumeric() && c != '_';
    let word = after.split(word).find(|word| !word.is_empty()).unwrap_or("").to_ascii_lowercase();
    let write = nearest(&word, ["up", "down"]).map_or_else(|| MARKERS.join("` or `"), |word| format!("-- migrate:{word}"));
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
        read(comment, true, TextOrigin::File)
    }

    #[test]
    fn a_marker_has_any_blanks_behind_its_dashes() {
        for comment in
            ["-- migrate:up", "--migrate:up", "--   migrate:up", "--\tmigrate:up", "-- migrate:up \t", "-- \t migrate:up transaction:true"]
        {
            assert_eq!(of(comment), Some(Ok(Marker { way: 0, mode: SectionMode::Transaction })), "{comment}");
        }
        assert_eq!(of("--migrate:down  transaction:false"), Some(Ok(Marker { way: 1, mode: SectionMode::Stepwise })));
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
        for comment in ["-- migrate:up transaction: false", "-- migrate:up transaction:FALSE", "-- migrate:down -- the way back"] {
            assert!(matches!(of(comment), Some(Err(FileProblem::UnknownOption { .. }))), "{comment}");
        }
        for begins_line in [true, false] {
            assert!(matches!(read("-- Migrate:down", begins_line, TextOrigin::File), Some(Err(FileProblem::NearMarker { .. }))));
        }
        assert!(matches!(read("-- migrate:down", false, TextOrigin::File), Some(Err(FileProblem::NearMarker { .. }))));
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
        let ledger = |comment| read(comment, true, TextOrigin::Ledger);
        assert_eq!(ledger("-- Migrate:Down"), None);
        assert_eq!(ledger("-- +goose Down"), None);
        assert_eq!(ledger("-- migrate: down"), Some(Ok(Marker { way: 1, mode: SectionMode::Transaction })));
        assert_eq!(read(" -- migrate:down".trim_start(), false, TextOrigin::Ledger), None);
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
            prop_assert_eq!(of(&comment).is_some(), is_like(&comment));
        }
    }
}
