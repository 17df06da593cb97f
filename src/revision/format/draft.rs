//! A revision about to be written: its id in the folder's own style, its file name, its text.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::revision::graph::natural;
use crate::revision::{Id, LONGEST_ID};

/// The longest slug, in characters, as in Alembic's file names.
const LONGEST_SLUG: usize = 40;

/// What a new file is to say.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its id.
    pub id: Id,
    /// What it revises; `None` leaves the header out, in a folder where the ids' order is the chain.
    pub revises: Option<Vec<Id>>,
    /// What must be applied first.
    pub depends_on: Vec<Id>,
    /// A branch label.
    pub branch: Option<String>,
    /// When it was written.
    pub created: Option<String>,
    /// One line for people.
    pub message: String,
    /// The way up: options of its marker and its SQL.
    pub up: DraftSection,
    /// The way down; `None` is irreversible.
    pub down: Option<DraftSection>,
}

/// A section to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftSection {
    /// Whether it is run statement by statement.
    pub stepwise: bool,
    /// Its SQL; empty is left to the author.
    pub sql: String,
}

impl DraftSection {
    /// A section of one statement that does nothing: a merge.
    pub fn no_op() -> Self {
        Self { stepwise: false, sql: "SELECT 1;".to_owned() }
    }

    fn text(&self, marker: &str) -> String {
        let option = if self.stepwise { " transaction:false" } else { "" };
        let sql = self.sql.trim();
        if sql.is_empty() { format!("-- migrate:{marker}{option}\n\n") } else { format!("-- migrate:{marker}{option}\n{sql}\n") }
    }
}

impl Draft {
    /// The file's text.
    pub fn text(&self) -> String {
        let join = |ids: &[Id]| if ids.is_empty() { "base".to_owned() } else { crate::revision::join_ids(ids) };
        let mut text = format!("-- revision: {}\n", self.id);
        let mut header = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text += &format!("-- {name}: {value}\n");
            }
        };
        header("revises", self.revises.as_deref().map(join));
        header("depends-on", (!self.depends_on.is_empty()).then(|| join(&self.depends_on)));
        header("branch", self.branch.clone());
        header("created", self.created.clone());
        header("message", Some(one_line(&self.message)));
        text += &format!("\n{}", self.up.text("up"));
        if let Some(down) = &self.down {
            text += &format!("\n{}", down.text("down"));
        }
        text
    }

    /// The file's name: `NNN_slug.sql`.
    pub fn file_name(&self) -> String {
        format!("{}_{}.sql", self.id, slug(&self.message))
    }

    /// Writes the file into `folder`; one that is already there is never written over.
    pub fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        let path = folder.join(self.file_name());
        let mut file = std::fs::File::create_new(&path)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        Ok(path)
    }
}

/// Now, as the `created` header has it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower-case words joined by `_`.
pub fn slug(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if !slug.is_empty() && slug.len() + 1 + word.len() > LONGEST_SLUG {
            break;
        }
        let join = if slug.is_empty() { "" } else { "_" };
        slug += join;
        slug += word;
    }
    slug.truncate(LONGEST_SLUG);
    if slug.is_empty() { "revision".to_owned() } else { slug }
}

/// How a folder numbers its revisions, as far as its ids tell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Style {
    /// `007`, `r7`: what stands before the digits, and how many there are at least.
    Number { prefix: String, width: usize },
    /// `20261122101500` or `202611221015`: so many digits of the time in UTC.
    Timestamp(usize),
    /// `1790000000`: seconds since 1970.
    Epoch,
    /// `3f9ab01c22d7`: Alembic's twelve random digits.
    Random,
}

