//! `sidecar`: it upgrades, then stays: probes, metrics, a folder that changes, clients that misbehave.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::support::{Database, Program, Project, Running, Server, TIMEOUT, pgmarch, pgmarch_at};

const SLEEPING: &str = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

fn project() -> Project {
    Project::new().revision("1", "CREATE TABLE a ()", "DROP TABLE a").revision("2", "CREATE TABLE b ()", "DROP TABLE b")
}

/// A sidecar that listens somewhere.
pub(crate) struct Sidecar {
    pub(crate) run: Running,
    address: String,
}

impl Sidecar {
    pub(crate) fn start(program: Program) -> Sidecar {
        let run = program.args(["sidecar"]).env("PGMARCH_LISTEN", "127.0.0.1:0").env("PGMARCH_CHECK_EVERY", "50ms").spawn();
        let announced = "answering /livez, /readyz, /status and /metrics on ";
        run.wait_for_log(announced);
        let address = run.log().lines().find_map(|line| Some(line.split_once(announced)?.1.to_owned())).expect("an address");
        Sidecar { run, address }
    }

    /// The status and the body of an answer.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.say(&format!("GET {path} HTTP/1.1\r\nHost: sidecar\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer to {path}: {answer:?}\n{}", self.run));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, body.to_owned())
    }

    /// The bytes that come back until the connection ends, after sending some.
    fn say(&self, bytes: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        // A refused sender may find the connection reset instead of closed.
        stream.read_to_end(&mut answer).ok();
        String::from_utf8(answer).expect("UTF-8")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap_or_else(|error| panic!("{error}\n{}", self.run));
        stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
        stream
    }

    /// Asks for readiness until it is as expected; the answer's text.
    pub(crate) fn eventually(&self, status: u16, text: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let (got, body) = self.get("/readyz");
            if got == status && body.contains(text) {
                return body;
            }
            assert!(Instant::now() < deadline, "/readyz is {got} {body:?}, not {status} {text:?}\n{}", self.run);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/status").1).expect("JSON")
    }

    fn metric(&self, sample: &str) -> Option<String> {
        let text = self.get("/metrics").1;
        text.lines().find_map(|line| Some(line.strip_prefix(sample)?.strip_prefix(' ')?.to_owned()))
    }

    fn ends(self) {
        let sent = Instant::now();
        self.run.signal("TERM");
        self.run.wait().exits(143);
        assert!(sent.elapsed() < Duration::from_secs(1), "{:?}", sent.elapsed());
    }
}

