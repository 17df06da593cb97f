//! SQL that this program writes, as a type: text becomes SQL only as a constant template, or as a value that is quoted by
//! its type. And whole messages of it (`Message`), whose names don't depend on the session's search path.
//!
//! ```text
//! sql!("SELECT … FROM {table} WHERE id = {id}", table = …, id = …) ─► Sql ─► Message ─► Session
//! ```

mod message;
mod name;
mod server_timeout;
mod session;
mod value;

use std::fmt;

pub(crate) use message::Message;
pub(crate) use name::{Ident, QualifiedName, SearchPath, TableName};
pub use server_timeout::ServerTimeout;
pub(crate) use session::{BEGIN, commit, deallocate, discard, safe_settings, set_role};
pub(crate) use session::{Deallocation, Flush};
pub(crate) use value::{EscapeString, Literal, TextArray};

/// A statement, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sql(String);

impl Sql {
    /// A constant of this program.
    pub(crate) fn of(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The text of a revision or of a model, executed unchanged.
    pub(crate) fn from_file(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A statement of [`crate::model`], made of what the server itself printed about its catalog.
    pub(crate) fn from_catalog(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Parts with a constant between them.
    pub(crate) fn join(parts: impl IntoIterator<Item = Self>, separator: &'static str) -> Self {
        let parts: Vec<String> = parts.into_iter().map(|part| part.0).collect();
        Self(parts.join(separator))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value of a template's placeholder `{name}`. Plain text is none: it needs a type that quotes it.
pub(crate) trait SqlValue: fmt::Display + Sync {}

impl SqlValue for Sql {}
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
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let value = after.split_once('}').and_then(|(name, behind)| {
            let is_name = !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            debug_assert!(!is_name || value.is_some(), "the placeholder {{{name}}} has no value");
            value.map(|value| (value, behind))
        });
        match value {
            Some((value, behind)) => {
                filled += &value.to_string();
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    Sql(filled + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_replaced() {
        let schema = Ident::parse("{key}").expect("a name");
        let filled = sql!("SELECT '{}', {key} FROM {schema}.t -- {schema}", schema = schema, key = Literal("{schema}"));
        assert_eq!(filled.as_str(), "SELECT '{}', '{schema}' FROM \"{key}\".t -- \"{key}\"");
    }
}
