//! The library, as a program that embeds it uses it.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use pgmarch::error::Error;
use pgmarch::exit::{Exit, Explain};
use pgmarch::host::{Event, LockWait};
use pgmarch::revision::name::RevisionName;
use pgmarch::{Goal, Runner};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Database, Project, pgmarch};

/// The program that the documentation shows.
#[path = "../examples/embed.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod example;

fn two_tables() -> Project {
    Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;").revision("002", "CREATE TABLE b (id int);", "DROP TABLE b;")
}

fn runner(database: &Database, project: &Project, more: &[(&str, &str)]) -> Runner {
    let (url, folder) = (database.url(), project.path().to_string_lossy().into_owned());
    let settings = [("PGMARCH_DATABASE_URL", url.as_str()), ("PGMARCH_MIGRATIONS", folder.as_str())];
    Runner::from_settings(settings.iter().chain(more).copied()).expect("settings")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The events that an observer received, a line for each.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn line(&self, line: String) {
        self.0.lock().expect("the lines").push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("the lines").clone()
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "other events are of no interest here")]
    fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + use<> {
        let recorder = self.clone();
        move |event| match event {
            Event::RunStarted { revisions, version, .. } => recorder.line(format!("run of {revisions} from {version}")),
            Event::RevisionStarted { revision, .. } => recorder.line(format!("started {revision}")),
            Event::RevisionDone { revision, .. } => recorder.line(format!("done {revision}")),
            Event::RevisionBlocked { revision, sqlstate, .. } => {
                recorder.line(format!("blocked {revision} {}", sqlstate.unwrap_or_default()))
            }
            Event::WaitingForLock { reason: LockWait::Holder(holder), .. } => recorder.line(format!("waiting for {holder}")),
            Event::ReachedByAnotherRun { version } => recorder.line(format!("another run reached {version}")),
            Event::NothingToDo { version, .. } => recorder.line(format!("nothing to do at {version}")),
            _ => {}
        }
    }
}

#[test]
fn a_plan_changes_nothing_and_says_what_an_upgrade_would_do() {
    let (database, project) = (Database::new(), two_tables());
    let before = database.dump();
    let runner = runner(&database, &project, &[]);
    let revisions = runner.load_revisions().expect("revisions");
    let head = Goal::upgrade("head").expect("a name");
    let plan = runtime().block_on(runner.plan(&revisions, &head)).expect("a plan");
    assert_eq!(plan.steps.iter().map(|step| step.revision.as_str()).collect::<Vec<_>>(), ["001", "002"]);
    assert_eq!(plan.steps[0].sql.trim(), "CREATE TABLE a (id int);");
    assert!(plan.current.is_empty() && !plan.address.contains(":pgmarch@"), "{}", plan.address);
    assert_eq!(database.dump(), before);
}

#[test]
fn observers_are_told_of_each_revision_in_order() {
    let (database, project, recorder) = (Database::new(), two_tables(), Recorder::default());
    let runner = runner(&database, &project, &[("PGMARCH_TRANSACTION", "run")]).with_observer(recorder.observer());
    let revisions = runner.load_revisions().expect("revisions");
    let head = Goal::upgrade("head").expect("a name");
    let outcome = runtime().block_on(runner.apply(&revisions, &head)).expect("a run");
    assert_eq!(outcome.current, ["002"]);
    assert_eq!(outcome.done.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["001", "002"]);
    assert_eq!(recorder.lines(), ["run of 2 from base", "started 001", "started 002", "done 001", "done 002"]);
    runtime().block_on(runner.apply(&revisions, &head)).expect("another run");
    assert_eq!(recorder.lines().last().map(String::as_str), Some("nothing to do at 002"));
}

#[test]
fn a_downgrade_is_planned_and_then_undoes_exactly_that() {
    let (database, project) = (Database::new(), two_tables());
    pgmarch(&database, &project).run().exits(0);
    let runner = runner(&database, &project, &[]);
    let revisions = runner.load_revisions().expect("revisions");
    let target = RevisionName::parse("001").expect("a name");
    let (plan, goal) = runtime().block_on(runner.plan_downgrade(&revisions, &target)).expect("a plan");
    assert_eq!(plan.steps.iter().map(|step| step.revision.as_str()).collect::<Vec<_>>(), ["002"]);
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "002");
    let outcome = runtime().block_on(runner.apply(&revisions, &goal)).expect("a run");
    assert_eq!(outcome.current, ["001"]);
}

