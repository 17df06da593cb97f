//! A text that is shared instead of copied: a revision's text may be hundreds of megabytes.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A text; clones are the same memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SharedText(Arc<String>);

impl SharedText {
    /// The memory itself.
    pub(crate) fn memory(&self) -> &Arc<String> {
        &self.0
    }

    /// A part of it.
    pub(crate) fn part(&self, range: Range<usize>) -> TextPart {
        TextPart { text: self.clone(), range }
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self(Arc::new(text))
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for SharedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// A part of a shared text, such as a section of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextPart {
    /// The whole text.
    pub(crate) text: SharedText,
    /// The bytes of the part.
    pub(crate) range: Range<usize>,
}

impl TextPart {
    /// A part of this part.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { text: self.text.clone(), range: self.range.start + range.start..self.range.start + range.end }
    }
}

impl Deref for TextPart {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text[self.range.clone()]
    }
}

impl fmt::Display for TextPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
