//! Whether sequences continue after the greatest value of their column. Pure.

use super::constants::names;
use crate::model::{Catalog, Definition, Key, Object, ObjectKind};

/// A column that a sequence fills.
#[derive(Debug)]
pub(super) struct CountedColumn<'c> {
    /// The column.
    pub(super) column: &'c Key,
    /// Its name in SQL.
    shown: &'c str,
    /// Its table.
    table: &'c Key,
    /// The name of the sequence, as SQL has it under the search path of the revisions.
    sequence: String,
}

/// How a sequence and its column stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NextNumber {
    /// What the sequence gives next.
    pub(super) next: i128,
    /// The value of the column that is furthest in its direction.
    pub(super) furthest: i128,
    increment: i128,
}

/// The columns of a catalog that sequences fill and where two equal values are refused, or that are identities.
pub(super) fn counted_columns(catalog: &Catalog) -> Vec<CountedColumn<'_>> {
    let mut found = Vec::new();
    for (key, object) in catalog.objects.iter().filter(|(key, _)| key.kind == ObjectKind::Column) {
        let (Some(column), Some(table)) = (object.definition().as_column(), &object.parent) else { continue };
        let sequence = match &column.identity {
            Some(identity) => Some(identity.sequence.clone()),
            None => catalog.default_of(key).and_then(|(_, default)| counter(default)),
        };
        if let Some(sequence) = sequence {
            found.push((key, CountedColumn { column: key, shown: &object.shown, table, sequence }, column.identity.is_some()));
        }
    }
    if found.iter().any(|(_, _, is_identity)| !is_identity) {
        let text = |object: &Object| {
            if let Definition::Constraint(constraint) = object.definition() {
                return matches!(constraint.kind, 'p' | 'u').then(|| constraint.definition.clone());
            }
            let Definition::Index(index) = object.definition() else { return None };
            let (_, columns) = index.definition.rsplit_once('(').filter(|_| index.unique)?;
            Some(columns.to_owned())
        };
        let unique: Vec<(&Key, String)> =
            catalog.objects.values().filter_map(|object| Some((object.parent.as_ref()?, text(object)?))).collect();
        found.retain(|(_, counted, is_identity)| {
            *is_identity || unique.iter().any(|(table, text)| *table == counted.table && names(text, counted.shown))
        });
    }
    found.into_iter().map(|(_, counted, _)| counted).collect()
}

/// The sequence of `nextval('s'::regclass)`.
fn counter(default: &str) -> Option<String> {
    let name = default.strip_prefix("nextval('")?.strip_suffix("'::regclass)")?;
    Some(name.replace("''", "'"))
}

impl CountedColumn<'_> {
    /// The query for what [`NextNumber::of`] reads.
    pub(super) fn query(&self) -> String {
        let (sequence, table, column) = (&self.sequence, &self.table.name, self.shown);
        format!(
            "SELECT s.last_value::text, s.is_called::text, \
             (SELECT q.seqincrement::text FROM pg_catalog.pg_sequence q WHERE q.seqrelid = {}::pg_catalog.regclass AND NOT q.seqcycle), \
             (SELECT pg_catalog.max(pgmarch_row.{column})::text FROM {table} pgmarch_row), (SELECT pg_catalog.min(pgmarch_row.{column})::text FROM {table} pgmarch_row) \
             FROM {sequence} s",
            crate::model::sql_text::quote(sequence)
        )
    }

    /// The name of the sequence.
    pub(super) fn sequence(&self) -> &str {
        &self.sequence
    }

    /// The table of the column.
    pub(super) fn table(&self) -> &Key {
        self.table
    }
}

impl NextNumber {
    /// From the row of the query; `None` if the table is empty, or no number is in the column.
    pub(super) fn of(row: &[Option<String>]) -> Option<Self> {
        let number = |place: usize| -> Option<i128> { row.get(place)?.as_ref()?.parse().ok() };
        let increment = number(2)?;
        let last = number(0)?;
        let is_called = row.get(1)?.as_deref() == Some("true");
        let furthest = number(if increment > 0 { 3 } else { 4 })?;
        Some(Self { next: if is_called { last + increment } else { last }, furthest, increment })
    }

    /// Whether the next number is one that the column may have already.
    pub(super) fn collides(&self) -> bool {
        if self.increment > 0 { self.furthest >= self.next } else { self.furthest <= self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_is_after_the_greatest_value() {
        let row = |values: [&str; 5]| values.map(|value| (!value.is_empty()).then(|| value.to_owned()));
        let collides = |values| NextNumber::of(&row(values)).map(|next| next.collides());
        assert_eq!(collides(["1", "false", "1", "4", "1"]), Some(true));
        assert_eq!(collides(["4", "true", "1", "4", "1"]), Some(false));
        assert_eq!(collides(["-1", "false", "-1", "-1", "-4"]), Some(true));
        assert_eq!(collides(["1", "false", "1", "", ""]), None);
        assert_eq!(counter("nextval('s.\"A b\"'::regclass)").as_deref(), Some("s.\"A b\""));
    }
}
