//! Files that are none: devices, pipes, and what never answers. They are named, and neither signals nor probes wait for them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::connections::{SECRET, strict_server};
use crate::sidecar::Sidecar;
use crate::support::{Authority, Database, LOCAL, Program, Project, Running, Session, TIMEOUT, binary, pgmarch, pgmarch_without_database};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;")
}

/// A pipe in a folder, to which nobody writes.
fn pipe(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().expect("mkfifo").success());
    path
}

/// Waits until the program reads a pipe.
fn wait_until_open(run: &Running, pipe: &Path) {
    let folder = format!("/proc/{}/fd", run.pid());
    let is_open =
        || fs::read_dir(&folder).expect("a process").flatten().any(|file| fs::read_link(file.path()).is_ok_and(|path| path == pipe));
    let deadline = Instant::now() + TIMEOUT;
    while !is_open() {
        assert!(Instant::now() < deadline, "it never opened {}\n{run}", pipe.display());
        std::thread::yield_now();
    }
}

fn nowhere(name: &str, path: &Path) -> Program {
    let program = pgmarch_without_database(&Project::marchproxy())
        .in_folder(Path::new("/"))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", "1")
        .env("PGUSER", "u");
    program.env("PGMARCH_WAIT_TIMEOUT", "0").env(name, &path.to_string_lossy())
}

#[test]
fn a_device_or_pipe_among_the_files_is_named_and_not_read() {
    for (target, kind) in [("/dev/zero", "a device"), ("/dev/random", "a device"), ("/dev/null", "a device")] {
        let project = project();
        symlink(target, project.path().join("002_b.sql")).expect("linked");
        let run = pgmarch_without_database(&project).args(["check", "--offline"]).run();
        run.stdout_contains("002_b.sql").stdout_contains(&format!("it is {kind}, not a file"));
        pgmarch_without_database(&project).env("PGHOST", "127.0.0.1").env("PGPORT", "1").run().exits(3).stderr_contains("002_b.sql");
    }
    let project = project();
    pipe(project.path(), "002_b.sql");
    pgmarch_without_database(&project).env("PGHOST", "127.0.0.1").run().exits(3).stderr_contains("002_b.sql: can't be read: it is a pipe");
    let database = Database::new();
    let project = self::project();
    pgmarch(&database, &project).run().exits(0);
    symlink("/dev/zero", project.path().join("schema.sql")).expect("linked");
    pgmarch(&database, &project).args(["diff"]).run().exits(3).stderr_contains("schema.sql: can't be read: it is a device, not a file");
}

#[test]
fn a_device_in_the_place_of_a_setting_or_certificate_is_named() {
    let zero = Path::new("/dev/zero");
    nowhere("PGPASSWORD_FILE", zero).run().exits(2).stderr_contains("PGPASSWORD_FILE: /dev/zero: it is a device, not a file");
    nowhere("PGMARCH_TARGET_FILE", zero).run().exits(2).stderr_contains("PGMARCH_TARGET_FILE: /dev/zero: it is a device, not a file");
    let service = nowhere("PGSERVICEFILE", zero).env("PGSERVICE", "mine").run().exits(2);
    service.stderr_contains("`servicefile`: /dev/zero can't be read (it is a device, not a file)");
    nowhere("PGPASSFILE", zero).run().exits(4).stderr_contains("the password file /dev/zero is not read: it is a device");
    nowhere("PGPASSFILE", Path::new("/dev/null")).run().exits(4);
    let authority = Authority::new("ours");
    authority.issue("server", &LOCAL);
    let server = strict_server(&authority);
    let base = format!("host=127.0.0.1 port={} dbname=postgres user=by_trust sslmode=verify-ca", server.port());
    let root = authority.root();
    for settings in [
        "sslrootcert=/dev/zero".to_owned(),
        format!("sslrootcert={root} sslcrl=/dev/zero"),
        format!("sslrootcert={root} sslcert=/dev/zero"),
    ] {
        let run = pgmarch_without_database(&Project::marchproxy())
            .in_folder(Path::new("/"))
            .args(["status"])
            .url(&format!("{base} {settings}"))
            .run()
            .exits(2);
        run.stderr_contains("/dev/zero can't be read (it is a device, not a file)");
    }
}

