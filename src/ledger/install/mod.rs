//! Creates the version table and the tables of the ledger that are missing.

pub(super) mod format;

use super::error::ReadError;
use super::handle::Ledger;
use super::lock_key::creation_lock_key;
use super::table::LedgerTable;
use crate::revision::statement::split;
use crate::session::{Failure, Session, StatementResult};
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, Sql, set_role};

impl Ledger {
    /// Statements that create the tables that are missing; the version table as Alembic creates it. Projects with different version
    /// tables share a ledger but not the run lock: another project's run may create the ledger's tables at the same time, and so
    /// may any other session. So they are checked before anything is written to them.
    pub(crate) fn install(&self) -> Vec<Sql> {
        let mut statements = Vec::new();
        if !self.has_version_table {
            statements.push(self.create_version_table());
        }
        if self.is_to_be_created() {
            let (creations, additions): (Vec<Sql>, Vec<Vec<Sql>>) = self.missing.iter().map(|table| self.create(table)).unzip();
            statements.push(sql!("SELECT pg_advisory_xact_lock({key})", key = creation_lock_key(&self.schema)));
            statements.push(self.create_schema());
            statements.extend(creations);
            let names: Vec<&'static str> = self.missing.iter().map(|table| table.name).collect();
            statements.extend(self.lock_and_check(None, &names));
            statements.extend(additions.into_iter().flatten());
        }
        statements
    }

    pub(crate) fn create_version_table(&self) -> Sql {
        let name = &self.version_table.name;
        // A name that is too long for that is left to the server, which chooses one that is free.
        let constraint = Ident::parse(&format!("{}_pkc", name.as_str())).map(|name| sql!("CONSTRAINT {name} ", name = name));
        sql!(
            "CREATE TABLE {table} (version_num varchar(32) NOT NULL, {constraint}PRIMARY KEY (version_num))",
            table = self.version_table,
            constraint = constraint.unwrap_or_default()
        )
    }

    pub(crate) fn create_schema(&self) -> Sql {
        // CREATE SCHEMA IF NOT EXISTS would ask for the right to create one even where it exists.
        let block = sql!(include_str!("create_schema.sql"), ledger = self.schema, ledger_text = Literal(self.schema.as_str()));
        sql!("DO {block}", block = Literal(&block.text()))
    }

    /// The statement that creates a table, and those that follow it: comments, rights, first rows.
    pub(crate) fn create(&self, table: &LedgerTable) -> (Sql, Vec<Sql>) {
        let template = table.sql;
        let fill = |range: std::ops::Range<usize>| {
            sql!(
                &template[range],
                ledger = self.schema,
                format = format::FORMAT,
                oldest = format::OLDEST,
                program = Literal(env!("CARGO_PKG_VERSION"))
            )
        };
        let mut statements = split(template).statements.into_iter().map(|statement| fill(statement.range));
        (statements.next().unwrap_or_default(), statements.collect())
    }

    /// Notes that the missing tables were created in a transaction that is committed.
    pub(crate) fn mark_installed(&mut self) {
        self.has_version_table = true;
        self.has_ledger = true;
        if self.is_to_be_created() {
            self.missing.clear();
        }
    }

    /// Whether a table that this run was about to create exists now.
    pub(crate) async fn was_installed_meanwhile(&self, session: &Session) -> Result<bool, Failure> {
        let missing = self.missing.iter().map(|table| QualifiedName::new(&self.schema, table.name));
        let version = (!self.has_version_table).then(|| self.version_table.clone());
        let tables: Vec<Sql> = missing
            .chain(version)
            .map(|table| {
                sql!(
                    "EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass({table}) AND c.relkind = 'r')",
                    table = Literal(&table.to_string())
                )
            })
            .collect();
        if tables.is_empty() {
            return Ok(false);
        }
        let message = Message::reading(set_role(self.role.as_ref()), [], [sql!("SELECT {exist}", exist = Sql::join(tables, " OR "))]);
        let answers = session.ask(&message).await?;
        Ok(answers.into_iter().flatten().flatten().flatten().any(|exist| exist == "t"))
    }

    /// Queries that return a row if this program can't create a missing table, or is too old for the ledger's format.
    pub(crate) fn obstacles(&self) -> Vec<Sql> {
        let in_the_way = (!self.has_version_table || self.is_to_be_created()).then(|| {
            // What has the name of a table that would have to be created: a type that is no table's; or a relation with the name of
            // the version table's primary key, unless another session created the version table meanwhile.
            sql!(
                include_str!("in_the_way.sql"),
                version_schema = Literal(self.version_table.schema.as_str()),
                version_name = Literal(self.version_table.name.as_str()),
                version_exists = self.has_version_table,
                ledger = Literal(self.schema.as_str())
            )
        });
        in_the_way.into_iter().chain(self.has_format.then(|| self.read_format())).collect()
    }

    /// The error that an answer of [`Self::obstacles`] means, if one has a row.
    pub(crate) fn refuse_obstacles(&self, answers: impl IntoIterator<Item = StatementResult>) -> Result<(), ReadError> {
        match answers.into_iter().flatten().next().as_deref() {
            Some([Some(kind), Some(name), _]) => Err(ReadError::InTheWay { kind: kind.clone(), name: name.clone() }),
            Some([Some(format), Some(program)]) => {
                Err(ReadError::Format { schema: self.schema.as_str().to_owned(), format: format.clone(), program: program.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }
}
