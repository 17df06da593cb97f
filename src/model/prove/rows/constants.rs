//! The constants in the text of a check or of a partition's bounds: values that satisfy it are often among them. Pure.

/// A constant in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// A text, without its quotes.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// The constants of a text, each once, in order.
pub(super) fn constants(text: &str) -> Vec<Constant> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\'' => {
                let (inner, length) = quoted(rest);
                found.push(Constant::Text(inner));
                length
            }
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            '0'..='9' if !(before.is_alphanumeric() || matches!(before, '_' | '.')) => {
                let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                found.extend(rest[..length].parse().ok().map(|number: i64| Constant::Number(if before == '-' { -number } else { number })));
                length
            }
            other => other.len_utf8(),
        };
        before = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    let mut seen = Vec::new();
    found
        .into_iter()
        .filter(|constant| {
            !seen.contains(constant) && {
                seen.push(constant.clone());
                true
            }
        })
        .collect()
}

/// The text of a constant in quotes, and the length that it has with them.
fn quoted(text: &str) -> (String, usize) {
    let mut end = 1;
    while let Some(next) = text[end..].find('\'') {
        end += next + 1;
        if !text[end..].starts_with('\'') {
            return (text[1..end - 1].replace("''", "'"), end);
        }
        end += 1;
    }
    (text[1..].to_owned(), text.len())
}

/// Whether a text names a column, or anything else, as a word of its own.
pub(super) fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '$');
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_outside_of_names() {
        let found = constants("CHECK ((a1 > '-5'::integer) AND b = ANY (ARRAY['it''s'::text, 'x'::text]) AND \"c 7\" < 10 AND d > -3)");
        let texts = ["-5", "it's", "x"].map(|text| Constant::Text(text.to_owned()));
        assert_eq!(found[..3], texts);
        assert_eq!(found[3..], [Constant::Number(10), Constant::Number(-3)]);
    }

    #[test]
    fn a_column_is_named_as_a_word() {
        assert!(names("(a > 0)", "a") && !names("(ab > 0)", "a") && !names("(\"a\" > 0)", "a") && names("\"a\" > 0", "\"a\""));
    }
}
