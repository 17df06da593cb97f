//! The server is killed right after exit 0: what was reported is there when it comes back.
//!
//! The server's default is to lose the last commits: `synchronous_commit` is off for the server, the database or the role, and
//! its WAL writer sleeps. Each case commits a row of its own behind the program's exit and expects that the crash takes it
//! back: so the crash came early enough to take back whatever the program left unflushed.

use std::thread;
use std::time::{Duration, Instant};

use super::Case;
use super::story::{DELAY, disturbed};
use crate::support::{Database, Outcome, Program, Project, Proxy, Running, Server, Session, TIMEOUT, pgmarch_at};

pub(crate) fn crashes() -> Vec<Case> {
    let mut cases = Vec::new();
    for place in [Place::Server, Place::Database, Place::Role] {
        for (work, reports) in REPORTED {
            for report in *reports {
                let name = format!("{work:?}, exit 0 of {report:?}, synchronous_commit = off on the {place:?}");
                cases.push(Case::new(name, move || reported(*work, *report, place)));
            }
        }
    }
    cases
}

/// What is done, and whose exit 0 reports it.
const REPORTED: &[(Work, &[Report])] = &[
    (Work::Upgrade(Mode::Transactional), READ),
    (Work::Upgrade(Mode::Run), READ),
    (Work::Upgrade(Mode::Stepwise), READ),
    (Work::Downgrade(Mode::Transactional), REPEATED),
    (Work::Downgrade(Mode::Run), REPEATED),
    (Work::Downgrade(Mode::Stepwise), REPEATED),
    (Work::Stamp, REPEATED),
    (Work::StampPurge, REPEATED),
    (Work::RepairText, REPEATED),
    (Work::RepairProgress, &[Report::Own]),
    (Work::ByAlembic, &[Report::SecondRun, Report::Wait, Report::StatusCheck]),
];
const READ: &[Report] = &[Report::Own, Report::SecondRun, Report::ConcurrentRun, Report::Wait, Report::StatusCheck];
const REPEATED: &[Report] = &[Report::Own, Report::SecondRun];

/// How the revisions run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// A transaction for each.
    Transactional,
    /// `PGMARCH_TRANSACTION=run`.
    Run,
    /// `transaction:false` in what runs last.
    Stepwise,
}

/// What becomes different in the database.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    /// From 001 to 003.
    Upgrade(Mode),
    /// From 003: to 001; to 002 where the last that is undone is to be `transaction:false`.
    Downgrade(Mode),
    /// From 003 to 001.
    Stamp,
    /// From a version that no file has to 001.
    StampPurge,
    /// The changed file of 001 is accepted.
    RepairText,
    /// The progress of 003, which stopped in its second statement, is forgotten.
    RepairProgress,
    /// By another program: it committed the version row 003.
    ByAlembic,
}

/// Whose exit 0 it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Report {
    /// That of the run that wrote.
    Own,
    /// The end of the same command, run again after it.
    SecondRun,
    /// That of the same command, run at the same time.
    ConcurrentRun,
    /// That of `wait`, run at the same time.
    Wait,
    /// That of `status --check`, asked again and again at the same time.
    StatusCheck,
}

/// The setting by which commits need not be flushed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Server,
    Database,
    Role,
}

/// A server whose WAL stays in memory until a commit insists, or its WAL writer wakes up.
fn lazy(work: Work, place: Place) -> Server {
    // Who reads what another program has written can only wait for the WAL writer.
    let delay = if work == Work::ByAlembic { "2s" } else { "10s" };
    let commit = if place == Place::Server { "off" } else { "on" };
    Server::start_own(&[
        &format!("synchronous_commit = {commit}"),
        &format!("wal_writer_delay = {delay}"),
        "wal_writer_flush_after = 1GB",
        "wal_buffers = 16MB",
        "commit_delay = 0",
        "autovacuum = off",
        "max_connections = 30",
    ])
}

/// A prepared database, and who works in it.
struct Scene {
    server: Server,
    database: Database,
    project: Project,
    url: String,
    work: Work,
}

