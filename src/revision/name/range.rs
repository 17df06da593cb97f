//! `FROM:TO`: two names, the ends of a range.

use super::error::NameError;
use super::parse::RevisionName;

/// `FROM:TO`, or one name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRange {
    /// Where it begins: one or more revisions, separated by commas. `None`: only one name was typed.
    pub from: Option<Vec<RevisionName>>,
    /// Where it ends.
    pub to: RevisionName,
}

impl NameRange {
    /// Splits at the colon. `FROM:` ends at heads, `:TO` begins at base.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let name = |text: &str, absent: &str| RevisionName::parse(if text.is_empty() { absent } else { text });
        match typed.split_once(':') {
            None => Ok(Self { from: None, to: RevisionName::parse(typed)? }),
            Some((_, to)) if to.contains(':') => Err(NameError::NotARange(typed.to_owned())),
            Some((from, to)) => {
                let from = from.split(',').map(|from| name(from.trim(), "base")).collect::<Result<_, _>>()?;
                Ok(Self { from: Some(from), to: name(to, "heads")? })
            }
        }
    }
}
