//! Constants, quoted by their type.

use std::borrow::Cow;
use std::fmt;

use super::Sql;
use crate::shared_text::SharedText;
use crate::sql;

/// A text as a string constant, in dollar quotes if it has a quote or a backslash: so no setting of the session changes its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Literal<'t>(pub(crate) &'t str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = quote(self.0);
        write!(f, "{quote}{}{quote}", self.0)
    }
}

impl<'t> Literal<'t> {
    /// The constant, or `NULL`.
    pub(crate) fn or_null(text: Option<&'t str>) -> Sql {
        text.map_or_else(|| Sql::of("NULL"), |text| sql!("{text}", text = Literal(text)))
    }
}

/// A text of a file as a string constant, which shares a large one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedLiteral<'t>(pub(crate) &'t SharedText);

impl fmt::Display for SharedLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Literal(self.0).fmt(f)
    }
}

impl SharedLiteral<'_> {
    pub(super) fn append_quoted(&self, sql: &mut Sql) {
        let quote = quote(self.0);
        sql.append(&Sql::from_file(quote.as_ref()));
        sql.append_text(self.0.part(0..self.0.len()));
        sql.append(&Sql::from_file(quote));
    }
}

/// The quote before and after a text.
fn quote(text: &str) -> Cow<'static, str> {
    if text.contains(['\'', '\\']) { dollar_quote(text).into() } else { "'".into() }
}

/// A dollar quote that occurs in `text` followed by itself only at the end.
fn dollar_quote(text: &str) -> String {
    let candidates = (0..).map(|number: u32| if number == 0 { "$p$".to_owned() } else { format!("$p{number}$") });
    let is_closing = |tag: &String| {
        // Where it begins within the text and ends behind it.
        let end = &text[text.ceil_char_boundary(text.len().saturating_sub(tag.len()))..];
        !text.contains(tag.as_str()) && format!("{end}{tag}").find(tag.as_str()) == Some(end.len())
    };
    candidates.into_iter().find(is_closing).unwrap_or_default()
}

/// A text as a string constant with C-style escapes, `E'…'`, for `SET`, which takes no dollar quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EscapeString<'t>(pub(crate) &'t str);

impl fmt::Display for EscapeString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E'{}'", self.0.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

/// Texts as an array constant of the type `text[]`.
#[derive(Clone, Debug)]
pub(crate) struct TextArray<'t>(Vec<&'t str>);

impl<'t> FromIterator<&'t str> for TextArray<'t> {
    fn from_iter<T: IntoIterator<Item = &'t str>>(texts: T) -> Self {
        Self(texts.into_iter().collect())
    }
}

impl fmt::Display for TextArray<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.0.iter().map(|text| Literal(text).to_string()).collect();
        write!(f, "ARRAY[{}]::text[]", items.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_holds_any_text() {
        let literal = |text: &str| Literal(text).to_string();
        assert_eq!(literal("a $p$ b"), "'a $p$ b'");
        assert_eq!(literal("a' $p$ b"), "$p1$a' $p$ b$p1$");
        assert_eq!(literal("a'$p"), "$p1$a'$p$p1$");
        assert_eq!(literal(&literal("a\\")), "$p1$$p$a\\$p$$p1$");
        assert_eq!(TextArray::from_iter(["1", "2"]).to_string(), "ARRAY['1','2']::text[]");
        assert_eq!(EscapeString("a'\\").to_string(), "E'a\\'\\\\'");
    }
}
