//! Files and histories that do not fit together: exit 3 and 7, and a database that is ahead.

use super::{Setup, message, outcome};
use crate::support::{Database, Project, pgmarch};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;").revision(
        "002",
        "ALTER TABLE services ADD COLUMN quota integer;",
        "ALTER TABLE services DROP COLUMN quota;",
    )
}

fn applied() -> (Database, Project) {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    (database, project)
}

/// A run over files that were changed after all were applied.
fn after(change: impl Fn(&Database, &Project)) -> Setup {
    let (database, project) = applied();
    change(&database, &project);
    Setup::of(pgmarch(&database, &project)).keep((database, project))
}

#[test]
fn pending_revisions() {
    message("pending", 1, || {
        let (database, project) = (Database::new(), project());
        Setup::of(pgmarch(&database, &project)).say("status --check").keep((database, project))
    });
}

#[test]
fn a_wait_in_vain() {
    message("wait-in-vain", 1, || {
        let (database, project) = (Database::new(), project());
        pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
        Setup::of(pgmarch(&database, &project)).say("wait").and("PGMARCH_WAIT_TIMEOUT", "1s").keep((database, project))
    });
}

#[test]
fn schemas_that_differ() {
    message("different-schemas", 1, || {
        let (database, project) = applied();
        project.write("schema.sql", "CREATE TABLE services (name text, quota integer, owner text);\n");
        Setup::of(pgmarch(&database, &project)).say("diff").keep((database, project))
    });
}

#[test]
fn findings() {
    message("findings", 1, || {
        let text = "-- created: yesterday\n-- migrate:up\nSELECT 1;\n\n-- migrate:down\nSELECT 1;\n";
        let (database, project) = (Database::new(), project().file("003_owner.sql", text));
        Setup::of(pgmarch(&database, &project)).say("check --offline").keep((database, project))
    });
}

#[test]
fn a_downgrade_that_is_not_confirmed() {
    outcome("not-confirmed", 1, || {
        let (database, project) = applied();
        Setup::of(pgmarch(&database, &project).stdin("no\n").args(["downgrade", "base"]).on_terminal()).keep((database, project))
    });
}

fn two_heads() -> Project {
    Project::new()
        .child("001", "base", "CREATE TABLE services (name text);", "DROP TABLE services;")
        .child("002", "001", "CREATE TABLE a ();", "DROP TABLE a;")
        .child("003", "001", "CREATE TABLE b ();", "DROP TABLE b;")
}

