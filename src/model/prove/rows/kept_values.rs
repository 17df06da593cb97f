//! Whether rows have the values that they had before a change: composite attributes by their names, numbers of any width. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::catalog_types::{CatalogTypes, TypeStructure};
use crate::model::Attribute;
use crate::model::sql_text::{bare_type, unquoted};

/// A row, as `to_jsonb` has it.
pub(super) type JsonRow = Map<String, Value>;

/// A column that is compared.
#[derive(Debug)]
pub(super) struct KeptColumn<'c> {
    /// Its name without quotes.
    pub(super) name: String,
    /// Whether it is a part of the primary key, by which rows are told apart.
    pub(super) is_key: bool,
    /// Its type before.
    pub(super) before: &'c str,
    /// Its type afterwards.
    pub(super) after: &'c str,
}

/// A value that is another one than it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChangedValue {
    /// The column; `None` if the number of rows is another.
    pub(super) column: Option<String>,
    /// As it was.
    pub(super) before: String,
    /// As it is.
    pub(super) after: String,
}

/// The types of both catalogs.
#[derive(Debug)]
pub(super) struct BothTypes<'c> {
    pub(super) old: &'c CatalogTypes<'c>,
    pub(super) new: &'c CatalogTypes<'c>,
}

impl<'c> BothTypes<'c> {
    /// Whether a change of type keeps every value.
    pub(super) fn keeps(&self, before: &'c str, after: &'c str) -> bool {
        match (self.old.shape(before), self.new.shape(after)) {
            (TypeStructure::Domain(base), _) => self.keeps(base, after),
            (_, TypeStructure::Domain(base)) => self.keeps(before, base),
            (TypeStructure::Array(before), TypeStructure::Array(after)) => self.keeps(before, after),
            (TypeStructure::Composite(_), TypeStructure::Composite(_)) => true,
            (TypeStructure::Enum(_), TypeStructure::Enum(_)) => true,
            (TypeStructure::Enum(_), TypeStructure::Other) => is_text(after),
            (TypeStructure::Other, TypeStructure::Enum(_)) => is_text(before),
            // A range is a text, in which attributes have no names.
            (TypeStructure::Range(own), TypeStructure::Range(_)) => before == after && self.old.shape(own) == TypeStructure::Other,
            (TypeStructure::Other, TypeStructure::Other) => before == after || keeps_plain(before, after),
            _ => false,
        }
    }

    /// The same, every attribute of a composite type included that both types have: then no cast of a generated value fails.
    pub(super) fn keeps_wholly(&self, before: &'c str, after: &'c str) -> bool {
        match (self.old.shape(before), self.new.shape(after)) {
            (TypeStructure::Domain(base), _) => self.keeps_wholly(base, after),
            (_, TypeStructure::Domain(base)) => self.keeps_wholly(before, base),
            (TypeStructure::Composite(old), TypeStructure::Composite(new)) => {
                let later = |attribute: &Attribute| new.iter().find(|other| other.name == attribute.name);
                before == after
                    && old
                        .iter()
                        .all(|attribute| later(attribute).is_none_or(|later| self.keeps_wholly(&attribute.type_name, &later.type_name)))
            }
            (TypeStructure::Array(before), TypeStructure::Array(after)) => self.keeps_wholly(before, after),
            (TypeStructure::Enum(old), TypeStructure::Enum(new)) => old.iter().any(|label| new.contains(label)),
            _ => self.keeps(before, after) && (before == after || after == "text" || is_whole(before) && is_whole(after)),
        }
    }

    /// A value in a form in which equal values of both types are equal, with what both types have of it.
    fn common(&self, value: &Value, before: &'c str, after: &'c str) -> Value {
        match (value, self.old.shape(before), self.new.shape(after)) {
            (_, TypeStructure::Domain(base), _) => self.common(value, base, after),
            (_, _, TypeStructure::Domain(base)) => self.common(value, before, base),
            (Value::Array(items), TypeStructure::Array(before), TypeStructure::Array(after)) => {
                Value::Array(items.iter().map(|item| self.common_item(item, before, after)).collect())
            }
            (Value::Object(own), TypeStructure::Composite(old), TypeStructure::Composite(new)) => {
                let kept = old.iter().filter_map(|attribute| {
                    let later = new.iter().find(|other| other.name == attribute.name)?;
                    if !self.keeps(&attribute.type_name, &later.type_name) {
                        return None;
                    }
                    let name = unquoted(&attribute.name);
                    let value = own.get(&name).unwrap_or(&Value::Null);
                    Some((name, self.common(value, &attribute.type_name, &later.type_name)))
                });
                Value::Object(kept.collect())
            }
            (Value::Number(number), ..) => Value::String(match number.as_i64() {
                Some(whole) => whole.to_string(),
                None => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
            }),
            (Value::Bool(truth), ..) => Value::String(truth.to_string()),
            // A number that became a text, or the other way.
            (Value::String(text), ..) if is_text(before) && is_number(after) || is_number(before) && is_text(after) => {
                Value::String(text.parse::<f64>().map_or_else(|_| text.clone(), |number| number.to_string()))
            }
            _ => value.clone(),
        }
    }

    /// An item of an array, or of one of its dimensions.
    fn common_item(&self, item: &Value, before: &'c str, after: &'c str) -> Value {
        if let Value::Array(items) = item {
            return Value::Array(items.iter().map(|item| self.common_item(item, before, after)).collect());
        }
        self.common(item, before, after)
    }

