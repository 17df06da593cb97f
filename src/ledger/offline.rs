//! What a script does about the tables without having asked the server first.

use super::Ledger;
use super::names::{Ident, Qualified, literal};
use super::progress::{Note, Stage};
use super::record::done_values;
use crate::config::Config;
use crate::plan::{Direction, Step};

impl Ledger {
    /// The tables where the settings alone put them: the schema of the version table is its own, else the first of
    /// the search path, else `public`. The script checks that before it does anything.
    pub fn offline(config: &Config) -> Self {
        let named = config.version_table.schema.clone();
        let first = config.search_path.as_deref().and_then(|path| path.split(", ").next()).and_then(|first| {
            let bare = first.strip_prefix('"')?.strip_suffix('"')?;
            Ident::parse(&bare.replace("\"\"", "\""))
        });
        let schema = named.or(first).or_else(|| Ident::parse("public"));
        let schema = schema.unwrap_or_else(|| config.ledger_schema.clone());
        Self {
            version_table: Qualified { schema, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: false,
            has_ledger: false,
        }
    }

    /// A statement that stops the script where a run would keep the version table in another schema; the settings may say it.
    pub fn check_place(&self, config: &Config) -> Option<String> {
        if config.version_table.schema.is_some() {
            return None;
        }
        let Qualified { schema, name } = &self.version_table;
        let (schema, name) = (literal(schema.as_str()), literal(name.as_str()));
        let body = format!(
            "DECLARE place text := coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = {name} AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)), current_schema());\n\
             BEGIN\nIF place IS DISTINCT FROM {schema} THEN\n\
             RAISE EXCEPTION USING MESSAGE = 'this script keeps the version table in schema ' || {schema} || ', here it is in ' || coalesce(place, 'none'), \
             HINT = 'Set PGMARCH_VERSION_TABLE=SCHEMA.NAME and print the script again.';\nEND IF;\nEND"
        );
        Some(format!("DO {}", literal(&body)))
    }

    /// One statement that makes what is missing of the tables.
    pub fn install_if_missing(&self) -> String {
        let missing = Self { has_version_table: false, has_ledger: false, ..self.clone() };
        let version = Self { has_version_table: false, has_ledger: true, ..self.clone() };
        let ledger = Self { has_version_table: true, has_ledger: false, ..missing.clone() };
        let guarded = |table: &str, statements: Vec<String>| {
            let all: String = statements.iter().map(|statement| format!("{}\n", in_block(statement))).collect();
            format!("IF to_regclass({}) IS NULL THEN\n{all}END IF;\n", literal(table))
        };
        let body = format!(
            "BEGIN\n{}{}END",
            guarded(&self.version_table.to_string(), version.install()),
            guarded(&format!("{}.revision", self.schema), ledger.install()),
        );
        format!("DO {}", literal(&body))
    }

    /// Statements that write down a step: a script has no message whose start is the step's, its transaction's must do.
    pub fn record_offline(&self, step: &Step<'_>, direction: Direction) -> Vec<String> {
        let kept = (direction == Direction::Up).then(|| self.keep(step.revision));
        kept.into_iter().chain([self.done(&done_values(step, direction, None), "transaction_timestamp()", super::BACKEND_START)]).collect()
    }

    /// One statement: what became of a statement of a `transaction:false` revision.
    pub fn note_offline(&self, step: &Step<'_>, direction: Direction, stage: Stage, statement: usize, note: &Note) -> String {
        without_answer(self.note_statement(&step.revision.id, direction, stage, statement, note, None))
    }

    /// Statements that write down that all statements of a `transaction:false` revision are done.
    pub fn record_stepwise_offline(&self, step: &Step<'_>, direction: Direction) -> Vec<String> {
        self.record_stepwise(step, direction, None).into_iter().map(without_answer).collect()
    }
}

/// Nobody reads what a statement returns to a script.
fn without_answer(statement: String) -> String {
    match statement.rsplit_once(" RETURNING ") {
        Some((statement, _)) => statement.to_owned(),
        None => statement,
    }
}

/// A statement as PL/pgSQL takes it: a `DO` becomes the block that it runs.
fn in_block(statement: &str) -> String {
    let Some(rest) = statement.strip_prefix("DO ") else { return format!("{statement};") };
    let tag = rest.find('$').and_then(|start| rest[start + 1..].find('$').map(|end| &rest[start..start + end + 2]));
    match tag.and_then(|tag| rest.strip_prefix(tag)?.trim_end().strip_suffix(tag)) {
        Some(block) => format!("{};", block.trim_end().trim_end_matches(';')),
        None => format!("EXECUTE {};", literal(statement)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_within_a_block_loses_its_quotes() {
        assert_eq!(in_block("DO $p$BEGIN x; END$p$"), "BEGIN x; END;");
        assert_eq!(in_block("CREATE TABLE t ()"), "CREATE TABLE t ();");
    }
}
