//! Names that no object has.

use std::collections::BTreeSet;

use crate::model::sql_text::{LONGEST_NAME, clipped, ident, parts, unquoted};
use crate::model::{Catalog, Key, ObjectKind};

/// Every name in some catalogs, without its schema and without quotes.
pub(super) struct UsedNames(BTreeSet<String>);

impl UsedNames {
    pub(super) fn of(catalogs: [&Catalog; 2]) -> Self {
        let keys = catalogs.into_iter().flat_map(|catalog| catalog.objects.keys());
        Self(keys.flat_map(|key| parts(&key.name)).map(unquoted).collect())
    }

    /// The names of the columns of a table.
    pub(super) fn of_columns(table: &Key, catalogs: [&Catalog; 2]) -> Self {
        let objects = catalogs.into_iter().flat_map(|catalog| &catalog.objects);
        let columns = objects.filter(|(key, object)| key.kind == ObjectKind::Column && object.parent.as_ref() == Some(table));
        Self(columns.map(|(_, column)| unquoted(&column.shown)).collect())
    }

    /// `base_suffix`, with a number if another object has that name; as SQL writes it. From then on it is used.
    pub(super) fn unused(&mut self, base: &str, suffix: &str) -> String {
        let numbered = |number: u32| if number == 1 { format!("_{suffix}") } else { format!("_{suffix}{number}") };
        let mut number = 1;
        loop {
            let ending = numbered(number);
            let name = format!("{}{ending}", clipped(&unquoted(base), LONGEST_NAME - ending.len()));
            if self.0.insert(name.clone()) {
                return ident(&name);
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_once() {
        let mut names = UsedNames(BTreeSet::from(["id_bigint".to_owned()]));
        assert_eq!(names.unused("id", "bigint"), "id_bigint2");
        assert_eq!(names.unused("id", "bigint"), "id_bigint3");
        assert_eq!(names.unused("\"a \"\"b\"", "new"), "\"a \"\"b_new\"");
        assert_eq!(names.unused(&"x".repeat(63), "new").len(), LONGEST_NAME);
    }
}
