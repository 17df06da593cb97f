//! A program between the runs and the server: a proxy or a pooler, in a folder of its own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Address, Database, Session, TIMEOUT};

/// A running proxy or pooler.
pub(crate) struct Daemon {
    child: Child,
    address: Address,
    folder: tempfile::TempDir,
}

/// What it is started with: files of its folder, and arguments.
pub(crate) struct Files {
    pub(crate) texts: Vec<(&'static str, String)>,
    pub(crate) arguments: Vec<String>,
}

impl Daemon {
    /// Starts it in front of the server of a database. `files` gets the server's host and port, a port to listen at, and the folder.
    pub(crate) fn start(database: &Database, program: &str, files: impl FnOnce((&str, &str), u16, &str) -> Files) -> Daemon {
        let folder = tempfile::tempdir().expect("a folder for a proxy");
        let port = free_port();
        let address: &Address = database.as_ref();
        let backend = address.place().split_once(':').expect("host and port");
        let Files { texts, arguments } = files(backend, port, &folder.path().display().to_string());
        for (name, text) in texts {
            fs::write(folder.path().join(name), text).expect("write its settings");
        }
        let output = fs::File::create(folder.path().join("output")).expect("a file for its output");
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(output.try_clone().expect("its output")).stderr(output);
        as_postgres(&mut command, folder.path());
        // It signals its group, and ends as one.
        command.process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("start {program}: {error}; scripts/dev/need.sh installs it"));
        let daemon = Daemon { child, address: address.by_way_of(&format!("127.0.0.1:{port}")), folder };
        let deadline = Instant::now() + TIMEOUT;
        while Session::try_open(&daemon.url(database)).is_err() {
            assert!(Instant::now() < deadline, "{program} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    /// Signals it and the processes that it started.
    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        Command::new("/bin/sh").args(["-c", "kill -s \"$1\" -- \"$2\" 2>/dev/null", "kill", name, &group]).status().ok();
    }

    /// The superuser's URL of a database by way of it.
    pub(crate) fn url(&self, database: &Database) -> String {
        self.address.url(database.name())
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

/// Some programs refuse root.
fn as_postgres(command: &mut Command, folder: &Path) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = users.lines().find(|line| line.starts_with("postgres:")).map(|line| line.split(':').collect::<Vec<_>>());
    let ids = ids.and_then(|ids| Some((ids.get(2)?.parse().ok()?, ids.get(3)?.parse().ok()?)));
    let is_ours = |file: &Path, (user, group)| chown(file, Some(user), Some(group)).is_ok();
    if let Some((user, group)) = ids
        && is_ours(folder, (user, group))
    {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            is_ours(&entry.path(), (user, group));
        }
        command.uid(user).gid(group);
    }
}

impl AsRef<Address> for Daemon {
    fn as_ref(&self) -> &Address {
        &self.address
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["log", "output"] {
                let log = fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("its {name}\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
            }
        }
        // Killed, pgpool-II would leave its processes, which keep their connections, and shared memory.
        self.signal("QUIT");
        let deadline = Instant::now() + Duration::from_secs(1);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.signal("KILL");
        self.child.wait().ok();
    }
}
