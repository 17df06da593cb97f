//! `check` compares the live database with what its revisions create in a scratch database: no trace in the target is needed.

use crate::support::{Database, Outcome, Project, pgmarch, pgmarch_at};

/// Three revisions.
fn project() -> Project {
    Project::new()
        .revision("001", "CREATE TABLE a (id integer PRIMARY KEY, x integer);", "DROP TABLE a;")
        .revision("002", "CREATE SCHEMA billing;\nCREATE TABLE billing.b (id integer);", "DROP SCHEMA billing CASCADE;")
        .revision("003", "CREATE VIEW v AS SELECT x FROM a;", "DROP VIEW v;")
}

fn check(database: &Database, project: &Project) -> Outcome {
    pgmarch(database, project).args(["check"]).run()
}

#[track_caller]
fn is_clean(database: &Database, project: &Project) -> Outcome {
    check(database, project).exits(0).stdout_contains("nothing found (files, ledger, database)")
}

#[test]
fn a_manual_change_is_found_without_a_snapshot() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    is_clean(&database, &project);
    assert_eq!(database.one("SELECT count(*) FROM pgmarch.catalog"), "0", "nothing is written by default");
    database.execute(
        "CREATE TABLE by_hand (id integer); ALTER TABLE a ADD COLUMN hot integer; CREATE INDEX b_id ON billing.b (id);
         CREATE OR REPLACE VIEW v AS SELECT x + 1 AS x FROM a; ALTER TABLE a ALTER x SET DEFAULT 3",
    );
    let run = check(&database, &project).exits(1).stdout_contains("5 objects differ from what the applied revisions (at 003) create");
    for line in [
        "+ table public.by_hand",
        "+ column public.a.hot",
        "+ index billing.b_id",
        "~ view public.v",
        "+ default of public.a.x",
        "[database]",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{run}");
    }
    database.execute("DROP SCHEMA billing CASCADE");
    check(&database, &project).exits(1).stdout_contains("- schema billing").stdout_contains("- table billing.b");
}

#[test]
fn what_belongs_to_the_environment_is_no_drift() {
    let database = Database::new();
    let project = Project::new().revision(
        "001",
        "CREATE TABLE p (id integer) PARTITION BY LIST (id);
         CREATE MATERIALIZED VIEW m AS SELECT 1 AS x WITH NO DATA;
         CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE TABLE a (id integer);",
        "DROP TABLE a; DROP FUNCTION f(); DROP MATERIALIZED VIEW m; DROP TABLE p;",
    );
    pgmarch(&database, &project).run().exits(0);
    let other = database.role("owner", &["CREATE ON SCHEMA public"]).name;
    database.execute(&format!(
        "CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
         CREATE INDEX ON p_1 (id);
         REFRESH MATERIALIZED VIEW m;
         ALTER TABLE a OWNER TO {other};
         GRANT SELECT ON p TO {other};
         ALTER DEFAULT PRIVILEGES FOR ROLE {other} GRANT SELECT ON TABLES TO PUBLIC;
         ALTER DEFAULT PRIVILEGES FOR ROLE {other} IN SCHEMA public GRANT SELECT ON SEQUENCES TO PUBLIC;
         CREATE TABLE schema_migrations (version text PRIMARY KEY);
         CREATE TABLE flyway_schema_history (installed_rank serial PRIMARY KEY, description text);
         CREATE TABLE \"__EFMigrationsHistory\" (\"MigrationId\" text PRIMARY KEY);
         CREATE SCHEMA elsewhere;
         CREATE TABLE elsewhere.t (id integer);
         COMMENT ON SCHEMA public IS 'ours';
         CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION f();
         INSERT INTO a VALUES (1);
         ANALYZE"
    ));
    is_clean(&database, &project)
        .stderr_contains("not compared, as no applied revision creates it and the search path does not name it: schema elsewhere");
    database.execute("DROP TABLE p_1; ALTER TABLE p ADD COLUMN x integer");
    check(&database, &project).exits(1).stdout_contains("1 object differs").stdout_contains("+ column public.p.x");
}

