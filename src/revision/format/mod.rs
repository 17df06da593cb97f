//! pgmarch's own file format: headers, markers, and the sections that the markers begin. Reads a file's content into a
//! `Revision`, and writes a draft as a file. Another tool's format belongs in a folder beside this one.

pub(crate) mod draft;
mod headers;
pub(crate) mod marker;
mod section_reader;

use std::ops::Range;
use std::path::Path;

pub use headers::HEADERS;
use marker::{TextOrigin, read_marker};
use section_reader::SectionReader;

use crate::revision::checksum::TextDigest;
use crate::revision::line::lines;
use crate::revision::statement::blank;
use crate::revision::{Fault, FileProblem, Id, LineColumn, ParsedRevision, Revision, Section};
use crate::shared_text::SharedText;

/// Parses `bytes`, the content of the file at `path`, or returns all faults in it.
pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<ParsedRevision, Vec<Fault>> {
    parse_text(TextOrigin::File, path, read_text(path, bytes)?)
}

/// The same, by the rules for the text's `origin`.
#[cfg(test)]
pub(crate) fn parse_from(origin: TextOrigin, path: &Path, bytes: Vec<u8>) -> Result<ParsedRevision, Vec<Fault>> {
    parse_text(origin, path, read_text(path, bytes)?)
}

/// The content of a file as text, without its byte order mark.
fn read_text(path: &Path, bytes: Vec<u8>) -> Result<SharedText, Vec<Fault>> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        vec![Fault::of(path, FileProblem::NotUtf8 { byte })]
    })?;
    Ok(without_byte_order_mark(text).into())
}

/// Parses a text by the rules for its `origin`.
pub(crate) fn parse_text(origin: TextOrigin, path: &Path, text: SharedText) -> Result<ParsedRevision, Vec<Fault>> {
    let SectionReader { mut faults, headers, up, mut down, restrict_lines, .. } = SectionReader::read(path, origin, &text);
    if let Some(nul) = text.find('\0') {
        faults.push(Fault::at(path, LineColumn::of(&text, nul), FileProblem::Nul));
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let (prefix, slug) = stem.split_once('_').unwrap_or((stem, stem));
    let mut id = |value: &str, offset: usize| match Id::parse(value) {
        Ok(id) => Some(id),
        Err(problem) => {
            faults.push(Fault::at(path, LineColumn::of(&text, offset), problem));
            None
        }
    };
    let own = match headers.find("revision") {
        Some((value, offset)) => id(value, offset),
        None => id(prefix, 0),
    };
    let mut ids = |header: &str| -> Vec<Id> {
        let Some((value, offset)) = headers.find(header) else { return Vec::new() };
        let words = value.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "base");
        words.filter_map(|word| id(word, offset)).collect()
    };
    let (parents, depends_on) = (ids("revises"), ids("depends-on"));
    let mut is_true = |header: &'static str| match headers.find(header) {
        None | Some(("false", _)) => false,
        Some(("true", _)) => true,
        Some((value, offset)) => {
            let problem = FileProblem::NotBoolean { header, value: value.to_owned() };
            faults.push(Fault::at(path, LineColumn::of(&text, offset), problem));
            false
        }
    };
    let (breaking, irreversible) = (is_true("breaking"), is_true("irreversible"));
    if let (true, Some(section), Some((_, offset))) = (irreversible, &down, headers.find("irreversible")) {
        if section.is_empty {
            // dbmate requires the marker.
            down = None;
        } else {
            faults.push(Fault::at(path, LineColumn::of(&text, offset), FileProblem::ReversibleAfterAll));
        }
    }
    let branch = headers.find("branch").and_then(|(value, offset)| {
        let problem = Id::parse(value).err().map(|_| FileProblem::BadBranch(value.to_owned()));
        faults.extend(problem.map(|problem| Fault::at(path, LineColumn::of(&text, offset), problem)));
        (!value.is_empty()).then(|| value.to_owned())
    });
    if up.is_none() && faults.is_empty() {
        faults.push(Fault::of(path, FileProblem::NoUp));
    }
    let (Some(id), Some(up), true) = (own, up, faults.is_empty()) else {
        faults.sort();
        return Err(faults);
    };
    let message = headers.find("message").map_or_else(|| slug.replace(['_', '-'], " "), |(value, _)| value.to_owned());
    let created = headers.find("created").map(|(value, _)| value.to_owned());
    let has_revises = headers.find("revises").is_some();
    let executed = |line: &Range<usize>| {
        let is_in = |section: &Section| section.range.start < line.end && line.start < section.range.end;
        is_in(&up) || down.as_ref().is_some_and(is_in)
    };
    let blanked = restrict_lines.iter().any(executed).then(|| blank(&text, restrict_lines).into());
    let (path, exact) = (path.to_owned(), TextDigest::of(&text));
    Ok(ParsedRevision {
        revision: Revision {
            id,
            parents,
            depends_on,
            branch,
            message,
            created,
            breaking,
            irreversible,
            up,
            down,
            path,
            exact,
            text,
            blanked,
        },
        has_revises,
    })
}

