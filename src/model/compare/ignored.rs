//! The words of `--ignore`: what a comparison leaves out. Pure.

use std::str::FromStr;

use crate::model::ObjectKind;

/// What a comparison leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Who owns what.
    Owners,
    /// Who has which rights.
    Grants,
    /// `COMMENT ON`.
    Comments,
    /// Whether tables have row-level security.
    RowSecurity,
    /// All objects of a kind.
    Kind(ObjectKind),
}

/// Every word, in the order of the alphabet.
const WORDS: [(&str, Ignored); 23] = [
    ("aggregates", Ignored::Kind(ObjectKind::Aggregate)),
    ("columns", Ignored::Kind(ObjectKind::Column)),
    ("comments", Ignored::Comments),
    ("constraints", Ignored::Kind(ObjectKind::Constraint)),
    ("default-privileges", Ignored::Kind(ObjectKind::DefaultPrivileges)),
    ("defaults", Ignored::Kind(ObjectKind::Default)),
    ("domains", Ignored::Kind(ObjectKind::Domain)),
    ("event-triggers", Ignored::Kind(ObjectKind::EventTrigger)),
    ("extensions", Ignored::Kind(ObjectKind::Extension)),
    ("functions", Ignored::Kind(ObjectKind::Routine)),
    ("grants", Ignored::Grants),
    ("indexes", Ignored::Kind(ObjectKind::Index)),
    ("owners", Ignored::Owners),
    ("policies", Ignored::Kind(ObjectKind::Policy)),
    ("row-security", Ignored::RowSecurity),
    ("rules", Ignored::Kind(ObjectKind::Rule)),
    ("schemas", Ignored::Kind(ObjectKind::Schema)),
    ("sequences", Ignored::Kind(ObjectKind::Sequence)),
    ("statistics", Ignored::Kind(ObjectKind::Statistics)),
    ("tables", Ignored::Kind(ObjectKind::Table)),
    ("triggers", Ignored::Kind(ObjectKind::Trigger)),
    ("types", Ignored::Kind(ObjectKind::Type)),
    ("views", Ignored::Kind(ObjectKind::View)),
];

impl FromStr for Ignored {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, ignored)| *ignored);
        known.ok_or_else(|| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            format!("it is none of {}", words.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_order_and_an_unknown_one_is_answered_with_all_of_them() {
        assert!(WORDS.is_sorted_by_key(|(word, _)| *word));
        assert_eq!("policies".parse(), Ok(Ignored::Kind(ObjectKind::Policy)));
        assert!("policy".parse::<Ignored>().expect_err("unknown").contains("owners, policies, row-security"));
    }
}
