//! Schemas whose catalog is larger than an answer that is kept may be: it is read as a stream.

use crate::support::{Database, Project, Server, pgmarch, pgmarch_at};

/// Functions of 2 MB each, and a table with partitions: together 25 MB of catalog, made by few words.
fn large(functions: usize, partitions: usize) -> String {
    format!(
        "DO $do$ BEGIN
    FOR number IN 1..{functions} LOOP
        EXECUTE format('CREATE FUNCTION large_%s() RETURNS integer LANGUAGE plpgsql AS %L', number, repeat(E'-- a long body\\n', 140000) || 'BEGIN RETURN 1; END');
    END LOOP;
END $do$;
CREATE TABLE events (id bigint NOT NULL, day integer NOT NULL, note text DEFAULT 'none', PRIMARY KEY (id, day)) PARTITION BY LIST (day);
DO $do$ BEGIN
    FOR day IN 1..{partitions} LOOP EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES IN (%s)', day, day); END LOOP;
END $do$;
"
    )
}

#[test]
fn a_catalog_of_many_megabytes_is_compared_created_and_proven() {
    let database = Database::new();
    let project = Project::new().child("001", "base", &large(10, 200), "SELECT 1;").file("schema.sql", &large(10, 200));
    pgmarch(&database, &project).args(["check"]).run().exits(0).stdout_contains("nothing found");
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["check"]).run().exits(0).stdout_contains("nothing found (files, ledger, database, model)");
    project.write("schema.sql", &large(11, 201));
    pgmarch(&database, &project).args(["diff"]).run().exits(1).stdout_contains("CREATE TABLE events_201 PARTITION OF events");
    pgmarch(&database, &project).args(["create", "larger"]).run().exits(0).stdout_contains("proven in scratch databases");
    pgmarch(&database, &project).args(["check"]).run().exits(0).stdout_contains("nothing found (files, ledger, database, model)");
}

#[test]
fn a_schema_larger_than_the_lock_table_is_proven_in_parts_and_a_warning_names_the_setting() {
    let server = Server::start_own(&["max_locks_per_transaction = 10", "max_connections = 20"]);
    let tables: String = (0..700).map(|number| format!("CREATE TABLE t{number} (id serial PRIMARY KEY, name text UNIQUE);\n")).collect();
    let project = Project::new().file("schema.sql", &tables);
    let run = pgmarch_at(&server.url("postgres"), &project).args(["create", "all"]).run().exits(0);
    run.stdout_contains("proven in scratch databases")
        .stderr_contains("the up migration locks more objects in one transaction")
        .stderr_contains("the down migration locks more objects in one transaction")
        .stderr_contains("set max_locks_per_transaction (here 10) to at least");
    pgmarch_at(&server.url("postgres"), &project).args(["check"]).run().exits(0).stdout_contains("nothing found");
}

#[test]
fn what_one_statement_creates_beyond_the_lock_table_names_the_setting() {
    let server = Server::start_own(&["max_locks_per_transaction = 10", "max_connections = 20"]);
    let tables =
        "DO $$ BEGIN FOR number IN 1..3000 LOOP EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY)', number); END LOOP; END $$;\n";
    let project = Project::new().file("schema.sql", tables);
    pgmarch_at(&server.url("postgres"), &project)
        .args(["create", "all"])
        .run()
        .exits(4)
        .stderr_contains("out of shared memory")
        .stderr_contains("set max_locks_per_transaction higher on the scratch server");
}
