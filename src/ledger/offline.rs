//! What a script does about the tables without having asked the server first.

use super::install::TABLES;
use super::record::done_values;
use super::trust::Trust;
use super::{Access, BACKEND_START, Ledger};
use crate::config::Config;
use crate::plan::{Direction, Step};
use crate::sql;
use crate::sql::{Ident, Literal, Qualified, Sql};

impl Ledger {
    /// The tables where the settings alone put them: the schema of the version table is its own, else the first of
    /// the search path, else `public`. The script checks that before it does anything.
    pub fn offline(config: &Config) -> Self {
        let named = config.version_table.schema.clone();
        let first = config.search_path.as_ref().and_then(|path| path.first().cloned());
        let schema = named.or(first).or_else(|| Ident::parse("public"));
        let schema = schema.unwrap_or_else(|| config.ledger_schema.clone());
        Self {
            version_table: Qualified { schema, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: false,
            has_ledger: false,
            missing: TABLES.to_vec(),
            may_extend: true,
            has_format: false,
            role: config.role.clone(),
            trust: Trust {
                access: Access::Write,
                is_plain: false,
                is_owned: false,
                owners: Vec::new(),
                settings: config.trust_owner.clone(),
            },
        }
    }

    /// A statement that keeps what only the session's own search path knows, for [`Self::check_place`].
    pub fn remember_place(&self) -> Sql {
        let name = self.version_table.name.to_string();
        let body = sql!(
            "BEGIN PERFORM pg_catalog.set_config('pgmarch.place', COALESCE((SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n \
             WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({name})::pg_catalog.oid AND n.oid OPERATOR(pg_catalog.=) c.relnamespace), \
             pg_catalog.current_schema()::pg_catalog.text, ''), true); END",
            name = Literal(&name)
        );
        sql!("DO {body}", body = Literal(body.as_str()))
    }

    /// A statement that stops the script where a run would keep the version table in another schema; the settings may say it.
    pub fn check_place(&self, config: &Config) -> Option<Sql> {
        if config.version_table.schema.is_some() {
            return None;
        }
        let body = sql!(
            "DECLARE place text := nullif(current_setting('pgmarch.place'), '');\n\
             BEGIN\nIF place IS DISTINCT FROM {schema} THEN\n\
             RAISE EXCEPTION USING MESSAGE = 'this script keeps the version table in schema ' || {schema} || ', here it is in ' || coalesce(place, 'none'), \
             HINT = 'Set PGMARCH_VERSION_TABLE=SCHEMA.NAME and print the script again.';\nEND IF;\nEND",
            schema = Literal(self.version_table.schema.as_str())
        );
        Some(sql!("DO {body}", body = Literal(body.as_str())))
    }

    /// One statement that creates what is missing of the tables, and fails if one of them can't be trusted.
    pub fn install_if_missing(&self) -> Sql {
        let version = sql!("{create};\n", create = self.create_version_table());
        let guarded = |table: &str, statements: Sql| {
            sql!("IF to_regclass({table}) IS NULL THEN\n{statements}END IF;\n", table = Literal(table), statements = statements)
        };
        let schema = sql!(include_str!("install/schema.sql"), ledger = self.schema, ledger_text = Literal(self.schema.as_str()));
        let schema = sql!("{block};\n", block = schema);
        let tables = TABLES.iter().map(|table| {
            let create = self.create(table).into_iter().map(|statement| sql!("{statement};\n", statement = statement));
            let create = Sql::join(create, "");
            let create = if table.is_essential {
                create
            } else {
                sql!(
                    "IF has_schema_privilege({ledger}, 'CREATE') THEN\n{create}END IF;\n",
                    ledger = Literal(self.schema.as_str()),
                    create = create
                )
            };
            guarded(&format!("{}.{}", self.schema, table.name), create)
        });
        let body = sql!(
            "BEGIN\n{version}PERFORM pg_advisory_xact_lock({key});\n{schema}{tables}END",
            version = guarded(&self.version_table.to_string(), version),
            key = super::format::lock_key(&self.schema),
            schema = schema,
            tables = Sql::join(tables, "")
        );
        sql!("DO {body}", body = Literal(body.as_str()))
    }

    /// One statement that fails if one of the tables can't be trusted.
    pub fn check_trust(&self) -> Sql {
        // A script shows nothing of what its statements return.
        let check = self.checked(Access::Write);
        let body = sql!("DECLARE nothing integer;\nBEGIN\n{check}\nINTO nothing;\nEND", check = check);
        sql!("DO {body}", body = Literal(body.as_str()))
    }

    /// Statements that write down a step: a script has no message whose start is the step's, its transaction's must do.
    pub fn record_offline(&self, step: &Step<'_>, direction: Direction) -> Vec<Sql> {
        let kept = (direction == Direction::Up).then(|| self.keep(step.revision));
        let done = self.done(&done_values(step, direction, None), Sql::of("transaction_timestamp()"), Sql::of(BACKEND_START));
        kept.into_iter().chain([done]).collect()
    }
}
