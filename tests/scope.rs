//! What a comparison with a model is about: an ORM's model lacks what no ORM expresses, and that stays; `--ignore` and `--only` leave out
//! more; version tables of other tools are never differences.

use crate::support::{Database, Outcome, Project, pgmarch};

/// What an ORM makes, and beside it what it can't express.
const REVISION: &str = "CREATE EXTENSION citext;
CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL, rank integer, updated_at timestamptz);
COMMENT ON TABLE users IS 'who logs in';
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users SET (fillfactor = 70);
CREATE POLICY own ON users USING (name = current_user);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.updated_at := now(); RETURN new; END';
REVOKE EXECUTE ON FUNCTION touch() FROM PUBLIC;
CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW ranks AS SELECT id, rank FROM users;
GRANT SELECT ON ranks TO PUBLIC;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, rank FROM users GROUP BY rank;
CREATE UNIQUE INDEX totals_rank ON totals (rank);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION feels(mood) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
CREATE SEQUENCE invoices;
CREATE SCHEMA audit;
CREATE TABLE audit.log (id serial PRIMARY KEY, what text);
CREATE STATISTICS users_stats ON id, rank FROM users;
CREATE TABLE events (day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');";

/// The same as an ORM makes it, with other words for some of its columns.
fn model(columns: &str) -> Database {
    let model = Database::new();
    model.execute(&format!("CREATE TABLE users (id integer PRIMARY KEY, {columns}); CREATE TABLE events (day date NOT NULL)"));
    model
}

const COLUMNS: &str = "name text NOT NULL, rank integer, updated_at timestamptz";

fn project() -> Project {
    Project::new().child("001", "base", REVISION, "SELECT 1;")
}

fn run(database: &Database, project: &Project, model: &Database, words: &[&str]) -> Outcome {
    pgmarch(database, project).env("PGMARCH_MODEL_URL", &model.url()).args(words.iter().copied()).run()
}

#[test]
fn what_an_orm_cannot_express_is_left_alone_and_listed() {
    let (database, model, project) = (Database::new(), model(COLUMNS), project());
    pgmarch(&database, &project).run().exits(0);
    let created = run(&database, &project, &model, &["create", "nothing"]).exits(0).stdout_contains("nothing to do");
    let listed = |outcome: Outcome| {
        let names = ["extension citext", "view public.ranks, public.totals", "trigger public.users.touch", "policy public.users.own"];
        let more = ["routine public.feels(mood), public.touch()", "row-level security of public.users", "schema audit"];
        names
            .into_iter()
            .chain(more)
            .fold(outcome, |outcome, name| outcome.stdout_contains(&format!("-- left alone, as the model has none: {name}")))
    };
    listed(created);
    listed(run(&database, &project, &model, &["diff"]).exits(0));
    listed(run(&database, &project, &model, &["check"]).exits(0));
    let json = run(&database, &project, &model, &["create", "--json", "nothing"]).exits(0).json();
    let left_alone = json["left_alone"].as_array().expect("a list");
    assert!(left_alone.iter().any(|name| name == "view public.ranks"), "{json:#}");
    let all = run(&database, &project, &model, &["diff", "--scope", "all"]).exits(1);
    for word in ["DROP POLICY", "DROP TRIGGER", "DROP FUNCTION", "DROP VIEW", "DROP EXTENSION", "DISABLE ROW LEVEL SECURITY"] {
        assert!(all.stdout.contains(word), "{word}: {all}");
    }
}

#[test]
fn what_stands_in_the_way_of_an_orms_change_is_dropped_and_recreated_with_its_rights() {
    let (database, project) = (Database::new(), project());
    let model = model("name varchar(50) NOT NULL, rank bigint, updated_at timestamptz, email text");
    pgmarch(&database, &project).run().exits(0);
    let created = run(&database, &project, &model, &["create", "wider"]).exits(0).stdout_contains("proven in scratch databases");
    for word in
        ["DROP VIEW ranks", "CREATE VIEW ranks", "GRANT SELECT ON ranks TO PUBLIC", "ADD COLUMN email", "CREATE UNIQUE INDEX totals_rank"]
    {
        assert!(created.stdout.contains(word), "{word}: {created}");
    }
    for word in ["DROP FUNCTION", "DROP TRIGGER", "DROP EXTENSION", "DROP TABLE", "fillfactor", "ROW LEVEL SECURITY", "GRANT EXECUTE"] {
        assert!(!created.stdout.contains(word), "{word}: {created}");
    }
    let before = database.dump_without_ledger();
    pgmarch(&database, &project).run().exits(0);
    run(&database, &project, &model, &["diff"]).exits(0);
    run(&database, &project, &model, &["check"]).exits(0);
    pgmarch(&database, &project).args(["downgrade", "-1", "--yes"]).run().exits(0);
    assert_eq!(database.dump_without_ledger(), before);
}

#[test]
fn an_object_that_would_have_to_go_is_named_instead_of_dropped() {
    let (database, project) = (Database::new(), project());
    let model = model("name text NOT NULL, updated_at timestamptz");
    pgmarch(&database, &project).run().exits(0);
    let message = "view public.ranks is left alone, and depends on column public.users.rank, which the model lacks";
    run(&database, &project, &model, &["create", "no rank"]).exits(1).stderr_contains(message).stderr_contains("--scope all");
    run(&database, &project, &model, &["diff"]).exits(1).stderr_contains(message);
    assert_eq!(project.names(), ["001_test.sql"]);
    // A class that is mapped to a view.
    model.execute("ALTER TABLE users ADD rank integer; CREATE TABLE ranks (id integer PRIMARY KEY)");
    let message = "view public.ranks is left alone, and has the name of table public.ranks, which the model has";
    run(&database, &project, &model, &["create", "a view"]).exits(1).stderr_contains(message);
}

#[test]
fn the_scope_is_chosen_by_setting_and_by_option() {
    let (database, model, project) = (Database::new(), model(COLUMNS), project());
    pgmarch(&database, &project).run().exits(0);
    let check = |scope: &str, words: &[&str]| {
        let program = pgmarch(&database, &project).env("PGMARCH_MODEL_URL", &model.url()).env("PGMARCH_MODEL_SCOPE", scope);
        program.args(["check"].into_iter().chain(words.iter().copied())).run()
    };
    check("all", &[]).exits(1);
    check("all", &["--scope", "orm"]).exits(0);
    check("orm", &["--scope", "all"]).exits(1);
    check("django", &[]).exits(2).stderr_contains("write all or orm");
    // schema.sql has everything, unless something else is said.
    let project = project
        .file("schema.sql", &format!("CREATE TABLE users (id integer PRIMARY KEY, {COLUMNS}); CREATE TABLE events (day date NOT NULL);"));
    pgmarch(&database, &project).args(["check"]).run().exits(1).stdout_contains("DROP POLICY");
    pgmarch(&database, &project).args(["check", "--scope", "orm"]).run().exits(0);
}

#[test]
fn kinds_and_schemas_can_be_left_out() {
    let database = Database::new();
    let project = Project::new()
        .child(
            "001",
            "base",
            "CREATE SCHEMA app; CREATE TABLE app.a (id integer); CREATE TABLE b (id integer); CREATE VIEW v AS SELECT 1 AS x;",
            "SELECT 1;",
        )
        .file(
            "schema.sql",
            "CREATE SCHEMA app; CREATE TABLE app.a (id bigint); CREATE INDEX a_id ON app.a (id); CREATE VIEW v AS SELECT 2 AS x, 3 AS y;",
        );
    pgmarch(&database, &project).run().exits(0);
    let create = |words: &[&str]| pgmarch(&database, &project).args(["diff"].into_iter().chain(words.iter().copied())).run();
    let all = create(&[]).exits(1);
    assert!(["DROP TABLE b", "CREATE INDEX", "VIEW v"].iter().all(|word| all.stdout.contains(word)), "{all}");
    create(&["--ignore", "views,indexes"]).exits(1).stdout_lacks("VIEW").stdout_lacks("INDEX").stdout_contains("DROP TABLE b");
    create(&["--only", "app"]).exits(1).stdout_lacks("VIEW").stdout_lacks("TABLE b").stdout_contains("CREATE INDEX");
    create(&["--only", "app", "--ignore", "columns,indexes"]).exits(0);
    create(&["--ignore", "tables,views"]).exits(0);
    create(&["--only", "ap"]).exits(2).stderr_contains("--only names ap, and neither side has such a schema");
    create(&["--ignore", "vieuws"])
        .exits(2)
        .stderr_contains("it is none of aggregates, columns,")
        .stderr_contains("triggers, types, views");
    database.execute("DROP VIEW v; CREATE TABLE drift ()");
    pgmarch(&database, &project).args(["check", "--only", "app", "--ignore", "columns,indexes"]).run().exits(0);
}

#[test]
fn what_depends_on_something_that_is_left_out_is_named() {
    let database = Database::new();
    let project = Project::new().child("001", "base", "CREATE TABLE a (id integer);", "SELECT 1;").file(
        "schema.sql",
        "CREATE TABLE a (id integer, m m); ".replace("CREATE TABLE", "CREATE TYPE m AS ENUM ('x'); CREATE TABLE").as_str(),
    );
    let message = "column public.a.m depends on type public.m, which is not compared and does not exist yet";
    pgmarch(&database, &project).args(["create", "--ignore", "types", "m"]).run().exits(1).stderr_contains(message);
}

#[test]
fn version_tables_of_other_tools_are_no_difference_on_either_side() {
    let (database, model) = (Database::new(), Database::new());
    let own = "CREATE TABLE django_migrations (id serial PRIMARY KEY, app text);
        CREATE TABLE migrations (id serial PRIMARY KEY, migration text, batch integer);
        CREATE SCHEMA typeorm; CREATE TABLE typeorm.migrations (id serial PRIMARY KEY, \"timestamp\" bigint, name text);
        CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text);";
    let project =
        Project::new().child("001", "base", "CREATE TABLE a (id integer); CREATE TABLE flyway_schema_history (x integer);", "SELECT 1;");
    pgmarch(&database, &project).run().exits(0);
    model.execute(&format!("CREATE TABLE a (id integer); {own}"));
    for scope in ["orm", "all"] {
        run(&database, &project, &model, &["create", "--scope", scope, "x"]).exits(0).stdout_contains("nothing to do");
        run(&database, &project, &model, &["check", "--scope", scope]).exits(0);
        run(&database, &project, &model, &["diff", "--scope", scope]).exits(0);
    }
    database.execute(own);
    let run = run(&database, &project, &model, &["diff", "--scope", "all"]).exits(0);
    run.stdout_contains("version table");
    let project = project.file("schema.sql", "CREATE TABLE a (id integer); CREATE TABLE migrations (id integer, title text);");
    pgmarch(&database, &project).args(["create", "one's own"]).run().exits(0).stdout_contains("CREATE TABLE migrations");
}

#[test]
fn rights_are_those_that_there_are_without_the_model() {
    let (database, model) = (Database::new(), Database::new());
    let reader = database.role("reader", &[]);
    let name = &reader.name;
    let project = Project::new().child(
        "001",
        "base",
        &format!(
            "CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY, x integer); GRANT SELECT, UPDATE (x) ON a TO {name};
             CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;
             ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {name}; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {name};"
        ),
        "SELECT 1;",
    );
    pgmarch(&database, &project).run().exits(0);
    model.execute("CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY, x bigint); CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2';
         CREATE TABLE b (id integer GENERATED ALWAYS AS IDENTITY, y serial)");
    let created = run(&database, &project, &model, &["create", "b"]).exits(0).stdout_contains("default privileges sequences, tables");
    assert!(!created.stdout.contains("GRANT") && !created.stdout.contains("REVOKE"), "{created}");
    pgmarch(&database, &project).run().exits(0);
    run(&database, &project, &model, &["diff"]).exits(0);
    let rights = format!("SELECT has_table_privilege('{name}', 'a', 'SELECT') AND has_column_privilege('{name}', 'a', 'x', 'UPDATE') AND has_table_privilege('{name}', 'b', 'SELECT')
        AND NOT has_function_privilege('{name}', 'f()', 'EXECUTE')");
    assert_eq!(database.one(&rights), "t");
}
