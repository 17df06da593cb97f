//! The least rights that each verb needs, as docs/connections.md has them: with just those it works, without any one it says
//! so and ends with exit 8.

use crate::support::{Database, Outcome, Program, Project, pgmarch, pgmarch_at, pgmarch_without_database};

/// Not a right that is granted, but what scratch databases need.
const CREATEDB: &str = "CREATEDB";

/// What every verb that reads the ledger needs.
const READ: [&str; 5] = [
    "USAGE ON SCHEMA public",
    "SELECT ON public.alembic_version",
    "USAGE ON SCHEMA pgmarch",
    "SELECT ON pgmarch.revision",
    "SELECT ON pgmarch.journal",
];

/// Three revisions, and the model that they lead to.
fn project() -> Project {
    Project::new()
        .revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;")
        .revision("002", "SELECT 2;", "SELECT 2;")
        .revision("003", "SELECT 3;", "SELECT 3;")
        .file("schema.sql", "CREATE TABLE things (id int);")
}

/// A verb as a new role that may connect, with these rights.
fn as_role(database: &Database, project: &Project, rights: &[&str], words: &[&str]) -> Program {
    let granted: Vec<&str> = rights.iter().copied().filter(|right| *right != CREATEDB).collect();
    let role = database.role("least", &granted);
    database.execute(&format!("GRANT CONNECT ON DATABASE {} TO {}", database.name(), role.name));
    if rights.contains(&CREATEDB) {
        database.execute(&format!("ALTER ROLE {} CREATEDB", role.name));
    }
    pgmarch_at(&role.url, project).args(words.iter().copied())
}

/// Fails for good with one right less than all, and works with all.
fn needs_just(database: &Database, project: &Project, rights: &[&str], words: &[&str]) {
    needs_each(database, project, rights, words).exits(0);
}

/// Fails for good with one right less than all; what it comes to with all.
fn needs_each(database: &Database, project: &Project, rights: &[&str], words: &[&str]) -> Outcome {
    for missing in rights {
        let fewer: Vec<&str> = rights.iter().copied().filter(|right| right != missing).collect();
        let outcome = as_role(database, project, &fewer, words).run();
        assert_eq!(outcome.code(), Some(8), "{words:?} without {missing}\n{outcome}");
        let reasons = ["permission denied", "names no schema that it may use", "may not create databases"];
        assert!(reasons.iter().any(|text| outcome.stderr.contains(text)), "{words:?} without {missing}\n{outcome}");
    }
    as_role(database, project, rights, words).run()
}

/// A database where PUBLIC has no rights.
fn closed() -> Database {
    let database = Database::new();
    database.execute(&format!("REVOKE ALL ON DATABASE {} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC", database.name()));
    database
}

/// The same, migrated by another role.
fn closed_at(revision: &str, project: &Project) -> Database {
    let database = closed();
    pgmarch(&database, project).args(["upgrade", revision]).run().exits(0);
    database
}

