//! A place in a file, and its line with carets under what is meant.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::renderer::{DEFAULT_LINE_NUM_STYLE, DEFAULT_TERM_WIDTH, Style};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use console::Term;

use crate::escape;
use crate::revision::LineColumn;
use crate::revision::line::{line_at, line_start};

/// A place in a file. As text it is plain, for files and pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeFrame {
    /// `FILE:LINE:COLUMN`, or `FILE` where no line is known.
    place: String,
    line: Option<MarkedLine>,
}

/// A line of a file, with a range that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MarkedLine {
    number: usize,
    /// Its text around the range, escaped.
    text: String,
    /// In `text`.
    range: Range<usize>,
}

/// How much of a line is kept before the range, of the range, and after it, in characters. It is more than is shown: the library
/// cuts the line, and marks that. The whole line may be as long as the file.
const KEPT: usize = DEFAULT_TERM_WIDTH;

impl CodeFrame {
    /// A file in which no place is known.
    pub(crate) fn of_file(path: &Path) -> Self {
        Self { place: escape::line(path.display()).to_string(), line: None }
    }

    /// Where `range` of `whole` begins. Only that line is shown: others may hold secrets.
    pub(crate) fn new(path: &Path, whole: &str, range: &Range<usize>) -> Self {
        let LineColumn { line: number, column } = LineColumn::of(whole, range.start);
        let start = line_start(whole, range.start);
        let end = line_at(whole, start).range.end.max(range.start);
        let kept_start = whole[start..range.start].char_indices().rev().nth(KEPT).map_or(start, |(at, _)| start + at);
        let skip = |from: usize, to: usize| whole[from..to].char_indices().nth(KEPT).map_or(to, |(at, _)| from + at);
        let meant_end = skip(range.start, range.end.clamp(range.start, end));
        // An escape is longer than the character that it replaces.
        let escaped = |part: Range<usize>| escape::lines(&whole[part], 0).to_string();
        let (before, meant, after) =
            (escaped(kept_start..range.start), escaped(range.start..meant_end), escaped(meant_end..skip(meant_end, end)));
        let line = MarkedLine { number, range: before.len()..before.len() + meant.len(), text: before + &meant + &after };
        Self { place: format!("{}:{number}:{column}", escape::line(path.display())), line: Some(line) }
    }

    /// For standard output or standard error: as wide as the terminal, and in color where it has colors (`NO_COLOR`, `TERM`).
    pub(crate) fn render_for(&self, output: &Term) -> String {
        let width = output.size_checked().map_or(DEFAULT_TERM_WIDTH, |(_, columns)| columns.into());
        if output.features().colors_supported() {
            self.render(&Renderer::styled().term_width(width), DEFAULT_LINE_NUM_STYLE)
        } else {
            self.render(&Renderer::plain().term_width(width), Style::new())
        }
    }

    /// The library's frame. The place above it is not the library's: that would count columns in the escaped text.
    fn render(&self, renderer: &Renderer, arrow: Style) -> String {
        let margin = self.line.as_ref().map_or(2, |line| line.number.to_string().len());
        let mut text = format!("{:margin$}{arrow}-->{arrow:#} {}\n", "", self.place);
        if let Some(line) = &self.line {
            let meant = AnnotationKind::Primary.span(line.range.clone());
            let snippet = Snippet::source(&line.text).line_start(line.number).annotation(meant);
            text += &renderer.render(&[Group::with_level(Level::ERROR).element(snippet)]);
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for CodeFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain(), Style::new()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn frame(text: &str, range: Range<usize>) -> CodeFrame {
        CodeFrame::new(Path::new("a.sql"), text, &range)
    }

    #[test]
    fn the_caret_is_below_the_range() {
        let shown = |text, range| frame(text, range).to_string();
        assert_eq!(shown("a;\n\tb 表 c;", 10..11), " --> a.sql:2:6\n  |\n2 |     b 表 c;\n  |          ^\n");
        // Escapes are longer than the characters that they replace.
        let escaped = "2 | '\\u{1b}\\u{202e}' c\\u{8};\n  |                  ^^^^^^\n";
        assert_eq!(shown("a;\n'\u{1b}\u{202e}' c\u{8};", 10..12), format!(" --> a.sql:2:6\n  |\n{escaped}"));
        // Up to the end of the line, and of the text.
        assert_eq!(shown("ab\ncd", 1..5), " --> a.sql:1:2\n  |\n1 | ab\n  |  ^\n");
        assert_eq!(shown("x\r\nab\rcd", 4..8), " --> a.sql:2:2\n  |\n2 | ab\n  |  ^\n");
        assert_eq!(shown("ab", 2..2), " --> a.sql:1:3\n  |\n1 | ab\n  |   ^\n");
        assert_eq!(shown("", 0..0), " --> a.sql:1:1\n  |\n1 |\n  | ^\n");
        assert_eq!(shown(&"x\n".repeat(10), 20..20), "  --> a.sql:11:1\n   |\n11 |\n   | ^\n");
        assert_eq!(CodeFrame::of_file(Path::new("a\n.sql")).to_string(), "  --> a\\n.sql\n");
    }

    #[test]
    fn a_long_line_is_cut_around_the_range() {
        let long = format!("{}x{}", "ü".repeat(500_000), "ä".repeat(500_000));
        for (range, place) in [(0..2, 1), (1_000_000..1_000_001, 500_001), (2_000_001..2_000_001, 1_000_002), (2..2_000_001, 2)] {
            let frame = frame(&long, range);
            let text = frame.to_string();
            assert!(text.starts_with(&format!(" --> a.sql:1:{place}\n")) && text.contains("..."), "{text}");
            assert!(text.lines().all(|line| line.chars().count() < 170), "{text}");
            let kept = frame.line.expect("a line").text.chars().count();
            assert!(kept <= 3 * KEPT + 1, "{kept} characters are kept");
        }
        let middle = frame(&long, 1_000_000..1_000_001).to_string();
        let (line, carets) = middle.trim_end().rsplit_once("\n  | ").expect("carets");
        let shown = line.rsplit_once("| ").expect("a line").1;
        assert_eq!(shown.chars().position(|c| c == 'x'), carets.chars().position(|c| c == '^'), "{middle}");
    }

    proptest! {
        #[test]
        fn a_frame_has_four_lines_without_control_characters(
            text in "([ -~]{0,3}[\t\r\n\0\u{1b}\u{9b}\u{200d}\u{202e}\u{301}ü表👩]){0,150}",
            from in any::<Index>(),
            to in any::<Index>(),
            width in 0..200_usize,
        ) {
            let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (from, to) = (*from.get(&offsets), *to.get(&offsets));
            let shown = frame(&text, from.min(to)..from.max(to)).render(&Renderer::plain().term_width(width), Style::new());
            prop_assert_eq!(shown.lines().count(), 4, "{}", shown);
            prop_assert_eq!(escape::lines(&shown, 0).to_string(), shown);
        }
    }

    #[test]
    fn colors_add_nothing_but_themselves() {
        let frame = frame("a;\n\tb 表 c;", 10..11);
        let colored = frame.render(&Renderer::styled(), DEFAULT_LINE_NUM_STYLE);
        assert!(colored.contains("\u{1b}[91m^"), "{colored:?}");
        assert_eq!(console::strip_ansi_codes(&colored), frame.to_string());
    }
}
