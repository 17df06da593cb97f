//! The ids of revisions.

use std::cmp::Ordering;
use std::fmt;

use super::fault::FileProblem;

/// The longest id that `alembic_version.version_num varchar(32)` holds, in characters.
pub(crate) const LONGEST_ID: usize = 32;

/// A revision's id: 1 to 32 letters, digits, `_`, `-` or `.`, so it needs no quoting anywhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, FileProblem> {
        let length = text.chars().count();
        if length > LONGEST_ID {
            return Err(FileProblem::LongId { id: text.to_owned(), length });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() || !text.chars().all(allowed) || RESERVED.contains(&text) {
            return Err(FileProblem::BadId(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Symbols, which a name may have in the place of an id.
const RESERVED: [&str; 3] = ["head", "heads", "base"];

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Joins ids for a message: `a, b`; `base` for none.
pub fn join_ids<'a>(ids: impl IntoIterator<Item = &'a Id>) -> String {
    let ids: Vec<&str> = ids.into_iter().map(Id::as_str).collect();
    if ids.is_empty() { "base".to_owned() } else { ids.join(", ") }
}

/// Text order in which runs of digits compare as numbers: `2` before `10`.
pub(crate) fn compare_naturally(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (run_a, run_b) = (leading_run(left), leading_run(right));
        if run_a.is_empty() || run_b.is_empty() {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        }
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = if digits(run_a) && digits(run_b) {
            let (x, y) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            run_a.cmp(run_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (&left[run_a.len()..], &right[run_b.len()..]);
    }
}

/// The longest prefix of `text` that is all digits, or has none.
fn leading_run(text: &str) -> &str {
    let Some(first) = text.chars().next() else { return "" };
    let kind = first.is_ascii_digit();
    &text[..text.find(|c: char| c.is_ascii_digit() != kind).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_up_to_32_plain_characters() {
        assert!(Id::parse("001").is_ok());
        assert!(Id::parse(&"a".repeat(32)).is_ok());
        assert!(matches!(Id::parse(&"a".repeat(33)), Err(FileProblem::LongId { length: 33, .. })));
        for bad in ["", "a b", "a'b", "ü", "head", "base", "a@b", "a+1"] {
            assert!(matches!(Id::parse(bad), Err(FileProblem::BadId(_))), "{bad}");
        }
    }

    #[test]
    fn numbers_in_names_compare_as_numbers() {
        assert_eq!(compare_naturally("2", "10"), Ordering::Less);
        assert_eq!(compare_naturally("a2b", "a10a"), Ordering::Less);
        assert_ne!(compare_naturally("002", "2"), Ordering::Equal);
        assert_eq!(compare_naturally("1", "1"), Ordering::Equal);
        assert_eq!(compare_naturally("a", "1"), Ordering::Greater);
    }
}
