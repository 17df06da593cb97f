//! A COMMIT that waits for a synchronous standby: named while it waits, and never success when the wait ends early.

use crate::support::{Database, Outcome, Program, Project, Running, Server, pgmarch};

/// What is committed, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    Transactional,
    Run,
    Stepwise,
    Down,
    Stamp,
}

const ALL: [Work; 5] = [Work::Transactional, Work::Run, Work::Stepwise, Work::Down, Work::Stamp];

/// A server that soon waits for a standby that never comes.
struct Scene {
    server: Server,
    database: Database,
    project: Project,
    work: Work,
}

/// Ours that wait for the standby.
const WAITING: &str =
    "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'pgmarch%' AND datname = current_database()";

impl Scene {
    fn new(work: Work) -> Scene {
        let server = Server::start_own(&["synchronous_commit = on", "autovacuum = off"]);
        let database = Database::on(&server);
        let marker = if work == Work::Stepwise { " transaction:false" } else { "" };
        let project = Project::new().revision("001", "CREATE TABLE a (id int);", "DROP TABLE a;").file(
            "002_test.sql",
            &format!("-- migrate:up{marker}\nALTER TABLE a ADD COLUMN b int;\n\n-- migrate:down{marker}\nALTER TABLE a DROP COLUMN b;\n"),
        );
        let target = if matches!(work, Work::Down | Work::Stamp) { "002" } else { "001" };
        pgmarch(&database, &project).args(["upgrade", target]).run().exits(0);
        server.set(&["synchronous_standby_names = 'nobody'"]);
        server.reload();
        database.eventually("SHOW synchronous_standby_names", "nobody");
        Scene { server, database, project, work }
    }

    fn program(&self) -> Program {
        let program = pgmarch(&self.database, &self.project).env("PGMARCH_RETRY_FOR", "5s");
        match self.work {
            Work::Transactional | Work::Stepwise => program,
            Work::Run => program.env("PGMARCH_TRANSACTION", "run"),
            Work::Down => program.args(["downgrade", "001", "--yes"]),
            Work::Stamp => program.args(["stamp", "001"]),
        }
    }

    /// The program, whose commit waits.
    fn waiting(&self) -> Running {
        let running = self.program().spawn();
        self.database.eventually(&format!("SELECT count(*) > 0 {WAITING}"), "t");
        running
    }

    /// The standby is no longer waited for: what the program left becomes visible.
    fn let_go(&self) {
        self.server.set(&["synchronous_standby_names = ''"]);
        self.server.reload();
        self.database.eventually("SHOW synchronous_standby_names", "");
    }
}

/// It claims nothing that a failover could take back.
#[track_caller]
fn claims_nothing(outcome: &Outcome, work: Work) {
    let stderr = outcome.stderr.to_ascii_lowercase();
    assert!(["primary", "replicat", "standby"].iter().any(|word| stderr.contains(word)), "{work:?}: should say where it is\n{outcome}");
    assert!(!stderr.contains("applied 002 in") && !stderr.contains("nothing was changed"), "{work:?}\n{outcome}");
    assert_eq!(outcome.stdout, "", "{work:?}: should answer nothing\n{outcome}");
}

#[test]
fn while_it_waits_the_standby_is_named_as_the_cause() {
    for work in ALL {
        let scene = Scene::new(work);
        let running = scene.waiting();
        running.wait_for_log("SyncRep");
        scene.let_go();
        running.wait().exits(0);
    }
}

#[test]
fn sigterm_while_it_waits_is_not_success() {
    for work in ALL {
        let scene = Scene::new(work);
        let running = scene.waiting();
        running.signal("TERM");
        let outcome = running.wait().exits(143);
        claims_nothing(&outcome, work);
        scene.database.eventually(&format!("SELECT count(*) {WAITING}"), "0");
        scene.let_go();
        scene.program().run().exits(0);
    }
}

#[test]
fn sigint_while_it_waits_is_not_success() {
    let scene = Scene::new(Work::Transactional);
    let running = scene.waiting();
    running.signal("INT");
    claims_nothing(&running.wait().exits(130), scene.work);
}

#[test]
fn a_cancel_by_a_dba_while_it_waits_is_not_success() {
    for work in ALL {
        let scene = Scene::new(work);
        let running = scene.waiting();
        // Each commit of a `transaction:false` revision waits; after the first that was cancelled no other one is sent.
        assert_eq!(scene.database.one(&format!("SELECT count(pg_cancel_backend(pid)) {WAITING}")), "1", "{work:?}");
        let outcome = running.wait().exits(6);
        claims_nothing(&outcome, work);
        scene.let_go();
        scene.program().run().exits(0);
    }
}
