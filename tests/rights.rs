//! The least rights that each verb needs, as docs/connections.md has them: with just those it works, without any one it says
//! so and ends with exit 8.

use crate::support::{Database, Outcome, Project, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;").revision("002", "SELECT 2;", "SELECT 2;")
}

/// Runs a verb as a new role with these rights.
fn as_role(database: &Database, rights: &[&str], words: &[&str]) -> Outcome {
    let role = database.role("least", rights);
    pgmarch_at(&role.url, &project()).args(words.iter().copied()).run()
}

/// Works with all the rights, and with one less fails for good.
fn needs_just(database: &Database, rights: &[&str], words: &[&str]) {
    as_role(database, rights, words).exits(0);
    for missing in rights {
        let fewer: Vec<&str> = rights.iter().copied().filter(|right| right != missing).collect();
        let outcome = as_role(database, &fewer, words);
        assert_eq!(outcome.code(), Some(8), "without {missing}\n{outcome}");
        let said = ["permission denied", "names no schema that exists"].iter().any(|text| outcome.stderr.contains(text));
        assert!(said, "without {missing}\n{outcome}");
    }
}

/// A database where nobody has a right by being anybody.
fn closed() -> Database {
    let database = Database::new();
    database.execute(&format!("REVOKE ALL ON DATABASE {} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC", database.name()));
    database
}

#[test]
fn reading_needs_only_rights_to_read() {
    let database = closed();
    let connect = format!("CONNECT ON DATABASE {}", database.name());
    as_role(&database, &[&connect, "USAGE ON SCHEMA public"], &["status"]).exits(0).stdout_contains("001");
    pgmarch(&database, &project()).args(["upgrade"]).run().exits(0);
    let rights =
        [&connect, "USAGE ON SCHEMA public", "SELECT ON public.alembic_version", "USAGE ON SCHEMA pgmarch", "SELECT ON pgmarch.revision"];
    as_role(&database, &[&rights[..], &["SELECT ON pgmarch.journal"]].concat(), &["upgrade"]).exits(0).stdout_contains("nothing to do");
    let rights = [&rights[..], &["SELECT ON pgmarch.journal"]].concat();
    needs_just(&database, &rights, &["status"]);
}

#[test]
fn the_first_upgrade_needs_to_make_its_tables_and_a_later_one_to_write_them() {
    let database = closed();
    let connect = format!("CONNECT ON DATABASE {}", database.name());
    let create = format!("CREATE ON DATABASE {}", database.name());
    for missing in [create.as_str(), "CREATE ON SCHEMA public"] {
        let rights: Vec<&str> = [connect.as_str(), &create, "USAGE ON SCHEMA public", "CREATE ON SCHEMA public"]
            .into_iter()
            .filter(|right| *right != missing)
            .collect();
        let outcome = as_role(&database, &rights, &["upgrade", "001"]);
        assert_eq!(outcome.code(), Some(8), "without {missing}\n{outcome}");
        assert!(outcome.stderr.contains("permission denied") && outcome.last_line().contains("GRANT"), "without {missing}\n{outcome}");
    }
    as_role(&database, &[&connect, &create, "USAGE ON SCHEMA public", "CREATE ON SCHEMA public"], &["upgrade", "001"]).exits(0);
    // Somebody else's tables by now.
    let rights = [
        connect.as_str(),
        "USAGE ON SCHEMA public",
        "SELECT, INSERT, UPDATE, DELETE ON public.alembic_version",
        "USAGE ON SCHEMA pgmarch",
        "SELECT, INSERT, UPDATE ON pgmarch.revision",
        "SELECT, INSERT ON pgmarch.journal",
    ];
    as_role(&database, &rights, &["upgrade"]).exits(0).stdout_contains("at 002");
}
