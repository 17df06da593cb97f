//! Many processes at once.

use super::Case;
use super::story::{REVISIONS, arrived, clean, disturbed, ended, project, ran_once, schema};
use crate::support::{Database, Program, Project, Running, pgmarch};

/// Set for a process that is to be a runner without the lock: the tests' own binary, which holds the library.
#[cfg(feature = "test-support")]
pub(crate) const LOCKLESS: &str = "RUN_WITHOUT_THE_LOCK";

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in [2, 10, 50] {
        cases.push(Case::new(format!("{number} at once on an empty database"), move || at_once(number, runner)));
        #[cfg(feature = "test-support")]
        cases.push(Case::new(format!("{number} at once without the lock"), move || at_once(number, lockless)));
    }
    for number in 0..5 {
        cases.push(Case::new(format!("two images with different revisions {number}"), two_images));
        cases.push(Case::new(format!("upgrade against downgrade {number}"), || against_each_other(runner)));
        #[cfg(feature = "test-support")]
        cases.push(Case::new(format!("upgrade against downgrade without the lock {number}"), || against_each_other(lockless)));
        #[cfg(feature = "test-support")]
        cases.push(Case::new(format!("5 without the lock {number}"), || at_once(5, lockless)));
    }
    cases
}

fn runner(database: &Database, project: &Project) -> Program {
    disturbed(&database.url(), project).env("PGMARCH_RETRY_FOR", "60s").env("PGMARCH_RUN_LOCK_TIMEOUT", "2m")
}

/// The same program without the lock.
#[cfg(feature = "test-support")]
fn lockless(database: &Database, project: &Project) -> Program {
    let tests = std::env::current_exe().expect("the path of the tests");
    Program::at(tests)
        .env(LOCKLESS, "1")
        .env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy())
        .env("PGMARCH_LOG_FORMAT", "text")
        .env("PGMARCH_RETRY_FOR", "60s")
        .url(&database.url())
        .deadline(std::time::Duration::from_secs(120))
}

fn at_once(number: usize, runner: impl Fn(&Database, &Project) -> Program) {
    let (project, database) = (project(), Database::new());
    let running: Vec<Running> = (0..number).map(|_| runner(&database, &project).spawn()).collect();
    running.into_iter().for_each(|running| ended(running.wait(), &[Some(0)]));
    arrived(&database);
    runner(&database, &project).run().exits(0);
    arrived(&database);
}

/// An older image has the first eight revisions only.
fn two_images() {
    let (project, database) = (project(), Database::new());
    let older = project.copied();
    for id in &REVISIONS[8..] {
        older.remove(&format!("{id}_test.sql"));
    }
    let running: Vec<Running> = (0..10)
        .map(|number| runner(&database, if number % 2 == 0 { &older } else { &project }).args(["upgrade", "heads"]).spawn())
        .collect();
    running.into_iter().for_each(|running| ended(running.wait(), &[Some(0)]));
    arrived(&database);
}

fn against_each_other(runner: impl Fn(&Database, &Project) -> Program) {
    let (project, database) = (project(), Database::new());
    pgmarch(&database, &project).args(["upgrade", "004"]).run().exits(0);
    let up = |_| runner(&database, &project).spawn();
    let down = |_| runner(&database, &project).args(["downgrade", "base", "--yes"]).spawn();
    let running: Vec<Running> = (0..3).map(up).chain((0..3).map(down)).collect();
    // One that finds the database half way of a transaction:false revision going the other way says so (6); so does a
    // downgrade that would undo more than was shown (5).
    running.into_iter().for_each(|running| ended(running.wait(), &[Some(0), Some(5), Some(6)]));
    // Whatever is half done is finished the way it went; then everything goes up.
    if pgmarch(&database, &project).run().code() != Some(0) {
        pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0);
        pgmarch(&database, &project).run().exits(0);
    }
    ran_once(&database.session());
    assert_eq!(database.query("SELECT version_num FROM alembic_version"), [["010"]]);
    let balance = "SELECT count(*) FROM (SELECT revision FROM pgmarch.journal WHERE outcome = 'done' AND statement IS NULL GROUP BY 1 \
        HAVING count(*) FILTER (WHERE direction = 'upgrade') - count(*) FILTER (WHERE direction = 'downgrade') = 1) AS balanced";
    assert_eq!(database.one(balance), "12", "each revision went up once more often than down");
    clean(&database.session());
    assert_eq!(database.dump(), schema());
}
