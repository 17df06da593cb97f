//! `docs/schema.md`: MarchProxy's tables as the server's own catalog describes them, and their relations as a diagram.

use std::fmt::Write as _;

use super::{generated_is, part_is};
use crate::support::{Database, Project, pgmarch};

/// Tables in the order in which they were made.
const TABLES: &str = "SELECT oid::text, relname, coalesce(obj_description(oid), '') FROM pg_class \
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' ORDER BY oid";

const COLUMNS: &str = "SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'no' ELSE 'yes' END, \
    coalesce(replace(pg_get_expr(d.adbin, d.adrelid), 'timezone(''utc''::text, now())', '(now() AT TIME ZONE ''utc''::text)'), ''), \
    coalesce(col_description(a.attrelid, a.attnum), '') \
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ";

const CONSTRAINTS: &str =
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype IN ('p', 'u', 'f', 'c') AND conrelid = ";

const INDEXES: &str = "SELECT c.relname, substring(pg_get_indexdef(c.oid) FROM 'USING .*') FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u')) AND i.indrelid = ";

const RELATIONS: &str = "SELECT conrelid::regclass::text, confrelid::regclass::text, \
    (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]), \
    CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' ELSE 'other' END \
    FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY conrelid, conname";

/// The version table counts: it has a primary key as well.
const COUNTS: &str = "SELECT count(*) FILTER (WHERE c.relkind = 'r' AND c.relname <> 'alembic_version')::text, \
    (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace)::text, \
    count(*) FILTER (WHERE c.relkind = 'i')::text, count(*) FILTER (WHERE i.indisprimary)::text, \
    count(*) FILTER (WHERE i.indisunique AND NOT i.indisprimary)::text, count(*) FILTER (WHERE NOT i.indisunique)::text \
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace";

#[test]
fn the_schema_page_is_what_the_catalog_says() {
    let database = Database::new();
    pgmarch(&database, &Project::marchproxy()).run().exits(0);
    let counts = database.query(COUNTS).remove(0);
    let [tables, foreign, indexes, primary, unique, others] = counts.as_slice() else { panic!("{counts:?}") };
    let counts = format!(
        "\n{tables} tables, {foreign} foreign keys, {indexes} indexes with the version table's \
         ({primary} primary keys, {unique} unique ones, {others} others).\n\n"
    );
    part_is("docs/schema.md", "counts", &counts);
    let mut diagram = String::from("\n```mermaid\nerDiagram\n");
    for row in database.query(RELATIONS) {
        let [from, to, column, rule] = row.as_slice() else { panic!("{row:?}") };
        let _ = writeln!(diagram, "    {to} ||--o{{ {from} : \"{column}, ON DELETE {rule}\"");
    }
    part_is("docs/schema.md", "relations", &(diagram + "```\n\n"));
    let mut tables = String::new();
    for row in database.query(TABLES) {
        let [oid, name, comment] = row.as_slice() else { panic!("{row:?}") };
        let _ = writeln!(tables, "\n## {name}\n\n{comment}\n\n| column | type | null | default | |\n| --- | --- | --- | --- | --- |");
        for row in database.query(&format!("{COLUMNS}{oid} ORDER BY a.attnum")) {
            let [column, kind, null, default, comment] = row.as_slice() else { panic!("{row:?}") };
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            let _ = writeln!(tables, "| `{column}` | {kind} | {null} | {default} | {} |", comment.replace('|', "\\|"));
        }
        tables.push('\n');
        for sql in [
            format!("{CONSTRAINTS}{oid} ORDER BY array_position('{{p,u,f,c}}'::text[], contype::text), conname"),
            format!("{INDEXES}{oid} ORDER BY 1"),
        ] {
            for row in database.query(&sql) {
                let [name, definition] = row.as_slice() else { panic!("{row:?}") };
                let _ = writeln!(tables, "- `{name}`: `{definition}`");
            }
        }
    }
    part_is("docs/schema.md", "tables", &(tables + "\n"));
}

/// The ledger's tables, for the reference.
#[test]
fn the_references_ledger_is_what_the_catalog_says() {
    let database = Database::new();
    pgmarch(&database, &Project::marchproxy()).run().exits(0);
    let mut text = String::new();
    for row in database.query("SELECT oid::text, relname, coalesce(obj_description(oid), '') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pgmarch'::regnamespace ORDER BY relname COLLATE \"C\"") {
        let [oid, name, comment] = row.as_slice() else { panic!("{row:?}") };
        let columns = database.query(&format!("{COLUMNS}{oid} ORDER BY a.attnum"));
        let columns: Vec<String> = columns.iter().map(|row| format!("`{}` {}", row[0], row[1])).collect();
        let _ = writeln!(text, "\n**`pgmarch.{name}`** — {}: {}.", comment.trim_start_matches("pgmarch: "), columns.join(", "));
    }
    generated_is("ledger", &(text + "\n"));
}
