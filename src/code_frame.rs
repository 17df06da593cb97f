//! A line of a file with carets under what is meant.

use std::ops::Range;
use std::path::Path;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::escape;
use crate::revision::LineColumn;
use crate::revision::line::{line_at, line_start};

/// A line of a file, its control characters but tabs escaped, with carets under `range`.
pub(crate) fn code_frame(path: &Path, whole: &str, range: &Range<usize>) -> String {
    let place = LineColumn::of(whole, range.start);
    // Only the affected line: other lines may hold secrets.
    let start = line_start(whole, range.start);
    let end = line_at(whole, start).range.end.max(range.start);
    let line = &whole[start..end];
    let span = range.start - start..range.end.min(end) - start;
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let (line, span) = excerpt(line, span);
    let [before, meant, after] =
        [&line[..span.start], &line[span.clone()], &line[span.end..]].map(|part| escape::lines(part, 0).to_string());
    // Tabs stay tabs and wide characters take two columns, so that the carets are aligned.
    let indent: String = before.chars().map(|c| if c == '\t' { "\t".to_owned() } else { " ".repeat(c.width().unwrap_or(0)) }).collect();
    let carets = "^".repeat(meant.width().max(1));
    let (file, LineColumn { line, column }) = (escape::line(path.display()), place);
    format!("{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {before}{meant}{after}\n{margin} | {indent}{carets}\n")
}

/// How many characters of a long line are shown before and after the start of the range.
const AROUND: usize = 60;

/// The part of a line around the span, and the span in it.
fn excerpt(line: &str, span: Range<usize>) -> (String, Range<usize>) {
    let (before, after) = line.split_at(span.start);
    let cut = before.char_indices().rev().nth(AROUND).map(|(start, c)| start + c.len_utf8());
    let end = after.char_indices().nth(AROUND).map_or(after.len(), |(end, _)| end);
    let before = cut.map_or(before.to_owned(), |cut| format!("…{}", &before[cut..]));
    let rest = if end < after.len() { "…" } else { "" };
    let span = before.len()..before.len() + span.len().min(end);
    (format!("{before}{}{rest}", &after[..end]), span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_below_the_range() {
        let shown = |text: &str, range| code_frame(Path::new("a.sql"), text, &range);
        assert_eq!(shown("a;\n\tb 表 c;", 10..11), " --> a.sql:2:6\n  |\n2 | \tb 表 c;\n  | \t     ^\n");
        // Escapes are longer than the characters that they replace.
        let escaped = "2 | '\\u{1b}\\u{202e}' c\\u{8};\n  |                  ^^^^^^\n";
        assert_eq!(shown("a;\n'\u{1b}\u{202e}' c\u{8};", 10..12), format!(" --> a.sql:2:6\n  |\n{escaped}"));
        // Up to the end of the line, and of the text.
        assert_eq!(shown("ab\ncd", 1..5), " --> a.sql:1:2\n  |\n1 | ab\n  |  ^\n");
        assert_eq!(shown("x\r\nab\rcd", 4..8), " --> a.sql:2:2\n  |\n2 | ab\n  |  ^\n");
        assert_eq!(shown("ab", 2..2), " --> a.sql:1:3\n  |\n1 | ab\n  |   ^\n");
        let long = format!("{}x{}", "ü".repeat(500), "ä".repeat(500));
        let around = [format!("…{}x{}…", "ü".repeat(60), "ä".repeat(59)), format!("{}^", " ".repeat(61))];
        assert_eq!(shown(&long, 1000..1001), format!(" --> a.sql:1:501\n  |\n1 | {}\n  | {}\n", around[0], around[1]));
    }
}
