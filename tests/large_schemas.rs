//! Schemas whose catalog is larger than an answer that is kept may be: it is read as a stream.

use crate::support::{Database, Project, pgmarch};

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
