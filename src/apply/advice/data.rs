//! Data that violates a constraint: a query that finds the rows.

use std::ops::Range;

use tokio_postgres::error::DbError;

use super::{FailedStatement, constant};
use crate::apply::executor::Executor;
use crate::revision::statement::identifiers::find_identifiers;
use crate::sql;
use crate::sql::{Literal, Message, quote_identifier};

/// The most characters of a query in advice.
const MOST_QUERY: usize = 800;

/// What the catalog has about the constraint of an error, from `data.sql`.
#[derive(Default)]
struct ConstraintFacts {
    /// The table that refers, its columns, and the table and columns that they refer to.
    referring: Option<(String, Vec<String>, String, Vec<String>)>,
    /// The expression of a check constraint.
    check: Option<String>,
    /// Whether the column of the error exists.
    has_column: bool,
    /// Whether the table exists.
    has_table: bool,
}

impl Executor<'_> {
    /// What to do about it; `None` if nothing is known but the message.
    pub(super) async fn data_advice(&self, failed: &FailedStatement<'_>) -> Option<String> {
        let error = failed.error;
        let (schema, table) = (error.schema()?, error.table()?);
        let name = format!("{}.{}", quote_identifier(schema), quote_identifier(table));
        let facts = self.constraint_facts(error, schema, table).await;
        if !facts.has_table {
            // The revision itself creates it, so its data is in the file.
            return None;
        }
        let file = failed.step.revision.path.display();
        let changes_table = find_identifiers(failed.statement)
            .next()
            .is_some_and(|verb| ["alter", "create", "reindex", "refresh"].contains(&verb.as_ref()));
        let key = error.detail().and_then(ViolatedKey::parse);
        let query = match (error.code().code(), changes_table) {
            ("23502", true) => {
                let column = quote_identifier(error.column()?);
                if !facts.has_column {
                    return Some(format!(
                        "{name} has rows, for which the new column {column} would be NULL: give it a DEFAULT, or add it without NOT NULL and fill it first, in {file}"
                    ));
                }
                Some(format!("SELECT * FROM {name} WHERE {column} IS NULL"))
            }
            ("23505", true) => key.map(|key| format!("SELECT {0}, count(*) FROM {name} GROUP BY {0} HAVING count(*) > 1", key.columns)),
            ("23503", true) => match foreign_key_of(&facts, failed.statement, &name, key.as_ref()) {
                Some((child, (parent, referred))) if referred.is_empty() => {
                    let referred = self.primary_key(&parent, schema).await;
                    (!referred.is_empty()).then(|| anti_join(&child, &(parent, referred)))
                }
                Some((child, parent)) => Some(anti_join(&child, &parent)),
                None => None,
            },
            ("23514", true) => {
                let expression = facts.check.clone().or_else(|| check_expression(failed.statement, error.constraint()));
                expression.map(|expression| format!("SELECT * FROM {name} WHERE NOT ({expression})"))
            }
            ("23503" | "23001", false) => match (&facts.referring, &key) {
                // The statement deletes or changes what other rows refer to.
                (Some((child, columns, parent, _)), Some(key)) if is_about(error, child, parent, failed.statement) => {
                    Some(format!("SELECT * FROM {child} WHERE {}", key.condition(&columns.join(", "))))
                }
                (Some((_, _, parent, columns)), Some(key)) => {
                    return Some(format!(
                        "{parent} has no row for this key (SELECT * FROM {parent} WHERE {}): insert it first, or fix the data in {file}",
                        key.condition(&columns.join(", "))
                    ));
                }
                _ => None,
            },
            ("23505" | "23P01", false) => key.map(|key| format!("SELECT * FROM {name} WHERE {}", key.condition(&key.columns))),
            ("23P01", _) => key.map(|key| format!("SELECT {0} FROM {name} ORDER BY {0}", key.columns)),
            _ => None,
        };
        let query = query.filter(|query| query.chars().count() <= MOST_QUERY);
        Some(match query {
            Some(query) if changes_table => format!("fix the rows that violate it, which this query finds: {query}"),
            Some(query) => format!("fix {file}, or the rows in its way, which this query finds: {query}"),
            None => format!("fix {file}, or the data of {name} that the error names"),
        })
    }

    /// The columns of the primary key of a table, as a statement names it beside a table of `schema`.
    async fn primary_key(&self, table: &str, schema: &str) -> Vec<String> {
        let bare: Vec<_> = find_identifiers(table).collect();
        let query = sql!(
            include_str!("primary_key.sql"),
            table = Literal(bare.last().map_or("", AsRef::as_ref)),
            schema = Literal(if bare.len() > 1 { &bare[0] } else { schema })
        );
        self.look_up(&Message::of(query)).await.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    async fn constraint_facts(&self, error: &DbError, schema: &str, table: &str) -> ConstraintFacts {
        let query = sql!(
            include_str!("data.sql"),
            schema = Literal(schema),
            table = Literal(table),
            constraint = Literal(error.constraint().unwrap_or_default()),
            column = Literal(error.column().unwrap_or_default())
        );
        let row = self.look_up(&Message::of(query)).await.into_iter().next();
        let Some(Ok([has_table, has_column, child, columns, parent, referred, check])) = row.map(<[Option<String>; 7]>::try_from) else {
            return ConstraintFacts::default();
        };
        let list = |columns: Option<String>| columns.unwrap_or_default().split(", ").map(str::to_owned).collect::<Vec<_>>();
        ConstraintFacts {
            referring: child.zip(parent).map(|(child, parent)| (child, list(columns), parent, list(referred))),
            check,
            has_column: has_column.as_deref() == Some("t"),
            has_table: has_table.as_deref() == Some("t"),
        }
    }
}

