//! Settings and arguments that are wrong: exit 2, before anything is connected to.

use std::net::TcpListener;

use super::{Setup, message};
use crate::support::{Database, Program, Project, pgmarch, pgmarch_at, pgmarch_without_database};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;")
}

/// A run with one more variable.
fn with(name: &str, value: &str) -> Setup {
    let project = project();
    Setup::of(pgmarch_at("postgres://app@127.0.0.1:1/shop", &project).env(name, value)).keep(project)
}

fn words(program: Program, words: &str) -> Program {
    program.args(words.split(' '))
}

#[test]
fn an_unknown_setting() {
    message("unknown-setting", 2, || with("PGMARCH_TARGETT", "001"));
}

#[test]
fn a_duration_without_a_unit() {
    message("duration-without-unit", 2, || with("PGMARCH_WAIT_TIMEOUT", "30"));
}

#[test]
fn a_duration_that_postgresql_can_not_store() {
    message("duration-below-a-millisecond", 2, || with("PGMARCH_LOCK_TIMEOUT", "500us"));
}

#[test]
fn a_value_and_a_file_for_it() {
    message("value-and-file", 2, || with("PGPASSWORD", "secret").and("PGPASSWORD_FILE", "/nowhere"));
}

#[test]
fn a_secret_that_is_not_readable() {
    message("unreadable-secret", 2, || with("PGPASSWORD_FILE", "/nowhere/password"));
}

#[test]
fn a_secret_that_others_may_write() {
    message("writable-secret", 2, || {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("url");
        std::fs::write(&file, "postgres://app@127.0.0.1:1/shop").expect("written");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("a mode");
        let project = project();
        let program = pgmarch_without_database(&project).env("PGMARCH_DATABASE_URL_FILE", &file.to_string_lossy());
        Setup::of(program).hide(folder.path().display(), "/secrets").keep((project, folder))
    });
}

#[test]
fn no_database() {
    message("no-database", 2, || {
        let project = project();
        Setup::of(pgmarch_without_database(&project)).keep(project)
    });
}

#[test]
fn an_at_sign_in_a_password() {
    message("at-sign-in-url", 2, || with("PGMARCH_DATABASE_URL", "postgres://app:se@cret@db/shop"));
}

#[test]
fn a_percent_sign_in_a_password() {
    message("percent-sign-in-url", 2, || with("PGMARCH_DATABASE_URL", "postgres://app:50%off@db/shop"));
}

#[test]
fn a_keyword_that_is_not_supported() {
    message("unsupported-keyword", 2, || with("PGMARCH_DATABASE_URL", "postgres://app@db/shop?krbsrvname=postgres"));
}

#[test]
fn a_target_that_no_file_has() {
    message("unknown-target", 2, || with("PGMARCH_TARGET", "007"));
}

#[test]
fn a_downgrade_that_nobody_can_confirm() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    message("unconfirmed-downgrade", 2, || words(pgmarch(&database, &project), "downgrade base"));
}

#[test]
fn a_wait_for_a_relative_target() {
    message("relative-wait", 2, || with("PGMARCH_TARGET", "+1").say("wait"));
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    message("port-taken", 2, || {
        let database = Database::new();
        let project = project();
        Setup::of(words(pgmarch(&database, &project), "sidecar").env("PGMARCH_LISTEN", &address))
            .hide(&address, "127.0.0.1:8080")
            // In the words of musl, with which the released binary is linked, and of glibc.
            .hide("Address in use", "Address already in use")
            .keep((database, project))
    });
}

#[test]
fn a_revision_that_can_not_be_part_of_one_transaction() {
    message("stepwise-in-run", 2, || {
        let database = Database::new();
        let project = project().file("002_index.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON services (name);\n");
        Setup::of(pgmarch(&database, &project).env("PGMARCH_TRANSACTION", "run")).keep((database, project))
    });
}
