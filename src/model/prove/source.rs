//! The model's files: `schema.sql`, or every `.sql` file of the folder `schema/`, beside the revisions.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pg_connect::file::{self, FileError, watched};
use tokio_postgres::error::SqlState;
use tracing::info;

use crate::code_frame::CodeFrame;
use crate::facts::{FailureFacts, place};
use crate::revision::format::without_byte_order_mark;
use crate::revision::id::compare_naturally;
use crate::revision::statement::kind::affects_whole_server;
use crate::revision::statement::{Checked, blank_restrict_lines, check, outer_transaction, split};
use crate::revision::{Fault, FileProblem, LineColumn};
use crate::shared_text::SharedText;

/// One text that is run in a scratch database, and what to call it in a message.
#[derive(Clone, Debug)]
pub struct Source {
    /// `the model`, `revision 002`.
    pub what: String,
    /// The file.
    pub path: PathBuf,
    /// Its whole text.
    pub text: SharedText,
    /// The part of it that is run.
    pub range: Range<usize>,
}

/// PostgreSQL takes no message of 1 GiB or more.
const LARGEST_MODEL: u64 = 1 << 30;

const NOTHING: &str = "SELECT";

impl Source {
    /// The SQL as it is written.
    pub fn sql(&self) -> &str {
        &self.text[self.range.clone()]
    }

    /// The statements, as ranges of the text.
    pub fn statements(&self) -> Vec<Range<usize>> {
        let start = self.range.start;
        split(self.sql()).statements.into_iter().map(|found| found.range.start + start..found.range.end + start).collect()
    }

    /// The SQL to run of a part of the text. Statements that affect the whole server or another one are replaced by a `SELECT` of the
    /// same length, so that offsets stay the same; the model does not contain what they create.
    pub fn contained(&self, part: Range<usize>) -> String {
        let text = &self.text[part.clone()];
        let mut sql = blank_restrict_lines(text).unwrap_or_else(|| text.to_owned());
        // From the end, so that earlier offsets stay valid.
        for found in split(text).statements.into_iter().rev() {
            let statement = &text[found.range.clone()];
            if affects_whole_server(statement) {
                let place = LineColumn::of(&self.text, part.start + found.range.start);
                info!("{}:{}: reaches beyond the database, so it is not run in a scratch database", self.path.display(), place.line);
                // The server counts characters, not bytes.
                let blanks: String = statement.chars().skip(NOTHING.len()).map(|_| ' ').collect();
                sql.replace_range(found.range.clone(), &format!("{NOTHING}{blanks}"));
            }
        }
        sql
    }
}

/// A statement of a source that failed, with the server's error.
#[derive(Debug)]
pub struct SourceError {
    /// `the model`, `revision 002`.
    pub what: String,
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: SharedText,
    /// Its position in the text, if the server's error has one.
    pub range: Option<Range<usize>>,
    /// SQLSTATE.
    pub code: String,
    /// The server's message.
    pub message: String,
    /// Detail, hint, context; each with its name.
    pub more: Vec<(&'static str, String)>,
}

impl SourceError {
    /// Whether the server's lock table was full (53200).
    pub fn is_out_of_locks(&self) -> bool {
        self.code == SqlState::OUT_OF_MEMORY.code()
    }

    /// Line and column, if there is a position.
    pub fn place(&self) -> Option<LineColumn> {
        self.range.as_ref().map(|range| LineColumn::of(&self.text, range.start))
    }

    /// What is known about it.
    pub fn facts(&self) -> FailureFacts {
        let more = |name| self.more.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone());
        let excerpt = match &self.range {
            Some(range) => CodeFrame::new(&self.path, &self.text, range),
            None => CodeFrame::of_file(&self.path),
        };
        FailureFacts {
            sqlstate: Some(self.code.clone()),
            place: Some(place(&self.path, self.place())),
            detail: more("detail"),
            hint: more("hint"),
            context: more("context"),
            excerpt: vec![excerpt],
            ..FailureFacts::default()
        }
    }

    /// In one line: `schema.sql:3:14: relation "x" does not exist (42P01)`.
    pub fn line(&self) -> String {
        let place = self.place().map(|place| format!("{}:{}:", place.line, place.column)).unwrap_or_default();
        format!("{}:{place} {} ({})", self.path.display(), self.message, self.code)
    }
}

/// Reads the model of a folder: `None` if there is none; or every fault.
pub fn load(folder: &Path) -> Result<Option<Vec<Source>>, Vec<Fault>> {
    let (single, parts) = (folder.join("schema.sql"), folder.join("schema"));
    let paths = match (file::exists(&single), file::is_folder(&parts)) {
        (true, true) => return Err(vec![Fault { path: single, place: None, problem: FileProblem::TwoModels }]),
        (true, false) => vec![single],
        (false, true) => files(&parts)?,
        (false, false) => return Ok(None),
    };
    let mut faults = Vec::new();
    let mut sources = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(source) => sources.push(source),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(Some(sources)) } else { Err(faults) }
}

