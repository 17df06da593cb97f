//! No secret ever leaves: a password that needs every kind of quoting, given in each way, through every verb and failure,
//! is found in no output, log, ledger, termination message or process list.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::sidecar::Sidecar;
use crate::support::certificate::write_secret;
use crate::support::{Database, Program, Project, Server, Session, pgmarch_without_database};

/// Its ends are words of their own: half of it is a leak as well.
const MARKER: &str = "Ma4kerFront%@:/?#'\"\\ ü Ma4kerBack";
const ENDS: [&str; 2] = ["Ma4kerFront", "Ma4kerBack"];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A way to give the password.
struct Way {
    name: &'static str,
    /// Whether a server listens there.
    is_there: bool,
    settings: Vec<(&'static str, String)>,
}

struct Place<'p> {
    user: &'p str,
    port: u16,
    database: &'p str,
}

fn ways(place: &Place<'_>, password: &str, folder: &TempDir) -> Vec<Way> {
    let Place { user, port, database } = place;
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        write_secret(&path, &text, 0o600);
        path.to_str().expect("UTF-8").to_string()
    };
    let is_there = *port != 1;
    let url = format!("postgresql://{user}:{}@127.0.0.1:{port}/{database}", encoded(password));
    let pairs = format!("host=127.0.0.1 port={port} user={user} dbname={database}");
    let quoted = format!("{pairs} password='{}'", password.replace('\\', "\\\\").replace('\'', "\\'"));
    let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
    let with = |name, more: (&'static str, String)| Way { name, is_there, settings: vec![("PGMARCH_DATABASE_URL", pairs.clone()), more] };
    let service = format!("[mine]\nhost=127.0.0.1\nport={port}\nuser={user}\ndbname={database}\npassword={password}\n");
    vec![
        Way { is_there, name: "URL", settings: vec![("PGMARCH_DATABASE_URL", url.clone())] },
        Way {
            is_there,
            name: "query",
            settings: vec![("DATABASE_URL", format!("postgres://127.0.0.1:{port}/{database}?user={user}&password={}", encoded(password)))],
        },
        Way { is_there, name: "key=value", settings: vec![("DATABASE_URL", quoted)] },
        Way { is_there, name: "URL file", settings: vec![("PGMARCH_DATABASE_URL_FILE", file("url", url + "\n"))] },
        with("variable", ("PGPASSWORD", password.to_string())),
        with("variable's file", ("PGPASSWORD_FILE", file("password", format!("{password}\n")))),
        with("password file", ("PGPASSFILE", file("pgpass", format!("127.0.0.1:{port}:*:{user}:{escaped}\n")))),
        Way { is_there, name: "service", settings: vec![("PGSERVICE", "mine".to_string()), ("PGSERVICEFILE", file("services", service))] },
    ]
}

/// Every verb that there is, with words that suit it where it wants some.
fn verbs() -> Vec<Vec<String>> {
    let help = Program::at(env!("CARGO_BIN_EXE_pgmarch")).args(["--help"]).run().exits(0).stdout;
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1).take_while(|line| !line.trim().is_empty());
    let verbs: Vec<String> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").map(str::to_string).collect();
    assert!(verbs.contains(&"upgrade".to_string()) && verbs.contains(&"status".to_string()), "{help}");
    let words = |verb: &str| -> &[&str] {
        match verb {
            "downgrade" => &["-1", "--yes"],
            "show" | "stamp" | "repair" | "wait" => &["001"],
            "create" => &["something"],
            "merge" => &["001", "002"],
            _ => &[],
        }
    };
    // The sidecar runs until it receives a signal.
    let ends = verbs.iter().filter(|verb| *verb != "sidecar");
    let mut all: Vec<Vec<String>> =
        ends.map(|verb| std::iter::once(verb.as_str()).chain(words(verb).iter().copied()).map(str::to_string).collect()).collect();
    let again = ["create something --manual", "check --offline", "upgrade --sql", "status --json", "check --json", "diff --json"];
    all.extend(again.map(|words| words.split(' ').map(str::to_string).collect()));
    all
}

fn assert_clean(what: &str, text: &str) {
    for end in ENDS {
        assert!(!text.contains(end), "{what} has the password:\n{text}");
    }
}

