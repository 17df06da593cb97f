//! A foreign key, as the rows of its table need it. Pure.

use crate::model::kinds::constraint::referenced_tables;
use crate::model::{Catalog, Definition, Key, Object};

/// A foreign key: its columns, and where their values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForeignKeyColumns {
    /// The columns of the table that has it.
    pub(super) own: Vec<String>,
    /// The columns that they refer to, in the same order.
    pub(super) referenced: Vec<String>,
    /// The table that they are columns of.
    pub(super) table: Key,
}

impl ForeignKeyColumns {
    /// That of a constraint, if it is a foreign key.
    pub(super) fn of(object: &Object, catalog: &Catalog) -> Option<Self> {
        let Definition::Constraint(constraint) = object.definition() else { return None };
        let (own, rest) = names(constraint.definition.strip_prefix("FOREIGN KEY ")?)?;
        let (_, rest) = rest.split_once(" REFERENCES ")?;
        let (referenced, _) = names(&rest[list_start(rest)?..])?;
        let table = referenced_tables(object, catalog).next()?.clone();
        (own.len() == referenced.len()).then_some(Self { own, referenced, table })
    }
}

/// Where the list in parentheses begins, outside of quotes.
fn list_start(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, character)| {
        is_quoted ^= character == '"';
        (character == '(' && !is_quoted).then_some(at)
    })
}

/// Names in parentheses, as they are written, and what follows.
pub(super) fn names(text: &str) -> Option<(Vec<String>, &str)> {
    let inner = text.strip_prefix('(')?;
    let (mut found, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, character) in inner.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' | ')' if !is_quoted => {
                let name = inner[start..at].trim();
                // PostgreSQL 18: the last column of a key may be a period.
                found.push(name.strip_prefix("PERIOD ").unwrap_or(name).to_owned());
                start = at + 1;
                if character == ')' {
                    return Some((found, &inner[at..]));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_quotes_may_hold_any_character() {
        let (found, rest) = names("(a, \"b, (c)\", \"d\"\"e\") REFERENCES t(x)").expect("names");
        assert_eq!(found, ["a", "\"b, (c)\"", "\"d\"\"e\""]);
        assert_eq!(rest, ") REFERENCES t(x)");
        assert_eq!(list_start("\"a(b\"(x)"), Some(5));
    }
}
