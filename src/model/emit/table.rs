//! Tables, with the parts that stand in their CREATE.

use super::{Emit, Statement};
use crate::model::emit::hazard::{Danger, Hazard};
use crate::model::{Definition, Key, Kind, Object, Table};

impl<'c> Emit<'c> {
    pub(super) fn create_table(&self, key: &Key, object: &Object, table: &Table) -> Vec<Statement> {
        let name = &object.shown;
        let mut columns: Vec<(&Key, &Object)> = self.new.parts(key, Kind::Column).collect();
        columns.sort_by_key(|(_, object)| object.position);
        let constraints = self.inline.get(key).map(Vec::as_slice).unwrap_or_default();
        let constraint = |key: &&'c Key| {
            let object = self.new.objects.get(*key)?;
            if let Definition::Constraint(constraint) = &object.definition { Some((object.shown.as_str(), constraint)) } else { None }
        };
        // A primary key of one column with the usual name stands beside it.
        let plain_key = constraints.iter().filter_map(constraint).find_map(|(shown, constraint)| {
            let column = constraint.definition.strip_prefix("PRIMARY KEY (")?.strip_suffix(')')?;
            let usual = shown == format!("{}_pkey", name.rsplit('.').next().unwrap_or(name));
            (usual
                && !column.contains(',')
                && columns.iter().any(|(key, object)| object.shown == column && !super::is_inherited(self.new, key)))
            .then(|| column.to_owned())
        });
        let primary: Vec<&str> = constraints
            .iter()
            .filter_map(constraint)
            .filter(|(_, constraint)| constraint.kind == 'p')
            .filter_map(|(_, constraint)| constraint.definition.strip_prefix("PRIMARY KEY (")?.split(')').next())
            .flat_map(|list| list.split(", "))
            .collect();
        let mut lines = Vec::new();
        for (key, object) in &columns {
            if super::is_inherited(self.new, key) {
                continue;
            }
            let is_primary = primary.contains(&object.shown.as_str());
            let mut line = self.column_words(key, is_primary);
            if plain_key.as_deref() == Some(object.shown.as_str()) {
                line += " PRIMARY KEY";
            }
            lines.push(line);
        }
        for (shown, constraint) in constraints.iter().filter_map(constraint) {
            if plain_key.is_some() && constraint.kind == 'p' {
                continue;
            }
            lines.push(format!("CONSTRAINT {shown} {}", super::print::constraint(&constraint.definition)));
        }
        let body = lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join(",\n");
        let mut sql = format!("CREATE {}TABLE {name}", if table.unlogged { "UNLOGGED " } else { "" });
        match (&table.bound, table.parents.first()) {
            (Some(bound), Some((_, parent))) => {
                sql += &format!(" PARTITION OF {parent}");
                if !lines.is_empty() {
                    sql += &format!(" (\n{body}\n)");
                }
                sql += &format!("\n    {bound}");
            }
            _ => {
                sql += &if lines.is_empty() { " ()".to_owned() } else { format!(" (\n{body}\n)") };
                if !table.parents.is_empty() {
                    let parents: Vec<&str> = table.parents.iter().map(|(_, shown)| shown.as_str()).collect();
                    sql += &format!(" INHERITS ({})", parents.join(", "));
                }
            }
        }
        if let Some(partition_key) = &table.partition_key {
            sql += &format!(" PARTITION BY {partition_key}");
        }
        if let Some(method) = &table.access_method {
            sql += &format!(" USING {method}");
        }
        if !table.options.is_empty() {
            sql += &format!(" WITH ({})", table.options.join(", "));
        }
        let mut statements = vec![Statement::new(sql)];
        for (column, object) in &columns {
            match self.above(self.new, column).filter(|_| super::is_inherited(self.new, column)) {
                Some(above) => {
                    let (Some(Definition::Column(theirs)), Definition::Column(own)) =
                        (self.new.objects.get(above).map(|above| &above.definition), &object.definition)
                    else {
                        continue;
                    };
                    let mut theirs = theirs.clone();
                    theirs.identity = own.identity.clone();
                    theirs.generated = own.generated.clone();
                    statements.extend(self.alterations(name, &object.shown, &theirs, own, column));
                }
                None => statements.extend(self.column_rest(name, column)),
            }
        }
        statements.extend(self.row_security(name, None, table));
        statements
    }

    pub(super) fn drop_table(&self, object: &Object) -> Vec<Statement> {
        let lost = Hazard::new(Danger::DataLoss, "the table's rows are gone; the way down makes it empty");
        vec![Statement::new(format!("DROP TABLE {}", object.shown)).with(lost)]
    }

    pub(super) fn alter_table(&self, object: &Object, old: &Table, new: &Table) -> Vec<Statement> {
        let name = &object.shown;
        let mut statements = Vec::new();
        let mut alter = |what: String| statements.push(Statement::new(format!("ALTER TABLE {name} {what}")));
        if old.access_method != new.access_method {
            alter(format!("SET ACCESS METHOD {}", new.access_method.as_deref().unwrap_or("heap")));
        }
        let (set, reset) = super::statement::options(&old.options, &new.options);
        if let Some(reset) = reset {
            alter(format!("RESET ({reset})"));
        }
        if let Some(set) = set {
            alter(format!("SET ({set})"));
        }
        if old.unlogged != new.unlogged {
            let what = if new.unlogged { "UNLOGGED" } else { "LOGGED" };
            statements.push(
                Statement::new(format!("ALTER TABLE {name} SET {what}"))
                    .with(Hazard::new(Danger::Rewrite, "the table and its indexes are written anew under ACCESS EXCLUSIVE")),
            );
        }
        statements.extend(self.row_security(name, Some(old), new));
        if old.parents != new.parents || old.bound != new.bound {
            for (full, parent) in &old.parents {
                // A parent that is dropped with its partitions' consent needs no detaching.
                if old.bound.is_some() {
                    statements.push(Statement::new(format!("ALTER TABLE {parent} DETACH PARTITION {name}")));
                } else if !new.parents.iter().any(|(other, _)| other == full) {
                    statements.push(Statement::new(format!("ALTER TABLE {name} NO INHERIT {parent}")));
                }
            }
            for (full, parent) in &new.parents {
                if let Some(bound) = &new.bound {
                    statements.push(
                        Statement::new(format!("ALTER TABLE {parent} ATTACH PARTITION {name} {bound}"))
                            .with(Hazard::new(Danger::Scan, "every row is read to see that it fits the partition")),
                    );
                } else if old.bound.is_some() || !old.parents.iter().any(|(other, _)| other == full) {
                    statements.push(Statement::new(format!("ALTER TABLE {name} INHERIT {parent}")));
                }
            }
        }
        statements
    }

    fn row_security(&self, name: &str, old: Option<&Table>, new: &Table) -> Vec<Statement> {
        let mut statements = Vec::new();
        let mut switch = |was: bool, is: bool, on: &str, off: &str| {
            if was != is {
                statements.push(Statement::new(format!("ALTER TABLE {name} {} ROW LEVEL SECURITY", if is { on } else { off })));
            }
        };
        switch(old.is_some_and(|old| old.row_security), new.row_security, "ENABLE", "DISABLE");
        switch(old.is_some_and(|old| old.force_row_security), new.force_row_security, "FORCE", "NO FORCE");
        statements
    }

    /// Replica identity and clustering, which name an index.
    pub(super) fn mark(&self, key: &Key) -> Vec<Statement> {
        let Some(object) = self.new.objects.get(key) else { return Vec::new() };
        let Definition::Table(new) = &object.definition else { return Vec::new() };
        let name = &object.shown;
        let old = self.old.objects.get(key).filter(|_| !self.is_made(key));
        let old = old.and_then(|old| if let Definition::Table(table) = &old.definition { Some(table) } else { None });
        let remade = |index: &str| {
            let of =
                |kind| self.new.parts(key, kind).any(|(part, object)| self.is_made(part) && object.shown.rsplit('.').next() == Some(index));
            of(Kind::Index) || of(Kind::Constraint)
        };
        let mut statements = Vec::new();
        let before = old.map_or("DEFAULT", |old| old.replica_identity.as_str());
        let again = new.replica_identity.strip_prefix("USING INDEX ").is_some_and(remade);
        if before != new.replica_identity || again {
            statements.push(Statement::new(format!("ALTER TABLE {name} REPLICA IDENTITY {}", new.replica_identity)));
        }
        match (old.and_then(|old| old.clustered_on.as_deref()), new.clustered_on.as_deref()) {
            (old, Some(new)) if old != Some(new) || remade(new) => {
                statements.push(Statement::new(format!("ALTER TABLE {name} CLUSTER ON {new}")))
            }
            (Some(_), None) => statements.push(Statement::new(format!("ALTER TABLE {name} SET WITHOUT CLUSTER"))),
            _ => {}
        }
        statements
    }
}
