//! Our tables in a script (`--sql`), which is written without asking the server first.

use super::access::Access;
use super::handle::Ledger;
use super::lock_key::creation_lock_key;
use super::state::BACKEND_START;
use super::table::TABLES;
use super::trust::{RelationLock, TrustBasis};
use super::write::step_values;
use crate::config::Config;
use crate::plan::Step;
use crate::revision::Direction;
use crate::sql;
use crate::sql::{Ident, Literal, QualifiedName, Sql};

impl Ledger {
    /// The tables as the settings alone place them: the version table's schema is the one in its name, else the first of the
    /// search path, else `public`. The script checks that before it does anything.
    pub(crate) fn offline(config: &Config) -> Self {
        let named = config.version_table.schema.clone();
        let first = config.search_path.as_ref().and_then(|path| path.first().cloned());
        let schema = named.or(first).or_else(|| Ident::parse("public"));
        let schema = schema.unwrap_or_else(|| config.ledger_schema.clone());
        Self {
            version_table: QualifiedName { schema, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: false,
            has_ledger: false,
            missing: TABLES.to_vec(),
            may_extend: true,
            has_format: false,
            unusable: Vec::new(),
            role: config.role.clone(),
            trust: TrustBasis {
                access: Access::Write,
                is_plain: false,
                owners: Vec::new(),
                trusted_by_settings: config.trust_owner.clone(),
            },
        }
    }

    /// A statement that stores the schema where the session's own search path finds the version table, for [`Self::check_place`].
    pub(crate) fn remember_place(&self) -> Sql {
        let name = self.version_table.name.to_string();
        let body = sql!(
            "BEGIN PERFORM pg_catalog.set_config('pgmarch.place', COALESCE((SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n \
             WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({name})::pg_catalog.oid AND n.oid OPERATOR(pg_catalog.=) c.relnamespace), \
             pg_catalog.current_schema()::pg_catalog.text, ''), true); END",
            name = Literal(&name)
        );
        sql!("DO {body}", body = Literal(&body.text()))
    }

    /// A statement that fails if a run would use a version table in a different schema; none if the settings name the schema.
    pub(crate) fn check_place(&self, config: &Config) -> Option<Sql> {
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
        Some(sql!("DO {body}", body = Literal(&body.text())))
    }

    /// One statement that creates the missing tables, and fails if one of them is not trusted. Tables of the ledger that are not
    /// essential are left out if the role may not create them.
    pub(crate) fn install_if_missing(&self) -> Sql {
        let version = sql!("{create};\n", create = self.create_version_table());
        let is_missing = |table: &str| sql!("to_regclass({table}) IS NULL", table = Literal(table));
        let schema = sql!(include_str!("install/create_schema.sql"), ledger = self.schema, ledger_text = Literal(self.schema.as_str()));
        let (mut variables, mut creations, mut additions) = (Vec::new(), Vec::new(), Vec::new());
        for table in TABLES {
            let (create, more) = self.create(&table);
            let is_new = Sql::of(table.is_new);
            let may = sql!(" AND has_schema_privilege({ledger}, 'CREATE')", ledger = Literal(self.schema.as_str()));
            variables.push(sql!("{is_new} boolean := false;\n", is_new = is_new));
            creations.push(sql!(
                "IF {is_missing}{may} THEN\n{create};\n{is_new} := true;\nEND IF;\n",
                is_missing = is_missing(&format!("{}.{}", self.schema, table.name)),
                may = if table.is_essential { Sql::default() } else { may },
                create = create,
                is_new = is_new
            ));
            let more = Sql::join(more.into_iter().map(|statement| sql!("{statement};\n", statement = statement)), "");
            additions.push(sql!("IF {is_new} THEN\n{more}END IF;\n", is_new = is_new, more = more));
        }
        let locks = self.locks_of_a_step().into_iter().map(|lock| sql!("{lock};\n", lock = lock));
        let body = sql!(
            "DECLARE nothing integer;\n{variables}BEGIN\nIF {is_missing} THEN\n{version}END IF;\n\
             PERFORM pg_advisory_xact_lock({key});\n{schema};\n{creations}{locks}{check}\nINTO nothing;\n{additions}END",
            variables = Sql::join(variables, ""),
            is_missing = is_missing(&self.version_table.to_string()),
            version = version,
            key = creation_lock_key(&self.schema),
            schema = schema,
            creations = Sql::join(creations, ""),
            locks = Sql::join(locks, ""),
            check = self.trust_check(Access::Write, &[]),
            additions = Sql::join(additions, "")
        );
        sql!("DO {body}", body = Literal(&body.text()))
    }

    /// Statements that lock what a step of a script writes.
    pub(crate) fn locks_of_a_step(&self) -> Vec<Sql> {
        self.lock_tables(Some(RelationLock::Table), &["revision", "journal"])
    }

    /// One statement on one line that fails if one of the tables is not trusted.
    pub(crate) fn check_trust(&self) -> Sql {
        // In a block, so that psql prints no result.
        let check = self.trust_check(Access::Write, &[]);
        let text = check.text();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let check = Sql::from_catalog(lines.collect::<Vec<_>>().join(" "));
        let body = sql!("DECLARE nothing integer; BEGIN {check} INTO nothing; END", check = check);
        sql!("DO {body}", body = Literal(&body.text()))
    }

    /// Statements that record a step. It began when its transaction did: a script has no message whose start could be recorded.
    pub(crate) fn record_step_offline(&self, step: &Step<'_>, direction: Direction) -> Vec<Sql> {
        let revision = (direction == Direction::Up).then(|| self.upsert_revision(step.revision));
        let done = self.insert_done(&step_values(step, direction, None), Sql::of("transaction_timestamp()"), Sql::of(BACKEND_START));
        revision.into_iter().chain([done]).collect()
    }
}
