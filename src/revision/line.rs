//! Lines of a text. They end where PostgreSQL's lexer ends a `--` comment, and where libpq counts a line: at `\n`, `\r\n` or a
//! lone `\r`.

use std::borrow::Cow;
use std::ops::Range;

/// One line of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    /// Its text, without the line end.
    pub text: &'t str,
    /// The byte range of that text.
    pub range: Range<usize>,
    /// The byte where the next line begins.
    pub next: usize,
}

/// The line that begins at byte `start`.
pub(crate) fn line_at(text: &str, start: usize) -> Line<'_> {
    let rest = &text[start..];
    let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let end = match &rest.as_bytes()[length..] {
        [b'\r', b'\n', ..] => 2,
        [_, ..] => 1,
        [] => 0,
    };
    Line { text: &rest[..length], range: start..start + length, next: start + length + end }
}

/// All lines.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let line = (start < text.len()).then(|| line_at(text, start))?;
        start = line.next;
        Some(line)
    })
}

/// The byte where the line of byte `offset` begins.
pub(crate) fn line_start(text: &str, offset: usize) -> usize {
    let bytes = text.as_bytes();
    let ends_line = |at: &usize| bytes[*at] == b'\n' || bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    (0..offset).rev().find(ends_line).map_or(0, |end| end + 1)
}

/// The text with each line end as `\n`, for comparisons and checksums. The original text is what is executed and recorded.
pub(crate) fn normalized(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

/// A line and column of a file, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl LineColumn {
    /// The line and column of byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let start = line_start(text, before.len());
        Self { line: lines(&text[..start]).count() + 1, column: before[start..].chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_any_of_the_three_line_ends() {
        let text = "a\r\nb\rc\n\n\r\rd";
        let found: Vec<&str> = lines(text).map(|line| line.text).collect();
        assert_eq!(found, ["a", "b", "c", "", "", "", "d"]);
        assert_eq!(found.join("\n"), normalized(text));
        for line in lines(text) {
            assert_eq!(line_start(text, line.range.start), line.range.start);
            assert_eq!(line_start(text, line.range.end), line.range.start);
        }
        assert_eq!(line_start(text, 2), 0, "between \\r and \\n the line has not ended");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(LineColumn::of("a\nüüx", 6), LineColumn { line: 2, column: 3 });
        assert_eq!(LineColumn::of("", 0), LineColumn { line: 1, column: 1 });
    }
}
