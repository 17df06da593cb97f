//! The headers of a revision file: comment lines `-- NAME: value` before the first marker.

/// The names that headers may have.
pub const HEADERS: [&str; 8] = ["revision", "revises", "depends-on", "branch", "message", "created", "breaking", "irreversible"];

/// A header as it was read.
struct Header<'a> {
    name: &'a str,
    value: &'a str,
    /// The byte where its line begins.
    offset: usize,
}

/// The headers of one file.
#[derive(Default)]
pub(super) struct Headers<'a>(Vec<Header<'a>>);

impl<'a> Headers<'a> {
    /// The value of a header, and the byte where its line begins.
    pub(super) fn find(&self, name: &str) -> Option<(&'a str, usize)> {
        self.0.iter().find(|header| header.name == name).map(|header| (header.value, header.offset))
    }

    pub(super) fn push(&mut self, name: &'a str, value: &'a str, offset: usize) {
        self.0.push(Header { name, value, offset });
    }
}
