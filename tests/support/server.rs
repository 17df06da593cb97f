//! Throwaway PostgreSQL servers: one that all scenarios share, and more for those that stop and start their own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Address;
use super::installation::{Owner, another_major, binary, place_for_servers, required_binaries};

/// Quick rather than durable, but with the commit semantics of a production server.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
max_connections = 600
shared_buffers = 32MB
max_wal_size = 256MB
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %a %u@%d '
";

/// The superuser comes in without a check, which saves each test a key derivation; every role must know its password.
const LOGINS: &str = "
local all postgres trust
local replication postgres trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
";

/// Waits until the test process has ended, in any way, and removes its server.
const GUARD: &str = r#"
cat >/dev/null
test -e "$2/keep" && exit
"$1/pg_ctl" stop -s -m immediate -D "$2/data" >/dev/null 2>&1
rm -rf "$2" || { sleep 1; rm -rf "$2"; }
"#;

/// The address of the server that all tests of this process share, started at the first call.
pub(crate) fn shared() -> &'static Address {
    match SHARED.get_or_init(Shared::reach) {
        Shared::Ours(server) => &server.address,
        Shared::Theirs(address) => address,
    }
}

/// What the shared server logged about a database, if it is ours.
pub(super) fn shared_log(database: &str) -> String {
    let log = match SHARED.get() {
        Some(Shared::Ours(server)) => server.log(),
        Some(Shared::Theirs(_)) | None => String::new(),
    };
    let about_it = log.lines().filter(|line| line.contains(database));
    about_it.collect::<Vec<&str>>().join("\n")
}

/// What becomes of a database of a failed test on the shared server.
pub(super) fn keep_shared() -> String {
    match SHARED.get() {
        Some(Shared::Ours(server)) if std::env::var_os("PGMARCH_TEST_KEEP").is_some() => {
            fs::write(server.folder.join("keep"), "").expect("mark the server to be kept");
            format!("is kept; in the end: pg_ctl stop -D {}", server.data().display())
        }
        Some(Shared::Ours(_)) => "is removed, unless you set PGMARCH_TEST_KEEP=1".to_string(),
        Some(Shared::Theirs(_)) | None => "is kept".to_string(),
    }
}

/// Never started: its files are copied, which is much quicker than to make them again.
static TEMPLATE: OnceLock<Server> = OnceLock::new();

static SHARED: OnceLock<Shared> = OnceLock::new();

enum Shared {
    Ours(Server),
    Theirs(Address),
}

impl Shared {
    fn reach() -> Shared {
        match std::env::var("PGMARCH_TEST_URL") {
            Ok(url) => Shared::Theirs(Address::from_url(&url).expect("PGMARCH_TEST_URL: postgresql://user:password@host:port/")),
            Err(_) => Shared::Ours(Server::start_own(&[])),
        }
    }
}

/// A server of one test, removed when dropped, or when the test process ends in any way.
pub(crate) struct Server {
    address: Address,
    folder: PathBuf,
    port: u16,
    binaries: &'static Path,
    owner: Owner,
    guard: Child,
}

impl Server {
    /// A running server with settings such as `max_connections = 5`.
    pub(crate) fn start_own(settings: &[&str]) -> Server {
        let server = Server::reserve(settings);
        server.start();
        server
    }

    /// A server that has its address already, but runs only after [`Server::start`].
    pub(crate) fn reserve(settings: &[&str]) -> Server {
        let server = Server::empty(required_binaries());
        let template = TEMPLATE.get_or_init(|| Server::initialized(required_binaries()));
        let mut copy = server.owner.command(Path::new("/bin/cp"));
        server.run(copy.arg("-a").args([template.data(), server.data()]));
        server.configure(SETTINGS);
        server.configure(&settings.join("\n"));
        server
    }

    /// A running server of another major version, if one is installed beside the one that is tested.
    pub(crate) fn of_another_major() -> Option<Server> {
        static OTHER: OnceLock<Option<PathBuf>> = OnceLock::new();
        let server = Server::initialized(OTHER.get_or_init(another_major).as_deref()?);
        server.configure(SETTINGS);
        server.start();
        Some(server)
    }

    /// A running standby that follows this server until it is promoted.
    pub(crate) fn standby(&self) -> Server {
        let standby = Server::empty(self.binaries);
        standby.run(
            standby
                .owner
                .command(&binary("pg_basebackup"))
                .args(["-c", "fast", "--no-sync", "-d", &self.url("")])
                .arg("-D")
                .arg(standby.data()),
        );
        // Not by its -R: what a newer pg_basebackup writes down, such as sslnegotiation, an older server does not know.
        standby.configure(&format!("primary_conninfo = '{}'", self.url("")));
        let signal = standby.data().join("standby.signal");
        fs::write(&signal, "").expect("write standby.signal");
        standby.own(&signal, 0o600);
        standby.start();
        standby
    }

