//! Servers start, stop, fail over, and leave no files or processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Address, Database, Server, Session, TIMEOUT, installation};

#[test]
fn a_reserved_server_refuses_until_it_is_started() {
    let server = Server::reserve(&[]);
    assert!(Session::try_open(&server.url("postgres")).is_err());
    server.start();
    assert_eq!(Session::open(&server.url("postgres")).one("SELECT 1"), "1");
}

#[test]
fn a_server_of_ones_own_has_ones_settings() {
    let server = Server::start_own(&["max_connections = 7", "superuser_reserved_connections = 2"]);
    assert_eq!(Session::open(&server.url("postgres")).one("SHOW max_connections"), "7");
}

#[test]
fn what_was_committed_outlives_a_crash() {
    let server = Server::start_own(&[]);
    let database = Database::on(&server);
    database.execute("CREATE TABLE kept (id int)");
    server.restart_after_crash();
    assert_eq!(database.one("SELECT count(*) FROM kept"), "0");
    assert!(server.log().contains("not properly shut down"));
}

#[test]
fn a_stopped_server_disconnects_all_clients_and_starts_again() {
    let server = Server::start_own(&[]);
    let session = Session::open(&server.url("postgres"));
    let sleeping = session.start("SELECT pg_sleep(60)");
    server.stop();
    assert!(sleeping.failure().contains("57P01"));
    server.start();
    Session::open(&server.url("postgres"));
}

#[test]
fn a_standby_reads_until_it_is_promoted() {
    let primary = Server::start_own(&[]);
    let standby = primary.standby();
    let database = Database::on(&primary);
    database.execute("CREATE TABLE things (id int)");
    let name = database.name();
    Session::open(&standby.url("postgres")).eventually(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"), "1");
    let session = Session::open(&standby.url(name));
    session.eventually("SELECT count(*) FROM pg_class WHERE relname = 'things'", "1");
    assert_eq!(session.refusal("INSERT INTO things VALUES (1)"), "25006");
    primary.crash();
    standby.promote();
    session.execute("INSERT INTO things VALUES (1)");
}

#[test]
fn a_dropped_server_is_gone_with_its_folder() {
    let server = Server::start_own(&[]);
    let (url, folder) = (server.url("postgres"), server.folder().to_path_buf());
    drop(server);
    assert!(Session::try_open(&url).is_err());
    assert!(!folder.exists());
}

#[test]
fn a_server_dies_with_its_killed_test_process() {
    let mut tests = Command::new(std::env::current_exe().expect("the path of the tests"));
    tests.args(["harness::servers::starts_a_server_and_waits_to_be_killed", "--exact", "--ignored", "--nocapture"]);
    let mut tests = tests.env(VICTIM, "1").stdout(Stdio::piped()).spawn().expect("start the tests again");
    let lines = BufReader::new(tests.stdout.take().expect("a pipe from the tests")).lines().map_while(Result::ok);
    let endpoint = lines.filter_map(|line| line.split_once("runs in ").map(|(_, rest)| rest.to_string())).next();
    tests.kill().expect("kill the tests");
    tests.wait().expect("wait for the killed tests");
    let endpoint = endpoint.expect("the folder and port of the other process's server");
    let (folder, url) = endpoint.split_once(" at ").expect("a folder and a URL");
    let deadline = Instant::now() + TIMEOUT;
    while Path::new(folder).exists() {
        assert!(Instant::now() < deadline, "{folder} is still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(Session::try_open(url).is_err());
}

const VICTIM: &str = "PGMARCH_TEST_VICTIM";

#[test]
#[ignore = "run by a_server_dies_with_its_killed_test_process"]
fn starts_a_server_and_waits_to_be_killed() {
    if std::env::var_os(VICTIM).is_some() {
        let server = Server::start_own(&[]);
        println!("\nruns in {} at {}", server.folder().display(), server.url("postgres"));
        thread::sleep(TIMEOUT);
    }
}

#[test]
fn the_newest_server_is_used_and_client_installations_are_skipped() {
    let versions = tempfile::tempdir().expect("a folder of versions");
    let install = |version: &str, program: &str| {
        let bin: PathBuf = versions.path().join(version).join("bin");
        fs::create_dir_all(&bin).expect("make a bin folder");
        fs::write(bin.join(program), "").expect("make a program");
    };
    install("9", "initdb");
    install("15", "initdb");
    install("17", "psql");
    assert_eq!(installation::newest_installed(versions.path()), Some(versions.path().join("15/bin")));
    assert_eq!(installation::newest_installed(&versions.path().join("nowhere")), None);
}

#[test]
fn an_address_is_all_of_a_url_but_the_database() {
    let address = Address::from_url("postgres://me:p%40ss@db.example/first?sslmode=disable").expect("a good URL");
    assert_eq!(address.place(), "db.example:5432");
    assert_eq!(address.url("other"), "postgresql://me:p%40ss@db.example:5432/other?sslmode=disable");
    assert_eq!(address.by_way_of("127.0.0.1:1").url("x"), "postgresql://me:p%40ss@127.0.0.1:1/x?sslmode=disable");
    assert_eq!(Address::from_url("host=db.example"), None);
    assert_eq!(Address::from_url("mysql://me:x@db.example/"), None);
}
