//! A finding of `lint`.

use std::ops::Range;

/// One finding of a rule in a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's name: squawk's or pgmarch's.
    pub rule: String,
    /// What was found.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
    /// Its byte range in the file's text.
    pub range: Range<usize>,
}