    /// The first value that differs between the rows of a table before and afterwards, whatever their order.
    pub(super) fn difference(&self, columns: &[KeptColumn<'c>], before: &[JsonRow], after: &[JsonRow]) -> Option<ChangedValue> {
        if before.len() != after.len() {
            let rows = |rows: &[JsonRow]| format!("{} rows", rows.len());
            return Some(ChangedValue { column: None, before: rows(before), after: rows(after) });
        }
        let common = |row: &JsonRow| -> Vec<Value> {
            columns.iter().map(|column| self.common(row.get(&column.name).unwrap_or(&Value::Null), column.before, column.after)).collect()
        };
        let mut counts: BTreeMap<String, Vec<&JsonRow>> = BTreeMap::new();
        for row in after {
            counts.entry(Value::Array(common(row)).to_string()).or_default().push(row);
        }
        let lost: Vec<&JsonRow> =
            before.iter().filter(|row| counts.get_mut(&Value::Array(common(row)).to_string()).and_then(Vec::pop).is_none()).collect();
        let first = lost.first()?;
        let own = common(first);
        // Of the rows that were not there before, the one that is most like it.
        let weight = |column: &KeptColumn<'_>| if column.is_key { columns.len() + 1 } else { 1 };
        let like = |other: &&&JsonRow| -> usize {
            let values = common(other);
            columns.iter().zip(values.iter().zip(&own)).filter(|(_, (a, b))| a == b).map(|(column, _)| weight(column)).sum()
        };
        let nearest = counts.values().flatten().max_by_key(like)?;
        let theirs = common(nearest);
        let number = own.iter().zip(&theirs).position(|(a, b)| a != b)?;
        let column = &columns[number];
        let shown = |row: &JsonRow| row.get(&column.name).unwrap_or(&Value::Null).to_string();
        Some(ChangedValue { column: Some(column.name.clone()), before: shown(first), after: shown(nearest) })
    }
}

fn is_text(type_name: &str) -> bool {
    type_name == "text" || type_name.starts_with("character varying")
}

fn is_whole(type_name: &str) -> bool {
    matches!(type_name, "smallint" | "integer" | "bigint")
}

fn is_number(type_name: &str) -> bool {
    matches!(type_name, "smallint" | "integer" | "bigint" | "real" | "double precision") || type_name.starts_with("numeric")
}

/// The same of types that the catalog does not define.
fn keeps_plain(before: &str, after: &str) -> bool {
    let scale = |name: &str| name.split_once(',').map(|(_, rest)| rest.to_owned());
    match (bare_type(before).as_str(), bare_type(after).as_str()) {
        (a, b) if is_whole(a) && (is_whole(b) || b == "numeric") => true,
        ("numeric", "numeric") => scale(before) == scale(after) || after == "numeric",
        (a, _) if is_text(a) => is_text(after),
        (a, _) if is_whole(a) || matches!(a, "boolean" | "uuid") => is_text(after),
        ("json", "jsonb") | ("jsonb", "json") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Catalog, Definition, Key, ObjectKind};

    fn rows(values: &[Value]) -> Vec<JsonRow> {
        values.iter().filter_map(|value| value.as_object().cloned()).collect()
    }

    #[test]
    fn a_value_that_changed_is_found_whatever_the_order_of_the_rows() {
        let catalog = Catalog::default();
        let types = CatalogTypes::of(&catalog);
        let both = BothTypes { old: &types, new: &types };
        let column = |name: &str, before, after| KeptColumn { name: name.to_owned(), is_key: name == "id", before, after };
        let columns = [column("id", "integer", "bigint"), column("x", "text", "text")];
        let before = rows(&[json!({"id": 1, "x": "a"}), json!({"id": 2, "x": "b"})]);
        assert_eq!(both.difference(&columns, &before, &rows(&[json!({"id": 2, "x": "b"}), json!({"id": 1, "x": "a"})])), None);
        let swapped = both.difference(&columns, &before, &rows(&[json!({"id": 2, "x": "a"}), json!({"id": 1, "x": "b"})]));
        assert_eq!(swapped.expect("a difference").column.as_deref(), Some("x"));
        let fewer = both.difference(&columns, &before, &rows(&[json!({"id": 2, "x": "b"})])).expect("a difference");
        assert_eq!((fewer.before.as_str(), fewer.after.as_str()), ("2 rows", "1 rows"));
    }

    #[test]
    fn a_composite_type_keeps_values_whatever_the_order_of_its_attributes() {
        let composite = |attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(name, type_name)| json!({"name": name, "type": type_name})).collect::<Vec<_>>();
            Definition::Composite(serde_json::from_value(json!({"attributes": attributes})).expect("a composite type"))
        };
        let key = Key { kind: ObjectKind::Type, name: "t".into() };
        let keeps = |before: &[(&str, &str)], after: &[(&str, &str)]| {
            let (before, after) = (composite(before), composite(after));
            let (old, new) = (CatalogTypes::of_definitions(&key, &[("t", &before)]), CatalogTypes::of_definitions(&key, &[("t", &after)]));
            BothTypes { old: &old, new: &new }.keeps_wholly("t[]", "t[]")
        };
        let whole = [("a", "integer"), ("b", "text")];
        assert!(keeps(&whole, &[("b", "text"), ("a", "integer")]));
        assert!(keeps(&whole, &[("a", "bigint"), ("c", "date")]));
        assert!(!keeps(&whole, &[("b", "character varying(1)"), ("a", "integer")]));
    }
}