fn and<'r>(rights: &[&'r str], more: &[&'r str]) -> Vec<&'r str> {
    [rights, more].concat()
}

#[test]
fn reading_needs_only_rights_to_read() {
    let empty = closed();
    as_role(&empty, &project(), &["USAGE ON SCHEMA public"], &["status"]).run().exits(0).stdout_contains("001");
    let database = closed_at("head", &project());
    for words in [&["status", "--check"][..], &["history"], &["show", "002"], &["lint"], &["upgrade", "--sql"]] {
        needs_just(&database, &project(), &READ, words);
    }
    needs_just(&database, &project(), &READ[..2], &["wait"]);
    let without_texts: Vec<&str> = READ.into_iter().filter(|right| *right != "SELECT ON pgmarch.revision").collect();
    needs_just(&database, &project(), &without_texts, &["upgrade"]);
}

#[test]
fn comparing_needs_to_make_databases_as_well() {
    let database = closed_at("head", &project());
    // Rights are each environment's own, unless a snapshot tells that they were changed.
    needs_just(&database, &project(), &and(&READ, &[CREATEDB]), &["check"]);
    // This test has granted some by hand.
    let differs = needs_each(&database, &project(), &and(&READ, &[CREATEDB]), &["diff"]);
    differs.exits(1).stdout_contains("USAGE ON SCHEMA public");
    let project = project().file("schema.sql", "CREATE TABLE things (id int, name text);");
    needs_just(&database, &project, &[CREATEDB], &["create", "a column"]);
    pgmarch_without_database(&project).args(["check", "--offline"]).run().exits(0);
    pgmarch_without_database(&project).args(["create", "by hand", "--manual"]).run().exits(0);
}

#[test]
fn the_first_upgrade_needs_to_make_its_tables() {
    let database = closed();
    let create = format!("CREATE ON DATABASE {}", database.name());
    for missing in [create.as_str(), "CREATE ON SCHEMA public"] {
        let rights: Vec<&str> =
            [create.as_str(), "USAGE ON SCHEMA public", "CREATE ON SCHEMA public"].into_iter().filter(|right| *right != missing).collect();
        let outcome = as_role(&database, &project(), &rights, &["upgrade", "001"]).run();
        assert!(outcome.last_line().contains("GRANT"), "without {missing}\n{outcome}");
    }
    needs_just(&database, &project(), &[&create, "USAGE ON SCHEMA public", "CREATE ON SCHEMA public"], &["upgrade", "001"]);
    let database = closed();
    let create = format!("CREATE ON DATABASE {}", database.name());
    needs_just(&database, &project(), &[&create, "USAGE ON SCHEMA public", "CREATE ON SCHEMA public"], &["stamp", "001"]);
}

#[test]
fn moving_the_version_needs_to_write_it_and_the_ledger() {
    const NOTE: &str = "INSERT ON pgmarch.journal";
    const MOVE: &str = "UPDATE ON public.alembic_version";
    const KEEP: [&str; 2] = ["INSERT ON pgmarch.revision", "UPDATE ON pgmarch.revision"];
    let database = closed_at("002", &project());
    needs_just(&database, &project(), &[&READ[..], &[MOVE, NOTE], &KEEP].concat(), &["upgrade"]);
    needs_just(&database, &project(), &and(&READ, &[MOVE, NOTE]), &["downgrade", "002", "--yes"]);
    let remade = ["INSERT ON public.alembic_version", "DELETE ON public.alembic_version", NOTE];
    needs_just(&database, &project(), &and(&READ, &remade), &["stamp", "003"]);
    let changed = project().revision("002", "SELECT 22;", "SELECT 2;");
    needs_just(&database, &changed, &[&READ[..], &[NOTE], &KEEP].concat(), &["repair", "002"]);

    let project = project();
    let database = closed_at("002", &project);
    let rights = [&READ[..], &[MOVE, NOTE], &KEEP].concat();
    let sidecar = as_role(&database, &project, &rights, &["sidecar"]).env("PGMARCH_LISTEN", "127.0.0.1:0").spawn();
    sidecar.wait_for_log("ready: at 003");
    sidecar.signal("TERM");
    sidecar.wait().exits(143);
}

#[test]
fn what_is_missing_to_read_is_named_as_statements_that_are_enough() {
    let database = closed();
    let project = project();
    // Without a model, as a comparison with it needs scratch databases.
    project.remove("schema.sql");
    pgmarch(&database, &project).run().exits(0);
    project.write("004_test.sql", "-- migrate:up\nSELECT 4;\n\n-- migrate:down\nSELECT 4;\n");
    for words in [&["status"][..], &["wait", "003"], &["history"], &["check"], &["upgrade"], &["downgrade", "003", "--yes"]] {
        let role = database.role("reader", &[]);
        database.execute(&format!("GRANT CONNECT ON DATABASE {} TO {}", database.name(), role.name));
        let run = || pgmarch_at(&role.url, &project).args(words.iter().copied()).run();
        let refused = run().exits(8);
        let grants = refused.last_line().split_once("run GRANT ").and_then(|(_, rest)| rest.split_once("; then run again"));
        let (grants, _) = grants.unwrap_or_else(|| panic!("{words:?}: no GRANT\n{refused}"));
        database.execute(&format!("GRANT {grants}"));
        let granted = run();
        assert!(granted.code() != Some(8), "{words:?}: GRANT {grants} is not enough\n{granted}");
    }
}