/// Runs it traced, in the one form of the log and the other by turns, and looks at all that it leaves.
fn sweep(what: &str, program: impl Fn() -> Program, folder: &TempDir) -> Option<i32> {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let format = ["text", "json"][TURNS.fetch_add(1, Ordering::Relaxed) % 2];
    let termination = folder.path().join("termination");
    fs::write(&termination, "").expect("write");
    let program = program().env("PGMARCH_LOG", "trace").env("PGMARCH_LOG_FORMAT", format);
    let outcome = program.env("PGMARCH_TERMINATION_LOG", termination.to_str().expect("UTF-8")).run();
    assert_clean(what, &outcome.stdout);
    assert_clean(what, &outcome.stderr);
    assert_clean(what, &fs::read_to_string(&termination).expect("read"));
    assert!(outcome.code().is_some_and(|code| code < 128), "{what}: {outcome}");
    outcome.code()
}

fn with(way: &Way, project: &Project, words: &[String]) -> Program {
    let timeout = if way.is_there { "20s" } else { "200ms" };
    let program = pgmarch_without_database(project)
        .args(words.iter().map(String::as_str))
        .env("PGMARCH_WAIT_TIMEOUT", timeout)
        .env("PGMARCH_RETRY_FOR", "0");
    way.settings.iter().fold(program, |program, (name, value)| program.env(name, value))
}