#[test]
fn two_heads_stop_an_upgrade() {
    message("two-heads", 3, || {
        let (database, project) = (Database::new(), two_heads());
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn two_files_with_one_id() {
    message("duplicate-ids", 3, || {
        let (database, project) = (Database::new(), project().file("002_owners.sql", "-- migrate:up\nSELECT 1;\n"));
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_changed_file() {
    message("changed-file", 3, || {
        after(|_, project| {
            project.write("001_test.sql", &project.read("001_test.sql").replace("name text", "name text NOT NULL"));
        })
    });
}

#[test]
fn a_commit_in_a_revision() {
    message("commit-in-revision", 3, || {
        let database = Database::new();
        let project = project().file("003_owners.sql", "-- migrate:up\nSELECT 1;\nCOMMIT;\nSELECT 2;\n");
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

/// 002 comes in below 003, which was applied on 001.
fn moved() -> (Database, Project) {
    let database = Database::new();
    let project = Project::new().child("001", "base", "CREATE TABLE services (name text);", "DROP TABLE services;").child(
        "003",
        "001",
        "CREATE TABLE users ();",
        "DROP TABLE users;",
    );
    pgmarch(&database, &project).run().exits(0);
    let project = project.child("002", "001", "CREATE TABLE late ();", "DROP TABLE late;").child(
        "003",
        "002",
        "CREATE TABLE users ();",
        "DROP TABLE users;",
    );
    (database, project)
}

#[test]
fn a_revision_below_an_applied_one() {
    message("moved-revision", 3, || {
        let (database, project) = moved();
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn the_status_of_a_revision_below_an_applied_one() {
    outcome("moved-revision-status", 0, || {
        let (database, project) = moved();
        Setup::of(pgmarch(&database, &project)).say("status").keep((database, project))
    });
}

#[test]
fn a_revision_below_one_that_was_stamped() {
    message("late-revision", 3, || {
        let database = Database::new();
        let project = Project::new().child("001", "base", "CREATE TABLE services (name text);", "DROP TABLE services;").child(
            "003",
            "001",
            "CREATE TABLE users ();",
            "DROP TABLE users;",
        );
        pgmarch(&database, &project).run().exits(0);
        database.execute("DELETE FROM pgmarch.journal; DELETE FROM pgmarch.revision; UPDATE alembic_version SET version_num = '003'");
        let project = project.child("004", "003", "CREATE TABLE more ();", "DROP TABLE more;");
        pgmarch(&database, &project).run().exits(0);
        let project = project.child("002", "001", "CREATE TABLE late ();", "DROP TABLE late;").child(
            "003",
            "002",
            "CREATE TABLE users ();",
            "DROP TABLE users;",
        );
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_version_table_without_rows() {
    message("version-table-emptied", 3, || after(|database, _| database.execute("TRUNCATE alembic_version")));
}

#[test]
fn a_version_table_that_is_gone() {
    message("version-table-dropped", 3, || after(|database, _| database.execute("DROP TABLE alembic_version")));
}

#[test]
fn a_version_table_in_another_schema() {
    message("version-table-elsewhere", 3, || after(|database, _| database.execute("CREATE SCHEMA app")).and("PGMARCH_SEARCH_PATH", "app"));
}

#[test]
fn an_empty_version_table_before_another() {
    message("version-table-hidden", 3, || {
        after(|database, _| database.execute("CREATE SCHEMA app; CREATE TABLE app.alembic_version (version_num varchar(32) PRIMARY KEY)"))
            .and("PGMARCH_SEARCH_PATH", "app, public")
    });
}

#[test]
fn an_unknown_version() {
    message("unknown-version", 3, || after(|database, _| database.execute("UPDATE alembic_version SET version_num = 'zzz'")));
}

#[test]
fn histories_that_diverge() {
    message("diverged", 3, || {
        after(|_, project| {
            project.remove("002_test.sql");
            project.write("002b_other.sql", "-- migrate:up\nCREATE TABLE other ();\n\n-- migrate:down\nDROP TABLE other;\n");
        })
    });
}

#[test]
fn a_version_table_of_another_role() {
    message("untrusted-table", 3, || {
        let (database, project) = (Database::new(), project());
        let mallory = database.role("mallory", &["USAGE, CREATE ON SCHEMA public"]);
        database.execute(&format!(
            "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY); ALTER TABLE alembic_version OWNER TO {}",
            mallory.name
        ));
        Setup::of(pgmarch(&database, &project)).hide(&mallory.name, "mallory").keep((database, project))
    });
}

#[test]
fn a_name_that_is_in_the_way() {
    message("name-in-the-way", 3, || {
        let (database, project) = (Database::new(), project());
        database.execute("CREATE TYPE alembic_version AS ENUM ('a')");
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_ledger_of_a_later_version() {
    message("later-ledger", 3, || {
        let (database, project) = applied();
        database.execute("INSERT INTO pgmarch.format (format, oldest, pgmarch) VALUES (3, 3, '7.8.9')");
        project.write("003_more.sql", "-- migrate:up\nSELECT 1;\n");
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_file_that_is_read_differently() {
    message("reread-file", 3, || {
        after(|database, _| {
            database.execute(
                "UPDATE pgmarch.revision SET semantic = repeat('0', 64) WHERE revision = '002';
                 UPDATE pgmarch.journal SET sealed = '2:' || sealed WHERE sealed IS NOT NULL",
            );
        })
    });
}

#[test]
fn a_revision_without_a_down_migration() {
    message("no-down-migration", 3, || {
        let database = Database::new();
        let project = project().file("003_owner.sql", "-- migrate:up\nALTER TABLE services ADD COLUMN owner text;\n");
        pgmarch(&database, &project).run().exits(0);
        Setup::of(pgmarch(&database, &project)).say("downgrade 002 --yes").keep((database, project))
    });
}

#[test]
fn a_half_done_revision_whose_text_was_changed() {
    message("half-done-and-changed", 3, || {
        let (database, project) = super::half_done();
        let text = project.read("002_test.sql").replace("CREATE TABLE a (id int)", "CREATE TABLE a (id bigint)");
        project.write("002_test.sql", &text);
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_half_done_revision_that_this_run_would_not_finish() {
    message("half-done-and-left", 6, || {
        let (database, project) = super::half_done();
        Setup::of(pgmarch(&database, &project)).say("downgrade base --yes").keep((database, project))
    });
}

#[test]
fn the_status_of_a_half_done_revision() {
    outcome("half-done-status", 0, || {
        let (database, project) = super::half_done();
        Setup::of(pgmarch(&database, &project)).say("status").keep((database, project))
    });
}

/// The image of 001 and 002, on a database that has 003.
fn ahead(headers: &str) -> (Database, Project) {
    let (database, project) = applied();
    project.write("003_later.sql", &format!("{headers}-- migrate:up\nCREATE TABLE later ();\n\n-- migrate:down\nDROP TABLE later;\n"));
    pgmarch(&database, &project).run().exits(0);
    project.remove("003_later.sql");
    (database, project)
}

#[test]
fn a_database_that_is_ahead() {
    outcome("ahead", 0, || {
        let (database, project) = ahead("");
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_database_that_is_ahead_by_a_breaking_revision() {
    message("ahead-breaking", 7, || {
        let (database, project) = ahead("-- breaking: true\n");
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}

#[test]
fn a_database_that_may_not_be_ahead() {
    message("ahead-refused", 7, || {
        let (database, project) = ahead("");
        Setup::of(pgmarch(&database, &project)).and("PGMARCH_AHEAD", "refuse").keep((database, project))
    });
}

#[test]
fn a_ledger_that_was_dropped() {
    outcome("ledger-dropped", 0, || {
        let (database, project) = applied();
        database.execute("DROP SCHEMA pgmarch CASCADE");
        project.write("003_more.sql", "-- migrate:up\nSELECT 1;\n\n-- migrate:down\nSELECT 1;\n");
        Setup::of(pgmarch(&database, &project)).keep((database, project))
    });
}
