//! A database of a test's own.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::session::Rows;
use super::{Address, Session, installation, server};

/// An empty database, removed at the end of a test that passed.
pub(crate) struct Database {
    address: Address,
    name: String,
    roles: Mutex<Vec<String>>,
    /// Whether nothing else will remove it.
    shared: bool,
}

impl Database {
    /// On the server that all tests share.
    pub(crate) fn new() -> Database {
        Database::create(server::shared(), true)
    }

    /// On a test's own server.
    pub(crate) fn on(server: &impl AsRef<Address>) -> Database {
        Database::create(server.as_ref(), false)
    }

    /// The database of the same name on another server, such as a standby.
    pub(crate) fn moved_to(&self, server: &impl AsRef<Address>) -> Database {
        Database { address: server.as_ref().clone(), name: self.name.clone(), roles: Mutex::default(), shared: false }
    }

    /// On the server that all tests share, with all that is in another there, to which nobody may be connected.
    pub(crate) fn like(other: &Database) -> Database {
        Database::copied(&other.address, &other.name, other.shared)
    }

    fn create(address: &Address, shared: bool) -> Database {
        // template0, because nobody can be connected to it.
        Database::copied(address, "template0", shared)
    }

    fn copied(address: &Address, template: &str, shared: bool) -> Database {
        let name = unique_name(thread::current().name().unwrap_or_default());
        maintain(address, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Database { address: address.clone(), name, roles: Mutex::default(), shared }
    }

    /// Its unique name, which needs no quotes.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL for the superuser.
    pub(crate) fn url(&self) -> String {
        self.address.url(&self.name)
    }

    /// The major version of its server.
    pub(crate) fn major(&self) -> u32 {
        let number: u32 = self.one("SHOW server_version_num").parse().expect("a version number");
        number / 10_000
    }

    /// An open connection that may hold transactions and locks.
    #[track_caller]
    pub(crate) fn session(&self) -> Session {
        Session::open(&self.url())
    }

    /// The rows of a statement.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Rows {
        self.session().query(sql)
    }

    /// The one value of a statement as text.
    #[track_caller]
    pub(crate) fn one(&self, sql: &str) -> String {
        self.session().one(sql)
    }

    /// Runs statements, in one transaction unless they contain COMMIT.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        self.session().execute(sql);
    }

    /// Asks again and again until the one value is as expected.
    #[track_caller]
    pub(crate) fn eventually(&self, sql: &str, expected: &str) {
        self.session().eventually(sql, expected);
    }

    /// A login of this test alone, granted rights such as `SELECT ON ALL TABLES IN SCHEMA public`.
    #[track_caller]
    pub(crate) fn role(&self, name: &str, rights: &[&str]) -> Role {
        let role = unique_name(name);
        let session = self.session();
        session.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", super::address::PASSWORD));
        self.roles.lock().expect("the list of roles").push(role.clone());
        for right in rights {
            session.execute(&format!("GRANT {right} TO {role}"));
        }
        Role { url: self.address.for_role(&role).url(&self.name), name: role }
    }

    /// The schema as `pg_dump` writes it, without what differs from one dump to the next.
    #[track_caller]
    pub(crate) fn dump(&self) -> String {
        self.dump_with(&[])
    }

    /// What `pg_dump --schema-only` writes, as it is.
    #[track_caller]
    pub(crate) fn whole_dump(&self, options: &[&str]) -> String {
        self.client("pg_dump", &[&["--schema-only"], options].concat(), "")
    }

    /// The schema without pgmarch's ledger.
    #[track_caller]
    pub(crate) fn dump_without_ledger(&self) -> String {
        self.dump_with(&["--exclude-schema=pgmarch"])
    }

    /// Feeds a script to `psql`, stopping at its first error, and returns what it printed.
    #[track_caller]
    pub(crate) fn psql(&self, script: &str) -> String {
        self.try_psql(script).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, or what `psql` complains about.
    pub(crate) fn try_psql(&self, script: &str) -> Result<String, String> {
        let options = ["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--quiet"];
        self.try_client("psql", &options, script)
    }

    fn explain(&self) {
        eprintln!("the server logged\n{}", server::shared_log(&self.name));
        eprintln!("{} {}", self.url(), server::keep_shared());
    }

    /// The schema with further options of `pg_dump`.
    #[track_caller]
    pub(crate) fn dump_with(&self, options: &[&str]) -> String {
        let dump = self.whole_dump(options);
        let differing = ["-- Dumped ", "\\restrict ", "\\unrestrict "];
        let same = |line: &&str| !differing.iter().any(|start| line.starts_with(start));
        dump.lines().filter(same).collect::<Vec<&str>>().join("\n")
    }

    #[track_caller]
    fn client(&self, program: &str, options: &[&str], input: &str) -> String {
        self.try_client(program, options, input).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_client(&self, program: &str, options: &[&str], input: &str) -> Result<String, String> {
        let mut command = Command::new(installation::binary(program));
        command.args(options).arg(format!("--dbname={}", self.url()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("a pipe to the client");
        let input = input.to_string();
        // A client that stops early closes the pipe; its exit status tells.
        let feeder = thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
        let output = child.wait_with_output().expect("wait for the client");
        feeder.join().expect("feed the client");
        if !output.status.success() {
            return Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8(output.stdout).expect("the client writes UTF-8"))
    }
}

impl AsRef<Address> for Database {
    fn as_ref(&self) -> &Address {
        &self.address
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match (thread::panicking(), self.shared) {
            (true, true) => self.explain(),
            (false, true) => {
                maintain(&self.address, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
                for role in self.roles.get_mut().expect("the list of roles") {
                    maintain(&self.address, &format!("DROP ROLE {role}"));
                }
            }
            (_, false) => {}
        }
    }
}

/// A login with few rights.
pub(crate) struct Role {
    /// Its unique name, which needs no quotes.
    pub(crate) name: String,
    /// The URL of the test's database for it.
    pub(crate) url: String,
}

fn maintain(address: &Address, sql: &str) {
    Session::open(&address.url("postgres")).execute(sql);
}

/// A name for a database or role, unique also among the processes that test on one server.
fn unique_name(about: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let about = about.rsplit("::").next().unwrap_or_default().to_ascii_lowercase();
    let about: String = about.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut name = format!("test_{}_{}_{about}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    name.truncate(63);
    name
}
