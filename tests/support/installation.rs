//! Where PostgreSQL's programs are, and who may run them.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const NOTHING_TO_TEST_AGAINST: &str = "the scenarios need PostgreSQL. Install a server (apt-get install postgresql), \
    or set PGMARCH_TEST_BIN to the folder of initdb and postgres, \
    or PGMARCH_TEST_URL to the postgresql:// URL of a superuser on a server that may be filled with databases and roles";

/// The path of a PostgreSQL program: beside the server's if it is there; else, for what must be as new as the server, in the
/// clients' folder `PGMARCH_TEST_CLIENTS`; else of the newest installation, else wherever `PATH` finds it.
pub(crate) fn binary(name: &str) -> PathBuf {
    // The clients of a wheel know no TLS, and any psql does.
    let clients = std::env::var_os("PGMARCH_TEST_CLIENTS").filter(|_| name != "psql").map(PathBuf::from);
    let folders = binaries().map(Path::to_path_buf).into_iter().chain(clients).chain(newest_installed(Path::new("/usr/lib/postgresql")));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// The folder of the programs of a server.
pub(super) fn required_binaries() -> &'static Path {
    let has_a_server = |folder: &&Path| folder.join("initdb").is_file();
    binaries().filter(has_a_server).expect(NOTHING_TO_TEST_AGAINST)
}

fn binaries() -> Option<&'static Path> {
    static BINARIES: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || match std::env::var_os("PGMARCH_TEST_BIN") {
        Some(folder) => Some(fs::canonicalize(folder).expect("PGMARCH_TEST_BIN: a folder")),
        None => newest_installed(Path::new("/usr/lib/postgresql")),
    };
    BINARIES.get_or_init(find).as_deref()
}

/// The `bin` of the highest version below a folder laid out as Debian's, passing over mere clients.
pub(crate) fn newest_installed(versions: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(versions).ok()?.flatten();
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = versions.map(|version| version.path()).filter(|version| version.join("bin/initdb").is_file());
    installed.max_by_key(number).map(|version| version.join("bin"))
}

/// The folder of the programs of a server of another major version: as Debian installs them, or beside the one that is
/// tested where `make matrix` keeps them.
pub(super) fn another_major() -> Option<PathBuf> {
    let tested = required_binaries();
    let beside = tested.ancestors().nth(3)?;
    let versions =
        |versions: &Path| fs::read_dir(versions).into_iter().flatten().flatten().map(|version| version.path()).collect::<Vec<_>>();
    let installed = versions(Path::new("/usr/lib/postgresql")).into_iter().map(|version| version.join("bin"));
    let fetched = versions(beside).into_iter().map(|version| version.join("native/bin"));
    let ours = major(tested);
    installed.chain(fetched).find(|folder| major(folder).is_some_and(|major| Some(major) != ours))
}

/// The major version of the programs in a folder, if they are a server's.
fn major(folder: &Path) -> Option<String> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let words = String::from_utf8(output.stdout).ok()?;
    words.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty()).map(str::to_owned)
}

/// A place for the folders of servers: in memory if there is plenty, unless `TMPDIR` names another.
pub(super) fn place_for_servers() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let plenty = || available_kilobytes(memory).is_some_and(|available| available > 4_000_000);
    if std::env::var_os("TMPDIR").is_none() && plenty() { memory.to_path_buf() } else { std::env::temp_dir() }
}

fn available_kilobytes(folder: &Path) -> Option<u64> {
    let df = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let table = String::from_utf8(df.stdout).ok()?;
    table.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}

/// Who runs a server.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    /// The user that runs the tests.
    Us,
    /// PostgreSQL refuses root, so root's tests run it as another user, by the ids of user and group.
    Other(u32, u32),
}

impl Owner {
    /// Finds out who runs the tests, and hands their folder over to another user if need be.
    pub(super) fn of(folder: &Path) -> Owner {
        let made_by = fs::metadata(folder).expect("look at the server's folder").uid();
        if made_by != 0 {
            return Owner::Us;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let other = ["postgres", "nobody"].into_iter().find_map(|name| ids(&users, name));
        let (user, group) = other.expect("a user postgres or nobody in /etc/passwd");
        chown(folder, Some(user), Some(group)).expect("give the folder to the server's user");
        Owner::Other(user, group)
    }

    /// A command run by the owner, with an environment of its own.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        match self {
            Owner::Us => {}
            Owner::Other(user, group) => {
                command.uid(user).gid(group);
            }
        }
        command
    }
}

fn ids(users: &str, name: &str) -> Option<(u32, u32)> {
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<&str>>());
    let fields = users.find(|fields| fields[0] == name)?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}