/// The files of a folder and of those in it, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
    let path = folder.to_owned();
    watched(folder, move |_| list(&path))
        .unwrap_or_else(|path| Err(vec![Fault::of(&path, FileProblem::Stalled(FileError::Stalled.to_string()))]))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
    let unreadable =
        |error: std::io::Error| vec![Fault { path: folder.to_owned(), place: None, problem: FileProblem::Unreadable(error.to_string()) }];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            found.extend(list(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
    found.sort_by(|a, b| compare_naturally(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(found)
}

fn read(path: &Path) -> Result<Source, Vec<Fault>> {
    let fault = |place, problem| Fault { path: path.to_owned(), place, problem };
    let bytes = file::read(path, LARGEST_MODEL).map(|content| content.bytes).map_err(|error| {
        let text = error.to_string();
        vec![fault(
            None,
            match error {
                FileError::Stalled => FileProblem::Stalled(text),
                FileError::NotAFile(_) | FileError::TooLarge(_) | FileError::OpenPipe => FileProblem::NotReadable(text),
                FileError::System { .. } | FileError::NotUtf8 => FileProblem::Unreadable(text),
            },
        )]
    })?;
    let text =
        String::from_utf8(bytes).map_err(|error| vec![fault(None, FileProblem::NotUtf8 { byte: error.utf8_error().valid_up_to() })])?;
    let text = without_byte_order_mark(text);
    let Checked { problems, controls, statements, .. } = check(&text, |_| false);
    let (range, controls) = match outer_transaction(&controls, statements) {
        Ok(inner) => (inner.unwrap_or(0..text.len()), Vec::new()),
        Err(problems) => (0..text.len(), problems),
    };
    let at = |(offset, problem)| fault(Some(LineColumn::of(&text, offset)), problem);
    let mut faults: Vec<Fault> = problems.into_iter().chain(controls).map(at).collect();
    if let Some(nul) = text.find('\0') {
        faults.push(fault(Some(LineColumn::of(&text, nul)), FileProblem::Nul));
    }
    if faults.is_empty() {
        Ok(Source { what: "the model".to_owned(), path: path.to_owned(), text: text.into(), range })
    } else {
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_the_order_of_its_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let schema = folder.path().join("schema");
        fs::create_dir_all(schema.join("9_last")).expect("made");
        for (name, text) in [("10_b.sql", "SELECT 2"), ("2_a.sql", "SELECT 1"), ("9_last/x.sql", "SELECT 3"), ("notes.txt", "no")] {
            fs::write(schema.join(name), text).expect("written");
        }
        let sources = load(folder.path()).expect("sound").expect("a model");
        let texts: Vec<&str> = sources.iter().map(Source::sql).collect();
        assert_eq!(texts, ["SELECT 1", "SELECT 3", "SELECT 2"]);
    }

    #[test]
    fn what_affects_the_whole_server_is_left_out_and_the_rest_keeps_its_place() {
        let text = "CREATE TABLE a ();\nCREATE ROLE \"ü\" LOGIN -- x\n;\nALTER ROLE r NOLOGIN; SELECT 1";
        let source = Source { what: "the model".into(), path: "schema.sql".into(), text: text.into(), range: 0..text.len() };
        let contained = source.contained(source.range.clone());
        assert!(!contained.contains("ROLE"), "{contained}");
        assert_eq!(contained.chars().count(), text.chars().count());
        assert_eq!(split(&contained).statements.len(), 4);
        assert!(contained.starts_with("CREATE TABLE a ();") && contained.ends_with("; SELECT 1"), "{contained}");
    }

    #[test]
    fn a_dump_is_a_model() {
        let folder = tempfile::tempdir().expect("a folder");
        let dump =
            "-- dump\n\\restrict aB1\nBEGIN;\nCREATE TABLE a ();\n\\unrestrict aB1\n\\restrict x\nSELECT 1;\nCOMMIT;\n\\unrestrict x\n";
        fs::write(folder.path().join("schema.sql"), dump).expect("written");
        let sources = load(folder.path()).expect("sound").expect("a model");
        let run = sources[0].contained(sources[0].range.clone());
        assert_eq!(run.split_whitespace().collect::<Vec<_>>(), ["CREATE", "TABLE", "a", "();", "SELECT", "1;"]);
        assert_eq!(run.len(), sources[0].sql().len());
    }

    #[test]
    fn a_file_and_a_folder_are_one_too_many_and_a_fault_has_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(load(folder.path()).expect("nothing").is_none());
        fs::write(folder.path().join("schema.sql"), "SELECT 1;\n  COMMIT;").expect("written");
        let faults = load(folder.path()).expect_err("a fault");
        assert_eq!((faults.len(), faults[0].place), (1, Some(LineColumn { line: 2, column: 3 })));
        fs::create_dir(folder.path().join("schema")).expect("made");
        assert_eq!(load(folder.path()).expect_err("two")[0].problem, FileProblem::TwoModels);
    }
}
