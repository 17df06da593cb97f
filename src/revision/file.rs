//! One file into one revision.

use std::path::Path;

use super::statement::check;
use super::{Fault, Id, Mode, Place, Problem, Revision, Section, nearest};

/// What a header may be called.
pub const HEADERS: [&str; 7] = ["revision", "revises", "depends-on", "branch", "message", "created", "breaking"];
const MARKER: &str = "-- migrate:";

/// A revision as its file states it: whether it says what it revises is known only here.
#[derive(Debug)]
pub struct Parsed {
    /// The revision; without a `revises` header its parents are still to be told.
    pub revision: Revision,
    /// Whether the file has a `revises` header.
    pub has_revises: bool,
}

/// Reads `bytes`, the content of the file at `path`, into a revision; or all that is wrong with it.
pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Parsed, Vec<Fault>> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        vec![Fault::of(path, Problem::NotUtf8 { byte })]
    })?;
    let text = normalise(text);
    let mut reader = Reader { path, text: &text, faults: Vec::new(), headers: Default::default(), sections: [None, None], astray: false };
    reader.lines();
    let Reader { mut faults, headers, sections: [up, down], .. } = reader;
    if let Some(nul) = text.find('\0') {
        faults.push(Fault::at(path, Place::of(&text, nul), Problem::Nul));
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let (prefix, slug) = stem.split_once('_').unwrap_or((stem, stem));
    let mut id = |value: &str, offset: usize| match Id::parse(value) {
        Ok(id) => Some(id),
        Err(problem) => {
            faults.push(Fault::at(path, Place::of(&text, offset), problem));
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
    let breaking = match headers.find("breaking") {
        None | Some(("false", _)) => false,
        Some(("true", _)) => true,
        Some((value, offset)) => {
            faults.push(Fault::at(path, Place::of(&text, offset), Problem::BadBreaking(value.to_owned())));
            false
        }
    };
    let branch = headers.find("branch").and_then(|(value, offset)| {
        let problem = Id::parse(value).err().map(|_| Problem::BadBranch(value.to_owned()));
        faults.extend(problem.map(|problem| Fault::at(path, Place::of(&text, offset), problem)));
        (!value.is_empty()).then(|| value.to_owned())
    });
    if up.is_none() && faults.is_empty() {
        faults.push(Fault::of(path, Problem::NoUp));
    }
    let (Some(id), Some(up), true) = (own, up, faults.is_empty()) else {
        faults.sort();
        return Err(faults);
    };
    let message = headers.find("message").map_or_else(|| slug.replace(['_', '-'], " "), |(value, _)| value.to_owned());
    let created = headers.find("created").map(|(value, _)| value.to_owned());
    let has_revises = headers.find("revises").is_some();
    let path = path.to_owned();
    Ok(Parsed { revision: Revision { id, parents, depends_on, branch, message, created, breaking, up, down, path, text }, has_revises })
}

/// `\r\n` and lone `\r` become `\n`, and a byte order mark goes: neither is part of what was written.
fn normalise(text: String) -> String {
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

/// Where a header of a revision stands, if it has it.
pub fn header_place(revision: &Revision, header: &str) -> Option<Place> {
    let is_it = |line: &str| {
        line.strip_prefix("--").and_then(|rest| rest.trim_start().strip_prefix(header)).is_some_and(|rest| rest.starts_with(':'))
    };
    let line = revision.text.lines().take_while(|line| !line.starts_with(MARKER)).position(is_it)?;
    Some(Place { line: line + 1, column: 1 })
}

#[derive(Default)]
struct Headers<'a>(Vec<(&'a str, &'a str, usize)>);

impl<'a> Headers<'a> {
    /// The value of a header and the byte offset of its line.
    fn find(&self, name: &str) -> Option<(&'a str, usize)> {
        self.0.iter().find(|(known, ..)| *known == name).map(|(_, value, offset)| (*value, *offset))
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    faults: Vec<Fault>,
    headers: Headers<'a>,
    /// Up and down.
    sections: [Option<Section>; 2],
    /// Below a marker nobody knows: what stands there can't be told.
    astray: bool,
}

const NAMES: [&str; 2] = ["-- migrate:up", "-- migrate:down"];

impl<'a> Reader<'a> {
    fn lines(&mut self) {
        let mut open: Option<(usize, usize, Mode)> = None;
        let mut offset = 0;
        for line in self.text.split_inclusive('\n') {
            let (start, end) = (offset, offset + line.len());
            offset = end;
            if let Some(marker) = line.strip_prefix(MARKER) {
                self.close(open.take(), start);
                open = self.marker(marker.trim(), start).map(|(way, mode)| (way, end, mode));
            } else if open.is_none() && self.sections[0].is_none() && !self.astray {
                self.header(line, start);
            }
        }
        self.close(open, offset);
    }

    /// `up`, `down transaction:false`…: which section begins, and how it is run.
    fn marker(&mut self, words: &str, start: usize) -> Option<(usize, Mode)> {
        let mut words = words.split_whitespace();
        let word = words.next().unwrap_or("");
        let way = match word {
            "up" => 0,
            "down" => 1,
            _ => {
                let nearest = nearest(word, ["up", "down"]).map(|word| format!("{MARKER}{word}"));
                self.astray = true;
                self.fault(start, Problem::UnknownMarker { found: format!("{MARKER}{word}"), nearest });
                return None;
            }
        };
        let mut mode = Mode::Transaction;
        for option in words {
            match option {
                "transaction:true" => mode = Mode::Transaction,
                "transaction:false" => mode = Mode::Stepwise,
                _ => {
                    let nearest = nearest(option, ["transaction:false", "transaction:true"]);
                    self.fault(start, Problem::UnknownOption { found: option.to_owned(), nearest });
                }
            }
        }
        if self.sections[way].is_some() {
            self.fault(start, Problem::RepeatedMarker(NAMES[way]));
        } else if way == 1 && self.sections[0].is_none() {
            self.fault(start, Problem::DownFirst);
        }
        Some((way, mode))
    }

    fn close(&mut self, open: Option<(usize, usize, Mode)>, end: usize) {
        let Some((way, start, mode)) = open else { return };
        let (statements, problems) = check(&self.text[start..end]);
        if statements == 0 && problems.is_empty() {
            self.fault(start.saturating_sub(1), Problem::EmptySection(NAMES[way]));
        }
        for (offset, problem) in problems {
            self.fault(start + offset, problem);
        }
        self.sections[way].get_or_insert(Section { range: start..end, mode });
    }

    fn header(&mut self, line: &'a str, start: usize) {
        let line = line.trim_end();
        let Some(comment) = line.strip_prefix("--") else {
            if !line.trim().is_empty() {
                self.fault(start, Problem::EarlySql);
            }
            return;
        };
        let Some((key, value)) = comment.trim_start().split_once(':') else { return };
        let is_word = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_'));
        if !is_word(key) {
            return;
        }
        if !HEADERS.contains(&key) {
            self.fault(start, Problem::UnknownHeader { found: key.to_owned(), nearest: nearest(key, HEADERS) });
        } else if self.headers.find(key).is_some() {
            self.fault(start, Problem::RepeatedHeader(key.to_owned()));
        } else {
            self.headers.0.push((key, value.trim(), start));
        }
    }

    fn fault(&mut self, offset: usize, problem: Problem) {
        self.faults.push(Fault::at(self.path, Place::of(self.text, offset), problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Parsed, Vec<Fault>> {
        parse(Path::new("m/002_add_rate_limit.sql"), text.as_bytes().to_vec())
    }

    fn problem(text: &str) -> (Place, Problem) {
        let faults = read(text).expect_err("the text has a fault");
        assert_eq!(faults.len(), 1, "{faults:?}");
        (faults[0].place.expect("a place"), faults[0].problem.clone())
    }

    #[test]
    fn a_full_file_is_read() {
        let text = "-- revision: 002b\n-- revises: 001, 001a\n-- depends-on: 000\n-- branch: billing\n-- created: 2026-11-22T10:15:00Z\n-- message: Add it\n-- breaking: true\n\n-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
        let revision = read(text).expect("sound").revision;
        assert_eq!(revision.id.as_str(), "002b");
        assert_eq!(super::super::list(&revision.parents), "001, 001a");
        assert_eq!(super::super::list(&revision.depends_on), "000");
        assert_eq!((revision.branch.as_deref(), revision.breaking), (Some("billing"), true));
        assert_eq!((revision.message.as_str(), revision.created.as_deref()), ("Add it", Some("2026-11-22T10:15:00Z")));
        assert_eq!((revision.up.mode, revision.sql(&revision.up)), (Mode::Stepwise, "SELECT 1;\n"));
        let down = revision.down.clone().expect("down");
        assert_eq!((down.mode, revision.sql(&down)), (Mode::Transaction, "SELECT 2;\n"));
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
        assert_eq!(plain.exact(), windows.exact());
    }

    #[test]
    fn each_fault_has_its_place() {
        let place = |line, column| Place { line, column };
        assert_eq!(
            problem("-- revise: 001\n-- migrate:up\nSELECT 1"),
            (place(1, 1), Problem::UnknownHeader { found: "revise".into(), nearest: Some("revises".into()) })
        );
        assert_eq!(
            problem("-- migrate:up transation:false\nSELECT 1"),
            (place(1, 1), Problem::UnknownOption { found: "transation:false".into(), nearest: Some("transaction:false".into()) })
        );
        assert_eq!(
            problem("-- migrate:uo\nSELECT 1").1,
            Problem::UnknownMarker { found: "-- migrate:uo".into(), nearest: Some("-- migrate:up".into()) }
        );
        assert_eq!(problem("-- migrate:up\nSELECT 'ü'; COMMIT;"), (place(2, 13), Problem::TransactionControl("COMMIT".into())));
        assert_eq!(problem("SELECT 1;\n-- migrate:up\nSELECT 1"), (place(1, 1), Problem::EarlySql));
        assert_eq!(problem("-- migrate:up\n-- nothing\n;"), (place(1, 14), Problem::EmptySection("-- migrate:up")));
        assert_eq!(problem("-- breaking: yes\n-- migrate:up\nSELECT 1").1, Problem::BadBreaking("yes".into()));
        assert_eq!(problem("-- message: a\n-- message: b\n-- migrate:up\nSELECT 1").1, Problem::RepeatedHeader("message".into()));
        assert_eq!(problem("-- migrate:up\nSELECT 1\n-- migrate:up\nSELECT 2").1, Problem::RepeatedMarker("-- migrate:up"));
        assert_eq!(problem("-- revision: a b\n-- migrate:up\nSELECT 1").1, Problem::BadId("a b".into()));
        assert_eq!(problem("-- migrate:up\nSELECT '\0'").1, Problem::Nul);
        let faults = read("-- a remark\n").expect_err("no up");
        assert_eq!(faults[0].problem, Problem::NoUp);
        let faults = parse(Path::new("a.sql"), vec![b'-', 0xff]).expect_err("not UTF-8");
        assert_eq!(faults[0].problem, Problem::NotUtf8 { byte: 1 });
    }
}
