//! A name as the user typed it, split into branch, symbol and offset.

use std::fmt;

use super::error::NameError;

/// A name as typed: `[BRANCH@]SYMBOL[+N|-N]`. What it means depends on the graph and on the version rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionName {
    pub(super) typed: String,
    pub(super) branch: Option<String>,
    pub(super) symbol: Symbol,
    pub(super) offset: i64,
}

/// What an offset counts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// The version row: nothing is written before the offset.
    Current,
    Head,
    Heads,
    Base,
    Id(String),
}

impl RevisionName {
    /// Splits a name. Whether `2024-11` is an id or an id with an offset is decided later, by the graph.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let malformed = || NameError::Malformed(typed.to_owned());
        let (branch, rest) = match typed.rsplit_once('@') {
            Some((branch, rest)) => (Some(branch.to_owned()), rest),
            None => (None, typed),
        };
        let sign = rest.rfind(['+', '-']).filter(|sign| {
            let digits = &rest[sign + 1..];
            !digits.is_empty() && digits.len() < 10 && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        let (symbol, offset) = match sign {
            Some(sign) => (&rest[..sign], rest[sign..].parse().map_err(|_| malformed())?),
            None => (rest, 0),
        };
        let symbol = match symbol {
            "" if sign.is_some() => Symbol::Current,
            "head" => Symbol::Head,
            "heads" => Symbol::Heads,
            "base" => Symbol::Base,
            id if !id.is_empty() && !id.contains(char::is_whitespace) && !id.contains(':') => Symbol::Id(id.to_owned()),
            _ => return Err(malformed()),
        };
        if branch.as_deref() == Some("") {
            return Err(malformed());
        }
        Ok(Self { typed: typed.to_owned(), branch, symbol, offset })
    }

    /// The error that no revision has this name, for a folder without revisions.
    pub fn unknown(&self) -> NameError {
        NameError::Unknown { id: self.typed.clone(), nearest: None }
    }

    /// Whether it counts from the version row.
    pub fn is_relative(&self) -> bool {
        self.symbol == Symbol::Current
    }

    /// Whether it is `base`, of the whole graph or of a branch.
    pub fn is_base(&self) -> bool {
        self.symbol == Symbol::Base && self.offset == 0
    }
}

impl fmt::Display for RevisionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}
