//! The proxy counts, delays, breaks and hangs exactly as configured.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Database, EVERY, Proxy, Server, Session, Side, installation};

/// Startup; then one statement in one message.
const STATEMENT: usize = 2;

#[test]
fn a_faultless_proxy_only_counts() {
    let database = Database::new();
    let proxy = Proxy::to(&database);
    assert_eq!(Session::open(&proxy.url_for(&database)).one("SELECT 1"), "1");
    assert_eq!(proxy.connections(), 1);
    // Startup, query, and with luck already the goodbye.
    assert!([2, 3].contains(&proxy.messages(Side::Client, 1)), "{proxy}");
    assert!(proxy.to_string().starts_with("1: >^ <R"), "{proxy}");
    assert!(proxy.to_string().contains(" >Q <TDCZ"), "{proxy}");
}

#[test]
fn a_delay_is_paid_once_per_flight_not_per_message() {
    let database = Database::new();
    let proxy = Proxy::to(&database).delay(Duration::from_millis(20));
    let session = Session::open(&proxy.url_for(&database));
    let (before, started) = (proxy.flights(1), Instant::now());
    session.one("SELECT 1");
    assert!(started.elapsed() >= Duration::from_millis(40));
    session.query("SELECT generate_series(1, 5000)");
    assert_eq!(proxy.flights(1), before + 2);
    assert!(proxy.messages(Side::Server, 1) > 5000);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_cut_after_a_statement_lets_it_happen_and_hides_its_success() {
    let database = Database::new();
    let proxy = Proxy::to(&database).cut_after(Side::Client, 1, STATEMENT);
    let session = Session::open(&proxy.url_for(&database));
    assert!(session.try_query("CREATE TABLE done (id int)").is_err());
    database.eventually("SELECT to_regclass('done')", "done");
    Session::open(&proxy.url_for(&database)).one("SELECT 2");
}

#[test]
fn a_cut_before_a_statement_prevents_it() {
    let database = Database::new();
    let proxy = Proxy::to(&database).cut_after(Side::Client, 1, STATEMENT - 1);
    assert!(Session::try_open(&proxy.url_for(&database)).is_err());
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()", database.name());
    database.eventually(&gone, "0");
}

#[test]
fn a_cut_after_an_answer_delivers_that_answer_and_no_other() {
    let database = Database::new();
    let counted = Proxy::to(&database);
    let session = Session::open(&counted.url_for(&database));
    let greeting = counted.messages(Side::Server, 1);
    session.execute("SELECT 1");

    let proxy = Proxy::to(&database).cut_after(Side::Server, 1, greeting + 1);
    let session = Session::open(&proxy.url_for(&database));
    assert!(session.try_query("SELECT 1").is_err());
    assert_eq!(proxy.messages(Side::Server, 1), greeting + 1);
}

#[test]
fn a_cut_after_nothing_breaks_every_try() {
    let database = Database::new();
    let proxy = Proxy::to(&database).cut_after(Side::Client, EVERY, 0);
    for _ in 0..2 {
        assert!(Session::try_open(&proxy.url_for(&database)).is_err());
    }
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn a_cut_everywhere_breaks_all_connections_but_those_that_come_later() {
    let database = Database::new();
    let proxy = Proxy::to(&database).cut_after(Side::Client, 2, STATEMENT).everywhere();
    let [one, two] = [(); 2].map(|()| Session::open(&proxy.url_for(&database)));
    one.one("SELECT 1");
    assert!(two.try_query("SELECT 2").is_err());
    assert!(one.try_query("SELECT 1").is_err());
    Session::open(&proxy.url_for(&database)).one("SELECT 3");
}

#[test]
fn a_hanging_connection_is_open_silent_and_alone() {
    let database = Database::new();
    let proxy = Proxy::to(&database).hang_after(Side::Client, 1, STATEMENT);
    let waiting = Session::open(&proxy.url_for(&database)).start("CREATE TABLE done (id int)");
    database.eventually("SELECT to_regclass('done')", "done");
    Session::open(&proxy.url_for(&database)).one("SELECT 2");
    assert!(!waiting.is_over());
    proxy.cut();
    waiting.failure();
}

#[test]
fn a_hanging_connection_hides_that_the_client_left() {
    let database = Database::new();
    let proxy = Proxy::to(&database);
    let session = Session::open(&proxy.url_for(&database));
    let backend = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", session.pid());
    proxy.hang();
    drop(session);
    assert_eq!(database.one(&backend), "1");
    drop(proxy);
    database.eventually(&backend, "0");
}

#[test]
fn a_client_that_leaves_leaves_the_server_too() {
    let database = Database::new();
    let proxy = Proxy::to(&database);
    let session = Session::open(&proxy.url_for(&database));
    let backend = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", session.pid());
    drop(session);
    database.eventually(&backend, "0");
}

#[test]
fn a_proxy_leads_to_the_new_server_after_a_failover() {
    let (old, new) = (Server::start_own(&["cluster_name = old"]), Server::start_own(&["cluster_name = new"]));
    let (old_database, proxy) = (Database::on(&old), Proxy::to(&old));
    let url = proxy.url_for(&old_database);
    assert_eq!(Session::open(&url).one("SHOW cluster_name"), "old");
    old.crash();
    assert!(Session::try_open(&url).is_err());
    proxy.lead_to(&new);
    assert_eq!(Session::open(&url.replace(old_database.name(), "postgres")).one("SHOW cluster_name"), "new");
}

#[test]
fn wishes_for_encryption_and_cancel_requests_are_understood() {
    let database = Database::new();
    let proxy = Proxy::to(&database);
    let mut psql = Command::new(installation::binary("psql"));
    psql.arg(format!("{}?sslmode=prefer&gssencmode=disable", proxy.url_for(&database))).args(["-X", "-c", "SELECT 1"]);
    let output = psql.output().expect("run psql");
    assert!(output.status.success(), "{output:?}");
    assert!(proxy.to_string().starts_with("1: >? <! >"), "{proxy}");
    let sleeping = Session::open(&proxy.url_for(&database));
    let cancel = sleeping.canceller();
    let sleeping = sleeping.start("SELECT pg_sleep(60)");
    database.eventually("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND datname = current_database()", "1");
    cancel();
    assert!(sleeping.failure().contains("57014"));
    assert!(proxy.to_string().contains("3: >x"), "{proxy}");
}
