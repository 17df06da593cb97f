//! How sequences count.

use serde::{Deserialize, Serialize};

/// How a sequence counts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the catalog's own words")]
pub struct SequenceNumbers {
    #[serde(rename = "type")]
    pub type_name: String,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
}

impl SequenceNumbers {
    /// How a sequence of a type counts by default (PostgreSQL manual, CREATE SEQUENCE).
    pub(in crate::model) fn by_default(type_name: &str) -> Self {
        let max = match type_name {
            "smallint" => i64::from(i16::MAX),
            "integer" => i64::from(i32::MAX),
            _ => i64::MAX,
        };
        Self { type_name: type_name.to_owned(), start: 1, increment: 1, min: 1, max, cache: 1, cycle: false }
    }

    /// The options of a new sequence of this type that counts like this.
    pub(in crate::model) fn options_of_new(&self) -> Vec<String> {
        let mut usual = Self::by_default(&self.type_name);
        if self.increment < 0 {
            (usual.min, usual.max) = (-usual.max - 1, -1);
        }
        // By default it starts at the minimum, or downwards at the maximum.
        usual.start = if self.increment < 0 { self.max } else { self.min };
        usual.options(self)
    }

    /// The type's option, if it changes to that of `new`.
    pub(super) fn type_option(&self, new: &Self) -> Option<String> {
        (self.type_name != new.type_name).then(|| format!("AS {}", new.type_name))
    }

    /// The other options that lead to `new`.
    pub(super) fn options(&self, new: &Self) -> Vec<String> {
        let retyped = self.type_name != new.type_name;
        let mut words = Vec::new();
        for (word, before, after, is_bound) in [
            ("INCREMENT BY", self.increment, new.increment, false),
            ("MINVALUE", self.min, new.min, true),
            ("MAXVALUE", self.max, new.max, true),
            ("START WITH", self.start, new.start, false),
            ("CACHE", self.cache, new.cache, false),
        ] {
            if before != after || (retyped && is_bound) {
                words.push(format!("{word} {after}"));
            }
        }
        if self.cycle != new.cycle {
            words.push(if new.cycle { "CYCLE" } else { "NO CYCLE" }.to_owned());
        }
        words
    }
}