#[test]
fn without_a_scratch_database_it_says_that_nothing_was_compared() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    database.execute("CREATE TABLE by_hand ()");
    let reader = database.role("reader", &["USAGE ON SCHEMA pgmarch", "SELECT ON ALL TABLES IN SCHEMA public, pgmarch"]);
    let run = pgmarch_at(&reader.url, &project).args(["check"]).run().exits(0).stdout_contains("nothing found (files, ledger)");
    for text in [
        "the live database was not compared",
        "may not create databases",
        "PGMARCH_SCRATCH_URL",
        &format!("ALTER ROLE \"{}\" CREATEDB", reader.name),
    ] {
        assert!(run.stderr.contains(text), "{text}\n{run}");
    }
    let elsewhere = pgmarch_at(&reader.url, &project).env("PGMARCH_SCRATCH_URL", &database.url());
    elsewhere.args(["check"]).run().exits(1).stdout_contains("+ table public.by_hand");
}

#[test]
fn revisions_that_depend_on_data_are_named() {
    let database = Database::new();
    database.execute("CREATE TABLE old (id integer); INSERT INTO old VALUES (1)");
    let project = Project::new().revision("001", "CREATE TABLE a ();", "DROP TABLE a;").revision(
        "002",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM public.old) THEN RAISE 'no rows'; END IF; END $$;",
        "SELECT 1;",
    );
    pgmarch(&database, &project).run().exits(0);
    let run = check(&database, &project).exits(0).stdout_contains("nothing found (files, ledger)");
    for text in [
        "was not compared with its revisions",
        "could not be replayed",
        "revision 002",
        "002_test.sql:",
        "relation \"public.old\" does not exist",
    ] {
        assert!(run.stderr.contains(text), "{text}\n{run}");
    }
    assert_eq!(
        database
            .one("SELECT count(*) FROM pg_database WHERE datname LIKE 'pgmarch\\_scratch\\_%' AND datname LIKE '%' || pg_backend_pid()"),
        "0"
    );
}

#[test]
fn revisions_without_a_file_are_replayed_from_the_ledger() {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    let older = project.copied();
    older.remove("003_test.sql");
    is_clean(&database, &older);
    database.execute("DROP VIEW v");
    check(&database, &older).exits(1).stdout_contains("- view public.v");
}

#[test]
fn a_revision_that_was_edited_or_has_not_finished_leaves_the_comparison_out() {
    let database = Database::new();
    let project = project()
        .file("004_more.sql", "-- migrate:up transaction:false\nCREATE TABLE c ();\nSELECT 1/0;\n\n-- migrate:down\nDROP TABLE c;\n");
    pgmarch(&database, &project).run().exits(6);
    check(&database, &project).exits(0).stderr_contains("was not compared").stderr_contains("revision 004 was begun and has not finished");
    let project = self::project();
    project.write("001_test.sql", &project.read("001_test.sql").replace("x integer", "x bigint"));
    check(&database, &project).exits(3).stdout_contains("[changed]").stderr_contains("the files are not what was applied here");
}

#[test]
fn only_applied_revisions_are_replayed() {
    let (database, project) = (Database::new(), project());
    check(&database, &project).exits(0).stdout_contains("(files, ledger)").stderr_contains("at base");
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    is_clean(&database, &project);
    database.execute("CREATE VIEW v AS SELECT x FROM a");
    check(&database, &project).exits(1).stdout_contains("+ view public.v");
}

