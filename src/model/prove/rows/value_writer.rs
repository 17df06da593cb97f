//! Values for columns, as SQL: distinct for each row and each column. Pure.

use super::catalog_types::{CatalogTypes, TypeStructure};
use super::literal::{literal, text_of};
use crate::model::sql_text::quote;

/// Which value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed {
    /// Of which row, from 0.
    pub(super) row: u32,
    /// Of which column of the table, or attribute, from 0.
    pub(super) slot: u32,
}

/// A `smallint` is the smallest number of a column.
const LARGEST: u32 = 30_000;
/// Rows differ by 1, columns by this.
const PER_SLOT: u32 = 50;

impl Seed {
    /// The number that the value has.
    fn number(self) -> u32 {
        (1 + self.row + self.slot * PER_SLOT) % LARGEST
    }

    /// The value of a part of it.
    fn part(self, number: usize) -> Self {
        Self { slot: self.slot + 20 * (1 + u32::try_from(number).unwrap_or(0)), ..self }
    }
}

/// Writes values that fit both the catalog before and the one after, where they can.
#[derive(Debug)]
pub(super) struct ValueWriter<'c> {
    old: &'c CatalogTypes<'c>,
    new: &'c CatalogTypes<'c>,
}

impl<'c> ValueWriter<'c> {
    pub(super) fn new(old: &'c CatalogTypes<'c>, new: &'c CatalogTypes<'c>) -> Self {
        Self { old, new }
    }

    /// A value of a column that has one type before and perhaps another after; `None` where no value of the type is known.
    pub(super) fn column_value(&self, before: &'c str, after: Option<&'c str>, seed: Seed) -> Option<String> {
        match after {
            Some(after) if after != before && is_text(before) && !is_text(after) => {
                let value = match self.new.shape(after) {
                    TypeStructure::Enum(labels) => quote(labels.get(seed.row as usize % labels.len().max(1))?),
                    TypeStructure::Other => literal(after, seed.number())?,
                    TypeStructure::Array(_) | TypeStructure::Composite(_) | TypeStructure::Domain(_) | TypeStructure::Range(_) => {
                        return self.value(before, seed);
                    }
                };
                Some(format!("{value}::pg_catalog.text"))
            }
            Some(after) if after != before && is_text(before) => {
                // The shorter text fits both.
                let texts = [text_of(before, seed.number())?, text_of(after, seed.number())?];
                texts.iter().min_by_key(|text| text.len()).map(|text| format!("{}::pg_catalog.text", quote(text)))
            }
            _ => self.value(before, seed),
        }
    }

    /// A value of a type.
    fn value(&self, type_name: &'c str, seed: Seed) -> Option<String> {
        match self.old.shape(type_name) {
            TypeStructure::Array(element) => {
                let parts = [self.value(element, seed)?, self.value(element, seed.part(0))?];
                Some(format!("ARRAY[{}]::{type_name}", parts.join(", ")))
            }
            TypeStructure::Enum(labels) => {
                // A label that is removed is in the way of every statement that removes it.
                let stays = |label: &&String| !matches!(self.new.shape(type_name), TypeStructure::Enum(after) if !after.contains(*label));
                let staying: Vec<&String> = labels.iter().filter(stays).collect();
                let label = staying.get(seed.row as usize % staying.len().max(1)).copied().or(labels.first())?;
                Some(format!("{}::{type_name}", quote(label)))
            }
            TypeStructure::Composite(attributes) => {
                let attribute = |(number, attribute): (usize, &'c crate::model::Attribute)| {
                    let is_null = seed.row % 4 == 3 && number == 0;
                    let value = self.value(&attribute.type_name, seed.part(number)).filter(|_| !is_null);
                    value.unwrap_or_else(|| "NULL".to_owned())
                };
                let values: Vec<String> = attributes.iter().enumerate().map(attribute).collect();
                Some(format!("ROW({})::{type_name}", values.join(", ")))
            }
            TypeStructure::Domain(base) => self.value(base, seed).map(|value| format!("({value})::{type_name}")),
            TypeStructure::Range(subtype) => {
                let bound = self.value(subtype, seed)?;
                Some(format!("{type_name}({bound}, {bound}, '[]')"))
            }
            TypeStructure::Other => literal(type_name, seed.number()),
        }
    }

    /// How many rows a column needs to have every label of an enum, one row of four being NULL.
    pub(super) fn rows_needed(&self, type_name: &'c str) -> u32 {
        match self.old.shape(type_name) {
            TypeStructure::Enum(labels) => u32::try_from(labels.len()).unwrap_or(0) + 3,
            TypeStructure::Array(inner) | TypeStructure::Domain(inner) => self.rows_needed(inner),
            TypeStructure::Composite(_) | TypeStructure::Range(_) | TypeStructure::Other => 0,
        }
    }
}

/// Whether it is a type of text, whose constants may stand for those of any type.
fn is_text(type_name: &str) -> bool {
    type_name == "text" || type_name.starts_with("character")
}
