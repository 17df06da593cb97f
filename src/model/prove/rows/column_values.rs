//! A column of a table that gets rows, and the values that may go there. Pure.

use super::catalog_types::{CatalogTypes, TypeStructure};
use super::constants::Constant;
use super::value_writer::{Seed, ValueWriter};
use crate::model::sql_text::quote;

/// A column whose value is written: no generated one, and none that a sequence fills.
#[derive(Debug)]
pub(super) struct ColumnValues<'c> {
    /// Its name in SQL.
    pub(super) shown: &'c str,
    /// Its type before the change.
    pub(super) type_name: &'c str,
    /// Its type afterwards, if it is there.
    pub(super) later_type: Option<&'c str>,
    /// Whether it may be NULL before and afterwards.
    pub(super) is_nullable: bool,
    /// Its number in the table, from 0.
    pub(super) slot: u32,
    /// Constants of the constraints that name it.
    pub(super) constants: Vec<Constant>,
}

/// Which of the values of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// For which row.
    pub(super) row: u32,
    /// Added to the row's number, so that its values differ from those that were tried.
    pub(super) shift: u32,
    /// Which value: 0 is the one that all columns of the type have.
    pub(super) variant: usize,
}

impl<'c> ColumnValues<'c> {
    /// One of its values; `None` where no value of the type is known.
    pub(super) fn value(&self, choice: Choice, writer: &ValueWriter<'c>, shapes: &CatalogTypes<'c>) -> Option<String> {
        let seed = Seed { row: choice.row + choice.shift, slot: self.slot };
        let usual = writer.column_value(self.type_name, self.later_type, seed);
        if choice.variant == 0 {
            return usual;
        }
        let others = self.others(choice, writer, shapes);
        match choice.variant % (others.len() + 1) {
            0 => usual,
            number => others.into_iter().nth(number - 1),
        }
    }

    /// Values for constraints that the usual one does not satisfy.
    fn others(&self, choice: Choice, writer: &ValueWriter<'c>, shapes: &CatalogTypes<'c>) -> Vec<String> {
        let mut base = self.type_name;
        while let TypeStructure::Domain(inner) = shapes.shape(base) {
            base = inner;
        }
        let n = choice.row + choice.shift + 1;
        let cast = |text: &str| format!("{}::{}", quote(text), self.type_name);
        let mut values = Vec::new();
        if !matches!(shapes.shape(base), TypeStructure::Other) {
            let seed = |row: u32| Seed { row: choice.row + choice.shift + row, slot: self.slot };
            values.extend((1..4).filter_map(|row| writer.column_value(self.type_name, self.later_type, seed(row))));
        } else if is_number(base) {
            let given = self.constants.iter().flat_map(|constant| match constant {
                Constant::Number(number) => vec![*number, number + i64::from(n), number - i64::from(n)],
                Constant::Text(text) => text.parse::<i64>().map(|number| vec![number, number + i64::from(n)]).unwrap_or_default(),
            });
            let numbers: Vec<i64> = given.chain([i64::from(n), 0, 1, -i64::from(n), 100 * i64::from(n)]).collect();
            values.extend(numbers.iter().map(|number| cast(&number.to_string())));
            if !matches!(base, "smallint" | "integer" | "bigint") {
                values.push(cast(&format!("0.{n}")));
            }
        } else {
            // Each row begins with another of the constants.
            let texts: Vec<String> = self
                .constants
                .iter()
                .filter_map(|constant| if let Constant::Text(text) = constant { Some(cast(text)) } else { None })
                .collect();
            let first = choice.row as usize % texts.len().max(1);
            values.extend(texts.iter().cycle().skip(first).take(texts.len()).cloned());
            if base == "text" || base.starts_with("character") || base.ends_with("citext") {
                let lengths = self
                    .constants
                    .iter()
                    .filter_map(|constant| if let Constant::Number(number @ 1..=200) = constant { Some(*number) } else { None });
                let long = |length: i64| format!("{:0>width$}", n, width = usize::try_from(length).unwrap_or(1));
                let styles = [
                    format!("v{n}@example.com"),
                    format!("https://example.com/{n}"),
                    n.to_string(),
                    format!("V{n}"),
                    format!("+4930{n:07}"),
                    format!("#{n:06x}"),
                    format!("00000000-0000-4000-8000-{n:012}"),
                    format!(
                        "{}{}",
                        char::from(b'A' + u8::try_from(n % 26).unwrap_or(0)),
                        char::from(b'A' + u8::try_from(n / 26 % 26).unwrap_or(0))
                    ),
                    String::new(),
                ];
                let texts: Vec<String> =
                    lengths.flat_map(|length| [long(length), long(length + 1), long(length - 1)]).chain(styles).collect();
                values.extend(texts.iter().map(|text| cast(text)));
            }
            if base == "boolean" {
                values.extend([cast("true"), cast("false")]);
            }
        }
        if self.is_nullable {
            values.push("NULL".to_owned());
        }
        values
    }
}

fn is_number(type_name: &str) -> bool {
    matches!(type_name, "smallint" | "integer" | "bigint" | "real" | "double precision") || type_name.starts_with("numeric")
}
