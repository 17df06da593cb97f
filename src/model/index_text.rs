//! The text that `pg_get_indexdef` prints, by its parts.

use super::sql_text::lists;

/// The parts of what `pg_get_indexdef` prints.
struct IndexDefinition<'d> {
    /// `CREATE INDEX` or `CREATE UNIQUE INDEX`.
    create: &'d str,
    name: &'d str,
    /// Of a partitioned table: the partitions have indexes of their own.
    is_on_only: bool,
    table: &'d str,
    method: &'d str,
    /// From the columns on.
    rest: &'d str,
}

impl<'d> IndexDefinition<'d> {
    fn parse(definition: &'d str) -> Option<Self> {
        let create = ["CREATE INDEX", "CREATE UNIQUE INDEX"].into_iter().find(|create| definition.starts_with(&format!("{create} ")))?;
        let (name, rest) = definition[create.len() + 1..].split_at_checked(name_length(&definition[create.len() + 1..]))?;
        let rest = rest.strip_prefix(" ON ")?;
        let (is_on_only, rest) = rest.strip_prefix("ONLY ").map_or((false, rest), |rest| (true, rest));
        let (table, rest) = rest.split_at_checked(name_length(rest))?;
        let (method, rest) = rest.strip_prefix(" USING ")?.split_once(' ')?;
        Some(Self { create, name, is_on_only, table, method, rest })
    }
}

/// The length of the name at the beginning of a text: parts with dots between them, each of which may be quoted.
fn name_length(text: &str) -> usize {
    let mut quoted = false;
    let ends = |character: char| {
        quoted ^= character == '"';
        !quoted && character == ' '
    };
    text.find(ends).unwrap_or(text.len())
}

/// Whether an index is that of a partitioned table, whose partitions have their own.
pub(super) fn is_on_only(definition: &str) -> bool {
    IndexDefinition::parse(definition).is_some_and(|index| index.is_on_only)
}

/// Whether two indexes differ in their names and tables alone.
pub(super) fn is_same_index(one: &str, other: &str) -> bool {
    let of = |definition| IndexDefinition::parse(definition).map(|index| (index.create, index.method, index.rest));
    of(one).is_some_and(|one| of(other) == Some(one))
}

/// The columns of a unique B-tree index, and what follows them.
pub(super) fn unique_columns(definition: &str) -> Option<&str> {
    let index = IndexDefinition::parse(definition)?;
    (index.create == "CREATE UNIQUE INDEX" && index.method == "btree" && !index.is_on_only).then_some(index.rest)
}

/// An index definition without the default access method.
pub(super) fn create_index(definition: &str) -> String {
    create(definition, "", None)
}

/// The same CONCURRENTLY, and under another name if there is one.
pub(super) fn create_index_concurrently(definition: &str, other_name: Option<&str>) -> String {
    create(definition, " CONCURRENTLY", other_name)
}

fn create(definition: &str, concurrently: &str, other_name: Option<&str>) -> String {
    let text = lists(definition);
    let Some(IndexDefinition { create, name, table, method, rest, .. }) = IndexDefinition::parse(&text) else { return text };
    let name = other_name.unwrap_or(name);
    let method = if method == "btree" { String::new() } else { format!(" USING {method}") };
    format!("{create}{concurrently} {name} ON {table}{method} {rest}")
}

/// The same index under another name and built concurrently, its text from the columns on changed.
pub(super) fn copy_index(definition: &str, name: &str, change: impl Fn(&str) -> String) -> Option<String> {
    let text = lists(definition);
    let IndexDefinition { create, table, method, rest, .. } = IndexDefinition::parse(&text)?;
    let method = if method == "btree" { String::new() } else { format!(" USING {method}") };
    Some(format!("{create} CONCURRENTLY {name} ON {table}{method} {}", change(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_only_an_unusual_method() {
        assert_eq!(create_index_concurrently("CREATE INDEX i ON ONLY t USING btree (a)", None), "CREATE INDEX CONCURRENTLY i ON t (a)");
        assert_eq!(create_index("CREATE INDEX i ON t USING gin (a)"), "CREATE INDEX i ON t USING gin (a)");
        let quoted = "CREATE UNIQUE INDEX \" ON ONLY \" ON ONLY s.\"a USING b\" USING btree ((a || ' USING btree ('::text))";
        assert_eq!(
            create_index_concurrently(quoted, None),
            "CREATE UNIQUE INDEX CONCURRENTLY \" ON ONLY \" ON s.\"a USING b\" ((a || ' USING btree ('::text))"
        );
        assert!(is_on_only(quoted) && !is_on_only("CREATE INDEX i ON t USING btree ((a || ' ON ONLY '::text))"));
    }
}
