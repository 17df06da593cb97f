//! A text diff.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use similar::algorithms::myers::diff_deadline_raw;
use similar::algorithms::{Capture, Compact, Replace};
use similar::udiff::UnifiedHunkHeader;

use crate::revision::line::normalized;

/// How long the shortest diff is searched for; after that, a longer one is used.
const SEARCH_LIMIT: Duration = Duration::from_secs(2);

/// The lines that differ, with two around them; how a line ends is no difference. Not by `TextDiff`, which would link in all of the library's algorithms for
/// the one that is used.
pub(crate) fn diff(applied: &str, file: &str) -> String {
    let (applied, file) = (normalized(applied), normalized(file));
    let (old, new): (Vec<&str>, Vec<&str>) = (applied.split_inclusive('\n').collect(), file.split_inclusive('\n').collect());
    let (old, new) = (old.as_slice(), new.as_slice());
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = diff_deadline_raw(&mut hook, old, 0..old.len(), new, 0..new.len(), Some(Instant::now() + SEARCH_LIMIT));
    let mut text = String::new();
    for hunk in hook.into_inner().into_inner().into_grouped_ops(2) {
        let _ = writeln!(text, "{}", UnifiedHunkHeader::new(&hunk));
        for (tag, lines) in hunk.iter().flat_map(|change| change.iter_slices(old, new)) {
            for line in lines {
                let _ = write!(text, "{tag}{line}");
                if !line.ends_with('\n') {
                    text += "\n\\ No newline at end of file\n";
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
