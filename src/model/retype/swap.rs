//! The swap: first columns are dropped, second ones take their names and all that they had, in one transaction.

use super::dependents::{Dependents, foreign_keys, owned_sequences, release};
use super::plan::{RetypePlan, RetypedColumn, RetypedTable};
use crate::model::emit::{EmitOptions, Form, StatementGroup, emit};
use crate::model::hazard::{Danger, Hazard};
use crate::model::ignore::Ignore;
use crate::model::kinds::{Column, IdentityColumn, NotNull, SequenceNumbers};
use crate::model::sql_text::{bare_name, expression};
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Definition, Key, ObjectKind};
use crate::revision::SectionMode;

/// NOT NULL is a constraint with a name.
pub(super) const NAMED_NOT_NULL: u32 = 180_000;

impl RetypePlan {
    /// From the catalog after the second step: the swap, and what follows it.
    pub(super) fn swap(&self, before: &Catalog) -> Vec<StatementGroup> {
        let columns: Vec<&Key> = self.columns().map(|(_, column)| &column.key).collect();
        let gone = Dependents::of_catalog(before).of(columns.iter().copied());
        let mut statements = Vec::new();
        // In one order, referenced tables first, as other sessions do.
        if self.tables.len() > 1 {
            let tables: Vec<&str> = self.tables.iter().map(|table| table.shown.as_str()).collect();
            statements.push(EmittedStatement::alter(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "))));
        }
        for (table, column) in self.columns() {
            statements.extend(column.not_null.iter().map(|(not_null, then, _)| self.set_not_null(table, &column.second, not_null, then)));
            statements.extend(column.identity.iter().flat_map(|identity| identity.forward(&table.shown, &column.second)));
        }
        let sequences: Vec<Key> = columns.iter().flat_map(|column| owned_sequences(before, column)).cloned().collect();
        let mut from = before.clone();
        release(&mut from, &sequences);
        statements.extend(
            sequences
                .iter()
                .filter_map(|key| before.objects.get(key))
                .map(|sequence| EmittedStatement::alter(format!("ALTER SEQUENCE {} OWNED BY NONE", sequence.shown))),
        );
        for key in foreign_keys(before, &gone) {
            let Some(subject) = before.subject(key) else { continue };
            statements.push(EmittedStatement::drop(format!("ALTER TABLE {} DROP CONSTRAINT {}", subject.parent, subject.shown())));
            from.objects.remove(key);
        }
        let mut without = from.clone();
        without.objects.retain(|key, _| !gone.contains(key) && !columns.contains(&key));
        for table in &self.tables {
            without.objects.remove(&table.trigger_key());
            without.objects.remove(&table.function_key());
        }
        statements.extend(
            emit(&from, &without, self.options(Form::Plain)).into_iter().flat_map(|group| group.statements).map(without_lasting_hazards),
        );
        for (table, column) in self.columns() {
            statements.extend(self.rename(table, &column.second, &column.name));
            statements.extend(set_default(before, table, column));
            if let Some((_, then, now)) = column.not_null.as_ref().filter(|_| self.server >= NAMED_NOT_NULL) {
                statements.push(EmittedStatement::rename(format!("ALTER TABLE {} RENAME CONSTRAINT {then} TO {now}", table.shown)));
            }
        }
        let indexes = self.tables.iter().flat_map(|table| &table.indexes);
        statements.extend(indexes.flat_map(|index| &index.succeed).map(EmittedStatement::alter));
        if let Some(first) = statements.first_mut() {
            first.note = Some("the second columns replace the first, at the end of their tables: name the columns in INSERT and COPY");
            let is_filled = |key: &&Key| matches!(before.objects.get(*key).map(|object| object.definition()), Some(Definition::View(view)) if view.materialized);
            if gone.iter().any(is_filled) {
                let text = "materialized views of the tables are filled again while other sessions wait";
                first.hazards.push(Hazard::new(Danger::Lock, text));
            }
        }
        let target = self.target(before);
        let mut groups = vec![StatementGroup { mode: SectionMode::Transaction, statements }];
        for group in emit(&self.renamed(without, &target), &target, self.options(Form::Online)) {
            match groups.as_mut_slice() {
                [swap] if group.mode == SectionMode::Transaction => {
                    swap.statements.extend(group.statements.into_iter().map(without_lasting_hazards));
                }
                _ => groups.push(group),
            }
        }
        groups
    }

    pub(super) fn options(&self, form: Form) -> EmitOptions {
        EmitOptions { server: self.server, form, ignore: Ignore::default() }
    }

    pub(super) fn rename(&self, table: &RetypedTable, from: &str, to: &str) -> Option<EmittedStatement> {
        Some(EmittedStatement::rename(format!("ALTER TABLE {} RENAME COLUMN {from} TO {to}", table.shown)))
    }

    /// From PostgreSQL 18 on under a name.
    pub(super) fn set_not_null(&self, table: &RetypedTable, column: &str, not_null: &NotNull, name: &str) -> EmittedStatement {
        let no_inherit = if not_null.no_inherit { " NO INHERIT" } else { "" };
        EmittedStatement::alter(match self.server >= NAMED_NOT_NULL {
            true => format!("ALTER TABLE {} ADD CONSTRAINT {name} NOT NULL {column}{no_inherit}", table.shown),
            false => format!("ALTER TABLE {} ALTER COLUMN {column} SET NOT NULL", table.shown),
        })
    }

    /// The catalog before, but for the types, and without what only the change needs.
    fn target(&self, before: &Catalog) -> Catalog {
        let mut target = before.clone();
        for table in &self.tables {
            for key in
                [table.trigger_key(), table.function_key()].into_iter().chain(table.indexes.iter().map(|index| index.second_key.clone()))
            {
                target.objects.remove(&key);
            }
        }
        for (table, column) in self.columns() {
            target.objects.remove(&column.second_key);
            target.objects.remove(&column.check_key(table));
            if let Some(object) = target.objects.get_mut(&column.key)
                && let Definition::Column(definition) = object.content_mut().definition_mut()
            {
                *definition = column.retyped(definition);
            }
            for key in owned_sequences(before, &column.key) {
                let wanted = self.model.objects.get(key).map(|object| object.definition());
                if let (Some(object), Some(Definition::Sequence(wanted))) = (target.objects.get_mut(key), wanted)
                    && let Definition::Sequence(sequence) = object.content_mut().definition_mut()
                {
                    sequence.numbers = wanted.numbers.clone();
                }
            }
        }
        target
    }

    /// The catalog after the renames, before the rest is created again.
    fn renamed(&self, mut without: Catalog, target: &Catalog) -> Catalog {
        for (_, column) in self.columns() {
            without.objects.remove(&column.second_key);
            let Some(mut object) = target.objects.get(&column.key).cloned() else { continue };
            let content = object.content_mut();
            content.properties = None;
            if let Definition::Column(definition) = content.definition_mut() {
                let not_null = definition.not_null.clone().filter(|not_null| not_null.valid);
                *definition = Column { not_null, ..plain(definition) };
            }
            without.objects.insert(column.key.clone(), object);
            let default = Key { kind: ObjectKind::Default, ..column.key.clone() };
            without.objects.extend(target.objects.get(&default).cloned().map(|object| (default, object)));
        }
        for table in &self.tables {
            let names: Vec<&str> =
                table.indexes.iter().filter_map(|index| target.objects.get(&index.key).map(|object| bare_name(&object.shown))).collect();
            for index in &table.indexes {
                without.objects.remove(&index.second_key);
                let Some(mut object) = target.objects.get(&index.key).cloned() else { continue };
                let content = object.content_mut();
                content.properties = None;
                if let Definition::Index(index) = content.definition_mut() {
                    index.statistics = Vec::new();
                }
                without.objects.insert(index.key.clone(), object);
            }
            // Both went with the index that they name.
            if let Some(object) = without.objects.get_mut(&table.key)
                && let Definition::Table(definition) = object.content_mut().definition_mut()
            {
                if definition.replica_identity.strip_prefix("USING INDEX ").is_some_and(|index| names.contains(&index)) {
                    definition.replica_identity = "NOTHING".to_owned();
                }
                definition.clustered_on = definition.clustered_on.take().filter(|index| !names.contains(&index.as_str()));
            }
        }
        without
    }
}

impl RetypedColumn {
    pub(super) fn check_key(&self, table: &RetypedTable) -> Key {
        Key { kind: ObjectKind::Constraint, name: format!("{}.{}", table.key.name, self.check).into() }
    }

    fn retyped(&self, column: &Column) -> Column {
        let numbers = |numbers: &SequenceNumbers| self.identity.as_ref().map_or_else(|| numbers.clone(), |identity| identity.after.clone());
        let identity = column
            .identity
            .as_ref()
            .map(|identity| Box::new(IdentityColumn { numbers: numbers(&identity.numbers), ..(**identity).clone() }));
        Column { type_name: self.new_type.clone(), identity, storage: None, compression: None, ..column.clone() }
    }
}

/// The default of the column, whose sequence stays where it is.
pub(super) fn set_default(before: &Catalog, table: &RetypedTable, column: &RetypedColumn) -> Option<EmittedStatement> {
    let (_, default) = before.default_of(&column.key)?;
    let default = expression(default, &column.old_type);
    Some(EmittedStatement::alter(format!("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {default}", table.shown, column.name)))
}

/// A column without its settings, and without those of its identity's sequence.
pub(super) fn plain(column: &Column) -> Column {
    let identity = column.identity.clone().map(|identity| Box::new(IdentityColumn { comment: None, grants: None, ..*identity }));
    Column { identity, storage: None, compression: None, statistics: None, options: Vec::new(), ..column.clone() }
}

/// What is dropped is created again in the same transaction: nothing is lost, and nobody gets other rights.
pub(super) fn without_lasting_hazards(mut statement: EmittedStatement) -> EmittedStatement {
    statement.hazards.retain(|hazard| !matches!(hazard.kind, Danger::DataLoss | Danger::AuthorizationChange));
    statement
}