#[test]
fn tenants_and_other_projects_do_not_see_each_other() {
    let database = Database::new();
    database.execute("CREATE SCHEMA t1; CREATE SCHEMA t2");
    let tenant = Project::new().revision("001", "CREATE TABLE a (id integer);", "DROP TABLE a;");
    let run = |schema: &str, words: &[&str]| {
        let program = pgmarch(&database, &tenant).env("PGMARCH_SEARCH_PATH", schema);
        program.env("PGMARCH_VERSION_TABLE", &format!("{schema}.alembic_version")).args(words.iter().copied()).run()
    };
    for schema in ["t1", "t2"] {
        run(schema, &[]).exits(0);
    }
    let other = Project::new().revision("x1", "CREATE TABLE theirs (id serial PRIMARY KEY);", "DROP TABLE theirs;");
    let (ours, named) = (project(), "theirs_version");
    // Beside the tables of the tenants, each of the others' names its own.
    pgmarch(&database, &ours).env("PGMARCH_VERSION_TABLE", "public.alembic_version").run().exits(0);
    pgmarch(&database, &other).env("PGMARCH_VERSION_TABLE", named).run().exits(0);
    database.execute("ALTER TABLE t1.a ADD COLUMN hot integer");
    run("t1", &["check"]).exits(1).stdout_contains("1 object differs").stdout_contains("+ column t1.a.hot");
    run("t2", &["check"]).exits(0).stdout_contains("(files, ledger, database)");
    is_clean(&database, &ours).stderr_contains("another version table is in the same schema");
    pgmarch(&database, &other).env("PGMARCH_VERSION_TABLE", named).args(["check"]).run().exits(0).stdout_contains("database");
    database.execute("ALTER TABLE a DROP COLUMN x CASCADE");
    check(&database, &ours).exits(1).stdout_contains("- column public.a.x");
}

#[test]
fn a_tenant_whose_revisions_create_its_schema_is_replayed_too() {
    let database = Database::new();
    let project = Project::new()
        .revision("001", "CREATE SCHEMA IF NOT EXISTS app;\nCREATE TABLE app.a (id integer);", "DROP TABLE app.a;")
        .revision("002", "CREATE TABLE b ();", "DROP TABLE b;");
    pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app").env("PGMARCH_VERSION_TABLE", "public.alembic_version").run().exits(0);
    let check = || {
        let program = pgmarch(&database, &project).env("PGMARCH_SEARCH_PATH", "app").env("PGMARCH_VERSION_TABLE", "public.alembic_version");
        program.args(["check"]).run()
    };
    check().exits(0).stdout_contains("(files, ledger, database)");
    database.execute("CREATE TABLE app.by_hand ()");
    check().exits(1).stdout_contains("+ table app.by_hand");
}

#[test]
fn revisions_are_replayed_as_the_role_of_the_settings() {
    let database = Database::new();
    let (login, owner) = (database.role("login", &[]), database.role("owner", &[]).name);
    database.execute(&format!(
        "GRANT {owner} TO {0}; ALTER ROLE {0} CREATEDB; GRANT CREATE ON DATABASE {1} TO {owner}; GRANT ALL ON SCHEMA public TO {owner}",
        login.name,
        database.name()
    ));
    let project = project();
    let run = |words: &[&str]| pgmarch_at(&login.url, &project).env("PGMARCH_ROLE", &owner).args(words.iter().copied()).run();
    run(&[]).exits(0);
    run(&["check"]).exits(0).stdout_contains("nothing found (files, ledger, database)");
}

#[test]
fn reading_many_views_is_refused_instead_of_filling_the_servers_lock_table() {
    let database = Database::new();
    let project = Project::new().revision("001", "CREATE TABLE a (id integer);", "DROP TABLE a;");
    pgmarch(&database, &project).run().exits(0);
    let lock_table = "current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int)";
    database.execute(&format!(
        "DO $$ BEGIN FOR i IN 1..{lock_table} / 4 + 1 LOOP EXECUTE format('CREATE VIEW v%s AS SELECT 1 AS x', i); IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$"
    ));
    check(&database, &project).exits(0).stderr_contains("was not compared").stderr_contains("max_locks_per_transaction");
}
