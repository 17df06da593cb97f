//! The harness of the scenarios: a server, a database, a project of revisions, the program, a faulty network.

#![allow(dead_code, unused_imports, reason = "a vocabulary: not every word is used by every set of scenarios")]

pub(crate) mod address;
pub(crate) mod alembic;
pub(crate) mod certificate;
pub(crate) mod database;
pub(crate) mod installation;
pub(crate) mod orm;
pub(crate) mod outcome;
mod output;
pub(crate) mod program;
pub(crate) mod project;
pub(crate) mod proxy;
pub(crate) mod release;
pub(crate) mod server;
pub(crate) mod session;
mod traffic;
mod wire;

pub(crate) use address::Address;
pub(crate) use certificate::{Authority, CertificateOptions, LOCAL};
pub(crate) use database::{Database, Role};
pub(crate) use outcome::Outcome;
pub(crate) use program::{Program, Running, binary, pgmarch, pgmarch_at, pgmarch_without_database};
pub(crate) use project::Project;
pub(crate) use proxy::{EVERY, Proxy};
pub(crate) use release::Release;
pub(crate) use server::Server;
pub(crate) use session::{Pending, Session};
pub(crate) use traffic::Side;

use std::path::Path;
use std::time::Duration;

/// How long anything that is certain to happen may take on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A text must be that of a file of the repository; PGMARCH_WRITE_DOCS=1 writes it.
#[track_caller]
pub(crate) fn snapshot(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("PGMARCH_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("make the snapshot's folder");
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(text, expected, "{path}: PGMARCH_WRITE_DOCS=1 cargo test writes it");
}
