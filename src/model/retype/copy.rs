//! The steps before the swap: second columns, kept equal by a trigger and filled, with their indexes.

use super::batches::fill;
use super::plan::{RetypePlan, RetypedColumn, RetypedTable};
use crate::model::emit::StatementGroup;
use crate::model::sql_text::type_name;
use crate::model::statement::EmittedStatement;
use crate::revision::SectionMode;

impl RetypePlan {
    /// Second columns, and triggers that keep them equal.
    pub(super) fn add(&self) -> StatementGroup {
        let note =
            "a type that changes in steps: a second column, which a trigger keeps equal, is filled in batches and then replaces the first";
        let mut statements: Vec<EmittedStatement> = self.tables.iter().flat_map(RetypedTable::add).collect();
        statements.iter_mut().take(1).for_each(|first| first.note = Some(note));
        StatementGroup { mode: SectionMode::Transaction, statements }
    }

    /// Their values and indexes, while others read and write.
    pub(super) fn fill(&self) -> StatementGroup {
        let mut statements = Vec::new();
        for table in &self.tables {
            let alter = |what: String| EmittedStatement::alter(format!("ALTER TABLE {} {what}", table.shown));
            statements.push(fill(table, self.server));
            statements.extend(table.columns.iter().map(|column| alter(format!("VALIDATE CONSTRAINT {}", column.check))));
            statements.extend(table.indexes.iter().map(|index| EmittedStatement::create(index.create.clone())));
            statements.push(EmittedStatement::alter(format!("ANALYZE {}", table.shown)));
        }
        StatementGroup { mode: SectionMode::Stepwise, statements }
    }
}

impl RetypedTable {
    fn add(&self) -> Vec<EmittedStatement> {
        let Self { shown, schema, trigger, function, columns, .. } = self;
        let alter = |what: String| EmittedStatement::alter(format!("ALTER TABLE {shown} {what}"));
        let each = |column: &RetypedColumn| format!("    NEW.{} := NEW.{};\n", column.second, column.value());
        let body: String = columns.iter().map(each).collect();
        let added = columns.iter().map(|column| alter(format!("ADD COLUMN {} {}", column.second, type_name(&column.new_type))));
        let mut statements: Vec<EmittedStatement> = added.collect();
        statements.push(EmittedStatement::create(format!(
            "CREATE FUNCTION {schema}{function}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n{body}    RETURN NEW;\nEND\n$$"
        )));
        statements.push(EmittedStatement::create(format!(
            "CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {shown} FOR EACH ROW EXECUTE FUNCTION {schema}{function}()"
        )));
        // Also for rows of a subscription.
        statements.push(alter(format!("ENABLE ALWAYS TRIGGER {trigger}")));
        statements
            .extend(columns.iter().map(|column| alter(format!("ADD CONSTRAINT {} CHECK ({}) NOT VALID", column.check, column.equality()))));
        statements
    }
}

impl RetypedColumn {
    /// Both columns are equal. PostgreSQL finds in it that the second one is not null.
    fn equality(&self) -> String {
        match self.not_null {
            Some(_) => format!("{} IS NOT NULL AND {} = {}", self.second, self.second, self.value()),
            None => format!("{} IS NOT DISTINCT FROM {}", self.second, self.value()),
        }
    }
}
