//! Connection settings of other drivers, control characters, and files that are none or never answer.

use std::path::Path;
use std::process::Command;

use super::{Setup, message};
use crate::support::{Program, Project, binary, pgmarch_at, pgmarch_without_database};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;")
}

/// A run with this connection string.
fn url(parameters: &str) -> Setup {
    let project = project();
    Setup::of(pgmarch_at(&format!("postgres://app@127.0.0.1:1/shop?{parameters}"), &project)).keep(project)
}

fn with(name: &str, value: &str) -> Setup {
    let project = project();
    Setup::of(pgmarch_at("postgres://app@127.0.0.1:1/shop", &project).env(name, value)).keep(project)
}

#[test]
fn an_unknown_parameter() {
    message("unknown-parameter", 2, || url("frobnicate=1"));
}

#[test]
fn a_parameter_that_is_nearly_one() {
    message("misspelled-parameter", 2, || url("conection_limit=1"));
}

#[test]
fn a_parameter_of_another_driver_that_can_not_be_ignored() {
    message("parameter-of-another-driver", 2, || url("sslaccept=accept_invalid_certs"));
}

#[test]
fn two_search_paths() {
    message("two-search-paths", 2, || url("schema=app").and("PGMARCH_SEARCH_PATH", "public"));
}

#[test]
fn a_newline_in_a_name() {
    message("newline-in-user", 2, || {
        let project = project();
        let program = pgmarch_without_database(&project).env("PGHOST", "127.0.0.1").env("PGUSER", "app\n");
        Setup::of(program).keep(project)
    });
}

#[test]
fn a_device_as_secret() {
    message("device-as-secret", 2, || with("PGPASSWORD_FILE", "/dev/zero"));
}

#[test]
fn a_device_as_service_file() {
    message("device-as-service-file", 2, || with("PGSERVICEFILE", "/dev/zero").and("PGSERVICE", "shop"));
}

#[test]
fn a_device_as_revision() {
    message("device-as-revision", 3, || {
        let project = project();
        std::os::unix::fs::symlink("/dev/zero", project.path().join("002_rows.sql")).expect("linked");
        let program = pgmarch_at("postgres://app@127.0.0.1:1/shop", &project);
        Setup::of(program).keep(project)
    });
}

#[test]
fn a_pipe_without_a_writer() {
    message("pipe-without-writer", 2, || {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("password");
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().expect("mkfifo").success());
        with("PGPASSWORD_FILE", &pipe.to_string_lossy()).hide(folder.path().display(), "/secrets").keep(folder)
    });
}

#[test]
fn a_name_server_that_does_not_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("resolv.conf");
    // An address for documentation (RFC 5737): no one answers there.
    std::fs::write(&file, "nameserver 192.0.2.1\n").expect("written");
    let bound = format!("mount --bind {} /etc/resolv.conf", file.display());
    if !can_unshare(&bound) {
        eprintln!("no mount namespaces here: a unit test of the library covers this");
        return;
    }
    message("name-server-silent", 4, || {
        let project = project();
        let script = format!("{bound} && exec {} status", binary().display());
        let program = Program::at("/usr/bin/unshare").args(["--mount", "sh", "-c", &script]).env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        let program = program.env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy()).env("PGMARCH_LOG_FORMAT", "text");
        let program = program.env("PGHOST", "db").env("PGUSER", "app").env("PGMARCH_WAIT_TIMEOUT", "2s").in_folder(Path::new("/"));
        Setup::of(program).keep(project)
    });
}

/// Whether this machine lets a process have mounts of its own.
fn can_unshare(script: &str) -> bool {
    Command::new("unshare").args(["--mount", "sh", "-c", script]).output().is_ok_and(|output| output.status.success())
}