/// The id after all of `ids`, in their style; three digits where there is none yet.
pub fn next_id(ids: &[&Id], now: SystemTime) -> Option<Id> {
    let mut sorted: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    sorted.sort_by(|a, b| natural(a, b));
    let taken: HashSet<&str> = sorted.iter().copied().collect();
    let last = sorted.last().copied().unwrap_or("000");
    let style = style(&sorted, last);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = |digits: &str| digits.parse::<u64>().unwrap_or(0);
    let next = match &style {
        Style::Random => return random(&taken),
        Style::Timestamp(width) => number(&timestamp(now, *width)).max(number(last) + 1),
        Style::Epoch => since.as_secs().max(number(last) + 1),
        Style::Number { prefix, .. } => {
            let numbers = sorted.iter().filter_map(|id| id.strip_prefix(prefix.as_str())).map(|rest| number(leading_digits(rest)));
            numbers.max().unwrap_or(0) + 1
        }
    };
    let (prefix, width) = match &style {
        Style::Number { prefix, width } => (prefix.as_str(), *width),
        Style::Timestamp(_) | Style::Epoch | Style::Random => ("", 0),
    };
    let text = |number: u64| format!("{prefix}{number:0width$}");
    (next..next + 1000).map(text).find(|id| !taken.contains(id.as_str()) && id.len() <= LONGEST_ID).and_then(|id| Id::parse(&id).ok())
}

fn style(sorted: &[&str], last: &str) -> Style {
    let random = |id: &&&str| id.len() == 12 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_hexadecimal = |id: &&&str| random(id) && id.bytes().any(|byte| byte.is_ascii_alphabetic());
    let hexadecimal = sorted.iter().filter(random).count();
    if hexadecimal * 2 > sorted.len() && sorted.iter().any(|id| is_hexadecimal(&id)) {
        return Style::Random;
    }
    let digits = last.len() - last.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (prefix, number) = last.split_at(last.len() - digits);
    match (prefix.is_empty(), digits) {
        (true, 12 | 14) if is_time(number) => Style::Timestamp(digits),
        (true, 10) if number.starts_with('1') => Style::Epoch,
        // No number to count on at the end (`002a`), or one too long to count: the digits at the start, else three.
        (_, 0 | 16..) => {
            let width = leading_digits(last).len();
            Style::Number { prefix: String::new(), width: if (1..16).contains(&width) { width } else { 3 } }
        }
        _ => Style::Number { prefix: prefix.to_owned(), width: digits },
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

fn timestamp(now: SystemTime, width: usize) -> String {
    let text = humantime::format_rfc3339_seconds(now).to_string();
    text.chars().filter(char::is_ascii_digit).take(width).collect()
}

/// Twelve hexadecimal digits that no revision has.
fn random(taken: &HashSet<&str>) -> Option<Id> {
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
            (&[][..], "001"),
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

    #[test]
    fn slugs_are_short_and_plain() {
        assert_eq!(slug("Add rate limits, to Services!"), "add_rate_limits_to_services");
        assert_eq!(slug("Größe"), "gr_e");
        assert_eq!(slug("!?"), "revision");
        assert!(slug(&"word ".repeat(30)).len() <= LONGEST_SLUG);
    }

    #[test]
    fn a_draft_is_read_back_as_it_was_meant() {
        let id = |text: &str| Id::parse(text).expect("an id");
        let draft = Draft {
            id: id("003"),
            revises: Some(vec![id("001"), id("002")]),
            depends_on: vec![id("000")],
            branch: Some("billing".into()),
            created: Some("2026-11-22T10:15:00Z".into()),
            message: "Join\nthem".into(),
            up: DraftSection { stepwise: true, sql: "VACUUM t;".into() },
            down: Some(DraftSection::no_op()),
        };
        let parsed = crate::revision::format::parse(Path::new(&draft.file_name()), draft.text().into_bytes()).expect("sound");
        let revision = parsed.revision;
        assert_eq!((revision.id.as_str(), revision.message.as_str()), ("003", "Join them"));
        assert_eq!(crate::revision::join_ids(&revision.parents), "001, 002");
        assert_eq!(crate::revision::join_ids(&revision.depends_on), "000");
        assert_eq!(revision.up.mode, crate::revision::SectionMode::Stepwise);
        assert_eq!(revision.file_name(), "003_join_them.sql");
        assert!(revision.down.is_some());
    }
}
