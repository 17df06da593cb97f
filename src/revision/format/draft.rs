//! A revision file to be written: its name and its text.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::marker::marker_line;
use crate::revision::{Direction, Id, join_ids};

/// The longest slug, in characters, as in Alembic's file names.
const LONGEST_SLUG: usize = 40;

/// A revision that has no file yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Its id.
    pub id: Id,
    /// Its parents; none: `base`.
    pub revises: Vec<Id>,
    /// Revisions that must be applied first without being parents.
    pub depends_on: Vec<Id>,
    /// A branch label.
    pub branch: Option<String>,
    /// When it is written.
    pub created: Option<String>,
    /// A description in one line.
    pub message: String,
    /// Which part of a change it is, if that needs several revisions; at the end of the message and of the file's name.
    pub part: Option<&'static str>,
    /// The `up` section.
    pub up: DraftSection,
    /// The `down` section; `None`: irreversible.
    pub down: Option<DraftSection>,
}

/// A section to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DraftSection {
    /// Whether it is run statement by statement: `transaction:false`.
    pub stepwise: bool,
    /// Its SQL; empty for the author to fill in.
    pub sql: String,
}

impl DraftSection {
    /// A section with a statement that does nothing, for a merge.
    pub(crate) fn no_op() -> Self {
        Self { stepwise: false, sql: "SELECT 1;".to_owned() }
    }

    /// The marker and the SQL.
    fn text(&self, direction: Direction) -> String {
        let marker = marker_line(direction);
        let option = if self.stepwise { " transaction:false" } else { "" };
        let sql = self.sql.trim();
        if sql.is_empty() { format!("{marker}{option}\n\n") } else { format!("{marker}{option}\n{sql}\n") }
    }
}

impl Draft {
    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let join = |ids: &[Id]| if ids.is_empty() { "base".to_owned() } else { join_ids(ids) };
        let mut text = format!("-- revision: {}\n", self.id);
        let mut header = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text += &format!("-- {name}: {value}\n");
            }
        };
        header("revises", Some(join(&self.revises)));
        header("depends-on", (!self.depends_on.is_empty()).then(|| join(&self.depends_on)));
        header("branch", self.branch.clone());
        header("created", self.created.clone());
        let part = self.part.map(|part| format!(": {part}")).unwrap_or_default();
        header("message", Some(one_line(&self.message) + &part));
        text += &format!("\n{}", self.up.text(Direction::Up));
        if let Some(down) = &self.down {
            text += &format!("\n{}", down.text(Direction::Down));
        }
        text
    }

    /// The file's name: `NNN_slug.sql`.
    pub(crate) fn file_name(&self) -> String {
        let part = self.part.map(|part| format!("_{}", slug(part))).unwrap_or_default();
        format!("{}_{}{part}.sql", self.id, slug_within(&self.message, LONGEST_SLUG - part.len()))
    }

    /// Writes the file into `folder`. An existing file is not overwritten. Commands call it on the reactor's thread, so that a signal
    /// leaves no half of a file.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        let path = folder.join(self.file_name());
        let mut file = std::fs::File::create_new(&path)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        Ok(path)
    }
}

/// The time now, as in the `created` header.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower-case words joined by `_`.
pub(crate) fn slug(message: &str) -> String {
    slug_within(message, LONGEST_SLUG)
}

fn slug_within(message: &str, longest: usize) -> String {
    let lower = message.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if !slug.is_empty() && slug.len() + 1 + word.len() > longest {
            break;
        }
        let join = if slug.is_empty() { "" } else { "_" };
        slug += join;
        slug += word;
    }
    slug.truncate(longest);
    if slug.is_empty() { "revision".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_short_and_plain() {
        assert_eq!(slug("Add rate limits, to Services!"), "add_rate_limits_to_services");
        assert_eq!(slug("Größe"), "gr_e");
        assert_eq!(slug("!?"), "revision");
        assert!(slug(&"word ".repeat(30)).len() <= LONGEST_SLUG);
    }

    #[test]
    fn a_part_stays_in_the_name_of_its_file() {
        let draft = |message: &str| Draft {
            id: Id::parse("003").expect("an id"),
            revises: Vec::new(),
            depends_on: Vec::new(),
            branch: None,
            created: None,
            message: message.to_owned(),
            part: Some("build indexes"),
            up: DraftSection::default(),
            down: None,
        };
        assert_eq!(draft("x").file_name(), "003_x_build_indexes.sql");
        assert!(draft("x").text().contains("-- message: x: build indexes\n"));
        assert_eq!(draft(&"word ".repeat(30)).file_name(), "003_word_word_word_word_word_build_indexes.sql");
    }

    #[test]
    fn a_draft_is_read_back_as_it_was_meant() {
        let id = |text: &str| Id::parse(text).expect("an id");
        let draft = Draft {
            id: id("003"),
            revises: vec![id("001"), id("002")],
            depends_on: vec![id("000")],
            branch: Some("billing".into()),
            created: Some("2026-11-22T10:15:00Z".into()),
            message: "Join\nthem".into(),
            part: None,
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