#[test]
fn a_value_from_a_pipe_is_read_once_and_serves_every_connection() {
    let authority = Authority::new("ours");
    authority.issue("server", &LOCAL);
    let server = strict_server(&authority);
    let (one, other) = (project(), project());
    let run = |project: &Project, script: &str| {
        let program = Program::at("/bin/bash").args(["-c", &format!("{script} exec {}", binary().display())]).env("PATH", "/usr/bin:/bin");
        let program = program.env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy()).env("PGMARCH_LOG_FORMAT", "text");
        let program = program.env("PGHOST", "127.0.0.1").env("PGPORT", &server.port().to_string()).env("PGDATABASE", "postgres");
        program.env("PGUSER", "by_scram_sha_256").env("PGMARCH_WAIT_TIMEOUT", "20s").run()
    };
    Session::open(&server.url("postgres")).execute("GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT CREATE ON DATABASE postgres TO PUBLIC");
    // The prefetch, the first connection, the lock and the worker each log in.
    run(&one, &format!("PGPASSWORD_FILE=<(sleep 1; echo {SECRET})")).exits(0).stderr_contains("001");
    let url = format!("postgres://by_scram_sha_256:{SECRET}@127.0.0.1:{}/postgres", server.port());
    run(&other, &format!("PGMARCH_DATABASE_URL_FILE=<(echo {url})")).exits(0);
}

#[test]
fn a_secret_that_never_comes_is_named_and_a_signal_does_not_wait_for_it() {
    let folder = TempDir::new().expect("a folder");
    let pipe = pipe(folder.path(), "secret");
    for name in ["PGPASSWORD_FILE", "PGMARCH_TARGET_FILE", "PGPASSFILE", "PGMARCH_DATABASE_URL_FILE"] {
        let run = nowhere(name, &pipe).deadline(Duration::from_secs(50)).spawn();
        // It holds the pipe open once it reads.
        wait_until_open(&run, &pipe);
        run.signal("TERM");
        run.wait().exits(143).within(Duration::from_secs(5));
    }
    let run = nowhere("PGPASSWORD_FILE", &pipe).run().exits(2);
    run.stderr_contains("PGPASSWORD_FILE: ").stderr_contains("it is a pipe that nothing wrote to and closed within 10s");
}

#[test]
fn a_key_that_never_comes_is_named_however_short_the_time_for_a_server_is() {
    let authority = Authority::new("ours");
    authority.issue("server", &LOCAL);
    authority.issue("client", &LOCAL);
    let server = strict_server(&authority);
    let folder = TempDir::new().expect("a folder");
    let key = pipe(folder.path(), "key");
    let base = format!("host=127.0.0.1 port={} dbname=postgres user=by_trust sslmode=verify-ca connect_timeout=1", server.port());
    let url = format!("{base} sslrootcert={} sslcert={} sslkey={}", authority.root(), authority.path("client.crt"), key.display());
    let project = project();
    let status = || pgmarch_without_database(&project).in_folder(Path::new("/")).args(["status"]).url(&url);
    let run = status().spawn();
    wait_until_open(&run, &key);
    run.signal("TERM");
    run.wait().exits(143).within(Duration::from_secs(5));
    let run = status().run().exits(2);
    run.stderr_contains("the key of the certificate in sslcert can't be read (it is a pipe that nothing wrote to and closed within 10s");
}

#[test]
fn the_sidecars_probes_are_answered_while_a_secret_never_comes() {
    let folder = TempDir::new().expect("a folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, "anything").expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("closed");
    let database = Database::new();
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project).env("PGAPPNAME_FILE", &secret.to_string_lossy()));
    sidecar.eventually(200, "ready");
    fs::remove_file(&secret).expect("removed");
    let pipe = pipe(folder.path(), "secret");
    wait_until_open(&sidecar.run, &pipe);
    assert_eq!(sidecar.get("/livez").0, 200, "while a read is under way");
    sidecar.eventually(503, "PGAPPNAME_FILE");
    fs::remove_file(&pipe).expect("removed");
    fs::write(&secret, "anything").expect("written");
    sidecar.eventually(200, "ready");
    sidecar.run.signal("TERM");
    sidecar.run.wait().exits(143);
}

#[test]
fn a_file_that_does_not_answer_is_named() {
    // Opening a file whose lease another process holds waits until that process gives it back, as on a mount that hangs.
    const LEASE: &str = "import fcntl, os, signal, sys\nsignal.signal(signal.SIGIO, signal.SIG_IGN)\nfd = os.open(sys.argv[1], os.O_RDWR)\n\
        fcntl.fcntl(fd, 1024, fcntl.F_WRLCK)\nprint('leased', flush=True)\nsys.stdin.read()\n";
    let folder = TempDir::new().expect("a folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET).expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("closed");
    let mut python = Command::new("python3");
    let holder = python.args(["-c", LEASE]).arg(&secret).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("python3");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "leased\n");
    let run = nowhere("PGPASSWORD_FILE", &secret).run().exits(2);
    run.stderr_contains("secret: no answer within 10s: look at the mount that it is on").stderr_lacks(SECRET);
    drop(holder.stdin.take());
    holder.wait().expect("it ended");
}
