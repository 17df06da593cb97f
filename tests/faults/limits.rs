//! Large revisions, many statements and many files, interrupted; and files that can't be read to an end.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::Case;
use super::story::{disturbed, ended, wait_for_message};
use crate::support::{Database, Project, Proxy, pgmarch};

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for moment in 1..=MOMENTS {
        for interruption in [Interruption::Kill, Interruption::Term, Interruption::Cut] {
            let name = format!("3,000 statements outside of transactions, {interruption:?} at moment {moment}");
            cases.push(Case::new(name, move || many_statements(interruption, moment)));
            let name = format!("a revision of 17 MB, {interruption:?} at moment {moment}");
            cases.push(Case::new(name, move || large_revision(interruption, moment)));
        }
    }
    cases.push(Case::new("1,700 files of 10 kB whose comments change", many_files));
    for kind in [NoFile::Device, NoFile::Pipe] {
        cases.push(Case::new(format!("a revision that is a {kind:?}, which never ends"), move || endless_revision(kind)));
        cases.push(Case::new(format!("a secret that is a {kind:?}, which never ends"), move || endless_secret(kind)));
    }
    cases
}

const MOMENTS: usize = 4;

const MINUTE: Duration = Duration::from_secs(60);

/// What interrupts a run.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Kill,
    Term,
    Cut,
}

/// Interrupts a run at a part of its messages; runs it again, undisturbed.
fn interrupted(project: &Project, messages: &OnceLock<usize>, interruption: Interruption, moment: usize) -> Database {
    let all = *messages.get_or_init(|| {
        let database = Database::new();
        let proxy = Proxy::to(&database);
        ended(disturbed(&proxy.url_for(&database), project).run(), &[Some(0)]);
        proxy.all_messages()
    });
    let database = Database::new();
    let proxy = Proxy::to(&database);
    let running = disturbed(&proxy.url_for(&database), project).spawn();
    wait_for_message((all * moment / (MOMENTS + 1)).max(1), &proxy, &running);
    let code = match interruption {
        Interruption::Kill => {
            running.signal("KILL");
            None
        }
        Interruption::Term => {
            running.signal("TERM");
            Some(143)
        }
        Interruption::Cut => {
            proxy.cut();
            Some(0)
        }
    };
    // It may come too late.
    ended(running.wait(), &[code, Some(0)]);
    drop(proxy);
    pgmarch(&database, project).run().exits(0);
    pgmarch(&database, project).run().exits(0).stdout_contains("nothing to do");
    database
}

fn many_statements(interruption: Interruption, moment: usize) {
    static MESSAGES: OnceLock<usize> = OnceLock::new();
    let count = 3000;
    let rows: String = (1..=count).map(|number| format!("INSERT INTO t VALUES ({number});\n")).collect();
    let text = format!("-- migrate:up transaction:false\nCREATE TABLE t (id int);\n{rows}\n-- migrate:down\nDROP TABLE t;\n");
    let database = interrupted(&Project::new().file("001_test.sql", &text), &MESSAGES, interruption, moment);
    assert_eq!(database.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t"), format!("{count} {count}"));
    let finished = "SELECT count(*) FROM pgmarch.journal WHERE outcome = 'finished' AND statement IS NOT NULL";
    assert_eq!(database.one(finished), (count + 1).to_string());
}

fn large_revision(interruption: Interruption, moment: usize) {
    static MESSAGES: OnceLock<usize> = OnceLock::new();
    let row = "x".repeat(990);
    let rows: String = (1..=17_000).map(|number| format!("INSERT INTO t VALUES ({number}, '{row}');\n")).collect();
    let project = Project::new().revision("001", "CREATE TABLE first (id int);", "DROP TABLE first;").revision(
        "002",
        &format!("CREATE TABLE t (id int, text text);\n{rows}"),
        "DROP TABLE t;",
    );
    let database = interrupted(&project, &MESSAGES, interruption, moment);
    assert_eq!(database.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t"), "17000 17000");
    pgmarch(&database, &project).args(["status"]).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0);
}

fn many_files() {
    let comment = format!("-- license {}\n", "x".repeat(10_000));
    let name = |number: usize| format!("{number:04}");
    let project = (1..=1700).fold(Project::new(), |project, number| {
        let text = format!("{comment}-- migrate:up\nSELECT {number};\n\n-- migrate:down\nSELECT 1;\n");
        project.file(&format!("{}_test.sql", name(number)), &text)
    });
    let database = Database::new();
    pgmarch(&database, &project).run().exits(0);
    for file in project.names().iter().filter(|file| file.ends_with(".sql")) {
        project.write(file, &project.read(file).replace("license", "licence"));
    }
    pgmarch(&database, &project).args(["status"]).run().exits(0);
    pgmarch(&database, &project).run().exits(0).stdout_contains("nothing to do");
}

/// What can't be read to an end.
#[derive(Clone, Copy, Debug)]
enum NoFile {
    Device,
    /// Nobody writes to it.
    Pipe,
}

impl NoFile {
    fn create(self, path: &Path) {
        match self {
            NoFile::Device => symlink("/dev/zero", path).expect("a link"),
            NoFile::Pipe => assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().expect("mkfifo").success()),
        }
    }
}

/// Refused, in time, by its name; without it the run succeeds.
fn endless_revision(kind: NoFile) {
    let (database, project) = (Database::new(), Project::new().revision("001", "SELECT 1;", "SELECT 1;"));
    let path = project.path().join("002_endless.sql");
    kind.create(&path);
    pgmarch(&database, &project).deadline(MINUTE).run().exits(3).stderr_contains("002_endless.sql");
    fs::remove_file(path).expect("remove it");
    pgmarch(&database, &project).run().exits(0);
}

fn endless_secret(kind: NoFile) {
    let (database, project) = (Database::new(), Project::new().revision("001", "SELECT 1;", "SELECT 1;"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    kind.create(&path);
    let program = |file: &Path| pgmarch(&database, &project).env("PGMARCH_TARGET_FILE", &file.to_string_lossy()).deadline(MINUTE);
    program(&path).run().exits(2).stderr_contains("PGMARCH_TARGET_FILE").stderr_contains(&path.to_string_lossy());
    fs::remove_file(&path).expect("remove it");
    fs::write(&path, "001\n").expect("write a file");
    program(&path).run().exits(0);
}