/// Again where the WAL writer woke up at the wrong moment: then the crash could have taken back nothing.
fn reported(work: Work, report: Report, place: Place) {
    let proven = (0..3).any(|_| {
        let scene = Scene::new(work, place);
        let control = Session::open(&scene.url);
        control.execute("CREATE TABLE control (id int)");
        scene.flush();
        let report = scene.report(report);
        control.execute("INSERT INTO control VALUES (1)");
        scene.server.crash();
        drop(control);
        report.exits(0);
        scene.server.start();
        let proven = scene.database.one("SELECT count(*) FROM control") == "0";
        scene.is_kept();
        proven
    });
    assert!(proven, "the crash came too late: it never took back a commit that was not flushed, so this proves nothing");
}

impl Scene {
    /// What the work begins with, flushed.
    fn new(work: Work, place: Place) -> Scene {
        let server = lazy(work, place);
        let database = Database::on(&server);
        let (name, mut url) = (database.name(), database.url());
        match place {
            Place::Server => {}
            Place::Database => database.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")),
            Place::Role => {
                let role = database.role("lazy", &[&format!("ALL ON DATABASE {name}"), "ALL ON SCHEMA public"]);
                database.execute(&format!("ALTER ROLE {} SET synchronous_commit = off", role.name));
                url = role.url;
            }
        }
        assert_eq!(Session::open(&url).one("SHOW synchronous_commit"), "off");
        let project = project(work);
        let run = |words: &[&str], code| drop(pgmarch_at(&url, &project).args(words.iter().copied()).run().exits(code));
        match work {
            Work::Upgrade(_) | Work::ByAlembic => run(&["upgrade", "001"], 0),
            Work::Downgrade(_) | Work::Stamp | Work::RepairText => run(&["upgrade"], 0),
            Work::StampPurge => {
                run(&["upgrade"], 0);
                database.execute("UPDATE alembic_version SET version_num = 'unknown'");
            }
            Work::RepairProgress => run(&["upgrade"], 6),
        }
        if work == Work::RepairText {
            project.write("001_test.sql", &project.read("001_test.sql").replace("id int", "id integer DEFAULT 1"));
        }
        Scene { server, database, project, url, work }
    }

    fn flush(&self) {
        self.database.execute("CHECKPOINT");
    }

    /// Does the work; the outcome of who reports it.
    fn report(&self, report: Report) -> Outcome {
        match report {
            Report::Own => self.program(&self.url).run(),
            Report::SecondRun => {
                if self.work == Work::ByAlembic {
                    self.move_as_alembic();
                } else {
                    self.program(&self.url).run().exits(0);
                }
                self.program(&self.url).run()
            }
            Report::ConcurrentRun => self.beside(|_| self.program(&self.url).run()),
            Report::Wait => self.beside(|_| pgmarch_at(&self.url, &self.project).args(["wait"]).run()),
            Report::StatusCheck => self.beside(|writer| self.status_check(writer)),
        }
    }

    /// One run works slowly, and another waits for it. The first is killed when the other has ended, if it is still running.
    fn beside(&self, reader: impl Fn(Option<&Running>) -> Outcome) -> Outcome {
        if self.work == Work::ByAlembic {
            self.move_as_alembic();
            return reader(None);
        }
        let proxy = Proxy::to(&self.server).delay(10 * DELAY);
        let writer = self.program(&self.url.replace(self.server.as_ref().place(), proxy.place())).env("PGMARCH_RETRY_FOR", "0").spawn();
        writer.wait_for_log("applying");
        reader(Some(&writer))
    }

    fn move_as_alembic(&self) {
        Session::open(&self.url).execute("UPDATE alembic_version SET version_num = '003'");
    }

