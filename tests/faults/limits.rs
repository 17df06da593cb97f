//! Large revisions, many statements and many files, interrupted; and files that can't be read to an end.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Case;
use super::story::{DELAY, disturbed, ended, wait_for_message};
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
    cases.push(Case::new("a revision that is a device without an end", || endless("/dev/zero")));
    cases.push(Case::new("a revision that is a pipe without a writer", || endless_pipe("002_pipe.sql")));
    cases
}

const MOMENTS: usize = 4;

/// What interrupts a run.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Kill,
    Term,
    Cut,
}

/// Interrupts a run at a part of its messages; runs it again, undisturbed.
fn interrupted(project: &Project, interruption: Interruption, moment: usize) -> Database {
    let [database, other] = [(); 2].map(|()| Database::new());
    let undisturbed = Proxy::to(&other).delay(DELAY);
    ended(disturbed(&undisturbed.url_for(&other), project).run(), &[Some(0)]);
    let proxy = Proxy::to(&database).delay(DELAY);
    let running = disturbed(&proxy.url_for(&database), project).spawn();
    wait_for_message((undisturbed.all_messages() * moment / (MOMENTS + 1)).max(1), &proxy, &running);
    match interruption {
        Interruption::Kill => drop(running.signal("KILL")),
        Interruption::Term => drop(running.signal("TERM")),
        Interruption::Cut => proxy.cut(),
    }
    ended(running.wait(), &[None, Some(0), Some(143)]);
    drop(proxy);
    pgmarch(&database, project).run().exits(0);
    pgmarch(&database, project).run().exits(0).stdout_contains("nothing to do");
    database
}

fn many_statements(interruption: Interruption, moment: usize) {
    let count = 3000;
    let rows: String = (1..=count).map(|number| format!("INSERT INTO t VALUES ({number});\n")).collect();
    let text = format!("-- migrate:up transaction:false\nCREATE TABLE t (id int);\n{rows}\n-- migrate:down\nDROP TABLE t;\n");
    let database = interrupted(&Project::new().file("001_test.sql", &text), interruption, moment);
    assert_eq!(database.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t"), format!("{count} {count}"));
    let finished = "SELECT count(*) FROM pgmarch.journal WHERE outcome = 'finished' AND statement IS NOT NULL";
    assert_eq!(database.one(finished), (count + 1).to_string());
}

fn large_revision(interruption: Interruption, moment: usize) {
    let row = "x".repeat(990);
    let rows: String = (1..=17_000).map(|number| format!("INSERT INTO t VALUES ({number}, '{row}');\n")).collect();
    let project = Project::new().revision("001", "CREATE TABLE first (id int);", "DROP TABLE first;").revision(
        "002",
        &format!("CREATE TABLE t (id int, text text);\n{rows}"),
        "DROP TABLE t;",
    );
    let database = interrupted(&project, interruption, moment);
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

/// A folder with a file that can't be read to an end is refused, in time, by the name of the file.
fn endless(target: &str) {
    let (database, project) = (Database::new(), Project::new().revision("001", "SELECT 1;", "SELECT 1;"));
    std::os::unix::fs::symlink(target, project.path().join("002_zero.sql")).expect("a link");
    is_refused(&database, &project, "002_zero.sql");
    fs::remove_file(project.path().join("002_zero.sql")).expect("remove the link");
    pgmarch(&database, &project).run().exits(0);
}

fn endless_pipe(name: &str) {
    let (database, project) = (Database::new(), Project::new().revision("001", "SELECT 1;", "SELECT 1;"));
    let pipe = project.path().join(name);
    assert!(Command::new("mkfifo").arg(Path::new(&pipe)).status().expect("mkfifo").success());
    is_refused(&database, &project, name);
    fs::remove_file(pipe).expect("remove the pipe");
    pgmarch(&database, &project).run().exits(0);
}

#[track_caller]
fn is_refused(database: &Database, project: &Project, name: &str) {
    let outcome = pgmarch(database, project).deadline(Duration::from_secs(60)).run().within(Duration::from_secs(30));
    assert!([Some(2), Some(3)].contains(&outcome.code()), "{outcome}");
    outcome.stderr_contains(name);
}
