//! What a comparison leaves as it is although the model lacks it, for the answer. Pure.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::escape;

/// How many names of a kind the text has; the JSON has all.
const NAMED: usize = 10;

/// What is left as it is, by its kind in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftAlone(BTreeMap<&'static str, Vec<String>>);

impl LeftAlone {
    pub(super) fn add(&mut self, kind: &'static str, name: &str) {
        self.0.entry(kind).or_default().push(name.to_owned());
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As SQL comments, a line for each kind.
    pub fn text(&self) -> String {
        let line = |(kind, names): (&&str, &Vec<String>)| {
            let named: Vec<String> = names.iter().take(NAMED).map(|name| escape::line(name).to_string()).collect();
            let more = names.len() - named.len();
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("-- left alone, as the model has none: {kind} {}{more}\n", named.join(", "))
        };
        self.0.iter().map(line).collect()
    }
}

impl Serialize for LeftAlone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}"))))
    }
}
