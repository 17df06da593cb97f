//! SQL that this program writes, as a type: text becomes SQL only as a constant template, or as a value that is quoted by
//! its type. And whole messages of it (`Message`), whose names don't depend on the session's search path.
//!
//! ```text
//! sql!("SELECT … FROM {table} WHERE id = {id}", table = …, id = …) ─► Sql ─► Message ─► Session
//! ```

mod identifier;
mod message;
mod name;
mod server_timeout;
mod session;
mod value;

use std::borrow::Cow;
use std::fmt::{self, Write as _};

pub(crate) use identifier::quote_identifier;
pub(crate) use message::Message;
pub(crate) use name::{Ident, QualifiedName, SearchPath, TableName};
pub use server_timeout::ServerTimeout;
pub(crate) use session::{BEGIN, NO_STATEMENT_TIMEOUT, begin, commit, deallocate, discard, safe_settings, set_role};
pub(crate) use session::{Deallocation, Flush};
pub(crate) use value::{EscapeString, Literal, SharedLiteral, TextArray};

use crate::shared_text::{SharedText, TextPart};

/// A statement, or a part of one. Large parts of it are shared with the revision that they are from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sql {
    /// Its text, except the shared parts.
    own: String,
    /// The shared parts in order, and where in `own` each belongs.
    shared: Vec<(usize, TextPart)>,
}

/// A part of a shared text that is shorter than this is copied.
const WORTH_SHARING: usize = 64 << 10;

impl Sql {
    /// A constant of this program.
    pub(crate) fn of(text: &'static str) -> Self {
        debug_assert!(!has_comment(text), "a comment would be sent to the server, whose log it fills: {text}");
        Self::from_own(text)
    }

    /// The text of a revision or of a model, executed unchanged.
    pub(crate) fn from_file(text: impl Into<String>) -> Self {
        Self::from_own(text)
    }

    /// A statement of [`crate::model`], made of what the server itself printed about its catalog.
    pub(crate) fn from_catalog(text: impl Into<String>) -> Self {
        Self::from_own(text)
    }

    fn from_own(text: impl Into<String>) -> Self {
        Self { own: text.into(), shared: Vec::new() }
    }

    /// Parts with a constant between them.
    pub(crate) fn join(parts: impl IntoIterator<Item = Self>, separator: &'static str) -> Self {
        let mut parts = parts.into_iter();
        let mut joined = parts.next().unwrap_or_default();
        for part in parts {
            joined.own += separator;
            joined.append(&part);
        }
        joined
    }

    /// Appends a part.
    pub(crate) fn append(&mut self, part: &Self) {
        let start = self.own.len();
        self.shared.extend(part.shared.iter().map(|(at, text)| (start + at, text.clone())));
        self.own += &part.own;
    }

    /// Appends text of a file, executed unchanged or in quotes.
    pub(crate) fn append_text(&mut self, text: TextPart) {
        if text.len() < WORTH_SHARING { self.own += &text } else { self.shared.push((self.own.len(), text)) }
    }

    /// Appends a constant of this program.
    pub(crate) fn append_constant(&mut self, text: &'static str) {
        self.own += text;
    }

    /// Whether it has no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.shared.is_empty()
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.own.len() + self.shared.iter().map(|(_, text)| text.len()).sum::<usize>()
    }

    /// Its text in pieces.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        let shared = self.shared.iter().flat_map(move |(at, text)| [&self.own[std::mem::replace(&mut start, *at)..*at], &**text]);
        let last = self.shared.last().map_or(0, |(at, _)| *at);
        shared.chain([&self.own[last..]])
    }

    /// The same as shared texts, for which its own text is moved out.
    pub(crate) fn into_parts(self) -> Vec<TextPart> {
        let (own, mut start) = (SharedText::from(self.own), 0);
        let mut parts = Vec::new();
        for (at, text) in self.shared {
            parts.extend([own.part(std::mem::replace(&mut start, at)..at), text]);
        }
        parts.push(own.part(start..own.len()));
        parts
    }

    /// Its text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        if self.shared.is_empty() { Cow::Borrowed(&self.own) } else { Cow::Owned(self.pieces().collect()) }
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(piece))
    }
}