#[test]
fn the_password_is_in_nothing_that_any_verb_or_failure_says_or_leaves() {
    let server = Server::start_own(&["log_statement = 'all'"]);
    let database = Database::on(&server);
    let quoted = MARKER.replace('\'', "''");
    let session = Session::open(&server.url("postgres"));
    // By itself: what a message says of the log counts from the next one on.
    session.execute("SET log_statement = 'none'");
    session.execute(&format!("CREATE ROLE marked LOGIN CREATEDB PASSWORD E'{}'", quoted.replace('\\', "\\\\")));
    session.execute("SELECT 1");
    Session::open(&server.url("postgres")).execute("CREATE ROLE other LOGIN PASSWORD 'other'");
    database.execute(&format!("GRANT CREATE ON DATABASE {} TO marked; GRANT CREATE ON SCHEMA public TO marked", database.name()));
    let folder = tempfile::tempdir().expect("a folder");
    let sound = || {
        let revisions =
            Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;").revision("002", "SELECT 2;", "SELECT 2;");
        revisions.file("schema.sql", "CREATE TABLE a (id int, more text);")
    };
    let fresh = sound();
    let place = |user, port| Place { user, port, database: database.name() };
    let verbs = verbs();

    for way in ways(&place("marked", server.port()), MARKER, &folder) {
        for words in &verbs {
            let project = sound();
            let codes = sweep(&format!("{} by {}", words.join(" "), way.name), || with(&way, &project, words), &folder);
            if words == &["upgrade"] {
                assert_eq!(codes, Some(0), "{}", way.name);
            }
        }
        let project = sound();
        let program = with(&way, &project, &[]).env("PGMARCH_LOG", "trace").env("PGMARCH_LOG_FORMAT", "text");
        let sidecar = Sidecar::start(program);
        sidecar.run.wait_for_log("ready: at 002");
        for path in ["/livez", "/readyz", "/status", "/metrics"] {
            assert_clean(path, &sidecar.get(path).1);
        }
        sidecar.run.signal("TERM");
        let outcome = sidecar.run.wait();
        assert_clean("the sidecar", &outcome.stdout);
        assert_clean("the sidecar", &outcome.stderr);
        let broken = sound().revision("003", "SELECT nonsense;", "SELECT 3;");
        assert_eq!(sweep("a failing revision", || with(&way, &broken, &["upgrade".into()]), &folder), Some(6));
        let unsound = sound().file("003.sql", "nothing");
        sweep("unsound revisions", || with(&way, &unsound, &["upgrade".into()]), &folder);
        for (setting, value) in [
            ("PGSSLMODE", "verify-full"),
            ("PGSSLMODE", "nonsense"),
            ("PGOPTIONS", "-c nonsense=1"),
            ("PGMARCH_ROLE", "postgres"),
            ("PGREQUIREAUTH", "none"),
            ("PGPORT_FILE", "/nowhere"),
        ] {
            sweep(setting, || with(&way, &project, &["upgrade".into()]).env(setting, value), &folder);
        }
    }
    // No server; a wrong password; a database that does not exist.
    for way in ways(&place("marked", 1), MARKER, &folder) {
        assert_eq!(sweep("nobody there", || with(&way, &fresh, &["upgrade".into()]), &folder), Some(4));
    }
    for way in ways(&place("other", server.port()), MARKER, &folder) {
        assert_eq!(sweep("a wrong password", || with(&way, &fresh, &["upgrade".into()]), &folder), Some(8));
    }
    for way in ways(&Place { user: "marked", port: server.port(), database: "nowhere" }, MARKER, &folder) {
        assert_eq!(sweep("no database", || with(&way, &fresh, &["status".into()]), &folder), Some(8));
    }
    // Invalid values: the error must not quote them.
    let port = server.port();
    for text in [
        format!("postgresql://marked:{MARKER}@127.0.0.1:{port}/d"),
        format!("postgresql://marked:Ma4kerFront/Ma4kerBack@127.0.0.1:{port}/d"),
        format!("postgresql://marked:Ma4kerFront?Ma4kerBack=1@127.0.0.1:{port}/d"),
        format!("postgresql://marked:Ma4kerFront#Ma4kerBack@127.0.0.1:{port}/d"),
        format!("host=127.0.0.1 password={MARKER}"),
        format!("host=127.0.0.1 password '{MARKER}'"),
        format!("host=127.0.0.1 dbname='postgres://marked:{}@h'", encoded(MARKER)),
        format!("mysql://marked:{}@127.0.0.1/d", encoded(MARKER)),
        MARKER.to_string(),
    ] {
        for name in ["PGMARCH_DATABASE_URL", "DATABASE_URL"] {
            let way = Way { is_there: true, name: "wrong", settings: vec![(name, text.clone())] };
            sweep("a wrong spelling", || with(&way, &fresh, &["upgrade".into()]), &folder);
        }
    }
    // The other databases that a setting can name: there, refused, not there, and written down wrongly.
    let url = |place: &Place<'_>| ways(place, MARKER, &folder).swap_remove(0).settings.swap_remove(0).1;
    let there = url(&place("marked", server.port()));
    let others = [
        there.clone(),
        url(&place("other", server.port())),
        url(&place("marked", 1)),
        format!("postgres://marked:{MARKER}@h/d"),
        MARKER.into(),
    ];
    for setting in ["PGMARCH_SCRATCH_URL", "PGMARCH_MODEL_URL"] {
        for (number, other) in others.iter().enumerate() {
            for words in [&["check"][..], &["diff"], &["create", "something"]] {
                let settings = vec![("PGMARCH_DATABASE_URL", there.clone()), (setting, other.clone())];
                let way = Way { is_there: number != 2, name: setting, settings };
                let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
                let project = sound();
                if setting == "PGMARCH_MODEL_URL" {
                    project.remove("schema.sql");
                }
                let code = sweep(&format!("{setting} {number}"), || with(&way, &project, &words), &folder);
                assert_eq!(code.is_some_and(|code| code < 2), number == 0, "{setting} {number} {words:?}: {code:?}");
            }
        }
    }
    // Everything that remains in the database, and all that was sent to the server.
    assert_clean(
        "the database",
        &database.psql("SELECT * FROM pgmarch.journal; SELECT * FROM pgmarch.revision; SELECT * FROM pg_stat_activity;"),
    );
    assert_clean("the server's log", &server.log());
}

#[test]
fn the_password_is_in_no_list_of_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    for way in ways(&Place { user: "marked", port: 1, database: "d" }, MARKER, &folder) {
        let words = ["upgrade".to_string()];
        let mut running = with(&way, &project, &words).env("PGMARCH_WAIT_TIMEOUT", "20s").spawn();
        running.wait_for_log("waiting for the server");
        for process in fs::read_dir("/proc").expect("list processes").flatten() {
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            assert_clean("a command line", &String::from_utf8_lossy(&command));
        }
        running.kill();
    }
    assert!(Path::new("/proc/self/cmdline").exists());
}