#[test]
fn it_upgrades_then_stays_and_says_where_the_database_is() {
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project));
    sidecar.eventually(200, "ready: at 2");
    assert_eq!(sidecar.get("/livez"), (200, "alive\n".to_owned()));
    let status = sidecar.status();
    assert_eq!((&status["condition"], &status["current"]), (&"ready".into(), &serde_json::json!(["2"])));
    assert_eq!((&status["target"], &status["pending"]), (&"head".into(), &serde_json::json!([])));
    for (sample, value) in [
        (r#"pgmarch_revision_info{revision="2"}"#, "1"),
        (concat!(r#"pgmarch_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""}"#), "1"),
        ("pgmarch_ready", "1.0"),
        ("pgmarch_pending_revisions", "0.0"),
        (r#"pgmarch_condition{condition="ready"}"#, "1.0"),
        (r#"pgmarch_condition{condition="behind"}"#, "0.0"),
        (r#"pgmarch_runs_total{exit="0"}"#, "1"),
        (r#"pgmarch_waits_total{for="lock"}"#, "0"),
        (r#"pgmarch_retries_total{cause="connection"}"#, "0"),
        ("pgmarch_folder_changes_total", "0"),
    ] {
        assert_eq!(sidecar.metric(sample).as_deref(), Some(value), "{sample}\n{}", sidecar.get("/metrics").1);
    }
    for sample in [
        r#"pgmarch_revision_duration_seconds{revision="1"}"#,
        "pgmarch_last_success_timestamp_seconds",
        "pgmarch_last_check_timestamp_seconds",
    ] {
        assert!(sidecar.metric(sample).is_some_and(|value| value.parse::<f64>().is_ok_and(|value| value > 0.0)), "{sample}");
    }
    assert!(sidecar.get("/metrics").1.ends_with("# EOF\n"));
    sidecar.ends();
}

#[test]
fn probes_answer_while_the_first_upgrade_runs() {
    let database = Database::new();
    let project = Project::new().revision("1", "SELECT pg_sleep(60)", "SELECT 1");
    let sidecar = Sidecar::start(pgmarch(&database, &project));
    database.eventually(SLEEPING, "1");
    assert_eq!(sidecar.get("/livez").0, 200);
    assert_eq!(sidecar.get("/readyz"), (503, "upgrading: an upgrade is under way\n".to_owned()));
    assert_eq!(sidecar.metric("pgmarch_ready").as_deref(), Some("0.0"));
    sidecar.ends();
    database.eventually(SLEEPING, "0");
}

#[test]
fn probes_answer_while_the_server_is_not_there_yet_and_the_wait_is_counted() {
    let server = Server::reserve(&[]);
    let project = project();
    let sidecar = Sidecar::start(pgmarch_at(&server.url("postgres"), &project));
    sidecar.run.wait_for_log("waiting for the server");
    assert_eq!((sidecar.get("/livez").0, sidecar.get("/readyz").0), (200, 503));
    server.start();
    sidecar.eventually(200, "ready: at 2");
    assert_eq!(sidecar.metric(r#"pgmarch_waits_total{for="server"}"#).as_deref(), Some("1"));
    // Gone, and back.
    server.stop();
    sidecar.eventually(503, "unreachable: ");
    assert_eq!(sidecar.get("/livez").0, 200);
    server.start();
    sidecar.eventually(200, "ready: at 2");
    sidecar.ends();
}

#[test]
fn a_first_upgrade_that_fails_ends_it_as_it_ends_upgrade() {
    let database = Database::new();
    let project = project().revision("3", "SELEC 1", "SELECT 1");
    let sidecar = Sidecar::start(pgmarch(&database, &project));
    sidecar.run.wait().exits(6).stderr_contains("3_test.sql:2:1");
}

#[test]
fn a_database_that_falls_behind_is_not_ready_until_it_is_back() {
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project).env("PGMARCH_APPLY_CHANGES", "true"));
    sidecar.eventually(200, "ready: at 2");
    database.execute("UPDATE alembic_version SET version_num = '1'");
    sidecar.eventually(503, "behind: 1 revision pending: 2");
    assert_eq!(sidecar.status()["pending"], serde_json::json!(["2"]));
    assert_eq!(sidecar.metric("pgmarch_pending_revisions").as_deref(), Some("1.0"));
    // It was downgraded on purpose: only a folder that changes is applied.
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "1");
    database.execute("UPDATE alembic_version SET version_num = '2'");
    sidecar.eventually(200, "ready: at 2");
    sidecar.ends();
}

#[test]
fn a_revision_that_is_added_is_reported() {
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project));
    sidecar.eventually(200, "ready: at 2");
    project.write("3_test.sql", "-- migrate:up\nCREATE TABLE c ();\n");
    sidecar.eventually(503, "behind: 1 revision pending: 3");
    assert_eq!(sidecar.metric("pgmarch_folder_changes_total").as_deref(), Some("1"));
    pgmarch(&database, &project).run().exits(0);
    sidecar.eventually(200, "ready: at 3");
    sidecar.ends();
}

#[test]
fn a_config_map_that_is_swapped_is_applied_where_that_is_wanted() {
    let database = Database::new();
    let project = Project::new();
    let folder = project.path();
    // As Kubernetes mounts it: every name leads through `..data` to the files of one version.
    let mount = |version: &str, files: &[(&str, &str)]| {
        fs::create_dir(folder.join(version)).expect("made");
        for (name, text) in files {
            fs::write(folder.join(version).join(name), text).expect("written");
            if !folder.join(name).is_symlink() {
                symlink(format!("..data/{name}"), folder.join(name)).expect("linked");
            }
        }
        symlink(version, folder.join("..data_tmp")).expect("linked");
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("swapped");
    };
    let first = ("001_a.sql", "-- migrate:up\nCREATE TABLE a ();\n");
    mount("..2026_1", &[first]);
    let sidecar = Sidecar::start(pgmarch(&database, &project).env("PGMARCH_APPLY_CHANGES", "true"));
    sidecar.eventually(200, "ready: at 001");
    mount("..2026_2", &[first, ("002_b.sql", "-- migrate:up\nCREATE TABLE b ();\n")]);
    sidecar.eventually(200, "ready: at 002");
    assert_eq!(database.one("SELECT to_regclass('b')::text"), "b");
    assert!(sidecar.metric(r#"pgmarch_revision_duration_seconds{revision="002"}"#).is_some());
    sidecar.ends();
}

#[test]
fn a_failing_change_is_tried_once_and_again_after_it_is_fixed() {
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project).env("PGMARCH_APPLY_CHANGES", "true"));
    sidecar.eventually(200, "ready: at 2");
    project.write("3_test.sql", "-- migrate:up\nSELECT 1/0;\n");
    sidecar.run.wait_for_log("the change was not applied: revision 3 failed");
    sidecar.eventually(503, "behind: 1 revision pending: 3");
    let looks = sidecar.metric(r#"pgmarch_checks_total{condition="behind"}"#);
    let deadline = Instant::now() + TIMEOUT;
    while sidecar.metric(r#"pgmarch_checks_total{condition="behind"}"#) == looks {
        assert!(Instant::now() < deadline, "it looks no more\n{}", sidecar.run);
    }
    assert_eq!(sidecar.metric(r#"pgmarch_runs_total{exit="6"}"#).as_deref(), Some("1"));
    project.write("3_test.sql", "-- migrate:up\nSELECT 1 -- fixed\n;\n");
    sidecar.eventually(200, "ready: at 3");
    sidecar.ends();
}

#[test]
fn an_invalid_folder_is_reported_until_it_is_fixed() {
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project).env("PGMARCH_APPLY_CHANGES", "true"));
    sidecar.eventually(200, "ready: at 2");
    project.write("3_test.sql", "-- migrate:sideways\n");
    let status = sidecar.eventually(503, "unsound: ");
    assert!(status.contains("3_test.sql:1"), "{status}");
    project.remove("3_test.sql");
    sidecar.eventually(200, "ready: at 2");
    sidecar.ends();
}

#[test]
fn slow_and_malformed_clients_keep_no_probe_waiting() {
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project));
    sidecar.eventually(200, "ready");
    // More than it keeps open: some send nothing, some send half a request.
    let mut idlers: Vec<TcpStream> = (0..150).map(|_| sidecar.connect()).collect();
    for stream in idlers.iter_mut().skip(1).step_by(2) {
        // The oldest have lost their connection already.
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: s").ok();
    }
    for _ in 0..20 {
        assert_eq!(sidecar.get("/livez").0, 200);
    }
    let mut rest = Vec::new();
    idlers[0].read_to_end(&mut rest).ok();
    assert!(rest.is_empty(), "the oldest connection should have been ended without an answer");
    for nonsense in [
        "\0\x01\x02\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        "GET /livez HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000)),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
        format!("GET /livez HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000)),
        "GET /livez HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let answer = sidecar.say(&nonsense);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
    }
    assert!(sidecar.say("POST /readyz HTTP/1.1\r\nHost: s\r\nContent-Length: 1000000\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(sidecar.say("HEAD /livez HTTP/1.1\r\nHost: s\r\n\r\n").ends_with("\r\n\r\n"));
    assert_eq!(sidecar.get("/nothing").0, 404);
    // One request for each connection, so none can be held open.
    assert_eq!(sidecar.say(&"GET /livez HTTP/1.1\r\nHost: s\r\n\r\n".repeat(3)).matches("alive").count(), 1);
    assert_eq!(sidecar.get("/readyz").0, 200);
    sidecar.ends();
}

#[test]
fn an_address_that_is_taken_is_a_mistake_of_the_deployment() {
    let database = Database::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    pgmarch(&database, &project())
        .args(["sidecar"])
        .env("PGMARCH_LISTEN", &address)
        .run()
        .exits(2)
        .stderr_contains(&format!("nothing can listen on {address} (PGMARCH_LISTEN): Address"));
    assert_eq!(database.one("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn a_database_that_a_newer_image_migrates_stays_ready_until_a_revision_breaks() {
    let database = Database::new();
    let old = project();
    let sidecar = Sidecar::start(pgmarch(&database, &old));
    sidecar.eventually(200, "ready: at 2");
    let new = project().revision("3", "CREATE TABLE c ()", "DROP TABLE c");
    pgmarch(&database, &new).run().exits(0);
    sidecar.eventually(200, "ready: at 3");
    let breaking = new.file("4_test.sql", "-- breaking: true\n\n-- migrate:up\nDROP TABLE a;\n");
    pgmarch(&database, &breaking).run().exits(0);
    sidecar.eventually(503, "ahead: ");
    sidecar.ends();
}