#[test]
fn observers_are_told_who_blocks_a_revision() {
    let (database, project, recorder) = (Database::new(), two_tables(), Recorder::default());
    pgmarch(&database, &project).run().exits(0);
    project.write("003_test.sql", "-- migrate:up\nALTER TABLE a ADD COLUMN name text;\n-- migrate:down\nALTER TABLE a DROP COLUMN name;\n");
    let (blocked, is_blocked) = mpsc::channel();
    let runner = runner(&database, &project, &[("PGMARCH_LOCK_TIMEOUT", "100ms")]).with_observer(recorder.observer()).with_observer(
        move |event: &Event<'_>| {
            if let Event::RevisionBlocked { .. } = event {
                blocked.send(()).ok();
            }
        },
    );
    let session = database.session();
    session.execute("BEGIN; LOCK TABLE a");
    let running = thread::spawn(move || {
        let revisions = runner.load_revisions().expect("revisions");
        runtime().block_on(runner.apply(&revisions, &Goal::upgrade("head").expect("a name"))).expect("a run").current
    });
    is_blocked.recv().expect("blocked");
    session.execute("COMMIT");
    assert_eq!(running.join().expect("a thread"), ["003"]);
    let lines = recorder.lines();
    assert!(lines.contains(&"blocked 003 55P03".to_owned()), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("done 003"));
}

#[test]
fn observers_are_told_who_holds_the_run_lock() {
    let (database, recorder) = (Database::new(), Recorder::default());
    let project = Project::new().revision("001", "CREATE TABLE a (id int); SELECT pg_advisory_xact_lock(7);", "DROP TABLE a;");
    let session = database.session();
    session.execute("BEGIN; SELECT pg_advisory_xact_lock(7)");
    let first = pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "0").spawn();
    database.eventually("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted", "1");
    let (waiting, is_waiting) = mpsc::channel();
    let runner = runner(&database, &project, &[]).with_observer(recorder.observer()).with_observer(move |event: &Event<'_>| {
        if let Event::WaitingForLock { .. } = event {
            waiting.send(()).ok();
        }
    });
    let second = thread::spawn(move || {
        let revisions = runner.load_revisions().expect("revisions");
        runtime().block_on(runner.apply(&revisions, &Goal::upgrade("head").expect("a name"))).expect("a run").current
    });
    is_waiting.recv().expect("waiting");
    session.execute("COMMIT");
    first.wait().exits(0);
    assert_eq!(second.join().expect("a thread"), ["001"]);
    let lines = recorder.lines();
    assert!(lines[0].starts_with("waiting for pid ") && lines[0].contains("application pgmarch/"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("done")), "{lines:?}");
}

#[test]
fn errors_are_typed_and_explain_themselves() {
    let (database, project) = (Database::new(), Project::new().revision("001", "CREATE TABLE a (id int); SELECT 1/0;", "DROP TABLE a;"));
    let runner = runner(&database, &project, &[]);
    let revisions = runner.load_revisions().expect("revisions");
    let error = runtime().block_on(runner.apply(&revisions, &Goal::upgrade("head").expect("a name"))).expect_err("a failure");
    assert_eq!((error.exit(), error.retry().is_worthwhile()), (Exit::Failed, false));
    assert!(error.next_step().contains("001_test.sql"), "{}", error.next_step());
    let Error::Apply(stopped) = error else { panic!("{error}") };
    assert_eq!((stopped.error.code(), stopped.done.len()), (Some("22012"), 0));
    assert!(matches!(Runner::from_settings([("PGMARCH_TYPO", "1")]), Err(Error::Config(_))));
}

#[test]
fn the_example_of_the_documentation_migrates_a_database() {
    let (database, project) = (Database::new(), two_tables());
    let version = runtime().block_on(example::migrate(&database.url(), &project.path().to_string_lossy())).expect("a run");
    assert_eq!(version, "002");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "002");
}

#[test]
fn runs_can_be_spawned_on_any_runtime() {
    fn sendable<F: Future + Send>(future: F) -> F {
        future
    }
    let (database, project) = (Database::new(), two_tables());
    let runner = runner(&database, &project, &[]);
    let revisions = runner.load_revisions().expect("revisions");
    let head = Goal::upgrade("head").expect("a name");
    runtime().block_on(sendable(runner.plan(&revisions, &head))).expect("a plan");
    runtime().block_on(sendable(runner.apply(&revisions, &head))).expect("a run");
}
