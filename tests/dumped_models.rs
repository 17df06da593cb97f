//! What `pg_dump --schema-only` writes is a model: the same schema in the server's own words differs in nothing.

use crate::pairs::{Pair, pairs, roles, together};
use crate::support::{Database, Project, pgmarch};

/// Files of `tests/pairs/`, whose new schemas together have every kind of object.
const FILES: [&str; 11] = [
    "tables.sql",
    "columns.sql",
    "constraints.sql",
    "indexes.sql",
    "types.sql",
    "views.sql",
    "routines.sql",
    "rights.sql",
    "texts.sql",
    "rows.sql",
    "online.sql",
];

/// Expressions that the server prints in another form after it has parsed what it printed.
const EXPRESSIONS: &str = "CREATE TABLE lists (
    id integer PRIMARY KEY, kind varchar(10) NOT NULL CHECK (kind IN ('a', 'b')), code char(3) CHECK (code NOT IN ('x', 'y')),
    price numeric CHECK (price BETWEEN 0 AND 10), tags varchar(5)[] DEFAULT '{}'::varchar(5)[] CHECK (tags <@ ARRAY['p', 'q']::varchar(5)[]),
    is_one boolean GENERATED ALWAYS AS (kind IN ('a', 'b')) STORED
);
CREATE INDEX lists_kind ON lists (kind) WHERE kind IN ('a', 'b');
CREATE VIEW listed AS SELECT id, kind IN ('a', 'b') AS is_one, CASE WHEN kind NOT IN ('a') THEN 1 END AS other FROM lists WHERE kind IN ('a', 'b');
CREATE DOMAIN letter AS varchar(1) CHECK (VALUE IN ('a', 'b'));
ALTER TABLE lists ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON lists USING (kind IN ('a', 'b'));
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER t BEFORE UPDATE ON lists FOR EACH ROW WHEN (new.kind IN ('a', 'b')) EXECUTE FUNCTION f();
CREATE RULE r AS ON DELETE TO lists WHERE old.kind IN ('a', 'b') DO INSTEAD NOTHING;
CREATE TABLE parted (kind varchar(10)) PARTITION BY LIST ((kind IN ('a', 'b')));
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FILTER (WHERE kind IN ('a', 'b')) AS n FROM lists;
";

/// Expressions that 14 knows first.
const LATER_EXPRESSIONS: &str = "CREATE FUNCTION is_one(kind varchar) RETURNS boolean LANGUAGE sql RETURN kind IN ('a', 'b');
CREATE FUNCTION text_of(kind varchar) RETURNS text LANGUAGE sql AS $$SELECT 'ARRAY[(''a''::character varying)::text]'$$;
";

/// The revisions with a schema, and its dump as the model; then the dump as a revision, and the schema as the model.
fn differs_in_nothing(schema: &str) -> Result<(), String> {
    let (database, from_dump) = (Database::new(), Database::new());
    roles(&database);
    let project = Project::new().revision("001", schema, "SELECT 1;");
    let upgraded = pgmarch(&database, &project).run();
    if upgraded.code() != Some(0) {
        return Err(format!("{upgraded}"));
    }
    let dump = database.whole_dump(&[]);
    let project = project.file("schema.sql", &dump);
    for verb in [&["create", "nothing"][..], &["check"], &["diff"]] {
        let outcome = pgmarch(&database, &project).args(verb.iter().copied()).run();
        if outcome.code() != Some(0) || !project.names().iter().all(|name| ["001_test.sql", "schema.sql"].contains(&name.as_str())) {
            return Err(format!("{outcome}"));
        }
    }
    // The ledger is made by the run.
    let dump = database.whole_dump(&["--exclude-schema=pgmarch", "--exclude-table=public.alembic_version"]);
    let supported = dump.replace("SET transaction_timeout = 0;", "").replace("\n  WITH NO DATA;", ";");
    let project = Project::new().revision("001", &supported, "SELECT 1;").file("schema.sql", schema);
    for verb in [&[][..], &["create", "nothing"], &["check"]] {
        let outcome = pgmarch(&from_dump, &project).args(verb.iter().copied()).run();
        if outcome.code() != Some(0) || !project.names().iter().all(|name| ["001_test.sql", "schema.sql"].contains(&name.as_str())) {
            return Err(format!("the dump as a revision: {outcome}"));
        }
    }
    Ok(())
}

