//! The schemas of a database: which of them are on the search path, and how many locks the server needs to print their views.

use super::Scope;
use crate::session::StatementResult;
use crate::sql;
use crate::sql::{Message, Sql};

/// A schema of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaEntry {
    /// Its name.
    pub name: String,
    /// Its name as a [`crate::model::Key`] has it: quoted where needed.
    pub quoted: String,
    /// Whether it is on the search path.
    pub is_on_path: bool,
    /// How many relations the server locks until the end of the transaction to print its objects: `pg_get_viewdef()` and similar
    /// functions lock every relation of the query.
    pub locks: u64,
}

/// The schemas of a database, and the size of its server's lock table.
#[derive(Clone, Debug, Default)]
pub struct DatabaseSchemas {
    /// All schemas but PostgreSQL's own, the ledger's and those of extensions.
    pub schemas: Vec<SchemaEntry>,
    /// How many locks the server's lock table has room for.
    pub lock_table: u64,
}

/// A catalog is not read if that takes more than one lock in this many of the lock table: when the table is full, statements of all
/// other sessions fail.
const SHARE_OF_LOCKS: u64 = 4;

/// Notes the schemas on the search path for [`Scope::schemas_query`], which runs under another search path.
const PATH: &str =
    "SELECT pg_catalog.set_config('pgmarch.schemas', pg_catalog.array_to_json(pg_catalog.current_schemas(false))::pg_catalog.text, true)";

const LOCK_TABLE: &str = "SELECT current_setting('max_locks_per_transaction')::int8 \
    * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8)";

impl Scope {
    /// Statements that run before the safe search path is set, so that [`Self::schemas_query`] knows that of the revisions.
    pub fn ahead_of_schemas_query(&self) -> Vec<Sql> {
        self.role().into_iter().chain([self.search_path.set(true), Sql::of(PATH)]).collect()
    }

    /// Two queries for [`DatabaseSchemas::of`].
    pub fn schemas_query(&self) -> [Sql; 2] {
        // The schemas that could be read: their names, whether they are on the search path, and how many relations the server
        // locks until the end of the transaction to print the views, rules and SQL functions in each.
        [Sql::of(LOCK_TABLE), sql!(include_str!("database_schemas.sql"), own = self.own_schemas())]
    }

    /// One message with both queries.
    pub fn schemas_message(&self) -> Message {
        Message::reading(self.ahead_of_schemas_query(), [], self.schemas_query())
    }
}

impl DatabaseSchemas {
    /// From the answers of [`Scope::schemas_query`].
    pub fn of(answers: impl IntoIterator<Item = StatementResult>) -> Option<Self> {
        let mut answers = answers.into_iter();
        let lock_table = answers.next()?.into_iter().flatten().flatten().next()?.parse().ok()?;
        let schema = |row: Vec<Option<String>>| {
            let [name, quoted, is_on_path, locks] = <[Option<String>; 4]>::try_from(row).ok()?;
            Some(SchemaEntry { name: name?, quoted: quoted?, is_on_path: is_on_path.as_deref() == Some("t"), locks: locks?.parse().ok()? })
        };
        let schemas = answers.next()?.into_iter().map(schema).collect::<Option<_>>()?;
        Some(Self { schemas, lock_table })
    }

    /// Why the catalog of these schemas is too large to be read at once, if it is.
    pub fn too_many_locks(&self, schemas: &[&SchemaEntry]) -> Option<String> {
        let locks: u64 = schemas.iter().map(|schema| schema.locks).sum();
        let most = self.lock_table / SHARE_OF_LOCKS;
        (locks > most).then(|| {
            format!(
                "to print its views the server would lock {locks} relations at once, and no more than {most} of the {} locks it has room for are taken for that; a larger max_locks_per_transaction allows it",
                self.lock_table
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_locks_is_the_most() {
        let schema = |locks| SchemaEntry { name: "a".into(), quoted: "a".into(), is_on_path: false, locks };
        let existing = DatabaseSchemas { schemas: Vec::new(), lock_table: 6400 };
        assert_eq!(existing.too_many_locks(&[&schema(1000), &schema(600)]), None);
        assert!(existing.too_many_locks(&[&schema(1000), &schema(601)]).is_some_and(|why| why.contains("lock 1601 relations")));
    }
}
