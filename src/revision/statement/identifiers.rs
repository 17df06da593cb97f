//! Identifiers in a text: every word that could be a name in SQL.

use std::borrow::Cow;

/// All identifiers, quoted ones as they are and others in lower case. Those in comments, strings and function bodies are included,
/// because the statements in a body are not parsed.
pub(crate) fn find_identifiers(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c == '"' || is_identifier_part(c))?;
            rest = &rest[start..];
            if let Some(quoted) = rest.strip_prefix('"') {
                let Some(end) = end_of_quoted(quoted) else {
                    rest = quoted;
                    continue;
                };
                rest = &quoted[end + 1..];
                let name = &quoted[..end];
                return Some(if name.contains("\"\"") { Cow::Owned(name.replace("\"\"", "\"")) } else { Cow::Borrowed(name) });
            }
            let end = rest.find(|c: char| !is_identifier_part(c)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind;
            return Some(if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Cow::Owned(word.to_ascii_lowercase())
            } else {
                Cow::Borrowed(word)
            });
        }
    })
}

/// Whether a text has `CREATE SCHEMA` with this name.
pub(crate) fn creates_schema(text: &str, name: &str) -> bool {
    let words: Vec<Cow<'_, str>> = find_identifiers(text).collect();
    words.windows(2).enumerate().filter(|(_, pair)| pair[0] == "create" && pair[1] == "schema").any(|(index, _)| {
        let mut following = words.iter().skip(index + 2).map(AsRef::as_ref);
        following.find(|word| !["if", "not", "exists", "authorization"].contains(word)) == Some(name)
    })
}

fn is_identifier_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The byte of the closing quote. Two quotes are one quote in the name.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + text.get(from..)?.find('"')?;
        if !text[end + 1..].starts_with('"') {
            return Some(end);
        }
        from = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let text = "CREATE TABLE App.\"My \"\"x\"\"\" (); -- in Other.t\nDO $$ BEGIN EXECUTE 'DROP TABLE third.u'; END $$; \"open";
        let found: Vec<_> = find_identifiers(text).collect();
        for name in ["app", "My \"x\"", "other", "third", "open"] {
            assert!(found.iter().any(|word| word == name), "{name}: {found:?}");
        }
        assert!(!found.iter().any(|word| word == "App"));
    }

    #[test]
    fn a_schema_is_created_by_its_name() {
        let text =
            "create schema if not exists Billing; CREATE SCHEMA AUTHORIZATION joe; CREATE SCHEMA \"T 1\"; ALTER SCHEMA other OWNER TO x";
        for name in ["billing", "joe", "T 1"] {
            assert!(creates_schema(text, name), "{name}");
        }
        assert!(!creates_schema(text, "other") && !creates_schema(text, "x"));
    }
}
