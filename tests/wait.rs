//! Waiting for the server: which causes are waited for, which are not, until when, and the log lines meanwhile.

use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Database, Project, Server, pgmarch, pgmarch_at, pgmarch_without_database};

fn project() -> Project {
    Project::new().revision("1", "CREATE TABLE a ()", "DROP TABLE a")
}

#[test]
fn a_server_that_starts_later_is_waited_for() {
    let server = Server::reserve(&[]);
    let project = project();
    let run = pgmarch_at(&server.url("postgres"), &project).spawn();
    run.wait_for_log("waiting for the server: Connection refused");
    server.start();
    run.wait().exits(0).stdout_contains("at 1, 1 applied");
}

#[test]
fn a_server_that_is_starting_up_is_waited_for() {
    // A standby that never finds its primary stays in 57P03.
    let server = Server::start_own(&["hot_standby = off"]);
    let project = project();
    std::fs::write(server.folder().join("data/standby.signal"), "").unwrap();
    server.stop();
    let run = pgmarch_at(&server.url("postgres"), &project).env("PGMARCH_WAIT_TIMEOUT", "30s").spawn();
    run.wait_for_log("Connection refused");
    server.start_without_waiting();
    run.wait_for_log("57P03");
    server.promote();
    run.wait().exits(0);
}

#[test]
fn a_full_server_is_waited_for() {
    let server = Server::start_own(&["max_connections = 4", "superuser_reserved_connections = 0", "max_wal_senders = 0"]);
    let database = Database::on(&server);
    let others: Vec<_> = (0..4).map(|_| database.session()).collect();
    let project = project();
    let run = pgmarch(&database, &project).spawn();
    run.wait_for_log("too many clients already (53300)");
    drop(others);
    run.wait().exits(0);
}

#[test]
fn a_read_only_server_is_waited_for_and_then_given_up() {
    let database = Database::new();
    database.execute(&format!("ALTER DATABASE \"{}\" SET default_transaction_read_only = on", database.name()));
    let project = project();
    let started = std::time::Instant::now();
    pgmarch(&database, &project).env("PGMARCH_WAIT_TIMEOUT", "1s").run().exits(4).stderr_contains("is read-only and 1 revision pending");
    assert!(started.elapsed() >= Duration::from_secs(1));
    let run = pgmarch(&database, &project).spawn();
    run.wait_for_log("is read-only");
    let session = database.session();
    session.execute("SET default_transaction_read_only = off");
    session.execute(&format!("ALTER DATABASE \"{}\" RESET default_transaction_read_only", database.name()));
    // The setting reaches new sessions; the run makes one for each look.
    run.wait().exits(0);
}

#[test]
fn what_never_answers_ends_at_the_deadline() {
    let unresponsive = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/d", unresponsive.local_addr().unwrap());
    pgmarch_at(&url, &project())
        .env("PGMARCH_WAIT_TIMEOUT", "2s")
        .run()
        .exits(4)
        .stderr_contains("no answer within 2s")
        .within(Duration::from_secs(4));
}

#[test]
fn a_host_that_does_not_resolve_ends_at_the_deadline_and_is_named() {
    let run = pgmarch_at("postgres://u@no-such-host.invalid:5432/d", &project()).env("PGMARCH_WAIT_TIMEOUT", "1s").run().exits(4);
    let run = run
        .stderr_contains("waiting for the server: the host name no-such-host.invalid does not resolve")
        .stderr_contains("u@no-such-host.invalid:5432/d was not ready within 1s");
    assert!(run.last_line().contains("PGMARCH_WAIT_TIMEOUT"), "{run}");
}

#[test]
fn a_wrong_password_is_refused_at_once() {
    let database = Database::new();
    let role = database.role("r", &[]);
    let wrong = role.url.replace("open-sesame-4711", "wrong");
    assert_ne!(wrong, role.url);
    pgmarch_at(&wrong, &project())
        .run()
        .exits(8)
        .stderr_contains("password authentication failed")
        .stderr_lacks("waiting")
        .within(Duration::from_secs(10));
}

#[test]
fn a_wrong_database_name_is_refused_at_once_unless_it_is_waited_for() {
    let database = Database::new();
    let url = database.url().replace(database.name(), "no_such_database");
    pgmarch_at(&url, &project())
        .run()
        .exits(8)
        .stderr_contains("database \"no_such_database\" does not exist (3D000)")
        .stderr_lacks("waiting");
    pgmarch_at(&url, &project())
        .env("PGMARCH_WAIT_FOR", "database")
        .env("PGMARCH_WAIT_TIMEOUT", "1s")
        .run()
        .exits(4)
        .stderr_contains("waiting for the server: FATAL");
}

#[test]
fn a_password_file_that_is_replaced_while_waiting_is_picked_up() {
    let database = Database::new();
    let role = database.role("r", &[]);
    database.execute(&format!(
        "GRANT CREATE ON DATABASE \"{}\" TO \"{}\"; GRANT CREATE ON SCHEMA public TO \"{1}\"",
        database.name(),
        role.name
    ));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    let project = project();
    let run = pgmarch_at(&role.url.replace(":open-sesame-4711", ""), &project)
        .env("PGPASSWORD_FILE", file.to_str().unwrap())
        .env("PGMARCH_WAIT_FOR", "password")
        .spawn();
    run.wait_for_log("password authentication failed");
    std::fs::write(&file, "open-sesame-4711\n").unwrap();
    run.wait().exits(0);
}

#[test]
fn without_any_connection_setting_the_settings_are_named() {
    pgmarch_without_database(&project()).run().exits(2).stderr_contains("no database is named; set PGMARCH_DATABASE_URL");
}

#[test]
fn a_socket_folder_and_plain_variables_work_too() {
    let server = Server::start_own(&[]);
    let project = project();
    let port = server.url("postgres").split(':').next_back().and_then(|rest| rest.split('/').next().map(str::to_owned)).unwrap();
    pgmarch_without_database(&project)
        .env("PGHOST", server.folder().to_str().unwrap())
        .env("PGPORT", &port)
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "postgres")
        .run()
        .exits(0)
        .stdout_contains("1 applied");
}
