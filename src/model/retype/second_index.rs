//! The index of a second column that takes the place of one of the first column.

use crate::model::index_text::copy_index;
use crate::model::{Key, Object, ObjectKind};

/// An index, or a constraint with an index, and its successor.
#[derive(Clone, Debug)]
pub(super) struct SecondIndex {
    /// The index or the constraint.
    pub(super) key: Key,
    /// The key of the successor until it takes its place.
    pub(super) second_key: Key,
    /// Builds the successor, concurrently.
    pub(super) create: String,
    /// Lets it take the place, whose name is free.
    pub(super) succeed: Vec<String>,
}

/// How SQL names what a successor is built from.
pub(super) struct IndexNames<'n> {
    /// Its table.
    pub(super) table: &'n str,
    /// The schema with a dot, if names need it.
    pub(super) schema: &'n str,
    /// The successor, without a schema.
    pub(super) second: &'n str,
    /// The columns of the first and of the second index.
    pub(super) columns: &'n [(&'n str, &'n str)],
}

impl SecondIndex {
    /// `None` if the object is no such index.
    pub(super) fn of(key: &Key, object: &Object, names: &IndexNames<'_>) -> Option<Self> {
        let IndexNames { table, schema, second, columns } = names;
        let shown = &object.shown;
        let (create, succeed) = match object.definition().as_index() {
            Some(index) => (
                copy_index(&index.definition, second, |rest| with_columns(rest, columns))?,
                vec![format!("ALTER INDEX {schema}{second} RENAME TO {}", key.bare())],
            ),
            None => {
                let constraint = object.definition().as_constraint()?;
                let (word, rest) = ["PRIMARY KEY ", "UNIQUE "]
                    .into_iter()
                    .find_map(|word| Some((word.trim_end(), constraint.definition.strip_prefix(word)?)))?;
                let (distinct, rest) = rest.strip_prefix("NULLS NOT DISTINCT ").map_or(("", rest), |rest| (" NULLS NOT DISTINCT", rest));
                let options = constraint.index_options.as_deref().unwrap_or_default();
                let options = if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) };
                let on = with_columns(rest, columns);
                (
                    format!("CREATE UNIQUE INDEX CONCURRENTLY {second} ON {table} {on}{distinct}{options}"),
                    vec![
                        format!("ALTER INDEX {schema}{second} RENAME TO {shown}"),
                        format!("ALTER TABLE {table} ADD CONSTRAINT {shown} {word} USING INDEX {shown}"),
                    ],
                )
            }
        };
        let second_key = Key { kind: ObjectKind::Index, name: format!("{}.{second}", key.schema()).into() };
        Some(Self { key: key.clone(), second_key, create, succeed })
    }
}

/// A text of the server about one table, with other names of columns.
fn with_columns(text: &str, columns: &[(&str, &str)]) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let end = match first {
            '\'' => quoted_length(rest, '\''),
            '"' => quoted_length(rest, '"'),
            _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        // A function, and the type of a cast.
        let is_other = after.starts_with('(') || written.ends_with("::");
        let other = columns.iter().find(|(from, _)| *from == token).filter(|_| !is_other);
        written.push_str(other.map_or(token, |(_, to)| to));
        rest = after;
    }
    written
}

/// The length of a constant or a quoted name at the beginning of a text. A doubled quote ends one and begins another.
fn quoted_length(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_are_renamed() {
        let columns = [("id", "id_new"), ("\"Id\"", "\"Id_new\"")];
        assert_eq!(
            with_columns("(id, id(id), \"Id\" DESC, (x = 'id'::id)) INCLUDE (ident) WHERE (id > 0)", &columns),
            "(id_new, id(id_new), \"Id_new\" DESC, (x = 'id'::id)) INCLUDE (ident) WHERE (id_new > 0)"
        );
    }
}