/// The columns and values in the server's DETAIL, `Key (a, b)=(1, 2) …`, whose form is the same in each language.
struct ViolatedKey {
    columns: String,
    values: String,
}

impl ViolatedKey {
    fn parse(detail: &str) -> Option<Self> {
        let (before, after) = detail.split_once(")=(")?;
        let columns = &before[before.find('(')? + 1..];
        let end = after.rfind(')').filter(|_| !after.contains(")=(")).or_else(|| after.find(") "))?;
        // A key ends at the first parenthesis that is followed by words, or at the last one.
        let end = after.find(") ").unwrap_or(end);
        Some(Self { columns: columns.to_owned(), values: after[..end].to_owned() })
    }

    /// A condition that finds the rows of this key, whatever the types of its columns.
    fn condition(&self, columns: &str) -> String {
        format!("concat_ws(', ', {columns}) = {}", constant(&self.values))
    }
}

/// A table and the columns of it.
type Columns = (String, Vec<String>);

/// Whether a foreign key failed because the statement changes or deletes referred rows.
fn is_about(error: &DbError, child: &str, parent: &str, statement: &str) -> bool {
    if error.code().code() == "23001" {
        return true;
    }
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().trim_matches('"').to_owned();
    let words: Vec<_> = find_identifiers(statement).collect();
    let has = |name: &str| words.iter().any(|word| *word == bare(name));
    words.first().is_some_and(|verb| ["delete", "update", "truncate"].contains(&verb.as_ref()))
        && has(parent)
        && (bare(child) == bare(parent) || !has(child))
}

