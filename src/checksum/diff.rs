//! A text diff.

use std::fmt::Write as _;
use std::ops::{Index, Range};
use std::time::{Duration, Instant};

use similar::DiffTag;
use similar::algorithms::myers::diff_deadline_raw;
use similar::algorithms::{Capture, Compact, Replace};
use similar::udiff::UnifiedHunkHeader;

use crate::revision::line::normalized;

/// How long the shortest diff is searched for; after that, a longer one is used.
const SEARCH_LIMIT: Duration = Duration::from_secs(2);

/// The lines of a text, by where each begins: a large text has millions.
struct TextLines<'t> {
    text: &'t str,
    /// Where each line begins, and the end of the text. No text has 4 GiB.
    starts: Vec<u32>,
}

impl<'t> TextLines<'t> {
    fn of(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1).filter(|end| *end < text.len());
        let starts = [0].into_iter().chain(ends).chain([text.len()]);
        Self { text, starts: if text.is_empty() { vec![0] } else { starts.filter_map(|at| u32::try_from(at).ok()).collect() } }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }
}

impl Index<usize> for TextLines<'_> {
    type Output = str;

    fn index(&self, line: usize) -> &str {
        &self.text[self.starts[line] as usize..self.starts[line + 1] as usize]
    }
}

/// The lines that differ, with two around them; how a line ends is no difference. Not by `TextDiff`, which would link in all of the library's algorithms for
/// the one that is used.
pub(crate) fn diff(applied: &str, file: &str) -> String {
    let (applied, file) = (normalized(applied), normalized(file));
    let (old, new) = (TextLines::of(&applied), TextLines::of(&file));
    let mut hook = Compact::new(Replace::new(Capture::new()), &old, &new);
    let Ok(()) = diff_deadline_raw(&mut hook, &old, 0..old.len(), &new, 0..new.len(), Some(Instant::now() + SEARCH_LIMIT));
    let mut text = String::new();
    let push = |text: &mut String, tag: char, lines: &TextLines<'_>, range: Range<usize>| {
        for line in range {
            let line = &lines[line];
            let _ = write!(text, "{tag}{line}");
            if !line.ends_with('\n') {
                *text += "\n\\ No newline at end of file\n";
            }
        }
    };
    for hunk in hook.into_inner().into_inner().into_grouped_ops(2) {
        let _ = writeln!(text, "{}", UnifiedHunkHeader::new(&hunk));
        for operation in hunk {
            let (old_range, new_range) = (operation.old_range(), operation.new_range());
            match operation.tag() {
                DiffTag::Equal => push(&mut text, ' ', &old, old_range),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    push(&mut text, '-', &old, old_range);
                    push(&mut text, '+', &new, new_range);
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown_with_two_around_them() {
        let applied = "1\n2\n3\nfour\n5\n6\n7\n";
        assert_eq!(diff(applied, applied), "");
        assert_eq!(
            diff(applied, "1\n2\n3\n4\n5\n6\n7"),
            "@@ -2,6 +2,6 @@\n 2\n 3\n-four\n+4\n 5\n 6\n-7\n+7\n\\ No newline at end of file\n"
        );
    }
}