    /// Starts it and returns when it accepts connections.
    pub(crate) fn start(&self) {
        let log = self.folder.join("log");
        self.control(&["start", "-w", "-t", "60", "-l", &log.to_string_lossy()]);
    }

    /// Starts it and returns at once, while it refuses connections because it is starting up.
    pub(crate) fn start_without_waiting(&self) {
        let log = self.folder.join("log");
        self.control(&["start", "-W", "-l", &log.to_string_lossy()]);
    }

    /// Stops it (fast shutdown), disconnecting all clients.
    pub(crate) fn stop(&self) {
        self.control(&["stop", "-m", "fast"]);
    }

    /// Stops it as a crash would: nothing is written, recovery runs at the next start.
    pub(crate) fn crash(&self) {
        self.control(&["stop", "-m", "immediate"]);
    }

    /// A crash and the start after it.
    pub(crate) fn restart_after_crash(&self) {
        self.crash();
        self.start();
    }

    /// Makes a standby the primary and returns when it is.
    pub(crate) fn promote(&self) {
        self.control(&["promote", "-w"]);
    }

    /// The superuser's URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        self.address.url(database)
    }

    /// Everything it logged since its first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Adds settings, which count from its next start or reload on.
    pub(crate) fn set(&self, settings: &[&str]) {
        let mut file = OpenOptions::new().append(true).open(self.data().join("postgresql.conf")).expect("open postgresql.conf");
        file.write_all(format!("{}\n", settings.join("\n")).as_bytes()).expect("write postgresql.conf");
    }

    /// Sets `pg_hba.conf`, from its next start or reload on.
    pub(crate) fn logins(&self, lines: &str) {
        fs::write(self.data().join("pg_hba.conf"), lines).expect("write pg_hba.conf");
    }

    /// Reads settings and logins again.
    pub(crate) fn reload(&self) {
        self.control(&["reload"]);
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Gives a file to the account that runs it.
    pub(crate) fn own(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set a mode");
        if let Owner::Other(user, group) = self.owner {
            chown(path, Some(user), Some(group)).expect("give a file to the server");
        }
    }

    /// Its data, log and Unix socket.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn initialized(binaries: &'static Path) -> Server {
        let server = Server::empty(binaries);
        let mut initdb = server.command("initdb");
        initdb.args("-U postgres -A trust -E UTF8 --locale=C --no-sync -D".split(' '));
        server.run(initdb.arg(server.data()));
        fs::write(server.data().join("pg_hba.conf"), LOGINS).expect("write pg_hba.conf");
        server
    }

    fn empty(binaries: &'static Path) -> Server {
        let folder =
            tempfile::Builder::new().prefix("pgmarch-server-").tempdir_in(place_for_servers()).expect("make a folder for a server").keep();
        let owner = Owner::of(&folder);
        let mut guard = owner.command(Path::new("/bin/sh"));
        guard.args(["-c", GUARD, "guard"]).arg(binaries).arg(&folder);
        // In its own group and without our output, so that neither Ctrl-C nor a pipe behind us ties its end to ours.
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().expect("start the shell that guards a server");
        let port = free_port();
        Server { address: Address::of_superuser(port), folder, port, binaries, owner, guard }
    }

    fn configure(&self, settings: &str) {
        let mut file = OpenOptions::new().append(true).open(self.data().join("postgresql.conf")).expect("open postgresql.conf");
        let place = format!("port = {}\nunix_socket_directories = '{}'\n", self.port, self.folder.display());
        file.write_all(format!("{place}{settings}\n").as_bytes()).expect("write postgresql.conf");
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        self.owner.command(&self.binaries.join(program))
    }

    fn control(&self, arguments: &[&str]) {
        self.run(self.command("pg_ctl").args(arguments).arg("-s").arg("-D").arg(self.data()));
    }

    fn run(&self, command: &mut Command) {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{stderr}\n{}", output.status, self.log());
    }
}

impl AsRef<Address> for Server {
    fn as_ref(&self) -> &Address {
        &self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().ok();
    }
}

/// A port below those that the kernel hands out to clients: a program that polls a port in that
/// range before the server has it can end up connected to itself.
fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(101);
    let candidates = std::iter::repeat_with(|| 20_000 + (first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % 12_000) as u16);
    candidates.take(12_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port from 20000 to 32000")
}