/// Referring and referred columns of a foreign key that a statement adds or validates. No referred columns: the primary key.
fn foreign_key_of(facts: &ConstraintFacts, statement: &str, table: &str, key: Option<&ViolatedKey>) -> Option<(Columns, Columns)> {
    if let Some((child, columns, parent, referred)) = &facts.referring {
        return Some(((child.clone(), columns.clone()), (parent.clone(), referred.clone())));
    }
    let key = key?;
    let columns: Vec<String> = key.columns.split(", ").map(str::to_owned).collect();
    let lower = statement.to_ascii_lowercase();
    // Of several foreign keys in one statement, the one whose columns are in the message.
    let bare: String = key.columns.chars().filter(|c| !c.is_whitespace()).collect();
    let places: Vec<usize> = lower.match_indices("references").map(|(at, _)| at).collect();
    let of_key = |at: &&usize| {
        lower[..**at]
            .trim_end()
            .strip_suffix(')')
            .is_some_and(|head| head.replace(char::is_whitespace, "").ends_with(&bare.to_ascii_lowercase()))
    };
    let at = places.iter().find(of_key).or(places.first())? + "references".len();
    let rest = statement[at..].trim_start();
    let end = rest.find(|c: char| c.is_whitespace() || c == '(' || c == ';' || c == ',').unwrap_or(rest.len());
    let (parent, after) = rest.split_at(end);
    let referred = after.trim_start().strip_prefix('(').and_then(|after| after.split_once(')')).map(|(list, _)| list);
    let referred = referred.map_or_else(Vec::new, |list| list.split(',').map(|column| column.trim().to_owned()).collect());
    Some(((table.to_owned(), columns), (parent.to_owned(), referred)))
}

/// The rows of one table that have none in the other.
fn anti_join((child, columns): &Columns, (parent, referred): &Columns) -> String {
    let pairs: Vec<String> = columns.iter().zip(referred).map(|(column, referred)| format!("p.{referred} = c.{column}")).collect();
    let filled: Vec<String> = columns.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    format!(
        "SELECT c.* FROM {child} c WHERE {} AND NOT EXISTS (SELECT FROM {parent} p WHERE {})",
        filled.join(" AND "),
        pairs.join(" AND ")
    )
}

/// The expression of a check constraint that a statement adds: that with this name, else the only one.
fn check_expression(statement: &str, name: Option<&str>) -> Option<String> {
    let lower = statement.to_ascii_lowercase();
    let is_named =
        |after: &str| name.is_some_and(|name| after.trim_start().trim_start_matches('"').starts_with(&name.to_ascii_lowercase()));
    let mut constraints = lower.match_indices("constraint").map(|(at, word)| at + word.len());
    let from = constraints.find(|at| is_named(&lower[*at..])).unwrap_or(0);
    let at = lower[from..].find("check").map(|at| from + at).or_else(|| lower.find("check"))?;
    let open = at + statement[at..].find('(')?;
    parenthesized(statement, open).map(|range| statement[range].split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What is between the parenthesis at `open` and its partner, outside of quotes.
fn parenthesized(text: &str, open: usize) -> Option<Range<usize>> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, c) in text[open..].char_indices() {
        match (quote, c) {
            (Some(mark), _) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return Some(open + 1..open + at),
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_any_language() {
        let key = ViolatedKey::parse("Schlüssel »(a, lower(b))=(1, x)« existiert bereits.").map(|key| (key.columns, key.values));
        assert_eq!(key, Some(("a, lower(b)".to_owned(), "1, x".to_owned())));
        let key = ViolatedKey::parse("Key (pid)=(5) is not present in table \"p\".").expect("a key");
        assert_eq!(key.condition("p.id"), "concat_ws(', ', p.id) = '5'");
    }

    #[test]
    fn what_a_statement_adds_is_found_in_it() {
        let sql = "ALTER TABLE t ADD CONSTRAINT a CHECK (x > (1)), ADD CONSTRAINT b CHECK (y <> ')')";
        assert_eq!(check_expression(sql, Some("b")).as_deref(), Some("y <> ')'"));
        assert_eq!(check_expression(sql, Some("a")).as_deref(), Some("x > (1)"));
        let sql = "ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES q, ADD FOREIGN KEY (pid, b) REFERENCES s.p (id, b)";
        let key = ViolatedKey { columns: "pid, b".into(), values: "5, 6".into() };
        let (child, parent) = foreign_key_of(&ConstraintFacts::default(), sql, "public.c", Some(&key)).expect("a foreign key");
        assert_eq!(
            anti_join(&child, &parent),
            "SELECT c.* FROM public.c c WHERE c.pid IS NOT NULL AND c.b IS NOT NULL AND NOT EXISTS (SELECT FROM s.p p WHERE p.id = c.pid AND p.b = c.b)"
        );
    }
}
