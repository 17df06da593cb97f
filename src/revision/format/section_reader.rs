//! The lines of a revision file: headers, then sections.

use std::ops::Range;
use std::path::Path;

use super::headers::{HEADERS, Headers};
use super::marker::{Marker, TextOrigin, is_like_marker, marker_line, read_marker};
use crate::revision::line::{line_at, line_start};
use crate::revision::statement::{Checked, RefusedStatement, check, outer_transaction};
use crate::revision::{Direction, Fault, FileProblem, LineColumn, Section, SectionMode};
use crate::words::nearest;

/// What a file contains, with all faults found in it.
pub(super) struct SectionReader<'a> {
    path: &'a Path,
    origin: TextOrigin,
    text: &'a str,
    pub(super) faults: Vec<Fault>,
    pub(super) headers: Headers<'a>,
    pub(super) up: Option<Section>,
    pub(super) down: Option<Section>,
    /// The lines that only psql needs.
    pub(super) restrict_lines: Vec<Range<usize>>,
    /// Whether there was a marker with a fault. Which section follows it is unknown.
    has_wrong_marker: bool,
}

impl<'a> SectionReader<'a> {
    /// Reads all lines of `text`.
    pub(super) fn read(path: &'a Path, origin: TextOrigin, text: &'a str) -> Self {
        let mut reader = Self {
            path,
            origin,
            text,
            faults: Vec::new(),
            headers: Headers::default(),
            up: None,
            down: None,
            restrict_lines: Vec::new(),
            has_wrong_marker: false,
        };
        reader.read_lines();
        reader
    }

    fn read_lines(&mut self) {
        let mut start = 0;
        while start < self.text.len() {
            let line = line_at(self.text, start);
            let comment = line.text.trim_start();
            let begins_line = comment.len() == line.text.len();
            let found = if comment.starts_with("--") { read_marker(comment, begins_line, self.origin) } else { None };
            match found {
                Some(marker) => return self.read_sections(line.range.end - comment.len(), marker),
                None => self.read_header(line.text, start),
            }
            start = line.next;
        }
    }

    /// Reads the marker at `start` and all that follows. From here on the text is SQL: in quotes and block comments there are no
    /// markers.
    fn read_sections(&mut self, mut start: usize, mut found: Result<Marker, FileProblem>) {
        loop {
            let section = line_at(self.text, start).next;
            let rest = &self.text[section..];
            let marker_at = |comment: &Range<usize>| {
                let begins_line = line_start(self.text, section + comment.start) == section + comment.start;
                read_marker(&rest[comment.clone()], begins_line, self.origin)
            };
            let checked = check(rest, |comment| is_like_marker(&rest[comment.clone()]) && marker_at(comment).is_some());
            let end = section + checked.end;
            let next = (end < self.text.len()).then(|| marker_at(&(checked.end..line_at(self.text, end).range.end - section))).flatten();
            match found {
                Ok(marker) => self.add_section(marker, start, section, checked),
                Err(problem) => {
                    self.has_wrong_marker = true;
                    self.fault(start, problem);
                }
            }
            let Some(next) = next else { return };
            (start, found) = (end, next);
        }
    }

    /// Adds the section from byte `section`, whose marker is at `start`.
    fn add_section(&mut self, marker: Marker, start: usize, section: usize, checked: Checked) {
        let Marker { direction, mode, unknown_options } = marker;
        let found = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        if found.is_some() {
            self.fault(start, FileProblem::RepeatedMarker(marker_line(direction)));
        } else if direction == Direction::Down && self.up.is_none() && !self.has_wrong_marker {
            self.fault(start, FileProblem::DownFirst);
        }
        for (offset, problem) in checked.problems {
            self.fault(section + offset, problem);
        }
        let mut range = section..section + checked.end;
        let content = checked.content.clone().unwrap_or(checked.end..checked.end);
        for line in &checked.restrict_lines {
            if line.end <= content.start {
                range.start = section + line.end;
            } else if line.start >= content.end {
                range.end = range.end.min(section + line.start);
            }
        }
        let mut has_outer_transaction = false;
        match mode {
            SectionMode::Stepwise => {
                for control in &checked.controls {
                    self.fault(section + control.range.start, FileProblem::StepwiseTransactionControl(control.shown.clone()));
                }
            }
            SectionMode::Transaction => match outer_transaction(&checked.controls, checked.statements) {
                Ok(Some(inner)) => {
                    range = section + inner.start..section + inner.end;
                    has_outer_transaction = true;
                }
                Ok(None) => {}
                Err(problems) => problems.into_iter().for_each(|(offset, problem)| self.fault(section + offset, problem)),
            },
        }
        let refused = if mode == SectionMode::Transaction { checked.refused } else { Vec::new() };
        let refused = refused.into_iter().map(|refused| RefusedStatement { start: section + refused.start, ..refused }).collect();
        self.restrict_lines.extend(checked.restrict_lines.into_iter().map(|line| section + line.start..section + line.end));
        let statements = checked.statements - if has_outer_transaction { checked.controls.len() } else { 0 };
        let found = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let unknown_options = unknown_options.into_iter().map(|(offset, option)| (start + offset, option)).collect();
        found.get_or_insert(Section { range, mode, is_empty: statements == 0, has_outer_transaction, unknown_options, refused });
    }

    fn read_header(&mut self, line: &'a str, start: usize) {
        let line = line.trim_end();
        let Some(comment) = line.strip_prefix("--") else {
            if !line.trim().is_empty() {
                self.fault(start, FileProblem::EarlySql);
            }
            return;
        };
        let Some((key, value)) = comment.trim_start().split_once(':') else { return };
        let is_word = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_'));
        if !is_word(key) {
            return;
        }
        if !HEADERS.contains(&key) {
            self.fault(start, FileProblem::UnknownHeader { found: key.to_owned(), nearest: nearest(key, HEADERS) });
        } else if self.headers.find(key).is_some() {
            self.fault(start, FileProblem::RepeatedHeader(key.to_owned()));
        } else {
            self.headers.push(key, value.trim(), start);
        }
    }

    fn fault(&mut self, offset: usize, problem: FileProblem) {
        self.faults.push(Fault::at(self.path, LineColumn::of(self.text, offset), problem));
    }
}