/// A value of a template's placeholder `{name}`. Plain text is none: it needs a type that quotes it.
pub(crate) trait SqlValue: fmt::Display + Sync {
    /// Appends it to a statement.
    fn append_to(&self, sql: &mut Sql) {
        let _ = write!(sql.own, "{self}");
    }
}

impl SqlValue for Sql {
    fn append_to(&self, sql: &mut Sql) {
        sql.append(self);
    }
}

impl SqlValue for SharedLiteral<'_> {
    fn append_to(&self, sql: &mut Sql) {
        self.append_quoted(sql);
    }
}

impl SqlValue for Ident {}
impl SqlValue for QualifiedName {}
impl SqlValue for SearchPath {}
impl SqlValue for ServerTimeout {}
impl SqlValue for Literal<'_> {}
impl SqlValue for EscapeString<'_> {}
impl SqlValue for TextArray<'_> {}
impl SqlValue for bool {}
impl SqlValue for i32 {}
impl SqlValue for i64 {}
impl SqlValue for u32 {}
impl SqlValue for u128 {}
impl SqlValue for usize {}

/// A template with its values filled in: `sql!("… {name} …", name = value)`.
macro_rules! sql {
    ($template:expr $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::sql::fill($template, &[$((stringify!($name), &$value as &dyn $crate::sql::SqlValue)),*])
    };
}
pub(crate) use sql;

/// Replaces the placeholders of a template, each once: a value is not searched for placeholders. A placeholder is a name of
/// lower-case letters, digits and `_` in braces; other braces, such as those of `'{}'`, stay.
pub(crate) fn fill(template: &'static str, values: &[(&str, &dyn SqlValue)]) -> Sql {
    debug_assert!(!has_comment(template), "a comment would be sent to the server, whose log it fills: {template}");
    let mut filled = Sql::from_own(String::with_capacity(template.len() * 2));
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.own += before;
        let value = after.split_once('}').and_then(|(name, behind)| {
            let is_name = !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            debug_assert!(!is_name || value.is_some(), "the placeholder {{{name}}} has no value");
            value.map(|value| (value, behind))
        });
        match value {
            Some((value, behind)) => {
                value.append_to(&mut filled);
                rest = behind;
            }
            None => {
                filled.own.push('{');
                rest = after;
            }
        }
    }
    filled.own += rest;
    filled
}

/// Whether a template has a comment. None of them needs those characters for anything else.
fn has_comment(template: &str) -> bool {
    template.contains("--") || template.contains("/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_replaced() {
        let schema = Ident::parse("{key}").expect("a name");
        let filled = sql!("SELECT '{}', {key} FROM {schema}.t, {schema}.u", schema = schema, key = Literal("{schema}"));
        assert_eq!(filled.text(), "SELECT '{}', '{schema}' FROM \"{key}\".t, \"{key}\".u");
    }

    #[test]
    fn a_large_text_is_shared_and_stays_where_it_was_put() {
        let large = SharedText::from("ä';".repeat(WORTH_SHARING));
        let literal = sql!("SELECT {large}, {small}", large = SharedLiteral(&large), small = SharedLiteral(&"x".into()));
        let twice = Sql::join([literal.clone(), Sql::of("SELECT 1"), literal], ";\n");
        let expected = format!("SELECT $p${large}$p$, 'x'");
        let expected = format!("{expected};\nSELECT 1;\n{expected}");
        assert_eq!((twice.shared.len(), twice.len()), (2, expected.len()));
        assert!(twice.text() == expected && twice.to_string() == expected);
        assert!(twice.into_parts().iter().map(|part| &**part).collect::<String>() == expected);
    }
}
