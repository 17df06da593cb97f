//! Settings that mean what they say, or are refused by name: parameters of other drivers, control characters, durations.

use std::fs;
use std::path::Path;

use crate::support::{Database, Program, Project, pgmarch, pgmarch_without_database};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;")
}

/// `status` of a server that is not there.
fn nowhere(url: &str) -> Program {
    pgmarch_without_database(&Project::marchproxy())
        .in_folder(Path::new("/"))
        .args(["status"])
        .env("DATABASE_URL", url)
        .env("PGMARCH_WAIT_TIMEOUT", "0")
}

#[test]
fn parameters_that_only_concern_other_drivers_are_named_in_the_log_once() {
    let database = Database::new();
    let separator = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}pgbouncer=true&connection_limit=1&pool_max_conns=4&prepareThreshold=0", database.url());
    let outcome = pgmarch(&database, &project()).url(&url).run();
    let log = outcome.exits(0).stderr.clone();
    let note = "PGMARCH_DATABASE_URL: ignoring `pgbouncer`, `connection_limit`, `pool_max_conns`, `prepareThreshold`";
    assert_eq!(log.matches(note).count(), 1, "{log}");
}

#[test]
fn prismas_schema_is_where_the_tables_go() {
    let database = Database::new();
    database.execute("CREATE SCHEMA \"My App\"");
    let separator = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}schema=My%20App", database.url());
    pgmarch(&database, &project()).url(&url).run().exits(0);
    assert_eq!(
        database.one("SELECT to_regclass('\"My App\".a') IS NOT NULL AND to_regclass('\"My App\".alembic_version') IS NOT NULL"),
        "t"
    );
    let both = pgmarch(&database, &project()).url(&url).env("PGMARCH_SEARCH_PATH", "public").run().exits(2);
    both.stderr_contains("the search path is set twice: by `schema` in PGMARCH_DATABASE_URL and by PGMARCH_SEARCH_PATH");
}

#[test]
fn an_unknown_parameter_is_refused_by_name_and_its_value_not_shown() {
    for (parameter, message) in [
        ("frobnicate=hunter2", "DATABASE_URL: `frobnicate` is not a keyword of libpq"),
        ("conection_limit=hunter2", "(did you mean `connection_limit`?)"),
        ("sslaccept=hunter2", "`sslaccept` is another driver's parameter: write sslmode=verify-full"),
        ("sslfactory=hunter2", "`sslfactory` is another driver's parameter"),
        ("ssl=hunter2", "`ssl` is neither true nor a mode of libpq"),
        ("targetServerType=hunter2", "write target_session_attrs"),
    ] {
        nowhere(&format!("postgres://u@127.0.0.1:1/d?{parameter}")).run().exits(2).stderr_contains(message).stderr_lacks("hunter2");
    }
}

#[test]
fn a_control_character_is_refused_with_the_name_of_its_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, "hunter2\n\n").expect("written");
    let file = file.to_string_lossy();
    for (name, value, message) in [
        ("PGUSER", "app\n", "PGUSER: `user` has a newline at its end"),
        ("PGHOST", "a\tb", "PGHOST: `host` has a tab as character 2"),
        ("PGDATABASE", "\u{1b}[31m", "PGDATABASE: `dbname` has a control character (U+001B) as character 1"),
        ("PGAPPNAME", "a\r\n", "PGAPPNAME: `application_name` has a carriage return at its end"),
        ("PGPASSWORD", "hunter2\n", "PGPASSWORD: `password` has a newline at its end"),
        ("PGPASSWORD_FILE", &file, "PGPASSWORD_FILE: `password` has a newline at its end"),
        ("PGMARCH_ROLE", "app\n", "PGMARCH_ROLE has a newline at its end"),
        ("PGMARCH_TARGET", "001\n", "PGMARCH_TARGET has a newline at its end"),
    ] {
        let program = pgmarch_without_database(&Project::marchproxy())
            .in_folder(Path::new("/"))
            .args(["status"])
            .env("PGHOST", "127.0.0.1")
            .env("PGUSER", "u");
        program.env(name, value).run().exits(2).stderr_contains(message).stderr_lacks("hunter2");
    }
}

#[test]
fn a_wait_that_ends_after_all_clocks_is_one_without_end() {
    let database = Database::new();
    let project = project();
    let endless = |words: &[&str]| {
        ["PGMARCH_WAIT_TIMEOUT", "PGMARCH_RUN_LOCK_TIMEOUT", "PGMARCH_RETRY_FOR"]
            .iter()
            .fold(pgmarch(&database, &project).args(words.iter().copied()), |run, name| run.env(name, "500000000000y"))
            .run()
    };
    for words in [
        &["upgrade"][..],
        &["status", "--check"],
        &["wait"],
        &["history"],
        &["show", "001"],
        &["check"],
        &["stamp", "001"],
        &["repair", "001"],
        &["downgrade", "base", "--yes"],
    ] {
        endless(words).exits(0);
    }
}