/// The text without its byte order mark.
pub(crate) fn without_byte_order_mark(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    text
}

/// The line of a header, if the revision has it.
pub(crate) fn header_place(revision: &Revision, header: &str) -> Option<LineColumn> {
    let is_header = |line: &str| {
        line.strip_prefix("--").and_then(|rest| rest.trim_start().strip_prefix(header)).is_some_and(|rest| rest.starts_with(':'))
    };
    let is_marker = |line: &str| matches!(read_marker(line, true, TextOrigin::Ledger), Some(Ok(_)));
    let line = lines(&revision.text).map(|line| line.text).take_while(|line| !is_marker(line)).position(is_header)?;
    Some(LineColumn { line: line + 1, column: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::SectionMode;
    use crate::revision::statement::check;

    fn read(text: &str) -> Result<ParsedRevision, Vec<Fault>> {
        parse(Path::new("m/002_add_rate_limit.sql"), text.as_bytes().to_vec())
    }

    fn problem(text: &str) -> (LineColumn, FileProblem) {
        let faults = read(text).expect_err("the text has a fault");
        assert_eq!(faults.len(), 1, "{faults:?}");
        (faults[0].place.expect("a place"), faults[0].problem.clone())
    }

    #[test]
    fn a_full_file_is_read() {
        let text = "-- revision: 002b\n-- revises: 001, 001a\n-- depends-on: 000\n-- branch: billing\n-- created: 2026-11-22T10:15:00Z\n-- message: Add it\n-- breaking: true\n\n-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
        let revision = read(text).expect("sound").revision;
        assert_eq!(revision.id.as_str(), "002b");
        assert_eq!(crate::revision::join_ids(&revision.parents), "001, 001a");
        assert_eq!(crate::revision::join_ids(&revision.depends_on), "000");
        assert_eq!((revision.branch.as_deref(), revision.breaking), (Some("billing"), true));
        assert_eq!((revision.message.as_str(), revision.created.as_deref()), ("Add it", Some("2026-11-22T10:15:00Z")));
        assert_eq!((revision.up.mode, revision.sql(&revision.up)), (SectionMode::Stepwise, "SELECT 1;\n"));
        let down = revision.down.clone().expect("down");
        assert_eq!((down.mode, revision.sql(&down)), (SectionMode::Transaction, "SELECT 2;\n"));
    }

    #[test]
    fn id_and_message_default_to_the_file_name() {
        let revision = read("-- migrate:up\nSELECT 1").expect("sound").revision;
        assert_eq!((revision.id.as_str(), revision.message.as_str()), ("002", "add rate limit"));
        assert!(revision.down.is_none());
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_do_not_count() {
        let plain = read("-- migrate:up\nSELECT 1;\n").expect("sound").revision;
        let windows = read("\u{feff}-- migrate:up\r\nSELECT 1;\r\n").expect("sound").revision;
        assert_eq!(plain.exact_checksum(), windows.exact_checksum());
        assert_eq!(plain.semantic_checksum(&plain.up), windows.semantic_checksum(&windows.up));
        assert_eq!(windows.sql(&windows.up), "SELECT 1;\r\n", "but what is executed is what was written");
    }

    #[test]
    fn text_in_quotes_or_block_comments_is_no_marker() {
        let up = "SELECT '\n-- migrate:down\n', \"\n-- Migrate: down\n\", $x$\n-- +goose Down\n$x$ /*\n-- migrate:down\n*/;\n";
        let revision = read(&format!("-- migrate:up\n{up}-- migrate:down\nSELECT 2;")).expect("sound").revision;
        assert_eq!(revision.sql(&revision.up), up);
        assert_eq!(revision.down.map(|down| down.mode), Some(SectionMode::Transaction));
    }

    #[test]
    fn what_looks_like_a_marker_is_a_fault_at_its_place() {
        let near = |found: &str| FileProblem::NearMarker { found: found.into(), write: "-- migrate:down".into() };
        let place = |line, column| LineColumn { line, column };
        for (line, at) in [("-- Migrate:down", 1), (" -- migrate:down", 2), ("\t--migrate:down", 2), ("SELECT 2; -- migrate:down", 11)] {
            assert_eq!(problem(&format!("-- migrate:up\nSELECT 1;\n{line}\nDROP TABLE t;")), (place(3, at), near(&line[at - 1..])));
        }
        assert_eq!(problem("-- migrate:up\rSELECT 1 -- a\r\n--Migrate:down\rDROP TABLE t"), (place(3, 1), near("--Migrate:down")));
        assert_eq!(problem("-- Migrate:Up\nSELECT 1;\n-- migrate:down\nSELECT 2;").0, place(1, 1));
        assert_eq!(problem("-- migrate:up\n -- migrate:down\nSELECT 2;").0, place(2, 2));
        let faults = read("-- migrate:up\nCOMMIT;\n-- migrate: down\nCOMMIT;\n-- Migrate:down\n").expect_err("three faults");
        assert_eq!(faults.iter().filter_map(|fault| fault.place).map(|place| place.line).collect::<Vec<_>>(), [2, 3, 5]);
    }

    #[test]
    fn a_line_end_of_any_kind_ends_a_marker_and_a_comment() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["-- revises: base", "-- migrate:up", "SELECT 1; -- one", "SELECT 2;", "--migrate:down", "SELECT 3;"].join(end);
            let revision = read(&text).expect("sound").revision;
            assert_eq!(check(revision.sql(&revision.up), |_| false).statements, 2, "{end:?}");
            let down = revision.down.clone().expect("down");
            assert_eq!((revision.sql(&down), LineColumn::of(&text, down.range.start)), ("SELECT 3;", LineColumn { line: 6, column: 1 }));
            assert_eq!(header_place(&revision, "revises"), Some(LineColumn { line: 1, column: 1 }));
        }
    }

    #[test]
    fn a_text_of_the_ledger_is_read_as_it_was_applied() {
        let text = "-- migrate: up\nSELECT 1; -- migrate:down\n-- Migrate:Down\n-- migrate:\tdown\nSELECT 2;\n";
        assert!(read(text).is_err());
        let revision = parse_from(TextOrigin::Ledger, Path::new("ledger/1.sql"), text.into()).expect("sound").revision;
        assert_eq!(revision.sql(&revision.up), "SELECT 1; -- migrate:down\n-- Migrate:Down\n");
        assert_eq!(revision.down.clone().map(|down| revision.sql(&down).to_owned()).as_deref(), Some("SELECT 2;\n"));
    }

    #[test]
    fn each_fault_has_its_place() {
        let place = |line, column| LineColumn { line, column };
        assert_eq!(
            problem("-- revise: 001\n-- migrate:up\nSELECT 1"),
            (place(1, 1), FileProblem::UnknownHeader { found: "revise".into(), nearest: Some("revises".into()) })
        );
        assert_eq!(
            problem("-- migrate:up transation:false\nSELECT 1"),
            (place(1, 1), FileProblem::UnknownOption { found: "transation:false".into(), nearest: Some("transaction:false".into()) })
        );
        assert_eq!(
            problem("-- migrate:uo\nSELECT 1").1,
            FileProblem::UnknownMarker { found: "-- migrate:uo".into(), nearest: Some("-- migrate:up".into()) }
        );
        assert_eq!(problem("-- migrate:up\nSELECT 'ü'; COMMIT;"), (place(2, 13), FileProblem::TransactionControl("COMMIT".into())));
        assert_eq!(problem("SELECT 1;\n-- migrate:up\nSELECT 1"), (place(1, 1), FileProblem::EarlySql));
        assert_eq!(
            problem("-- breaking: yes\n-- migrate:up\nSELECT 1").1,
            FileProblem::NotBoolean { header: "breaking", value: "yes".into() }
        );
        assert_eq!(problem("-- message: a\n-- message: b\n-- migrate:up\nSELECT 1").1, FileProblem::RepeatedHeader("message".into()));
        assert_eq!(problem("-- migrate:up\nSELECT 1\n-- migrate:up\nSELECT 2").1, FileProblem::RepeatedMarker("-- migrate:up"));
        assert_eq!(problem("-- revision: a b\n-- migrate:up\nSELECT 1").1, FileProblem::BadId("a b".into()));
        assert_eq!(problem("-- migrate:up\nSELECT '\0'").1, FileProblem::Nul);
        let faults = read("-- a remark\n").expect_err("no up");
        assert_eq!(faults[0].problem, FileProblem::NoUp);
        let faults = parse(Path::new("a.sql"), vec![b'-', 0xff]).expect_err("not UTF-8");
        assert_eq!(faults[0].problem, FileProblem::NotUtf8 { byte: 1 });
    }
}
