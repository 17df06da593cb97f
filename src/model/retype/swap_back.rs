//! The down migration of the swap: columns of the old types are there again beside the others, filled and kept equal.

use super::dependents::{Dependents, foreign_keys, owned_sequences, release};
use super::plan::{RetypePlan, RetypedColumn, RetypedTable};
use super::swap::{NAMED_NOT_NULL, plain, set_default, without_lasting_hazards};
use crate::model::emit::{Form, emit};
use crate::model::hazard::Danger;
use crate::model::kinds::{Column, NotNull};
use crate::model::sql_text::type_name;
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Definition, Key, ObjectKind};

impl RetypePlan {
    /// From the catalog after the swap to the one before.
    pub(super) fn swap_back(&self, after: &Catalog, before: &Catalog) -> Vec<EmittedStatement> {
        let options = self.options(Form::Plain);
        let columns: Vec<&Key> = self.columns().map(|(_, column)| &column.key).collect();
        let gone = Dependents::of_catalog(after).of(columns.iter().copied());
        let mut statements = Vec::new();
        let mut from = after.clone();
        for key in foreign_keys(after, &gone) {
            let Some(subject) = after.subject(key) else { continue };
            statements.push(EmittedStatement::drop(format!("ALTER TABLE {} DROP CONSTRAINT {}", subject.parent, subject.shown())));
            from.objects.remove(key);
        }
        let sequences: Vec<Key> = columns.iter().flat_map(|column| owned_sequences(after, column)).cloned().collect();
        release(&mut from, &sequences);
        statements.extend(
            sequences
                .iter()
                .filter_map(|key| after.objects.get(key))
                .map(|sequence| EmittedStatement::alter(format!("ALTER SEQUENCE {} OWNED BY NONE", sequence.shown))),
        );
        let mut without = from.clone();
        without.objects.retain(|key, _| !gone.contains(key));
        let emitted = |from: &Catalog, to: &Catalog| emit(from, to, options).into_iter().flat_map(|group| group.statements);
        statements.extend(emitted(&from, &without).map(without_lasting_hazards));
        for (table, column) in self.columns() {
            statements.extend(self.bring_back(table, column));
            statements.extend(set_default(before, table, column));
            self.put_back(&mut without, column, before);
        }
        statements.extend(emitted(&without, before).map(without_lasting_hazards));
        statements
    }

    /// From the catalog after a step before the swap to the one before it: the values are in the first columns too.
    pub(super) fn remove(&self, after: &Catalog, before: &Catalog) -> Vec<EmittedStatement> {
        let statements = emit(after, before, self.options(Form::Plain)).into_iter().flat_map(|group| group.statements);
        statements.map(without_lasting_hazards).collect()
    }

    /// A column of the old type with all values: a generated column is filled when it is added, and no trigger sees it.
    fn bring_back(&self, table: &RetypedTable, column: &RetypedColumn) -> Vec<EmittedStatement> {
        let RetypedColumn { name, second, .. } = column;
        let shown = &table.shown;
        let target = type_name(&column.old_type);
        let mut statements: Vec<EmittedStatement> = self.rename(table, name, second).into_iter().collect();
        let add = format!("ALTER TABLE {shown} ADD COLUMN {name} {target} GENERATED ALWAYS AS ({second}::{target}) STORED");
        statements.push(
            EmittedStatement::alter(add)
                .with(Danger::Rewrite, "every row gets the value of the other column: the table is rewritten under ACCESS EXCLUSIVE")
                .with(Danger::MayFail, "a value that does not fit the old type makes it fail"),
        );
        statements.push(EmittedStatement::alter(format!("ALTER TABLE {shown} ALTER COLUMN {name} DROP EXPRESSION")));
        let Some((not_null, then, now)) = &column.not_null else {
            // One that is not valid has a name that the column needs.
            if column.has_unchecked_not_null {
                statements.push(EmittedStatement::alter(format!("ALTER TABLE {shown} ALTER COLUMN {second} DROP NOT NULL")));
            }
            return statements;
        };
        if self.server >= NAMED_NOT_NULL {
            statements.push(EmittedStatement::rename(format!("ALTER TABLE {shown} RENAME CONSTRAINT {now} TO {then}")));
        }
        if let Some(identity) = &column.identity {
            statements.push(self.set_not_null(table, name, not_null, now));
            statements.extend(identity.back(shown, name));
            statements.push(EmittedStatement::alter(format!("ALTER TABLE {shown} ALTER COLUMN {second} DROP IDENTITY")));
        }
        statements
    }

    /// The same in the catalog.
    fn put_back(&self, catalog: &mut Catalog, column: &RetypedColumn, before: &Catalog) {
        let Some(mut object) = catalog.objects.remove(&column.key) else { return };
        let content = object.content_mut();
        content.shown = column.second.as_str().into();
        if let Definition::Column(definition) = content.definition_mut() {
            let renamed = |not_null: NotNull| NotNull {
                name: (self.server >= NAMED_NOT_NULL).then(|| column.not_null.as_ref().map(|(_, then, _)| then.clone())).flatten(),
                ..not_null
            };
            *definition = Column {
                identity: None,
                not_null: definition.not_null.clone().filter(|not_null| not_null.valid).map(renamed),
                ..definition.clone()
            };
        }
        catalog.objects.insert(column.second_key.clone(), object);
        let Some(mut object) = before.objects.get(&column.key).cloned() else { return };
        let content = object.content_mut();
        content.properties = None;
        if let Definition::Column(definition) = content.definition_mut() {
            let not_null = definition.not_null.clone().filter(|_| definition.identity.is_some());
            *definition = Column { not_null, ..plain(definition) };
        }
        catalog.objects.insert(column.key.clone(), object);
        let default = Key { kind: ObjectKind::Default, ..column.key.clone() };
        catalog.objects.extend(before.objects.get(&default).cloned().map(|object| (default, object)));
    }
}