#[test]
fn a_dump_of_every_kind_of_object_is_a_model() {
    let major = { Database::new().major() };
    let known =
        |file: &str| -> Vec<Pair> { pairs(file).into_iter().filter(|pair| pair.since <= major && !pair.new.trim().is_empty()).collect() };
    let mut failed = Vec::new();
    let mut check = |name: &str, schema: &str| {
        if let Err(error) = differs_in_nothing(schema) {
            failed.push(format!("## {name}\n{error}"));
        }
    };
    check("expressions", &format!("{EXPRESSIONS}{}", if major < 14 { "" } else { LATER_EXPRESSIONS }));
    for file in FILES {
        let rest: Vec<Pair> = known(file).into_iter().filter(|pair| !pair.alone).collect();
        check(file, &together(&rest).new);
    }
    for pair in known("global.sql") {
        check(&pair.name, &pair.new);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// A model that is a dump with these further words, and revisions that lead to its tables.
fn project(words: &str) -> Project {
    let table = "CREATE TABLE public.a (\n    id integer\n);\n";
    let settings = "SET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n";
    Project::new()
        .child("001", "base", "CREATE TABLE a (id integer);", "DROP TABLE a;")
        .file("schema.sql", &format!("{settings}{table}{words}"))
}

#[test]
fn statements_that_only_another_server_can_run_are_left_out() {
    let database = Database::new();
    let words = "CREATE SCHEMA public;\nSET later_timeout = 0;\nSET default_tablespace = 'fast';\nSET default_tablespace = '';\nSECURITY LABEL ON TABLE public.a IS 'x';\n";
    let project = project(words);
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["create", "nothing"]).run().exits(0).stdout_contains("nothing to do");
    // A setting that may say where objects are created is needed.
    project.write("schema.sql", "SET serch_path = x;\nCREATE TABLE a (id integer);\n");
    pgmarch(&database, &project).args(["create", "nothing"]).run().exits(3).stderr_contains("serch_path");
}

#[test]
fn the_search_path_of_a_dump_ends_with_its_file() {
    let database = Database::new();
    let project = Project::new()
        .child("001", "base", "CREATE TABLE a (id integer); CREATE VIEW v AS SELECT id FROM a;", "SELECT 1;")
        .file("schema/1.sql", "SELECT pg_catalog.set_config('search_path', '', false);\nSET SESSION AUTHORIZATION DEFAULT;\nCREATE TABLE public.a (id bigint);\n")
        .file("schema/2.sql", "CREATE VIEW v AS SELECT id FROM a;\nCREATE TABLE b (id integer);\n");
    pgmarch(&database, &project).run().exits(0);
    let created = pgmarch(&database, &project).args(["create", "next"]).run().exits(0);
    created.stdout_contains("ALTER TABLE a ALTER COLUMN id").stdout_contains("CREATE TABLE b (").stdout_lacks("public.");
}

#[test]
fn owners_and_rights_of_roles_that_are_missing_are_one_sentence_or_left_out() {
    let database = Database::new();
    let words = "ALTER TABLE public.a OWNER TO pair_missing;\nCREATE VIEW public.v AS SELECT 1 AS x;\nALTER VIEW public.v OWNER TO pair_missing;\n                 GRANT SELECT ON TABLE public.a TO pair_missing;\nALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pair_missing;\n";
    let project = project(words);
    pgmarch(&database, &project).run().exits(0);
    let failed = pgmarch(&database, &project).args(["create", "view"]).run().exits(3);
    let failed =
        failed.stderr_contains("role \"pair_missing\" does not exist, and 3 more statements fail for the same reason (SQLSTATE 42704)");
    failed.stderr_contains("CREATE ROLE \"pair_missing\"").stderr_contains("--ignore owners,grants");
    pgmarch(&database, &project).args(["create", "view", "--ignore", "owners"]).run().exits(3).stderr_contains("and one more statement");
    let created = pgmarch(&database, &project).args(["create", "view", "--ignore", "owners,grants"]).run().exits(0);
    created.stdout_contains("CREATE VIEW v").stdout_lacks("pair_missing");
}

#[test]
fn a_materialized_view_that_is_filled_stays_filled() {
    let database = Database::new();
    let project = Project::new()
        .child("001", "base", "CREATE MATERIALIZED VIEW m AS SELECT 1 AS x; CREATE MATERIALIZED VIEW n AS SELECT 1 AS x;", "SELECT 1;")
        .file(
            "schema.sql",
            "CREATE MATERIALIZED VIEW m AS SELECT 1 AS x WITH NO DATA; CREATE MATERIALIZED VIEW n AS SELECT 2 AS y WITH NO DATA;",
        );
    pgmarch(&database, &project).run().exits(0);
    let created = pgmarch(&database, &project).args(["create", "next"]).run().exits(0);
    created.stdout_contains("CREATE MATERIALIZED VIEW n").stdout_lacks("WITH NO DATA").stdout_lacks("REFRESH");
}
