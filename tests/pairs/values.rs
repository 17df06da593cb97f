//! The values of all rows, by table and column: `to_jsonb` names the attributes of composite values, and shows integers of any width
//! alike.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Database;

/// Every row of every table, as a JSON object of its columns.
pub(crate) struct Values(BTreeMap<String, Vec<Value>>);

/// One query for the rows of all tables, partitions among them, without those of pgmarch.
const QUERIES: &str = "SELECT coalesce(string_agg(format('SELECT %L, to_jsonb(t) FROM ONLY %s t', c.oid::regclass::text, c.oid::regclass), \
    ' UNION ALL ' ORDER BY 1), 'SELECT NULL WHERE false') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('information_schema', 'pgmarch') AND n.nspname NOT LIKE 'pg\\_%' AND c.relname <> 'alembic_version'";

impl Values {
    /// Reads all tables.
    pub(crate) fn of(database: &Database) -> Self {
        let query = database.psql(QUERIES);
        let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in database.psql(&query).lines() {
            let (table, row) = line.split_once('|').unwrap_or_else(|| panic!("no table: {line}"));
            values.entry(table.to_owned()).or_default().push(serde_json::from_str(row).unwrap_or_else(|error| panic!("{row}: {error}")));
        }
        Self(values)
    }

    /// Whether each row is still there, with the same values in the columns that both times have; or which one is not. A table that is
    /// gone does not count.
    pub(crate) fn are_kept(&self, later: &Self, has_table: impl Fn(&str) -> bool) -> Result<(), String> {
        for (table, rows) in self.0.iter().filter(|(table, _)| has_table(table)) {
            let mut left: Vec<&Value> = later.0.get(table).into_iter().flatten().collect();
            for row in rows {
                let Some(place) = left.iter().position(|other| is_kept(row, other)) else {
                    return Err(format!("the row {row} of {table} is not among {left:?}"));
                };
                left.swap_remove(place);
            }
        }
        Ok(())
    }
}

/// Whether two values are equal in what both have: columns, attributes of composite values, elements.
fn is_kept(value: &Value, later: &Value) -> bool {
    match (value, later) {
        (Value::Object(old), Value::Object(new)) => old.iter().all(|(name, value)| new.get(name).is_none_or(|later| is_kept(value, later))),
        (Value::Array(old), Value::Array(new)) => old.len() == new.len() && old.iter().zip(new).all(|(value, later)| is_kept(value, later)),
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => number.to_string() == *text,
        _ => value == later,
    }
}

/// The tables of a database.
pub(crate) fn tables(database: &Database) -> Vec<String> {
    database.psql("SELECT oid::regclass FROM pg_class WHERE relkind = 'r'").lines().map(str::to_owned).collect()
}

#[test]
fn a_value_that_moved_to_another_attribute_is_not_kept() {
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let old = value(r#"{"id": 1, "p": {"x": 1, "y": 2}, "gone": 3}"#);
    assert!(is_kept(&old, &value(r#"{"id": 1, "p": {"y": 2, "x": 1}, "added": 4}"#)));
    assert!(!is_kept(&old, &value(r#"{"id": 1, "p": {"y": 1, "x": 2}}"#)));
    assert!(!is_kept(&old, &value(r#"{"id": 1, "p": null}"#)));
}