    fn status_check(&self, writer: Option<&Running>) -> Outcome {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let outcome = pgmarch_at(&self.url, &self.project).args(["status", "--check"]).run();
            if outcome.code() != Some(1) || Instant::now() > deadline {
                return outcome;
            }
            assert!(writer.is_none_or(|writer| writer.is_running() || Instant::now() < deadline), "{outcome}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The command that does the work.
    fn program(&self, url: &str) -> Program {
        let program = disturbed(url, &self.project);
        match self.work {
            Work::Upgrade(Mode::Run) => program.env("PGMARCH_TRANSACTION", "run"),
            Work::Upgrade(_) | Work::ByAlembic => program,
            Work::Downgrade(Mode::Stepwise) => program.args(["downgrade", "002", "--yes"]),
            Work::Downgrade(Mode::Run) => program.env("PGMARCH_TRANSACTION", "run").args(["downgrade", "001", "--yes"]),
            Work::Downgrade(Mode::Transactional) => program.args(["downgrade", "001", "--yes"]),
            Work::Stamp => program.args(["stamp", "001"]),
            Work::StampPurge => program.args(["stamp", "--purge", "001"]),
            Work::RepairText => program.args(["repair", "001"]),
            Work::RepairProgress => program.args(["repair", "003"]),
        }
    }

    /// What was reported is there, in the version table, in the ledger and in the schema.
    fn is_kept(&self) {
        let (version, columns, noted) = match self.work {
            Work::Upgrade(_) => {
                ("003", "id, b, c", "journal WHERE revision = '003' AND direction = 'upgrade' AND outcome = 'done' AND statement IS NULL")
            }
            Work::Downgrade(Mode::Stepwise) => {
                ("002", "id, b", "journal WHERE revision = '003' AND direction = 'downgrade' AND outcome = 'done' AND statement IS NULL")
            }
            Work::Downgrade(_) => ("001", "id", "journal WHERE revision = '002' AND direction = 'downgrade' AND outcome = 'done'"),
            Work::Stamp | Work::StampPurge => ("001", "id, b, c", "journal WHERE revision = '001' AND direction = 'stamp'"),
            Work::RepairText => ("003", "id, b, c", "revision WHERE revision = '001' AND text LIKE '%DEFAULT 1%'"),
            // The first statement has run already; now it may be another.
            Work::RepairProgress => ("002", "id, b, c", "journal WHERE revision = '003' AND statement IS NULL"),
            Work::ByAlembic => ("003", "id", "journal WHERE revision = '001' AND outcome = 'done'"),
        };
        let database = &self.database;
        assert_eq!(database.one("SELECT string_agg(version_num, ', ') FROM alembic_version"), version, "the version table");
        let present = "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attnum > 0 AND NOT attisdropped";
        assert_eq!(database.one(present), columns, "the table's columns");
        assert_eq!(database.one(&format!("SELECT count(*) FROM pgmarch.{noted}")), "1", "the ledger: {noted}");
        match self.work {
            Work::Upgrade(_) | Work::ByAlembic | Work::RepairText => {
                pgmarch_at(&self.url, &self.project).run().exits(0).stdout_contains("nothing to do");
            }
            Work::RepairProgress => {
                let text = self.project.read("003_test.sql");
                self.project.write("003_test.sql", &text.replace("ADD COLUMN c int", "ALTER COLUMN c SET DEFAULT 3").replace("1/0", "1"));
                pgmarch_at(&self.url, &self.project).run().exits(0).stdout_contains("1 applied");
            }
            Work::Downgrade(_) | Work::Stamp | Work::StampPurge => {}
        }
    }
}

fn project(work: Work) -> Project {
    let stepwise = matches!(work, Work::Upgrade(Mode::Stepwise) | Work::Downgrade(Mode::Stepwise) | Work::RepairProgress);
    let mode = if stepwise { " transaction:false" } else { "" };
    let failing = if work == Work::RepairProgress { "SELECT 1/0;\n" } else { "" };
    // Nothing here is flushed for its own sake, as the removal of a table's file would be.
    Project::new()
        .revision("001", "CREATE TABLE a (id int);", "SELECT 1;")
        .revision("002", "ALTER TABLE a ADD COLUMN b int;", "ALTER TABLE a DROP COLUMN b;")
        .file(
            "003_test.sql",
            &format!(
                "-- migrate:up{mode}\nALTER TABLE a ADD COLUMN c int;\n{failing}\n-- migrate:down{mode}\nALTER TABLE a DROP COLUMN c;\n"
            ),
        )
}
